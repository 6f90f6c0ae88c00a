"""Programs that walk through a tree: the folders that they come to next are listed before."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import httpx
import pytest
import trio

from cxfs.fs.listings import AHEAD_BELIEVED_S, AHEAD_MAX, AHEAD_MIN
from cxfs.fs.walks import AT_ONCE_S

if TYPE_CHECKING:
    from trio.testing import MockClock

    from tests.fs.cloud import Cloud, Wire
    from tests.fs.desk import Desk

FOLDERS = {f"d{number:02}/a": b"" for number in range(20)}
NESTED = {f"d{above}/s{below:02}/a": b"" for above in range(5) for below in range(19)}


class InFlight:
    """Counts the listings that are on their way at the same time, each for as long as a round trip takes."""

    def __init__(self, wire: Wire, round_trip_s: float = 0.1) -> None:
        self.now = self.most = 0
        self.round_trip_s = round_trip_s
        wire.meanwhile = self.pass_by

    async def pass_by(self, request: httpx.Request) -> None:
        if "/files/list/" in request.url.path:
            self.now += 1
            self.most = max(self.most, self.now)
            await trio.sleep(self.round_trip_s)
            self.now -= 1


async def walk(desk: Desk, folder: str = "", *, count: int = 1_000) -> list[str]:
    """`find`, or `find | head`: up to so many folders, depth first, in the order in which it opens them."""
    opened = [folder]
    for name in await desk.listed(folder):
        path = f"{folder}/{name}".lstrip("/")
        if len(opened) < count and (await desk.node(path)).is_folder:
            opened += await walk(desk, path, count=count - len(opened))
    return opened


async def test_who_opens_a_second_folder_finds_the_next_ones_listed(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """A round trip for each would make `rm -r` and `find` take minutes."""
    await cloud.holds(FOLDERS)
    for name in ("", "d04", "d05"):
        await desk.names(name)
    await desk.waits(1)
    wire.goes_offline()

    for number in range(6, 6 + AHEAD_MIN):
        assert await desk.names(f"d{number:02}") == {"a"}


async def test_a_walk_lists_what_is_in_a_folder_before_what_stands_beside_it(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """It comes to that first."""
    await cloud.holds(NESTED)
    for name in ("", "d0"):
        await desk.names(name)
    await desk.waits(1)
    wire.goes_offline()

    for number in range(AHEAD_MIN):
        assert await desk.names(f"d0/s{number:02}") == {"a"}


@pytest.mark.parametrize("tree", [FOLDERS, NESTED], ids=["flat", "nested"])
async def test_a_whole_walk_asks_once_for_each_folder(
    tree: dict[str, bytes], desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """Not one request more than without looking ahead."""
    await cloud.holds(tree)

    folders = await walk(desk)
    await desk.waits(1)

    assert wire.count("GET files/list") == len(folders)
    assert desk.volume.listings.statistics().unused == 0


async def test_a_walk_over_a_long_line_has_many_listings_in_flight(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """100 folders, 100 ms each: a program that walks is not to wait for ten seconds."""
    await cloud.holds(NESTED)
    flying = InFlight(wire)
    began = trio.current_time()

    folders = await walk(desk)

    assert len(folders) == 1 + 5 + 5 * 19
    assert flying.most >= 16
    assert trio.current_time() - began < 0.1 * len(folders) / 5


async def test_a_walk_of_two_hundred_folders_has_many_listings_in_flight_and_asks_for_none_twice(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """Side by side in one folder, as somebody who moved in has them."""
    await cloud.holds({f"d{number:03}/": b"" for number in range(200)})
    flying = InFlight(wire)

    folders = await walk(desk)

    assert len(folders) == 1 + 200
    assert flying.most >= 8
    assert wire.count("GET files/list") == len(folders)


async def test_a_walk_over_a_short_line_has_no_more_in_flight_than_it_needs(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """Each more would be a connection to open."""
    await cloud.holds(NESTED)
    flying = InFlight(wire, round_trip_s=0.01)

    await walk(desk)

    assert 2 <= flying.most <= AHEAD_MIN + 1


async def test_a_walk_that_stops_has_listed_a_bounded_number_for_nothing(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """`find | head` must not list the account."""
    await cloud.holds({f"d{above}/s{below:02}/a": b"" for above in range(9) for below in range(19)})
    InFlight(wire)

    opened = await walk(desk, count=20)
    await desk.waits(60)

    # Also those beside the folder that it was in, asked for before it was known what is in it.
    assert wire.count("GET files/list") <= len(opened) + AHEAD_MAX + AHEAD_MIN
    assert desk.volume.listings.statistics().ahead > 0


async def test_what_was_listed_for_nothing_is_counted(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """Whoever tunes this must see what it costs."""
    await cloud.holds(FOLDERS)
    for name in ("", "d00", "d01"):
        await desk.names(name)
    await desk.waits(AHEAD_BELIEVED_S)

    for name in ("d15", "d16"):  # another walk
        await desk.names(name)
    found = desk.volume.listings.statistics()

    assert 0 < found.unused <= found.ahead


async def test_who_opens_one_folder_asks_for_no_other(desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock) -> None:
    """`cd` and `ls` are no walk, nor is a window in which somebody clicks."""
    await cloud.holds(FOLDERS)
    await desk.names()
    await desk.waits(AT_ONCE_S + 0.1)
    wire.requests.clear()

    for _ in range(3):
        await desk.names("d00")
    await desk.waits(1)

    assert wire.count("GET files/list") == 1


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
    """Folders that do not follow each other say nothing about another."""
    await cloud.holds(FOLDERS)
    numbers = {name: (await desk.stat(name)).inode for name in await desk.names()}
    by_number = sorted(numbers, key=lambda name: numbers[name])
    jumps = [name for name in by_number[::-3] if int(name[1:]) % 2][:3]
    wire.requests.clear()

    for name in jumps:
        await desk.names(name)
    await desk.waits(1)

    assert wire.count("GET files/list") == len(jumps)


async def test_who_asks_for_names_in_one_folder_after_the_other_walks_too(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """git opens no folder: it looks up the paths in its index."""
    await cloud.holds(FOLDERS)
    for name in ("d04/a", "d05/a"):
        await desk.stat(name)
    await desk.waits(1)
    wire.goes_offline()

    for number in range(6, 6 + AHEAD_MIN):
        assert await desk.has(f"d{number:02}/a")


def is_no_other_walk(names: list[str]) -> bool:
    """Whether it is none in the order of the listing as well: UUIDs are drawn by lot."""
    places = [int(name[1:]) for name in names]
    return 0 not in places and all(abs(one - next_) != 1 for one, next_ in itertools.pairwise(places))


async def test_a_walk_by_inode_number_is_one(desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock) -> None:
    """`cp -r` goes so, in the hope that a disk likes it."""
    await cloud.holds(FOLDERS)
    await desk.names()
    numbers = {name: (await desk.stat(name)).inode for name in await desk.names()}
    in_order = sorted(numbers, key=lambda name: numbers[name])
    begin = next(at for at in range(1, len(in_order)) if is_no_other_walk(in_order[at : at + 3]))
    for name in in_order[begin : begin + 3]:
        await desk.names(name)
    await desk.waits(1)
    wire.goes_offline()

    for name in in_order[begin + 3 : begin + 3 + AHEAD_MIN]:
        assert await desk.names(name) == {"a"}


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
