"""Half-open byte ranges and sets of them: the one place that may say `+ 1`. No file, no buffer, no request."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class ByteRange(NamedTuple):
    """The bytes from `start` up to, not including, `stop`. Empty when they are equal."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        """Bytes in it."""
        return self.stop - self.start

    def clipped(self, within: ByteRange) -> ByteRange:
        """The part inside `within`; empty (at its near edge) when they do not meet."""
        start = min(max(self.start, within.start), within.stop)
        return ByteRange(start, max(start, min(self.stop, within.stop)))

    def meets(self, other: ByteRange) -> bool:
        """Whether they have a byte in common."""
        return max(self.start, other.start) < min(self.stop, other.stop)

    def aligned(self, block_bytes: int, size: int) -> ByteRange:
        """Widened to whole blocks, the last of which ends at `size`."""
        start = self.start // block_bytes * block_bytes
        stop = -(-self.stop // block_bytes) * block_bytes
        return ByteRange(start, max(start, min(stop, size)))

    def pieces(self, piece_bytes: int) -> Iterator[ByteRange]:
        """Cut at multiples of `piece_bytes` of the file, so that equal requests cut alike."""
        start = self.start
        while start < self.stop:
            stop = min(self.stop, (start // piece_bytes + 1) * piece_bytes)
            yield ByteRange(start, stop)
            start = stop

    @property
    def in_header(self) -> str:
        """For the Range header, whose last byte is inclusive (RFC 9110, 14.1.2)."""
        return f"bytes={self.start}-{self.stop - 1}"

    @classmethod
    def from_inclusive(cls, first: int, last: int) -> ByteRange:
        """From a Content-Range header."""
        return cls(first, last + 1)


class RangeSet:
    """Which bytes of a file are there: sorted, disjoint ranges that never touch."""

    __slots__ = ("_starts", "_stops")

    def __init__(self, ranges: Iterable[ByteRange] = ()) -> None:
        self._starts: list[int] = []
        self._stops: list[int] = []
        for each in ranges:
            self.add(each)

    def __iter__(self) -> Iterator[ByteRange]:
        return map(ByteRange, self._starts, self._stops)

    def __len__(self) -> int:
        return len(self._starts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RangeSet) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __repr__(self) -> str:
        return f"RangeSet({list(self)})"

    @property
    def length(self) -> int:
        """Bytes in all of them."""
        return sum(self._stops) - sum(self._starts)

    def add(self, added: ByteRange) -> None:
        """Joins what overlaps or touches."""
        if added.start >= added.stop:
            return
        low = bisect_left(self._stops, added.start)
        high = bisect_right(self._starts, added.stop)
        if low < high:
            added = ByteRange(min(added.start, self._starts[low]), max(added.stop, self._stops[high - 1]))
        self._starts[low:high] = [added.start]
        self._stops[low:high] = [added.stop]

    def remove(self, removed: ByteRange) -> None:
        """Cuts it out, splitting what surrounds it."""
        if removed.start >= removed.stop:
            return
        low = bisect_right(self._stops, removed.start)
        high = bisect_left(self._starts, removed.stop)
        left = [ByteRange(self._starts[low], removed.start)] if low < high and self._starts[low] < removed.start else []
        right = (
            [ByteRange(removed.stop, self._stops[high - 1])]
            if low < high and removed.stop < self._stops[high - 1]
            else []
        )
        self._starts[low:high] = [kept.start for kept in left + right]
        self._stops[low:high] = [kept.stop for kept in left + right]

    def covers(self, wanted: ByteRange) -> bool:
        """Whether every byte of it is there. An empty range always is."""
        if wanted.start >= wanted.stop:
            return True
        at = bisect_right(self._starts, wanted.start) - 1
        return at >= 0 and wanted.stop <= self._stops[at]

    def within(self, wanted: ByteRange) -> list[ByteRange]:
        """The parts of `wanted` that are there, in order."""
        parts: list[ByteRange] = []
        for index in range(bisect_right(self._stops, wanted.start), len(self._starts)):
            if self._starts[index] >= wanted.stop:
                break
            parts.append(ByteRange(self._starts[index], self._stops[index]).clipped(wanted))
        return parts

    def missing(self, wanted: ByteRange) -> list[ByteRange]:
        """The parts of `wanted` that are not there, in order."""
        gaps: list[ByteRange] = []
        at = wanted.start
        for index in range(bisect_right(self._stops, wanted.start), len(self._starts)):
            if self._starts[index] >= wanted.stop:
                break
            if self._starts[index] > at:
                gaps.append(ByteRange(at, self._starts[index]))
            at = self._stops[index]
        if at < wanted.stop:
            gaps.append(ByteRange(at, wanted.stop))
        return gaps
