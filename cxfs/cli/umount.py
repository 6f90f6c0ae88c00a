"""`cxfs umount`: ends a mount and waits until what was written there has reached the server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from cxfs import config, mounts
from cxfs.cli.exits import Exit, Refusal
from cxfs.cli.words import SECONDS
from cxfs.fuse import mounting

if TYPE_CHECKING:
    from collections.abc import Callable

WAIT_S: Final = 600.0
"""The daemon itself stops waiting after its --drain-timeout; this only bounds our patience with a hanging one."""


@click.command("umount", short_help="Unmount, and wait until everything is uploaded.")
@click.option("-l", "--lazy", is_flag=True, help="Detach now, though programs still use it, and do not wait.")
@click.option("--wait", "wait_s", type=SECONDS, default=WAIT_S, help=f"How long to wait for the daemon ({WAIT_S:g}).")
@click.argument("mountpoint", type=click.Path(path_type=Path))
def command(mountpoint: Path, wait_s: float, *, lazy: bool) -> int:
    """Unmount MOUNTPOINT and wait until its daemon has uploaded what was written (bounded by its --drain-timeout)."""
    mountpoint = mounting.resolved(mountpoint)
    state_folder = mounts.state_folder_serving(config.state_home(), mountpoint)
    mounting.unmount(mountpoint, lazy=lazy)
    if state_folder is None or lazy:
        return Exit.OK
    if not mounts.wait_until_released(state_folder, deadline_s=wait_s, on_wait=_progress()):
        raise Refusal(
            Exit.UPLOADS_LEFT, f"{mountpoint} is unmounted, but its daemon still uploads after {wait_s:g} s; it goes on"
        )
    ended = mounts.read_record(state_folder)
    left = ended.uploads_left if ended is not None else None
    if left is None:
        raise Refusal(
            Exit.FAILED, f"the daemon of {mountpoint} was killed; the next mount of it resumes what was written"
        )
    if left:
        raise Refusal(Exit.UPLOADS_LEFT, f"{left} uploads are left; the next mount of {state_folder.name} resumes them")
    return Exit.OK


def _progress() -> Callable[[], None]:
    """Says once, after a moment, what is being waited for."""
    waits = iter(range(1 << 62))

    def on_wait() -> None:
        if next(waits) == round(1 / mounts.POLL_S):
            click.echo("cxfs: uploading what was written…", err=True)

    return on_wait
