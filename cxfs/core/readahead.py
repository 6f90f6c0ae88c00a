"""How far to fetch ahead of a reader. Pure arithmetic on ranges: no request, no clock, no memory of content.

A reader that goes straight on gets a window that doubles with each step, so that a program that reads a whole file soon
has several ranges in flight, and one that looks at the first bytes costs one small request. A jump closes the window.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from cxfs.core.ranges import ByteRange

BLOCK_BYTES: Final = 128 << 10
"""Fetches are whole blocks: the size in which the kernel asks for pages when it reads ahead."""

PIECE_BYTES_MAX: Final = 4 << 20
"""One request brings at most this; a larger window travels as several requests in parallel."""

WINDOW_BYTES_MAX: Final = 16 << 20
"""The most that is fetched ahead of one reader: four pieces in flight."""

SLACK_BYTES: Final = 1 << 20
"""The kernel's own read-ahead arrives slightly out of order; within this distance a read still goes straight on."""


class Plan(NamedTuple):
    """`need`: fetch before answering. `want`: fetch meanwhile. Either may be empty."""

    need: ByteRange
    want: ByteRange


class ReadAhead:
    """The window of one reader of one file of `size` bytes."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._reached = 0
        self._ahead_to = 0
        self._window_bytes = 0

    def on_read(self, asked: ByteRange) -> Plan:
        """What to fetch for a read of `asked`, which lies within the file."""
        need = asked.aligned(BLOCK_BYTES, self._size)
        if abs(asked.start - self._reached) > SLACK_BYTES:
            self._reached, self._ahead_to, self._window_bytes = asked.stop, need.stop, 0
            return Plan(need, ByteRange(need.stop, need.stop))
        is_first, goes_on = self._ahead_to == 0, asked.stop > self._reached
        self._reached = max(self._reached, asked.stop)
        self._ahead_to = max(self._ahead_to, need.stop)
        if is_first or not goes_on:  # the same bytes once more are no sign of what comes next
            return Plan(need, ByteRange(need.stop, need.stop))
        self._window_bytes = min(WINDOW_BYTES_MAX, max(2 * BLOCK_BYTES, 2 * self._window_bytes))
        return Plan(need, self._ahead())

    def _ahead(self) -> ByteRange:
        """The next stretch, once at least half of the window has been used up: few large requests, not many small."""
        begin = self._ahead_to
        stop = min(self._size, self._reached + self._window_bytes)
        if stop - begin < min(self._window_bytes // 2, self._size - begin):
            return ByteRange(begin, begin)
        end = min(self._size, -(-stop // BLOCK_BYTES) * BLOCK_BYTES)
        self._ahead_to = max(begin, end)
        return ByteRange(begin, self._ahead_to)
