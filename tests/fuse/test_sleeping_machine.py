"""Calls that wait while the machine goes to sleep: a process that waits for a mount cannot be frozen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from cxfs.fuse.callers import PAUSED_S, Callers

if TYPE_CHECKING:
    from trio.testing import MockClock


async def waits(callers: Callers, seconds: float) -> float:
    """How long a call waits that is never answered."""
    began = trio.current_time()
    with pytest.raises(trio.TooSlowError), callers.waiting(seconds, 0):
        await trio.sleep_forever()
    return trio.current_time() - began


async def test_without_a_pause_a_call_waits_until_its_deadline(autojump_clock: MockClock) -> None:
    """As ever."""
    assert await waits(Callers(), 10) == 10


async def test_calls_that_wait_when_a_pause_begins_are_answered_at_once(autojump_clock: MockClock) -> None:
    """All of them."""
    callers, waited = Callers(), []

    async def call() -> None:
        waited.append(await waits(callers, 60))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(call)
        nursery.start_soon(call)
        await trio.sleep(3)
        callers.pause()

    assert waited == [3, 3]


async def test_calls_that_come_in_a_pause_wait_hardly(autojump_clock: MockClock) -> None:
    """Long enough for this machine's disk, too short for the network; and as long as ever when it is over."""
    callers = Callers()
    callers.pause()
    during = await waits(callers, 10)
    callers.resume()

    assert during == PAUSED_S
    assert await waits(callers, 10) == 10


async def test_a_call_that_is_over_is_not_cut_short(autojump_clock: MockClock) -> None:
    """Its task may wait for something else by then."""
    callers = Callers()
    with callers.waiting(10, 0):
        await trio.sleep(1)

    callers.pause()

    await trio.sleep(20)
    assert not callers._waits
