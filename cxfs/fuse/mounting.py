"""What stands around a mount: the device, the helper programs, the mount point before and after. Serves no request.

Every refusal says what to do. Nothing here touches a living mount by a system call that its daemon must answer, except
where the answer is the question (`is_dead`).
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cxfs.core.errors import CxfsError

# "umount -i" calls no helper: umount.fuse.cxfs, where it is installed, is us.

FILE_SYSTEM: Final = "fuse.cxfs"
"""The type that `subtype=cxfs` gives a mount in the kernel's table."""

DEVICE: Final = Path("/dev/fuse")
FUSE_CONF: Final = Path("/etc/fuse.conf")
MOUNT_TABLE: Final = Path("/proc/self/mountinfo")

UNMOUNT_DEADLINE_S: Final = 30.0
"""The programs only make one system call; more means that something hangs which waiting will not cure."""

USERS_SHOWN_MAX: Final = 5
"""Programs named in the message about a busy mount."""


class FuseMissing(CxfsError):
    """This machine cannot mount: the device, the helper program or a permission is missing."""


class MountPointTrouble(CxfsError):
    """The mount point cannot be used or left: missing, taken, not ours, not writable."""


class MountPointBusy(MountPointTrouble):
    """Programs still use the mount."""


@dataclass(frozen=True, slots=True)
class Mounted:
    """One line of the kernel's table of mounts."""

    mountpoint: Path
    type: str
    source: str
    device: str
    """As the kernel numbers it, `major:minor`."""

    @property
    def is_ours(self) -> bool:
        """Whether cxfs mounted it."""
        return self.type == FILE_SYSTEM


# ------------------------------------------------------------------------------------------------ what is there


def mounted_at(path: Path, table: Path = MOUNT_TABLE) -> Mounted | None:
    """The topmost mount at exactly this absolute path, which is looked up in the table and not touched."""
    found = None
    for each in all_mounted(table):
        if each.mountpoint == path:
            found = each
    return found


def all_mounted(table: Path = MOUNT_TABLE) -> list[Mounted]:
    """Every line of the table, in its order; no mount is touched."""
    found = []
    # The kernel escapes what ends a line for it, which is less than what ends one for `splitlines`.
    for line in os.fsdecode(table.read_bytes()).rstrip("\n").split("\n"):
        fields, _, rest = line.partition(" - ")
        kind, source = rest.split(" ")[:2]
        _, _, device, _, mountpoint = fields.split(" ")[:5]
        found.append(Mounted(Path(_unescaped(mountpoint)), kind, _unescaped(source), device))
    return found


def is_dead(mountpoint: Path) -> bool:
    """Whether its daemon is gone ("Transport endpoint is not connected"). Waits when the daemon lives but hangs."""
    try:
        os.statvfs(mountpoint)  # stat(2) of the root is answered from the kernel's cache long after the daemon's end
    except OSError as error:
        return error.errno in {errno.ENOTCONN, errno.ECONNABORTED}
    return False


def resolved(path: Path) -> Path:
    """The absolute path without symbolic links. A dead or hanging mount at its end is not asked."""
    absolute = path.absolute()
    if mounted_at(absolute) is not None:
        return absolute
    parent = absolute.parent.resolve()
    if mounted_at(parent / absolute.name) is not None:
        return parent / absolute.name
    return absolute.resolve()


def _unescaped(text: str) -> str:
    r"""The table writes space, tab, newline and backslash as \040 and so on."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)


# ------------------------------------------------------------------------------------------------ checks before


def check_machine(*, allow_other: bool, device: Path = DEVICE, fuse_conf: Path = FUSE_CONF) -> None:
    """Raises FuseMissing unless this user can mount here, with `allow_other` if that is wanted."""
    check_device(device)
    if os.geteuid() == 0:
        return
    if shutil.which("fusermount3") is None:
        raise FuseMissing("fusermount3 is missing, which mounts for ordinary users: apt install fuse3")
    if allow_other and not lets_others_in(fuse_conf):
        raise FuseMissing(f"allow_other is for root, unless {fuse_conf} has a line user_allow_other: add it, as root")


def check_device(device: Path = DEVICE) -> None:
    """Raises FuseMissing unless the device is there, and root can open it."""
    try:
        if not stat.S_ISCHR(device.stat().st_mode):
            raise FuseMissing(f"{device} is no device: remove it and run modprobe fuse, as root")
        if os.geteuid() == 0:  # an ordinary user need not be able to open it: fusermount3 does
            os.close(os.open(device, os.O_RDWR | os.O_CLOEXEC))
    except FileNotFoundError:
        raise FuseMissing(
            f"{device} is missing: modprobe fuse, as root; in a container start it with "
            "--device /dev/fuse --cap-add SYS_ADMIN"
        ) from None
    except OSError as error:
        raise FuseMissing(
            f"{device} cannot be opened ({error.strerror}): in a container start it with "
            "--device /dev/fuse --cap-add SYS_ADMIN"
        ) from error


def lets_others_in(fuse_conf: Path = FUSE_CONF) -> bool:
    """Whether ordinary users may mount with allow_other."""
    try:
        lines = fuse_conf.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    return any(line.split("#")[0].strip() == "user_allow_other" for line in lines)


def make_mount_point(mountpoint: Path) -> None:
    """Makes the folder, with those above it. Raises MountPointTrouble."""
    try:
        mountpoint.mkdir(parents=True)
    except OSError as error:
        raise MountPointTrouble(f"{mountpoint} cannot be made: {error.strerror}") from error


def prepare_mount_point(mountpoint: Path) -> bool:
    """Clears a mount of ours whose daemon died, then checks that the folder can be mounted on.

    Returns whether it holds something that the mount will hide. Raises MountPointTrouble.
    """
    clear_dead(mountpoint)
    there = mounted_at(mountpoint)
    if there is not None:
        if is_dead(mountpoint):
            raise MountPointTrouble(f"{mountpoint} holds a dead {there.type} mount: clear it with umount -l")
        raise MountPointTrouble(f"{mountpoint} is a mount already ({there.type}): choose another folder")
    try:
        return _check_folder(mountpoint)
    except FileNotFoundError:
        raise MountPointTrouble(f"{mountpoint} does not exist: mkdir it first") from None
    except OSError as error:
        raise MountPointTrouble(f"{mountpoint} cannot be mounted on: {error.strerror}") from error


def _check_folder(mountpoint: Path) -> bool:
    if not stat.S_ISDIR(mountpoint.stat().st_mode):
        raise MountPointTrouble(f"{mountpoint} is not a folder: a mount point must be one")
    if os.geteuid() != 0 and not os.access(mountpoint, os.W_OK):
        raise MountPointTrouble(f"{mountpoint} is not writable for you: only one's own folder can be mounted on")
    with os.scandir(mountpoint) as entries:
        return next(entries, None) is not None


# ------------------------------------------------------------------------------------------------ leaving


def clear_dead(mountpoint: Path) -> bool:
    """Takes away every mount of ours there whose daemon is gone, whoever still uses it; whether there was one.

    Others are left alone. Waits for a daemon that lives but hangs. Raises MountPointTrouble.
    """
    is_cleared = False
    while (there := mounted_at(mountpoint)) is not None and there.is_ours and is_dead(mountpoint):
        status, said = _run(["umount", "-i", "-l"] if os.geteuid() == 0 else ["fusermount3", "-uz"], mountpoint)
        if status and mounted_at(mountpoint) == there:
            raise MountPointTrouble(f"the dead mount at {mountpoint} cannot be cleared: {said}")
        is_cleared = True
    return is_cleared


def unmount(mountpoint: Path, *, lazy: bool = False) -> None:
    """Ends a mount of ours; raises MountPointBusy with the names of the programs that use it, or MountPointTrouble."""
    there = mounted_at(mountpoint)
    if there is None:
        raise MountPointTrouble(f"{mountpoint} is not mounted")
    if not there.is_ours:
        raise MountPointTrouble(f"{mountpoint} is not a cxfs mount but {there.type}: use umount")
    as_root = os.geteuid() == 0
    program = ["umount", "-i"] if as_root else ["fusermount3", "-u"]
    status, said = _run([*program, *(["-l" if as_root else "-z"] if lazy else [])], mountpoint)
    if status == 0 or mounted_at(mountpoint) is None:
        return
    if "busy" in said:
        raise MountPointBusy(
            f"{mountpoint} is busy: close what uses it{_named(users_of(mountpoint))}, or give --lazy to detach it now"
        )
    raise MountPointTrouble(f"{mountpoint} cannot be unmounted: {said}")


def _run(command: list[str], mountpoint: Path) -> tuple[int, str]:
    """Status and last line of what it says, in English so that "busy" can be found in it."""
    try:
        done = subprocess.run(  # noqa: S603  # a fixed program, and a path after "--"
            [*command, "--", str(mountpoint)],
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=UNMOUNT_DEADLINE_S,
            check=False,
        )
    except FileNotFoundError:
        return 127, f"{command[0]} is missing: apt install fuse3 mount"
    except subprocess.TimeoutExpired:
        return 124, f"{command[0]} did not end within {UNMOUNT_DEADLINE_S:g} s"
    lines = done.stdout.decode(errors="replace").strip().splitlines()
    return done.returncode, lines[-1] if lines else f"{command[0]} ended with status {done.returncode}"


def users_of(mountpoint: Path, proc: Path = Path("/proc")) -> list[str]:
    """`NAME (PID)` of programs with a folder or file of the mount open, as far as this user may see."""
    inside = f"{mountpoint}/"
    users = []
    for process in sorted((each for each in proc.iterdir() if each.name.isdigit()), key=lambda each: int(each.name)):
        if any(link == str(mountpoint) or link.startswith(inside) for link in _links_of(process)):
            with contextlib.suppress(OSError):
                users.append(f"{(process / 'comm').read_text().strip()} ({process.name})")
    return users


def _links_of(process: Path) -> list[str]:
    """What its links name. Reading a link asks no file system, so a hanging mount does not hang this."""
    links = []
    with contextlib.suppress(OSError):
        for each in [process / "cwd", process / "root", process / "exe", *(process / "fd").iterdir()]:
            with contextlib.suppress(OSError):
                links.append(str(each.readlink()))
    return links


def _named(users: list[str]) -> str:
    if not users:
        return ""
    more = f" and {len(users) - USERS_SHOWN_MAX} more" if len(users) > USERS_SHOWN_MAX else ""
    return f": {', '.join(users[:USERS_SHOWN_MAX])}{more}"
