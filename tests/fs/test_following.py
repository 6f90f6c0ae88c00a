"""What others do, heard of from the server: seen at once, without asking; and what is believed when it is not heard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from cxfs.core.entries import Owner
from cxfs.core.errors import CxfsError
from cxfs.core.feed import POLL_MARGIN_S, POLL_S
from cxfs.fs.following import FOLLOWED_MAX
from cxfs.server import administration
from tests.fs.cloud import Cloud, session_over
from tests.fs.desk import shown_by
from tests.fs.worlds import FEED_TTL_S, TTL_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from trio.testing import MockClock

    from cxfs.fs.following import Following
    from cxfs.server.store import Store
    from tests.fs.cloud import Wire
    from tests.fs.desk import Desk, Mounts
    from tests.fs.recording import RecordingKernel

SOON_S = 0.5
"""Until news is here: the server has it at once, and is asked for it already."""


@pytest.fixture
async def desk(mounts: Mounts) -> AsyncIterator[Desk]:
    """A mount that listens."""
    async with mounts(follows=True) as opened:
        yield opened


def feed_of(desk: Desk) -> Following:
    """That of the mount."""
    following = desk.volume.feeds.following
    assert following is not None
    return following


def asked(wire: Wire) -> list[str]:
    """All requests but those that listen."""
    return [made for made in wire.requests if made != "GET files/changes"]


NEWS_TAKES_S = 5.0


async def while_news_is_slow(request: httpx.Request) -> None:
    """Whoever asks for news waits on the way."""
    if "/files/changes/" in request.url.path:
        await trio.sleep(NEWS_TAKES_S)


async def looks_at_all(desk: Desk, *files: str) -> dict[str, bytes]:
    """A program that reads some files, and stats everything on the way."""
    return {name: await desk.reads(name) for name in files}


# ---------------------------------------------------------------- heard


async def test_a_change_made_elsewhere_is_seen_without_waiting_for_the_ttl(
    desk: Desk, cloud: Cloud, clock: MockClock
) -> None:
    """Its content, its size and its name."""
    await cloud.holds({"a": b"old", "d/b": b"b"})
    before = await looks_at_all(desk, "a", "d/b"), await desk.names()

    await cloud.puts("a", b"newer")
    await cloud.renames("d/b", "d/c")
    await cloud.puts("new", b"new")
    await desk.waits(SOON_S)

    assert before == ({"a": b"old", "d/b": b"b"}, {"a", "d"})
    assert await looks_at_all(desk, "a", "d/c", "new") == {"a": b"newer", "d/c": b"b", "new": b"new"}
    assert (await desk.names(), await desk.names("d")) == ({"a", "d", "new"}, {"c"})
    assert (await desk.stat("a")).size == 5
    assert not await desk.has("d/b")


async def test_a_folder_s_time_does_not_move_when_its_new_names_arrive_at_the_server(
    desk: Desk, cloud: Cloud, clock: MockClock
) -> None:
    """The server dates it anew, and tells so: tar(1) would take that for a change under its hands."""
    await cloud.holds({"d/a": b"a"})
    await desk.names("d")
    await desk.writes("d/b", b"b")
    await desk.makes_folder("e")
    await desk.writes("e/c", b"c")
    before = [(await desk.stat(name)).modified_ns for name in ("d", "e", "")]

    await desk.settles()
    await desk.waits(SOON_S)

    assert [(await desk.stat(name)).modified_ns for name in ("d", "e", "")] == before


async def test_a_folder_s_time_moves_with_the_names_of_others(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """Those that come, and those that go."""
    await cloud.holds({"d/a": b"a"})
    await desk.names("d")
    for deed in (cloud.puts("d/c", b"c"), cloud.deletes("d/a"), cloud.renames("d/c", "c")):
        await desk.writes("d/b", b"b")
        await desk.removes("d/b")
        await desk.settles()
        await desk.waits(SOON_S)

        await deed
        await desk.waits(SOON_S)

        assert (await desk.stat("d")).modified_ns == (await cloud.entry("d")).modified_ms * 1_000_000


async def test_what_is_told_need_not_be_asked_for(desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock) -> None:
    """The news says what the object is now: a folder of ten thousand is not listed again for one of them."""
    await cloud.holds({"d/a": b"old", "d/b": b"b", "e/": b""})
    await desk.names("d")
    await desk.names("e")
    wire.requests.clear()

    await cloud.puts("d/a", b"newer")
    await cloud.puts("d/c", b"c")
    await cloud.deletes("d/b")
    await cloud.renames("d/c", "e/c")
    await desk.waits(SOON_S)

    assert (await desk.names("d"), await desk.names("e")) == ({"a"}, {"c"})
    assert (await desk.stat("d/a")).size == 5
    assert asked(wire) == []


async def test_an_idle_mount_asks_nothing_but_for_news(desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock) -> None:
    """Whatever a program looks at meanwhile, absent names included, until the long time to live is over."""
    await cloud.holds({"a": b"1", "d/b": b"2"})
    await desk.names("d")
    await desk.has("absent")
    wire.requests.clear()

    for _ in range(int(FEED_TTL_S / TTL_S) - 1):
        await desk.waits(TTL_S)
        await desk.names()
        await desk.stat("d/b")
        assert not await desk.has("absent")

    assert asked(wire) == []
    assert wire.count("GET files/changes") <= FEED_TTL_S / POLL_S + 1
    await desk.waits(2 * TTL_S)
    await desk.names()
    assert asked(wire) == ["GET files/list"]


async def test_the_kernel_is_never_told_more_than_the_ttl(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """What it believes cannot be taken back all at once when the server is not heard any more."""
    await cloud.holds({"a": b"1"})

    _, absent_s = await desk.fs.lookup(desk.fs.root, b"absent")
    _, believed_s = await desk.fs.attributes(await desk.node("a"))

    assert 0 < believed_s <= TTL_S
    assert 0 < absent_s <= 5


async def test_the_kernel_forgets_just_what_has_changed(
    desk: Desk, cloud: Cloud, kernel: RecordingKernel, clock: MockClock
) -> None:
    """Pages and attributes of what has other content, names that mean something else; nothing of their neighbours."""
    await cloud.holds({"a": b"old", "b": b"b", "c": b"c", "d/e": b"e"})
    a, _b, c, d = [await desk.node(name) for name in ("a", "b", "c", "d")]
    await desk.waits(SOON_S)
    kernel.forgotten.clear()

    await cloud.puts("a", b"newer")
    await desk.waits(SOON_S)
    assert (kernel.dropped, kernel.forgotten, kernel.deleted) == ([a.inode], [], [])

    await cloud.renames("c", "d/c")
    await desk.waits(SOON_S)
    assert sorted(kernel.forgotten) == sorted([(1, "c"), (d.inode, "c")])
    assert c.parent is d

    await cloud.deletes("d/c")
    await desk.waits(SOON_S)
    assert kernel.deleted == [c.inode]
    assert kernel.dropped == [a.inode]


async def test_who_has_a_file_open_keeps_its_pages(
    desk: Desk, cloud: Cloud, kernel: RecordingKernel, clock: MockClock
) -> None:
    """One open handle reads one version: what the kernel holds of it is of that. What `stat` says is asked for anew."""
    await cloud.holds({"a": b"old"})
    opened = await desk.opens("a")

    await cloud.puts("a", b"newer")
    await desk.waits(SOON_S)

    assert kernel.dropped == []
    assert opened.node.inode in kernel.asked_anew
    await desk.closes(opened)


async def test_a_folder_that_is_moved_takes_along_what_is_known_of_it(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """It goes by its UUID: nothing below is asked for again, and what is open stays open."""
    await cloud.holds({"d/sub/a": b"a", "e/": b""})
    opened, inode = await desk.opens("d/sub/a"), (await desk.node("d/sub")).inode
    await desk.names("e")

    await cloud.renames("d", "e/d")
    await desk.waits(SOON_S)
    wire.requests.clear()

    assert (await desk.node("e/d/sub")).inode == inode
    assert await desk.names("e/d/sub") == {"a"}
    assert not await desk.has("d")
    assert asked(wire) == []
    assert await desk.all_of(opened) == b"a"


async def test_a_folder_that_is_deleted_is_gone_with_all_below_it(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """One change tells of it."""
    await cloud.holds({"d/sub/a": b"a", "b": b"b"})
    await desk.names("d/sub")

    await cloud.deletes("d")
    await desk.waits(SOON_S)

    assert await desk.names() == {"b"}
    assert not await desk.has("d/sub/a")


async def test_an_open_file_that_is_deleted_elsewhere_can_be_written_still(
    desk: Desk, cloud: Cloud, clock: MockClock
) -> None:
    """An edit wins over a delete, told or found out."""
    await cloud.holds({"a": b"old"})
    opened = await desk.opens("a", writable=True)

    await cloud.deletes("a")
    await desk.waits(SOON_S)
    await desk.fs.write(opened, 0, b"mine")
    await desk.closes(opened)
    await desk.settles()

    assert await cloud.tree() == {"a": b"mine"}


async def test_a_mount_of_one_folder_hears_of_that_folder(mounts: Mounts, cloud: Cloud, clock: MockClock) -> None:
    """The rest of the tree is none of its business, and costs it nothing."""
    await cloud.holds({"d/a": b"a", "e/b": b"b"})
    async with mounts(root="/d", follows=True) as desk:
        await desk.names()

        await cloud.puts("e/c", b"c")
        await cloud.puts("d/new", b"new")
        await cloud.renames("e/b", "d/b")
        await desk.waits(SOON_S)

        assert await desk.names() == {"a", "b", "new"}
        known = desk.volume.metadata.statistics()
        assert (known.listings, known.listed_entries) == (1, 3)


# ---------------------------------------------------------------- our own doing, told back


async def test_what_this_mount_did_itself_changes_nothing_when_it_is_told_back(
    desk: Desk, cloud: Cloud, wire: Wire, kernel: RecordingKernel, clock: MockClock
) -> None:
    """Neither in the kernel nor in what is believed: writing would be slower with the feed than without."""
    await desk.names()
    await desk.makes_folder("d")
    await desk.writes("d/a", b"1")
    await desk.settles()
    await desk.writes("d/a", b"22")
    await desk.settles()
    await desk.waits(SOON_S)
    kernel.forgotten.clear()
    kernel.dropped.clear()
    await desk.names("d")
    wire.requests.clear()

    await desk.writes("d/a", b"333")
    await desk.settles()
    await desk.waits(SOON_S)
    assert (await desk.names("d"), await desk.reads("d/a")) == ({"a"}, b"333")
    await desk.renames("d/a", "d/b")
    await desk.waits(SOON_S)
    assert await desk.names("d") == {"b"}
    await desk.removes("d/b")
    await desk.settles()
    await desk.waits(SOON_S)

    assert await desk.names("d") == set()
    assert (kernel.forgotten, kernel.dropped, kernel.deleted) == ([], [], [])
    assert wire.count("GET files/list") == 0
    assert wire.count("GET files/info") == 1  # that nobody changed it, before it is deleted


async def test_a_change_that_comes_while_our_own_is_on_its_way_is_neither_lost_nor_hidden(
    desk: Desk, cloud: Cloud, wire: Wire, kernel: RecordingKernel, clock: MockClock
) -> None:
    """Both sides are kept, and the kernel's pages of what is being written here are left alone."""
    await cloud.holds({"a": b"old"})
    node = await desk.node("a")
    wire.holds_back("POST", "data")
    await desk.writes("a", b"mine")
    await wire.held.wait()

    await cloud.puts("a", b"theirs, later")
    await desk.waits(SOON_S)
    dropped_meanwhile = node.inode in kernel.dropped
    wire.lets_go()
    await desk.settles()
    await desk.waits(SOON_S)

    assert not dropped_meanwhile
    assert await desk.reads("a") == b"theirs, later"
    assert await cloud.tree() == {"a": b"theirs, later"}  # ours was there before: a former version now


async def test_an_answer_that_is_older_than_what_was_heard_is_not_believed(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """It was on its way when the change was made, and comes after the news of it."""
    await cloud.holds({"d/a": b"old"})
    wire.holds_back("GET", "files/list")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.names, "")
        await wire.held.wait()
        await cloud.puts("new", b"new")
        await desk.waits(SOON_S)
        wire.lets_go()

    assert await desk.names() == {"d", "new"}


async def test_of_two_who_rename_the_last_one_counts(desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock) -> None:
    """Though our own answer comes after the news of theirs."""
    await cloud.holds({"a": b"a"})
    await desk.names()
    wire.holds_back("POST", "files/move")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.renames, "a", "ours")
        await wire.held.wait()
        await cloud.renames("ours", "theirs")
        await desk.waits(SOON_S)
        wire.lets_go()

    assert await desk.names() == {"theirs"}


@pytest.mark.parametrize("what", ["our new content", "their new name"])
async def test_news_that_is_older_than_a_deletion_here_brings_nothing_back(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock, what: str
) -> None:
    """It was on its way when the file was deleted, here and there."""
    await cloud.holds({"a": b"1"})
    await desk.names()
    await desk.waits(SOON_S)
    wire.holds_back("GET", "files/changes")
    await (desk.writes("a", b"22") if what == "our new content" else cloud.renames("a", "b"))
    await desk.settles()
    await wire.held.wait()

    await desk.removes("a")
    await desk.settles()
    wire.meanwhile = while_news_is_slow
    wire.lets_go()
    await wait_all_tasks_blocked()
    shown_at_once = await desk.names(), await desk.has("a")
    await desk.waits(NEWS_TAKES_S + SOON_S)

    assert shown_at_once == (set(), False)
    assert await desk.names() == set()


async def test_news_that_is_older_than_a_rename_here_does_not_undo_it(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """What it says of the content is true all the same."""
    await cloud.holds({"a": b"1"})
    await desk.names()
    await desk.waits(SOON_S)
    wire.holds_back("GET", "files/changes")
    await cloud.puts("a", b"22")
    await wire.held.wait()

    await desk.renames("a", "b")
    wire.meanwhile = while_news_is_slow
    wire.lets_go()
    await wait_all_tasks_blocked()
    shown_at_once = await desk.names()
    await desk.waits(NEWS_TAKES_S + SOON_S)

    assert shown_at_once == await desk.names() == {"b"}
    assert await desk.reads("b") == b"22"


@pytest.mark.parametrize("how", ["deleted", "renamed"])
async def test_a_new_file_whose_upload_is_not_answered_yet_is_known_best_here(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock, how: str
) -> None:
    """It is told of before its own call is answered, and nobody here has heard of that object."""
    await desk.names()
    wire.holds_back("POST", "data")
    await desk.writes("a", b"new")
    await wire.held.wait()
    await desk.waits(SOON_S)  # the news is here

    await (desk.removes("a") if how == "deleted" else desk.renames("a", "b"))
    shown_at_once = await desk.names(), await desk.has("a")
    wire.lets_go()
    await desk.settles()
    await desk.waits(SOON_S)

    left = {"deleted": set[str](), "renamed": {"b"}}[how]
    assert shown_at_once == (left, False)
    assert await desk.names() == {*await cloud.tree()} == left


@pytest.mark.parametrize("is_conditional", [True, False], ids=["told which", "not told"])
async def test_a_file_whose_folder_got_another_name_is_shown_where_it_arrives(
    mounts: Mounts, cloud: Cloud, wire: Wire, kernel: RecordingKernel, clock: MockClock, *, is_conditional: bool
) -> None:
    """It goes out by names, and meanwhile somebody gives its folder another name, and the name to a new folder.

    It follows its own, by a server that is told which one is meant.
    """
    await cloud.holds({"d/a": b"a"})

    async def exchanged(request: httpx.Request) -> None:
        if "/data/" in request.url.path and "e/" not in await cloud.tree():
            await cloud.renames("d", "e")
            await cloud.holds({"d/": b""})

    async with mounts(follows=True, capabilities=None if is_conditional else frozenset({"changes"})) as desk:
        await desk.names("d")
        inode = (await desk.node("d")).inode
        wire.meanwhile = exchanged
        wire.holds_back("POST", "data")
        await desk.writes("d/b", b"b")
        await wire.held.wait()
        await desk.waits(SOON_S)  # all of it is known here, before the answer
        wire.lets_go()
        await desk.settles()
        await desk.waits(SOON_S)
        shown = await shown_by(desk)

    tree = {"d/": b"", "e/b" if is_conditional else "d/b": b"b", "e/": b"", "e/a": b"a"}
    assert shown == tree == await cloud.tree()
    assert is_conditional or (inode, "b") in kernel.forgotten


async def test_a_new_folder_whose_making_is_not_answered_yet_is_known_best_here(
    desk: Desk, cloud: Cloud, wire: Wire, kernel: RecordingKernel, clock: MockClock
) -> None:
    """It is there once, under the number that it has here."""
    await desk.names()
    wire.holds_back("POST", "files/mkdir")
    await desk.makes_folder("d")
    await wire.held.wait()
    inode = (await desk.node("d")).inode
    await desk.waits(SOON_S)

    shown = await desk.names(), (await desk.node("d")).inode
    wire.lets_go()
    await desk.settles()
    await desk.waits(SOON_S)

    assert shown == ({"d"}, inode)
    assert (await desk.names(), (await desk.node("d")).inode) == ({"d"}, inode)
    assert kernel.forgotten == []


# ---------------------------------------------------------------- not heard


@pytest.mark.promise
async def test_when_the_feed_breaks_the_ttl_counts_until_it_is_caught_up_with(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """When the server is not heard any more, the metadata TTL counts again, from when it last was, until all that was
    missed is known."""
    await cloud.holds({"a": b"old", "d/b": b"b"})
    await desk.names("d")
    wire.before = lambda request: (
        httpx.ConnectError("cut", request=request) if "/changes/" in request.url.path else None
    )
    feed_of(desk).interrupt()
    await desk.waits(1)
    await cloud.puts("a", b"newer")
    was_live = feed_of(desk).is_live(Owner("self"))

    unseen = (await desk.stat("a")).size
    await desk.waits(TTL_S)
    seen_after_the_ttl = (await desk.stat("a")).size
    await cloud.deletes("d/b")
    wire.comes_back()
    await desk.waits(120)

    assert not was_live
    assert (unseen, seen_after_the_ttl) == (3, 5)
    assert feed_of(desk).is_live(Owner("self"))
    wire.requests.clear()
    await desk.waits(2 * TTL_S)
    assert await desk.names("d") == set()
    assert asked(wire) == []


async def test_a_connection_that_is_dead_and_does_not_say_so_is_noticed(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """A laptop that was moved, a router that forgot: patience ends a little after the server would have answered."""
    await cloud.holds({"a": b"old"})
    await desk.names()
    wire.holds_back("GET", "files/changes")
    await cloud.puts("b", b"b")
    await wire.held.wait()

    await desk.waits(POLL_S - 1)
    was_live = feed_of(desk).is_live(Owner("self"))
    await desk.waits(POLL_MARGIN_S + 2)

    assert (was_live, feed_of(desk).is_live(Owner("self"))) == (True, False)
    wire.lets_go()
    await desk.waits(10)
    assert feed_of(desk).is_live(Owner("self"))
    assert await desk.names() == {"a", "b"}


async def test_offline_it_is_not_heard_and_online_at_once(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """It does not sit out its own pause when the server is known to be there again."""
    await cloud.holds({"a": b"old"})
    await desk.names()
    wire.goes_offline()
    feed_of(desk).interrupt()
    await desk.waits(100)
    await cloud.puts("b", b"b")
    wire.comes_back()

    online = trio.Event()
    desk.watch.on_change(lambda status: online.set() if status.state == "online" else None)
    await online.wait()
    await desk.waits(SOON_S)

    assert feed_of(desk).is_live(Owner("self"))
    wire.requests.clear()
    assert await desk.names() == {"a", "b"}
    assert asked(wire) == []


async def test_a_log_that_does_not_go_back_so_far_makes_everything_old(
    desk: Desk, cloud: Cloud, store: Store, wire: Wire, kernel: RecordingKernel, clock: MockClock
) -> None:
    """What was missed is not known; so nothing that was known before is believed, by the kernel either."""
    await cloud.holds({"a": b"old", "d/b": b"b"})
    await desk.names("d")
    inodes = {(await desk.node(name)).inode for name in ("a", "d", "d/b")}
    wire.goes_offline()
    feed_of(desk).interrupt()
    await desk.waits(1)
    await cloud.puts("a", b"newer")
    with store.transaction() as connection:
        connection.execute("UPDATE owners SET changes_since = changes")
    wire.comes_back()
    await desk.waits(60)
    wire.requests.clear()

    assert (await desk.stat("a")).size == 5
    assert "GET files/list" in wire.requests
    assert inodes <= {*kernel.asked_anew}
    assert feed_of(desk).statistics().resets == 1


async def test_a_server_without_a_feed_is_asked_as_ever(
    mounts: Mounts, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """The capability is what says so."""
    async with mounts(follows=True, capabilities=frozenset({"versions", "groups"})) as desk:
        await cloud.holds({"a": b"old"})
        await desk.names()
        await cloud.puts("b", b"b")
        await desk.waits(TTL_S + 1)

        assert await desk.names() == {"a", "b"}
        assert wire.count("GET files/changes") == 0
        assert desk.volume.feeds.statistics() is None


async def test_a_server_that_refuses_to_tell_is_asked_ever_more_rarely(
    mounts: Mounts, wire: Wire, clock: MockClock
) -> None:
    """Too many listen to it already."""
    refused = httpx.Response(429, headers={"Retry-After": "30"}, json={"errorType": "RateLimited", "message": "x"})
    wire.before = lambda request: _again(refused) if "/changes/" in request.url.path else None
    async with mounts(follows=True) as desk:
        await desk.waits(600)

        assert wire.count("GET files/changes") <= 21
        assert feed_of(desk).statistics().failures >= 5


def _again(response: httpx.Response) -> httpx.Response:
    """An answer that can be read once more."""
    return httpx.Response(response.status_code, headers=response.headers, stream=httpx.ByteStream(response.content))


async def test_news_that_makes_no_sense_is_no_news(desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock) -> None:
    """Half of an answer is not taken in, and the rest of the mount goes on."""
    await cloud.holds({"a": b"old"})
    await desk.names()
    body: dict[str, Any] = {"cursor": "7", "changes": [{"id": "not a UUID", "kind": "deleted"}]}
    wire.before = lambda request: _json(body) if "/changes/" in request.url.path else None
    feed_of(desk).interrupt()
    await desk.waits(5)
    was_live = feed_of(desk).is_live(Owner("self"))
    wire.comes_back()
    await cloud.puts("b", b"b")
    await desk.waits(60)

    assert not was_live
    assert await desk.names() == {"a", "b"}
    with pytest.raises(CxfsError):
        await desk.volume.tree.listing_now(await desk.node("a"))


def _json(body: dict[str, Any]) -> httpx.Response:
    made = httpx.Response(200, json=body)
    return httpx.Response(200, headers={"Content-Type": "application/json"}, stream=httpx.ByteStream(made.content))


async def test_a_change_without_the_object_is_asked_for(desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock) -> None:
    """A server may tell no more than that something is another."""
    await cloud.holds({"a": b"old"})
    entry = await cloud.entry("a")
    await desk.names()
    told = {"cursor": "0", "changes": [{"id": str(entry.id), "kind": "updated", "version": 2, "path": "x:/a"}]}
    await cloud.puts("a", b"newer")
    answers = [_json(told)]
    wire.before = lambda request: answers.pop() if "/changes/" in request.url.path and answers else None
    feed_of(desk).interrupt()
    await desk.waits(SOON_S)

    assert (await desk.stat("a")).size == 5


# ---------------------------------------------------------------- groups


@pytest.fixture
async def band(store: Store, app: httpx.ASGITransport, token: str) -> AsyncIterator[Cloud]:
    """A group of Ann's, as another member sees it."""
    uuid = administration.add_group(store, "band", owner="ann", quota_bytes=1_000)
    async with session_over(app, token) as session:
        yield Cloud(session, Owner(uuid))


async def test_a_group_is_listened_to_when_it_is_looked_at(
    mounts: Mounts, band: Cloud, wire: Wire, clock: MockClock
) -> None:
    """Nobody listens to a tree that nobody looks at; then as to one's own."""
    await band.holds({"song": b"la", "d/e": b"e"})
    async with mounts(follows=True) as desk:
        followed_before = feed_of(desk).statistics().followed
        await desk.names("Groups/band")
        await desk.names("Groups/band/d")
        await desk.waits(SOON_S)
        wire.requests.clear()

        await band.puts("song", b"la la")
        await band.puts("d/new", b"new")
        await band.puts("refrain", b"la")
        await desk.waits(SOON_S)

        assert await desk.names("Groups/band") == {"song", "refrain", "d"}
        assert await desk.names("Groups/band/d") == {"e", "new"}
        assert (await desk.stat("Groups/band/song")).size == 5
        assert asked(wire) == []
        assert (followed_before, feed_of(desk).statistics().followed) == (1, 2)


async def test_what_was_done_in_a_group_is_recognised_too(
    mounts: Mounts, band: Cloud, kernel: RecordingKernel, wire: Wire, clock: MockClock
) -> None:
    """Though the root of its tree goes by another UUID here."""
    await band.holds({"song": b"la"})
    async with mounts(follows=True) as desk:
        await desk.names("Groups/band")
        await desk.waits(SOON_S)
        await desk.writes("Groups/band/new", b"new")
        await desk.settles()
        await desk.waits(SOON_S)
        wire.requests.clear()

        await desk.writes("Groups/band/new", b"newer")
        await desk.settles()
        await desk.waits(SOON_S)

        assert await desk.names("Groups/band") == {"song", "new"}
        assert (kernel.forgotten, kernel.dropped) == ([], [])
        assert wire.count("GET files/list") == 0


async def test_what_this_mount_moves_to_a_group_stays_there(mounts: Mounts, band: Cloud, clock: MockClock) -> None:
    """That it is gone is told of the tree that it left, and of no other."""
    async with mounts(follows=True) as desk:
        await desk.names("Groups/band")
        await desk.makes_folder("d")
        await desk.writes("d/a", b"a")
        await desk.settles()
        await desk.waits(SOON_S)

        await desk.renames("d", "Groups/band/d")
        await desk.waits(SOON_S)

        assert await desk.names("Groups/band/d") == {"a"}
        assert await desk.reads("Groups/band/d/a") == b"a"
        assert await desk.names() == {"Groups"}


@pytest.mark.parametrize("deaf_for", ["self", "the group"])
async def test_what_others_move_to_a_group_is_there_and_here_no_more(
    mounts: Mounts, cloud: Cloud, band: Cloud, wire: Wire, clock: MockClock, deaf_for: str
) -> None:
    """Whichever of the two trees is heard of first; all below it goes by the other owner from then on."""
    await cloud.holds({"d/sub/a": b"a"})
    async with mounts(follows=True) as desk:
        await desk.names("Groups/band")
        before = await desk.reads("d/sub/a")
        await desk.waits(SOON_S)
        owner = {"self": "self", "the group": str(band.owner)}[deaf_for]
        wire.before = lambda request: (
            httpx.ConnectError("cut", request=request) if f"/changes/{owner}" in request.url.path else None
        )
        feed_of(desk).interrupt()
        await desk.waits(SOON_S)
        await cloud.files.move(cloud.at("d"), band.at("d"), overwrite=False)
        await desk.waits(SOON_S)
        wire.comes_back()
        feed_of(desk).wake()
        await desk.waits(SOON_S)

        assert await desk.names() == {"Groups"}
        assert await desk.names("Groups/band") == {"d"}
        assert before == await desk.reads("Groups/band/d/sub/a") == b"a"
        await desk.writes("Groups/band/d/sub/b", b"b")
        await desk.settles()
        assert await band.content("d/sub/b") == b"b"


async def test_a_new_group_is_heard_of(mounts: Mounts, store: Store, wire: Wire, clock: MockClock) -> None:
    """And nobody asks for the groups meanwhile."""
    async with mounts(follows=True, groups_refresh_s=30.0) as desk:
        assert desk.volume.groups is not None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(desk.volume.groups.run)
            await desk.waits(SOON_S)
            wire.requests.clear()
            await desk.waits(200)
            asked_meanwhile = asked(wire)
            administration.add_group(store, "choir", owner="ann", quota_bytes=1_000)
            await desk.waits(SOON_S)

            assert await desk.names("Groups") == {"choir"}
            nursery.cancel_scope.cancel()
    assert asked_meanwhile == []


async def test_a_group_that_is_left_is_listened_to_no_more(
    mounts: Mounts, store: Store, band: Cloud, clock: MockClock
) -> None:
    """The server says that there is no such tree for this account."""
    async with mounts(follows=True) as desk:
        await desk.names("Groups/band")
        await desk.waits(SOON_S)
        followed = feed_of(desk).statistics().followed
        administration.remove_member(store, "band", "ann")
        await desk.waits(10)

        assert (followed, feed_of(desk).statistics().followed) == (2, 1)
        assert not await desk.has("Groups")


async def test_no_more_trees_are_listened_to_than_there_is_room_for(
    mounts: Mounts, wire: Wire, clock: MockClock
) -> None:
    """The further ones are asked for as they get old."""
    async with mounts(follows=True) as desk:
        wire.goes_offline()
        for number in range(2 * FOLLOWED_MAX):
            feed_of(desk).want(Owner(f"{number:022}"))
        await desk.waits(1)

        assert feed_of(desk).statistics().followed == FOLLOWED_MAX


async def test_the_quota_is_asked_for_only_when_something_has_come_about(
    mounts: Mounts, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """What is used of it changes with the files."""
    async with mounts(follows=True) as desk, trio.open_nursery() as nursery:
        nursery.start_soon(desk.volume.space.run)
        await desk.waits(70)
        wire.requests.clear()
        await desk.waits(200)
        idle = asked(wire)
        await cloud.puts("a", b"a" * 100)
        await desk.waits(70)

        assert idle == []
        assert asked(wire) == ["GET users/self"]
        nursery.cancel_scope.cancel()
