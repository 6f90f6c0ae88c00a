"""What came into the cache is read once more beside the readers, and what the next mount finds by it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from cxfs.control.protocol import Arguments
from cxfs.fs.sealing import ROUND_S, Sealing
from cxfs.local.blocks import BlockKey
from cxfs.verbs import MountVerbs
from tests.fs.recording import RecordingKernel

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from trio.testing import MockClock

    from tests.fs.cloud import Cloud, Wire
    from tests.fs.desk import Desk, Mounts


MIB = 1 << 20


async def cached(desk: Desk, name: str) -> Path:
    """The file in the cache that holds the content of a file in the mount."""
    entry = (await desk.node(name)).entry
    assert entry is not None
    return desk.volume.blocks.folder / BlockKey(entry.id, entry.version).name


async def test_what_was_read_is_read_after_a_restart_without_a_request(
    mounts: Mounts, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """The cache is there for the next day, too."""
    await cloud.holds({"a": b"x" * MIB})
    async with mounts() as desk:
        await desk.reads("a")

    async with mounts() as desk:
        read = await desk.reads("a")

    assert read == b"x" * MIB
    assert wire.count("GET data") == 0


async def test_content_that_was_spoilt_on_its_way_is_replaced(
    desk: Desk, cloud: Cloud, kernel: RecordingKernel, clock: MockClock
) -> None:
    """Its whole has not the server's digest: it is fetched again, and the kernel forgets its pages of it."""
    await cloud.holds({"a": b"x" * MIB})
    await desk.reads("a")
    with (await cached(desk, "a")).open("r+b") as file:
        file.write(b"spoilt")

    await desk.volume.sealing.round()

    assert kernel.dropped == [(await desk.node("a")).inode]
    assert await desk.reads("a") == b"x" * MIB


async def test_rounds_follow_each_other(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """Each writes down what came in since the last one."""
    await cloud.holds({"a": b"x" * MIB, "b": b"y" * MIB})

    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.volume.sealing.run)
        await desk.reads("a")
        await trio.sleep(ROUND_S * 1.5)
        first = len(desk.volume.blocks.index.load().records)
        await desk.reads("b")
        await trio.sleep(ROUND_S)
        second = len(desk.volume.blocks.index.load().records)
        nursery.cancel_scope.cancel()

    assert (first, second) == (1, 2)


async def test_a_fault_in_sealing_ends_no_mount(
    desk: Desk, cloud: Cloud, clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, and the next round comes."""
    rounds = 0

    async def fails(work: object, /, *args: object) -> object:
        nonlocal rounds
        rounds += 1
        raise RuntimeError("a bug")

    await cloud.holds({"a": b"x" * MIB})
    await desk.reads("a")
    volume = desk.volume
    sealing = Sealing(volume.blocks, desk.fs._tree, RecordingKernel(), fails)  # type: ignore[arg-type]

    with trio.move_on_after(ROUND_S * 3.5):
        await sealing.run()

    assert rounds == 3
    assert caplog.text.count("a bug while sealing") == 3


async def test_a_small_cache_holds_its_limit_while_a_large_file_is_open(
    mounts: Mounts, cloud: Cloud, clock: MockClock
) -> None:
    """The limit is for the disk of the user, not a hint."""
    content = bytes(range(256)) * (24 * MIB // 256)
    await cloud.holds({"a": content})
    async with mounts(cache_bytes_max=6 * MIB) as desk:
        opened, held = await desk.opens("a"), []
        for offset in range(0, len(content), MIB):
            assert await desk.fs.read(opened, offset, MIB) == content[offset : offset + MIB]
            held.append(desk.volume.blocks.statistics().bytes_held)
        await desk.closes(opened)

    assert max(held) <= 6 * MIB


async def test_what_is_read_at_once_may_be_more_than_the_cache(mounts: Mounts, cloud: Cloud, clock: MockClock) -> None:
    """What a read waits for is not taken from it, or it would wait for ever."""
    content = bytes(range(256)) * (5 * MIB // 256)
    await cloud.holds({"a": content})
    async with mounts(cache_bytes_max=2 * MIB) as desk:
        assert await desk.reads("a") == content
        assert desk.volume.blocks.statistics().bytes_held <= 2 * MIB


# ---------------------------------------------------------------- asked from outside


@pytest.fixture
def verbs(desk: Desk, folder: Path) -> MountVerbs:
    volume = desk.volume
    return MountVerbs(
        volume.waiting,
        volume.uploader,
        volume.blocks,
        condition=dict,
        reading=volume.counters,
        profile="home",
        mountpoint=folder,
        root="/",
    )


async def nobody(news: Mapping[str, object]) -> None:
    """Listens to no news."""


async def test_a_mount_tells_what_its_cache_does(
    desk: Desk, verbs: MountVerbs, cloud: Cloud, folder: Path, clock: MockClock
) -> None:
    """All counters by their names, of keeping and of reading."""
    await cloud.holds({"a": b"x" * MIB})
    await desk.reads("a")
    await desk.reads("a")

    told = await verbs.cache(Arguments({}), nobody)

    counters = told["counters"]
    assert isinstance(counters, dict)
    assert told["folder"] == str(folder / "cache")
    assert {name: counters["cache"][name] for name in ("files", "bytes_held", "hits", "misses")} == {
        "files": 1,
        "bytes_held": MIB,
        "hits": 1,
        "misses": 1,
    }
    assert counters["reading"]["fetched_bytes"] == MIB


async def test_a_mount_clears_what_nobody_has_open(
    desk: Desk, verbs: MountVerbs, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """And goes on reading what somebody has."""
    await cloud.holds({"a": b"x" * MIB, "b": b"y" * MIB})
    await desk.reads("a")
    opened = await desk.opens("b")
    await desk.fs.read(opened, 0, MIB)

    freed = await verbs.clear_cache(Arguments({}), nobody)

    assert freed == {"files": 1, "bytes": MIB}
    wire.goes_offline()
    assert await desk.all_of(opened) == b"y" * MIB
    assert not (await cached(desk, "a")).exists()
