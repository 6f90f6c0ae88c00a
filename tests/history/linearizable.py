"""Whether what programs saw can be put in one order: each call at one moment between its start and its end.

The search of Wing and Gong: whatever may come first is tried as the first, then the rest, until an order explains every
result; which calls are over and what the names hold then is tried only once (Lowe's pruning). A call that failed may
have happened at any time since, or never. What another client wrote comes to be seen here at any moment after it began;
it may be seen again after a change of ours that hid it went aside as a conflict. Does no I/O.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from tests.history.operations import Held, Kind, Operation, Result, after

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TRIED_MAX: Final = 1_000_000
"""Orders begun: past that nothing is proved, and that is said."""


class Undecided(AssertionError):
    """No order was found, and not all were tried."""


def unexplained(operations: Sequence[Operation], held: Held = ()) -> Operation | None:
    """None, where an order explains all of it, from what the names `held` at first; else the call that none reaches.

    Raises Undecided.
    """
    search = _Search(operations)
    return search.run(held)


class _Search:
    def __init__(self, operations: Sequence[Operation]) -> None:
        told = [each for each in operations if not (each.kind is Kind.READ and each.result is Result.UNKNOWN)]
        self._ours = sorted((each for each in told if each.is_ours), key=lambda each: (each.start, each.end))
        self._theirs = [each for each in told if not each.is_ours and each.kind is not Kind.READ]
        self._musts = [place for place, each in enumerate(self._ours) if each.over_by < math.inf]
        self._furthest = 0

    def run(self, held: Held) -> Operation | None:
        """Depth first; the calls that are over are the bits of a number."""
        everything = sum(1 << place for place in self._musts)
        seen = {(0, held)}
        ways = [self._next(0, held)]
        if not everything:
            return None
        while ways:
            step = next(ways[-1], None)
            if step is None:
                ways.pop()
                continue
            if step in seen:
                continue
            done, now = step
            if done & everything == everything:
                return None
            if len(seen) >= TRIED_MAX:
                raise Undecided(f"{TRIED_MAX} orders explain nothing past {self._ours[self._furthest]}")
            seen.add(step)
            ways.append(self._next(done, now))
        return self._ours[self._furthest]

    def _next(self, done: int, held: Held) -> Iterator[tuple[int, Held]]:
        """What may come first of what is left: certain calls before those that may never have happened."""
        first, perhaps = self._candidates(done)
        for place in (*first, *perhaps):
            now = after(held, self._ours[place])
            if now is not None:
                yield done | 1 << place, now
        latest = min((self._ours[place].over_by for place in first), default=math.inf)
        for each in self._theirs:
            if each.start <= latest and (now := after(held, each)) is not None:
                yield done, now

    def _candidates(self, done: int) -> tuple[list[int], list[int]]:
        """Calls that began before the first of the others was over."""
        first, perhaps, latest = [], [], math.inf
        for place, each in enumerate(self._ours):
            if done >> place & 1:
                continue
            if each.start > latest:
                break
            latest = min(latest, each.over_by)
            (first if each.over_by < math.inf else perhaps).append(place)
        if first:
            self._furthest = max(self._furthest, first[0])
        return first, perhaps
