"""Calls that wait while the machine goes to sleep: a process that waits for a mount cannot be frozen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from cxfs.fuse.pause import PAUSED_S, Pause

if TYPE_CHECKING:
    from trio.testing import MockClock


async def waits(pause: Pause, seconds: float) -> float:
    """How long a call waits that is never answered."""
    began = trio.current_time()
    with pytest.raises(trio.TooSlowError), pause.fail_after(seconds):
        await trio.sleep_forever()
    return trio.current_time() - began


async def test_without_a_pause_a_call_waits_until_its_deadline(autojump_clock: MockClock) -> None:
    """As ever."""
    assert await waits(Pause(), 10) == 10


async def test_calls_that_wait_when_a_pause_begins_are_answered_at_once(autojump_clock: MockClock) -> None:
    """All of them."""
    pause, waited = Pause(), []

    async def call() -> None:
        waited.append(await waits(pause, 60))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(call)
        nursery.start_soon(call)
        await trio.sleep(3)
        pause.begin()

    assert waited == [3, 3]


async def test_calls_that_come_in_a_pause_wait_hardly(autojump_clock: MockClock) -> None:
    """Long enough for this machine's disk, too short for the network; and as long as ever when it is over."""
    pause = Pause()
    pause.begin()
    during = await waits(pause, 10)
    pause.end()

    assert during == PAUSED_S
    assert await waits(pause, 10) == 10


async def test_a_call_that_is_over_is_not_cut_short(autojump_clock: MockClock) -> None:
    """Its task may wait for something else by then."""
    pause = Pause()
    with pause.fail_after(10):
        await trio.sleep(1)

    pause.begin()

    await trio.sleep(20)
    assert not pause._waiting
