"""Where a mount differs from a local folder, as docs/semantics.md has it: the local side keeps these rules too.

Each is done by the local system first, so that what it refuses is refused as it does; then it is as in a mount.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from tests.differential.descriptors import Descriptors
from tests.differential.performer import Performer
from tests.differential.steps import Step

if TYPE_CHECKING:
    from collections.abc import Iterator

KEEPS_ATTRIBUTES: Final = False
"""Whether the server keeps modes, links and times of any precision, so that they outlive a remount."""


class LawfulDescriptors(Descriptors):
    """Of a file that says nothing of its holes, and cannot be told to have any."""

    def seek(self, step: Step) -> int:
        """SEEK_DATA and SEEK_HOLE say of every file that all of it is data."""
        if step.flags[0] not in {"SEEK_DATA", "SEEK_HOLE"}:
            return super().seek(step)
        descriptor, size = self._open_file(step)
        os.lseek(descriptor, 0, os.SEEK_CUR)  # as a check
        if step.at >= size:
            raise OSError(errno.ENXIO, "seek")
        return os.lseek(descriptor, size if step.flags[0] == "SEEK_HOLE" else step.at, os.SEEK_SET)

    def ftruncate(self, step: Step) -> None:
        """Truncating a file to the size that it has changes nothing, its time included."""
        before = os.fstat(self.chosen(step.slot))
        super().ftruncate(step)
        if before.st_size == step.size:
            _dated(self.chosen(step.slot), before)

    def fallocate(self, step: Step) -> None:
        """fallocate fails with EOPNOTSUPP."""
        before = os.fstat(self.chosen(step.slot))
        super().fallocate(replace(step, flags=("FALLOC_FL_KEEP_SIZE",)))
        _dated(self.chosen(step.slot), before)
        raise OSError(errno.EOPNOTSUPP, "fallocate")


class Lawful(Performer):
    """In a local folder, by the rules of a mount."""

    def descriptors(self) -> Descriptors:
        return LawfulDescriptors()

    def _open(self, step: Step) -> None:
        """O_TMPFILE fails with EOPNOTSUPP; O_DIRECT makes no difference, and not every local folder knows it."""
        super()._open(replace(step, flags=tuple(flag for flag in step.flags if flag != "O_DIRECT")))
        newest = self._descriptors.chosen(-1)
        if "O_DIRECT" in step.flags and "O_PATH" not in step.flags and stat.S_ISDIR(os.fstat(newest).st_mode):
            self._descriptors.close(Step("close", slot=-1))
            raise OSError(errno.EINVAL, "O_DIRECT")
        if fcntl.fcntl(newest, fcntl.F_GETFL) & os.O_TMPFILE == os.O_TMPFILE:
            self._descriptors.close(Step("close", slot=-1))
            raise OSError(errno.EOPNOTSUPP, "O_TMPFILE")

    def _link(self, step: Step) -> None:
        """Hard links fail with EPERM."""
        with _untouched(self.at(step.to)):
            super()._link(step)
            os.unlink(self.at(step.to))
        raise OSError(errno.EPERM, "link")

    def _symlink(self, step: Step) -> None:
        """Symbolic links fail with EPERM, where the server does not keep them."""
        if KEEPS_ATTRIBUTES:
            super()._symlink(step)
            return
        with _untouched(self.at(step.path)):
            super()._symlink(step)
            os.unlink(self.at(step.path))
        raise OSError(errno.EPERM, "symlink")

    def _settle(self, step: Step) -> None:
        """There is no server."""

    def remounted(self) -> None:
        """chmod holds for this mount's life, where the server does not keep it."""
        if not KEEPS_ATTRIBUTES:
            for path in self._top.rglob("*"):
                path.chmod(0o755 if path.is_dir() else 0o644)


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
