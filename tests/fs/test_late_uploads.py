"""A server that is so slow with an upload that its file has long another name here, or none, when it carries it out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
import trio

from cxfs.core.errors import AlreadyExists, DiskFull, TimedOut
from cxfs.core.patience import LATE_S, RECALL_S, RECEIPT_S
from cxfs.core.pending import Kind
from cxfs.fs.rows import MAY_COME_LATE
from tests.fs.worlds import TTL_S

if TYPE_CHECKING:
    from trio.testing import MockClock

    from tests.fs.cloud import Cloud, Wire
    from tests.fs.desk import Desk, Mounts

SOON_S = 2 * RECALL_S + 0.5
"""A rename that has to wait for nobody: a moment for the answer, and another for what has arrived."""

MOMENTS_S = [1, RECEIPT_S - RECALL_S + 1, RECEIPT_S - RECALL_S + LATE_S - 1]
"""After the rename: while the answer might still come, after it was given up, and as late as is to be expected."""


class Late:
    """The server of one upload: it has all of it, answers nothing, and carries it out when it is told to."""

    def __init__(self, wire: Wire, app: httpx.AsyncBaseTransport) -> None:
        self._app = app
        self._kept: httpx.Request | None = None
        self.taken = trio.Event()
        wire.meanwhile = self._meanwhile

    async def _meanwhile(self, request: httpx.Request) -> None:
        if request.url.host != "data.cx.test" or request.method != "POST" or self._kept is not None:
            return
        body = await request.aread()
        self._kept = httpx.Request(request.method, request.url, headers=request.headers, content=body)
        self.taken.set()
        await trio.sleep_forever()

    async def carries_it_out(self) -> int:
        """The status that nobody hears."""
        assert self._kept is not None
        return (await self._app.handle_async_request(self._kept)).status_code


@pytest.fixture
def late(wire: Wire, app: httpx.ASGITransport) -> Late:
    return Late(wire, app)


@pytest.mark.promise
@pytest.mark.parametrize("after_s", MOMENTS_S)
@pytest.mark.parametrize("is_renamed", [True, False], ids=["renamed", "deleted"])
async def test_what_arrives_late_under_a_former_name_is_not_seen_and_goes(
    desk: Desk, cloud: Cloud, late: Late, clock: MockClock, *, is_renamed: bool, after_s: float
) -> None:
    """What a slow server carries out when its file has long another name, or none, is neither shown under the former
    name nor kept there."""
    await desk.writes("a", b"content")
    await late.taken.wait()

    with trio.fail_after(SOON_S):
        await (desk.renames("a", "b") if is_renamed else desk.removes("a"))
    await desk.waits(after_s)
    status = await late.carries_it_out()
    await desk.waits(0.5)
    names = await desk.names()
    await desk.settles()

    assert status == 200
    assert names == ({"b"} if is_renamed else set())
    assert not await desk.has("a")
    assert await cloud.tree() == ({"b": b"content"} if is_renamed else {})


@pytest.mark.parametrize("after_s", [0, *MOMENTS_S])
async def test_a_new_file_by_the_former_name_need_not_wait_for_it(
    desk: Desk, cloud: Cloud, late: Late, clock: MockClock, *, after_s: float
) -> None:
    """The server refuses what meets a newer version; what was there before is known by its checksum."""
    await desk.writes("a", b"content")
    await late.taken.wait()
    await desk.renames("a", "b")
    if not after_s:
        await late.carries_it_out()

    await desk.writes("a", b"new")
    await desk.waits(after_s or 1)
    if after_s:
        status = await late.carries_it_out()
        assert status == 412
    seen = await cloud.content("a")
    await desk.settles()

    assert seen == b"new"
    assert await cloud.tree() == {"a": b"new", "b": b"content"}
    assert await desk.names() == {"a", "b"}


@pytest.mark.parametrize("after_s", [0, *MOMENTS_S])
async def test_a_file_of_the_server_is_moved_to_the_former_name_without_waiting_for_it(
    desk: Desk, cloud: Cloud, late: Late, clock: MockClock, *, after_s: float
) -> None:
    """Over what has arrived, or before it: then the server refuses that."""
    await cloud.holds({"far": b"theirs"})
    far = await cloud.entry("far")
    await desk.names()
    await desk.waits(TTL_S - 8)
    await desk.writes("a", b"content")
    await late.taken.wait()
    await desk.renames("a", "b")
    if not after_s:
        await late.carries_it_out()
        await desk.waits(6)
        assert await desk.names() == {"b", "far"}  # asked for anew: it is among what the server tells

    with trio.fail_after(SOON_S):
        await desk.renames("far", "a")
    await desk.waits(after_s)
    status = await late.carries_it_out() if after_s else 412
    names = await desk.names()
    await desk.settles()

    assert status == 412
    assert names == {"a", "b"}
    assert await cloud.tree() == {"a": b"theirs", "b": b"content"}
    assert (await cloud.entry("a")).id == far.id
    assert await desk.reads("a") == b"theirs"


async def test_what_was_moved_to_the_former_name_may_get_the_same_content(
    desk: Desk, cloud: Cloud, late: Late, clock: MockClock
) -> None:
    """Nothing is to be cleared there any more."""
    await cloud.holds({"far": b"theirs"})
    await desk.writes("a", b"content")
    await late.taken.wait()
    await desk.renames("a", "b")
    await desk.renames("far", "a")

    await cloud.puts("a", b"content")
    await desk.waits(RECEIPT_S + LATE_S)
    await desk.settles()

    assert await cloud.tree() == {"a": b"content", "b": b"content"}


async def test_what_somebody_else_puts_under_the_former_name_is_not_moved_over(
    desk: Desk, cloud: Cloud, late: Late, clock: MockClock
) -> None:
    """Nobody here has seen it."""
    await cloud.holds({"far": b"far"})
    await desk.writes("a", b"content")
    await late.taken.wait()
    await desk.renames("a", "b")
    assert not await desk.has("a")
    await cloud.puts("a", b"theirs")

    with pytest.raises(AlreadyExists):
        await desk.renames("far", "a")
    await desk.settles()

    assert await cloud.tree() == {"a": b"theirs", "b": b"content", "far": b"far"}


async def test_a_file_of_the_same_content_is_never_taken_for_it(
    desk: Desk, cloud: Cloud, wire: Wire, late: Late, clock: MockClock
) -> None:
    """By its checksum it could not be told from what is to be cleared away, so nothing is after a move in doubt."""
    await cloud.holds({"far": b"content"})
    await desk.writes("a", b"content")
    await late.taken.wait()
    await desk.renames("a", "b")
    wire.holds_back("POST", "files/move")

    with pytest.raises(TimedOut):
        await desk.renames("far", "a")
    wire.lets_go()
    await desk.settles()

    assert await cloud.tree() == {"a": b"content", "b": b"content"}


@pytest.mark.parametrize("is_known", [True, False], ids=["on the server", "new"])
@pytest.mark.parametrize("after_s", [0, *MOMENTS_S])
async def test_what_replaces_a_file_does_not_wait_for_its_upload(
    desk: Desk, cloud: Cloud, wire: Wire, late: Late, clock: MockClock, *, is_known: bool, after_s: float
) -> None:
    """Whichever comes first at the server."""
    await cloud.holds({"x": b"better"})
    await desk.writes("a", b"content")
    await late.taken.wait()
    name = "x" if is_known else "y"
    if not is_known:
        await desk.writes("y", b"better")
    asked = iter([True])
    wire.before = lambda request: (
        httpx.ReadError("lost") if "files/info" in request.url.path and next(asked, False) else None
    )

    with trio.fail_after(SOON_S):
        await desk.renames(name, "a")
    await desk.waits(after_s or 0.1)
    await late.carries_it_out()
    await desk.settles()

    assert await cloud.tree() == {"a": b"better"} | ({} if is_known else {"x": b"better"})
    assert await desk.reads("a") == b"better"


async def test_a_file_renamed_back_and_forth_leaves_nothing_anywhere(
    desk: Desk, cloud: Cloud, late: Late, clock: MockClock
) -> None:
    """What was sent under its first name is cleared there and nowhere else."""
    await desk.writes("a", b"content")
    await late.taken.wait()
    with trio.fail_after(4 * SOON_S):
        await desk.renames("a", "b")
        await desk.renames("b", "a")
        await desk.renames("a", "c")

    await late.carries_it_out()
    await desk.settles()

    assert await desk.names() == {"c"}
    assert await cloud.tree() == {"c": b"content"}


async def test_what_somebody_else_puts_where_it_never_was_sent_stays(
    desk: Desk, cloud: Cloud, late: Late, clock: MockClock
) -> None:
    """Though it is the same content: only the first name is looked after."""
    await desk.writes("a", b"content")
    await late.taken.wait()
    await desk.renames("a", "b")
    await desk.renames("b", "c")

    await cloud.puts("b", b"content")
    await desk.settles()

    assert await cloud.tree() == {"b": b"content", "c": b"content"}


@pytest.mark.parametrize("is_replacing", [True, False], ids=["replacing it", "a new file"])
async def test_what_had_the_name_in_between_goes_on_looking_after_it(
    desk: Desk, cloud: Cloud, late: Late, clock: MockClock, *, is_replacing: bool
) -> None:
    """And is gone from there itself before it was sent."""
    await desk.writes("a", b"content")
    await late.taken.wait()
    if is_replacing:
        await desk.writes("y", b"new")
        await desk.renames("y", "a")
    else:
        await desk.renames("a", "b")
        await desk.writes("a", b"new")
    await desk.renames("a", "c")

    await desk.waits(MOMENTS_S[-1] - 1)
    await late.carries_it_out()
    assert await desk.names() == ({"c"} if is_replacing else {"b", "c"})
    await desk.settles()

    assert await cloud.tree() == {"c": b"new"} | ({} if is_replacing else {"b": b"content"})


async def test_an_attempt_that_was_not_the_last_may_be_the_late_one(
    desk: Desk, cloud: Cloud, wire: Wire, late: Late, clock: MockClock
) -> None:
    """The last one was never sent."""
    await desk.writes("a", b"content")
    await late.taken.wait()
    wire.before = lambda request: (
        httpx.ConnectError("no route") if request.method == "POST" and request.url.host == "data.cx.test" else None
    )
    await desk.waits(RECEIPT_S + 3)
    assert wire.count("POST data") > 1
    await desk.renames("a", "b")

    await desk.waits(LATE_S - 4.5)
    await late.carries_it_out()
    assert await desk.names() == {"b"}
    wire.comes_back()
    await desk.settles()

    assert await cloud.tree() == {"b": b"content"}


@pytest.mark.parametrize("names", [["a"], ["a", "b"]], ids=["alone", "in a bundle"])
async def test_the_answer_that_comes_after_all_is_not_believed(
    desk: Desk,
    cloud: Cloud,
    wire: Wire,
    caplog: pytest.LogCaptureFixture,
    clock: MockClock,
    *,
    names: list[str],
) -> None:
    """It tells of the former name. The server was asked, but did not answer that either."""
    for name in names:
        await desk.writes(name, b"content")
    wire.holds_back("POST", "data" if len(names) == 1 else "bundle")
    await wire.held.wait()
    wire.before = lambda request: httpx.ReadError("lost") if "files/info" in request.url.path else None
    await desk.renames("a", "c")

    wire.lets_go()
    await desk.waits(0.1)
    wire.comes_back()

    assert await desk.names() == {"c", *names[1:]}
    await desk.settles()
    assert await cloud.tree() == dict.fromkeys(["c", *names[1:]], b"content")
    assert "a bug" not in caplog.text


async def test_its_end_is_none_of_the_attempt_after_it(
    desk: Desk, cloud: Cloud, wire: Wire, late: Late, clock: MockClock
) -> None:
    """That one is under way, and will be answered."""
    await desk.writes("a", b"content")
    await late.taken.wait()
    await desk.renames("a", "b")
    wire.holds_back("POST", "data")
    await wire.held.wait()
    await desk.waits(RECEIPT_S - 1)

    assert desk.volume.uploader.statistics().sending == 1
    wire.lets_go()
    await desk.settles()

    assert wire.count("POST data") == 2
    assert await cloud.tree() == {"b": b"content"}


async def test_what_has_arrived_keeps_its_uuid(desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock) -> None:
    """The server, asked for it, has it under the former name, and moves it."""
    await desk.writes("a", b"content")
    wire.holds_back("POST", "data")
    await wire.held.wait()
    before = await cloud.entry("a")

    await desk.renames("a", "b")
    wire.lets_go()
    await desk.settles()

    assert (await cloud.entry("b")).id == before.id
    assert await cloud.tree() == {"b": b"content"}


@pytest.mark.parametrize("is_renamed", [True, False], ids=["renamed", "made anew"])
async def test_a_server_that_does_not_compare_versions_is_waited_for(
    mounts: Mounts, cloud: Cloud, late: Late, clock: MockClock, *, is_renamed: bool
) -> None:
    """It would take what comes late as the newest version."""
    async with mounts(capabilities=frozenset()) as desk:
        await desk.writes("a", b"content")
        await late.taken.wait()
        began = trio.current_time()
        await (desk.renames("a", "b") if is_renamed else desk.removes("a"))
        waited_s = trio.current_time() - began
        await desk.writes("a", b"new")
        await desk.waits(LATE_S)
        await late.carries_it_out()
        await desk.settles()

    assert waited_s == (pytest.approx(RECEIPT_S, abs=0.5) if is_renamed else 0)
    assert await cloud.tree() == {"a": b"new"} | ({"b": b"content"} if is_renamed else {})


async def test_a_new_version_that_arrives_late_undoes_nothing(
    desk: Desk, cloud: Cloud, late: Late, clock: MockClock
) -> None:
    """It goes by identity: the server compares versions, wherever the file is by then."""
    await cloud.holds({"a": b"old"})
    await desk.writes("a", b"first")
    await late.taken.wait()

    with trio.fail_after(SOON_S):
        await desk.renames("a", "b")
    await desk.writes("b", b"second")
    await desk.waits(3)
    status = await late.carries_it_out()
    await desk.settles()

    assert status == 412
    assert await cloud.tree() == {"b": b"second"}


async def test_a_folder_is_renamed_however_many_uploads_into_it_are_unanswered(
    desk: Desk, cloud: Cloud, late: Late, clock: MockClock
) -> None:
    """All of them have the same moment, not one after the other."""
    await desk.makes_folder("f")
    await desk.settles()
    for number in range(8):
        await desk.writes(f"f/{number}", b"content")
    await late.taken.wait()

    with trio.fail_after(SOON_S):
        await desk.renames("f", "g")
    await late.carries_it_out()
    await desk.settles()

    assert await cloud.tree() == {"g/": b"", **{f"g/{number}": b"content" for number in range(8)}}


async def test_the_folder_that_it_arrives_in_is_as_empty_as_it_looks(
    desk: Desk, cloud: Cloud, late: Late, clock: MockClock
) -> None:
    """What is hidden keeps nobody from removing the folder, which goes from the server after it."""
    await desk.makes_folder("f")
    await desk.settles()
    await desk.writes("f/a", b"content")
    await late.taken.wait()
    await desk.renames("f/a", "b")
    await late.carries_it_out()
    desk.volume.tree.doubt(await desk.node("f"))
    assert await desk.names("f") == set()

    await desk.removes_folder("f")
    await desk.settles()

    assert await cloud.tree() == {"b": b"content"}


async def test_what_is_to_be_cleared_is_forgotten_with_the_file_that_was_to_meet_it(
    mounts: Mounts, cloud: Cloud, late: Late, clock: MockClock
) -> None:
    """Though that file was never written down: else the next run removes what has the same content by then."""
    async with mounts() as desk:
        await desk.writes("a", b"content")
        await late.taken.wait()
        await desk.renames("a", "b")
        handle = await desk.creates("a")
        await desk.writes("y", b"content")
        await desk.renames("y", "a")
        await desk.closes(handle)
        await desk.settles()

    async with mounts() as desk:
        await desk.settles()

    assert await cloud.tree() == {"a": b"content", "b": b"content"}


async def test_what_has_arrived_and_cannot_be_written_down_is_a_full_disk(
    desk: Desk, wire: Wire, clock: MockClock
) -> None:
    """The rename is refused for that reason, as any call is."""
    await desk.writes("a", b"content")
    wire.holds_back("POST", "data")
    await wire.held.wait()
    desk.outbox._ledger.connection.execute(
        "CREATE TEMP TRIGGER full BEFORE INSERT ON changes BEGIN SELECT raise(FAIL, 'full'); END"
    )

    with pytest.raises(DiskFull):
        await desk.renames("a", "b")


async def test_after_a_restart_it_is_still_waited_for(
    mounts: Mounts, cloud: Cloud, late: Late, clock: MockClock
) -> None:
    """The journal has what may arrive; how long ago it was sent nobody knows any more."""
    async with mounts() as desk:
        await desk.writes("a", b"content")
        await late.taken.wait()
        await desk.renames("a", "b")

    async with mounts() as desk:
        await desk.waits(LATE_S - 1)
        await late.carries_it_out()
        names = await desk.names()
        await desk.settles()

    assert names == {"b"}
    assert await cloud.tree() == {"b": b"content"}


@pytest.mark.parametrize("is_renamed", [True, False], ids=["renamed", "deleted"])
async def test_what_an_earlier_run_sent_may_arrive_after_a_file_lost_its_name_in_this_one(
    mounts: Mounts, cloud: Cloud, wire: Wire, late: Late, clock: MockClock, *, is_renamed: bool
) -> None:
    """The journal has what was handed over, though this run has sent nothing."""
    async with mounts() as desk:
        await desk.writes("a", b"content")
        await late.taken.wait()
    wire.before = lambda request: (
        httpx.ConnectError("no route") if request.method == "POST" and request.url.host == "data.cx.test" else None
    )

    async with mounts() as desk:
        await (desk.renames("a", "b") if is_renamed else desk.removes("a"))
        await desk.waits(LATE_S - 5)
        status = await late.carries_it_out()
        names = await desk.names()
        wire.comes_back()
        await desk.settles()

    assert status == 200
    assert names == ({"b"} if is_renamed else set())
    assert await cloud.tree() == ({"b": b"content"} if is_renamed else {})


@pytest.mark.parametrize("names", [["f/a"], ["f/a", "f/b"]], ids=["alone", "in a bundle"])
@pytest.mark.parametrize("is_moved_there", [True, False], ids=["moved there", "new"])
async def test_what_arrives_late_does_not_go_into_the_folder_that_has_got_the_name_of_its_own(
    desk: Desk, cloud: Cloud, late: Late, clock: MockClock, *, is_moved_there: bool, names: list[str]
) -> None:
    """It went out by names, which lead elsewhere by now: the server is told which folder is meant."""
    await cloud.holds({"f/": b"", "next/x": b"theirs"})
    for name in names:
        await desk.writes(name, b"content")
    await late.taken.wait()

    with trio.fail_after(2 * SOON_S):
        await desk.renames("f", "g")
        await (desk.renames("next", "f") if is_moved_there else desk.makes_folder("f"))
    await desk.waits(1)
    await late.carries_it_out()
    seen = await desk.names("f")
    await desk.settles()

    there = {"f/x": b"theirs"} if is_moved_there else {"next/": b"", "next/x": b"theirs"}
    arrived = {name.replace("f/", "g/"): b"content" for name in names}
    assert seen == ({"x"} if is_moved_there else set())
    assert await cloud.tree() == {"f/": b"", "g/": b"", **there, **arrived}


async def test_what_arrives_late_does_not_go_there_though_its_file_has_left_the_folder(
    desk: Desk, cloud: Cloud, late: Late, clock: MockClock
) -> None:
    """Before the folder itself was renamed."""
    await cloud.holds({"f/": b""})
    await desk.writes("f/a", b"content")
    await late.taken.wait()
    await desk.renames("f/a", "b")
    await desk.renames("f", "g")
    await desk.makes_folder("f")

    await desk.waits(1)
    await late.carries_it_out()
    await desk.settles()

    assert await cloud.tree() == {"f/": b"", "g/": b"", "b": b"content"}


@pytest.mark.parametrize("after_s", [0, *MOMENTS_S])
@pytest.mark.parametrize("what", ["a folder", "the same content"])
async def test_whatever_is_moved_to_the_former_name_need_not_wait_for_it(
    desk: Desk, cloud: Cloud, late: Late, clock: MockClock, *, what: str, after_s: float
) -> None:
    """A folder is no file, and of two files of the same content it does not matter which the server keeps."""
    moved = {"far/": b"", "far/x": b"x"} if what == "a folder" else {"far": b"content"}
    await cloud.holds(moved)
    await desk.names()
    await desk.writes("a", b"content")
    await late.taken.wait()
    await desk.renames("a", "b")
    if not after_s:
        await late.carries_it_out()

    with trio.fail_after(SOON_S):
        await desk.renames("far", "a")
    await desk.waits(after_s)
    status = await late.carries_it_out() if after_s else 412
    names = await desk.names()
    await desk.settles()

    assert status in {409, 412}
    assert names == {"a", "b"}
    assert await cloud.tree() == {
        "b": b"content",
        **{name.replace("far", "a"): content for name, content in moved.items()},
    }


async def test_a_move_that_is_refused_leaves_the_former_name_looked_after(
    desk: Desk, cloud: Cloud, late: Late, clock: MockClock
) -> None:
    """Somebody has put another file there, and takes it away again."""
    await cloud.holds({"far": b"content"})
    await desk.names()
    await desk.writes("a", b"content")
    await late.taken.wait()
    await desk.renames("a", "b")
    assert not await desk.has("a")
    await cloud.puts("a", b"theirs")
    with pytest.raises(AlreadyExists):
        await desk.renames("far", "a")
    await cloud.deletes("a")

    await late.carries_it_out()
    await desk.settles()

    assert await cloud.tree() == {"b": b"content", "far": b"content"}


@pytest.mark.parametrize("has_arrived", [True, False], ids=["has arrived", "is yet to come"])
async def test_a_folder_is_moved_over_one_into_which_something_may_come_late(
    desk: Desk, cloud: Cloud, late: Late, clock: MockClock, *, has_arrived: bool
) -> None:
    """Into a folder that is gone nothing can come, so nobody waits before it goes."""
    await cloud.holds({"f/": b"", "next/x": b"x"})
    await desk.writes("f/a", b"content")
    await late.taken.wait()
    await desk.removes("f/a")
    if has_arrived:
        await late.carries_it_out()

    with trio.fail_after(SOON_S):
        await desk.renames("next", "f")
    status = 404 if has_arrived else await late.carries_it_out()
    names = await desk.names("f")
    await desk.settles()

    assert status == 404
    assert names == {"x"}
    assert await cloud.tree() == {"f/": b"", "f/x": b"x"}
    assert not desk.reports()


async def test_a_folder_that_goes_takes_nothing_of_somebody_else_along(
    desk: Desk, cloud: Cloud, late: Late, clock: MockClock
) -> None:
    """Only what is known to be what was sent."""
    await cloud.holds({"f/": b""})
    await desk.writes("f/a", b"content")
    await late.taken.wait()
    await desk.removes("f/a")
    await late.carries_it_out()
    await cloud.puts("f/b", b"theirs")
    await desk.removes_folder("f")
    await desk.settles()

    assert (await cloud.tree())["f/b"] == b"theirs"
    assert await desk.names("f") >= {"b"}


async def test_several_folders_go_in_one_request_and_the_one_with_a_late_file_in_it_alone(
    desk: Desk, cloud: Cloud, late: Late, clock: MockClock
) -> None:
    """The server would refuse that one, as it would for somebody else's file."""
    await cloud.holds({"f/": b"", "g/": b"", "h/": b""})
    await desk.writes("f/a", b"content")
    await late.taken.wait()
    await desk.removes("f/a")
    await late.carries_it_out()

    for name in ("f", "g", "h"):
        await desk.removes_folder(name)
    await desk.settles()

    assert await cloud.tree() == {}
    assert not desk.reports()


async def test_what_waits_for_it_is_not_told_as_a_deletion(desk: Desk, late: Late, clock: MockClock) -> None:
    """Nobody has deleted anything."""
    await desk.writes("a", b"content")
    await late.taken.wait()
    await desk.renames("a", "b")

    rows = {row.path: row for row in desk.volume.waiting.rows()}

    assert (rows["a"].kind, rows["a"].reason) == (Kind.CLEAR, MAY_COME_LATE)
    assert rows["b"].kind is Kind.UPLOAD
