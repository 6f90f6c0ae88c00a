"""Whether what programs saw can be put in one order: each call at one moment between its start and its end.

The search of Wing and Gong: whatever may come first is tried as the first, then the rest, until an order explains every
result; which steps are over and what the names hold then is tried only once (Lowe's pruning). A call that opens a file
takes two steps (see `files`). One that failed may have happened at any time since, or never. What another client wrote
comes to be seen here at any moment after it began; it may be seen again after a change of ours that hid it went aside
as a conflict. Does no I/O.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from tests.history.files import Held, Step, after, steps_of
from tests.history.operations import Kind, Operation, Result

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TRIED_MAX: Final = 1_000_000
"""Orders begun: past that nothing is proved, and that is said."""


NEAR: Final = 200
"""Steps ahead in which a value that another client wrote is looked for: some seconds. What nobody reads explains
nothing, and would be tried at every moment."""


class Undecided(AssertionError):
    """No order was found, and not all were tried."""


def unexplained(operations: Sequence[Operation], held: Held = ()) -> Operation | None:
    """None, where an order explains all of it, from what the names `held` at first; else the call that none reaches.

    Raises Undecided.
    """
    try:
        odd = _Search(operations, at_once=True).run(held)
    except Undecided:
        return _Search(operations).run(held)
    return None if odd is None else _Search(operations).run(held)


class _Done(NamedTuple):
    """Which calls are over: all before `first`, and of those from it on the ones whose bit is set."""

    first: int
    bits: int

    def has(self, place: int) -> bool:
        """Whether this one is."""
        return place < self.first or bool(self.bits >> (place - self.first) & 1)

    def and_also(self, place: int) -> _Done:
        """This one too."""
        bits, first = self.bits | 1 << (place - self.first), self.first
        while bits & 1:
            bits, first = bits >> 1, first + 1
        return _Done(first, bits)


class _Search:
    """`at_once`: with each call as one step, which explains nearly all histories, and sooner."""

    def __init__(self, operations: Sequence[Operation], *, at_once: bool = False) -> None:
        told = [each for each in operations if not (each.kind is Kind.READ and each.result is Result.UNKNOWN)]
        ours = sorted((each for each in told if each.is_ours), key=lambda each: (each.start, each.end))
        calls = list(enumerate(ours))
        self._ours = [
            step for number, each in calls for step in ([Step(each, number)] if at_once else steps_of(each, number))
        ]
        theirs = [each for each in told if not each.is_ours and each.kind is not Kind.READ]
        self._theirs = [Step(each, number) for number, each in enumerate(theirs, start=len(ours))]
        self._furthest = 0

    def run(self, held: Held) -> Operation | None:
        """Depth first."""
        begin = (_Done(0, 0), held)
        seen, ways = {begin}, [self._next(*begin)]
        if self._is_all(begin[0]):
            return None
        while ways:
            step = next(ways[-1], None)
            if step is None:
                ways.pop()
                continue
            if step in seen:
                continue
            if self._is_all(step[0]):
                return None
            if len(seen) >= TRIED_MAX:
                raise Undecided(f"{TRIED_MAX} orders explain nothing past {self._ours[self._furthest].call}")
            seen.add(step)
            ways.append(self._next(*step))
        return self._ours[self._furthest].call

    def _is_all(self, done: _Done) -> bool:
        """Whether nothing is left that has certainly happened."""
        return not self._candidates(done)[0]

    def _next(self, done: _Done, held: Held) -> Iterator[tuple[_Done, Held]]:
        """What may come first of what is left: certain calls before those that may never have happened."""
        first, perhaps = self._candidates(done)
        for place in (*first, *perhaps):
            now = after(held, self._ours[place])
            if now is not None:
                yield done.and_also(place), now
        latest = min((self._ours[place].call.over_by for place in first), default=math.inf)
        for each in self._worth_trying(done):
            if each.call.start <= latest and (now := after(held, each)) is not None:
                yield done, now

    def _worth_trying(self, done: _Done) -> Iterator[Step]:
        """Of another client's: those whose value is read soon, and one for each name, so that there is a file."""
        near = range(done.first, min(done.first + NEAR, len(self._ours)))
        read = {self._ours[place].call.value for place in near if not done.has(place)}
        names: set[str] = set()
        for each in self._theirs:
            if each.call.value in read or each.call.name not in names or each.call.kind is Kind.DELETE:
                names.add(each.call.name)
                yield each

    def _candidates(self, done: _Done) -> tuple[list[int], list[int]]:
        """Calls that began before the first of the others was over."""
        first: list[int] = []
        perhaps: list[int] = []
        latest = math.inf
        for place in range(done.first, len(self._ours)):
            each = self._ours[place].call
            if each.start > latest:
                break
            if not done.has(place):
                latest = min(latest, each.over_by)
                (first if each.over_by < math.inf else perhaps).append(place)
        if first:
            self._furthest = max(self._furthest, first[0])
        return first, perhaps
