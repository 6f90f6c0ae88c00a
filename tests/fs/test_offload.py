"""Calls at once while they are quick, elsewhere once the disk is busy."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, TypeVarTuple

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

    def timer(self) -> float:
        return self.now_s

    def write(self) -> str:
        self.now_s += self.takes_s
        return "written"

    async def threads(self, work: Callable[[*Ts], T], /, *args: *Ts) -> T:
        self.elsewhere += 1
        return work(*args)


async def test_quick_calls_take_no_thread() -> None:
    """Which would cost more than the call."""
    disk = Disk()
    offload = HereWhileQuick(disk.threads, timer=disk.timer)

    assert {await offload(disk.write) for _ in range(100)} == {"written"}
    assert disk.elsewhere == 0


async def test_after_a_slow_call_they_go_elsewhere_for_a_while() -> None:
    """One stop of the loop, not one after the other."""
    disk = Disk()
    offload = HereWhileQuick(disk.threads, timer=disk.timer)
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
    offload = HereWhileQuick(disk.threads, timer=disk.timer)

    def fails() -> None:
        disk.now_s += 1.0
        raise OSError("ill")

    for _ in range(2):
        try:
            await offload(fails)
        except OSError:
            continue

    assert disk.elsewhere == 1
