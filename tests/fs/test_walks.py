"""Programs that walk through a tree: the folders that they come to next are listed before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from cxfs.fs.listings import AHEAD_BELIEVED_S, AHEAD_MAX

if TYPE_CHECKING:
    from trio.testing import MockClock

    from tests.fs.cloud import Cloud, Wire
    from tests.fs.desk import Desk

FOLDERS = {f"d{number:02}/a": b"" for number in range(20)}


async def test_who_opens_a_second_folder_finds_the_next_ones_listed(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """A round trip for each would make `rm -r` and `find` take minutes."""
    await cloud.holds(FOLDERS)
    for name in ("", "d00", "d01"):
        await desk.names(name)
    await desk.waits(1)
    wire.requests.clear()

    for number in range(2, 2 + AHEAD_MAX):
        assert await desk.names(f"d{number:02}") == {"a"}
    await desk.waits(1)

    assert wire.count("GET files/list") == AHEAD_MAX  # of those after


async def test_who_opens_one_folder_asks_for_no_other(desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock) -> None:
    """`cd` and `ls` are no walk."""
    await cloud.holds(FOLDERS)
    await desk.names()
    wire.requests.clear()

    for _ in range(3):
        await desk.names("d00")
    await desk.waits(1)

    assert wire.count("GET files/list") == 1


async def test_a_whole_walk_asks_once_for_each_folder(desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock) -> None:
    """Not one request more than without looking ahead."""
    await cloud.holds(FOLDERS)

    for name in ("", *(f"d{number:02}" for number in range(20))):
        await desk.names(name)
    await desk.waits(1)

    assert wire.count("GET files/list") == 21


async def test_a_folder_that_could_not_be_listed_ahead_is_asked_for_when_it_is_wanted(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """Nobody was waiting for it, so nobody is told."""
    await cloud.holds(FOLDERS)
    await desk.names()
    await desk.names("d00")
    wire.before = lambda request: httpx.ConnectError("away") if "d01" not in request.url.path else None
    node = await desk.node("d01")
    wire.comes_back()
    await desk.fs.open_folder(node)
    wire.before = lambda _: httpx.ConnectError("away")
    await desk.waits(60)
    wire.comes_back()

    assert await desk.names("d05") == {"a"}


async def test_who_jumps_about_is_no_walker(desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock) -> None:
    """Two folders that do not follow each other say nothing about a third."""
    await cloud.holds(FOLDERS)
    for name in ("", "d00", "d07", "d03"):
        await desk.names(name)
    await desk.waits(1)

    assert wire.count("GET files/list") == 4


async def test_what_was_listed_ahead_and_not_looked_at_is_asked_for_again(
    desk: Desk, cloud: Cloud, clock: MockClock
) -> None:
    """Somebody comes by later, and expects to see what is there."""
    await cloud.holds(FOLDERS)
    for name in ("", "d00", "d01"):
        await desk.names(name)
    await desk.waits(AHEAD_BELIEVED_S)
    await cloud.puts("d02/new", b"")

    assert await desk.names("d02") == {"a", "new"}


async def test_what_was_listed_ahead_and_looked_at_is_believed_like_any_other(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """The next `ls` within the TTL asks nobody."""
    await cloud.holds(FOLDERS)
    for name in ("", "d00", "d01"):
        await desk.names(name)
    await desk.waits(1)
    await desk.names("d02")
    await desk.waits(20)
    wire.requests.clear()

    await desk.names("d02")

    assert wire.count("GET files/list") == 0
