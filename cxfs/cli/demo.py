"""`cxfs demo`: a server of one's own with a sample account, mounted, in one command. Leaves nothing behind.

Everything lives in a temporary folder; Ctrl-C, or a failure at any point, takes down what was put up, in reverse.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from cxfs.cli import tables
from cxfs.cli.exits import Exit, Refusal
from cxfs.cli.server_folder import Place, opened
from cxfs.cli.signals import orderly

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cxfs.daemon import MountSettings
    from cxfs.mounts import Leftovers

USER: Final = "demo"
QUOTA_BYTES: Final = 8 << 30
SERVER_STOP_S: Final = 15.0


@click.command("demo", short_help="Mount a sample account from a server of your own.")
@click.argument("mountpoint", default="cx-demo", type=click.Path(path_type=Path))
def command(mountpoint: Path) -> int:
    """Start a CX server on this machine with a sample account and mount it at MOUNTPOINT (./cx-demo).

    Ctrl-C unmounts, stops the server and removes all of it.
    """
    from cxfs.fuse import mounting

    mountpoint = mounting.resolved(mountpoint)
    with contextlib.ExitStack() as stack:
        stack.enter_context(orderly())
        mounting.check_machine(allow_other=False)
        stack.enter_context(_folder_for(mountpoint))
        scratch = Path(tempfile.mkdtemp(prefix="cxfs-demo-"))
        stack.callback(shutil.rmtree, scratch, ignore_errors=True)
        click.echo("Making a sample account: text, pictures, names in several scripts, a 200 MB file…", err=True)
        token = _account(scratch)
        url = stack.enter_context(_server(scratch / "server"))
        left = _mounted(_settings(scratch, url, token, mountpoint))
    click.echo("\nUnmounted; the server is stopped and everything is removed.", err=True)
    if left.count:
        raise Refusal(Exit.UPLOADS_LEFT, f"{left.count} changes had not reached the demo's server")
    return Exit.OK


@contextlib.contextmanager
def _folder_for(mountpoint: Path) -> Iterator[None]:
    """The mount point, cleared of a demo that was killed; made if need be and then removed again."""
    from cxfs.fuse import mounting

    if mounting.mounted_at(mountpoint) is not None or mountpoint.exists():
        mounting.prepare_mount_point(mountpoint)
        yield
        return
    mounting.make_mount_point(mountpoint)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            mountpoint.rmdir()


def _account(scratch: Path) -> str:
    """A server folder with one account full of samples; its access token."""
    with opened(Place(scratch / "server"), extra="demo") as store:
        from cxfs.cli.samples import make_samples
        from cxfs.server.administration import add_user, import_tree, issue_token

        make_samples(scratch / "samples")
        add_user(store, USER, password=None, quota_bytes=QUOTA_BYTES)
        import_tree(store, USER, scratch / "samples", progress=lambda _files, _bytes: None)
        shutil.rmtree(scratch / "samples")
        return issue_token(store, USER)


@contextlib.contextmanager
def _server(folder: Path) -> Iterator[str]:
    """A server process for the length of the block; yields its URL once it accepts.

    It is in a session of its own, so that Ctrl-C reaches the mount first, which then still needs it. It ends with the
    pipe to it, should this process be killed.
    """
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    words = [sys.executable, "-m", "cxfs.cli.demo_server", str(port), str(folder)]
    with subprocess.Popen(  # noqa: S603 - our own words
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        try:
            if not process.stdout.readline():
                raise Refusal(Exit.FAILED, "the demo's server did not start; its message is above")
            yield f"https://127.0.0.1:{port}"
        finally:
            process.terminate()
            try:
                process.wait(SERVER_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()


def _settings(scratch: Path, url: str, token: str, mountpoint: Path) -> MountSettings:
    from cxfs.config import Profile
    from cxfs.credentials import AccessToken
    from cxfs.daemon import MountSettings
    from cxfs.mount_options import MountOptions

    ca_file = scratch / "server" / "tls" / "ca.pem"
    return MountSettings(
        profile=Profile(USER, api_url=url, data_url=url, auth_url=url, ca_file=ca_file),
        token=AccessToken(token),
        mountpoint=mountpoint,
        cache_folder=scratch / "cache",
        state_folder=scratch / "state",
        options=MountOptions(),
    )


def _mounted(settings: MountSettings) -> Leftovers:
    """Serves until Ctrl-C and says what can be done meanwhile; what did not reach the server."""
    from cxfs import daemon
    from cxfs.cli import bars, logs

    settings.known_secrets.add(settings.token.reveal())
    logs.configure("warning", None, settings.known_secrets)
    with bars.draining() as on_drain:
        return daemon.run(settings, on_ready=lambda: _say_what_to_try(settings.mountpoint), on_drain=on_drain)


def _say_what_to_try(mountpoint: Path) -> None:
    from rich.markup import escape

    place = escape(str(mountpoint))
    tables.console().print(
        f"\n[bold]A CX account is mounted at {place}[/bold]\n\n"
        "In another terminal, or in a file manager:\n\n"
        f"  cd {place}\n"
        "  ls -lR\n"
        "  cat 'Read me.txt'\n"
        "  cp -r /usr/share/doc/bash . && grep -ril copyright bash\n"
        "  tar czf docs.tar.gz Documents && tar tzf docs.tar.gz\n"
        "  sha1sum 'Large file.bin'\n"
        "  getfattr -d 'Read me.txt'\n"
        "  df -h .\n\n"
        "Ctrl-C here unmounts and removes everything."
    )
