"""Sync: everything at or below a place is at the server when it returns, or is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing

from cxfs.core.connection import PROBE_MOST_S
from cxfs.core.errors import Denied, NoSpace, NotFound, TimedOut, Unreachable
from tests.fs.cloud import says

if TYPE_CHECKING:
    from trio.testing import MockClock

    from cxfs.fs.file_handle import FileHandle
    from cxfs.fs.syncing import Synced, SyncProgress
    from tests.fs.cloud import Cloud, Wire
    from tests.fs.desk import Desk, Mounts

FULL = {"errorType": "QuotaExceeded", "message": "full"}


async def syncs(desk: Desk, place: str = "") -> Synced:
    """What `cxfs sync` does, with nobody watching."""

    async def nobody(_: SyncProgress) -> None:
        pass

    return await desk.volume.waiting.sync(place.encode(), nobody)


async def test_sync_starts_at_once_and_returns_when_the_server_has_it(
    desk: Desk, cloud: Cloud, clock: MockClock
) -> None:
    """No settling time: whoever asks has nothing more to write."""
    await desk.writes("a", b"content")
    before = trio.current_time()

    synced = await syncs(desk, "a")

    assert await cloud.tree() == {"a": b"content"}
    assert trio.current_time() - before < 1
    assert (synced.files, synced.bytes, synced.failures) == (1, 7, 0)


async def test_sync_of_a_folder_takes_what_is_below_and_no_more(mounts: Mounts, cloud: Cloud, clock: MockClock) -> None:
    """Its new folders, its deletions, its files; the others wait for their time."""
    await cloud.holds({"folder/old": b"old", "other/": b""})
    async with mounts(settle_s=3600.0) as desk:
        await desk.makes_folder("folder/new")
        await desk.writes("folder/new/a", b"a")
        await desk.removes("folder/old")
        await desk.writes("folder-beside", b"b")
        await desk.writes("other/c", b"c")

        synced = await syncs(desk, "folder")

    assert synced.files == 1
    assert await cloud.tree() == {"folder/": b"", "folder/new/": b"", "folder/new/a": b"a", "other/": b""}


async def test_sync_finds_what_others_have_moved(mounts: Mounts, cloud: Cloud, clock: MockClock) -> None:
    """The change goes by identity, and so does the question."""
    await cloud.holds({"before/a": b"old"})
    async with mounts(settle_s=3600.0) as desk:
        await desk.writes("before/a", b"new")
        await cloud.renames("before", "after")
        await desk.waits(60)

        synced = await syncs(desk, "after")

    assert synced.files == 1
    assert await cloud.tree() == {"after/": b"", "after/a": b"new"}


async def test_sync_of_a_place_where_nothing_is(desk: Desk, clock: MockClock) -> None:
    """A misspelt path must not pass for synced."""
    with pytest.raises(NotFound, match="a/b: no such file"):
        await syncs(desk, "a/b")


async def test_sync_of_what_is_clean_returns_at_once(desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock) -> None:
    """There is nothing to do."""
    await cloud.holds({"a": b"content"})

    synced = await syncs(desk, "a")

    assert (synced.files, wire.count("POST")) == (0, 0)


async def test_sync_sends_an_open_file_as_far_as_it_was_written(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """As fsync does; what follows is the next version."""
    handle = await desk.creates("log")
    await desk.fs.write(handle, 0, b"first")

    await syncs(desk)

    assert await cloud.content("log") == b"first"
    await desk.fs.write(handle, 5, b", second")
    await desk.closes(handle)
    await desk.settles()
    assert await cloud.content("log") == b"first, second"
    assert (await cloud.entry("log")).version == 2


async def test_sync_of_a_file_that_is_renamed_meanwhile_goes_on(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """An open file too, which nobody else would plan anew."""
    handle = await desk.creates("a")
    await desk.fs.write(handle, 0, b"content")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(syncs, desk)
        await trio.testing.wait_all_tasks_blocked()

        await desk.renames("a", "b")

    assert await cloud.tree() == {"b": b"content"}


async def test_sync_of_an_open_file_that_is_renamed_before_its_turn_goes_on(
    mounts: Mounts, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """It waits for a place among the uploads, is held by the rename, and has to be planned again."""
    async with mounts(uploads_max=1) as desk:
        await desk.writes("first", b"first")
        handle = await desk.creates("a")
        await desk.fs.write(handle, 0, b"content")
        wire.holds_back("POST", "data")
        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(syncs, desk)
                await wire.held.wait()
                await desk.renames("a", "b")
                wire.lets_go()

    assert await cloud.tree() == {"first": b"first", "b": b"content"}


async def test_a_file_that_is_written_without_pause_ends_the_wait(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """And is named: it is not there, and nobody can say when it will be."""
    handle = await desk.creates("recording")

    async def record() -> None:
        while True:
            await desk.fs.write(handle, 0, b"x")
            await desk.waits(0.01)

    wire.before = lambda _: says(503, {"errorType": "Unavailable", "message": "slow"})
    async with trio.open_nursery() as nursery:
        nursery.start_soon(record)

        synced = await syncs(desk)

        nursery.cancel_scope.cancel()
    assert (synced.restless, synced.failures) == (("recording",), 1)


async def test_what_the_server_refuses_ends_the_wait_and_is_named(desk: Desk, wire: Wire, clock: MockClock) -> None:
    """With the reason; the rest is synced."""
    await desk.writes("a", b"a")
    await desk.writes("b", b"b")
    refusals = iter([says(507, FULL), says(507, FULL)])  # of both together, and then of the first alone
    wire.before = lambda request: next(refusals, None) if request.method == "POST" else None

    synced = await syncs(desk)

    assert [reason for _, reason in synced.parked] == ["the server answered 507: full"]
    assert (synced.files, synced.failures) == (2, 1)


async def test_a_conflict_is_named_with_where_ours_went(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """It is at the server, but not under its name."""
    await cloud.holds({"a": b"base"})
    await desk.reads("a")
    await desk.writes("a", b"ours")
    await cloud.puts("a", b"theirs")

    synced = await syncs(desk, "a")

    assert synced.conflicts == (("a", "a (conflict laptop 2026-05-01)"),)
    assert await cloud.content("a (conflict laptop 2026-05-01)") == b"ours"


async def test_what_stands_behind_something_refused_ends_the_wait(desk: Desk, wire: Wire, clock: MockClock) -> None:
    """A file in a folder that the server does not take would wait for ever."""
    wire.before = lambda request: (
        says(403, {"errorType": "AccessDenied", "message": "no"}) if "mkdir" in request.url.path else None
    )
    await desk.makes_folder("folder")
    await desk.writes("folder/a", b"a")

    synced = await syncs(desk)

    assert [path for path, _ in synced.parked] == ["folder", "folder/a"]
    assert synced.failures == 2


async def test_sync_does_not_wait_for_the_end_of_a_pause(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """Somebody knows that the server is back, and says so."""
    await desk.names()
    wire.goes_offline()
    await desk.writes("a", b"content")
    await desk.waits(600)
    wire.comes_back()
    before = trio.current_time()

    await syncs(desk)

    assert await cloud.tree() == {"a": b"content"}
    assert trio.current_time() - before < 1


async def test_whoever_waits_hears_how_far_it_is_and_why_it_is_not(desk: Desk, wire: Wire, clock: MockClock) -> None:
    """All of it at first, then less; while the server is away, why."""
    await desk.names()
    await desk.writes("a", b"12345")
    heard: list[SyncProgress] = []

    async def tell(progress: SyncProgress) -> None:
        heard.append(progress)
        if progress.trouble:
            wire.comes_back()

    wire.goes_offline()
    await desk.volume.waiting.sync(b"", tell)

    assert (heard[0].files_left, heard[0].bytes_left, heard[0].trouble) == (1, 5, None)
    assert "no route" in str(heard[-1].trouble)


# ---------------------------------------------------------------------------------------------- sync=remote


async def flushes(desk: Desk, handle: FileHandle) -> None:
    """What close(2) does before the handle is gone."""
    await desk.fs.flush(handle)
    await desk.fs.arrived(handle)


async def fsyncs(desk: Desk, handle: FileHandle) -> None:
    """What fsync(2) does."""
    await desk.fs.fsync(handle)
    await desk.fs.arrived(handle)


@pytest.mark.promise
async def test_with_sync_remote_close_returns_when_the_server_has_it(
    mounts: Mounts, cloud: Cloud, clock: MockClock
) -> None:
    """With `sync=remote`, `close` and `fsync` return when the server has what was written."""
    async with mounts(sync_remote=True) as desk:
        handle = await desk.creates("a")
        await desk.fs.write(handle, 0, b"first")
        await fsyncs(desk, handle)
        after_fsync = await cloud.tree()
        await desk.fs.write(handle, 0, b"later")

        await flushes(desk, handle)

        assert after_fsync == {"a": b"first"}
        assert await cloud.tree() == {"a": b"later"}
        await desk.fs.close(handle)


async def test_with_sync_remote_a_reader_waits_for_nobody(mounts: Mounts, wire: Wire, clock: MockClock) -> None:
    """Only the handle that wrote is answered for."""
    async with mounts(sync_remote=True) as desk:
        writer = await desk.creates("a")
        await desk.fs.write(writer, 0, b"content")
        wire.goes_offline()

        assert await desk.reads("a") == b"content"


@pytest.mark.promise
async def test_with_sync_remote_a_refusal_reaches_close(mounts: Mounts, wire: Wire, clock: MockClock) -> None:
    """With `sync=remote` a refusal of the server (quota, permission) reaches `close` as its errno, and the change is
    kept."""
    async with mounts(sync_remote=True) as desk:
        for name, answer, kind in (
            ("a", says(507, FULL), NoSpace),
            ("b", says(403, {"errorType": "AccessDenied", "message": "no"}), Denied),
        ):
            handle = await desk.creates(name)
            await desk.fs.write(handle, 0, b"kept")
            wire.before = lambda _, answer=answer: answer  # type: ignore[misc]

            with pytest.raises(kind):
                await flushes(desk, handle)

            await desk.fs.close(handle)
            assert await desk.reads(name) == b"kept"


async def test_with_sync_remote_a_server_that_takes_nothing_fails_fsync(
    mounts: Mounts, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """After the deadline of content; the change is kept, and sent when the server is back."""
    async with mounts(sync_remote=True, stall_s=60.0) as desk:
        handle = await desk.creates("a")
        await desk.fs.write(handle, 0, b"kept")
        wire.goes_offline()
        before = trio.current_time()

        with pytest.raises(Unreachable):
            await fsyncs(desk, handle)

        assert 60 <= trio.current_time() - before < 70
        wire.comes_back()
        await desk.waits(PROBE_MOST_S)
        await flushes(desk, handle)
        await desk.fs.close(handle)
    assert await cloud.tree() == {"a": b"kept"}


async def test_with_sync_remote_the_deadline_is_about_progress(mounts: Mounts, wire: Wire, clock: MockClock) -> None:
    """A server that holds an answer back for ever gives ETIMEDOUT, though it never failed."""
    async with mounts(sync_remote=True, stall_s=20.0) as desk:
        handle = await desk.creates("a")
        await desk.fs.write(handle, 0, b"content")
        wire.holds_back("POST", "data")

        with pytest.raises(TimedOut):
            await fsyncs(desk, handle)

        wire.lets_go()
