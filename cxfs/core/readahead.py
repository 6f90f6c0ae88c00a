"""How far to fetch ahead of a reader. Pure arithmetic on ranges: no request, no clock, no memory of content.

A reader that goes straight on, forwards or backwards, gets a window that doubles with each step, so that a program that
reads a whole file soon has several ranges in flight, and one that looks at the first bytes costs one small request. One
that goes on in equal steps gets its next steps, as many. A jump closes the window. One that jumps about gets the blocks
it asks for; when it goes on doing so, what the line brings in the time that each of its reads waits anyway.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from cxfs.core.ranges import ByteRange

BLOCK_BYTES: Final = 128 << 10
"""Fetches are whole blocks: the size in which the kernel asks for pages when it reads ahead."""

PIECE_BYTES: Final = 4 << 20
"""One request brings at most this; a larger window travels as several requests in parallel."""

LARGE_PIECE_BYTES: Final = 8 << 20
"""Of a window that a long line makes large: there each request leaves its connection idle for a round trip."""

LARGE_STRETCH_BYTES: Final = 24 << 20

LARGE_WINDOW_BYTES: Final = 64 << 20
"""From here on a window is filled up when a quarter of it has been used, not a half: that is several requests still."""

WINDOW_BYTES: Final = 16 << 20
"""The most that is fetched ahead of one reader on a short line: four pieces in flight."""

SLACK_BYTES: Final = 1 << 20
"""The kernel's own read-ahead arrives slightly out of order; within this distance a read still goes straight on."""

STEPS_BACK: Final = 2
"""In a row, before a reader is believed to go backwards: the kernel swaps two requests easily, hardly ever three."""

EQUAL_STEPS: Final = 2
"""Times that a jump repeats itself, before the next one is foreseen."""

STEPS_AHEAD_MAX: Final = 32
"""Of a reader in equal steps: each is a request."""

JUMPS: Final = 8
"""Jumps to what is not here before a reader is believed to want all of the file."""


class Line(NamedTuple):
    """What a reader may use: what the line carries in one round trip, and the most that may be ahead of one reader.

    `under_way_bytes` are on it already, for whomever.
    """

    carried_bytes: int
    ahead_bytes_max: int
    under_way_bytes: int = 0

    @property
    def window_bytes(self) -> int:
        """As much as keeps the line full while the reader uses up one half."""
        return min(self.ahead_bytes_max, max(WINDOW_BYTES, 2 * self.carried_bytes))


class Plan(NamedTuple):
    """`need`: fetch before answering. `want`: fetch meanwhile, `for_good`: wherever the reader goes next.

    `leaves`: what was wanted before, and not for good, is wanted no longer.
    """

    need: ByteRange
    want: tuple[ByteRange, ...] = ()
    leaves: bool = False
    for_good: bool = False


def piece_bytes(stretch_bytes: int) -> int:
    """The largest request for a part of such a stretch. Cut at its multiples, equal stretches are cut alike."""
    return PIECE_BYTES if stretch_bytes < LARGE_STRETCH_BYTES else LARGE_PIECE_BYTES


class ReadAhead:
    """The window of one reader of one file of `size` bytes."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._last: ByteRange | None = None
        self._run = ByteRange(0, 0)  # what was read without a jump
        self._ahead = ByteRange(0, 0)  # and what of the file is planned around it
        self._window_bytes = 0
        self._steps_back = 0
        self._jump = 0
        self._equal_jumps = 0
        self._steps_ahead = 0
        self._jumps = 0

    @property
    def is_open(self) -> bool:
        """Whether something is fetched ahead of this reader."""
        return self._window_bytes > 0 or self._steps_ahead > 0

    def on_read(self, asked: ByteRange, line: Line, *, is_here: bool) -> Plan:
        """What to fetch for a read of `asked`, which lies within the file; `is_here`: it needs no fetching."""
        need = asked.aligned(BLOCK_BYTES, self._size)
        last, self._last = self._last, asked
        if last is None:
            self._begin(asked, need)
            return Plan(need)
        if self._is_near(asked):
            return Plan(need, self._go_on(asked, need, line))
        was_open = self._window_bytes > 0
        self._begin(asked, need)
        want = self._steps(asked, asked.start - last.start, line)
        if self._steps_ahead:
            return Plan(need, want, leaves=was_open)
        return Plan(need, self._around(need, line, is_here=is_here), leaves=was_open, for_good=True)

    def _is_near(self, asked: ByteRange) -> bool:
        goes_back = self._window_bytes == 0 or self._steps_back >= STEPS_BACK
        return abs(asked.start - self._run.stop) <= SLACK_BYTES or (
            goes_back and abs(asked.stop - self._run.start) <= SLACK_BYTES
        )

    def _begin(self, asked: ByteRange, need: ByteRange) -> None:
        self._run, self._ahead = asked, need
        self._window_bytes = self._steps_back = 0

    # ------------------------------------------------------------ straight on

    def _go_on(self, asked: ByteRange, need: ByteRange, line: Line) -> tuple[ByteRange, ...]:
        forwards, backwards = asked.stop > self._run.stop, asked.start < self._run.start
        self._run = ByteRange(min(self._run.start, asked.start), max(self._run.stop, asked.stop))
        self._ahead = ByteRange(min(self._ahead.start, need.start), max(self._ahead.stop, need.stop))
        if forwards:
            self._steps_back = 0
        elif backwards:
            self._steps_back += 1
        if not forwards and (not backwards or self._steps_back < STEPS_BACK):
            return ()  # the same bytes once more, or swapped, are no sign of what comes next
        if self._run.length > SLACK_BYTES:  # less is what one that jumps about reads at one place
            self._jumps = self._equal_jumps = self._steps_ahead = 0
        self._window_bytes = min(line.window_bytes, max(2 * BLOCK_BYTES, 2 * self._window_bytes))
        stretch = self._forwards() if forwards else self._backwards()
        return (stretch,) if stretch.length else ()

    @property
    def _refill_bytes(self) -> int:
        return self._window_bytes // (4 if self._window_bytes >= LARGE_WINDOW_BYTES else 2)

    def _forwards(self) -> ByteRange:
        """The next stretch, once enough of the window has been used up: few large requests, not many small."""
        begin = self._ahead.stop
        stop = min(self._size, self._run.stop + self._window_bytes)
        if stop - begin < min(self._refill_bytes, self._size - begin):
            return ByteRange(begin, begin)
        end = max(begin, min(self._size, _cut(stop, stop - begin) if stop < self._size else stop))
        self._ahead = ByteRange(self._ahead.start, end)
        return ByteRange(begin, end)

    def _backwards(self) -> ByteRange:
        """The same before the reader."""
        end = self._ahead.start
        start = max(0, self._run.start - self._window_bytes)
        if end - start < min(self._refill_bytes, end):
            return ByteRange(end, end)
        start = min(end, -_cut(-start, end - start))
        self._ahead = ByteRange(start, self._ahead.stop)
        return ByteRange(start, end)

    # ------------------------------------------------------------ by jumps

    def _steps(self, asked: ByteRange, jump: int, line: Line) -> tuple[ByteRange, ...]:
        """The next steps of a reader whose jumps are equal, those that were not wanted before."""
        if jump != self._jump:
            self._jump, self._equal_jumps, self._steps_ahead = jump, 0, 0
            return ()
        self._equal_jumps += 1
        if self._equal_jumps < EQUAL_STEPS:
            return ()
        before = max(0, self._steps_ahead - 1)
        most = min(STEPS_AHEAD_MAX, line.window_bytes // max(asked.length, BLOCK_BYTES))
        self._steps_ahead = max(1, min(most, 2 * max(1, self._steps_ahead)))
        nexts = [
            ByteRange(asked.start + each * jump, asked.stop + each * jump)
            for each in range(before + 1, self._steps_ahead + 1)
        ]
        return tuple(
            each.aligned(BLOCK_BYTES, self._size) for each in nexts if 0 <= each.start < each.stop <= self._size
        )

    def _around(self, need: ByteRange, line: Line, *, is_here: bool) -> tuple[ByteRange, ...]:
        """What comes along with a block for a reader that jumps about: what stands around it, on a grid."""
        if is_here:
            return ()
        self._jumps += 1
        doublings = 2 * min(max(0, self._jumps - JUMPS), 10)
        room = 2 * line.carried_bytes - line.under_way_bytes  # the next read waits for a round trip of it at most
        extent = min(line.carried_bytes, room, line.ahead_bytes_max, BLOCK_BYTES << doublings)
        if extent < 2 * BLOCK_BYTES:
            return ()
        extent = 1 << (extent - 1).bit_length()  # so that what is brought fits together
        start = need.start // extent * extent
        parts = (ByteRange(need.stop, min(self._size, start + extent)), ByteRange(start, need.start))
        return tuple(part for part in parts if part.start < part.stop)


def _cut(end: int, stretch_bytes: int) -> int:
    """Where a stretch that goes to `end` had better end: after whole requests if it has any, else after a block."""
    piece = piece_bytes(stretch_bytes)
    return end // piece * piece if stretch_bytes > piece else -(-end // BLOCK_BYTES) * BLOCK_BYTES
