"""Calls at once while they are quick, elsewhere once the disk is busy."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, TypeVarTuple

import trio
import trio.testing

from cxfs.fs.offload import SLOW_S, WARY_S, HereWhileQuick

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Disk:
    """Writes take `takes_s` each by its clock; counts those that went elsewhere."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.takes_s = 0.00001
        self.elsewhere = 0
        self.waited = 0

    def waits(self) -> int:
        return self.waited

    def timer(self) -> float:
        return self.now_s

    def write(self) -> str:
        self.now_s += self.takes_s
        self.waited += self.takes_s > SLOW_S
        return "written"

    async def threads(self, work: Callable[[*Ts], T], /, *args: *Ts) -> T:
        self.elsewhere += 1
        return work(*args)


async def test_quick_calls_take_no_thread() -> None:
    """Which would cost more than the call."""
    disk = Disk()
    offload = HereWhileQuick(disk.threads, timer=disk.timer, waits=disk.waits)

    assert {await offload(disk.write) for _ in range(100)} == {"written"}
    assert disk.elsewhere == 0


async def test_after_a_slow_call_they_go_elsewhere_for_a_while() -> None:
    """One stop of the loop, not one after the other."""
    disk = Disk()
    offload = HereWhileQuick(disk.threads, timer=disk.timer, waits=disk.waits)
    disk.takes_s = 2 * SLOW_S
    for _ in range(10):
        await offload(disk.write)
    while_wary = disk.elsewhere
    disk.now_s += WARY_S
    disk.takes_s = 0.00001

    await offload(disk.write)

    assert while_wary == 9
    assert disk.elsewhere == 9


async def test_a_call_that_fails_slowly_counts_too() -> None:
    """A disk that is ill is slow first."""
    disk = Disk()
    offload = HereWhileQuick(disk.threads, timer=disk.timer, waits=disk.waits)

    def fails() -> None:
        disk.now_s += 1.0
        disk.waited += 1
        raise OSError("ill")

    for _ in range(2):
        try:
            await offload(fails)
        except OSError:
            continue

    assert disk.elsewhere == 1


async def test_no_call_overtakes_one_that_is_elsewhere() -> None:
    """The journal's rows are written in the order in which they were accepted, however slow one of them was."""
    disk, done, returned = Disk(), list[str](), trio.Event()
    turn = trio.Lock()

    async def one_thread(work: Callable[[*Ts], T], /, *args: *Ts) -> T:
        async with turn:
            await returned.wait()
            return work(*args)

    offload = HereWhileQuick(one_thread, timer=disk.timer, waits=disk.waits)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(offload.slow, done.append, "synced")
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(offload, done.append, "quick")
        await trio.testing.wait_all_tasks_blocked()
        returned.set()
    await offload(done.append, "at once")

    assert done == ["synced", "quick", "at once"]
    assert not disk.elsewhere


async def test_a_call_that_waits_for_the_disk_makes_nobody_wary() -> None:
    """It went elsewhere because it was known to be slow: that says nothing of the others."""
    disk = Disk()
    offload = HereWhileQuick(disk.threads, timer=disk.timer, waits=disk.waits)
    disk.takes_s = 2 * SLOW_S
    await offload.slow(disk.write)
    disk.takes_s = 0.00001

    await offload(disk.write)

    assert disk.elsewhere == 1


async def test_a_call_that_had_no_processor_for_a_while_makes_nobody_wary() -> None:
    """The machine has other things to do as well; the disk is as quick as before."""
    disk = Disk()
    offload = HereWhileQuick(disk.threads, timer=disk.timer, waits=lambda: 0)
    disk.takes_s = 2 * SLOW_S

    for _ in range(10):
        await offload(disk.write)

    assert disk.elsewhere == 0
