"""Content on its way out: what programs may do to a file before and while it travels."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import httpx
import pytest

from cxfs.core.errors import DiskFull, NotEmpty, ReadOnly
from cxfs.core.uploads import LARGE_BYTES, LARGE_SETTLE_S
from cxfs.fs.filesystem import Wanted
from cxfs.fs.renaming import Rename

if TYPE_CHECKING:
    from trio.testing import MockClock

    from tests.fs.cloud import Cloud, Wire
    from tests.fs.desk import Desk, Mounts

MIB = 1 << 20


@pytest.mark.promise
async def test_a_closed_file_reaches_the_server_a_short_while_later(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """A write goes to a local draft, and the file is uploaded a short while after its last close."""
    await desk.writes("a", b"hello")
    uploads_at_close = wire.count("POST data")

    await desk.settles()

    assert uploads_at_close == 0
    assert await cloud.tree() == {"a": b"hello"}
    assert wire.count("POST data") == 1


@pytest.mark.promise
async def test_truncate_append_and_random_writes_are_one_new_version(
    desk: Desk, cloud: Cloud, clock: MockClock
) -> None:
    """Truncating, appending and writing anywhere in a file work, and keep the bytes that were not written."""
    content = random.Random(1).randbytes(3 * MIB)
    await cloud.holds({"a": content})
    uuid = (await cloud.entry("a")).id
    expected = bytearray(content)

    await desk.truncates("a", 2 * MIB)
    await desk.patches("a", 1_000_000, b"patch")
    await desk.patches("a", 2 * MIB, b"the end")
    await desk.settles()

    del expected[2 * MIB :]
    expected[1_000_000:1_000_005] = b"patch"
    expected += b"the end"
    entry = await cloud.entry("a")
    assert await cloud.content("a") == bytes(expected)
    assert (entry.id, entry.version) == (uuid, 2)


async def test_a_small_write_into_a_large_file_fetches_nothing_before_the_upload(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """Appending to a log of a gigabyte must not wait for the gigabyte."""
    await cloud.holds({"a": bytes(8 * MIB)})
    handle = await desk.opens("a", writable=True)

    await desk.fs.write(handle, 4 * MIB, b"x")
    await desk.fs.flush(handle)

    assert desk.volume.reader.statistics().fetched_bytes == 0


@pytest.mark.promise
async def test_a_hole_reads_as_zeros(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """Sparse files work: what lies between two writes reads as zeros."""
    handle = await desk.creates("a")
    await desk.fs.write(handle, 0, b"begin")
    await desk.fs.write(handle, MIB, b"end")
    await desk.closes(handle)

    await desk.settles()

    assert await cloud.content("a") == b"begin" + bytes(MIB - 5) + b"end"


@pytest.mark.promise
async def test_a_write_during_an_upload_is_neither_lost_nor_mixed_in(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """What is uploaded is always one consistent content: a write during an upload is neither lost nor mixed into it."""
    await desk.writes("a", b"a" * 64)
    wire.holds_back("POST", "data")
    await desk.waits(2)
    await wire.held.wait()

    await desk.patches("a", 0, b"b" * 64)
    wire.lets_go()
    await desk.settles()

    versions = await cloud.files.versions((await cloud.entry("a")).path)
    assert await cloud.content("a") == b"b" * 64
    assert [version.size for version in versions] == [64, 64]


async def test_everybody_who_has_the_file_open_sees_what_is_written(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """POSIX: a write is visible to every later read, through whichever handle."""
    await cloud.holds({"a": b"old content"})
    reader = await desk.opens("a")
    writer = await desk.opens("a", writable=True)

    await desk.fs.write(writer, 0, b"new")

    assert await desk.all_of(reader) == b"new content"


async def test_a_reader_follows_the_file_over_its_upload(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """The draft becomes a version of the server; who has the file open notices nothing."""
    await desk.writes("a", b"content")
    reader = await desk.opens("a")

    await desk.settles()

    assert await desk.all_of(reader) == b"content"


async def test_what_was_written_is_read_again_without_fetching_it(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """The draft becomes the cached content of the version that it was uploaded as."""
    await desk.writes("a", b"x" * MIB)
    await desk.settles()

    content = await desk.reads("a")

    assert content == b"x" * MIB
    assert wire.count("GET data") == 0


async def test_a_large_file_sets_off_almost_at_once(desk: Desk, wire: Wire, clock: MockClock) -> None:
    """It travels for long enough, and nobody makes thousands of them in a row."""
    wire.before = lambda request: httpx.ConnectError("not today") if request.method == "POST" else None
    handle = await desk.creates("film")
    await desk.fs.set_attributes(handle.node, Wanted(size=LARGE_BYTES), handle)
    await desk.closes(handle)
    await desk.waits(LARGE_SETTLE_S / 2)
    uploads_at_close = wire.count("POST data")

    await desk.waits(LARGE_SETTLE_S)

    assert (uploads_at_close, wire.count("POST data")) == (0, 1)


async def test_a_small_file_waits_for_its_next_rewrite(desk: Desk, wire: Wire, clock: MockClock) -> None:
    """Beside the large one."""
    await desk.writes("note", b"hello")

    await desk.waits(2 * LARGE_SETTLE_S)

    assert wire.count("POST data") == 0


@pytest.mark.promise
async def test_write_temporary_then_rename_is_one_upload(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """Writing a temporary file and renaming it over an existing one is one upload: a new version of the file that it
    replaces, which keeps its UUID."""
    await cloud.holds({"a": b"old"})
    before = await cloud.entry("a")
    await desk.reads("a")
    wire.requests.clear()

    await desk.writes("a.tmp", b"new")
    await desk.renames("a.tmp", "a")
    await desk.settles()

    after = await cloud.entry("a")
    assert await cloud.tree() == {"a": b"new"}
    assert (after.id, after.version) == (before.id, before.version + 1)
    assert wire.count("POST") == 1


@pytest.mark.promise
async def test_a_file_made_and_deleted_before_it_was_sent_is_never_sent(
    desk: Desk, wire: Wire, clock: MockClock
) -> None:
    """A file that is made and deleted before it was sent is never sent."""
    await desk.names()
    wire.requests.clear()

    await desk.writes("a", b"short life")
    await desk.removes("a")
    await desk.waits(10)

    assert wire.count("POST") == 0
    assert not await desk.has("a")


async def test_a_new_file_renamed_while_it_is_being_sent_ends_under_its_new_name(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """Operations follow identity: the answer is awaited, then the object is moved."""
    await desk.writes("a", b"content")
    wire.holds_back("POST", "data")
    await desk.waits(2)
    await wire.held.wait()
    wire.lets_go()

    await desk.renames("a", "b")
    await desk.settles()

    assert await cloud.tree() == {"b": b"content"}


async def test_a_folder_renamed_above_a_waiting_file_takes_it_along(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """What waits below a folder is sent to where the folder is by then."""
    await desk.makes_folder("d")
    await desk.writes("d/a", b"content")

    await desk.renames("d", "e")
    await desk.settles()

    assert await cloud.tree() == {"e/": b"", "e/a": b"content"}


@pytest.mark.promise
async def test_an_open_file_survives_its_unlink(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """A file that is unlinked while it is open stays readable and writable until it is closed, then it is gone from the
    server."""
    await cloud.holds({"a": b"content"})
    handle = await desk.opens("a", writable=True)

    await desk.removes("a")
    await desk.fs.write(handle, 0, b"C")
    seen = await desk.all_of(handle)
    await desk.closes(handle)
    await desk.settles()

    assert seen == b"Content"
    assert not await desk.has("a")
    assert await cloud.tree() == {}


async def test_a_folder_with_a_file_on_its_way_is_not_empty(desk: Desk, clock: MockClock) -> None:
    """The server would call it empty."""
    await desk.makes_folder("d")
    await desk.writes("d/a", b"1")

    with pytest.raises(NotEmpty):
        await desk.removes_folder("d")


@pytest.mark.promise
async def test_the_time_that_was_set_does_not_jump(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """A modification time set by the user (cp -p, rsync, tar, touch -d) is kept, to the nanosecond, and does not jump
    when the upload completes."""
    await desk.writes("a", b"1")
    await desk.sets_time("a", 1_234_567_890_123_456_789)
    before = (await desk.stat("a")).modified_ns

    await desk.settles()

    assert before == 1_234_567_890_123_456_789
    assert (await desk.stat("a")).modified_ns == before
    assert (await cloud.entry("a")).modified_ns == before


async def test_a_time_that_the_server_keeps_to_the_millisecond_does_not_jump_either(
    mounts: Mounts, cloud: Cloud, clock: MockClock
) -> None:
    """What it would cut off is not shown here before."""
    async with mounts(capabilities=frozenset({"attributes", "bundle"})) as desk:
        await desk.writes("a", b"1")
        await desk.sets_time("a", 1_234_567_890_123_456_789)
        before = (await desk.stat("a")).modified_ns

        await desk.settles()

        assert before == (await desk.stat("a")).modified_ns == 1_234_567_890_123_000_000


async def test_a_time_set_while_the_file_is_being_sent_is_kept(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """rsync sets the time after the close, when the upload may have begun."""
    await desk.writes("a", b"1")
    wire.holds_back("POST", "data")
    await desk.waits(2)
    await wire.held.wait()
    await desk.touches("a", 1_234_567_890_123)
    wire.lets_go()

    await desk.settles()

    assert (await desk.stat("a")).modified_ns == 1_234_567_890_123_000_000
    assert (await cloud.entry("a")).modified_ms == 1_234_567_890_123


@pytest.mark.promise
async def test_without_the_capability_a_time_holds_for_this_mount(
    mounts: Mounts, cloud: Cloud, clock: MockClock
) -> None:
    """Where the server cannot keep a time, it holds for this mount's life."""
    await cloud.holds({"a": b"1"})
    async with mounts(capabilities=frozenset()) as desk:
        await desk.touches("a", 1_234_567_890_123)
        await desk.waits(60)

        assert (await desk.stat("a")).modified_ns == 1_234_567_890_123_000_000


@pytest.mark.promise
async def test_owners_hold_for_this_mount_and_modes_where_the_server_keeps_none(
    mounts: Mounts, clock: MockClock
) -> None:
    """chown of one's own files succeeds and holds for this mount's life, and so does chmod where the server keeps no
    modes."""
    async with mounts(capabilities=frozenset()) as desk:
        await desk.writes("script", b"#!/bin/sh\n")

        await desk.fs.set_attributes(await desk.node("script"), Wanted(mode=0o755, uid=7, gid=8), None)
        await desk.settles()

        seen = await desk.stat("script")
        assert (seen.mode, seen.uid, seen.gid) == (0o755, 7, 8)


@pytest.mark.promise
async def test_modes_are_kept_by_the_server(mounts: Mounts, clock: MockClock) -> None:
    """Modes, also those that files and folders are made with, are kept by a server that can (capability `posix`), and
    every mount shows them."""
    async with mounts() as desk:
        await desk.writes("script", b"#!/bin/sh\n")
        await desk.sets_mode("script", 0o755)
        await desk.makes_folder("folder", 0o700)
        await desk.settles()

    async with mounts() as desk:
        assert [(await desk.stat(name)).mode for name in ("script", "folder")] == [0o755, 0o700]


@pytest.mark.promise
async def test_a_full_draft_area_is_told_at_the_write(mounts: Mounts, clock: MockClock) -> None:
    """A write that would pass the limit of the draft area fails with ENOSPC at the write, not later."""
    async with mounts(draft_bytes_max=MIB) as desk:
        handle = await desk.creates("a")
        await desk.fs.write(handle, 0, bytes(MIB))

        with pytest.raises(DiskFull):
            await desk.fs.write(handle, MIB, b"x")


@pytest.mark.promise
async def test_a_read_only_mount_accepts_no_change(mounts: Mounts, cloud: Cloud, clock: MockClock) -> None:
    """On a read-only mount every change fails with EROFS."""
    await cloud.holds({"a": b"1", "d/": b""})
    async with mounts(read_only=True) as desk:
        for change in (
            desk.writes("a", b"2"),
            desk.removes("a"),
            desk.makes_folder("e"),
            desk.removes_folder("d"),
            desk.renames("a", "b", Rename.REPLACE),
            desk.touches("a", 1),
            desk.truncates("a", 0),
        ):
            with pytest.raises(ReadOnly):
                await change

    assert await cloud.tree() == {"a": b"1", "d/": b""}


async def test_the_attributes_tell_where_a_file_stands(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """`getfattr` answers "is it uploaded?"."""
    await desk.writes("a", b"1")
    pending = desk.fs.extended_attributes(await desk.node("a"))

    await desk.settles()

    synced = desk.fs.extended_attributes(await desk.node("a"))
    assert pending["user.cx.status"] == b"pending"
    assert synced["user.cx.status"] == b"synced"
    assert synced["user.cx.uuid"] == (await cloud.entry("a")).id.encode()
