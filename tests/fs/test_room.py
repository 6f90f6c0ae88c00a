"""Out of room: in the account, in the draft area, on this machine. A program is told at the write, not later."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from cxfs.core.errors import DiskFull, NoSpace
from cxfs.fs.room import DRAFTS_FREE_BYTES_FLOOR, LOOK_AHEAD_BYTES
from cxfs.fs.space import Space
from cxfs.server.administration import set_quota
from tests.fs.cloud import says

if TYPE_CHECKING:
    from pathlib import Path

    import httpx
    from trio.testing import MockClock

    from cxfs.server.store import Store
    from tests.fs.cloud import Cloud, Wire
    from tests.fs.desk import Desk, Mounts

MIB = 1 << 20


@pytest.fixture
async def narrow(desk: Desk, store: Store) -> Desk:
    """A mount of an account of 1 MiB."""
    set_quota(store, "ann", MIB)
    await desk.volume.space.refresh()
    return desk


@pytest.mark.promise
async def test_a_full_account_is_told_at_the_write(narrow: Desk, cloud: Cloud, clock: MockClock) -> None:
    """A write that would pass the account's free quota, counting what waits to be uploaded, fails with EDQUOT at the
    write, not later."""
    await narrow.writes("a", bytes(MIB // 2))
    handle = await narrow.creates("b")
    await narrow.fs.write(handle, 0, bytes(MIB // 2))

    with pytest.raises(NoSpace):
        await narrow.fs.write(handle, MIB // 2, b"x")

    await narrow.closes(handle)
    await narrow.settles()
    assert {name: len(content) for name, content in (await cloud.tree()).items()} == {"a": MIB // 2, "b": MIB // 2}


async def test_what_was_uploaded_counts_before_the_server_is_asked_again(narrow: Desk, clock: MockClock) -> None:
    """Up to a minute may pass until then."""
    await narrow.writes("a", bytes(MIB))
    await narrow.settles()
    handle = await narrow.creates("b")

    with pytest.raises(NoSpace):
        await narrow.fs.write(handle, 0, b"x")


async def test_a_file_can_be_written_anew_in_a_full_account(narrow: Desk, cloud: Cloud, clock: MockClock) -> None:
    """It takes no more room than it had."""
    await narrow.writes("a", bytes(MIB))
    await narrow.settles()

    await narrow.writes("a", b"x" * MIB)
    await narrow.settles()

    assert await cloud.content("a") == b"x" * MIB


@pytest.mark.parametrize("kind", ["sent", "not sent"])
async def test_what_is_deleted_makes_room_at_once(narrow: Desk, cloud: Cloud, clock: MockClock, kind: str) -> None:
    """As on a local disk, though the server may be told later."""
    await narrow.writes("a", bytes(MIB))
    if kind == "sent":
        await narrow.settles()

    await narrow.removes("a")
    await narrow.writes("b", bytes(MIB))
    await narrow.settles()

    assert list(await cloud.tree()) == ["b"]


async def test_an_upload_waits_for_the_deletions_that_make_its_room(
    narrow: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """It is not parked for a refusal that goes away by itself."""
    await narrow.writes("a", bytes(MIB))
    await narrow.settles()
    refusals = iter([True, True, True])
    wire.before = lambda request: (
        says(503, {"errorType": "Unavailable", "message": "soon"})
        if "files/delete" in request.url.path and next(refusals, False)
        else None
    )
    await narrow.removes("a")
    await narrow.writes("b", bytes(MIB))

    await narrow.settles()

    assert list(await cloud.tree()) == ["b"]


async def test_extending_a_file_needs_room_in_the_account(narrow: Desk, clock: MockClock) -> None:
    """Zeros count as well once they are uploaded."""
    await narrow.writes("a", b"1")

    with pytest.raises(NoSpace):
        await narrow.truncates("a", MIB + 1)

    assert (await narrow.stat("a")).size == 1


async def test_an_account_without_any_room_is_told_at_the_write(desk: Desk, store: Store, clock: MockClock) -> None:
    """A quota of nothing is one, and not none that was told."""
    set_quota(store, "ann", 0)
    await desk.volume.space.refresh()
    handle = await desk.creates("a")

    with pytest.raises(NoSpace):
        await desk.fs.write(handle, 0, b"x")

    assert desk.volume.space.now == Space(0, 0)


async def test_where_no_quota_is_told_everything_is_accepted(desk: Desk, clock: MockClock) -> None:
    """The upload will tell."""
    assert desk.volume.space.now == Space(1 << 50, 0)

    await desk.writes("a", bytes(MIB))


@pytest.mark.promise
async def test_a_full_disk_is_told_at_the_write(mounts: Mounts, cloud: Cloud, clock: MockClock) -> None:
    """A write that would leave less than 64 MiB of this machine's disk fails with ENOSPC at the write; closing what was
    accepted before works all the same."""
    left = [DRAFTS_FREE_BYTES_FLOOR + 10]
    async with mounts(free_bytes=lambda _: left[0]) as desk:
        handle = await desk.creates("a")
        await desk.fs.write(handle, 0, b"0123456789")
        left[0] -= 10

        with pytest.raises(DiskFull):
            await desk.fs.write(handle, 10, b"x")

        await desk.closes(handle)
        await desk.settles()
    assert await cloud.tree() == {"a": b"0123456789"}


async def test_the_disk_is_looked_at_now_and_then_while_it_has_plenty(mounts: Mounts, clock: MockClock) -> None:
    """A look costs as much as a small write; what others filled meanwhile is seen before much more is written."""
    left, looks = [DRAFTS_FREE_BYTES_FLOOR + 100 * LOOK_AHEAD_BYTES], []

    def free_bytes(_: Path) -> int:
        looks.append(left[0])
        return left[0]

    async with mounts(free_bytes=free_bytes) as desk:
        handle = await desk.creates("a")

        async def writes_mib(first: int, count: int) -> None:
            for at in range(first, first + count):
                await desk.fs.write(handle, at * MIB, bytes(MIB))

        await writes_mib(0, 10)
        looks_at_ten = len(looks)
        left[0] = DRAFTS_FREE_BYTES_FLOOR

        with pytest.raises(DiskFull):
            await writes_mib(10, LOOK_AHEAD_BYTES // MIB)

        await desk.closes(handle)
    assert looks_at_ten == 1


async def test_the_cache_gives_way_to_what_is_written(mounts: Mounts, cloud: Cloud, clock: MockClock) -> None:
    """Losing any of it costs time, never data."""
    await cloud.holds({"a": bytes(MIB)})
    async with mounts(free_bytes=lambda _: DRAFTS_FREE_BYTES_FLOOR + MIB - volume.bytes_held()) as desk:

        class volume:  # noqa: N801 - a noun of this test
            @staticmethod
            def bytes_held() -> int:
                return desk.volume.blocks.statistics().bytes_held

        await desk.reads("a")
        held = volume.bytes_held()

        await desk.writes("b", bytes(MIB))

        assert (held, volume.bytes_held()) == (MIB, 0)


async def test_a_journal_on_a_full_disk_is_written_all_the_same(
    desk: Desk, cloud: Cloud, folder: Path, clock: MockClock
) -> None:
    """The reserve is given up for it; then writes are refused until it is back."""
    handle = await desk.creates("a")
    await desk.fs.write(handle, 0, b"accepted")
    desk.outbox._ledger.connection = FullUntil(desk.outbox._ledger.connection, folder / "state" / "reserve")  # type: ignore[assignment]

    await desk.closes(handle)

    assert not (folder / "state" / "reserve").exists()
    await desk.settles()
    assert await cloud.tree() == {"a": b"accepted"}


async def test_what_arrives_while_the_journal_has_no_room_is_no_bug(
    mounts: Mounts, cloud: Cloud, wire: Wire, folder: Path, clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """The next mount finds it there, by its digest, and sends it no second time."""
    is_full = folder / "full"

    def fills_up(request: httpx.Request) -> None:
        if "/data/" in request.url.path:
            is_full.touch()

    async with mounts() as desk:
        wire.after = fills_up
        desk.outbox._ledger.connection = FullUntil(desk.outbox._ledger.connection, is_full)  # type: ignore[assignment]
        await desk.writes("a", b"accepted")
        await desk.settles()
        is_full.unlink()
    wire.after = lambda _: None

    async with mounts() as desk:
        await desk.settles()

    assert "self:/a waits for the server: the journal cannot be written: database or disk is full" in caplog.messages
    assert (await cloud.tree(), (await cloud.entry("a")).version) == ({"a": b"accepted"}, 1)
    assert not [record for record in caplog.records if record.exc_info]


class FullUntil:
    """A journal whose disk is full while the reserve is there."""

    def __init__(self, journal: sqlite3.Connection, reserve: Path) -> None:
        self._journal = journal
        self._reserve = reserve

    def execute(self, statement: str, cells: tuple[object, ...] = ()) -> sqlite3.Cursor:
        if statement == "COMMIT" and self._reserve.exists():
            raise sqlite3.OperationalError("database or disk is full")
        return self._journal.execute(statement, cells)

    def __getattr__(self, name: str) -> object:
        return getattr(self._journal, name)
