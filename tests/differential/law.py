"""Where a mount differs from a local folder, as docs/semantics.md has it: the local side keeps these rules too.

Each is done by the local system first, so that what it refuses is refused as it does; then it is as in a mount.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from tests.differential.descriptors import Descriptors
from tests.differential.performer import Performer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.differential.steps import Step

NO_HARD_LINKS: Final = "Hard links fail with EPERM: CX has one name for an object."
NO_UNNAMED_FILES: Final = "O_TMPFILE fails with EOPNOTSUPP, after which programs make a file with a name."
NOTHING_IS_RESERVED: Final = (
    "fallocate fails with EOPNOTSUPP, after which posix_fallocate writes what it would have reserved."
)
HOLES_ARE_DATA: Final = "SEEK_DATA and SEEK_HOLE say of every file that it is data up to its end, its holes included."
SAME_SIZE_CHANGES_NOTHING: Final = "Truncating a file to the size that it has changes nothing, its time included."
"""Sentences of docs/semantics.md, word for word."""


class LawfulDescriptors(Descriptors):
    """Of a file that says nothing of its holes, and cannot be told to have any. `ruled` counts what a rule changed."""

    def __init__(self, ruled: Counter[str]) -> None:
        super().__init__()
        self._ruled = ruled

    def seek(self, step: Step) -> int:
        """By HOLES_ARE_DATA."""
        if step.flags[0] not in {"SEEK_DATA", "SEEK_HOLE"}:
            return super().seek(step)
        descriptor, size = self._open_file(step)
        os.lseek(descriptor, 0, os.SEEK_CUR)  # as a check
        if step.at >= size:
            raise OSError(errno.ENXIO, "seek")
        found = size if step.flags[0] == "SEEK_HOLE" else step.at
        self._ruled[HOLES_ARE_DATA] += found != _sought(lambda: super(LawfulDescriptors, self).seek(step))
        return os.lseek(descriptor, found, os.SEEK_SET)

    def ftruncate(self, step: Step) -> None:
        """By SAME_SIZE_CHANGES_NOTHING."""
        descriptor = self.chosen(step.slot)
        before = os.fstat(descriptor)
        super().ftruncate(step)
        if before.st_size == step.size:
            self._ruled[SAME_SIZE_CHANGES_NOTHING] += before.st_mtime_ns != os.fstat(descriptor).st_mtime_ns
            _dated(descriptor, before)

    def fallocate(self, step: Step) -> None:
        """By NOTHING_IS_RESERVED."""
        before = os.fstat(self.chosen(step.slot))
        super().fallocate(replace(step, flags=("FALLOC_FL_KEEP_SIZE",)))
        _dated(self.chosen(step.slot), before)
        self._ruled[NOTHING_IS_RESERVED] += 1
        raise OSError(errno.EOPNOTSUPP, "fallocate")


class Lawful(Performer):
    """In a local folder, by the rules of a mount. `ruled` is how often each of them changed what came of a step."""

    def __init__(self, top: Path) -> None:
        self.ruled: Counter[str] = Counter()
        super().__init__(top)

    def descriptors(self) -> Descriptors:
        return LawfulDescriptors(self.ruled)

    def opened(self, step: Step) -> int:
        """By NO_UNNAMED_FILES. O_DIRECT makes no difference, and not every local folder knows it."""
        flags = tuple(flag for flag in step.flags if flag != "O_DIRECT")
        descriptor = super().opened(replace(step, flags=flags))
        if flags != step.flags and "O_PATH" not in flags and stat.S_ISDIR(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "O_DIRECT")
        if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_TMPFILE == os.O_TMPFILE:
            os.close(descriptor)
            self.ruled[NO_UNNAMED_FILES] += 1
            raise OSError(errno.EOPNOTSUPP, "O_TMPFILE")
        return descriptor

    def _link(self, step: Step) -> None:
        """By NO_HARD_LINKS."""
        with _untouched(self.at(step.to)):
            super()._link(step)
            os.unlink(self.at(step.to))
        self.ruled[NO_HARD_LINKS] += 1
        raise OSError(errno.EPERM, "link")

    def _settle(self, step: Step) -> None:
        """There is no server."""

    def counts(self) -> dict[str, int]:
        """`ruled`, since it was last asked for."""
        ruled = dict(self.ruled)
        self.ruled.clear()
        return ruled


def _sought(seek: Callable[[], int]) -> int | None:
    try:
        return seek()
    except OSError:
        return None


@contextmanager
def _untouched(path: str) -> Iterator[None]:
    """The folder of the path has the time that it had."""
    folder = os.path.dirname(path)
    before = os.stat(folder) if os.path.isdir(folder) else None
    yield
    if before is not None:
        _dated(folder, before)


def _dated(what: str | int, before: os.stat_result) -> None:
    """It has the time that it had."""
    os.utime(what, ns=(before.st_atime_ns, before.st_mtime_ns))
