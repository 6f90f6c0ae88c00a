"""One version on its way in: which of its bytes are under way, for whom, and who waits for them. Asks nobody."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import trio

from cxfs.core.ranges import ByteRange, RangeSet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cxfs.core.entries import Entry
    from cxfs.core.errors import CxfsError
    from cxfs.local.blocks import BlockFile


class Flight:
    """One fetch of a stretch of a version. `reach` grows when the server sends more than was asked.

    It goes on while somebody waits for it or one of `ahead_of` may come to want it; `for_good`: in any case.
    """

    def __init__(self, reach: ByteRange, ahead_of: object | None, *, for_good: bool) -> None:
        self.reach = reach
        self.left_bytes = reach.length
        self.ahead_of = set() if ahead_of is None else {ahead_of}
        self.for_good = for_good
        self.waiting = 0
        self.scope = trio.CancelScope()
        self.error: CxfsError | None = None


class Version:
    """One version being read: its block file, its flights, and whom to wake when bytes land."""

    def __init__(self, entry: Entry, blocks: BlockFile) -> None:
        self.entry = entry
        self.blocks = blocks
        self.flights: list[Flight] = []
        self.landing = trio.lowlevel.ParkingLot()
        self.etag: str | None = None
        self.streams = 0
        self.reading = 0
        self.unread = RangeSet()
        """What came ahead of a reader and none has read yet."""

    def uncovered(self, wanted: ByteRange) -> list[ByteRange]:
        """What of `wanted` is neither here nor on its way."""
        gaps = self.blocks.held.missing(wanted)
        for flight in self.flights:
            gaps = [part for gap in gaps for part in _without(gap, flight.reach)]
        return gaps

    def bringing(self, wanted: ByteRange) -> list[Flight]:
        """The flights that bring some of it."""
        return [flight for flight in self.flights if _meet(flight.reach, wanted)]

    def abandon(self, stream: object) -> None:
        """What was on its way for this one alone, and nobody waits for, comes no more."""
        for flight in self.flights:
            if stream in flight.ahead_of:
                flight.ahead_of.discard(stream)
                if not flight.ahead_of and not flight.waiting and not flight.for_good:
                    flight.scope.cancel()

    def cancel(self) -> None:
        """Nothing comes any more."""
        for flight in self.flights:
            flight.scope.cancel()


@contextmanager
def waiting_for(flights: list[Flight]) -> Iterator[None]:
    """They are not abandoned meanwhile."""
    for flight in flights:
        flight.waiting += 1
    try:
        yield
    finally:
        for flight in flights:
            flight.waiting -= 1


def _without(gap: ByteRange, taken: ByteRange) -> list[ByteRange]:
    parts = [ByteRange(gap.start, min(gap.stop, taken.start)), ByteRange(max(gap.start, taken.stop), gap.stop)]
    return [part for part in parts if part.start < part.stop]


def _meet(one: ByteRange, other: ByteRange) -> bool:
    return one.start < other.stop and other.start < one.stop
