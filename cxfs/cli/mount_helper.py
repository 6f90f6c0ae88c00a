"""`mount.cxfs` and `umount.fuse.cxfs`: what mount(8), umount(8) and fstab call. Translates, and mounts nothing itself.

They say `mount.cxfs PROFILE:/FOLDER DIR -o WORDS`, and want statuses of their own (mount(8), "EXIT STATUS"). A mount by
root belongs to the machine: its configuration is /etc/cxfs/config.toml, and its changes are kept in /var/lib/cxfs,
whoever was at the terminal and whether there was one.
"""

from __future__ import annotations

import os
import pwd
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from cxfs.cli import run, run_as
from cxfs.cli.exits import Exit, Refusal
from cxfs.cli.words import PLACE, is_known, parse_words, split_words

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import NoReturn

FOLDERS_OF_THE_MACHINE: Final = {
    "XDG_CONFIG_HOME": "/etc",
    "XDG_STATE_HOME": "/var/lib",
    "XDG_DATA_HOME": "/var/lib",
    "XDG_CACHE_HOME": "/var/cache",
}
"""Where the program finds folders named cxfs when nobody in particular mounts."""

PERSONAL: Final = ("CXFS_CONFIG", "CXFS_ACCESS_TOKEN", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS")
"""Of the environment of who typed the command: the mount must not depend on that."""

MOUNT_FAILED: Final = 32
_STATUS_OF: Final = {Exit.OK: 0, Exit.USAGE: 1, Exit.CONFIG: 1, Exit.BUG: 4, Exit.INTERRUPTED: 8}
"""mount(8): 1 wrong call or no permission, 4 a fault of the program, 8 interrupted, 32 the mount failed."""


@click.command("mount.cxfs", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-o", "texts", multiple=True, metavar="OPTIONS", help="As in fstab.")
@click.option("-f", "is_fake", is_flag=True, help="Check everything and mount nothing.")
@click.option("-s", "is_sloppy", is_flag=True, help="Ignore options that are not known.")
@click.option("-v", "is_verbose", is_flag=True, help="Say what is done.")
@click.option("-n", "_no_table", is_flag=True, help="Changes nothing: /etc/mtab is the kernel's.")
@click.option("-t", "_type", metavar="TYPE", help="Changes nothing.")
@click.option("-N", "_namespace", metavar="NAMESPACE", help="Changes nothing: mount(8) has entered it.")
@click.argument("source", metavar="PROFILE:[/FOLDER]")
@click.argument("mountpoint", type=PLACE)
def mount(
    source: str,
    mountpoint: Path,
    texts: tuple[str, ...],
    *,
    is_fake: bool,
    is_sloppy: bool,
    is_verbose: bool,
    **_: object,
) -> int:
    """Mount the account of PROFILE, as `mount -t cxfs PROFILE: FOLDER -o OPTIONS` asks.

    Beside the options of `cxfs mount` there are config=FILE, whose profiles these are, and setuid=USER, who mounts.
    """
    profile, folder = _parsed(source)
    given = [word for text in texts for word in split_words(text)]
    ours = {name: value for name, equals, value in (word.partition("=") for word in given) if name in _OURS and equals}
    words = [word for word in given if word.partition("=")[0] not in ours]
    if is_sloppy:
        words = [word for word in words if is_known(word)]
    # As mount(8) wrote it, so that `mount -a` knows the mount again.
    words = [f"fsname={source}", *([f"root={folder}"] if folder else []), *words]
    options = ",".join(word.replace("\\", "\\\\").replace(",", "\\,") for word in words)
    parse_words([options])
    if is_fake:
        return Exit.OK
    _become(ours.get("setuid"), os.environ)
    if "config" in ours:
        os.environ["CXFS_CONFIG"] = ours["config"]
    arguments = ["mount", "--profile", profile, "-o", options, os.fspath(mountpoint)]
    if is_verbose:
        click.echo(f"cxfs {' '.join(arguments)}", err=True)
    return run(arguments)


@click.command("umount.fuse.cxfs", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-l", "is_lazy", is_flag=True, help="Detach now and do not wait for uploads.")
@click.option("-f", "_force", is_flag=True, help="Changes nothing: a mount of ours can always be left.")
@click.option("-n", "_no_table", is_flag=True, help="Changes nothing.")
@click.option("-r", "_read_only", is_flag=True, help="Changes nothing.")
@click.option("-v", "is_verbose", is_flag=True, help="Show the progress.")
@click.option("-t", "_type", metavar="TYPE", help="Changes nothing.")
@click.option("-N", "_namespace", metavar="NAMESPACE", help="Changes nothing.")
@click.argument("mountpoint", type=PLACE)
def umount(mountpoint: Path, *, is_lazy: bool, is_verbose: bool, **_: object) -> int:
    """Unmount a folder and wait until its uploads are done, as `umount FOLDER` asks.

    umount(8) looks for it where it has noted something of the mount, as with the options _netdev and uhelper=; what it
    unmounts by itself is uploaded all the same, without being waited for.
    """
    flags = [*(["--lazy"] if is_lazy else []), *([] if is_verbose else ["--quiet"])]
    status = run(["umount", *flags, os.fspath(mountpoint)])
    # It is unmounted, and what is left is safe here: the line on stderr says so, and a shutdown need not fail.
    return Exit.OK if status == Exit.UPLOADS_LEFT else status


_OURS: Final = frozenset({"config", "setuid"})
"""Words that are for this program."""


def _parsed(source: str) -> tuple[str, str]:
    profile, colon, folder = source.partition(":")
    if not colon or not profile or (folder and not folder.startswith("/")):
        raise click.UsageError(f"{source}: expected a profile with a colon, such as work: or work:/photos")
    return profile, folder


def _become(user: str | None, environment: MutableMapping[str, str]) -> None:
    """Another user if one is named, and the machine itself where root names none."""
    if os.geteuid() != 0:
        if user is not None and user not in {str(os.getuid()), pwd.getpwuid(os.getuid()).pw_name}:
            raise Refusal(Exit.USAGE, f"-o setuid={user}: only root can mount as somebody else")
        return
    for name in PERSONAL:
        environment.pop(name, None)
    if user is None:
        environment.setdefault("HOME", "/root")  # systemd gives a mount unit none
        environment.update(FOLDERS_OF_THE_MACHINE)
        return
    try:
        entry = pwd.getpwuid(int(user)) if user.isdecimal() else pwd.getpwnam(user)
    except KeyError:
        raise Refusal(Exit.USAGE, f"-o setuid={user}: no such user on this machine") from None
    os.initgroups(entry.pw_name, entry.pw_gid)
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    for name in FOLDERS_OF_THE_MACHINE:
        environment.pop(name, None)
    environment.update(HOME=entry.pw_dir, USER=entry.pw_name, LOGNAME=entry.pw_name)
    runtime = Path("/run/user", str(entry.pw_uid))
    if runtime.is_dir():
        environment["XDG_RUNTIME_DIR"] = os.fspath(runtime)


def main() -> NoReturn:
    """The console scripts `mount.cxfs`, `mount.fuse.cxfs` and `umount.fuse.cxfs`."""
    program = Path(sys.argv[0]).name
    command = umount if program.startswith("umount.") else mount
    sys.exit(status_of(run_as(program, command, sys.argv[1:])))


def status_of(code: int) -> int:
    """The status of mount(8) for one of ours."""
    return _STATUS_OF.get(Exit(code), MOUNT_FAILED)
