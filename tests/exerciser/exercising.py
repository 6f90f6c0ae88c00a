"""Operations done to a file through the system, each beside its shadow. What differs first is the end of a run.

What no program in a mount can do (another daemon, an emptied cache) is left to `beside`.
"""

from __future__ import annotations

import mmap
import os
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from tests.exerciser.operations import Kind, Operation, Shadow, content_after
from tests.shortening import shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

TAIL_MAX: Final = 4_096
"""Operations: of a longer way to a difference only the end is looked at."""


@dataclass(frozen=True)
class Difference:
    """What an operation found instead of what was written."""

    number: int
    operation: Operation
    what: str


class OpenFile:
    """The file, its descriptor, and the map that is kept of it."""

    def __init__(self, path: Path, beside: Callable[[str], None]) -> None:
        self._paths = [path, path.with_name(f"{path.name}-renamed")]
        self._beside = beside
        self._held: mmap.mmap | None = None
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)

    @property
    def _path(self) -> Path:
        return self._paths[0]

    def close(self) -> None:
        """And no map of it is left."""
        if self._held is not None:
            self._held.close()
            self._held = None
        os.close(self._descriptor)

    def remove(self) -> None:
        """It is closed, and gone."""
        self.close()
        self._path.unlink()

    def fill(self, content: bytes) -> None:
        """A beginning of a run."""
        os.pwrite(self._descriptor, content, 0)

    def after(self, operation: Operation) -> bytes | None:
        """What it reads, None where it reads nothing."""
        found: bytes | None = getattr(self, f"_{operation.kind.name.lower()}")(operation)
        return found

    # ------------------------------------------------------------ descriptors

    def _read(self, operation: Operation) -> bytes:
        return os.pread(self._descriptor, operation.size, operation.at)

    def _write(self, operation: Operation) -> None:
        _all_of(os.pwrite(self._descriptor, operation.content, operation.at), operation)

    def _append(self, operation: Operation) -> None:
        other = os.open(self._path, os.O_WRONLY | os.O_APPEND)
        try:
            _all_of(os.write(other, operation.content), operation)
        finally:
            os.close(other)

    def _direct_read(self, operation: Operation) -> bytes:
        other = os.open(self._path, os.O_RDONLY | os.O_DIRECT)
        try:
            return os.pread(other, operation.size, operation.at)
        finally:
            os.close(other)

    def _direct_write(self, operation: Operation) -> None:
        other = os.open(self._path, os.O_WRONLY | os.O_DIRECT)
        try:
            _all_of(os.pwrite(other, operation.content, operation.at), operation)
        finally:
            os.close(other)

    def _truncate(self, operation: Operation) -> None:
        if operation.number % 2:
            os.truncate(self._path, operation.at)
        else:
            os.ftruncate(self._descriptor, operation.at)

    def _copy(self, operation: Operation) -> None:
        if operation.size:
            os.copy_file_range(self._descriptor, self._descriptor, operation.size, operation.at, operation.to)

    def _whole(self, operation: Operation) -> bytes:
        content = self._path.read_bytes()
        size = os.fstat(self._descriptor).st_size
        return content if size == len(content) else b"of another size than it says"

    def _reopen(self, operation: Operation) -> bytes:
        """A map stays, as it does for any program."""
        os.close(self._descriptor)
        self._descriptor = os.open(self._path, os.O_RDWR)
        return self._whole(operation)

    def _rename(self, operation: Operation) -> None:
        self._path.rename(self._paths[1])
        self._paths.reverse()

    def _fsync(self, operation: Operation) -> None:
        os.fsync(self._descriptor)

    def _forget(self, operation: Operation) -> None:
        os.fsync(self._descriptor)  # only clean pages go
        os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_DONTNEED)

    # ------------------------------------------------------------ maps

    def _map_read(self, operation: Operation) -> bytes:
        with self._mapped(operation.at + operation.size) as pages:
            return pages[operation.at :]

    def _map_write(self, operation: Operation) -> None:
        with self._mapped(operation.at + operation.size) as pages:
            pages[operation.at :] = operation.content
            if operation.number % 2:
                pages.flush()

    def _private_write(self, operation: Operation) -> bytes:
        with mmap.mmap(self._descriptor, operation.at + operation.size, access=mmap.ACCESS_COPY) as pages:
            pages[operation.at :] = operation.content
            return pages[operation.at :]

    def _mapped(self, size: int) -> mmap.mmap:
        return mmap.mmap(self._descriptor, size)

    def _hold(self, operation: Operation) -> None:
        if self._held is not None:
            self._held.close()
        size = os.fstat(self._descriptor).st_size
        self._held = self._mapped(size) if size else None

    def _held_read(self, operation: Operation) -> bytes:
        assert self._held is not None
        return self._held[operation.at : operation.at + operation.size]

    def _held_write(self, operation: Operation) -> None:
        assert self._held is not None
        self._held[operation.at : operation.at + operation.size] = operation.content

    # ------------------------------------------------------------ beside the program

    def _settle(self, operation: Operation) -> None:
        os.setxattr(self._path, "user.cx.sync", b"now")

    def _evict(self, operation: Operation) -> None:
        self._beside(operation.kind)

    def _remount(self, operation: Operation) -> bytes:
        self.close()
        self._beside(operation.kind)
        self._descriptor = os.open(self._path, os.O_RDWR)
        return self._whole(operation)


def difference(
    operations: Iterable[Operation], shadow: Shadow, path: Path, beside: Callable[[str], None]
) -> Difference | None:
    """Between a file at `path` and its shadow, where they differ first. The file is gone afterwards."""
    file = OpenFile(path, beside)
    try:
        file.fill(bytes(shadow.content))
        for number, operation in enumerate(operations, 1):
            expected = shadow.after(operation)
            try:
                found = file.after(operation)
            except OSError as error:
                return Difference(number, operation, f"fails with {error}")
            if found != expected:
                return Difference(number, operation, _told(expected, found))
    finally:
        file.remove()
    return None


def shortest(
    done: Sequence[Operation], path: Path, beside: Callable[[str], None]
) -> tuple[bytes, list[Operation]] | None:
    """What a file holds at first, and the fewest operations found that lead to a difference; None where none do again.

    It begins with the last ones of those done, and leaves out what is not needed.
    """
    length = 1
    while length <= min(TAIL_MAX, len(done)):
        length = min(2 * length, len(done))
        begun, tail = content_after(done[:-length]), list(done[-length:])
        if _differs(begun, tail, path, beside):
            return begun, shortened(tail, partial(_differs, begun, path=path, beside=beside))
        if length == len(done):
            return None
    return None


def _makes_sense(begun: bytes, operations: Sequence[Operation]) -> bool:
    """No map is used where none is, or past its end, which would end the program."""
    shadow = Shadow(begun)
    for operation in operations:
        end = operation.at + operation.size
        if "map" in operation.kind or operation.kind is Kind.PRIVATE_WRITE:
            if end > len(shadow.content):
                return False
        elif "held" in operation.kind and end > min(shadow.held, len(shadow.content)):
            return False
        shadow.after(operation)
    return True


def _differs(begun: bytes, operations: Sequence[Operation], path: Path, beside: Callable[[str], None]) -> bool:
    makes_sense = _makes_sense(begun, operations)
    return makes_sense and difference(operations, Shadow(begun), path, beside) is not None


def _all_of(written: int, operation: Operation) -> None:
    assert written == operation.size, f"{written} bytes were taken of {operation}"


def _told(expected: bytes | None, found: bytes | None) -> str:
    if expected is None or found is None:
        return f"{found!r} instead of {expected!r}"
    if len(expected) != len(found):
        return f"{len(found)} bytes instead of {len(expected)}"
    places = [at for at, (one, other) in enumerate(zip(expected, found, strict=True)) if one != other]
    zeros = sum(1 for at in places if not found[at])
    return f"{len(places)} bytes differ, the first at {places[0]}, the last at {places[-1]}; {zeros} of them are zeros"
