"""When things are due: a queue, the pause of a sick server, and bursts that are taken in before they are sent."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from cxfs.core.errors import RateLimited, Unreachable
from cxfs.fs.due import BURST_S_MAX, Burst, DueQueue, ServerPause, start_when_due
from cxfs.fs.uploader import SETTLE_S

if TYPE_CHECKING:
    from trio.testing import MockClock

    from tests.fs.cloud import Wire
    from tests.fs.desk import Mounts


class Refused(Exception):
    """What a start fails with."""


class Thing:
    """Something to send."""

    due = math.inf


async def test_a_thing_planned_twice_is_due_once(clock: MockClock) -> None:
    """By its last plan: a file that is closed again settles again."""
    queue: DueQueue[Thing] = DueQueue()
    thing, later = Thing(), Thing()
    queue.plan(thing, 1)
    queue.plan(thing, 3)
    queue.plan(later, 4)

    taken = [(await queue.next(), trio.current_time()) for _ in range(2)]

    start = trio.current_time() - 4
    assert taken == [(thing, start + 3), (later, start + 4)]


class Wakes(trio.abc.Instrument):
    """Counts how often a task of this name gets its turn."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.count = 0

    def task_scheduled(self, task: trio.lowlevel.Task) -> None:
        """Trio says so."""
        self.count += task.name == self._name


async def test_who_waits_is_not_woken_for_what_is_due_later(clock: MockClock, nursery: trio.Nursery) -> None:
    """A program that unpacks an archive plans thousands of files, none of which changes when to look again."""
    queue: DueQueue[Thing] = DueQueue()
    queue.plan(Thing(), 1)
    nursery.start_soon(queue.next, name="the one who waits")
    await wait_all_tasks_blocked()
    wakes = Wakes("the one who waits")
    trio.lowlevel.add_instrument(wakes)

    for _ in range(10):
        queue.plan(Thing(), 2)
        await wait_all_tasks_blocked()

    assert wakes.count == 0


async def test_who_waits_is_woken_for_what_is_due_sooner(clock: MockClock, nursery: trio.Nursery) -> None:
    """Somebody waits for it."""
    queue: DueQueue[Thing] = DueQueue()
    later, sooner, taken = Thing(), Thing(), []

    async def take() -> None:
        taken.append(await queue.next())

    queue.plan(later, 60)
    nursery.start_soon(take)
    await wait_all_tasks_blocked()
    queue.plan(sooner, 1)
    await trio.sleep(2)

    assert taken == [sooner]


async def test_a_sick_server_has_a_pause_that_grows(clock: MockClock) -> None:
    """For all that waits together."""
    pause = ServerPause(lambda: 0.5)
    pauses = []
    for _ in range(3):
        await trio.sleep_until(pause.until)
        pause.failed("a", Unreachable("away"), began=trio.current_time())
        pauses.append(pause.until - trio.current_time())

    assert pauses == pytest.approx([0.25, 0.5, 1.0])


async def test_what_was_under_way_together_fails_together(clock: MockClock) -> None:
    """A connection that breaks under two hundred files is one failure, as is the one beside it a moment later."""
    pause = ServerPause(lambda: 0.5)
    began = trio.current_time()
    for _ in range(3):
        await trio.sleep(0.01)
        for _ in range(200):
            pause.failed("a", Unreachable("away"), began=began)

    assert pause.until - trio.current_time() == pytest.approx(0.25)
    assert pause.failures == 600


async def test_a_server_that_names_its_pause_is_obeyed(clock: MockClock) -> None:
    """It knows best."""
    pause = ServerPause(lambda: 0.0)

    pause.failed("a", RateLimited("later", retry_after_s=30), began=trio.current_time())

    assert pause.until == pytest.approx(trio.current_time() + 30)


async def test_a_burst_holds_up_until_it_is_quiet(clock: MockClock) -> None:
    """The program that is at it is done sooner."""
    burst = Burst(quiet_s=1)
    for _ in range(3):
        burst.goes_on()
        await trio.sleep(0.5)

    assert burst.until == pytest.approx(trio.current_time() + 0.5)


async def test_a_burst_does_not_hold_up_for_ever(clock: MockClock) -> None:
    """A long copy is sent while it goes on."""
    burst = Burst(quiet_s=1)
    began = trio.current_time()
    for _ in range(100):
        burst.goes_on()
        await trio.sleep(0.1)

    assert burst.until == pytest.approx(began + BURST_S_MAX)


async def test_a_burst_that_somebody_waits_for_ends(clock: MockClock) -> None:
    """And does not begin again with the next thing that comes."""
    burst = Burst(quiet_s=1)
    burst.goes_on()

    burst.end()
    burst.goes_on()

    assert burst.until < trio.current_time()


@pytest.mark.parametrize(
    ("capabilities", "uploads"),
    [(None, ["POST bundle/put"]), (frozenset[str](), ["POST data/self:"] * 8)],
    ids=["together", "one by one"],
)
async def test_a_tree_is_taken_in_before_it_is_sent(
    mounts: Mounts, wire: Wire, capabilities: frozenset[str] | None, uploads: list[str], clock: MockClock
) -> None:
    """No upload begins while a program makes one file after the other, and then all go at once."""
    async with mounts(capabilities=capabilities) as desk:
        await desk.names()
        wire.requests.clear()
        for number in range(8):
            await desk.writes(f"{number}", b"content")
            await desk.waits(SETTLE_S / 2)
        during = len(wire.requests)

        await desk.waits(1)

    made = [request for request in wire.requests if request.startswith("POST")]
    assert (during, [request[: len(uploads[0])] for request in made]) == (0, uploads)


# ---------------------------------------------------------------- handing over


async def test_what_fails_to_start_is_there_for_the_next_run_with_its_slot(clock: MockClock) -> None:
    """Else a few bugs would have used up all the slots, and nothing would ever be sent again."""
    queue: DueQueue[Thing] = DueQueue()
    slots = trio.Semaphore(1)
    thing, started = Thing(), []
    queue.plan(thing, 0)

    def start(due: Thing) -> bool:
        started.append(due)
        if len(started) < 3:
            raise Refused
        return True

    for _ in range(2):
        with pytest.raises(Refused), trio.fail_after(1):
            await start_when_due(queue, slots, start)
    with trio.move_on_after(1):
        await start_when_due(queue, slots, start)

    assert started == [thing] * 3
    assert slots.value == 0  # the one that was started has it


async def test_a_run_that_is_cancelled_while_it_waits_gives_its_slot_back(clock: MockClock) -> None:
    """The next run needs it."""
    queue: DueQueue[Thing] = DueQueue()
    slots = trio.Semaphore(1)

    with trio.move_on_after(1):
        await start_when_due(queue, slots, lambda _: True)

    assert slots.value == 1


async def test_what_must_not_start_gives_its_slot_to_the_next(clock: MockClock) -> None:
    """It was taken back meanwhile."""
    queue: DueQueue[Thing] = DueQueue()
    slots = trio.Semaphore(1)
    refused, taken = Thing(), Thing()
    queue.plan(refused, 0)
    queue.plan(taken, 1)

    with trio.move_on_after(5):
        await start_when_due(queue, slots, lambda thing: thing is taken)

    assert slots.value == 0
