"""`cxfs sync`: returns when the server has what was written. Sends nothing itself: the mount's daemon does."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any, Final

import click

from cxfs.cli import bars, tables, which
from cxfs.cli.exits import Exit, Refusal
from cxfs.cli.words import PLACE, SECONDS
from cxfs.control.client import Overdue

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


@click.command("sync", short_help="Wait until what was written is at the server.")
@click.option("--all", "everything", is_flag=True, help="All of every mount of yours.")
@click.option("--timeout", "timeout_s", type=SECONDS, help="Give up waiting after so long; the uploads go on.")
@click.option("--json", "as_json", is_flag=True, help="For programs: what became of each place; sizes in bytes.")
@click.option("-q", "--quiet", is_flag=True, help="No bar and no lines but errors.")
@click.argument("paths", nargs=-1, type=PLACE)
def command(paths: tuple[Path, ...], timeout_s: float | None, *, everything: bool, as_json: bool, quiet: bool) -> int:
    """Send PATHs in a mount (files, or folders with all below them) now; return when the server has them.

    Their sizes and checksums agree with the server's then. A file that a program still has open is sent as far as it
    was written. What the server refused, or what went beside another client's change, is named and is a failure.
    """
    if bool(paths) == everything:
        raise click.UsageError("Give paths in a mount, or --all", click.get_current_context())
    places = [(mount, "") for mount in which.running()] if everything else [_place(path) for path in paths]
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    failures, results = _Failures(), []
    with bars.watching(quiet=quiet) as watch:
        for mount, place in places:
            result = _synced(mount, place, deadline, teller(watch))
            failures.add(mount, result)
            results.append({"path": mount.shown(place), **result})
    if as_json:
        click.echo(json.dumps(results, indent=2))
    failures.end()
    return Exit.OK


def _place(path: Path) -> tuple[which.ChosenMount, str]:
    mount, place = which.mount_of(path)
    if mount.is_running and not (mount.record and mount.record.draining):
        os.lstat(path)  # what is not there is said by its name, and not found to be synced
    return mount, place


def _synced(
    mount: which.ChosenMount, place: str, deadline: float | None, tell: Callable[[Mapping[str, Any]], None]
) -> dict[str, Any]:
    left: Mapping[str, Any] = {}

    def note(news: Mapping[str, Any]) -> None:
        nonlocal left
        left = news
        tell(news)

    with mount.connect() as control:
        try:
            timeout_s = None if deadline is None else max(0.0, deadline - time.monotonic())
            return control.ask("sync", path=place, on_progress=note, timeout_s=timeout_s)
        except Overdue:
            counted = bars.left_in_words(
                int(left.get("files_left", 0)), int(left.get("bytes_left", 0)), int(left.get("deletions_left", 0))
            )
            trouble = f" ({tables.printable(str(left['trouble']))})" if left.get("trouble") else ""
            raise Refusal(
                Exit.NOT_SYNCED, f"{mount.shown(place)}: the time is over with {counted}{trouble}; the uploads go on"
            ) from None


def teller(watch: bars.UploadBar | bars.UploadLines | bars.Silence) -> Callable[[Mapping[str, Any]], None]:
    """What to do with the news of a sync."""

    def tell(news: Mapping[str, Any]) -> None:
        watch.tell(
            files=news["files_left"],
            left_bytes=news["bytes_left"],
            deletions=news["deletions_left"],
            trouble=news["trouble"],
        )

    return tell


NAMED_MAX: Final = 20
"""Lines about what did not arrive; `cxfs uploads` has them all."""


class _Failures:
    """What did not get to the server as it is, over all places."""

    def __init__(self) -> None:
        self._files = self._count = self._restless = 0
        self._lines: list[str] = []

    def add(self, mount: which.ChosenMount, result: Mapping[str, Any]) -> None:
        self._files += result["files"]
        self._count += result["failures"]
        self._restless += len(result["restless"])
        for path, reason in result["parked"]:
            self._lines.append(f"{mount.shown(path)}: parked: {reason}")
        for path, copy in result["conflicts"]:
            self._lines.append(f"{mount.shown(path)}: changed on the server as well; yours is at {mount.shown(copy)}")
        for path in result["restless"]:
            self._lines.append(f"{mount.shown(path)}: is being written faster than it can be sent")

    def end(self) -> None:
        """Raises the Refusal that it all comes to."""
        for line in self._lines[:NAMED_MAX]:
            click.echo(f"cxfs: {tables.printable(line)}", err=True)
        if self._count == self._restless > 0:
            raise Refusal(Exit.NOT_SYNCED, f"{self._count} of {self._files} files are not at the server yet")
        if self._count:
            raise Refusal(
                Exit.SET_APART, f"{self._count} of {self._files} files did not arrive as they are; see cxfs uploads"
            )
