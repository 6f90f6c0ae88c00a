"""A machine that goes to sleep: it is held up until all is prepared, no longer than it allows, and told of no more."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
import trio

from cxfs.upkeep.sleep import SleepWatch

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

    from tests.upkeep.conftest import Machine


class Mount:
    """It notes what it is told, and takes its time where a test wants it to."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.may_end = trio.Event()
        self.may_end.set()
        self.seconds = 0.0

    async def prepare(self, seconds: float) -> None:
        self.told.append("prepare")
        self.seconds = seconds
        await self.may_end.wait()
        self.told.append("prepared")

    def resumed(self) -> None:
        self.told.append("resumed")


@pytest.fixture
def mount() -> Mount:
    return Mount()


async def test_the_machine_waits_until_all_is_prepared(logind: Machine, mount: Mount) -> None:
    """And is held up anew for the next time."""
    async with logind(delay_s=5) as machine, trio.open_nursery() as nursery:
        nursery.start_soon(SleepWatch(mount.prepare, mount.resumed).run)
        await machine.is_asked(1)
        mount.may_end = trio.Event()
        await machine.announces(sleep=True)
        await trio.testing.wait_all_tasks_blocked(0.05)
        while_it_prepares = list(mount.told)
        mount.may_end.set()
        await machine.may_sleep()
        asleep = list(mount.told)
        await machine.announces(sleep=False)
        await machine.is_asked(2)
        nursery.cancel_scope.cancel()

    assert machine.asked[0][0] == "sleep"
    assert machine.asked[0][3] == "delay"
    assert while_it_prepares == ["prepare"]
    assert asleep == ["prepare", "prepared"]
    assert mount.told == ["prepare", "prepared", "resumed"]
    assert mount.seconds == 4  # of the five that logind waits


async def test_the_machine_is_held_up_no_longer_than_it_allows(logind: Machine, mount: Mount) -> None:
    """What is not prepared by then stays as it is."""
    async with logind(delay_s=0.1) as machine, trio.open_nursery() as nursery:
        mount.may_end = trio.Event()
        nursery.start_soon(SleepWatch(mount.prepare, mount.resumed).run)
        await machine.is_asked(1)
        await machine.announces(sleep=True)
        await machine.may_sleep()
        nursery.cancel_scope.cancel()

    assert "prepared" not in mount.told


async def test_a_machine_that_does_not_sleep_after_all_goes_on(logind: Machine, mount: Mount) -> None:
    """Else calls would be answered in haste for ever."""
    async with logind() as machine, trio.open_nursery() as nursery:
        nursery.start_soon(SleepWatch(mount.prepare, mount.resumed, awake_s=0.01).run)
        await machine.is_asked(1)
        await machine.announces(sleep=True)
        await machine.is_asked(2)
        nursery.cancel_scope.cancel()

    assert mount.told == ["prepare", "prepared", "resumed"]


async def test_one_that_lets_nobody_hold_it_up_is_followed_all_the_same(logind: Machine, mount: Mount) -> None:
    """There is less time then."""
    async with logind() as machine, trio.open_nursery() as nursery:
        machine.refuses = True
        resumed = trio.Event()
        nursery.start_soon(SleepWatch(mount.prepare, resumed.set).run)
        while "prepared" not in mount.told:  # nobody can tell when it listens
            await machine.announces(sleep=True)
            await trio.sleep(0.01)
        await machine.announces(sleep=False)
        await resumed.wait()
        nursery.cancel_scope.cancel()


async def test_what_fails_to_prepare_is_over_at_once(logind: Machine, mount: Mount) -> None:
    """The machine sleeps, and calls wait as ever; whoever keeps the task going listens anew."""

    async def fails(_seconds: float) -> None:
        raise KeyError

    async with logind() as machine, trio.open_nursery() as nursery:

        async def run() -> None:
            with pytest.raises(KeyError):
                await SleepWatch(fails, mount.resumed).run()

        nursery.start_soon(run)
        await machine.is_asked(1)
        await machine.announces(sleep=True)
        await machine.may_sleep()

    assert mount.told == ["resumed"]


async def listens(mount: Mount, caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the log says of an hour of listening."""
    with caplog.at_level(logging.DEBUG), trio.move_on_after(3_600):
        await SleepWatch(mount.prepare, mount.resumed).run()
    return [record.message for record in caplog.records if record.name == "cxfs.upkeep.sleep"]


async def test_without_a_bus_nothing_happens(
    mount: Mount,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    autojump_clock: MockClock,
) -> None:
    """One line, for whoever debugs."""
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/nobody")

    [line] = await listens(mount, caplog)

    assert line.startswith("sleep is not announced here: FileNotFoundError")


async def test_without_a_logind_nothing_happens(bus: str, mount: Mount, caplog: pytest.LogCaptureFixture) -> None:
    """A container has a bus, perhaps, and no machine to sleep."""
    with trio.move_on_after(30) as scope:

        async def until_said() -> None:
            with caplog.at_level(logging.DEBUG):
                while not caplog.messages:  # noqa: ASYNC110 - the bus is another program
                    await trio.sleep(0.01)
            scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(until_said)
            nursery.start_soon(listens, mount, caplog)

    [line] = [each for each in caplog.messages if "sleep" in each]
    assert line.startswith("sleep is not announced here: DBusErrorResponse")
    assert mount.told == []
