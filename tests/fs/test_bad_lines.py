"""A line that breaks, stalls and loses answers, and a server that has bad days: programs notice nothing of it."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
import trio

from cxfs.core.errors import Stale, Unreachable
from cxfs.core.patience import STALL_S
from tests.faults import Cut, Faults, FaultyWire, Lost, Side, Stall, refusal, wrong_range
from tests.fs.cloud import Wire, says

if TYPE_CHECKING:
    import httpx
    from trio.testing import MockClock

    from tests.fs.cloud import Cloud
    from tests.fs.desk import Desk, Mounts

MIB = 1 << 20
SEEDS = range(10)
MORE_SEEDS = range(10, 1_000)


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def wire(app: httpx.ASGITransport, faults: Faults) -> Wire:
    """As in all tests here, with what can go wrong in between."""
    return Wire(FaultyWire(app, faults))


@pytest.mark.promise
async def test_a_transfer_that_breaks_goes_on_where_it_broke(
    desk: Desk, cloud: Cloud, faults: Faults, clock: MockClock
) -> None:
    """A download that breaks off goes on at the byte where it broke, and what came is not fetched again."""
    content = random.Random(1).randbytes(2 * MIB)
    await cloud.holds({"a": content})
    faults.next("GET data", Cut(1), Cut(100_000), Cut(777_777), refusal(503), Cut(0), wrong_range())

    assert await desk.reads("a") == content
    assert faults.hits() == 6
    assert desk.volume.reader.statistics().fetched_bytes == len(content)


@pytest.mark.promise
async def test_a_transfer_that_stalls_is_made_anew(desk: Desk, cloud: Cloud, faults: Faults, clock: MockClock) -> None:
    """A transfer of which nothing moves for 10 seconds is begun anew: a download from the byte where it stood."""
    content = random.Random(2).randbytes(2 * MIB)
    await cloud.holds({"a": content})
    handle = await desk.opens("a")
    faults.next("GET data", Stall(100_000), Stall(0))
    began = trio.current_time()

    assert await desk.all_of(handle) == content
    assert 2 * STALL_S <= trio.current_time() - began < 4 * STALL_S
    assert desk.volume.reader.statistics().fetched_bytes == len(content)


async def test_an_upload_that_stalls_is_made_anew(desk: Desk, cloud: Cloud, faults: Faults, clock: MockClock) -> None:
    """Whether its content or its answer got stuck; one version comes of it."""
    faults.next("POST data", Stall(1_000, Side.REQUEST), Stall(), Lost())

    await desk.writes("a", bytes(MIB))
    began = trio.current_time()
    await desk.settles()

    assert await cloud.content("a") == bytes(MIB)
    assert (await cloud.entry("a")).version == 1
    assert desk.reports() == []
    assert trio.current_time() - began < 4 * STALL_S


@pytest.mark.promise
@pytest.mark.parametrize("size", [7, 8 * MIB])
async def test_an_upload_whose_answer_is_lost_does_not_hold_up_its_file(
    desk: Desk, cloud: Cloud, faults: Faults, clock: MockClock, size: int
) -> None:
    """An upload that is out and has no answer after 4 seconds is begun anew too, the next after 8, and so on;
    whoever renames its file meanwhile waits for it no longer than 2 seconds."""
    faults.next("POST data", Stall())
    await desk.writes("a", bytes(size))
    while not faults.hits():
        await desk.waits(0.1)
    began = trio.current_time()

    await desk.renames("a", "b")

    assert trio.current_time() - began < 2.5
    await desk.settles()
    assert await cloud.content("b") == bytes(size)
    assert desk.reports() == []


async def test_a_slow_server_is_waited_for_in_the_end(
    desk: Desk, cloud: Cloud, faults: Faults, clock: MockClock
) -> None:
    """Content that takes half a minute to begin comes before a program is told that it does not."""
    await cloud.holds({"a": b"content"})
    handle = await desk.opens("a")
    faults.every("GET data", Stall(0, for_s=25.0))

    assert await desk.all_of(handle) == b"content"


async def test_a_line_that_is_dead_ends_a_read_at_its_deadline(
    mounts: Mounts, cloud: Cloud, faults: Faults, clock: MockClock
) -> None:
    """Not a restart before, and not one more."""
    await cloud.holds({"a": b"content"})
    async with mounts(stall_s=60.0) as desk:
        handle = await desk.opens("a")
        faults.goes_silent()
        began = trio.current_time()

        with pytest.raises(Unreachable):
            await desk.all_of(handle)

        assert 55 < trio.current_time() - began <= 75


async def test_a_server_that_was_set_back_to_an_earlier_state_is_believed_again(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """A version that is gone fails one read; after that it is no reason to disbelieve the server for ever."""
    await cloud.holds({"a": b"first"})
    honest, lying = await cloud.entry("a"), (await cloud.entry("")).id
    later = {"id": honest.id, "name": "a", "isDir": False, "size": 6, "version": 9}
    root = {"id": lying, "name": "", "isDir": True, "version": 1}
    listing = says(200, {"directory": root, "entries": [later], "offset": 0, "total": 1})
    wire.before = lambda request: listing if "/files/list/" in request.url.path else None
    handle = await desk.opens("a")
    wire.before = lambda _: None

    with pytest.raises(Stale):
        await desk.all_of(handle)
    await desk.closes(handle)
    await desk.waits(60)

    assert await desk.reads("a") == b"first"


@pytest.mark.promise
async def test_a_rename_whose_answer_is_lost_succeeds(
    desk: Desk, cloud: Cloud, faults: Faults, clock: MockClock
) -> None:
    """A rename, `mkdir` or deletion whose answer got lost is recognised as done, and no program hears of it."""
    await cloud.holds({"a": b"a", "b": b"b", "d/": b""})
    faults.next("POST files/move", Lost(), Stall(), Lost(refusal(502)))
    faults.next("POST files/mkdir", Lost(), Stall())
    faults.next("POST bundle/delete", Lost())
    faults.next("POST files/delete", Lost())

    await desk.renames("a", "c")
    await desk.renames("b", "d/b")
    await desk.renames("c", "d/b")
    await desk.makes_folder("new")
    await desk.settles()
    await desk.removes("d/b")
    await desk.settles()

    assert await cloud.tree() == {"d/": b"", "new/": b""}
    assert desk.reports() == []
    assert faults.hits() >= 6


@pytest.mark.parametrize("seed", [*SEEDS, *(pytest.param(seed, marks=pytest.mark.long) for seed in MORE_SEEDS)])
async def test_a_day_on_which_a_third_of_all_requests_fails(
    seed: int, desk: Desk, cloud: Cloud, faults: Faults, clock: MockClock
) -> None:
    """Not one error reaches a program, nothing is lost, nothing is there twice, and nobody is told of a conflict."""
    lot = random.Random(seed)
    content = {f"d{number % 3}/f{number}": lot.randbytes(lot.choice([0, 10, 5_000, 600_000])) for number in range(12)}
    await cloud.holds(content)
    faults.by_chance(0.3)
    expected = dict(content)

    for name in lot.sample(sorted(content), 6):
        assert await desk.reads(name) == content[name]
    await desk.makes_folder("new")
    for number in range(6):
        name = f"new/n{number}"
        expected[name] = lot.randbytes(lot.choice([0, 10, 300_000]))
        await desk.writes(name, expected[name])
    for name in lot.sample(sorted(content), 3):
        expected[name] += b"more"
        await desk.patches(name, len(content[name]), b"more")
    for number, name in enumerate(lot.sample(sorted(content), 4)):
        expected[f"new/m{number}"] = expected.pop(name)
        await desk.renames(name, f"new/m{number}")
    for name in lot.sample(sorted(expected), 4):
        del expected[name]
        await desk.removes(name)
    await desk.settles()

    tree = {name: held for name, held in (await cloud.tree()).items() if not name.endswith("/")}
    assert tree == expected
    assert desk.reports() == []
    assert faults.hits() > 5
