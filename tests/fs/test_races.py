"""What several programs, other people and the uploader do to the same names at the same time."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, TypeVarTuple

import httpx
import pytest
import trio
import trio.testing

from cxfs.core.errors import CxfsError
from cxfs.fs.filesystem import Wanted
from cxfs.fs.renaming import Rename
from tests.fs.cloud import says

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from trio.testing import MockClock

    from cxfs.fs.offload import Offload
    from tests.fs.cloud import Cloud, Wire
    from tests.fs.desk import Desk, Mounts
    from tests.fs.recording import RecordingKernel

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


async def test_a_name_whose_deletion_is_still_on_its_way_is_free_for_a_new_file(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """What the server still holds was deleted here: it is waited for, and no conflict."""
    await cloud.holds({"a": b"old"})
    reader = await desk.opens("a")
    await desk.removes("a")
    wire.before = lambda request: (
        says(503, {"errorType": "Unavailable", "message": "soon"}) if "files/delete" in request.url.path else None
    )
    await desk.closes(reader)

    await desk.writes("a", b"new")
    await desk.waits(30)
    wire.comes_back()
    await desk.settles()

    assert await cloud.tree() == {"a": b"new"}


async def test_a_file_that_was_sent_while_its_folder_was_being_listed_stays_in_the_listing(
    desk: Desk, clock: MockClock
) -> None:
    """`rm -r` would leave it behind, and then find the folder not empty."""
    await desk.writes("a", b"content")
    handle = await desk.walks()

    await desk.settles()
    found = desk.fs.child(handle, 0)

    assert found is not None
    assert found[1] is await desk.node("a")


async def test_a_truncate_of_an_open_file_follows_its_content_into_a_conflict_copy(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """The kernel names the file by the number it had before; the descriptor knows better."""
    await cloud.holds({"a": b"base"})
    first = await desk.opens("a", writable=True)
    await desk.fs.write(first, 0, b"ours")
    await cloud.puts("a", b"theirs")
    await desk.closes(first)
    node, second = await desk.node("a"), await desk.opens("a", writable=True)
    wire.holds_back("POST", "data")
    await wire.held.wait()
    await desk.fs.write(second, 0, b"OURS")
    wire.lets_go()
    await desk.volume.uploader.ended()

    await desk.fs.set_attributes(node, Wanted(size=2), second)
    await desk.closes(second)
    await desk.settles()

    assert await cloud.tree() == {"a": b"theirs", "a (conflict laptop 2026-05-01)": b"OU"}


async def test_a_second_conflict_adds_its_number_to_the_name(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """Not the words once more."""
    await cloud.holds({"a.txt": b"base", "a (conflict laptop 2026-05-01).txt": b"earlier"})
    handle = await desk.opens("a.txt", writable=True)
    await desk.fs.write(handle, 0, b"ours")
    await cloud.puts("a.txt", b"theirs")

    await desk.closes(handle)
    await desk.settles()

    assert await cloud.tree() == {
        "a.txt": b"theirs",
        "a (conflict laptop 2026-05-01).txt": b"earlier",
        "a (conflict laptop 2026-05-01 2).txt": b"ours",
    }


@pytest.mark.parametrize("refused", [2, 3])
async def test_an_exchange_that_is_refused_half_way_is_undone(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock, refused: int
) -> None:
    """Neither file is left under a name of ours."""
    await cloud.holds({"a": b"1", "b": b"2"})
    await desk.names()
    moves = iter(range(1, 100))
    wire.before = lambda request: (
        says(403, {"errorType": "AccessDenied", "message": "no"})
        if "files/move" in request.url.path and next(moves) == refused
        else None
    )

    with pytest.raises(CxfsError):
        await desk.renames("a", "b", Rename.EXCHANGE)

    assert await cloud.tree() == {"a": b"1", "b": b"2"}
    assert [await desk.reads("a"), await desk.reads("b")] == [b"1", b"2"]


async def test_a_draft_that_cannot_be_opened_does_not_stop_the_mount(
    mounts: Mounts, cloud: Cloud, folder: Path, clock: MockClock
) -> None:
    """The other changes are sent, and this one stays in the journal."""
    async with mounts() as desk:
        await desk.writes("a", b"content")
    (draft,) = (folder / "state" / "drafts").iterdir()
    draft.rename(folder / "aside")
    draft.mkdir()

    async with mounts() as desk:
        await desk.writes("b", b"other")
        await desk.settles()
    draft.rmdir()
    (folder / "aside").rename(draft)
    async with mounts() as desk:
        await desk.settles()

    assert await cloud.tree() == {"a": b"content", "b": b"other"}


async def test_a_file_closed_while_it_is_being_renamed_is_sent_after_that(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """Else the answer to the rename, which is older, would be believed to be the newer of both."""
    await cloud.holds({"a": b"base"})
    handle = await desk.opens("a", writable=True)
    await desk.fs.write(handle, 0, b"ours, and longer")
    wire.holds_back("POST", "files")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.renames, "a", "b")
        await wire.held.wait()
        await desk.closes(handle)
        await desk.waits(5)
        uploads_meanwhile = wire.count("POST data")
        wire.lets_go()
    await desk.settles()

    assert uploads_meanwhile == 0
    assert await cloud.tree() == {"b": b"ours, and longer"}
    assert await desk.reads("b") == b"ours, and longer"


async def test_a_file_is_not_let_go_while_it_is_renamed(desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock) -> None:
    """The end of its upload, which the rename waits for, takes away the last thing that kept it."""
    await desk.writes("a", b"content")
    node = await desk.node("a")
    wire.holds_back("POST", "data")
    await desk.waits(2)
    await wire.held.wait()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.renames, "a", "b")
        await trio.testing.wait_all_tasks_blocked()
        desk.fs.release(node)
        wire.lets_go()
    await desk.settles()

    assert await cloud.tree() == {"b": b"content"}


async def test_an_answer_that_still_speaks_of_a_deleted_file_is_no_conflict(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """The old file was deleted between the refusal of the new one and the look at what stands there."""
    await cloud.holds({"a": b"old"})
    old = await cloud.entry("a")
    handle = await desk.opens("a")
    await desk.removes("a")
    await desk.closes(handle)
    await desk.settles()
    answers = {
        "POST": [says(412, {"errorType": "VersionConflict", "message": "no"})],
        "GET": [says(200, {"id": old.id, "name": "a", "isDir": False, "size": 3, "version": 1})],
    }
    await desk.writes("a", b"new")
    wire.before = lambda request: answers[request.method].pop() if answers[request.method] else None

    await desk.settles()

    assert await cloud.tree() == {"a": b"new"}


@pytest.mark.parametrize("renamed", [True, False], ids=["renamed", "deleted"])
async def test_a_file_whose_answer_got_lost_leaves_nothing_under_its_former_name(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock, *, renamed: bool
) -> None:
    """It is on the server already, though nobody here was told."""
    losses = iter([True])
    wire.after = lambda request: httpx.ReadError("lost") if request.method == "POST" and next(losses, False) else None
    await desk.writes("a.tmp", b"content")
    await desk.volume.uploader.ended()

    await (desk.renames("a.tmp", "a") if renamed else desk.removes("a.tmp"))
    await desk.settles()

    assert await cloud.tree() == ({"a": b"content"} if renamed else {})


async def test_a_file_that_replaces_one_whose_answer_got_lost_is_no_conflict(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """The version that nobody here was told of is our own all the same."""
    await cloud.holds({"a": b"base"})
    losses = iter([True])
    wire.after = lambda request: httpx.ReadError("lost") if request.method == "POST" and next(losses, False) else None
    await desk.writes("a", b"first")
    await desk.volume.uploader.ended()

    await desk.writes("a.tmp", b"second")
    await desk.renames("a.tmp", "a")
    await desk.settles()

    assert await cloud.tree() == {"a": b"second"}


async def test_a_file_whose_last_handle_is_closed_while_it_is_being_replaced_is_withdrawn(
    mounts: Mounts, cloud: Cloud, clock: MockClock
) -> None:
    """Its draft is closed by whichever comes last; a change with a closed draft could never be sent."""
    gate = trio.Event()
    gate.set()

    def through(offload: Offload) -> Offload:
        async def guarded(work: Callable[[*Ts], T], /, *args: *Ts) -> T:
            await gate.wait()
            return await offload(work, *args)

        return guarded

    async with mounts(through=through) as desk, trio.open_nursery() as nursery:
        await desk.writes("a", b"to be replaced")
        handle = await desk.opens("a", writable=True)
        await desk.fs.write(handle, 0, b"TO BE")
        await desk.fs.flush(handle)
        await desk.writes("a.tmp", b"new")
        gate = trio.Event()
        nursery.start_soon(desk.renames, "a.tmp", "a")
        await trio.testing.wait_all_tasks_blocked()

        await desk.fs.close(handle)
        gate.set()
        await desk.waits(60)

        assert desk.volume.left == 0
        assert await cloud.tree() == {"a": b"new"}


@pytest.mark.parametrize("call", ["rename", "replace", "be replaced"])
async def test_a_rename_waits_no_longer_for_an_answer_than_asking_anew_takes(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock, *, call: str
) -> None:
    """The content is at the server, and the answer got stuck: the program would wait as long as the upload may."""
    await cloud.holds({"b": b"old"})
    await desk.writes("b" if call == "be replaced" else "a", b"content")
    wire.holds_back("POST", "data")
    await wire.held.wait()
    if call == "be replaced":
        await desk.writes("a", b"content")

    with trio.fail_after(3):
        await desk.renames("a", "c" if call == "rename" else "b")
    wire.lets_go()
    await desk.settles()

    assert await cloud.tree() == ({"b": b"old", "c": b"content"} if call == "rename" else {"b": b"content"})


async def test_after_a_move_that_was_cut_short_names_are_asked_for_anew(
    desk: Desk, cloud: Cloud, wire: Wire, kernel: RecordingKernel, clock: MockClock
) -> None:
    """It happened at the server: what a program writes under the former name must not go to where the file is now."""
    await cloud.holds({"a": b"moved"})
    await desk.stat("a")
    wire.holds_back("POST", "files/move")
    with trio.move_on_after(1):
        await desk.renames("a", "b")
    wire.lets_go()

    root = desk.fs.root.inode
    assert {(root, "a"), (root, "b")} <= set(kernel.forgotten)
    await desk.writes("a", b"new")
    await desk.settles()

    assert await desk.names() == {"a", "b"}
    assert await cloud.tree() == {"a": b"new", "b": b"moved"}


async def test_an_upload_that_fails_in_the_moment_in_which_it_is_taken_back_is_no_bug(
    mounts: Mounts, cloud: Cloud, wire: Wire, caplog: pytest.LogCaptureFixture, clock: MockClock
) -> None:
    """Its failure is there before it hears that it was cancelled."""
    wire.before = lambda request: (
        httpx.ConnectError("no route") if request.method == "POST" and "/data/" in request.url.path else None
    )
    async with mounts() as desk:
        await desk.writes("a", b"content")

    async with mounts() as desk:
        await desk.renames("a", "b")
        wire.comes_back()
        await desk.settles()

    assert await cloud.tree() == {"b": b"content"}
    assert "a bug" not in caplog.text
