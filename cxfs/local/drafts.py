"""One draft: the local content of a file that the server does not have yet. Reads and writes bytes; journals nothing.

A draft of an existing file starts as a sparse file over its base version: bytes of the base are brought in when a
program reads them, or before the draft is sent. Which bytes are there is a RangeSet; a byte that was written is never
overwritten by one of the base.
"""

from __future__ import annotations

import os
from contextlib import suppress
from threading import Lock, Thread
from typing import TYPE_CHECKING, Final

from cxfs.core.errors import DiskFull, TooLarge
from cxfs.core.ranges import ByteRange, RangeSet

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PIECE_BYTES: Final = 1 << 20
"""One read of content to send."""

NEW_FOLDERS_MAX: Final = 4
"""Of `.local/state/cxfs/PROFILE/drafts`, those that the first mount of an account may make."""

LARGE_BYTES: Final = 8 << 20
"""Closing one that has no name any more gives up what it took: a millisecond or two for this, a quarter of a second for
1 GiB."""

_ACCEPTED: Final = 0o700
_NOT_ACCEPTED: Final = 0o600
"""The permissions say whether a row speaks of the draft: where the journal lost the row, nothing else does."""


def is_accepted(file: Path) -> bool:
    """Whether a row spoke of this draft when it was last heard of."""
    return bool(file.stat().st_mode & _ACCEPTED & ~_NOT_ACCEPTED)


def mark(file: Path | str, *, accepted: bool) -> None:
    """A row is about to speak of the draft, or to speak of it no longer. One that is gone needs no mark."""
    with suppress(FileNotFoundError):
        os.chmod(file, _ACCEPTED if accepted else _NOT_ACCEPTED)  # noqa: PTH101 - a path for each would cost more


def make_names_durable(folder: Path) -> None:
    """What is synced in a folder is lost with the folder's own name, and the one above it: they may all be new."""
    for above in folder.parents[:NEW_FOLDERS_MAX]:
        with suppress(OSError):  # a home that may not be read was there before us
            descriptor = os.open(above, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


class Draft:
    """An open draft file. `size` is its length in bytes; below `base_bytes` whatever is not `held` is still the base's.

    A program's write may run in one thread while another brings in the base: each call here is one step to the others.
    `sync` brings what is behind a descriptor to stable storage.
    """

    def __init__(
        self,
        file: Path,
        *,
        size: int,
        base_bytes: int,
        held: RangeSet,
        create: bool,
        sync: Callable[[int], None] = os.fsync,
    ) -> None:
        self.file = file
        self.size = size
        self.base_bytes = base_bytes
        self.held = held
        self._sync = sync
        self._one_step = Lock()
        flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT | os.O_EXCL if create else 0)
        try:
            self._descriptor = os.open(file, flags, _NOT_ACCEPTED)
        except OSError as error:
            raise DiskFull(f"the draft cannot be opened: {error.strerror}") from error
        if create:
            self.begin(size=size, base_bytes=base_bytes)
        elif os.fstat(self._descriptor).st_size > size:
            self._set_length(size)  # what an earlier run wrote beyond it was not accepted, and is to read as zeros

    def begin(self, *, size: int, base_bytes: int) -> None:
        """A new, empty draft becomes one of `size` bytes, none of which is here yet."""
        if size:
            self._set_length(size)
        self.size, self.base_bytes = size, base_bytes

    def read(self, wanted: ByteRange) -> bytes:
        """The bytes of `wanted`, which must lie within the file and be there (see `missing`)."""
        return os.pread(self._descriptor, wanted.length, wanted.start)

    def write(self, offset: int, content: bytes | memoryview) -> None:
        """All of `content` at `offset`; the file grows as needed.

        Raises DiskFull when this machine takes no more; the part that it took is then part of the file.
        """
        with self._one_step:
            self._put(offset, memoryview(content))

    def _put(self, offset: int, rest: memoryview) -> None:
        while rest:
            try:
                written = os.pwrite(self._descriptor, rest, offset)
            except OSError as error:
                raise DiskFull(f"the draft cannot grow: {error.strerror}") from error
            self.held.add(ByteRange(offset, offset + written))
            offset, rest = offset + written, rest[written:]
            self.size = max(self.size, offset)

    def truncate(self, size: int) -> None:
        """Cuts or extends with zeros; what was cut off does not come back."""
        with self._one_step:
            self._set_length(size)
            if size < self.size:
                self.held.remove(ByteRange(size, self.size))
            self.base_bytes = min(self.base_bytes, size)
            self.size = size

    def missing(self, wanted: ByteRange) -> list[ByteRange]:
        """The parts of `wanted` that must still be brought in from the base."""
        with self._one_step:
            return self._missing(wanted)

    def present(self) -> tuple[ByteRange, ...]:
        """What is held, as the journal writes it down."""
        with self._one_step:
            return tuple(self.held)

    def _missing(self, wanted: ByteRange) -> list[ByteRange]:
        return self.held.missing(wanted.clipped(ByteRange(0, self.base_bytes)))

    def fill(self, offset: int, content: bytes) -> None:
        """Bytes of the base, put only where nothing was written meanwhile."""
        with self._one_step:
            for gap in self._missing(ByteRange(offset, offset + len(content))):
                self._put(gap.start, memoryview(content)[gap.start - offset : gap.stop - offset])

    def make_durable(self) -> None:
        """On stable storage when this returns, the file's name included. Raises DiskFull when the disk refuses.

        One that was closed while this waited for its turn is on the server, or nobody's any more.
        """
        if self._descriptor < 0:
            return
        folder = os.open(self.file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self._sync(self._descriptor)
            self._sync(folder)
        except OSError as error:
            raise DiskFull(f"the draft cannot be made durable: {error.strerror}") from error
        finally:
            os.close(folder)

    def close(self) -> None:
        """Lets go of the file, which stays on disk as long as it has a name. Takes no time, however large it is."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0 and self.size > LARGE_BYTES:
            Thread(target=os.close, args=(descriptor,), daemon=True).start()
        elif descriptor >= 0:
            os.close(descriptor)

    def _set_length(self, size: int) -> None:
        try:
            os.ftruncate(self._descriptor, size)
        except OSError as error:
            raise TooLarge(f"the draft cannot have {size} bytes: {error.strerror}") from error
