"""When this machine fails: its folders, its descriptors, its clock. What was accepted is sent, what is not is said."""

from __future__ import annotations

import errno
import os
import resource
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from cxfs.core.errors import CxfsError, DiskFull
from tests.fs.worlds import TTL_S

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from trio.testing import MockClock

    from tests.fs.cloud import Cloud, Wire
    from tests.fs.desk import Mounts

HOURS_MS = 5 * 3_600_000


@pytest.mark.promise
async def test_a_state_folder_that_is_removed_takes_nothing_more(
    mounts: Mounts, cloud: Cloud, folder: Path, clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """When the state folder is removed under the daemon, changes fail with EIO from then on and the log says so;
    what was written before is still sent, and what is here can be read."""
    async with mounts(settle_s=10) as desk:
        await cloud.holds({"there": b"there"})
        await desk.writes("before", b"before")
        half = await desk.creates("half")
        await desk.fs.write(half, 0, b"half")

        shutil.rmtree(folder / "state")

        for refused in (desk.makes_folder("folder"), desk.fs.flush(half), desk.fs.close(half)):
            with pytest.raises(CxfsError, match="the state folder is gone"):
                await refused
        assert await desk.reads("there") == b"there"
        await desk.settles()

    assert (await cloud.tree())["before"] == b"before"
    assert [record.message for record in caplog.records if "is gone" in record.message] == [
        f"{folder / 'state'} is gone: nothing more is accepted; unmount, and mount again"
    ]


@pytest.mark.parametrize("off_ms", [-HOURS_MS, HOURS_MS], ids=["back", "ahead"])
async def test_a_clock_that_jumps_disturbs_nothing(
    mounts: Mounts, cloud: Cloud, wire: Wire, clock: MockClock, off_ms: int
) -> None:
    """What is believed, and for how long, goes by a clock that only goes on; files have the date that the day has."""
    off = 0
    await cloud.holds({"old": b"old"})
    async with mounts(time_of_day_is_off_ms=lambda: off) as desk:
        await desk.writes("before", b"x")
        await desk.names()
        before = (await desk.stat("before")).modified_ns
        wire.requests.clear()

        off = off_ms
        await desk.waits(TTL_S / 2)
        await desk.names()
        asked_within_ttl = wire.count("GET files/list")
        await desk.writes("after", b"y")
        pending_age_s = [row.age_s for row in desk.volume.waiting.rows()]
        await desk.settles()
        wire.requests.clear()
        await desk.waits(TTL_S + 1)
        await desk.names()
        asked_after_ttl = wire.count("GET files/list")
        after = (await desk.stat("after")).modified_ns

    assert asked_within_ttl == 0
    assert asked_after_ttl == 1
    assert abs(after - before - off_ms * 1_000_000) < 60 * 10**9
    assert all(age_s is not None and age_s >= 0 for age_s in pending_age_s)
    assert set(await cloud.tree()) == {"old", "before", "after"}


@pytest.mark.parametrize("off_ms", [-HOURS_MS, HOURS_MS], ids=["back", "ahead"])
async def test_what_waited_while_the_clock_jumped_is_sent_by_the_next_mount(
    mounts: Mounts, cloud: Cloud, wire: Wire, clock: MockClock, off_ms: int
) -> None:
    """The journal's order is that of its rows, not of its dates."""
    off = 0
    async with mounts(time_of_day_is_off_ms=lambda: off) as desk:
        await desk.names()
        wire.goes_offline()
        await desk.writes("a", b"first")
        off = off_ms
        await desk.writes("a", b"second")
        await desk.writes("b", b"b")
    wire.comes_back()

    async with mounts(time_of_day_is_off_ms=lambda: off) as desk:
        ages_s = [row.age_s for row in desk.volume.waiting.rows()]
        await desk.settles()

    assert all(age_s is not None and age_s >= 0 for age_s in ages_s)
    assert await cloud.tree() == {"a": b"second", "b": b"b"}


@contextmanager
def few_descriptors(more: int) -> Iterator[None]:
    """This process may open only so many more files."""
    former = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)  # that is free
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + more, former[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, former)


async def test_too_many_open_files_are_told_and_harm_nothing(
    mounts: Mounts, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """Each draft that waits is one; what was accepted before is sent, and afterwards there is room again."""
    async with mounts() as desk:
        await desk.writes("before", b"before")
        wire.goes_offline()
        accepted: list[str] = []

        async def writes_many() -> None:
            for number in range(500):
                await desk.writes(f"file-{number}", b"x")
                accepted.append(f"file-{number}")

        with few_descriptors(60), pytest.raises(DiskFull) as refused:
            await writes_many()
        assert isinstance(refused.value.__cause__, OSError)
        assert refused.value.__cause__.errno == errno.EMFILE
        wire.comes_back()
        await desk.settles()
        await desk.writes("after", b"after")
        await desk.settles()

    assert len(accepted) > 10
    assert set(await cloud.tree()) == {"before", "after", *accepted}


async def test_a_cache_folder_that_is_none_stops_nobody(
    mounts: Mounts, cloud: Cloud, folder: Path, clock: MockClock
) -> None:
    """Files are read, written, and read again."""
    await cloud.holds({"large": bytes(range(256)) * 8_192})
    (folder / "cache").write_bytes(b"")
    async with mounts() as desk:
        assert await desk.reads("large") == bytes(range(256)) * 8_192
        await desk.writes("written", b"written")
        await desk.settles()
        assert await desk.reads("written") == b"written"
