"""A loop that stands still is seen from beside, and what holds it is named."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
import trio
import trio.lowlevel

from cxfs.upkeep.stalls import LINES_S, LoopWatch, watched
from tests.mounting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable


class Hands:
    """A clock that stands where it is put."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def culprit(until: Callable[[], bool]) -> None:
    """Blocks the loop, as a call that should have gone to a thread."""
    wait_until(until)


async def test_what_blocks_the_loop_is_named_while_it_does(caplog: pytest.LogCaptureFixture) -> None:
    """With the stack, in one line: afterwards nobody could tell."""
    with watched(LoopWatch(blocked_s=0.05), look_s=0.01) as watch:
        await trio.lowlevel.checkpoint()
        culprit(lambda: watch.statistics().stalls > 0)
        await trio.lowlevel.checkpoint()

    [line] = [record.message for record in caplog.records]
    assert "\n" not in line
    assert "upkeep/test_stalls.py" in line
    assert " culprit < " in line
    assert threading.active_count() == len(threading.enumerate())
    assert "loop watch" not in [thread.name for thread in threading.enumerate()]


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def watch(hands: Hands) -> LoopWatch:
    return LoopWatch(clock=hands)


def blocked(watch: LoopWatch, hands: Hands, seconds: float) -> None:
    """The loop is at work for so long, and is looked at twice meanwhile; then it waits for events again."""
    watch.after_io_wait(0)
    hands.now += seconds
    watch.look()
    watch.look()
    watch.before_io_wait(0)
    hands.now += 0.01


def test_a_loop_at_work_is_not_blocked(watch: LoopWatch, hands: Hands, caplog: pytest.LogCaptureFixture) -> None:
    """Up to a quarter of a second; nor is one that waits for events, however long."""
    blocked(watch, hands, 0.24)
    hands.now += 100
    watch.look()

    assert watch.statistics().stalls == 0
    assert caplog.records == []


def test_a_long_block_is_told_once(watch: LoopWatch, hands: Hands, caplog: pytest.LogCaptureFixture) -> None:
    """However often it is looked at."""
    blocked(watch, hands, 3)

    assert watch.statistics().stalls == 1
    assert [record.message for record in caplog.records if "nothing is served for 3.00 s already" in record.message]


def test_many_blocks_fill_no_log(watch: LoopWatch, hands: Hands, caplog: pytest.LogCaptureFixture) -> None:
    """A line says how many there were since the one before."""
    for _ in range(10):
        blocked(watch, hands, 0.5)
    hands.now += LINES_S
    blocked(watch, hands, 0.5)

    assert watch.statistics().stalls == 11
    assert len(caplog.records) == 2
    assert caplog.records[1].message.endswith("(9 more since the last line)")


def test_a_block_that_ends_at_the_look_is_not_told_of(watch: LoopWatch, caplog: pytest.LogCaptureFixture) -> None:
    """The stack would be that of whoever came next."""

    class Ending(Hands):
        """The loop goes on in the very moment in which the time is read."""

        def __call__(self) -> float:
            watch._busy_since = self.now + 1
            return self.now + 1

    watch.after_io_wait(0)
    watch._clock = Ending()
    watch.look()

    assert caplog.records == []
