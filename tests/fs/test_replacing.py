"""A file that takes another's place, when the server knows both: one object is left, and it is the one replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
import trio

from cxfs.core.errors import AlreadyExists, CxfsError, Stale
from tests.fs.cloud import says

if TYPE_CHECKING:
    from trio.testing import MockClock

    from tests.fs.cloud import Cloud, Wire
    from tests.fs.desk import Desk, Mounts


def refuses_uploads(wire: Wire, status: int, kind: str, message: str) -> None:
    """From now on, until the wire `comes_back`."""
    wire.before = lambda request: (
        says(status, {"errorType": kind, "message": message})
        if request.method == "POST" and request.url.host == "data.cx.test"
        else None
    )


@pytest.mark.promise
async def test_a_temporary_file_that_was_sent_before_its_rename(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """A temporary file that was uploaded before it is renamed over another one becomes that one's next version all the
    same, and its own object is deleted."""
    await cloud.holds({"a": b"old"})
    before = await cloud.entry("a")
    await desk.writes("a.tmp", b"new")
    await desk.touches("a.tmp", 1_234_567_890_123)
    await desk.settles()
    wire.requests.clear()

    await desk.renames("a.tmp", "a")
    asked = len(wire.requests)
    seen = await desk.reads("a"), await desk.names()
    await desk.settles()

    after = await cloud.entry("a")
    assert (asked, seen) == (0, (b"new", {"a"}))
    assert await cloud.tree() == {"a": b"new"}
    assert (after.id, after.version, after.modified_ms) == (before.id, before.version + 1, 1_234_567_890_123)


async def test_the_temporary_object_goes_only_when_its_content_has_arrived(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """Until then it is the only copy that outlives this machine."""
    await cloud.holds({"a": b"old"})
    await desk.writes("a.tmp", b"new")
    await desk.settles()
    wire.before = lambda request: httpx.ConnectError("away") if "data" in request.url.path else None

    await desk.renames("a.tmp", "a")
    await desk.waits(60)
    meanwhile = await cloud.tree()
    wire.comes_back()
    await desk.settles()

    assert meanwhile == {"a": b"old", "a.tmp": b"new"}
    assert await cloud.tree() == {"a": b"new"}


async def test_a_rename_over_a_file_survives_the_daemon(mounts: Mounts, cloud: Cloud, clock: MockClock) -> None:
    """As every accepted change."""
    await cloud.holds({"a": b"old"})
    async with mounts() as desk:
        await desk.writes("a.tmp", b"new")
        await desk.settles()
        await desk.renames("a.tmp", "a")

    async with mounts() as desk:
        seen = await desk.names(), await desk.reads("a")
        await desk.settles()

    assert seen == ({"a"}, b"new")
    assert await cloud.tree() == {"a": b"new"}


async def test_a_rename_of_a_changed_file_over_another(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """What was written last is what is sent."""
    await cloud.holds({"a": b"old"})
    await desk.writes("a.tmp", b"first")
    await desk.settles()
    await desk.writes("a.tmp", b"second")

    await desk.renames("a.tmp", "a")
    await desk.settles()

    assert await cloud.tree() == {"a": b"second"}


async def test_saves_one_after_the_other_are_versions_of_one_file(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """An editor that takes its time: the temporary name is used again while its last object is still to be deleted."""
    await cloud.holds({"a": b"0"})
    before = await cloud.entry("a")
    for content in (b"1", b"2", b"3"):
        await desk.writes("a.tmp", content)
        await desk.waits(3)
        await desk.renames("a.tmp", "a")

    await desk.settles()

    after = await cloud.entry("a")
    assert await cloud.tree() == {"a": b"3"}
    assert (after.id, after.version > before.version) == (before.id, True)


async def test_who_has_the_replaced_file_open_reads_on(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """POSIX: a handle belongs to the file, not to its name."""
    await cloud.holds({"a": b"old"})
    await desk.writes("b", b"new")
    await desk.settles()
    reader = await desk.opens("a")

    await desk.renames("b", "a")
    await desk.settles()

    assert await desk.all_of(reader) == b"old"


async def test_a_file_whose_content_is_not_here_is_moved(
    mounts: Mounts, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """Nothing is fetched and sent again for the sake of a UUID."""
    await cloud.holds({"a": b"old", "b": b"other"})
    async with mounts() as desk:
        await desk.names()
        moved = await cloud.entry("b")

        await desk.renames("b", "a")

        assert (await cloud.entry("a")).id == moved.id
        assert wire.count("GET data") == wire.count("POST data") == 0
    assert await cloud.tree() == {"a": b"other"}


async def test_a_file_goes_back_to_the_name_that_it_had(desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock) -> None:
    """What it was has not left the server: it is that again, and what it replaced meanwhile goes."""
    await cloud.holds({"a": b"first", "b": b"second"})
    before = await cloud.entry("a")
    await desk.reads("a")
    await desk.renames("a", "b")
    wire.requests.clear()

    await desk.renames("b", "a")
    asked = len(wire.requests)
    seen = await desk.reads("a"), await desk.names()
    await desk.settles()

    assert (asked, seen) == (0, (b"first", {"a"}))
    assert await cloud.tree() == {"a": b"first"}
    assert (await cloud.entry("a")).id == before.id


async def test_a_file_takes_the_name_of_one_that_has_not_left_the_server(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """What is to go there waits for another upload; this file waits for neither and is its next version."""
    await cloud.holds({"a": b"first", "b": b"second", "c": b"third"})
    before = await cloud.entry("a")
    for name in "ac":
        await desk.reads(name)
    await desk.renames("a", "b")
    wire.requests.clear()

    await desk.renames("c", "a")
    asked = len(wire.requests)
    seen = await desk.reads("a"), await desk.reads("b"), await desk.names()
    await desk.settles()

    assert (asked, seen) == (0, (b"third", b"first", {"a", "b"}))
    assert await cloud.tree() == {"a": b"third", "b": b"first"}
    assert (await cloud.entry("a")).id == before.id


async def test_a_file_that_went_back_survives_the_daemon(mounts: Mounts, cloud: Cloud, clock: MockClock) -> None:
    """Neither the deletion that was taken back nor the name in between is anywhere afterwards."""
    await cloud.holds({"a": b"first", "b": b"second"})
    async with mounts() as desk:
        await desk.reads("a")
        await desk.renames("a", "b")
        await desk.renames("b", "a")

    async with mounts() as desk:
        seen = await desk.reads("a"), await desk.names()
        await desk.settles()

    assert seen == (b"first", {"a"})
    assert await cloud.tree() == {"a": b"first"}


async def test_a_file_goes_back_though_the_daemon_was_killed_in_between(
    mounts: Mounts, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """The deletion cannot have been sent: the upload that has to come before it has not arrived."""
    await cloud.holds({"a": b"first", "b": b"second"})
    before = await cloud.entry("a")
    async with mounts() as desk:
        await desk.reads("a")
        await desk.renames("a", "b")

    async with mounts() as desk:
        with trio.fail_after(1):
            await desk.renames("b", "a")
        await desk.settles()

    assert wire.count("POST files/move") == 0
    assert await cloud.tree() == {"a": b"first"}
    assert (await cloud.entry("a")).id == before.id


async def test_a_file_that_is_not_here_takes_a_name_that_an_upload_does_not_free(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """It waits a moment for the upload, and is moved over what would have gone after that."""
    await cloud.holds({"a": b"first", "b": b"second", "c": b"third"})
    third = await cloud.entry("c")
    await desk.reads("a")
    refuses_uploads(wire, 503, "Unavailable", "soon")
    await desk.renames("a", "b")
    await desk.waits(5)

    with trio.fail_after(2.5):
        await desk.renames("c", "a")
    seen = await desk.reads("a"), await desk.reads("b"), await desk.names()
    wire.comes_back()
    await desk.settles()

    assert seen == (b"third", b"first", {"a", "b"})
    assert await cloud.tree() == {"a": b"third", "b": b"first"}
    assert (await cloud.entry("a")).id == third.id
    assert desk.reports() == []


@pytest.mark.parametrize("is_done", [True, False], ids=["done", "not done"])
async def test_a_file_that_is_not_here_takes_a_name_whose_deletion_is_under_way(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock, *, is_done: bool
) -> None:
    """Whether or not its answer comes, the former file is not listed again."""
    await cloud.holds({"a": b"first", "c": b"third"})
    await desk.names()
    await desk.removes("a")
    if is_done:
        wire.holds_back("POST", "files/delete")
    else:
        wire.holds_back("GET", "files/info")
    await wire.held.wait()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.renames, "c", "a")
        await desk.waits(6)
        wire.lets_go()
    seen = await desk.names(), await desk.reads("a")
    await desk.settles()

    assert seen == ({"a"}, b"third")
    assert await desk.names() == {"a"}
    assert await cloud.tree() == {"a": b"third"}


async def test_what_was_moved_over_is_not_listed_again_though_somebody_else_has_deleted_it(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """Nothing was there any more; the name has one file, and no other."""
    await cloud.holds({"a": b"first", "b": b"second", "c": b"third"})
    await desk.reads("a")
    refuses_uploads(wire, 503, "Unavailable", "soon")
    await desk.renames("a", "b")
    await cloud.deletes("a")

    await desk.renames("c", "a")
    seen = await desk.names(), await desk.reads("a")
    wire.comes_back()
    await desk.settles()

    assert seen == ({"a", "b"}, b"third")
    assert await cloud.tree() == {"a": b"third", "b": b"first"}


async def test_what_somebody_else_changed_is_not_moved_over_though_it_was_to_go(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """The deletion would have been refused as well."""
    await cloud.holds({"a": b"first", "b": b"second", "c": b"third"})
    await desk.reads("a")
    refuses_uploads(wire, 503, "Unavailable", "soon")
    await desk.renames("a", "b")
    await cloud.puts("a", b"theirs")

    with pytest.raises(Stale):
        await desk.renames("c", "a")
    wire.comes_back()
    await desk.settles()

    assert await cloud.tree() == {"a": b"theirs", "b": b"first", "c": b"third"}


@pytest.mark.parametrize("is_here", [True, False], ids=["here", "not here"])
async def test_a_name_that_is_freed_by_what_was_refused(
    mounts: Mounts, cloud: Cloud, wire: Wire, clock: MockClock, *, is_here: bool
) -> None:
    """Before and after a kill: a file whose content is here has the name at once, another is told why it cannot."""
    await cloud.holds({"a": b"first", "b": b"second", "c": b"third"})
    refuses_uploads(wire, 403, "AccessDenied", "not you")
    async with mounts() as desk:
        await desk.reads("a")
        await desk.renames("a", "b")
        await desk.waits(5)
        assert desk.volume.uploader.statistics().parked == 1

    async with mounts() as desk:
        if is_here:
            await desk.reads("c")
            with trio.fail_after(1):
                await desk.renames("c", "a")
        else:
            with trio.fail_after(1), pytest.raises(CxfsError, match="not you"):
                await desk.renames("c", "a")
        seen = {name: await desk.reads(name) for name in await desk.names()}

    assert seen == {"b": b"first"} | ({"a": b"third"} if is_here else {"c": b"third"})


async def test_a_file_takes_the_name_of_the_folder_that_it_came_from(
    desk: Desk, cloud: Cloud, clock: MockClock
) -> None:
    """The folder is deleted after all that was in it, one of which waits for this file's content."""
    await cloud.holds({"folder/a": b"first", "b": b"second"})
    await desk.reads("folder/a")
    await desk.renames("folder/a", "b")
    await desk.removes_folder("folder")

    with trio.fail_after(5):
        await desk.renames("b", "folder")
    seen = await desk.reads("folder"), await desk.names()
    await desk.settles()

    assert seen == (b"first", {"folder"})
    assert await cloud.tree() == {"folder": b"first"}


async def test_a_large_file_is_moved(mounts: Mounts, cloud: Cloud, wire: Wire, clock: MockClock) -> None:
    """Sending it a second time would cost more than the UUID is worth."""
    await cloud.holds({"a": b"old"})
    async with mounts(continued_bytes_max=2) as desk:
        await desk.writes("b", b"large")
        await desk.settles()
        wire.requests.clear()

        await desk.renames("b", "a")

    assert await cloud.tree() == {"a": b"large"}
    assert wire.count("POST data") == 0


async def test_a_rename_that_the_server_refuses_takes_nothing(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """The move of a file whose content is not here."""
    await cloud.holds({"a": b"old", "b": b"other"})
    await desk.names()
    wire.before = lambda request: (
        says(403, {"errorType": "AccessDenied", "message": "no"}) if "files/move" in request.url.path else None
    )

    with pytest.raises(CxfsError):
        await desk.renames("b", "a")

    assert await desk.names() == {"a", "b"}
    assert await cloud.tree() == {"a": b"old", "b": b"other"}


async def test_what_was_not_moved_over_in_the_end_is_still_there(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """A change that meets somebody else's version of it is a conflict, and does not wait for it to go."""
    await cloud.holds({"a": b"old", "b": b"other"})
    await desk.names()
    await cloud.deletes("b")
    with pytest.raises(CxfsError):
        await desk.renames("b", "a")

    await desk.writes("a", b"ours")
    await cloud.puts("a", b"theirs")
    await desk.waits(60)

    assert desk.volume.waiting.rows() == []
    assert await cloud.tree() == {"a": b"theirs", "a (conflict laptop 2026-05-01)": b"ours"}


@pytest.mark.parametrize("is_changed", [True, False], ids=["changed", "as it was"])
async def test_a_file_that_meets_its_own_former_object_does_not_wait_for_it_to_go(
    desk: Desk, cloud: Cloud, clock: MockClock, *, is_changed: bool
) -> None:
    """Somebody else has moved that there, and it was to go when the file has arrived: each would wait for the other."""
    await cloud.holds({"a": b"old", "x": b"better"})
    former = await cloud.entry("x")
    await desk.reads("x")
    await desk.renames("x", "a")
    await cloud.deletes("a")
    await cloud.renames("x", "a")
    if is_changed:
        await cloud.puts("a", b"theirs")

    await desk.waits(60)

    assert desk.volume.waiting.rows() == []
    beside = {"a (conflict laptop 2026-05-01)": b"better"} if is_changed else {}
    assert await cloud.tree() == {"a": b"theirs" if is_changed else b"better"} | beside
    assert (await cloud.entry("a")).id == former.id
    assert desk.volume.tree.nodes.knows(former.id)


def writes_as_it_is_moved(wire: Wire, cloud: Cloud, name: str) -> None:
    """Somebody else writes there while the next move is on its way to the server."""

    async def writes(request: httpx.Request) -> None:
        if "files/move" in request.url.path:
            wire.meanwhile = at_once
            await cloud.puts(name, b"theirs")

    at_once, wire.meanwhile = wire.meanwhile, writes


async def test_what_somebody_else_writes_in_that_moment_is_not_replaced(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """The server is told what was seen there, and a program that it was another file: nobody has seen theirs."""
    await cloud.holds({"a": b"moved", "b": b"old"})
    await desk.names()

    writes_as_it_is_moved(wire, cloud, "b")
    with pytest.raises(Stale):
        await desk.renames("a", "b")

    assert await cloud.tree() == {"a": b"moved", "b": b"theirs"}


async def test_what_somebody_else_puts_where_nothing_was_any_more_is_not_replaced(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """It was deleted elsewhere, and has come again."""
    await cloud.holds({"a": b"moved", "b": b"old"})
    await desk.names()
    await cloud.deletes("b")

    writes_as_it_is_moved(wire, cloud, "b")
    with pytest.raises(AlreadyExists):
        await desk.renames("a", "b")

    assert await cloud.tree() == {"a": b"moved", "b": b"theirs"}
