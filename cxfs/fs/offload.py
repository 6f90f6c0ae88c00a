"""The way from the loop to a blocking call, as an argument: a thread in the daemon, a plain call in tests.

Under a fake clock that jumps when nobody runs, a task that waits for a thread looks idle and deadlines fire; hence an
argument. One limiter to one kind of work keeps the journal's calls in order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar, TypeVarTuple

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
