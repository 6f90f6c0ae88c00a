"""Modes, fine times, links and extended attributes, on a server that keeps them and on one that does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
import trio

from cxfs.core.errors import (
    AttributesFull,
    BadName,
    ForeignAttribute,
    Invalid,
    NameTooLong,
    NoAttribute,
    Unsupported,
)
from cxfs.core.posix import XATTRS_BYTES_MAX, PosixUpdate, marked
from tests.fs.cloud import says
from tests.fs.worlds import TTL_S, mounts_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import httpx
    from trio.testing import MockClock

    from tests.fs.cloud import Cloud, Wire
    from tests.fs.desk import Desk, Mounts
    from tests.fs.recording import RecordingKernel

FINE_NS: Final = 1_234_567_890_123_456_789
NARROW: Final = frozenset({"attributes", "versions", "conditional-upload", "groups", "bundle"})
"""Of a server that keeps times to the millisecond, and nothing else of a file."""

WIDE: Final = frozenset({*NARROW, "posix"})


async def dressed(desk: Desk, name: str) -> None:
    """All that can be set of a file."""
    await desk.sets_mode(name, 0o750)
    await desk.sets_time(name, FINE_NS)
    await desk.sets(name, "user.colour", b"red\0\xff")


async def seen(desk: Desk, name: str) -> tuple[int, int, dict[str, bytes]]:
    """What a program sees of it: mode, time, extended attributes."""
    state = await desk.stat(name)
    return state.mode, state.modified_ns, await desk.xattrs(name)


DRESSED: Final = (0o750, FINE_NS, {"user.colour": b"red\0\xff"})


async def kept(cloud: Cloud, name: str) -> tuple[int | None, int, dict[str, bytes]]:
    """What the server keeps of it."""
    entry = await cloud.entry(name)
    return entry.posix.mode, entry.modified_ns, dict(entry.posix.xattrs)


# ------------------------------------------------------------ with content that waits


async def test_what_is_set_before_the_upload_goes_along_with_it(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """One request makes the file as it is to be."""
    await desk.writes("file", b"content")
    await dressed(desk, "file")
    assert await seen(desk, "file") == DRESSED

    await desk.settles()

    assert await kept(cloud, "file") == DRESSED
    assert [made for made in wire.requests if made.startswith("POST")] == ["POST data/self:"]
    assert await seen(desk, "file") == DRESSED


@pytest.mark.promise
async def test_an_archive_of_many_files_costs_no_request_more_for_its_attributes(
    mounts: Mounts, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """Modes, times and extended attributes that are set on a file that was not sent yet go along with it, and cost no
    request."""
    counts, top = [], ""
    for capabilities in (NARROW, WIDE):
        async with mounts(capabilities=capabilities) as desk:
            top = f"tree-{len(capabilities)}"
            await desk.makes_folder(top)
            for number in range(1_000):
                name = f"{top}/{number}"
                handle = await desk.creates(name, 0o600)
                await desk.fs.write(handle, 0, b"x")
                await desk.closes(handle)
                await desk.sets_mode(name, 0o755)
                await desk.sets_time(name, FINE_NS + number)
            await desk.settles()
            counts.append(sum(made.startswith("POST") for made in wire.requests))

    assert counts[0] == counts[1] < 10
    assert (await kept(cloud, f"{top}/999"))[:2] == (0o755, FINE_NS + 999)


async def test_what_is_set_while_the_upload_is_under_way_follows_it(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """It was accepted, and the content had left by then."""
    wire.holds_back("POST", "data")
    await desk.writes("file", b"content")
    await wire.held.wait()

    await dressed(desk, "file")
    wire.lets_go()
    await desk.settles()

    assert await kept(cloud, "file") == DRESSED


async def test_what_follows_an_upload_is_tried_until_the_server_has_it(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """A failure on the way is no reason to forget what was accepted; the content is sent once."""
    wire.holds_back("POST", "data")
    await desk.writes("file", b"content")
    await wire.held.wait()
    await dressed(desk, "file")
    wire.before = in_trouble("files/update", until=trio.current_time() + 120)

    wire.lets_go()
    await desk.settles()

    assert await kept(cloud, "file") == DRESSED
    assert (await cloud.entry("file")).version == 1


def in_trouble(call: str, *, until: float) -> Callable[[httpx.Request], httpx.Response | None]:
    """The server is, at such requests, for longer than one attempt lasts."""

    def before(request: httpx.Request) -> httpx.Response | None:
        if call in request.url.path and trio.current_time() < until:
            return says(503, {"errorType": "Unavailable", "message": "a moment"})
        return None

    return before


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755])
async def test_a_new_file_has_the_mode_it_was_made_with(desk: Desk, cloud: Cloud, mode: int, clock: MockClock) -> None:
    """As on a local disk; git's objects are made read-only and never changed."""
    await desk.closes(await desk.creates("file", mode))
    await desk.makes_folder("folder", mode | 0o111)
    await desk.settles()

    assert (await cloud.entry("file")).posix.mode == mode
    assert (await cloud.entry("folder")).posix.mode == mode | 0o111


async def test_a_write_sets_the_time_anew_and_nothing_else(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """What a program sets holds for the content that it was set on."""
    await desk.writes("file", b"content")
    await dressed(desk, "file")

    await desk.patches("file", 0, b"C")
    await desk.settles()

    mode, modified_ns, xattrs = await kept(cloud, "file")
    assert (mode, xattrs) == (0o750, {"user.colour": b"red\0\xff"})
    assert modified_ns % 1_000_000 == 0 != FINE_NS // 1_000_000 - modified_ns // 1_000_000


# ------------------------------------------------------------ without content


@pytest.mark.parametrize("name", ["file", "folder"])
async def test_what_the_server_has_is_dressed_in_one_request(
    desk: Desk, cloud: Cloud, wire: Wire, name: str, clock: MockClock
) -> None:
    """chmod, utimens and setxattr return when they are written down; what comes together is sent together."""
    await cloud.holds({"file": b"content", "folder/": b""})
    await desk.names()
    wire.requests.clear()

    await dressed(desk, name)
    assert wire.requests == []
    assert await seen(desk, name) == DRESSED
    await desk.settles()

    assert await kept(cloud, name) == DRESSED
    assert wire.count("POST") == wire.count("POST files/update") == 1
    assert (await cloud.entry(name)).version == 1


@pytest.mark.promise
async def test_what_is_set_survives_the_daemon(mounts: Mounts, cloud: Cloud, wire: Wire, clock: MockClock) -> None:
    """When chmod, utimens, setxattr or symlink has returned, it survives the end of the daemon, and is done on the
    server when it runs again (capability `posix`)."""
    await cloud.holds({"known": b"content", "folder/": b""})
    async with mounts() as desk:
        await desk.names()
        wire.goes_offline()
        for name in ("known", "folder"):
            await dressed(desk, name)
        await desk.writes("new", b"new")
        await dressed(desk, "new")
        await desk.links("link", "known")
    wire.comes_back()

    async with mounts() as desk:
        assert {await desk.target("link")} == {"known"}
        before = [await seen(desk, name) for name in ("known", "folder", "new")]
        await desk.settles()

        assert before == [DRESSED] * 3
        assert [await kept(cloud, name) for name in ("known", "folder", "new")] == [DRESSED] * 3
        assert (await cloud.entry("link")).posix.link == "known"


async def test_without_the_server_attributes_are_set_all_the_same(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """They wait like everything else."""
    await cloud.holds({"file": b"content"})
    await desk.names()
    wire.goes_offline()
    await desk.waits(20)

    await dressed(desk, "file")
    assert await seen(desk, "file") == DRESSED
    assert desk.fs.extended_attributes(await desk.node("file"))["user.cx.status"] == b"pending"
    wire.comes_back()
    await desk.settles()

    assert await kept(cloud, "file") == DRESSED


async def test_what_is_set_while_the_former_is_on_its_way_comes_after_it(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """However long that takes: requests may overtake each other."""
    await cloud.holds({"file": b"content"})
    await desk.names()
    under_way = trio.Event()

    async def slowly(request: httpx.Request) -> None:
        if "update" in request.url.path and not under_way.is_set():
            under_way.set()
            await trio.sleep(5)

    wire.meanwhile = slowly
    await desk.sets_mode("file", 0o700)
    await under_way.wait()
    await desk.sets_mode("file", 0o600)
    await desk.settles()
    await desk.waits(10)

    assert (await kept(cloud, "file"))[0] == (await desk.stat("file")).mode == 0o600


async def test_what_was_set_before_a_write_does_not_come_after_it(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """The time would be that of the former content."""
    await cloud.holds({"file": b"content"})
    await dressed(desk, "file")

    await desk.writes("file", b"written after")
    await desk.settles()

    mode, modified_ns, xattrs = await kept(cloud, "file")
    assert (mode, xattrs) == (0o750, {"user.colour": b"red\0\xff"})
    assert modified_ns == (await desk.stat("file")).modified_ns > FINE_NS


async def test_a_time_of_a_folder_goes_when_names_in_it_change_and_its_mode_stays(
    desk: Desk, cloud: Cloud, clock: MockClock
) -> None:
    """As on a local disk."""
    await cloud.holds({"folder/": b""})
    await dressed(desk, "folder")

    await desk.writes("folder/file", b"content")
    await desk.settles()

    mode, modified_ns, xattrs = await kept(cloud, "folder")
    assert (mode, xattrs) == (0o750, {"user.colour": b"red\0\xff"})
    assert modified_ns != FINE_NS


async def test_what_was_set_follows_a_rename(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """Before it was sent; of a file, a folder, and what is in it."""
    await cloud.holds({"file": b"content", "folder/inner": b"content"})
    for name in ("file", "folder", "folder/inner"):
        await dressed(desk, name)

    await desk.renames("file", "file2")
    await desk.renames("folder", "folder2")
    await desk.settles()

    assert [await kept(cloud, name) for name in ("file2", "folder2", "folder2/inner")] == [DRESSED] * 3
    assert desk.reports() == []


async def test_what_was_set_on_a_file_that_is_deleted_is_not_sent(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """There is nobody whom it could concern."""
    await cloud.holds({"file": b"content"})
    await dressed(desk, "file")

    await desk.removes("file")
    await desk.settles()

    assert wire.count("POST files/update") == 0
    assert await cloud.tree() == {}


@pytest.mark.promise
async def test_a_refusal_is_reported_and_what_was_before_is_shown(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """Attributes that the server refuses are as before, and that is reported."""
    await cloud.holds({"file": b"content"})
    before = await seen(desk, "file")
    wire.before = lambda request: (
        says(403, {"errorType": "AccessDenied", "message": "no"}) if "update" in request.url.path else None
    )

    await dressed(desk, "file")
    await desk.settles()

    assert await seen(desk, "file") == before
    assert [path for path, _ in desk.reports()] == ["self:/file"]


# ------------------------------------------------------------ in another's place


async def test_a_file_renamed_over_another_inherits_nothing_of_it(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """The object goes on, and the server would keep what was said of its former content.

    In place of three: a new file, one that the server knows, and one of those that was changed.
    """
    await cloud.holds({"a": b"a", "b": b"b", "c": b"c", "known": b"known", "changed": b"known"})
    for name in ("a", "b", "c"):
        await dressed(desk, name)
    await desk.settles()
    await desk.reads("known")

    await desk.writes("new", b"new")
    await desk.sets("new", "user.size", b"XL")
    await desk.renames("new", "a")
    await desk.renames("known", "b")
    await desk.writes("changed", b"written anew")
    await desk.renames("changed", "c")
    await desk.settles()

    assert [(await desk.stat(name)).mode for name in ("a", "b", "c")] == [0o644] * 3
    assert [(await kept(cloud, name))[2] for name in ("a", "b", "c")] == [{"user.size": b"XL"}, {}, {}]


async def test_what_another_file_had_shines_through_at_no_moment(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """Nor does what is taken away from a file that waits: the server still has it, until the content arrives."""
    for name, attribute in (("one", "user.one"), ("other", "user.other"), ("third", "user.third")):
        await desk.writes(name, name.encode())
        await desk.sets(name, attribute, b"set")
    await desk.settles()

    await desk.renames("one", "other")
    await desk.patches("third", 0, b"T")
    await desk.takes_away("third", "user.third")

    at_once = [await desk.xattrs(name) for name in ("other", "third")]
    await desk.settles()
    assert at_once == [await desk.xattrs(name) for name in ("other", "third")] == [{"user.one": b"set"}, {}]


async def test_a_link_replaces_a_file_and_a_file_a_link(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """What `ln -sf` does by a rename, and a program that writes a new file by the name of a link."""
    await cloud.holds({"file": b"content"})
    await desk.links("link", "elsewhere")
    await desk.settles()
    await desk.writes("new", b"new")
    await desk.links("other", "nowhere")

    await desk.renames("new", "link")
    await desk.renames("other", "file")
    await desk.settles()

    assert await cloud.content("link") == b"new"
    assert [(await cloud.entry(name)).posix.link for name in ("file", "link")] == ["nowhere", None]


async def test_the_side_of_a_conflict_that_goes_beside_keeps_its_attributes(
    desk: Desk, cloud: Cloud, clock: MockClock
) -> None:
    """It is an object of its own then, and the server has none of them for it."""
    await cloud.holds({"file": b"content"})
    await dressed(desk, "file")
    await desk.settles()

    await desk.patches("file", 0, b"OURS")
    await cloud.puts("file", b"theirs")
    await desk.settles()

    (beside,) = {*await cloud.tree()} - {"file"}
    assert (await kept(cloud, beside))[::2] == DRESSED[::2]


# ------------------------------------------------------------ links


@pytest.mark.parametrize("target", ["elsewhere", "/a/./b//c/", "größe", "x" * 1_024, "."])
@pytest.mark.promise
async def test_a_link_leads_where_it_was_made_to_lead(
    mounts: Mounts, cloud: Cloud, target: str, clock: MockClock
) -> None:
    """Symbolic links work, up to targets of 1,024 bytes; for whoever knows no links, each is a small file that tells
    where it leads."""
    async with mounts() as desk:
        await desk.links("link", target)
        assert await desk.target("link") == target
        await desk.settles()
        assert await desk.target("link") == target

    async with mounts() as desk:
        state = await desk.stat("link")
        assert (state.is_link, state.mode, state.size) == (True, 0o777, len(target.encode()))
        assert await desk.target("link") == target
    assert await cloud.content("link") == marked(target)


async def test_the_time_of_a_link_can_be_set(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """What `tar x` and `cp -a` do, before it is sent and after."""
    await desk.links("link", "elsewhere")
    await desk.sets_time("link", FINE_NS)
    await desk.settles()
    first = (await cloud.entry("link")).modified_ns

    await desk.sets_time("link", FINE_NS + 1)
    await desk.settles()

    after = await cloud.entry("link")
    assert (first, after.modified_ns, after.posix.link) == (FINE_NS, FINE_NS + 1, "elsewhere")


@pytest.mark.parametrize(("target", "error"), [(b"x" * 1_025, NameTooLong), (b"\xff", BadName)])
async def test_a_link_that_no_marked_file_holds_is_refused(
    desk: Desk, target: bytes, error: type[Exception], clock: MockClock
) -> None:
    """At the call, and nothing is there."""
    with pytest.raises(error):
        await desk.fs.make_link(desk.fs.root, b"link", target)

    assert await desk.names() == set()


async def test_what_is_no_link_leads_nowhere(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """The kernel does not ask; but who knows."""
    await cloud.holds({"file": b"content"})

    with pytest.raises(Invalid):
        await desk.target("file")


# ------------------------------------------------------------ extended attributes


@pytest.mark.promise
async def test_extended_attributes_are_kept_and_taken_away_again(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """Extended attributes `user.*` of files and folders are kept by a server that can (capability `posix`), up to 64
    KiB of names and values for each object; beyond it setting one fails with ENOSPC."""
    await cloud.holds({"known": b"content"})
    await desk.writes("new", b"content")
    for name in ("known", "new"):
        await desk.sets(name, "user.a", b"a")
        await desk.sets(name, "user.b", b"")
        await desk.takes_away(name, "user.a")
        assert await desk.xattrs(name) == {"user.b": b""}
        with pytest.raises(NoAttribute):
            await desk.takes_away(name, "user.a")

    await desk.settles()

    assert [(await kept(cloud, name))[2] for name in ("known", "new")] == [{"user.b": b""}] * 2


async def test_one_can_be_taken_away_that_the_server_has(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """With the next content, too."""
    await cloud.holds({"a": b"content", "b": b"content"})
    for name in ("a", "b"):
        await desk.sets(name, "user.a", b"a")
        await desk.sets(name, "user.b", b"b")
    await desk.settles()

    await desk.takes_away("a", "user.a")
    await desk.patches("b", 0, b"C")
    await desk.takes_away("b", "user.a")
    await desk.settles()

    assert [(await kept(cloud, name))[2] for name in ("a", "b")] == [{"user.b": b"b"}] * 2


async def test_two_people_who_set_different_ones_do_not_undo_each_other(
    desk: Desk, cloud: Cloud, clock: MockClock
) -> None:
    """What is sent is what was set, and not all that this mount believes."""
    await cloud.holds({"file": b"content"})
    await desk.sets("file", "user.ours", b"1")
    entry = await cloud.entry("file")
    await cloud.files.update(entry.path, None, PosixUpdate(xattrs=(("user.theirs", b"2"),)))

    await desk.settles()

    assert (await kept(cloud, "file"))[2] == {"user.ours": b"1", "user.theirs": b"2"}


async def test_extended_attributes_have_an_end(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """What the server would refuse later is refused at the call."""
    await cloud.holds({"file": b"content"})
    await desk.sets("file", "user.a", bytes(XATTRS_BYTES_MAX - 20))

    with pytest.raises(AttributesFull):
        await desk.sets("file", "user.b", bytes(20))
    with pytest.raises(ForeignAttribute):
        await desk.sets("file", "trusted.a", b"")
    with pytest.raises(Unsupported):
        await desk.sets("file", "user.cx.status", b"")
    with pytest.raises(BadName):
        await desk.fs.set_extended_attribute(await desk.node("file"), b"user.\xff", b"")

    await desk.settles()
    assert {*(await kept(cloud, "file"))[2]} == {"user.a"}


async def test_a_file_with_many_extended_attributes_goes_alone(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """Two hundred of them do not fit into the list of a bundle."""
    for number in range(20):
        await desk.writes(f"{number}", b"content")
        await desk.sets(f"{number}", "user.a", bytes(60_000))

    await desk.settles()

    assert [len((await kept(cloud, f"{number}"))[2]["user.a"]) for number in range(20)] == [60_000] * 20
    assert wire.count("POST bundle/put") == 0


# ------------------------------------------------------------ others


async def test_a_second_client_sees_all_of_it(
    desk: Desk, folder: Path, wire: Wire, token: str, kernel: RecordingKernel, clock: MockClock
) -> None:
    """On a machine of its own, which has heard nothing of the first."""
    await desk.makes_folder("folder")
    await desk.writes("folder/file", b"content")
    await desk.links("folder/link", "file")
    await dressed(desk, "folder/file")
    await dressed(desk, "folder")
    await desk.settles()

    async with mounts_of(wire, token, folder / "elsewhere", kernel)() as other:
        assert [await seen(other, name) for name in ("folder", "folder/file")] == [DRESSED] * 2
        assert await other.target("folder/link") == "file"

        await other.sets_mode("folder/file", 0o400)
        await other.settles()
        await desk.waits(TTL_S + 1)
        assert (await desk.stat("folder/file")).mode == 0o400


def unheard(sent: int, size: int) -> None:
    """Progress that nobody watches."""


# ------------------------------------------------------------ links on a server that keeps none


@pytest.mark.parametrize("capabilities", [NARROW, frozenset[str]()])
@pytest.mark.promise
async def test_links_are_links_also_where_the_server_keeps_none(
    mounts: Mounts, cloud: Cloud, capabilities: frozenset[str], clock: MockClock
) -> None:
    """A server that keeps no links has the small files, and mounts show them as links all the same."""
    async with mounts(capabilities=capabilities) as desk:
        await desk.links("link", "elsewhere")
        node = await desk.node("link")
        await desk.settles()
        at_once = desk.fs.target(node)
        await desk.waits(TTL_S + 1)
        assert [at_once, await desk.target("link")] == ["elsewhere"] * 2
        await desk.renames("link", "moved")
        assert await desk.target("moved") == "elsewhere"

    await cloud.puts("theirs", marked("put there by another program"))
    await cloud.puts("file", bytes(1_067))
    async with mounts(capabilities=capabilities) as desk:
        assert [await desk.target(name) for name in ("moved", "theirs")] == [
            "elsewhere",
            "put there by another program",
        ]
        assert await desk.reads("file") == bytes(1_067)


async def test_a_folder_without_files_of_that_size_costs_nothing_more(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """And with some, one look at each version."""
    await cloud.holds({"folder/a": b"a", "folder/b": bytes(1_066)})
    await desk.names("folder")
    without = wire.count("GET data") + wire.count("POST bundle/get")
    await cloud.puts("folder/link", marked("a"))

    for _ in range(3):
        await desk.waits(TTL_S + 1)
        await desk.names("folder")
        assert await desk.target("folder/link") == "a"

    assert (without, wire.count("GET data") + wire.count("POST bundle/get")) == (0, 1)


async def test_a_former_version_that_was_a_link_is_restored_as_one(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """What it was belongs to the version."""
    await desk.links("link", "first")
    await desk.settles()
    await desk.writes("file", b"file")
    await desk.renames("file", "link")
    await desk.settles()
    version = (await cloud.entry("link")).version

    await desk.volume.history.restore(await desk.node("link"), 1, unheard)

    assert (version, (await cloud.entry("link")).posix.link) == (2, "first")
    assert await desk.target("link") == "first"
