"""How much is asked for, and how often, by programs that read in this way or that. Counts requests and bytes."""

from __future__ import annotations

import random
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing

from cxfs.core.entries import SELF, Entry, EntryName, Uuid
from cxfs.core.errors import ServerTrouble, Stale, Unreachable
from cxfs.core.ranges import ByteRange, RangeSet
from cxfs.core.readahead import BLOCK_BYTES, WINDOW_BYTES
from cxfs.fs.offload import inline
from cxfs.fs.reader import Reader
from cxfs.local.blocks import BlockStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable
    from pathlib import Path

    from trio.testing import MockClock

    from cxfs.core.entries import UuidPath
    from cxfs.fs.streams import ReadStream

MIB = 1 << 20
GIB = 1 << 30
PATTERN = random.Random(5).randbytes(MIB)
ID = Uuid("SNU2d6zrEeGnthICOA-R7w")


def content(wanted: ByteRange, version: int = 1) -> bytes:
    """Bytes of a file that repeats a pattern of a megabyte; another one for each version."""
    start = (wanted.start + 1_000 * version) % len(PATTERN)
    stop = start + wanted.length
    return (PATTERN * (stop // len(PATTERN) + 1))[start:stop]


def file(size: int, version: int = 1) -> Entry:
    return Entry(
        owner=SELF, id=ID, name=EntryName.parse("big"), is_folder=False, size=size, version=version,
        created_ms=0, modified_ms=0,
    )  # fmt: skip


@dataclass
class Coming:
    """A body on its way, in pieces of a megabyte after a first one of a block, as pipes give them."""

    line: Line
    range: ByteRange
    version: int
    etag: str | None
    waited_s: float

    async def pour(self, keep: Callable[[int, memoryview], None], landed: Callable[[ByteRange], None]) -> None:
        first = self.range.clipped(ByteRange(0, self.range.start + BLOCK_BYTES))
        for piece in (first, *ByteRange(first.stop, self.range.stop).pieces(MIB)):
            await self.line.passes(piece.length)
            keep(piece.start, memoryview(content(piece, self.version)))
            self.line.brought.append(piece)
            landed(piece)


@dataclass
class Line:
    """A server and the way to it: `delay_s` to the first byte, then `rate` bytes a second for all together."""

    delay_s: float = 0.0
    rate: float = float("inf")
    version: int = 1
    tagged: bool = True
    asked: list[ByteRange] = field(default_factory=list)
    brought: list[ByteRange] = field(default_factory=list)
    at_once_most: int = 0
    fails: Callable[[ByteRange], Exception | None] = lambda _: None
    _at_once: int = 0
    _free_at: float = 0.0

    @asynccontextmanager
    async def download(
        self,
        path: UuidPath,
        wanted: ByteRange,
        *,
        version: int,
        size: int,
        pin_version: bool,
        etag: str | None,
        patience_s: float,
    ) -> AsyncIterator[Coming]:
        self.asked.append(wanted)
        self._at_once += 1
        self.at_once_most = max(self.at_once_most, self._at_once)
        try:
            await trio.sleep(self.delay_s)
            failure = self.fails(wanted)
            if failure is not None:
                raise failure
            tag = f'"tag-{self.version}"' if self.tagged else None
            if etag not in {None, tag}:
                raise Stale("another version")
            yield Coming(self, wanted, self.version, tag, self.delay_s)
        finally:
            self._at_once -= 1

    async def passes(self, count: int) -> None:
        self._free_at = max(self._free_at, trio.current_time()) + count / self.rate
        await trio.sleep_until(self._free_at)

    @property
    def brought_bytes(self) -> int:
        return sum(each.length for each in self.brought)


@asynccontextmanager
async def reading(
    line: Line, folder: Path, *, cache_bytes_max: int = 2 * GIB, buffer_bytes_max: int = 128 * MIB, stall_s: float = 60
) -> AsyncIterator[Reader]:
    blocks = BlockStore(folder / "cache", bytes_max=cache_bytes_max, free_bytes=lambda _: 1 << 40)
    async with trio.open_nursery() as nursery:
        yield Reader(
            line,
            blocks,
            nursery=nursery,
            disk=inline,
            pin_versions=False,
            stall_s=stall_s,
            buffer_bytes_max=buffer_bytes_max,
            jitter=lambda: 0.5,
        )
        nursery.cancel_scope.cancel()
    blocks.close()


async def reads(stream: ReadStream, wanted: ByteRange, version: int = 1) -> None:
    """As the kernel does it: what is in memory is taken at once."""
    got = stream.ready(wanted)
    got_bytes = await stream.read(wanted) if got is None else bytes(got)
    assert got_bytes == content(wanted, version)


async def reads_all(stream: ReadStream, wanted: Iterable[ByteRange]) -> None:
    for each in wanted:
        await reads(stream, each)


def in_kernel_order(size: int) -> list[ByteRange]:
    """128 KiB at a time, every other pair swapped."""
    straight = list(ByteRange(0, size).pieces(BLOCK_BYTES))
    for at in range(1, len(straight) - 1, 4):
        straight[at], straight[at + 1] = straight[at + 1], straight[at]
    return straight


async def test_a_gibibyte_from_end_to_end_takes_few_requests_and_no_byte_twice(folder: Path, clock: MockClock) -> None:
    """At most 1.02 times its size in at most 300 requests."""
    line = Line()
    async with reading(line, folder) as reader:
        await reads_all(reader.open(file(GIB)), in_kernel_order(GIB))

    assert line.brought_bytes == GIB
    assert len(line.asked) <= 300


@pytest.mark.parametrize("delay_s", [0.02, 0.1])
async def test_a_long_line_is_kept_full(folder: Path, clock: MockClock, delay_s: float) -> None:
    """Half a gibibyte takes little longer than the line itself would need, and nothing is asked for twice."""
    line = Line(delay_s=delay_s, rate=400e6)
    size = GIB // 2
    async with reading(line, folder) as reader:
        await reads_all(reader.open(file(size)), in_kernel_order(size))
        took_s = trio.current_time()

    assert took_s < 1.2 * size / line.rate + 8 * delay_s
    assert line.brought_bytes == size
    assert len(line.asked) <= 150


async def test_a_look_at_the_first_bytes_costs_one_small_request(folder: Path, clock: MockClock) -> None:
    """`head -c 1`, file managers, MIME sniffers."""
    line = Line()
    async with reading(line, folder) as reader:
        await reads(reader.open(file(GIB)), ByteRange(0, 4096))
        await trio.testing.wait_all_tasks_blocked()

    assert line.asked == [ByteRange(0, BLOCK_BYTES)]


async def test_a_read_backwards_takes_few_requests(folder: Path, clock: MockClock) -> None:
    """`tac`, and formats that keep their contents at the end."""
    line = Line()
    async with reading(line, folder) as reader:
        await reads_all(reader.open(file(64 * MIB)), reversed(list(ByteRange(0, 64 * MIB).pieces(BLOCK_BYTES))))

    assert line.brought_bytes == 64 * MIB
    assert len(line.asked) <= 40


async def test_a_reader_in_equal_steps_waits_for_its_first_steps_only(folder: Path, clock: MockClock) -> None:
    """A column of a table, a video player that looks for key frames; and only its steps are fetched."""
    line = Line(delay_s=1.0)
    async with reading(line, folder) as reader:
        stream = reader.open(file(GIB))
        await reads_all(stream, (ByteRange(at * 5 * MIB, at * 5 * MIB + 4096) for at in range(100)))
        took_s = trio.current_time()
        await trio.testing.wait_all_tasks_blocked()

    assert took_s < 20
    assert line.brought_bytes <= (100 + 32) * BLOCK_BYTES


async def test_a_random_reader_gets_exactly_its_blocks_at_first(folder: Path, clock: MockClock) -> None:
    """Whatever the line carries."""
    line = Line(delay_s=0.1, rate=400e6)
    lot = random.Random(1)
    async with reading(line, folder) as reader:
        stream = reader.open(file(GIB))
        await reads_all(
            stream, (ByteRange(at, at + 4096) for at in (lot.randrange(GIB // 4096) * 4096 for _ in range(8)))
        )

    assert line.brought_bytes == 8 * BLOCK_BYTES


async def test_a_random_reader_that_goes_on_has_the_file_soon_and_no_read_takes_much_longer(
    folder: Path, clock: MockClock
) -> None:
    """A read waits for a round trip anyway; what the line brings meanwhile costs nothing more."""
    line = Line(delay_s=0.02, rate=400e6)
    lot = random.Random(1)
    slowest_s = 0.0
    async with reading(line, folder) as reader:
        stream = reader.open(file(GIB))
        for _ in range(3000):
            at, before = lot.randrange(GIB // 4096) * 4096, trio.current_time()
            await reads(stream, ByteRange(at, at + 4096))
            slowest_s = max(slowest_s, trio.current_time() - before)

    assert trio.current_time() < 5
    assert slowest_s < 3 * line.delay_s
    assert line.brought_bytes <= GIB


async def test_a_seek_abandons_what_was_ahead(folder: Path, clock: MockClock) -> None:
    """A film that is skipped through does not fetch what was skipped."""
    line = Line(delay_s=0.01, rate=10e6)
    async with reading(line, folder) as reader:
        stream = reader.open(file(GIB))
        await reads_all(stream, ByteRange(0, 4 * MIB).pieces(BLOCK_BYTES))
        await reads(stream, ByteRange(GIB // 2, GIB // 2 + 4096))
        await trio.sleep(60)

    assert line.brought_bytes < 4 * MIB + WINDOW_BYTES // 2
    assert line.asked[-1] == ByteRange(GIB // 2, GIB // 2 + BLOCK_BYTES)


async def test_a_seek_takes_nothing_from_another_reader(folder: Path, clock: MockClock) -> None:
    """What two want goes on while one does."""
    line = Line(delay_s=0.01, rate=10e6)
    async with reading(line, folder) as reader:
        one, other = reader.open(file(GIB)), reader.open(file(GIB))

        async def goes_on() -> None:
            await reads_all(other, ByteRange(0, 16 * MIB).pieces(BLOCK_BYTES))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(goes_on)
            await reads_all(one, ByteRange(0, 4 * MIB).pieces(BLOCK_BYTES))
            await reads(one, ByteRange(GIB // 2, GIB // 2 + 4096))

    assert RangeSet(line.brought).covers(ByteRange(0, 16 * MIB))
    assert RangeSet(line.brought).length == line.brought_bytes


async def test_the_last_close_ends_everything(folder: Path, clock: MockClock) -> None:
    """Nobody is going to read it."""
    line = Line(delay_s=0.01, rate=10e6)
    async with reading(line, folder) as reader:
        stream = reader.open(file(GIB))
        await reads_all(stream, ByteRange(0, 4 * MIB).pieces(BLOCK_BYTES))
        stream.close()
        await trio.testing.wait_all_tasks_blocked()
        brought = line.brought_bytes
        await trio.sleep(60)

        assert line.brought_bytes == brought
        assert reader.statistics().streams == 0


async def test_what_came_ahead_and_was_never_read_is_counted(folder: Path, clock: MockClock) -> None:
    """So that people see what reading ahead costs them."""
    line = Line(delay_s=0.01, rate=10e6)
    async with reading(line, folder) as reader:
        one, other = reader.open(file(4 * MIB)), reader.open(file(4 * MIB))
        await reads_all(one, ByteRange(0, 4 * MIB).pieces(BLOCK_BYTES))
        one.close()
        other.close()
        whole = reader.statistics()
        left = reader.open(file(GIB, version=1))
        await reads_all(left, ByteRange(0, 2 * MIB).pieces(BLOCK_BYTES))
        await trio.sleep(5)
        left.close()
        await trio.testing.wait_all_tasks_blocked()

    ahead = reader.statistics().ahead_bytes - whole.ahead_bytes
    assert 0 < whole.ahead_bytes < 4 * MIB
    assert whole.wasted_bytes == 0
    assert 0 < reader.statistics().wasted_bytes < ahead


async def test_many_readers_share_the_buffers(folder: Path, clock: MockClock) -> None:
    """One budget for all that is on its way, however many files are read at once."""
    line = Line(delay_s=0.5, rate=50e6)
    most = 0
    async with reading(line, folder, buffer_bytes_max=32 * MIB) as reader:
        streams = [reader.open(file(64 * MIB, version)) for version in range(1, 9)]

        async def read_all(stream: ReadStream) -> None:
            nonlocal most
            for each in ByteRange(0, 64 * MIB).pieces(BLOCK_BYTES):
                if stream.ready(each) is None:
                    await stream.read(each)
                most = max(most, reader.statistics().under_way_bytes)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read_all, streams[0])
            await trio.sleep(2.2)  # it is alone with all of the buffers, until the others come
            for stream in streams[1:]:
                nursery.start_soon(read_all, stream)

    assert most <= 32 * MIB + 8 * 2 * BLOCK_BYTES
    assert line.brought_bytes == 8 * 64 * MIB


async def test_a_change_on_the_server_in_mid_read_is_stale_and_never_a_mixture(folder: Path, clock: MockClock) -> None:
    """Also when several ranges were asked for before the first answer named its version."""
    line = Line(delay_s=0.01, rate=10e6)
    async with reading(line, folder) as reader:
        stream = reader.open(file(GIB))
        await reads_all(stream, ByteRange(0, 4 * MIB).pieces(BLOCK_BYTES))
        line.version = 2

        with pytest.raises(Stale):
            await reads_all(stream, ByteRange(4 * MIB, GIB).pieces(BLOCK_BYTES))


async def test_two_first_answers_of_two_versions_are_not_mixed(folder: Path, clock: MockClock) -> None:
    """Neither had a tag to ask with."""
    line = Line(delay_s=1.0)
    async with reading(line, folder) as reader:
        stream = reader.open(file(GIB))

        failures: list[Exception] = []

        async def looks(at: int) -> None:
            try:
                await reads(stream, ByteRange(at, at + 4096))
            except Stale as failure:
                failures.append(failure)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(looks, 0)
            await trio.sleep(0.5)
            nursery.start_soon(looks, GIB // 2)
            await trio.sleep(0.7)
            line.version = 2

    assert len(failures) == 1


@pytest.mark.parametrize("cache_mib", [8, 64, 1024])
async def test_random_readers_under_faults_read_the_bytes_of_the_file(
    folder: Path, clock: MockClock, cache_mib: int
) -> None:
    """With a cache smaller than the file as well: what is evicted under an open handle is fetched again."""
    lot = random.Random(cache_mib)

    def fails(wanted: ByteRange) -> Exception | None:
        return lot.choice([None, None, None, Unreachable("reset"), ServerTrouble("busy")])

    line = Line(delay_s=0.001, rate=400e6, fails=fails)
    size = 100 * MIB + 77
    async with reading(line, folder, cache_bytes_max=cache_mib * MIB) as reader:

        async def wanders(seed: int) -> None:
            chance = random.Random(seed)
            stream = reader.open(file(size))
            at = 0
            for _ in range(150):
                if chance.random() < 0.3:
                    at = chance.randrange(size)
                stop = min(size, at + chance.randrange(1, 300_000))
                await reads(stream, ByteRange(at, stop))
                at = 0 if stop == size else stop
            stream.close()

        async with trio.open_nursery() as nursery:
            for seed in range(8):
                nursery.start_soon(wanders, seed)
        assert reader.statistics().streams == 0
