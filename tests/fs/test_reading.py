"""Content on its way in: what is asked for, once, whoever asks and however the network behaves."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
import trio

from cxfs.core.errors import IsADirectory, Unreachable
from cxfs.core.readahead import BLOCK_BYTES

if TYPE_CHECKING:
    from trio.testing import MockClock

    from tests.fs.cloud import Cloud, Wire
    from tests.fs.desk import Desk, Mounts

MIB = 1 << 20


async def test_the_first_bytes_cost_one_small_request(desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock) -> None:
    """A MIME sniffer that looks at each file must not fetch them whole."""
    await cloud.holds({"a": bytes(8 * MIB)})
    opened = await desk.opens("a")
    wire.requests.clear()

    await desk.fs.read(opened, 0, 512)

    assert wire.count("GET data") == len(wire.requests) == 1
    assert desk.volume.reader.statistics().fetched_bytes == BLOCK_BYTES


async def test_a_file_is_fetched_once_however_many_read_it(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """Twenty programs that open the same video are one download."""
    content = random.Random(1).randbytes(3 * MIB)
    await cloud.holds({"a": content})
    handles = [await desk.opens("a") for _ in range(20)]
    read: list[bytes] = []

    async def reads(handle: object) -> None:
        read.append(await desk.all_of(handle))  # type: ignore[arg-type]

    async with trio.open_nursery() as nursery:
        for handle in handles:
            nursery.start_soon(reads, handle)

    assert read == [content] * 20
    assert desk.volume.reader.statistics().fetched_bytes == len(content)


async def test_a_reader_that_gives_up_takes_nothing_from_the_others(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """A killed program's read is cancelled; the flight belongs to the version, not to the reader."""
    await cloud.holds({"a": b"x" * MIB})
    first, second = await desk.opens("a"), await desk.opens("a")
    wire.holds_back("GET", "data")
    answer: list[bytes] = []

    async def reads() -> None:
        answer.append(await desk.fs.read(second, 0, 4))

    async with trio.open_nursery() as nursery:
        with trio.move_on_after(1):
            nursery.start_soon(reads)
            await desk.fs.read(first, 0, 4)
        wire.lets_go()

    assert answer == [b"xxxx"]


async def test_a_broken_connection_goes_on_where_it_broke(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """Starting over would never finish a large file on a bad line."""
    content = random.Random(2).randbytes(2 * MIB)
    await cloud.holds({"a": content})
    wire.breaks_bodies_after(100_000)

    read = await desk.reads("a")

    assert read == content
    assert desk.volume.reader.statistics().fetched_bytes == len(content)


async def test_a_read_that_nothing_comes_for_fails_and_is_not_short(
    mounts: Mounts, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """To the kernel a short read is the end of the file."""
    await cloud.holds({"a": b"x" * MIB})
    async with mounts(stall_s=20.0) as desk:
        opened = await desk.opens("a")
        wire.goes_offline()
        started = trio.current_time()

        with pytest.raises(Unreachable):
            await desk.fs.read(opened, 0, 4096)

        assert trio.current_time() - started <= 20


async def test_what_was_read_once_is_read_again_without_the_network(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """The block store keeps what was fetched, between opens as well."""
    await cloud.holds({"a": b"x" * MIB})
    await desk.reads("a")
    wire.goes_offline()

    assert await desk.reads("a") == b"x" * MIB


async def test_random_reads_get_exactly_the_bytes_of_the_file(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """Offsets, block edges and the end of the file, against the plain bytes."""
    content = random.Random(3).randbytes(5 * MIB + 77)
    await cloud.holds({"a": content})
    opened = await desk.opens("a")
    lot = random.Random(4)
    asked = [(lot.randrange(len(content) + 1000), lot.randrange(1, 300_000)) for _ in range(60)]

    read = [await desk.fs.read(opened, offset, size) for offset, size in asked]

    assert read == [content[offset : offset + size] for offset, size in asked]


async def test_a_small_cache_holds_its_limit_when_files_are_closed(
    mounts: Mounts, cloud: Cloud, clock: MockClock
) -> None:
    """The limit is for the disk of the user, not a hint."""
    await cloud.holds({f"f{number}": bytes(MIB) for number in range(6)})
    async with mounts(cache_bytes_max=2 * MIB) as desk:
        for number in range(6):
            await desk.reads(f"f{number}")

        held = desk.volume.blocks.statistics().bytes_held

    assert held <= 2 * MIB


async def test_a_folder_cannot_be_opened_as_a_file(desk: Desk, clock: MockClock) -> None:
    """POSIX: EISDIR."""
    await desk.makes_folder("d")

    with pytest.raises(IsADirectory):
        await desk.opens("d")


async def test_an_empty_file_is_read_without_a_request(desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock) -> None:
    """A range of no bytes cannot even be asked for."""
    await cloud.holds({"empty": b""})
    opened = await desk.opens("empty")
    wire.requests.clear()

    assert await desk.all_of(opened) == b""
    assert wire.requests == []
