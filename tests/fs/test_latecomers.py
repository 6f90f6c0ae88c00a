"""What may arrive late under a name that has been somebody's again since, and is free once more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
import trio

from cxfs.core.entries import EntryName, Uuid
from cxfs.core.patience import LATE_S, RECEIPT_S
from cxfs.fs.attempts import Attempt
from cxfs.fs.latecomers import Latecomers
from tests.fs.test_late_uploads import SOON_S, Late

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from trio.testing import MockClock

    from tests.fs.cloud import Cloud, Wire
    from tests.fs.desk import Desk

SENT_AGAIN_S = RECEIPT_S + 2
"""By then the first attempt is given up, and a second has arrived."""


@pytest.fixture
def late(wire: Wire, app: httpx.ASGITransport) -> Late:
    return Late(wire, app)


async def _is_renamed(desk: Desk) -> None:
    await desk.renames("a", "c")


async def _is_deleted(desk: Desk) -> None:
    await desk.removes("a")


async def _makes_place_for_a_small_file(desk: Desk) -> None:
    await desk.writes("c", b"former")
    await desk.settles()
    assert await desk.reads("a")
    await desk.renames("a", "c")


GOES = pytest.mark.parametrize(
    ("goes", "is_kept"),
    [(_is_renamed, True), (_is_deleted, False), (_makes_place_for_a_small_file, True)],
    ids=["renamed", "deleted", "renamed over another"],
)


@GOES
async def test_an_upload_that_had_to_be_sent_again_may_arrive_when_its_file_has_left(
    desk: Desk, cloud: Cloud, late: Late, clock: MockClock, *, goes: Callable[[Desk], Awaitable[None]], is_kept: bool
) -> None:
    """The second attempt was heard of, the first was not."""
    await desk.writes("a", b"content")
    await late.taken.wait()
    await desk.waits(SENT_AGAIN_S)
    assert await cloud.tree() == {"a": b"content"}

    await goes(desk)
    await desk.waits(1)
    await late.carries_it_out()
    names = await desk.names()
    await desk.settles()
    await desk.waits(LATE_S)

    assert names == ({"c"} if is_kept else set())
    assert await cloud.tree() == ({"c": b"content"} if is_kept else {})


@GOES
async def test_a_new_file_by_the_former_name_that_has_arrived_and_gone_leaves_nothing_there(
    desk: Desk, cloud: Cloud, late: Late, clock: MockClock, *, goes: Callable[[Desk], Awaitable[None]], is_kept: bool
) -> None:
    """As long as it stood there the server would have refused the late one."""
    await desk.writes("a", b"content")
    await late.taken.wait()
    await desk.renames("a", "b")
    await desk.writes("a", b"new")
    await desk.waits(3)
    assert await cloud.content("a") == b"new"

    await goes(desk)
    await desk.waits(1)
    await late.carries_it_out()
    names = await desk.names()
    await desk.settles()
    await desk.waits(LATE_S)

    assert names == ({"b", "c"} if is_kept else {"b"})
    assert await cloud.tree() == {"b": b"content", **({"c": b"new"} if is_kept else {})}


async def test_one_attempt_that_is_found_there_tells_nothing_of_the_other(
    desk: Desk, cloud: Cloud, wire: Wire, late: Late, clock: MockClock
) -> None:
    """Of two that nobody heard of, the second had arrived when the file was renamed."""
    await desk.writes("a", b"content")
    await late.taken.wait()
    wire.holds_back("POST", "data")
    await wire.held.wait()
    before = await cloud.entry("a")

    await desk.renames("a", "b")
    await desk.waits(1)
    await late.carries_it_out()
    names = await desk.names()
    wire.lets_go()
    await desk.settles()
    await desk.waits(LATE_S)

    assert names == {"b"}
    assert await cloud.tree() == {"b": b"content"}
    assert (await cloud.entry("b")).id == before.id


@pytest.mark.parametrize("is_folder", [True, False], ids=["a folder", "a file"])
@pytest.mark.parametrize("is_renamed", [True, False], ids=["renamed", "deleted"])
async def test_what_was_moved_to_the_former_name_and_goes_on_leaves_nothing_there(
    desk: Desk, cloud: Cloud, late: Late, clock: MockClock, *, is_folder: bool, is_renamed: bool
) -> None:
    """The same for what the server moved there."""
    await cloud.holds({"far/" if is_folder else "far": b"" if is_folder else b"theirs"})
    await desk.names()
    await desk.writes("a", b"content")
    await late.taken.wait()
    await desk.renames("a", "b")
    await desk.renames("far", "a")

    if is_renamed:
        await desk.renames("a", "c")
    else:
        await (desk.removes_folder("a") if is_folder else desk.removes("a"))
    await desk.waits(1)
    await late.carries_it_out()
    names = await desk.names()
    await desk.settles()
    await desk.waits(LATE_S)

    kept = {"c/" if is_folder else "c": b"" if is_folder else b"theirs"} if is_renamed else {}
    assert names == ({"b", "c"} if is_renamed else {"b"})
    assert await cloud.tree() == {"b": b"content", **kept}


async def test_what_replaced_a_file_that_was_to_meet_it_is_remembered_to_stand_in_its_way(
    desk: Desk, cloud: Cloud, late: Late, clock: MockClock
) -> None:
    """The replaced one was never sent by that name itself."""
    await cloud.holds({"far": b"theirs"})
    await desk.names()
    await desk.writes("a", b"content")
    await late.taken.wait()
    await desk.renames("a", "b")
    await desk.writes("a", b"new")

    await desk.renames("far", "a")
    await desk.renames("a", "c")
    await desk.waits(1)
    await late.carries_it_out()
    names = await desk.names()
    await desk.settles()
    await desk.waits(LATE_S)

    assert names == {"b", "c"}
    assert await cloud.tree() == {"b": b"content", "c": b"theirs"}


@pytest.mark.parametrize("call", ["a file is moved there", "its folder goes"])
async def test_what_was_deleted_and_stands_in_its_way_is_in_nobodys_way(
    desk: Desk, cloud: Cloud, late: Late, clock: MockClock, *, call: str
) -> None:
    """It is moved over, or goes with its folder, into which nothing comes any more."""
    await cloud.holds({"far": b"theirs"})
    await desk.makes_folder("f")
    await desk.settles()
    await desk.writes("f/a", b"content")
    await late.taken.wait()
    await desk.renames("f/a", "b")
    await desk.writes("f/a", b"new")
    await desk.waits(1)
    await desk.removes("f/a")

    with trio.fail_after(SOON_S):
        if call == "a file is moved there":
            await desk.renames("far", "f/a")
        else:
            await desk.makes_folder("g")
            await desk.removes_folder("f")
            await desk.renames("g", "f")
    await late.carries_it_out()
    await desk.settles()

    moved = {"f/a": b"theirs"} if call == "a file is moved there" else {"far": b"theirs"}
    assert await cloud.tree() == {"b": b"content", "f/": b"", **moved}
    assert await desk.names("f") == ({"a"} if call == "a file is moved there" else set())


async def test_of_what_cannot_come_any_more_nothing_is_kept(clock: MockClock) -> None:
    """However many names there were."""
    latecomers, folder = Latecomers(), Uuid("f" * 22)
    for number in range(3):
        latecomers.expect(folder, EntryName(f"{number}"), (b"sha1",), Attempt.of_an_earlier_run())
    latecomers.expect(folder, EntryName("none"), (b"sha1",), Attempt.never_made())
    latecomers.expect(folder, EntryName("nothing"), (), Attempt.of_an_earlier_run())

    assert len(latecomers) == 3
    assert latecomers.at(folder, EntryName("1")) is not None
    await trio.sleep(LATE_S)
    assert latecomers.at(folder, EntryName("1")) is None
    latecomers.expect(folder, EntryName("last"), (b"sha1",), Attempt.of_an_earlier_run())
    assert len(latecomers) == 1


async def test_several_may_come_under_one_name(clock: MockClock) -> None:
    """Until the last of them cannot any more."""
    latecomers, folder, name = Latecomers(), Uuid("f" * 22), EntryName("a")
    latecomers.expect(folder, name, (b"first",), Attempt.of_an_earlier_run())
    await trio.sleep(1)
    latecomers.expect(folder, name, (b"second", b"first"), Attempt.of_an_earlier_run())

    late = latecomers.at(folder, name)
    assert late is not None
    assert late.sealed == (b"first", b"second")
    await trio.sleep(LATE_S - 0.5)
    assert not late.until.is_set()
    await trio.sleep(0.5)
    assert late.until.is_set()


async def test_what_comes_late_is_expected_though_its_name_has_a_newer_version(
    desk: Desk, cloud: Cloud, wire: Wire, late: Late, clock: MockClock
) -> None:
    """Of which an attempt was not heard of either: that one goes by identity."""
    await desk.writes("a", b"content")
    await late.taken.wait()
    await desk.renames("a", "b")
    await desk.writes("a", b"new")
    await desk.waits(1)
    losses = iter([True])
    wire.after = lambda request: (
        httpx.ReadError("lost")
        if request.method == "POST" and "data" in request.url.path and next(losses, False)
        else None
    )
    await desk.writes("a", b"newer")
    await desk.waits(3)

    await desk.renames("a", "c")
    await late.carries_it_out()
    names = await desk.names()
    await desk.settles()

    assert names == {"b", "c"}
    assert await cloud.tree() == {"b": b"content", "c": b"newer"}
