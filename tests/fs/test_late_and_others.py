"""What may arrive late under a former name, and somebody else who uses that name meanwhile: neither is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from cxfs.core.errors import AlreadyExists
from cxfs.core.patience import LATE_S, RECEIPT_S
from tests.fs.test_late_uploads import Late

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import httpx
    from trio.testing import MockClock

    from tests.fs.cloud import Cloud, Wire
    from tests.fs.desk import Desk, Mounts

COPY = "a (conflict laptop 2026-05-01)"


@pytest.fixture
def late(wire: Wire, app: httpx.ASGITransport) -> Late:
    return Late(wire, app)


async def is_renamed(desk: Desk, late: Late) -> None:
    """The upload of `a` is at the server, and its file is called `b`."""
    await desk.writes("a", b"content")
    await late.taken.wait()
    await desk.renames("a", "b")


async def has_theirs(desk: Desk, cloud: Cloud) -> None:
    """Somebody else has made an `a`, and that is seen here."""
    await cloud.puts("a", b"theirs")
    desk.volume.tree.doubt(desk.fs.root)
    assert await desk.names() == {"a", "b"}


async def has_moved_it_back(desk: Desk, cloud: Cloud) -> None:
    """`b` has arrived by its own name, and somebody else gives it back the former one."""
    await desk.waits(2)
    await cloud.renames("b", "a")


async def all_is_over(desk: Desk) -> None:
    """Nothing is under way, and nothing can come any more."""
    await desk.settles()
    await desk.waits(2 * LATE_S)
    await desk.settles()


# ------------------------------------------------------------ what is known to be another file


async def test_a_file_that_somebody_else_gives_back_its_former_name_is_not_taken_for_what_came_late(
    desk: Desk, cloud: Cloud, late: Late, clock: MockClock
) -> None:
    """It has the same content, and is known here."""
    await is_renamed(desk, late)
    await has_moved_it_back(desk, cloud)
    desk.volume.tree.doubt(desk.fs.root)

    names = await desk.names()
    await all_is_over(desk)

    assert names == {"a"}
    assert await cloud.tree() == {"a": b"content"}


@pytest.mark.parametrize("moved", ["far", "folder/"])
async def test_nor_is_anything_moved_over_it(
    desk: Desk, cloud: Cloud, late: Late, clock: MockClock, *, moved: str
) -> None:
    """That it is there was not seen here yet."""
    await cloud.holds({moved: b"far" if moved == "far" else b""})
    await desk.names()
    await is_renamed(desk, late)
    await has_moved_it_back(desk, cloud)

    with pytest.raises(AlreadyExists):
        await desk.renames(moved.rstrip("/"), "a")
    await all_is_over(desk)

    assert (await cloud.tree())["a"] == b"content"
    assert moved in await cloud.tree()


async def test_a_new_file_that_meets_it_goes_beside_it(desk: Desk, cloud: Cloud, late: Late, clock: MockClock) -> None:
    """And is not its next version, as it would be of what came late."""
    await is_renamed(desk, late)
    await has_moved_it_back(desk, cloud)

    await desk.writes("a", b"new")
    await all_is_over(desk)

    assert await cloud.tree() == {"a": b"content", COPY: b"new"}


async def test_a_new_file_that_is_renamed_where_it_stands_does_not_take_it_along(
    desk: Desk, cloud: Cloud, late: Late, clock: MockClock
) -> None:
    """The server is asked what has arrived by the name."""
    await is_renamed(desk, late)
    await has_moved_it_back(desk, cloud)

    await desk.writes("a", b"new")
    await desk.renames("a", "c")
    await all_is_over(desk)

    assert await cloud.tree() == {"a": b"content", "c": b"new"}


# ------------------------------------------------------------ what stands there and is changed here


async def _it_is_renamed_over(desk: Desk) -> None:
    await desk.renames("b", "a")


async def _it_is_copied_over(desk: Desk) -> None:
    await desk.writes("a", await desk.reads("b"))
    await desk.removes("b")


@pytest.mark.parametrize("is_killed", [True, False], ids=["killed", "running"])
@pytest.mark.parametrize("comes_back", [_it_is_renamed_over, _it_is_copied_over], ids=["renamed", "copied"])
async def test_the_same_content_that_becomes_the_next_version_of_theirs_stays(
    mounts: Mounts,
    cloud: Cloud,
    late: Late,
    clock: MockClock,
    *,
    comes_back: Callable[[Desk], Awaitable[None]],
    is_killed: bool,
) -> None:
    """Nothing is to be cleared any more where something known stands, whoever looks for it then."""
    async with mounts() as desk:
        await is_renamed(desk, late)
        await has_theirs(desk, cloud)
        before = await cloud.entry("a")
        await comes_back(desk)
        await desk.waits(3)
        names = await desk.names()
        if not is_killed:
            await all_is_over(desk)
    async with mounts() as desk:
        await all_is_over(desk)

    assert names == {"a"}
    assert await cloud.tree() == {"a": b"content"}
    assert (await cloud.entry("a")).id == before.id


@pytest.mark.parametrize("what", ["file", "folder"])
async def test_what_is_deleted_of_theirs_stays_in_its_way(
    desk: Desk, cloud: Cloud, late: Late, clock: MockClock, *, what: str
) -> None:
    """Once it had gone the late one would be seen, and looked for by nobody."""
    await is_renamed(desk, late)
    await cloud.holds({"a": b"theirs"} if what == "file" else {"a/": b""})
    desk.volume.tree.doubt(desk.fs.root)

    await (desk.removes("a") if what == "file" else desk.removes_folder("a"))
    await desk.waits(2)
    status = await late.carries_it_out()
    desk.volume.tree.doubt(desk.fs.root)
    names = await desk.names()
    await all_is_over(desk)

    assert status in {409, 412}
    assert names == {"b"}
    assert await cloud.tree() == {"b": b"content"}


@pytest.mark.parametrize("is_killed", [True, False], ids=["killed", "running"])
@pytest.mark.parametrize("goes", ["deleted", "renamed over another"])
async def test_where_theirs_has_gone_the_file_may_have_its_name_back(
    mounts: Mounts, cloud: Cloud, late: Late, clock: MockClock, *, goes: str, is_killed: bool
) -> None:
    """It is not what was to be cleared there."""
    async with mounts() as desk:
        await is_renamed(desk, late)
        await has_theirs(desk, cloud)
        await desk.waits(2)
        if goes == "deleted":
            await desk.removes("a")
        else:
            await desk.writes("c", b"former")
            await desk.waits(2)
            await desk.reads("a")
            await desk.renames("a", "c")
        await desk.waits(2)
        await desk.renames("b", "a")
        if not is_killed:
            await all_is_over(desk)
    async with mounts() as desk:
        await all_is_over(desk)

    assert await cloud.tree() == {"a": b"content"} | ({} if goes == "deleted" else {"c": b"theirs"})


async def test_what_somebody_else_has_renamed_before_it_was_changed_stands_in_the_way_of_nothing(
    desk: Desk, cloud: Cloud, late: Late, clock: MockClock
) -> None:
    """The name is looked after as before."""
    await is_renamed(desk, late)
    await has_theirs(desk, cloud)
    await desk.writes("a", b"changed")
    await cloud.renames("a", "z")
    await desk.waits(3)

    await late.carries_it_out()
    desk.volume.tree.doubt(desk.fs.root)
    names = await desk.names()
    await all_is_over(desk)

    assert names == {"b", "z"}
    assert await cloud.tree() == {"b": b"content", "z": b"changed"}


async def test_what_went_beside_theirs_may_still_arrive_when_that_has_gone(
    desk: Desk, cloud: Cloud, late: Late, clock: MockClock
) -> None:
    """It was sent by the contested name."""
    await desk.writes("a", b"content")
    await late.taken.wait()
    await cloud.puts("a", b"theirs")
    await desk.waits(RECEIPT_S + 2)
    assert await desk.names() == {"a", COPY}

    await desk.removes("a")
    await desk.waits(2)
    await late.carries_it_out()
    desk.volume.tree.doubt(desk.fs.root)
    names = await desk.names()
    await all_is_over(desk)

    assert names == {COPY}
    assert await cloud.tree() == {COPY: b"content"}


async def test_the_same_content_by_another_name_is_theirs(
    mounts: Mounts, cloud: Cloud, late: Late, clock: MockClock
) -> None:
    """Where the server tells of it, it is seen at once."""
    async with mounts(follows=True) as desk:
        await desk.names()
        await desk.writes("a", b"content")
        await late.taken.wait()

        await cloud.puts("z", b"content")
        await desk.waits(1)

        assert await desk.names() == {"a", "z"}


# ------------------------------------------------------------ kills, and servers that do not compare versions


async def test_what_was_deleted_stays_in_its_way_after_a_kill(
    mounts: Mounts, cloud: Cloud, late: Late, clock: MockClock
) -> None:
    """How long ago the late one was sent nobody knows any more."""
    async with mounts() as desk:
        await is_renamed(desk, late)
        await desk.writes("a", b"new")
        await desk.waits(3)
        await desk.removes("a")

    async with mounts() as desk:
        await desk.waits(3)
        status = await late.carries_it_out()
        names = await desk.names()
        await all_is_over(desk)

    assert status == 412
    assert names == {"b"}
    assert await cloud.tree() == {"b": b"content"}


@pytest.mark.parametrize("is_killed", [True, False], ids=["killed", "running"])
async def test_where_versions_are_not_compared_nothing_newer_is_sent_while_the_former_may_come(
    mounts: Mounts, cloud: Cloud, late: Late, clock: MockClock, *, is_killed: bool
) -> None:
    """It would be the newest, and the last that was written here a version that nobody sees."""
    await cloud.holds({"a": b"old"})
    without = mounts(capabilities=frozenset())
    async with without as desk:
        await desk.writes("a", b"first")
        await late.taken.wait()
        await desk.writes("a", b"second")
        if not is_killed:
            await desk.waits(RECEIPT_S + LATE_S - 2)
            await late.carries_it_out()
            await all_is_over(desk)
    async with mounts(capabilities=frozenset()) as desk:
        await desk.waits(LATE_S - 2)
        if is_killed:
            await late.carries_it_out()
        await all_is_over(desk)

        assert await desk.names() == {"a"}
        assert await desk.reads("a") == b"second"
    assert await cloud.tree() == {"a": b"second"}


async def test_where_versions_are_not_compared_what_replaces_a_file_waits_until_that_cannot_come(
    mounts: Mounts, cloud: Cloud, late: Late, clock: MockClock
) -> None:
    """It would be a new version of what was moved there."""
    await cloud.holds({"far": b"far"})
    async with mounts(capabilities=frozenset()) as desk:
        await desk.names()
        await desk.writes("a", b"content")
        await late.taken.wait()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(desk.renames, "far", "a")
            await desk.waits(RECEIPT_S + LATE_S - 2)
            await late.carries_it_out()
        await all_is_over(desk)

        assert await desk.reads("a") == b"far"
    assert await cloud.tree() == {"a": b"far"}
