"""Deletions on their way: gone here at once, on the server a little later, and back where the server refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from cxfs.core.errors import NotEmpty
from tests.fs.cloud import says

if TYPE_CHECKING:
    from collections.abc import Callable

    from trio.testing import MockClock

    from tests.fs.cloud import Cloud, Wire
    from tests.fs.desk import Desk, Mounts
    from tests.fs.recording import RecordingKernel

DENIED = {"errorType": "AccessDenied", "message": "no"}


def denies(call: str) -> Callable[[httpx.Request], httpx.Response | None]:
    """The server refuses this for good."""
    return lambda request: says(403, DENIED) if call in request.url.path else None


def loses_the_first(wire: Wire, call: str) -> None:
    """The first such request is done, and its answer lost."""
    losses = iter([True])
    wire.after = lambda request: httpx.ReadError("lost") if call in request.url.path and next(losses, False) else None


@pytest.mark.promise
async def test_a_delete_does_not_wait_for_the_server(desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock) -> None:
    """Deleting a file or an empty folder does not wait for the server: the name is gone here at once, and there a short
    while later."""
    await cloud.holds({"a": b"1", "d/": b""})
    await desk.names()
    await desk.names("d")
    wire.requests.clear()

    await desk.removes("a")
    await desk.removes_folder("d")
    seen, asked = await desk.names(), len(wire.requests)
    await desk.settles()

    assert (seen, asked) == (set(), 0)
    assert await cloud.tree() == {}


@pytest.mark.promise
async def test_a_delete_survives_the_daemon(mounts: Mounts, cloud: Cloud, wire: Wire, clock: MockClock) -> None:
    """When `unlink`, `rmdir` or `mkdir` has returned, it survives the end of the daemon, and is done on the server when
    it runs again."""
    await cloud.holds({"a": b"1", "d/": b""})
    async with mounts() as desk:
        await desk.removes("a")
        await desk.removes_folder("d")
        await desk.makes_folder("e")
        await desk.makes_folder("e/f")

    async with mounts() as desk:
        seen = await desk.names()
        await desk.settles()

    assert seen == {"e"}
    assert await cloud.tree() == {"e/": b"", "e/f/": b""}


@pytest.mark.promise
async def test_an_open_file_that_was_deleted_is_deleted_though_the_daemon_dies(
    mounts: Mounts, cloud: Cloud, clock: MockClock
) -> None:
    """A file that was unlinked while it is open is deleted from the server also when the daemon dies before its last
    close."""
    await cloud.holds({"a": b"1"})
    async with mounts() as desk:
        await desk.opens("a")
        await desk.removes("a")
        await desk.waits(30)
        while_open = await cloud.tree()

    async with mounts() as desk:
        seen = await desk.names()
        await desk.settles()

    assert (while_open, seen) == ({"a": b"1"}, set())
    assert await cloud.tree() == {}


@pytest.mark.promise
async def test_a_delete_that_is_refused_brings_the_name_back(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """A deletion that the server refuses brings the name back, and is reported."""
    await cloud.holds({"a": b"1"})
    await desk.removes("a")
    wire.before = denies("files/delete")

    await desk.settles()

    assert await desk.names() == {"a"}
    assert await desk.reads("a") == b"1"
    assert [path for path, _ in desk.reports()] == ["self:/a"]


async def test_a_name_that_comes_back_is_told_to_the_kernel(
    desk: Desk, cloud: Cloud, wire: Wire, kernel: RecordingKernel, clock: MockClock
) -> None:
    """Else it would believe in its absence."""
    await cloud.holds({"a": b"1"})
    await desk.removes("a")
    wire.before = denies("files/delete")

    await desk.settles()

    assert kernel.forgotten == [(desk.fs.root.inode, "a")]


async def test_a_delete_that_is_refused_is_forgotten(
    mounts: Mounts, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """It came back and was reported: a later mount must not delete it after all."""
    await cloud.holds({"a": b"1"})
    async with mounts() as desk:
        await desk.removes("a")
        wire.before = denies("files/delete")
        await desk.settles()

    wire.comes_back()
    async with mounts() as desk:
        await desk.settles()

    assert await cloud.tree() == {"a": b"1"}


@pytest.mark.parametrize("trouble", [(503, "Unavailable"), (401, "BadAuthToken"), (429, "RateLimited")])
async def test_a_delete_waits_for_better_times(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock, trouble: tuple[int, str]
) -> None:
    """A server that is busy, or a token that was refused, takes nothing back."""
    await cloud.holds({"a": b"1"})
    await desk.removes("a")
    status, kind = trouble
    wire.before = lambda _: says(status, {"errorType": kind, "message": "later"})
    await desk.waits(10)
    seen_here = desk.volume.errands.removals_in(desk.fs.root.uuid)

    wire.comes_back()
    await desk.settles()

    assert len(seen_here) == 1
    assert await cloud.tree() == {}


async def test_a_delete_whose_answer_got_lost_is_done(desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock) -> None:
    """The repeated one finds nothing, which is what was wanted."""
    await cloud.holds({"a": b"1"})
    await desk.removes("a")
    loses_the_first(wire, "files/delete")

    await desk.settles()

    assert await cloud.tree() == {}
    assert desk.reports() == []


@pytest.mark.promise
async def test_a_file_that_changed_since_is_not_deleted(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """When somebody changes a file that is deleted here, before the server was told, the edit wins: the name comes back
    with it, and that is reported."""
    await cloud.holds({"a": b"1"})
    await desk.reads("a")
    await desk.removes("a")
    await cloud.puts("a", b"theirs")

    await desk.settles()

    assert await cloud.tree() == {"a": b"theirs"}
    assert await desk.reads("a") == b"theirs"
    assert [path for path, _ in desk.reports()] == ["self:/a"]


async def test_a_file_that_somebody_deleted_as_well_is_gone(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """Both wanted the same."""
    await cloud.holds({"a": b"1"})
    await desk.removes("a")
    await cloud.deletes("a")

    await desk.settles()

    assert desk.reports() == []


@pytest.mark.promise
async def test_a_folder_that_somebody_filled_meanwhile_comes_back(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """When somebody puts something into a folder that is removed here, before the server was told, the folder comes
    back with it, and that is reported."""
    await cloud.holds({"d/": b""})
    await desk.names("d")
    await desk.removes_folder("d")
    await cloud.puts("d/new", b"theirs")

    await desk.settles()

    assert await cloud.tree() == {"d/": b"", "d/new": b"theirs"}
    assert await desk.names("d") == {"new"}
    assert [path for path, _ in desk.reports()] == ["self:/d"]


async def test_a_folder_is_removed_after_what_was_in_it(desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock) -> None:
    """`rm -r`: whatever the order that the answers come in."""
    await cloud.holds({"d/e/a": b"1", "d/e/b": b"2", "d/c": b"3"})
    failures = iter([True] * 3)
    wire.before = lambda request: (
        says(503, {"errorType": "Unavailable", "message": "soon"})
        if "files/delete" in request.url.path and next(failures, False)
        else None
    )

    for name in ("d/e/a", "d/e/b"):
        await desk.removes(name)
    await desk.removes_folder("d/e")
    await desk.removes("d/c")
    await desk.removes_folder("d")
    await desk.settles()

    assert await cloud.tree() == {}
    assert desk.reports() == []


async def test_a_folder_whose_file_came_back_comes_back(desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock) -> None:
    """It is not empty."""
    await cloud.holds({"d/a": b"1"})
    await desk.reads("d/a")
    await desk.removes("d/a")
    await desk.removes_folder("d")
    await cloud.puts("d/a", b"theirs")

    await desk.settles()

    assert await cloud.tree() == {"d/": b"", "d/a": b"theirs"}
    assert await desk.reads("d/a") == b"theirs"
    assert [path for path, _ in desk.reports()] == ["self:/d/a", "self:/d"]


async def test_a_folder_that_holds_something_is_refused_at_the_call(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """What is known here is told at once."""
    await cloud.holds({"d/a": b"1"})

    with pytest.raises(NotEmpty):
        await desk.removes_folder("d")


async def test_an_open_file_does_not_keep_its_folder_on_the_server(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """A log that some daemon never closes would keep the name of the folder for ever."""
    await cloud.holds({"d/log": b"1"})
    reader = await desk.opens("d/log")
    await desk.all_of(reader)
    await desk.removes("d/log")
    await desk.removes_folder("d")

    await desk.settles()

    assert await cloud.tree() == {}
    assert await desk.all_of(reader) == b"1"


async def test_an_open_file_that_was_deleted_or_replaced_has_no_name_left(
    desk: Desk, cloud: Cloud, clock: MockClock
) -> None:
    """Programs that hold a lock file, or follow a log, look whether it is still the one of that name."""
    await cloud.holds({"deleted": b"1", "replaced": b"2", "new": b"3", "kept": b"4"})
    handles = [await desk.opens(name) for name in ("deleted", "replaced", "kept")]

    await desk.removes("deleted")
    await desk.renames("new", "replaced")

    links = [(await desk.fs.attributes(handle.node))[0].links for handle in handles]
    assert links == [0, 0, 1]


@pytest.mark.promise
async def test_a_file_made_anew_is_the_next_version_of_the_deleted_one(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """A file that is deleted and made anew before the server was told is the next version of the old one, which keeps
    its UUID."""
    await cloud.holds({"a": b"old"})
    before = await cloud.entry("a")
    await desk.removes("a")

    await desk.writes("a", b"new")
    await desk.settles()

    after = await cloud.entry("a")
    assert (await cloud.tree(), after.id, after.version) == ({"a": b"new"}, before.id, before.version + 1)
    assert wire.count("POST files/delete") == 0


async def test_a_file_made_anew_and_deleted_again_is_deleted(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """The old one must not come back."""
    await cloud.holds({"a": b"old"})
    await desk.removes("a")
    await desk.writes("a", b"new")

    await desk.removes("a")
    await desk.settles()

    assert await cloud.tree() == {}


async def test_a_file_made_anew_but_never_closed_does_not_bring_the_old_one_back(
    mounts: Mounts, cloud: Cloud, clock: MockClock
) -> None:
    """The deletion was accepted; the new content never was."""
    await cloud.holds({"a": b"old"})
    async with mounts() as desk:
        await desk.removes("a")
        handle = await desk.creates("a")
        await desk.fs.write(handle, 0, b"new")

    async with mounts() as desk:
        await desk.settles()

    assert await cloud.tree() == {}


async def test_a_file_made_anew_while_the_deletion_is_being_sent_waits_for_it(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """Its name is free on the server only then."""
    await cloud.holds({"a": b"old"})
    await desk.removes("a")
    wire.holds_back("POST", "files")
    await wire.held.wait()

    await desk.writes("a", b"new")
    await desk.waits(5)
    meanwhile = wire.count("POST data")
    wire.lets_go()
    await desk.settles()

    assert meanwhile == 0
    assert await cloud.tree() == {"a": b"new"}
    assert desk.reports() == []


async def test_a_folder_by_the_name_of_a_deleted_file_waits_for_the_deletion(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """And the other way round."""
    await cloud.holds({"a": b"old", "d/": b""})
    await desk.removes("a")
    await desk.removes_folder("d")

    await desk.makes_folder("a")
    await desk.writes("d", b"new")
    await desk.settles()

    assert await cloud.tree() == {"a/": b"", "d": b"new"}
    assert desk.reports() == []


async def test_a_file_moved_to_the_name_of_a_deleted_one_waits_for_the_deletion(
    desk: Desk, cloud: Cloud, clock: MockClock
) -> None:
    """A rename on the server needs the name now."""
    await cloud.holds({"a": b"old", "b": b"other", "d/": b"", "e/": b""})
    await desk.removes("a")
    await desk.removes_folder("d")

    await desk.renames("b", "a")
    await desk.renames("e", "d")

    assert await cloud.tree() == {"a": b"other", "d/": b""}


async def test_a_delete_while_the_upload_runs_does_not_wait_for_its_answer(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """What arrives all the same is looked for and deleted."""
    await desk.writes("a", b"content")
    wire.holds_back("POST", "data")
    await wire.held.wait()

    await desk.removes("a")
    seen = await desk.names()
    wire.lets_go()
    await desk.settles()

    assert seen == set()
    assert await cloud.tree() == {}


async def test_a_file_deleted_while_its_upload_runs_is_gone_though_the_server_names_it(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """The server has it, under a UUID that nobody here was told of, until it is deleted there."""
    await desk.writes("a", b"content")
    wire.holds_back("POST", "data")
    await wire.held.wait()
    walker = await desk.walks()
    await desk.removes("a")

    await desk.volume.tree.listing_now(desk.fs.root)
    seen = await desk.names(), await desk.has("a"), desk.fs.child(walker, 0)
    wire.lets_go()
    await desk.settles()

    assert seen == (set(), False, None)
    assert await cloud.tree() == {}


async def test_a_folder_renamed_after_its_answer_got_lost_has_one_name_though_the_server_says_otherwise(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """It is there under its former name until that is taken away."""
    wire.after = lambda request: httpx.ReadError("lost") if request.method == "POST" else None
    await desk.makes_folder("before")
    await desk.volume.uploader.ended()
    await desk.renames("before", "after")

    await desk.volume.tree.listing_now(desk.fs.root)
    seen = await desk.names(), await desk.has("before")
    wire.after = lambda _: None
    await desk.settles()

    assert seen == ({"after"}, False)
    assert await cloud.tree() == {"after/": b""}


async def test_a_delete_while_the_upload_runs_survives_the_daemon(
    mounts: Mounts, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """The answer that would have told is lost with it."""
    async with mounts() as desk:
        await desk.writes("a", b"content")
        wire.holds_back("POST", "data")
        await wire.held.wait()
        await desk.removes("a")
    arrived = await cloud.tree()

    async with mounts() as desk:
        await desk.settles()

    assert (arrived, await cloud.tree()) == ({"a": b"content"}, {})


async def test_a_file_deleted_while_its_upload_runs_can_be_written_on(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """It is still open: the end of the upload is not the end of the file."""
    await desk.writes("a", b"content")
    handle = await desk.opens("a", writable=True)
    wire.holds_back("POST", "data")
    await wire.held.wait()
    await desk.removes("a")
    wire.lets_go()
    await desk.settles()

    await desk.fs.write(handle, 0, b"C")

    assert await desk.all_of(handle) == b"Content"
    await desk.closes(handle)
    await desk.settles()
    assert await cloud.tree() == {}


async def test_what_somebody_else_made_under_a_deleted_name_is_left_alone(
    mounts: Mounts, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """Only what we handed over ourselves is ours to delete."""
    async with mounts() as desk:
        await desk.writes("a", b"content")
        wire.before = lambda request: httpx.ReadError("lost") if request.method == "POST" else None
        await desk.waits(2)
        await desk.removes("a")
    wire.comes_back()
    await cloud.puts("a", b"theirs")

    async with mounts() as desk:
        await desk.settles()

    assert await cloud.tree() == {"a": b"theirs"}


async def test_deletions_do_not_stand_in_the_way_of_who_looks(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """They have a lane of their own."""
    await cloud.holds({f"{number}": b"" for number in range(40)} | {"d/x": b"1"})
    await desk.names()
    for number in range(40):
        await desk.removes(f"{number}")
    wire.before = lambda request: httpx.ConnectError("slow") if "files/info" in request.url.path else None
    await desk.waits(2)

    assert await desk.names("d") == {"x"}


async def test_a_delete_is_not_refused_for_a_full_disk(
    desk: Desk, cloud: Cloud, clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """It may be what is to cure it."""
    await cloud.holds({"a": b"1"})
    await desk.names()
    desk.outbox._ledger.connection.execute("PRAGMA max_page_count=1")
    desk.outbox._ledger.connection.execute(
        "CREATE TEMP TRIGGER full BEFORE INSERT ON errands BEGIN SELECT raise(FAIL, 'full'); END"
    )

    await desk.removes("a")
    await desk.settles()

    assert await cloud.tree() == {}
    assert "would be forgotten by a crash" in caplog.text
