"""How uploads are watched: a bar on a terminal, a line now and then elsewhere, nothing where quiet is asked for."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TYPE_CHECKING, Final

import click

from cxfs.cli import tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.progress import Progress, TaskID

    from cxfs.fs.waiting import Remaining

LINES_S: Final = 5.0
"""Between two lines, where no bar can be drawn."""

WHAT: Final = "uploading"


class UploadBar:
    """A bar over what is left: it grows with what is added. Draws nothing before it is first told something."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None
        self._total_bytes = self._left_bytes = 0

    def tell(self, *, files: int, left_bytes: int, deletions: int = 0, trouble: str | None = None) -> None:
        """What is left at this moment."""
        if self._task is None:
            self._task = self._progress.add_task(WHAT, total=None, so_far="")
            self._progress.start()
        self._total_bytes += max(0, left_bytes - self._left_bytes)
        self._left_bytes = left_bytes
        self._progress.update(
            self._task,
            total=self._total_bytes or None,
            completed=self._total_bytes - left_bytes,
            so_far=left_in_words(files, left_bytes, deletions),
            description=WHAT if trouble is None else f"{WHAT} (waiting: {tables.printable(trouble)[:60]})",
        )


class UploadLines:
    """The same as lines on stderr, the first one only after a while: what is quick is not talked about."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._due = clock() + LINES_S

    def tell(self, *, files: int, left_bytes: int, deletions: int = 0, trouble: str | None = None) -> None:
        """What is left at this moment."""
        if self._clock() >= self._due:
            self._due = self._clock() + LINES_S
            waiting = f"; waiting: {tables.printable(trouble)}" if trouble else ""
            click.echo(f"cxfs: {WHAT}: {left_in_words(files, left_bytes, deletions)}{waiting}", err=True)


class Silence:
    """The same without a word."""

    def tell(self, *, files: int, left_bytes: int, deletions: int = 0, trouble: str | None = None) -> None:
        """What is left at this moment."""


@contextlib.contextmanager
def watching(*, quiet: bool = False) -> Iterator[UploadBar | UploadLines | Silence]:
    """Whichever fits, for the block."""
    if quiet:
        yield Silence()
    elif sys.stderr.isatty():
        progress = tables.bar()
        try:
            yield UploadBar(progress)
        finally:
            with contextlib.suppress(OSError):  # the terminal was closed meanwhile
                progress.stop()
    else:
        yield UploadLines()


@contextlib.contextmanager
def draining() -> Iterator[Callable[[Remaining], None] | None]:
    """For a daemon in a terminal: what to tell while it drains. None elsewhere, where its log says it."""
    if not sys.stderr.isatty():
        yield None
        return
    with watching() as watch:
        yield lambda left: watch.tell(
            files=left.files, left_bytes=left.bytes, deletions=left.deletions, trouble=left.trouble
        )


def left_in_words(files: int, left_bytes: int, deletions: int) -> str:
    """`3 files, 1.5 MiB, 2 deletions left`."""
    counts = [f"{files} file{'' if files == 1 else 's'}, {tables.size(left_bytes)}"] if files or not deletions else []
    counts += [f"{deletions} deletion{'' if deletions == 1 else 's'}"] if deletions else []
    return f"{', '.join(counts)} left"
