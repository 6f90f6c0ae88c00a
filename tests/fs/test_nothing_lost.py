"""What must not get lost when several things happen to a file at once."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import httpx
import pytest
import trio

from cxfs.core.errors import CxfsError, DiskFull, Stale
from cxfs.fs.filesystem import Wanted
from tests.fs.cloud import says

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

    from tests.fs.cloud import Cloud, Wire
    from tests.fs.desk import Desk, Mounts

MIB = 1 << 20


async def test_closing_a_file_that_was_replaced_meanwhile_leaves_the_new_one_alone(
    desk: Desk, cloud: Cloud, clock: MockClock
) -> None:
    """The replaced file's object is the new file's from then on; only an unlinked one goes with its last close."""
    await cloud.holds({"a": b"old"})
    reader = await desk.opens("a")
    await desk.writes("a.tmp", b"new")
    await desk.renames("a.tmp", "a")
    await desk.settles()

    await desk.closes(reader)
    await desk.settles()

    assert await cloud.tree() == {"a": b"new"}


async def test_a_rename_that_fails_takes_nothing_from_the_file_it_would_have_replaced(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """The target's own change was accepted, and counts until the target is really replaced."""
    await cloud.holds({"a": b"old", "b": b"other"})
    await desk.writes("a", b"accepted")
    wire.before = lambda request: (
        says(403, {"errorType": "AccessDenied", "message": "no"}) if "files/move" in request.url.path else None
    )

    with pytest.raises(CxfsError):
        await desk.renames("b", "a")
    await desk.settles()

    assert await cloud.tree() == {"a": b"accepted", "b": b"other"}


async def test_a_name_that_was_unlinked_while_open_is_free_for_a_new_file(
    desk: Desk, cloud: Cloud, clock: MockClock
) -> None:
    """The unlinked file is still on the server until its last close: that is no conflict."""
    await cloud.holds({"log": b"old"})
    reader = await desk.opens("log")
    await desk.removes("log")

    await desk.writes("log", b"new")
    await desk.waits(5)
    seen = await desk.all_of(reader)
    await desk.closes(reader)
    await desk.settles()

    assert seen == b"old"
    assert await cloud.tree() == {"log": b"new"}


async def test_a_name_that_was_unlinked_while_open_is_free_for_a_rename(
    desk: Desk, cloud: Cloud, clock: MockClock
) -> None:
    """What the server still holds of the unlinked file does not stand in the way."""
    await cloud.holds({"a": b"old", "b": b"other"})
    reader = await desk.opens("a")
    await desk.removes("a")

    await desk.renames("b", "a")
    await desk.closes(reader)
    await desk.settles()

    assert await cloud.tree() == {"a": b"other"}


async def test_a_name_that_was_unlinked_while_open_is_free_for_a_folder(
    desk: Desk, cloud: Cloud, clock: MockClock
) -> None:
    """As on a local disk: the name is free at once."""
    await cloud.holds({"a": b"old"})
    reader = await desk.opens("a")
    await desk.removes("a")

    await desk.makes_folder("a")
    await desk.closes(reader)
    await desk.settles()

    assert await cloud.tree() == {"a/": b""}


async def test_a_file_below_a_folder_that_is_being_renamed_is_sent_to_where_the_folder_is_then(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """On the server the rename is done before its answer is here: what is sent in between would find no folder."""
    await desk.makes_folder("d")
    await desk.writes("d/a", b"content")
    wire.holds_back("POST", "files")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.renames, "d", "e")
        await wire.held.wait()
        await desk.waits(5)
        wire.lets_go()
    await desk.settles()

    assert await cloud.tree() == {"e/": b"", "e/a": b"content"}


async def test_a_file_written_after_somebody_deleted_it_comes_back(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """The program has it open and is told that its writes were accepted: so they are kept."""
    await cloud.holds({"a": b"base"})
    handle = await desk.opens("a", writable=True)
    node = handle.node
    await cloud.deletes("a")
    await desk.waits(31)
    with pytest.raises(CxfsError):
        await desk.fs.attributes(node)

    await desk.fs.write(handle, 0, b"ours")
    await desk.closes(handle)
    await desk.settles()

    assert await cloud.tree() == {"a": b"ours"}


async def test_a_file_that_somebody_deleted_cannot_be_opened_by_its_number(
    desk: Desk, cloud: Cloud, clock: MockClock
) -> None:
    """The kernel may still know the number; a write to nowhere must not be accepted."""
    await cloud.holds({"a": b"base"})
    node = await desk.node("a")
    await cloud.deletes("a")
    await desk.waits(31)
    with pytest.raises(CxfsError):
        await desk.fs.attributes(node)

    with pytest.raises(Stale):
        await desk.fs.open(node, writable=True, truncate=True)
    with pytest.raises(Stale):
        await desk.fs.set_attributes(node, Wanted(size=1), None)

    assert not node.handles


async def test_a_reader_goes_on_when_the_file_becomes_another_version_under_its_read(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """What it waits for is needed no longer: it reads what the file holds now, and nothing is fetched for ever."""
    await cloud.holds({"a": bytes(8 * MIB)})
    reader = await desk.opens("a")
    wire.before = lambda request: httpx.ConnectError("no route") if "GET" in request.method else None
    seen: list[bytes] = []

    async def read() -> None:
        seen.append(await desk.fs.read(reader, 4 * MIB, 10))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await desk.waits(1)
        writer = await desk.opens("a", writable=True, truncate=True)
        await desk.fs.write(writer, 0, b"n" * (5 * MIB))
        await desk.closes(writer)
        await desk.settles()
        wire.comes_back()
    wire.requests.clear()
    await desk.waits(300)

    assert seen == [b"n" * 10]
    assert wire.count("GET data") == 0


async def test_the_draft_area_is_counted_right_after_a_patch_of_a_large_file(
    mounts: Mounts, cloud: Cloud, clock: MockClock
) -> None:
    """What was brought in from the base was counted out at the end without having been counted in."""
    await cloud.holds({"a": bytes(4 * MIB)})
    async with mounts(draft_bytes_max=MIB) as desk:
        await desk.patches("a", 0, b"x")
        await desk.settles()

        handle = await desk.creates("b")
        await desk.fs.write(handle, 0, bytes(MIB))
        with pytest.raises(DiskFull):
            await desk.fs.write(handle, MIB, b"x")

        assert desk.volume.changes.bytes_held == MIB


async def test_a_parked_change_that_was_rewritten_is_sent_by_the_next_run(
    mounts: Mounts, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """The new content may be welcome: it was never refused."""
    refusal = says(403, {"errorType": "AccessDenied", "message": "no"})
    wire.before = lambda request: refusal if request.method == "POST" else None
    async with mounts() as desk:
        await desk.writes("a", b"refused")
        await desk.settles()
        await desk.writes("a", b"rewritten")

    wire.comes_back()
    async with mounts() as desk:
        await desk.settles()

    assert await cloud.tree() == {"a": b"rewritten"}


async def test_a_close_that_is_cut_short_still_hands_the_file_over(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """Nobody closes it a second time: the last close counts, whatever its deadline or the journal does."""
    handle = await desk.creates("a")
    await desk.fs.write(handle, 0, b"content")
    with trio.CancelScope() as scope:
        scope.cancel()
        await desk.fs.close(handle)

    with trio.fail_after(100):
        await desk.settles()

    assert await cloud.tree() == {"a": b"content"}


async def test_a_rename_that_is_cut_short_still_sends_the_file(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """It is given back to the uploader on every way out."""
    await desk.writes("a", b"content")
    await desk.node("a")
    with trio.CancelScope() as scope:
        scope.cancel()
        await desk.renames("a", "b")

    with trio.fail_after(100):
        await desk.settles()

    assert list((await cloud.tree()).values()) == [b"content"]


async def test_an_unlinked_open_file_leaves_no_draft_behind(
    desk: Desk, cloud: Cloud, folder: Path, clock: MockClock
) -> None:
    """Its draft is nobody's after the last close."""
    await cloud.holds({"a": b"content"})
    handle = await desk.opens("a", writable=True)
    await desk.removes("a")
    await desk.fs.write(handle, 0, b"C")
    await desk.closes(handle)
    await desk.settles()

    assert not list((folder / "state" / "drafts").iterdir())


async def test_an_open_that_is_refused_leaves_no_handle(
    mounts: Mounts, cloud: Cloud, folder: Path, clock: MockClock
) -> None:
    """Else the file would count as open for ever."""
    await cloud.holds({"a": b"content"})
    async with mounts() as desk:
        node = await desk.node("a")
        shutil.rmtree(folder / "state" / "drafts")
        with pytest.raises(DiskFull):
            await desk.fs.open(node, writable=True, truncate=True)

        assert not node.handles


async def test_a_deletion_waits_for_a_new_sign_in(desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock) -> None:
    """A token that is refused is mended by signing in, as for uploads."""
    await cloud.holds({"a": b"content"})
    handle = await desk.opens("a")
    await desk.removes("a")
    wire.before = lambda request: (
        says(401, {"errorType": "BadAuthToken", "message": "expired"}) if request.method == "POST" else None
    )
    await desk.closes(handle)
    await desk.waits(10)

    wire.comes_back()
    await desk.settles()

    assert await cloud.tree() == {}


async def test_what_close_acknowledged_is_there_after_a_death_before_the_last_descriptor_is_gone(
    mounts: Mounts, cloud: Cloud, clock: MockClock
) -> None:
    """close(2) returns from the flush: the kernel tells the end of the descriptor later, and nobody waits for that."""
    async with mounts() as desk:
        handle = await desk.creates("a")
        await desk.fs.write(handle, 0, b"acknowledged")
        await desk.fs.flush(handle)

    async with mounts() as desk:
        await desk.settles()

    assert await cloud.tree() == {"a": b"acknowledged"}


async def test_a_file_moved_over_another_arrives_though_somebody_deletes_the_folder_of_that_one(
    desk: Desk, cloud: Cloud, clock: MockClock
) -> None:
    """It goes home to where its former object still stands, which leaves only when the file has arrived elsewhere."""
    await cloud.holds({"a": b"base", "d/a": b"other"})
    await desk.reads("d/a")
    await desk.writes("a", b"ours")
    await desk.renames("a", "d/a")
    await cloud.deletes("d")

    await desk.settles()
    await desk.waits(60)

    assert desk.volume.left == 0
    assert await cloud.tree() == {"a (conflict laptop 2026-05-01)": b"ours"}
