"""Programs that wait for an answer, on a clock that jumps."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
import trio

from cxfs.core.errors import CxfsError, Interrupted, Offline
from cxfs.fuse.callers import CALLERS_MAX, READERS_MAX, Callers, leaving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from trio.testing import MockClock


class Machine:
    """Threads that are to end, a connection, and how often anybody looked."""

    def __init__(self) -> None:
        self.leaving: set[int] = set()
        self.is_offline = False
        self.looks: list[int] = []

    def is_leaving(self, pid: int) -> bool:
        self.looks.append(pid)
        return pid in self.leaving


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
async def callers(machine: Machine) -> AsyncIterator[Callers]:
    """Looked after."""
    found = Callers(is_offline=lambda: machine.is_offline, is_leaving=machine.is_leaving)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(found.run)
        yield found
        nursery.cancel_scope.cancel()


class Call:
    """One call that is never answered but by its end: how it failed, and after how many seconds."""

    def __init__(self, callers: Callers, deadline_s: float = 60.0, pid: int = 7, **kind: bool) -> None:
        self.ended: tuple[str, float] | None = None
        self._waits = callers.waiting(deadline_s, pid, **kind)

    async def run(self) -> None:
        began = trio.current_time()
        try:
            with self._waits:
                await trio.sleep_forever()
        except (CxfsError, trio.TooSlowError) as error:
            self.ended = type(error).__name__, trio.current_time() - began


async def test_a_call_ends_at_its_deadline(callers: Callers, autojump_clock: MockClock) -> None:
    """Whoever asks, and whatever for."""
    call = Call(callers, 10.0)

    await call.run()

    assert call.ended == ("TooSlowError", 10)


async def test_a_program_that_is_to_end_is_freed_within_two_seconds(
    callers: Callers, machine: Machine, autojump_clock: MockClock
) -> None:
    """And nobody else."""
    freed, other = Call(callers, pid=7), Call(callers, pid=8)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(freed.run)
        nursery.start_soon(other.run)
        await trio.sleep(5)
        machine.leaving.add(7)
        await trio.sleep(2)
        nursery.cancel_scope.cancel()

    assert freed.ended is not None
    assert freed.ended[0] == Interrupted.__name__
    assert other.ended is None


async def test_a_program_that_was_to_end_before_it_asked_is_freed_as_well(
    callers: Callers, machine: Machine, autojump_clock: MockClock
) -> None:
    """It closes its files on its way out."""
    machine.leaving.add(7)
    call = Call(callers)

    await call.run()

    assert call.ended is not None
    assert call.ended[1] <= 2


async def test_calls_that_are_answered_quickly_are_not_looked_at(
    callers: Callers, machine: Machine, autojump_clock: MockClock
) -> None:
    """A look costs more than most answers."""
    for _ in range(20):
        with callers.waiting(10.0, 7):
            await trio.sleep(0.4)

    assert machine.looks == []


async def test_one_look_does_for_all_calls_of_a_thread(
    callers: Callers, machine: Machine, autojump_clock: MockClock
) -> None:
    """A reader has several reads ahead under way; of whom nothing is known nobody looks for."""
    async with trio.open_nursery() as nursery:
        for pid in (7, 7, 7, 0):
            nursery.start_soon(Call(callers, pid=pid).run)
        await trio.sleep(1.2)
        nursery.cancel_scope.cancel()

    assert machine.looks == [7]


async def test_the_error_of_the_block_is_its_own(callers: Callers, autojump_clock: MockClock) -> None:
    """What the server said reaches the program."""
    with pytest.raises(Offline, match="no route"), callers.waiting(10.0, 7):
        raise Offline("no route")


@pytest.mark.parametrize(("many", "kind"), [(READERS_MAX, {"is_read": True}), (CALLERS_MAX, {})])
@pytest.mark.parametrize("answer", ["Offline", None])
async def test_when_too_many_wait_for_a_server_that_is_not_there_all_are_answered(
    callers: Callers, machine: Machine, many: int, kind: dict[str, bool], answer: str | None, autojump_clock: MockClock
) -> None:
    """They would keep others from what is cached. While the server is there, and while there is room, they wait on."""
    machine.is_offline = answer is not None
    calls = [Call(callers, asks=True, **kind) for _ in range(many)]
    last, written = Call(callers, asks=True, **kind), Call(callers)
    async with trio.open_nursery() as nursery:
        for call in (*calls, written):
            nursery.start_soon(call.run)
        await trio.sleep(5)
        before = {call.ended for call in calls}
        nursery.start_soon(last.run)
        await trio.sleep(5)
        after = {call.ended and call.ended[0] for call in (*calls, last)}
        nursery.cancel_scope.cancel()

    assert before == {None}
    assert after == {answer}
    assert written.ended is None


def test_a_thread_of_which_nothing_can_be_known_is_left_in_peace(tmp_path: Path) -> None:
    """Another user's on a machine that hides them, or one that is gone: another program may read what it opened."""
    assert not leaving(7, proc=tmp_path)


def test_a_living_thread_is_not_to_end() -> None:
    """What the kernel really says."""
    assert not leaving(os.getpid())
