"""One draft: the local content of a file that the server does not have yet. Reads and writes bytes; journals nothing.

A draft of an existing file starts as a sparse file over its base version: bytes of the base are brought in when a
program reads them, or before the draft is sent. Which bytes are there is a RangeSet; a byte that was written is never
overwritten by one of the base.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from cxfs.core.errors import DiskFull, TooLarge
from cxfs.core.ranges import ByteRange, RangeSet

PIECE_BYTES: Final = 1 << 20
"""One read of content to send."""


class Draft:
    """An open draft file. `size` is its length in bytes; below `base_bytes` whatever is not `held` is still the base's."""

    def __init__(self, file: Path, *, size: int, base_bytes: int, held: RangeSet, create: bool) -> None:
        self.file = file
        self.size = size
        self.base_bytes = base_bytes
        self.held = held
        flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT | os.O_EXCL if create else 0)
        self._descriptor = os.open(file, flags, 0o600)
        if create and size:
            os.ftruncate(self._descriptor, size)

    def read(self, wanted: ByteRange) -> bytes:
        """The bytes of `wanted`, which must lie within the file and be there (see `missing`)."""
        return os.pread(self._descriptor, wanted.length, wanted.start)

    def write(self, offset: int, content: bytes | memoryview) -> None:
        """All of `content` at `offset`; the file grows as needed. Raises DiskFull when this machine takes no more."""
        written = 0
        while written < len(content):
            try:
                written += os.pwrite(self._descriptor, memoryview(content)[written:], offset + written)
            except OSError as error:
                raise DiskFull(f"the draft cannot grow: {error.strerror}") from error
        stop = offset + len(content)
        self.held.add(ByteRange(offset, stop))
        self.size = max(self.size, stop)

    def truncate(self, size: int) -> None:
        """Cuts or extends with zeros; what was cut off does not come back."""
        try:
            os.ftruncate(self._descriptor, size)
        except OSError as error:
            raise TooLarge(f"the draft cannot have {size} bytes: {error.strerror}") from error
        if size < self.size:
            self.held.remove(ByteRange(size, self.size))
        self.base_bytes = min(self.base_bytes, size)
        self.size = size

    def missing(self, wanted: ByteRange) -> list[ByteRange]:
        """The parts of `wanted` that must still be brought in from the base."""
        return self.held.missing(wanted.clipped(ByteRange(0, self.base_bytes)))

    def fill(self, offset: int, content: bytes) -> None:
        """Bytes of the base, put only where nothing was written meanwhile."""
        for gap in self.missing(ByteRange(offset, offset + len(content))):
            os.pwrite(self._descriptor, content[gap.start - offset : gap.stop - offset], gap.start)
            self.held.add(gap)

    def make_durable(self) -> None:
        """On stable storage when this returns, the file's name included."""
        os.fdatasync(self._descriptor)
        folder = os.open(self.file.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def close(self) -> None:
        """Lets go of the file; it stays on disk."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
