"""What is believed, for how long, and what is never mixed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from cxfs.core.connection import PROBE_MOST_S
from cxfs.core.errors import Stale
from cxfs.fs.listings import FIRST_LOOK_S

if TYPE_CHECKING:
    from trio.testing import MockClock

    from cxfs.fs.filesystem import FileSystem
    from tests.fs.cloud import Cloud, Wire
    from tests.fs.desk import Desk, Mounts

TTL_S = 30
NEGATIVE_TTL_S = 5


@pytest.mark.promise
async def test_a_listing_is_believed_for_the_ttl(desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock) -> None:
    """Names, sizes and times are believed for the metadata TTL (30 seconds by default; `--metadata-ttl`)."""
    await cloud.holds({"a": b"1", "b": b"2"})
    await desk.names()
    wire.requests.clear()

    await desk.waits(TTL_S - 1)
    await desk.names()
    sizes = [(await desk.stat(name)).size for name in ("a", "b")]

    assert sizes == [1, 1]
    assert wire.requests == []


async def test_one_request_lists_a_folder_and_answers_every_lookup_in_it(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """Asking for each name would cost a round trip a file."""
    await cloud.holds({f"file {number}": b"x" for number in range(50)})

    for number in range(50):
        await desk.stat(f"file {number}")

    assert wire.requests == ["GET files/list"]


@pytest.mark.promise
async def test_an_absent_name_is_believed_absent_for_the_negative_ttl(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """A name known to be absent is believed absent for the negative TTL (5 seconds by default; `--negative-ttl`)."""
    absent_before = await desk.has("a")
    await cloud.puts("a", b"new")
    still_absent = await desk.has("a")

    await desk.waits(NEGATIVE_TTL_S + 1)

    assert (absent_before, still_absent) == (False, False)
    assert await desk.has("a")


@pytest.mark.promise
async def test_an_open_after_the_ttl_sees_what_another_client_uploaded(
    desk: Desk, cloud: Cloud, clock: MockClock
) -> None:
    """Opening a file revalidates what is older than the TTL: an upload that another client has finished is seen by an
    open here after the TTL."""
    await cloud.holds({"a": b"old"})
    node = await desk.node("a")
    await cloud.puts("a", b"newer")

    await desk.waits(TTL_S + 1)
    opened = (await desk.fs.open(node, writable=False, truncate=False)).handle

    assert await desk.all_of(opened) == b"newer"


@pytest.mark.promise
async def test_an_open_file_reads_the_version_it_opened(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """One open handle reads one version of a file, never a mix of two."""
    old, new = b"o" * (1 << 20), b"n" * (1 << 20)
    await cloud.holds({"a": old})
    opened = await desk.opens("a")
    first = await desk.fs.read(opened, 0, 4096)
    await cloud.puts("a", new)

    rest = await desk.fs.read(opened, 4096, 1 << 20)

    assert first + rest == old


@pytest.mark.promise
async def test_a_version_that_is_gone_is_stale(mounts: Mounts, cloud: Cloud, clock: MockClock) -> None:
    """When the version that a handle reads is gone from the server, the read fails with ESTALE."""
    await cloud.holds({"a": b"o" * (1 << 20)})
    async with mounts(capabilities=frozenset()) as desk:
        opened = await desk.opens("a")
        await desk.fs.read(opened, 0, 4096)
        await cloud.puts("a", b"n" * (1 << 20))

        with pytest.raises(Stale):
            await desk.fs.read(opened, 512 << 10, 4096)


@pytest.mark.promise
async def test_pages_are_kept_across_opens_of_one_version(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """The kernel's cached pages are kept across opens of one version and dropped when the version has changed."""
    await cloud.holds({"a": b"old"})
    kept = [await _keeps_pages(desk.fs, desk) for _ in range(2)]
    await cloud.puts("a", b"new")
    await desk.waits(TTL_S + 1)

    kept += [await _keeps_pages(desk.fs, desk) for _ in range(2)]

    assert kept == [False, True, False, True]


async def _keeps_pages(fs: FileSystem, desk: Desk) -> bool:
    opened = await fs.open(await desk.node("a"), writable=False, truncate=False)
    await desk.closes(opened.handle)
    return opened.keep_cache


async def test_a_second_version_goes_round_pages_that_are_in_use(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """The page cache belongs to the inode, not to the handle: two versions in it would mix."""
    await cloud.holds({"a": b"old"})
    await desk.opens("a")
    await cloud.puts("a", b"new")
    await desk.waits(TTL_S + 1)

    opened = await desk.fs.open(await desk.node("a"), writable=False, truncate=False)

    assert opened.direct


@pytest.mark.promise
async def test_what_this_mount_did_is_visible_at_once(desk: Desk, clock: MockClock) -> None:
    """What this mount did itself is visible in it at once, whether or not the server has it yet."""
    await desk.names()
    await desk.makes_folder("d")
    await desk.writes("d/a", b"1")
    await desk.writes("b", b"2")
    await desk.renames("b", "d/c")
    await desk.writes("gone", b"3")
    await desk.removes("gone")

    seen = await desk.names(), await desk.names("d"), await desk.reads("d/c")

    assert seen == ({"d"}, {"a", "c"}, b"2")


async def test_a_listing_that_was_on_its_way_does_not_undo_what_was_done_meanwhile(
    mounts: Mounts, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """An answer made before our change and delivered after it would hide the change for a whole TTL."""
    async with mounts() as desk, trio.open_nursery() as nursery:
        await desk.writes("new", b"1")
        wire.holds_back("GET", "files/list")
        nursery.start_soon(desk.fs._tree.listing_now, desk.fs.root)
        await wire.held.wait()
        await desk.settles()
        wire.lets_go()
        await desk.waits(1)

        assert await desk.names() == {"new"}
        assert await desk.reads("new") == b"1"


async def test_time_that_passes_does_not_change_an_open_listing(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """The cookies of a listing are positions in it: it is taken once, when it is first read."""
    await cloud.holds({"a": b"1"})
    handle = await desk.walks()
    await cloud.puts("b", b"2")
    await desk.waits(TTL_S + 1)
    await desk.names()

    assert [child.shown for child in handle.children] == ["a"]
    assert desk.fs.child(handle, 0) is not None


async def test_the_kernel_is_told_what_is_left_of_the_time_to_live(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """Told all of it each time, the kernel would believe a listing for up to twice as long."""
    await cloud.holds({"a": b""})
    await desk.names()
    await desk.waits(20)

    found, _ = await desk.fs.lookup(desk.fs.root, b"a")
    assert found is not None
    _, believed_s = await desk.fs.attributes(found)

    assert believed_s == pytest.approx(10)
    assert desk.fs.believed_s(found) == pytest.approx(10)


async def test_the_kernel_is_told_what_is_left_of_the_negative_time_to_live(
    desk: Desk, cloud: Cloud, clock: MockClock
) -> None:
    """A name that was absent three seconds ago is believed absent for two more."""
    await cloud.holds({"a": b""})
    await desk.names()
    await desk.waits(3)

    node, believed_s = await desk.fs.lookup(desk.fs.root, b"absent")

    assert node is None
    assert believed_s == pytest.approx(2)


# ---------------------------------------------------------------- the first look


async def test_who_looks_at_a_fresh_mount_waits_for_content_alone(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """What is mounted is listed before anybody asks."""
    await cloud.holds({"a": b"hello"})
    desk.fs.expect_a_first_look()
    await desk.waits(0.1)
    wire.requests.clear()

    assert await desk.reads("a") == b"hello"
    assert len(wire.requests) == wire.count("GET data") == 1


async def test_who_looks_while_the_first_listing_is_on_its_way_waits_for_that_one(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """It is not asked for twice."""
    await cloud.holds({"a": b"hello"})
    wire.requests.clear()
    desk.fs.expect_a_first_look()

    assert await desk.names() == {"a"}
    assert await desk.names() == {"a"}
    assert wire.count("GET files/list") == 1


async def test_what_is_put_there_at_the_moment_of_mounting_is_there(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """The listing of the mount is believed in what it holds, not in what it lacks."""
    desk.fs.expect_a_first_look()
    await desk.waits(0.1)
    await cloud.holds({"a": b"hello", "b": b""})

    assert await desk.reads("a") == b"hello"
    assert await desk.names() == {"a", "b"}


async def test_a_first_look_that_comes_late_is_shown_what_is_there_then(
    desk: Desk, cloud: Cloud, clock: MockClock
) -> None:
    """The listing of the mount was for those who look at once."""
    desk.fs.expect_a_first_look()
    await desk.waits(FIRST_LOOK_S)
    await cloud.holds({"later": b""})

    assert await desk.names() == {"later"}


async def test_a_server_that_is_away_does_not_fail_a_mount_that_expects_a_look(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """Who looks is told, or sees it when the server is back."""
    await cloud.holds({"a": b""})
    wire.goes_offline()
    desk.fs.expect_a_first_look()
    await desk.waits(30)
    wire.comes_back()
    await desk.waits(PROBE_MOST_S)

    assert await desk.names() == {"a"}
