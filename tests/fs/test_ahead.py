"""Programs that read one small file after the other: the next ones are here before they are opened."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import httpx
import pytest
import trio

from cxfs.core.entries import Uuid
from cxfs.core.readahead import BLOCK_BYTES
from cxfs.core.whole_folders import OWING_START
from cxfs.fs.ahead import BESIDE_BYTES_MAX, FILES_MAX, FILES_MIN, SMALL_BYTES_MAX
from cxfs.fs.parcels import UNREAD_S, Parcels
from cxfs.local.blocks import BlockKey
from cxfs.server.administration import import_tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from trio.testing import MockClock

    from cxfs.server.store import Store
    from tests.fs.cloud import Cloud, Wire
    from tests.fs.desk import Desk, Mounts

PLAIN = frozenset({"attributes", "versions", "conditional-upload"})
"""A server that offers no bundles."""


@pytest.fixture
def holds(store: Store, token: str, folder: Path) -> Callable[[dict[str, bytes]], None]:
    """The account holds these files: many of them at once, for which uploads would take too long."""

    def fill(tree: dict[str, bytes]) -> None:
        for name, content in tree.items():
            path = folder / "imported" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        import_tree(store, "ann", folder / "imported", progress=lambda _path, _carried: None)

    return fill


def files(count: int, *, folder: str = "d", size: int = 1_000) -> dict[str, bytes]:
    return {f"{folder}/f{number:03}": bytes([number % 251]) * size for number in range(count)}


def tree(folders: int, each: int) -> dict[str, bytes]:
    return {
        name: content for at in range(folders) for name, content in files(each, folder=f"d{at // 5}/s{at % 5}").items()
    }


class RoundTrips:
    """Every request takes 100 ms, and those for content are counted while they are on their way."""

    def __init__(self, wire: Wire) -> None:
        self.now = self.most = 0
        wire.meanwhile = self.pass_by

    async def pass_by(self, request: httpx.Request) -> None:
        is_content = request.url.path.startswith(("/1/data", "/1/bundle"))
        self.now += is_content
        self.most = max(self.most, self.now)
        await trio.sleep(0.1)
        self.now -= is_content


def content_requests(wire: Wire) -> int:
    return wire.count("GET data") + wire.count("POST bundle/get")


async def greps(desk: Desk, folder: str) -> dict[str, bytes]:
    """`grep -r`: every file, in the order in which its folder lists it."""
    found: dict[str, bytes] = {}
    for name in await desk.listed(folder):
        path = f"{folder}/{name}".lstrip("/")
        if (await desk.node(path)).is_folder:
            found |= await greps(desk, path)
        else:
            found[path] = await desk.reads(path)
    return found


async def test_grep_over_a_thousand_files_reads_them_in_bundles(
    mounts: Mounts, holds: Callable[[dict[str, bytes]], None], wire: Wire, clock: MockClock
) -> None:
    """A tenth of a request for each at most, and none of them is fetched twice."""
    there = tree(20, 50)
    holds(there)
    async with mounts() as desk:
        RoundTrips(wire)
        began = trio.current_time()

        assert await greps(desk, "") == there

        assert trio.current_time() - began < 3
        assert 0 < content_requests(wire) <= 100
        statistics = desk.volume.ahead.statistics()
        assert statistics.ahead_files + desk.volume.reader.statistics().fetches == 1_000
        assert statistics.wasted_files == 0


async def test_grep_without_bundles_has_many_requests_in_flight(
    mounts: Mounts, holds: Callable[[dict[str, bytes]], None], wire: Wire, clock: MockClock
) -> None:
    """A thousand files, 100 ms each: a program that reads them all is not to wait for 100 seconds."""
    there = tree(20, 50)
    holds(there)
    async with mounts(capabilities=PLAIN) as desk:
        line = RoundTrips(wire)
        began = trio.current_time()

        assert await greps(desk, "") == there

        assert line.most >= 8
        assert 900 < content_requests(wire) <= 1_100
        assert trio.current_time() - began < 100 / 8
        statistics = desk.volume.ahead.statistics()
        assert statistics.ahead_files + desk.volume.reader.statistics().fetches == 1_000


@pytest.mark.parametrize("capabilities", [None, PLAIN], ids=["bundles", "one by one"])
async def test_a_program_that_stops_leaves_a_bounded_number_of_bytes_behind(
    capabilities: frozenset[str] | None,
    mounts: Mounts,
    holds: Callable[[dict[str, bytes]], None],
    clock: MockClock,
) -> None:
    """`grep -m1 -r` finds what it looks for: what was fetched for nothing is counted, and let go."""
    holds(files(600, size=100))
    async with mounts(capabilities=capabilities) as desk:
        await desk.names("d")
        for number in range(20):
            await desk.reads(f"d/f{number:03}")
        await desk.waits(UNREAD_S + 1)

        statistics = desk.volume.ahead.statistics()
        assert 0 < statistics.wasted_files <= FILES_MAX
        assert statistics.wasted_bytes == 100 * statistics.wasted_files
        assert statistics.unread_bytes == 0


async def test_who_reads_three_files_is_not_given_many(
    desk: Desk, holds: Callable[[dict[str, bytes]], None], clock: MockClock
) -> None:
    """It may go on, and may not."""
    holds(files(100))
    await desk.names("d")
    for name in ("d/f000", "d/f001", "d/f002"):
        await desk.reads(name)

    assert 0 < desk.volume.ahead.statistics().ahead_files <= 2 * FILES_MIN


async def test_random_readers_are_given_nothing(
    desk: Desk, holds: Callable[[dict[str, bytes]], None], clock: MockClock
) -> None:
    """What they want next nobody can tell: what is fetched ahead of them is fetched for nothing."""
    names = [*tree(20, 50)]
    holds(tree(20, 50))
    chosen = random.Random(7).sample(names, 100)

    async def reader(mine: list[str]) -> None:
        for name in mine:
            await desk.reads(name)

    async with trio.open_nursery() as nursery:
        for at in range(8):
            nursery.start_soon(reader, chosen[at::8])

    assert desk.volume.ahead.statistics().ahead_files <= 20


@pytest.mark.promise
@pytest.mark.parametrize("size", [150_000, 260_000, 1_500_000])
@pytest.mark.parametrize("order", [sorted, list], ids=["by name", "as listed"])
async def test_who_looks_at_the_beginnings_of_large_files_downloads_none(
    size: int,
    order: Callable[[list[str]], list[str]],
    desk: Desk,
    holds: Callable[[dict[str, bytes]], None],
    clock: MockClock,
) -> None:
    """A program that looks at the first bytes of every file in a folder, as file managers do, makes at most 128 KiB of
    each come."""
    holds(files(40, size=size))
    for name in order(await desk.listed("d")):
        handle = await desk.opens(f"d/{name}")
        await desk.fs.read(handle, 0, 4_096)
        await desk.closes(handle)
    await desk.waits(1)

    came = desk.volume.reader.statistics().fetched_bytes + desk.volume.ahead.statistics().ahead_bytes
    assert 0 < came <= 40 * BLOCK_BYTES


@pytest.mark.parametrize("capabilities", [None, PLAIN], ids=["bundles", "one by one"])
async def test_what_cannot_be_fetched_ahead_is_fetched_when_it_is_wanted(
    capabilities: frozenset[str] | None,
    mounts: Mounts,
    holds: Callable[[dict[str, bytes]], None],
    wire: Wire,
    clock: MockClock,
) -> None:
    """Nobody was waiting for it, so nobody is told."""
    there = files(30)
    holds(there)
    async with mounts(capabilities=capabilities) as desk:
        await desk.names("d")
        is_there = {"d/f000", "d/f001", "d/f002"}
        for name in sorted(is_there):
            await desk.reads(name)
        tries = 0

        def fails_at_first(request: httpx.Request) -> Exception | None:
            nonlocal tries
            tries += request.url.path.startswith(("/1/data", "/1/bundle"))
            return httpx.ConnectError("away") if tries % 2 else None

        wire.before = fails_at_first

        assert {name: await desk.reads(name) for name in there} == there


async def test_a_file_that_changed_since_it_was_listed_is_read_as_it_was_opened(
    desk: Desk, holds: Callable[[dict[str, bytes]], None], cloud: Cloud, clock: MockClock
) -> None:
    """What was fetched ahead belongs to one version; a handle on another does not read it."""
    holds(files(20))
    await desk.names("d")
    for number in range(4):
        await desk.reads(f"d/f{number:03}")
    await cloud.puts("d/f005", b"new")
    await desk.waits(29)
    before = await desk.reads("d/f005")
    await desk.waits(5)

    assert before == files(20)["d/f005"]
    assert await desk.reads("d/f005") == b"new"


async def test_what_is_here_already_is_not_fetched(
    desk: Desk, holds: Callable[[dict[str, bytes]], None], clock: MockClock
) -> None:
    """Not what was read before, nor what was written here."""
    there = files(20)
    holds(there)
    for number in (5, 7):
        await desk.reads(f"d/f{number:03}")
    await desk.writes("d/f006", b"mine")

    found = {name: await desk.reads(name) for name in there}

    assert found == there | {"d/f006": b"mine"}
    assert desk.volume.ahead.statistics().ahead_files >= 10
    assert desk.volume.ahead.statistics().ahead_files + desk.volume.reader.statistics().fetches == 19


async def test_a_version_that_was_replaced_here_is_not_fetched(
    desk: Desk, holds: Callable[[dict[str, bytes]], None], clock: MockClock
) -> None:
    """Nobody will read it any more, and the server may not have it."""
    there = files(20)
    holds(there)
    await desk.names("d")
    await desk.reads("d/f000")
    await desk.writes("d/f006", b"mine")
    await desk.waits(10)

    found = {name: await desk.reads(name) for name in there}

    assert found == there | {"d/f006": b"mine"}
    assert desk.volume.ahead.statistics().ahead_files >= 10
    assert desk.volume.ahead.statistics().ahead_files + desk.volume.reader.statistics().fetches == 19


async def test_what_the_kernel_has_is_not_fetched(
    desk: Desk, holds: Callable[[dict[str, bytes]], None], cloud: Cloud, clock: MockClock
) -> None:
    """It will not ask for it: here it is, read and let go."""
    holds(files(160, size=SMALL_BYTES_MAX))
    await desk.names("d")
    for number in range(160):
        await desk.reads(f"d/f{number:03}")
    for number in range(4):
        await cloud.puts(f"d/f{number:03}", b"new")
    await desk.waits(31)
    before = desk.volume.ahead.statistics().ahead_files

    for number in range(4):
        assert await desk.reads(f"d/f{number:03}") == b"new"

    assert desk.volume.ahead.statistics().ahead_files == before


async def test_what_the_kernel_had_and_dropped_is_fetched_again(
    desk: Desk, holds: Callable[[dict[str, bytes]], None], clock: MockClock
) -> None:
    """It drops pages when memory is short, and tells nobody; that it asks tells enough."""
    there = files(160, size=SMALL_BYTES_MAX)
    holds(there)
    for name in there:
        await desk.reads(name)
    before = desk.volume.ahead.statistics().ahead_files

    for name in there:
        assert await desk.reads(name) == there[name]

    assert desk.volume.ahead.statistics().ahead_files >= before + 10


async def test_what_is_on_its_way_is_waited_for_and_not_asked_for_again(
    desk: Desk, holds: Callable[[dict[str, bytes]], None], wire: Wire, clock: MockClock
) -> None:
    """The program may be faster than the line."""
    holds(files(30))
    RoundTrips(wire)
    await desk.names("d")
    for number in range(4):
        await desk.reads(f"d/f{number:03}")
    fetches = desk.volume.reader.statistics().fetches

    await desk.reads("d/f004")

    assert desk.volume.reader.statistics().fetches == fetches


async def test_git_goes_by_its_index_and_opens_no_folder(
    mounts: Mounts, holds: Callable[[dict[str, bytes]], None], wire: Wire, clock: MockClock
) -> None:
    """`git status` of a work tree that it does not trust: it looks up every path, then reads every file."""
    there = tree(20, 25)
    holds(there)
    async with mounts() as desk:
        RoundTrips(wire)
        for name in sorted(there):
            await desk.stat(name)
        began = trio.current_time()

        for name in sorted(there):
            assert await desk.reads(name) == there[name]

        assert trio.current_time() - began < 1.5
        assert content_requests(wire) <= 30


async def test_a_program_that_goes_by_inode_number_is_recognised(
    desk: Desk, holds: Callable[[dict[str, bytes]], None], clock: MockClock
) -> None:
    """`cp -r` does, in the hope that a disk likes it."""
    there = files(40)
    holds(there)
    await desk.names("d")
    numbers = {name: (await desk.stat(name)).inode for name in there}

    for name in sorted(there, key=lambda name: numbers[name]):
        assert await desk.reads(name) == there[name]

    assert desk.volume.ahead.statistics().ahead_files >= 30
    assert desk.volume.ahead.statistics().wasted_files == 0


async def test_no_more_is_on_its_way_than_the_memory_for_it() -> None:
    """Files may be small and many: the number alone is no bound."""
    async with trio.open_nursery() as nursery:
        parcels = Parcels(nursery, on_waste=lambda: None, unread_bytes_max=10)
        keys = [BlockKey(Uuid(f"{number:022}"), 1) for number in range(3)]

        is_expected = [parcels.expect(key, 4, in_a_row=True) for key in keys]
        nursery.cancel_scope.cancel()

    assert is_expected == [True, True, False]
    assert parcels.statistics().unread_bytes == 8


# ---------------------------------------------------------------- here and there


async def reads_at_random(desk: Desk, there: dict[str, bytes], count: int, readers: int = 8) -> None:
    """So many of the files, by several programs at once; each is compared."""
    chosen = random.Random(7).sample([*there], count)

    async def reader(mine: list[str]) -> None:
        for name in mine:
            assert await desk.reads(name) == there[name]

    async with trio.open_nursery() as nursery:
        for at in range(readers):
            nursery.start_soon(reader, chosen[at::readers])


async def test_who_reads_here_and_there_on_a_long_line_is_given_whole_folders(
    mounts: Mounts, holds: Callable[[dict[str, bytes]], None], wire: Wire, clock: MockClock
) -> None:
    """A fifth of all files: most of them are here when they are opened, and none comes twice."""
    there = tree(20, 50)
    holds(there)
    async with mounts() as desk:
        RoundTrips(wire)

        await reads_at_random(desk, there, 200)

        assert content_requests(wire) < 100
        statistics = desk.volume.ahead.statistics()
        assert statistics.ahead_files + desk.volume.reader.statistics().fetches <= 1_000 + 20  # two at once in some


async def test_without_bundles_they_are_given_nothing(
    mounts: Mounts, holds: Callable[[dict[str, bytes]], None], wire: Wire, clock: MockClock
) -> None:
    """Each would be a request of its own."""
    there = tree(20, 50)
    holds(there)
    async with mounts(capabilities=PLAIN) as desk:
        RoundTrips(wire)

        await reads_at_random(desk, there, 200)

        assert content_requests(wire) < 300


async def test_who_reads_two_of_each_folder_is_not_given_the_account(
    mounts: Mounts, holds: Callable[[dict[str, bytes]], None], wire: Wire, clock: MockClock
) -> None:
    """What came along is never read: after a bounded number of folders it stops."""
    there = {name: content for at in range(100) for name, content in files(10, folder=f"d{at:02}").items()}
    holds(there)
    async with mounts() as desk:
        RoundTrips(wire)

        for at in range(100):
            for name in (f"d{at:02}/f007", f"d{at:02}/f002"):
                assert await desk.reads(name) == there[name]

        assert 0 < desk.volume.ahead.statistics().ahead_files <= 8 * (OWING_START + 1)


async def test_what_came_along_does_not_widen_the_window_of_those_in_a_row(
    desk: Desk, holds: Callable[[dict[str, bytes]], None], wire: Wire, clock: MockClock
) -> None:
    """It was not foreseen; and when it is let go, that narrows nothing either."""
    holds(files(100) | files(100, folder="e"))
    RoundTrips(wire)
    for number in (70, 20, 50, 10, 90, 40):
        await desk.reads(f"d/f{number:03}")
    await desk.names("e")
    for name in ("e/f000", "e/f001", "e/f002"):
        await desk.reads(name)

    assert 0 < desk.volume.ahead.statistics().ahead_files - 98 <= 2 * FILES_MIN


async def test_a_folder_of_pictures_does_not_come_along(
    desk: Desk, holds: Callable[[dict[str, bytes]], None], wire: Wire, clock: MockClock
) -> None:
    """A thumbnailer that picks some and reads the first few KiB of each."""
    holds(files(40, size=BESIDE_BYTES_MAX + 1))
    RoundTrips(wire)
    for number in (30, 10, 20, 5, 35, 15):
        handle = await desk.opens(f"d/f{number:03}")
        await desk.fs.read(handle, 0, 4_096)
        await desk.closes(handle)

    assert desk.volume.ahead.statistics().ahead_files == 0


async def test_the_pictures_of_a_folder_do_not_come_along_with_its_notes(
    desk: Desk, holds: Callable[[dict[str, bytes]], None], wire: Wire, clock: MockClock
) -> None:
    """Nobody has asked for a picture."""
    pictures = {f"d/p{number}": bytes(BESIDE_BYTES_MAX + 1) for number in range(3)}
    holds(files(40) | pictures)
    RoundTrips(wire)
    for number in (30, 10, 20):
        await desk.reads(f"d/f{number:03}")

    assert 37 * 1_000 <= desk.volume.ahead.statistics().ahead_bytes <= 38 * 1_000  # of the third, both may be under way


async def test_on_a_slow_line_folders_do_not_come_along(
    mounts: Mounts, holds: Callable[[dict[str, bytes]], None], wire: Wire, clock: MockClock
) -> None:
    """What nobody asked for would keep waiting what somebody did: after the first ones that is known."""
    there = {name: content * 20 for name, content in tree(20, 20).items()}  # 400 kB a folder
    holds(there)
    async with mounts() as desk:
        RoundTrips(wire)
        wire.bytes_per_s = 1_000_000

        await reads_at_random(desk, there, 100, readers=2)

        assert 0 < desk.volume.ahead.statistics().ahead_files <= 4 * 20
