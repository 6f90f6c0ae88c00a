"""The way from the loop to a blocking call, as an argument: a thread in the daemon, a plain call in tests.

Under a fake clock that jumps when nobody runs, a task that waits for a thread looks idle and deadlines fire; hence an
argument. One limiter to one kind of work keeps the journal's calls in order.
"""

from __future__ import annotations

import math
import resource
import time
from typing import TYPE_CHECKING, Final, Protocol, TypeVar, TypeVarTuple

import trio

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Offload(Protocol):
    """Calls `work(*args)` somewhere and gives its result; what is under way when cancelled is finished first."""

    async def __call__(self, work: Callable[[*Ts], T], /, *args: *Ts) -> T:
        """The result of `work(*args)`."""
        ...


def to_threads(threads_max: int) -> Offload:
    """Offloading to at most so many threads; one keeps the order of the calls."""
    limiter = trio.CapacityLimiter(threads_max)

    async def offload(work: Callable[[*Ts], T], /, *args: *Ts) -> T:
        return await trio.to_thread.run_sync(work, *args, limiter=limiter)

    return offload


SLOW_S: Final = 0.002
"""A call that took longer was no matter of memory alone: the disk is busy."""

WARY_S: Final = 1.0
"""How long calls go elsewhere after that: a loop that stops for a moment once a second is not noticed."""


def _waits_of_this_thread() -> int:
    return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw


class HereWhileQuick:
    """Calls that mostly take microseconds, such as a small write into the page cache: at once, while that is so.

    A thread costs a small write twice what it takes itself. After a call that waited long they go `elsewhere` for a
    while. None overtakes one that is elsewhere: with one thread there, calls keep their order, those of `slow`
    included. `waits` counts how often this thread has waited: long was also a call during which others had the
    processor, but they would have had it as well while a thread was at work.
    """

    def __init__(
        self,
        elsewhere: Offload,
        *,
        timer: Callable[[], float] = time.perf_counter,
        waits: Callable[[], int] = _waits_of_this_thread,
    ) -> None:
        self._elsewhere = elsewhere
        self._timer = timer
        self._waits = waits
        self._wary_until = -math.inf
        self._under_way = 0

    async def __call__(self, work: Callable[[*Ts], T], /, *args: *Ts) -> T:
        """The result of `work(*args)`."""
        begun, waits = self._timer(), self._waits()
        if begun < self._wary_until or self._under_way:
            return await self.slow(work, *args)
        try:
            return work(*args)
        finally:
            ended = self._timer()
            if ended - begun > SLOW_S and self._waits() > waits:
                self._wary_until = ended + WARY_S

    async def slow(self, work: Callable[[*Ts], T], /, *args: *Ts) -> T:
        """The same of a call that is known to wait for the disk."""
        self._under_way += 1
        try:
            return await self._elsewhere(work, *args)
        finally:
            self._under_way -= 1


async def inline(work: Callable[[*Ts], T], /, *args: *Ts) -> T:
    """Calls at once, after giving others their turn as the real way would."""
    await trio.lowlevel.checkpoint()
    return work(*args)


def in_turn() -> Offload:
    """As `inline`, in the order of the calls: what one thread does for the journal."""
    turn = trio.Lock()  # holds the call and its checkpoint together, so that nobody overtakes in between

    async def offload(work: Callable[[*Ts], T], /, *args: *Ts) -> T:
        async with turn:
            return await inline(work, *args)

    return offload
