"""Reads what of a file the system has in memory, without waiting for a disk. Knows no version and no block."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cxfs.core.ranges import ByteRange

ROOM_BYTES: Final = 1 << 20
"""The longest read that the kernel asks for."""


class Pages:
    """One buffer for all reads: fresh memory for each would cost as much as the reading."""

    def __init__(self) -> None:
        self._room = memoryview(bytearray(ROOM_BYTES))

    def read(self, descriptor: int, wanted: ByteRange) -> memoryview | None:
        """The bytes, good until the next call; None where a disk had to be waited for, or the file is shorter."""
        if wanted.length > ROOM_BYTES:
            return None
        room = self._room[: wanted.length]
        try:
            count = os.preadv(descriptor, [room], wanted.start, os.RWF_NOWAIT)
        except BlockingIOError:
            return None
        except OSError:  # a file system that cannot tell, such as one in memory
            count = os.preadv(descriptor, [room], wanted.start)
        return room if count == wanted.length else None
