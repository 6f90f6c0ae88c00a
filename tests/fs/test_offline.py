"""While the server cannot be had: what is known is served, what is not fails at once, and what is written waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from cxfs.core.connection import State
from cxfs.core.errors import CxfsError
from tests.fs.cloud import says

if TYPE_CHECKING:
    from collections.abc import Awaitable

    import httpx
    from trio.testing import MockClock

    from tests.fs.cloud import Cloud, Wire
    from tests.fs.desk import Desk, Mounts

HOUR_S = 3_600
SETTLED_S = 12.0
"""Enough for doubt to become certainty, once anything was asked."""


async def goes_offline(desk: Desk, wire: Wire) -> None:
    """No request arrives any more, and that is known."""
    wire.goes_offline()
    await desk.volume.space.refresh()
    await desk.waits(SETTLED_S)
    assert desk.watch.state is State.OFFLINE


async def takes(call: Awaitable[object]) -> tuple[float, str]:
    """For how many seconds a call goes on, and how it fails."""
    began, failure = trio.current_time(), ""
    with trio.fail_after(HOUR_S):
        try:
            await call
        except CxfsError as error:
            failure = type(error).__name__
    return trio.current_time() - began, failure


# ------------------------------------------------------------------------------------------------ what is known


@pytest.mark.promise
async def test_what_is_known_is_served_however_old_it_is(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """When the server cannot be reached, the names, sizes, times and content that are known here go on being served,
    however old they are, and no call for them waits."""
    await cloud.holds({"d/a": b"content", "d/b": b"12"})
    await desk.names("d")
    await desk.reads("d/a")
    await goes_offline(desk, wire)
    await desk.waits(HOUR_S)
    began = trio.current_time()

    seen = await desk.names(), await desk.names("d"), (await desk.stat("d/b")).size, await desk.reads("d/a")

    assert seen == ({"d"}, {"a", "b"}, 2, b"content")
    assert not await desk.has("d/c")
    assert trio.current_time() == began


async def test_a_server_that_only_fails_is_not_waited_for_either(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """Maintenance may take a night; what is cached is as good as before."""
    await cloud.holds({"a": b"1"})
    await desk.names()
    wire.before = lambda _: says(503, {"errorType": "Unavailable", "message": "maintenance"})
    await desk.volume.space.refresh()
    await desk.waits(HOUR_S)

    waited = await takes(desk.names())

    assert desk.watch.state is State.DEGRADED
    assert waited == (0.0, "")


async def test_in_a_black_hole_the_first_look_waits_a_moment_and_none_after_it(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """Somebody has to find out. That takes less than half of a deadline, and everybody else learns it."""
    await cloud.holds({"a": b"content"})
    await desk.reads("a")
    await desk.waits(HOUR_S)

    async with wire.stands_still():
        first = await takes(desk.stat("a"))
        others = [await takes(desk.stat("a")), await takes(desk.names()), await takes(desk.reads("a"))]

    assert first[0] == pytest.approx(4, abs=1.1)
    assert first[1] == ""
    assert others == [(0.0, "")] * 3


@pytest.mark.promise
async def test_what_is_known_does_not_queue_behind_what_waits(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """What is cached never waits for the network, also while hundreds of calls do."""
    await cloud.holds({"known/a": b"content", **{f"d{number}/": b"" for number in range(300)}})
    await desk.reads("known/a")
    folders = [await desk.node(f"d{number}") for number in range(300)]
    async with wire.stands_still(), trio.open_nursery() as nursery:
        for folder in folders:
            nursery.start_soon(takes, desk.fs.open_folder(folder))
        await desk.waits(0.5)

        waited = [
            await takes(desk.stat("known/a")),
            await takes(desk.reads("known/a")),
            await takes(desk.names("known")),
        ]
        nursery.cancel_scope.cancel()

    assert waited == [(0.0, "")] * 3


async def test_df_never_waits_for_the_folder_that_is_mounted(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """It looks at the mount point itself, which is asked for beside it."""
    await desk.waits(HOUR_S)
    async with wire.stands_still():
        waited = await takes(desk.fs.attributes(desk.fs.root))

    assert waited == (0.0, "")


async def test_the_folder_that_is_mounted_is_asked_for_all_the_same(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """The next look shows what the last one brought."""
    before = await desk.stat("")
    await desk.waits(HOUR_S)
    await cloud.puts("new", b"x")
    await desk.stat("")
    await desk.waits(1)

    assert (await desk.stat("")).modified_ns > before.modified_ns


@pytest.mark.promise
async def test_a_slow_server_is_waited_for(desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock) -> None:
    """While the server answers, if slowly, nothing is served beyond its TTL: it is waited for, up to half the metadata
    deadline."""
    await cloud.holds({"a": b"old"})
    await desk.reads("a")
    await cloud.puts("a", b"newer")
    await desk.waits(HOUR_S)

    async def slowly(_: httpx.Request) -> None:
        await trio.sleep(2.5)

    wire.meanwhile = slowly

    assert await desk.reads("a") == b"newer"


async def test_a_stale_answer_is_believed_for_a_moment(desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock) -> None:
    """So that the kernel asks once for a folder of ten thousand names, and soon again when the server is back."""
    await cloud.holds({"a": b"1"})
    node = await desk.node("a")
    await goes_offline(desk, wire)
    await desk.waits(HOUR_S)

    _, attributes_s = await desk.fs.attributes(node)
    _, name_s = await desk.fs.lookup(desk.fs.root, b"a")

    assert (attributes_s, name_s) == (1.0, 1.0)


async def test_an_answer_that_failed_once_is_not_believed_for_long(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """The server is well and this one listing fails: what was known is shown, and asked for again at the next look."""
    await cloud.holds({"a": b"1"})
    node = await desk.node("a")
    await desk.waits(HOUR_S)
    wire.before = lambda request: says(200, {"nonsense": 1}) if "files" in request.url.path else None

    _, believed_s = await desk.fs.attributes(node)

    assert desk.watch.state is State.ONLINE
    assert believed_s == 0


async def test_what_is_gone_on_the_server_is_gone(desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock) -> None:
    """A good answer is never covered up by what was known before."""
    await cloud.holds({"d/a": b"1"})
    await desk.names("d")
    await cloud.deletes("d")
    await desk.waits(HOUR_S)

    assert not await desk.has("d")


# ------------------------------------------------------------------------------------------------ what is not


@pytest.mark.promise
async def test_what_is_not_known_fails_at_once(desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock) -> None:
    """When the server cannot be reached, what is not known here fails at once with EHOSTUNREACH."""
    await cloud.holds({"unlisted/a": b"1", "unread": b"2"})
    folder, unread = await desk.node("unlisted"), await desk.opens("unread")
    await goes_offline(desk, wire)

    failures = [
        await takes(desk.fs.open_folder(folder)),
        await takes(desk.fs.lookup(folder, b"a")),
        await takes(desk.fs.read(unread, 0, 1)),
        await takes(desk.reads("unread")),
    ]

    assert failures == [(0.0, "Offline")] * 4


@pytest.mark.promise
async def test_what_needs_the_server_fails_and_is_not_done_later(
    mounts: Mounts, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """When the server cannot be reached, renaming what it knows fails with EHOSTUNREACH, and is not done later; so does
    setting a time on it, where the server keeps no other attributes."""
    async with mounts(capabilities=frozenset({"attributes", "bundle"})) as desk:
        await needs_the_server(desk, cloud, wire)


async def needs_the_server(desk: Desk, cloud: Cloud, wire: Wire) -> None:
    """What fails without it."""
    await cloud.holds({"a": b"1", "d/": b""})
    before = (await desk.stat("a")).modified_ns
    await desk.names("d")
    await goes_offline(desk, wire)
    await desk.makes_folder("new")

    failures = [
        await takes(desk.renames("a", "b")),
        await takes(desk.renames("a", "d/a")),
        await takes(desk.renames("a", "new/a")),
        await takes(desk.renames("d", "e")),
        await takes(desk.touches("a", 1)),
        await takes(desk.touches("d", 1)),
    ]
    seen = await desk.names(), (await desk.stat("a")).modified_ns
    wire.comes_back()
    await desk.waits(HOUR_S)

    assert failures == [(0.0, "Offline")] * 6
    assert seen == ({"a", "d", "new"}, before)
    assert await cloud.tree() == {"a": b"1", "d/": b"", "new/": b""}


async def test_a_close_that_is_to_wait_for_the_server_fails_at_once_and_the_change_is_kept(
    mounts: Mounts, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """`sync=remote`: what cannot be had is not promised."""
    async with mounts(sync_remote=True) as desk:
        await desk.names()
        await goes_offline(desk, wire)
        handle = await desk.creates("a")
        await desk.fs.write(handle, 0, b"kept")
        await desk.fs.flush(handle)

        failure = await takes(desk.fs.arrived(handle))
        await desk.fs.close(handle)
        wire.comes_back()
        await desk.waits(60)

    assert failure == (0.0, "Offline")
    assert await cloud.tree() == {"a": b"kept"}


async def test_a_read_that_was_under_way_survives_a_short_outage(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """A laptop that changes its network breaks no copy."""
    await cloud.holds({"a": b"content"})
    handle = await desk.opens("a")
    wire.goes_offline()
    async with trio.open_nursery() as nursery:
        contents: list[bytes] = []

        async def read() -> None:
            contents.append(await desk.all_of(handle))

        nursery.start_soon(read)
        await desk.waits(20)
        assert desk.watch.state is State.OFFLINE
        wire.comes_back()

    assert contents == [b"content"]


# ------------------------------------------------------------------------------------------------ the return


async def test_everything_that_can_be_done_here_is_done_offline(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """New files, new folders, deletions, patches of cached files, and renames of what the server does not know."""
    await cloud.holds({"d/old": b"old", "d/gone": b"x", "empty/": b""})
    await desk.names("d")
    await desk.names("empty")
    await desk.reads("d/old")
    await goes_offline(desk, wire)
    await desk.waits(HOUR_S)

    await desk.writes("d/new", b"1")
    await desk.makes_folder("d/folder")
    await desk.writes("d/folder/deep", b"2")
    await desk.removes("d/gone")
    await desk.removes_folder("empty")
    await desk.patches("d/old", 3, b"er")
    await desk.writes("d/.tmp", b"3")
    await desk.renames("d/.tmp", "d/moved")
    seen = await desk.names("d")
    wire.comes_back()
    await desk.waits(60)

    assert seen == {"old", "new", "folder", "moved"}
    assert await cloud.tree() == {
        "d/": b"", "d/old": b"older", "d/new": b"1", "d/folder/": b"", "d/folder/deep": b"2", "d/moved": b"3",
    }  # fmt: skip


async def test_after_the_return_everything_is_asked_for_again(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """What was served stale is not taken for fresh."""
    await cloud.holds({"a": b"1"})
    await desk.names()
    await goes_offline(desk, wire)
    await desk.waits(HOUR_S)
    await desk.names()
    await cloud.puts("b", b"2")
    wire.comes_back()
    await desk.waits(20)

    assert await desk.names() == {"a", "b"}


@pytest.mark.promise
async def test_the_return_is_no_storm(mounts: Mounts, cloud: Cloud, wire: Wire, clock: MockClock) -> None:
    """When the server is back, what waits is sent without being asked for: one thing first, and more at a time as they
    arrive."""
    at_once = Gauge()
    async with mounts(capabilities=frozenset()) as desk:
        await desk.names()
        await goes_offline(desk, wire)
        for number in range(40):
            await desk.writes(f"f{number}", b"x")
        await desk.waits(HOUR_S)
        wire.meanwhile = at_once.counts
        wire.comes_back()
        await desk.waits(120)

    assert len(await cloud.tree()) == 40
    assert [max(at_once.seen[:count]) for count in (1, 3, 40)] == [1, 2, 4]


class Gauge:
    """How many uploads are under way whenever one begins."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self._now = 0

    async def counts(self, request: httpx.Request) -> None:
        if request.method != "POST":
            return
        self._now += 1
        self.seen.append(self._now)
        await trio.sleep(0.1)
        self._now -= 1


async def test_offline_the_server_hears_nothing_but_probes(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """However much waits, and however much programs ask."""
    await cloud.holds({"a": b"1", "unlisted/a": b"2"})
    await desk.names()
    folder = await desk.node("unlisted")
    await goes_offline(desk, wire)
    for number in range(50):
        await desk.writes(f"f{number}", b"x")
    wire.requests.clear()

    for _ in range(600):
        await takes(desk.fs.open_folder(folder))
        await desk.names()
        await desk.waits(1)

    assert set(wire.requests) == {"GET users/self"}
    assert len(wire.requests) <= 350


# ------------------------------------------------------------------------------------------------ signed out


@pytest.mark.promise
async def test_signed_out_what_is_known_is_served(desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock) -> None:
    """When the access token is refused, what is known here goes on being served, and what is not fails at once with
    EACCES."""
    await cloud.holds({"d/a": b"content", "unlisted/a": b"1"})
    await desk.reads("d/a")
    unlisted = await desk.node("unlisted")
    desk.watch.signed_out("cxfs login mends it")
    await desk.waits(HOUR_S)

    seen = await desk.names("d"), await desk.reads("d/a"), await takes(desk.fs.open_folder(unlisted))
    await desk.writes("d/new", b"waits")
    renamed = await takes(desk.renames("d/a", "d/b"))

    assert seen == ({"a"}, b"content", (0.0, "SignedOut"))
    assert renamed == (0.0, "SignedOut")
    desk.watch.signed_in()
    await desk.settles()
    assert await cloud.tree() == {"d/": b"", "d/a": b"content", "d/new": b"waits", "unlisted/": b"", "unlisted/a": b"1"}
