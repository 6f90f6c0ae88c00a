"""`cxfs umount`: ends a mount and waits until what was written there has reached the server."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

import click

from cxfs import config, mounts
from cxfs.cli import arguments, bars, which
from cxfs.cli.exits import Exit, Refusal
from cxfs.cli.words import PLACE, SECONDS
from cxfs.control.client import ControlClient, ControlRefused, ControlUnavailable
from cxfs.core.errors import CxfsError
from cxfs.fuse import mounting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

WAIT_S: Final = 600.0
"""The daemon itself stops waiting after its --drain-timeout; this only bounds our patience with a hanging one."""

ANSWER_S: Final = 5.0
"""For a daemon to say how far it is, before we only wait for its end."""

ASK_EVERY: Final = 4
"""Looks at the lock for one question about the progress."""


@click.command("umount", short_help="Unmount, and wait until everything is uploaded.")
@click.option("-l", "--lazy", is_flag=True, help="Detach now, though programs still use it, and do not wait.")
@click.option("--wait", "wait_s", type=SECONDS, default=WAIT_S, help=f"How long to wait for the daemon ({WAIT_S:g}).")
@click.option("--dead", "only_dead", is_flag=True, help="Only clear what a daemon that died left; else do nothing.")
@click.option("-q", "--quiet", is_flag=True, help="No bar and no lines but errors.")
@arguments.profile_option
@click.argument("mountpoint", type=PLACE, required=False)
def command(
    profile_name: str | None, mountpoint: Path | None, wait_s: float, *, lazy: bool, only_dead: bool, quiet: bool
) -> int:
    """Unmount MOUNTPOINT and wait until its daemon has uploaded what was written (bounded by its --drain-timeout).

    Without MOUNTPOINT it is the mount of the profile, or the only one that there is.
    Ctrl-C ends only the waiting: the daemon goes on. Of a mount that was unmounted otherwise, and still uploads, this
    shows the progress. A mount whose daemon died is cleared; a unit's ExecStopPost= does that with --dead, which leaves
    any other alone and succeeds.
    """
    mountpoint = mounting.resolved(mountpoint) if mountpoint is not None else _mountpoint_of(profile_name)
    state_folder = mounts.state_folder_serving(mountpoint, *config.state_homes())
    is_cleared = state_folder is None and mounting.clear_dead(mountpoint)  # one that is served is not even looked at
    if is_cleared or only_dead:
        return Exit.OK
    record = None if state_folder is None else mounts.read_record(state_folder)
    if record is None or not record.draining or mounting.mounted_at(mountpoint) is not None:
        mounting.unmount(mountpoint, lazy=lazy)
    if state_folder is None or lazy:
        return Exit.OK
    with _progress(record, quiet=quiet) as on_wait:
        is_over = mounts.wait_until_released(state_folder, deadline_s=wait_s, on_wait=on_wait)
    if not is_over:
        raise Refusal(
            Exit.UPLOADS_LEFT, f"{mountpoint} is unmounted, but its daemon still uploads after {wait_s:g} s; it goes on"
        )
    return _ending(state_folder, mountpoint)


def _mountpoint_of(profile_name: str | None) -> Path:
    """Where the profile's last daemon mounted it, running or not."""
    mount, _ = which.chosen((), profile_name)
    if mount.record is None:
        raise which.NoSuchMount(f"{mount.profile} is not mounted")
    return mount.record.mountpoint


def _ending(state_folder: Path, mountpoint: Path) -> Exit:
    ended = mounts.read_record(state_folder)
    left = ended.left if ended is not None else None
    if left is None:
        raise Refusal(
            Exit.FAILED, f"the daemon of {mountpoint} was killed; the next mount of it resumes what was written"
        )
    if left.count:
        raise Refusal(Exit.UPLOADS_LEFT, f"{left}; the next mount of {state_folder.name} resumes them")
    return Exit.OK


@contextlib.contextmanager
def _progress(record: mounts.MountRecord | None, *, quiet: bool) -> Iterator[Callable[[], None]]:
    """What to do at each look at the lock: ask the daemon how far it is, as long as it answers, and show it."""
    with contextlib.ExitStack() as stack:
        watch = stack.enter_context(bars.watching(quiet=quiet))
        control: ControlClient | None = None
        if record is not None and record.control is not None:
            with contextlib.suppress(CxfsError):
                control = stack.enter_context(ControlClient(record.control, silence_s=ANSWER_S))
        looks = 0

        def on_wait() -> None:
            nonlocal control, looks
            looks += 1
            if control is None or looks % ASK_EVERY != 1:
                return
            try:
                left = control.ask("status")["remaining"]
            except (ControlUnavailable, ControlRefused):
                control = None  # it ends, or is of another version: its end is waited for all the same
                return
            watch.tell(
                files=left["files"], left_bytes=left["bytes"], deletions=left["deletions"], trouble=left["trouble"]
            )

        yield on_wait
