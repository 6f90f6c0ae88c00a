"""Folders that the server does not know yet: what is in them, what becomes of them, and what the server may answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
import trio

from cxfs.core.errors import AlreadyExists, DiskFull, NotEmpty
from cxfs.fs.filesystem import Wanted
from cxfs.fs.renaming import Rename
from tests.fs.cloud import says
from tests.fs.test_deletions import DENIED, loses_the_first

if TYPE_CHECKING:
    from trio.testing import MockClock

    from tests.fs.cloud import Cloud, Wire
    from tests.fs.desk import Desk, Mounts


@pytest.mark.promise
async def test_a_folder_is_made_without_waiting_for_the_server(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """Making a folder does not wait for the server, nor does what is then put into it: `tar x` and `git clone` take as
    long as on a local disk."""
    await desk.names()
    wire.requests.clear()

    for name in ("d", "d/e"):
        await desk.makes_folder(name)
        for number in range(3):
            await desk.writes(f"{name}/{number}", b"content")
    seen, asked = await desk.names("d"), len(wire.requests)
    await desk.settles()

    assert (seen, asked) == ({"e", "0", "1", "2"}, 0)
    files = {f"{name}/{number}": b"content" for name in ("d", "d/e") for number in range(3)}
    assert await cloud.tree() == {"d/": b"", "d/e/": b"", **files}


@pytest.mark.promise
async def test_a_folder_made_and_removed_before_it_was_sent_is_never_sent(
    desk: Desk, wire: Wire, clock: MockClock
) -> None:
    """A folder that is made and removed before the server was told is never sent."""
    await desk.names()
    wire.requests.clear()

    await desk.makes_folder("d")
    await desk.writes("d/a", b"1")
    await desk.removes("d/a")
    await desk.removes_folder("d")
    await desk.waits(10)

    assert wire.requests == []


async def test_a_folder_keeps_its_number_and_time_when_it_gets_its_uuid(mounts: Mounts, clock: MockClock) -> None:
    """Programs that have it as their working directory notice nothing."""
    async with mounts() as desk:
        await desk.makes_folder("d")
        before = await desk.stat("d")
        await desk.settles()
        after = await desk.stat("d")
    async with mounts() as desk:
        later = await desk.stat("d")

    assert before.inode == after.inode == later.inode


async def test_a_new_folder_is_the_one_that_was_made(desk: Desk, clock: MockClock) -> None:
    """The kernel is told of the very node, which must not have been let go by then."""
    made = await desk.fs.make_folder(desk.fs.root, b"d", 0o755)
    made.kernel = True

    assert not made.gone
    assert await desk.node("d") is made


async def test_a_folder_that_cannot_be_written_down_is_not_made(desk: Desk, clock: MockClock) -> None:
    """mkdir(2) fails, and nothing of it shows."""
    await desk.names()
    desk.outbox._ledger.connection.execute(
        "CREATE TEMP TRIGGER full BEFORE INSERT ON errands BEGIN SELECT raise(FAIL, 'full'); END"
    )

    with pytest.raises(DiskFull):
        await desk.makes_folder("d")

    assert await desk.names() == set()


async def test_names_in_a_new_folder_are_known_without_asking(desk: Desk, wire: Wire, clock: MockClock) -> None:
    """Nobody else can have put anything there."""
    await desk.makes_folder("d")
    wire.before = lambda _: httpx.ConnectError("no route")
    await desk.waits(60)

    assert await desk.names("d") == set()
    assert not await desk.has("d/a")
    with pytest.raises(AlreadyExists):
        await desk.makes_folder("d")


async def test_a_new_folder_that_holds_something_new_is_not_empty(desk: Desk, clock: MockClock) -> None:
    """The server knows of neither."""
    await desk.makes_folder("d")
    await desk.makes_folder("d/e")

    with pytest.raises(NotEmpty):
        await desk.removes_folder("d")


async def test_a_new_folder_is_renamed_here_alone(desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock) -> None:
    """Only what will be sent changes, at whatever depth."""
    await desk.makes_folder("d")
    await desk.makes_folder("d/e")
    await desk.writes("d/e/a", b"1")
    wire.requests.clear()

    await desk.renames("d", "f")
    asked = len(wire.requests)
    seen = await desk.reads("f/e/a")
    await desk.settles()

    assert (asked, seen) == (0, b"1")
    assert await cloud.tree() == {"f/": b"", "f/e/": b"", "f/e/a": b"1"}


async def test_a_new_folder_renamed_while_it_is_being_sent_ends_under_its_new_name(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """Its answer is awaited, then it is moved on the server."""
    await desk.makes_folder("d")
    await desk.writes("d/a", b"1")
    loses_the_first(wire, "files/mkdir")
    wire.holds_back("POST", "files")
    await wire.held.wait()
    wire.lets_go()

    await desk.renames("d", "e")
    await desk.settles()

    assert await cloud.tree() == {"e/": b"", "e/a": b"1"}


async def test_a_new_folder_whose_answer_got_lost_leaves_nothing_under_its_former_name(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """It may be on the server already, though nobody here was told."""
    await desk.makes_folder("d")
    wire.after = lambda request: httpx.ReadError("lost") if "mkdir" in request.url.path else None
    await desk.waits(20)
    arrived = await cloud.tree()

    await desk.renames("d", "e")
    wire.after = lambda _: None
    await desk.settles()

    assert (arrived, await cloud.tree()) == ({"d/": b""}, {"e/": b""})


@pytest.mark.parametrize("sent", [False, True], ids=["waits", "is being sent"])
async def test_a_new_folder_is_removed_whatever_became_of_it(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock, *, sent: bool
) -> None:
    """What has arrived is removed again."""
    await desk.makes_folder("d")
    if sent:
        wire.holds_back("POST", "files")
        await wire.held.wait()

    await desk.removes_folder("d")
    seen = await desk.names()
    wire.lets_go()
    await desk.settles()

    assert seen == set()
    assert await cloud.tree() == {}


async def test_a_folder_whose_answer_got_lost_is_made_once(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """That it exists already is what was wanted."""
    await desk.makes_folder("d")
    await desk.writes("d/a", b"1")
    loses_the_first(wire, "files/mkdir")

    await desk.settles()

    assert await cloud.tree() == {"d/": b"", "d/a": b"1"}
    assert desk.reports() == []


@pytest.mark.promise
async def test_a_folder_that_somebody_made_as_well_is_one(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """A folder that somebody else makes under the same name at the same time is one folder, with what both put in."""
    await desk.makes_folder("d")
    await desk.writes("d/ours", b"1")
    await cloud.holds({"d/theirs": b"2"})

    await desk.settles()

    assert await cloud.tree() == {"d/": b"", "d/ours": b"1", "d/theirs": b"2"}
    assert await desk.names("d") == {"ours", "theirs"}


@pytest.mark.promise
async def test_a_folder_beside_somebody_s_file_of_the_name(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """When somebody else makes a file under the name of a folder that is made here, both are kept: the folder beside
    it, as `NAME (conflict HOST YYYY-MM-DD)`."""
    await desk.makes_folder("d")
    await desk.makes_folder("d/e")
    await desk.writes("d/e/a", b"1")
    await cloud.puts("d", b"theirs")

    await desk.settles()

    ours = "d (conflict laptop 2026-05-01)"
    assert await cloud.tree() == {"d": b"theirs", f"{ours}/": b"", f"{ours}/e/": b"", f"{ours}/e/a": b"1"}
    assert await desk.names() == {"d", ours}
    assert [path for path, _ in desk.reports()] == ["self:/d"]


@pytest.mark.promise
async def test_what_was_to_go_into_a_folder_that_is_gone_is_kept(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """When somebody deletes a folder that new files or folders from here are on their way into, those are kept under
    the nearest folder that is left, and that is reported."""
    await cloud.holds({"d/e/": b""})
    await desk.writes("d/e/a", b"1")
    await desk.makes_folder("d/e/f")
    await desk.writes("d/e/f/b", b"2")
    await cloud.deletes("d/e")

    await desk.settles()

    assert await cloud.tree() == {"d/": b"", "d/a": b"1", "d/f/": b"", "d/f/b": b"2"}
    assert await desk.names("d") == {"a", "f"}
    assert {path for path, _ in desk.reports()} == {"self:/d/e/a", "self:/d/e/f"}


async def test_what_was_to_go_into_a_folder_that_is_gone_replaces_nothing(
    desk: Desk, cloud: Cloud, clock: MockClock
) -> None:
    """Names above may be taken: on the server, or by what came home before."""
    await cloud.holds({"a": b"theirs", "d/": b"", "e/": b""})
    await desk.writes("d/a", b"1")
    await desk.writes("e/a", b"2")
    await desk.writes("d/b", b"3")
    await desk.writes("e/b", b"4")
    await cloud.deletes("d")
    await cloud.deletes("e")

    await desk.settles()

    assert sorted((await cloud.tree()).values()) == [b"1", b"2", b"3", b"4", b"theirs"]
    assert await cloud.content("a") == b"theirs"


@pytest.mark.promise
async def test_what_was_to_go_into_a_folder_that_was_renamed_goes_there(
    desk: Desk, cloud: Cloud, clock: MockClock
) -> None:
    """When somebody renames a folder that new files from here are on their way into, they go to where it is then."""
    await cloud.holds({"d/e/": b"", "f/": b""})
    await desk.writes("d/e/a", b"1")
    await desk.makes_folder("d/e/g")
    await desk.writes("d/e/g/b", b"2")
    await cloud.renames("d/e", "f/h")

    await desk.settles()

    assert await cloud.tree() == {
        "d/": b"", "f/": b"", "f/h/": b"", "f/h/a": b"1", "f/h/g/": b"", "f/h/g/b": b"2"
    }  # fmt: skip
    assert desk.reports() == []


async def test_a_server_that_has_a_file_under_every_name_is_not_hammered(
    desk: Desk, wire: Wire, clock: MockClock
) -> None:
    """After a few turns the folder waits like after any failure."""
    await desk.names()
    taken = {"id": "A" * 22, "name": "d", "isDir": False, "size": 1, "version": 1}
    wire.before = lambda request: (
        says(409, {"errorType": "AlreadyExists", "message": "no"})
        if "mkdir" in request.url.path
        else says(200, taken)
        if "info" in request.url.path
        else None
    )
    await desk.makes_folder("d")

    await desk.waits(60)

    assert wire.count("POST files/mkdir") < 100


async def test_a_folder_that_is_refused_is_kept_here(desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock) -> None:
    """With all that is in it, like a file that is refused."""
    wire.before = lambda request: says(403, DENIED) if "mkdir" in request.url.path else None
    await desk.makes_folder("d")
    await desk.writes("d/a", b"1")

    await desk.settles()

    assert await desk.reads("d/a") == b"1"
    assert [path for path, _ in desk.reports()] == ["self:/d"]
    (errand,) = desk.volume.errands
    assert errand.parked == "the server answered 403: no"


async def test_a_folder_that_was_refused_is_retried_on_request(
    mounts: Mounts, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """Somebody has given the permission."""
    wire.before = lambda request: says(403, DENIED) if "mkdir" in request.url.path else None
    async with mounts() as desk:
        await desk.makes_folder("d")
        await desk.writes("d/a", b"1")
        await desk.settles()
    wire.comes_back()

    async with mounts() as desk:
        (errand,) = desk.volume.errands
        desk.volume.messenger.retry(errand)
        await desk.settles()

    assert await cloud.tree() == {"d/": b"", "d/a": b"1"}


async def test_a_file_on_the_server_moves_into_a_new_folder(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """The folder is made first, however new, and the one above it."""
    await cloud.holds({"a": b"1", "e/b": b"2"})
    await desk.makes_folder("d")
    await desk.makes_folder("d/f")

    await desk.renames("a", "d/f/a")
    await desk.renames("e", "d/e")

    assert await cloud.tree() == {"d/": b"", "d/f/": b"", "d/f/a": b"1", "d/e/": b"", "d/e/b": b"2"}


async def test_new_folders_change_places(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """By way of a name of ours, which never reaches the server."""
    await desk.makes_folder("d")
    await desk.writes("d/a", b"1")
    await desk.makes_folder("e")

    await desk.renames("d", "e", Rename.EXCHANGE)
    await desk.settles()

    assert await cloud.tree() == {"d/": b"", "e/": b"", "e/a": b"1"}


async def test_a_new_folder_takes_the_place_of_an_empty_one(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """rename(2) of a folder over an empty folder, wherever either is."""
    await cloud.holds({"d/": b"", "e/": b"", "g/x": b"0"})
    await desk.makes_folder("f")
    await desk.writes("f/a", b"1")

    await desk.renames("f", "d")
    await desk.renames("g", "e")
    await desk.settles()

    assert await cloud.tree() == {"d/": b"", "d/a": b"1", "e/": b"", "e/x": b"0"}


@pytest.mark.promise
async def test_the_time_of_a_new_folder_is_kept(mounts: Mounts, cloud: Cloud, clock: MockClock) -> None:
    """The time of a folder set by tar or rsync is kept on the server too, though what goes into the folder arrives
    there after it was set."""
    async with mounts() as desk:
        await desk.makes_folder("d")
        await desk.makes_folder("d/e")
        await desk.writes("d/a", b"1")
        await desk.touches("d/e", 1_111_111_111_111)
        await desk.touches("d", 1_234_567_890_123)
        at_once = (await desk.stat("d")).modified_ns
        await desk.settles()
        later = (await desk.stat("d")).modified_ns
    async with mounts() as desk:
        after = [(await desk.stat(name)).modified_ns // 1_000_000 for name in ("d", "d/e")]

    assert at_once == later == 1_234_567_890_123_000_000
    assert after == [1_234_567_890_123, 1_111_111_111_111]


async def test_a_time_that_waits_survives_the_daemon(mounts: Mounts, cloud: Cloud, clock: MockClock) -> None:
    """As all that was accepted."""
    async with mounts() as desk:
        await desk.makes_folder("d")
        await desk.touches("d", 1_234_567_890_123)

    async with mounts() as desk:
        await desk.settles()

    assert (await cloud.entry("d")).modified_ms == 1_234_567_890_123


async def test_a_time_gives_way_to_what_is_done_in_the_folder_later(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """As on a local disk, a new name in it sets its time."""
    await desk.makes_folder("d")
    await desk.touches("d", 1_234_567_890_123)
    await desk.writes("d/a", b"1")

    await desk.settles()

    assert (await cloud.entry("d")).modified_ms != 1_234_567_890_123


async def test_a_name_that_changes_while_a_time_is_being_set_takes_it_back_here_too(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """Else rsync, which looks again, would see the time that the server does not have."""
    await cloud.holds({"d/": b""})
    await desk.node("d")
    wire.holds_back("POST", "files/update")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.touches, "d", 1_234_567_890_123)
        await wire.held.wait()
        await desk.writes("d/a", b"1")
        wire.lets_go()
    await desk.settles()
    await desk.waits(31)

    assert (await desk.stat("d")).modified_ns // 1_000_000 == (await cloud.entry("d")).modified_ms


async def test_modes_of_a_new_folder_hold(desk: Desk, clock: MockClock) -> None:
    """tar sets them when it is done with the folder."""
    await desk.makes_folder("d")
    await desk.fs.set_attributes(await desk.node("d"), Wanted(mode=0o700), None)

    await desk.settles()

    assert (await desk.stat("d")).mode == 0o700


async def test_what_is_made_in_a_setgid_folder_belongs_to_its_group(desk: Desk, clock: MockClock) -> None:
    """So that a folder that a team shares stays theirs, all the way down."""
    await desk.makes_folder("d")
    await desk.fs.set_attributes(await desk.node("d"), Wanted(mode=0o2775, gid=4321), None)

    await desk.makes_folder("d/e")
    await desk.writes("d/a", b"content")

    made = [await desk.stat(name) for name in ("d/e", "d/a")]
    assert [(each.mode, each.gid) for each in made] == [(0o2755, 4321), (0o644, 4321)]


async def test_a_listing_taken_before_the_folder_got_its_uuid_stays_true(desk: Desk, clock: MockClock) -> None:
    """`rm -r` reads it while the folder is being sent."""
    await desk.makes_folder("d")
    handle = await desk.walks()
    before = desk.fs.child(handle, 0)

    await desk.settles()
    after = desk.fs.child(handle, 0)

    assert before is not None
    assert after is not None
    assert before[1] is after[1] is await desk.node("d")


async def test_what_is_made_in_a_folder_that_is_open_and_not_read_yet_is_in_its_listing(
    desk: Desk, clock: MockClock
) -> None:
    """Programs hold a folder open to make things in it, and list it by the same descriptor afterwards."""
    await desk.writes("a", b"1")
    handle = await desk.fs.open_folder(desk.fs.root)
    await desk.writes("b", b"2")
    await desk.settles()
    await desk.writes("c", b"3")

    assert [child.shown for child in handle.children] == ["a", "b", "c"]


async def test_a_line_of_a_folder_that_was_removed_before_it_was_made_is_none(desk: Desk, clock: MockClock) -> None:
    """There is nothing behind its provisional UUID any more; nor is the listing here any more that could say so."""
    await desk.makes_folder("d")
    handle = await desk.walks()
    await desk.removes_folder("d")
    desk.fs._tree.doubt(desk.fs.root)

    assert desk.fs.child(handle, 0) is None


async def test_a_line_of_a_folder_that_was_made_since_is_the_folder(desk: Desk, clock: MockClock) -> None:
    """Not one by the provisional UUID, which means nothing to the server."""
    await desk.makes_folder("d")
    handle = await desk.walks()
    await desk.settles()
    desk.fs._tree.doubt(desk.fs.root)

    found = desk.fs.child(handle, 0)

    assert found is not None
    assert found[1] is await desk.node("d")


async def test_the_server_is_asked_for_no_folder_that_it_does_not_know(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """One request makes it, and none is lost on a provisional UUID."""
    await desk.names()
    wire.requests.clear()
    await desk.makes_folder("d")
    await desk.writes("d/a", b"1")
    await desk.stat("d")

    await desk.settles()

    assert wire.count("POST") == 2
    assert wire.count("GET") == 0
