"""Until when an attempt at an upload may still take effect."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from cxfs.core.errors import TimedOut, VersionConflict
from cxfs.core.patience import LATE_S
from cxfs.fs.attempts import AllOf, Attempt
from cxfs.remote.failures import Declined

if TYPE_CHECKING:
    from trio.testing import MockClock

    from cxfs.core.errors import CxfsError


def ended(outcome: CxfsError | None, *, is_handed_over: bool = True) -> Attempt:
    """One that has just ended so; None: it was cut short."""
    attempt = Attempt()
    if is_handed_over:
        attempt.handed_over()
    if outcome is not None:
        attempt.answered(outcome)
    attempt.ends()
    return attempt


@pytest.mark.parametrize(
    ("attempt", "is_over"),
    [
        (Attempt.never_made, True),
        (lambda: ended(VersionConflict("no")), True),
        (lambda: ended(Declined("not now")), True),
        (lambda: ended(TimedOut("nothing"), is_handed_over=False), True),
        (lambda: ended(TimedOut("nothing")), False),
        (lambda: ended(None), False),
        (Attempt.of_an_earlier_run, False),
    ],
    ids=["never made", "refused", "declined", "not all out", "no answer", "cut short", "earlier run"],
)
async def test_what_was_handed_over_and_not_answered_may_come_late(
    attempt: type[Attempt], clock: MockClock, *, is_over: bool
) -> None:
    """Nothing else can."""
    made, began = attempt(), trio.current_time()

    assert made.is_set() is is_over
    await made.wait()
    assert made.is_set()
    assert trio.current_time() - began == pytest.approx(0 if is_over else LATE_S)


async def test_one_that_runs_is_not_over_however_long_that_is(clock: MockClock) -> None:
    """Its end is waited for, then as long as it may come late."""
    attempt, began = Attempt(), trio.current_time()
    attempt.handed_over()

    async def ends_later() -> None:
        await trio.sleep(100)
        attempt.ends()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ends_later)
        await attempt.wait()

    assert trio.current_time() - began == pytest.approx(100 + LATE_S)


async def test_the_end_of_several_is_that_of_the_last(clock: MockClock) -> None:
    """What is over already is not looked at again."""
    first, second = ended(None), Attempt()
    second.handed_over()
    both, began = AllOf(Attempt.never_made(), first, second), trio.current_time()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(both.wait)
        await trio.sleep(1)
        second.ends()

    assert both.is_set()
    assert trio.current_time() - began == pytest.approx(1 + LATE_S)
    assert AllOf().is_set()


async def test_a_file_may_be_sent_and_renamed_any_number_of_times(clock: MockClock) -> None:
    """What is waited for does not grow by it."""
    first = ended(None)
    both = AllOf(first)
    for _ in range(5_000):
        both = AllOf(both, AllOf(both, first))

    assert both.open == (first,)
    await both.wait()
    assert AllOf(both).open == ()
