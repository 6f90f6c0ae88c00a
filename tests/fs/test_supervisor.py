"""Tasks that fail: contained, told of, begun anew where they are to run on; a wish to end is obeyed."""

from __future__ import annotations

import logging
import sqlite3
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import pytest
import trio

from cxfs.core.errors import Unreachable
from cxfs.fs.supervisor import GOOD_S, Supervisor, parted, place_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from trio.testing import MockClock

FAULTS: Final = [
    Unreachable("x"), OSError(28, "x"), sqlite3.DatabaseError("x"), ValueError("x"), KeyError("x"), RecursionError("x"),
    MemoryError(), SystemExit(1), ExceptionGroup("x", [ValueError("x")]), BaseExceptionGroup("x", [SystemExit(1)]),
    trio.BrokenResourceError("x"), AssertionError(),
]  # fmt: skip


@pytest.fixture
async def supervisor() -> AsyncIterator[Supervisor]:
    async with trio.open_nursery() as nursery:
        yield Supervisor(nursery)
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
async def test_a_task_that_fails_begins_anew(
    fault: BaseException, supervisor: Supervisor, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever it was that went wrong; a person is told with the traceback, and whoever asks for the status."""
    runs: list[float] = []

    async def run() -> None:
        runs.append(trio.current_time())
        if len(runs) < 3:
            raise fault
        await trio.sleep_forever()

    supervisor.keep("errands", run)
    await trio.sleep(60)

    began = runs[0]
    assert [at - began for at in runs] == [0, 1, 3]  # after pauses of one second and of two
    assert [(each.task, each.faults, each.kind, each.again_s) for each in supervisor.faults()] == [
        ("errands", 2, type(fault).__name__, None)
    ]
    assert [(record.levelno, record.exc_info is not None) for record in caplog.records] == [(logging.ERROR, True)] * 2
    assert "a bug in the task errands; it begins anew in 1.0 s" in caplog.text


async def test_a_task_that_is_over_is_missed(supervisor: Supervisor, autojump_clock: MockClock) -> None:
    """One that should run on has no end but its cancellation: a silent one would be noticed by nobody."""
    runs: list[float] = []

    async def run() -> None:
        runs.append(trio.current_time())

    supervisor.keep("errands", run)
    await trio.sleep(2)

    assert len(runs) == 2
    [told] = supervisor.faults()
    assert (told.kind, told.faults, told.again_s) == ("EndedByItself", 2, 1.0)


async def test_the_pauses_grow_to_a_minute_and_are_short_again_after_good_times(
    supervisor: Supervisor, autojump_clock: MockClock
) -> None:
    """A task that can never succeed costs next to nothing, and one that rarely fails is back at once."""
    runs: list[float] = []

    async def run() -> None:
        runs.append(trio.current_time())
        await trio.sleep(GOOD_S if len(runs) == 10 else 0)
        raise ValueError

    supervisor.keep("errands", run)
    await trio.sleep(600)

    pauses = [later - earlier for earlier, later in pairwise(runs)]
    assert pauses[:9] == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert pauses[9:11] == [GOOD_S + 1, 2]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
async def test_a_task_for_once_harms_nobody_else(
    fault: BaseException, supervisor: Supervisor, autojump_clock: MockClock
) -> None:
    """The nursery is that of the whole mount."""
    others: list[str] = []

    async def fails(_argument: int) -> None:
        raise fault

    async def goes_on() -> None:
        await trio.sleep(1)
        others.append("done")

    supervisor.start_soon(goes_on)
    supervisor.start_soon(fails, 1)
    await trio.sleep(10)

    assert others == ["done"]
    [told] = supervisor.faults()
    assert told.task.endswith("fails")
    assert (told.kind, told.faults, told.again_s, told.ago_s) == (type(fault).__name__, 1, None, 10)


async def test_the_status_says_where_and_never_what(supervisor: Supervisor, autojump_clock: MockClock) -> None:
    """The text of an error may hold a URL, and a URL holds the token."""

    async def fails() -> None:
        raise ValueError("access_token=s3cr3t")

    supervisor.start_soon(fails)
    await trio.sleep(1)

    [told] = supervisor.faults()
    assert "s3cr3t" not in repr(told)
    assert told.place.startswith("test_supervisor.py:")


async def test_the_end_of_the_mount_ends_its_tasks(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    """Also one that fails just then, and one that pauses."""

    async def fails_at_the_end() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise ValueError("too late")

    async def fails_inside() -> None:
        async with trio.open_nursery() as inner:
            inner.start_soon(fails_at_the_end)
            inner.start_soon(trio.sleep_forever)

    async def fails() -> None:
        raise ValueError

    async with trio.open_nursery() as nursery:
        supervisor = Supervisor(nursery)
        for each in (fails, fails_inside, trio.sleep_forever):
            supervisor.keep(each.__name__, each)
        await trio.sleep(0.5)
        nursery.cancel_scope.cancel()

    assert "too late" in caplog.text


def test_an_error_is_parted_into_a_wish_and_a_fault() -> None:
    """Either may be missing."""
    wish, fault = KeyboardInterrupt(), ValueError()

    both = parted(BaseExceptionGroup("x", [wish, fault]))

    assert parted(wish) == (wish, None)
    assert parted(fault) == (None, fault)
    assert [each.exceptions for each in both if isinstance(each, BaseExceptionGroup)] == [(wish,), (fault,)]


def test_what_was_raised_nowhere_has_no_place() -> None:
    """Nor has what is a mere value."""
    assert place_of(None) == ""
    assert place_of(ValueError()) == ""
