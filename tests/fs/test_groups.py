"""Groups: other owners' trees beside the account's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing

from cxfs.core.entries import Owner
from cxfs.core.errors import AcrossTrees, AlreadyExists, BadRequest, Denied, Invalid, NoAttribute, NotFound, Stale
from cxfs.fs.filesystem import Wanted
from cxfs.fs.group_watch import FIRST_WAIT_S
from cxfs.fs.renaming import Rename
from cxfs.server import administration
from tests.fs.asking import asked
from tests.fs.cloud import Cloud, says, session_over

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    import httpx
    from trio.testing import MockClock

    from cxfs.server.store import Store
    from cxfs.verbs import ObjectVerbs
    from tests.fs.cloud import Wire
    from tests.fs.desk import Desk, Mounts
    from tests.fs.recording import RecordingKernel

TTL_S = 30
UUIDS = ("SNU2d6zrEeGnthICOA-R7w", "l6hkZxxCEeGQ1BIBPQhmWA")


@pytest.fixture
async def band(store: Store, token: str, app: httpx.ASGITransport) -> AsyncIterator[Cloud]:
    """Ben's group, as Ben sees it; the mount's account may write there."""
    administration.add_user(store, "ben", password=None)
    group = administration.add_group(store, "band", owner="ben")
    administration.set_member(store, "band", "ann", "writer")
    async with session_over(app, administration.issue_token(store, "ben")) as session:
        yield Cloud(session, Owner(group))


@pytest.fixture
async def read_only_band(band: Cloud, store: Store) -> Cloud:
    """The same, where the account may only read; `songs/one.txt` is there."""
    administration.set_member(store, "band", "ann", "reader")
    await band.holds({"songs/one.txt": b"la la", "empty/": b""})
    return band


@pytest.fixture
async def desk(band: Cloud, mounts: Mounts) -> AsyncIterator[Desk]:
    """A mount of the account that is in the group."""
    async with mounts() as opened:
        yield opened


def groups_are(*groups: tuple[str, str]) -> Callable[[httpx.Request], httpx.Response | None]:
    """The server tells these groups, UUID and name."""
    answer = {"groups": [{"id": uuid, "name": name, "role": "writer"} for uuid, name in groups]}
    return lambda request: says(200, answer) if request.url.path.endswith("/groups") else None


def groups_fail(request: httpx.Request) -> httpx.Response | None:
    """The server cannot tell the groups, and all else works."""
    return says(500, {"errorType": "Internal", "message": "oops"}) if request.url.path.endswith("/groups") else None


# ------------------------------------------------------------ where they are


@pytest.mark.promise
async def test_groups_are_folders(desk: Desk, band: Cloud, clock: MockClock) -> None:
    """The account's groups are folders in `Groups`, under the names that the server tells."""
    await band.holds({"songs/one.txt": b"la la"})

    names = await desk.names()

    assert names == {"Groups"}
    assert await desk.names("Groups") == {"band"}
    assert await desk.reads("Groups/band/songs/one.txt") == b"la la"


@pytest.mark.promise
async def test_there_is_no_folder_for_groups_where_there_are_none(
    mounts: Mounts, cloud: Cloud, store: Store, clock: MockClock
) -> None:
    """Without groups, with `--no-groups`, and where `root=PATH` mounts one folder, there is no `Groups`."""
    await cloud.holds({"folder/inside": b"1"})
    async with mounts() as desk:
        without_groups = await desk.names()
    administration.add_group(store, "band", owner="ann")

    async with mounts(groups=False) as desk:
        switched_off = await desk.names()
    async with mounts(root="/folder") as desk:
        of_one_folder = await desk.names()

    assert [without_groups, switched_off, of_one_folder] == [{"folder"}, {"folder"}, {"inside"}]


@pytest.mark.parametrize("options", [{"groups": False}, {"root": "/folder"}])
async def test_a_mount_that_shows_no_groups_does_not_ask_for_them(
    band: Cloud, cloud: Cloud, mounts: Mounts, options: dict[str, object], clock: MockClock
) -> None:
    """There is nobody who would."""
    await cloud.holds({"folder/": b""})
    async with mounts(**options) as desk:
        assert desk.volume.groups is None
        assert not await desk.has("Groups")


@pytest.mark.promise
async def test_a_server_that_tells_no_names(mounts: Mounts, band: Cloud, clock: MockClock) -> None:
    """A server without the capability `groups` tells no names of groups: they are shown under their UUIDs."""
    await band.holds({"a": b"1"})
    async with mounts(capabilities=frozenset()) as desk:
        assert await desk.names("Groups") == {str(band.owner)}
        assert await desk.reads(f"Groups/{band.owner}/a") == b"1"


async def test_groups_cost_no_request_beyond_the_listings(
    desk: Desk, band: Cloud, wire: Wire, clock: MockClock
) -> None:
    """The root costs what it cost without groups, the folder of the groups nothing, a group what a folder costs."""
    await band.holds({"a": b"1", "b": b"2"})

    for folder in ("", "Groups", "Groups/band"):
        for name in await desk.names(folder):
            await desk.stat(f"{folder}/{name}" if folder else name)

    assert wire.requests == ["GET files/list", "GET files/list"]


@pytest.mark.parametrize(
    ("groups", "shown"),
    [
        ([(UUIDS[0], "rock/pop")], {"rock%cx2Fpop"}),
        ([(UUIDS[0], "..")], {"%cx2E."}),
        ([(UUIDS[0], "band"), (UUIDS[1], "band")], {"band", f"band%cx~{UUIDS[1]}"}),
    ],
)
async def test_a_group_of_any_name_is_shown(
    mounts: Mounts, wire: Wire, groups: list[tuple[str, str]], shown: set[str], clock: MockClock
) -> None:
    """By the escapes that names of files have."""
    wire.before = groups_are(*groups)
    async with mounts() as desk:
        assert await desk.names("Groups") == shown


async def test_looking_into_one_of_two_groups_of_one_name_renames_neither(
    band: Cloud, store: Store, mounts: Mounts, wire: Wire, clock: MockClock
) -> None:
    """Which of them keeps the name must not hang on what is known of it."""
    choir = administration.add_group(store, "choir", owner="ann")
    wire.before = groups_are((str(band.owner), "same"), (choir, "same"))
    async with mounts() as desk:
        before = await desk.names("Groups")
        inodes = {name: (await desk.stat(f"Groups/{name}")).inode for name in before}
        await desk.names("Groups/same")
        await desk.waits(TTL_S + 1)

        assert {name: (await desk.stat(f"Groups/{name}")).inode for name in await desk.names("Groups")} == inodes


async def test_a_group_is_dated_once_it_was_listed(desk: Desk, band: Cloud, clock: MockClock) -> None:
    """Before that by when it was learnt of; and it goes on being so when the list of the groups is taken anew."""
    await band.files.update(band.at(""), 1_234_567_890_123)
    at_first = (await desk.stat("Groups/band")).modified_ns

    await desk.names("Groups/band")
    await desk.waits(TTL_S + 1)

    assert at_first == (await desk.stat("Groups")).modified_ns > 0
    assert (await desk.stat("Groups/band")).modified_ns == 1_234_567_890_123_000_000


@pytest.mark.promise
async def test_inode_numbers_of_groups_survive_a_remount(mounts: Mounts, band: Cloud, clock: MockClock) -> None:
    """`Groups` and each group in it have the same inode number after every remount."""
    async with mounts() as desk:
        before = [(await desk.stat(name)).inode for name in ("Groups", "Groups/band")]

    async with mounts() as desk:
        assert [(await desk.stat(name)).inode for name in ("Groups", "Groups/band")] == before


async def test_a_group_is_known_by_its_uuid_and_owns_what_is_in_it(desk: Desk, band: Cloud, clock: MockClock) -> None:
    """`user.cx.*`; the folder of the groups is no object of the server."""
    await band.holds({"a": b"1"})

    told = {name: desk.fs.extended_attributes(await desk.node(name)) for name in ("Groups", "Groups/band/a")}

    assert told["Groups"] == {"user.cx.status": b"synced"}
    assert told["Groups/band/a"]["user.cx.owner"] == band.owner.encode()
    with pytest.raises(NoAttribute):
        desk.fs.extended_attribute(await desk.node("Groups"), b"user.cx.uuid")


# ------------------------------------------------------------ an entry of one's own by that name


@pytest.mark.promise
async def test_ones_own_entry_named_groups_is_shown_beside(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """An entry of one's own that is named `Groups` is shown as `Groups%cx~UUID` beside the groups and works like any
    other."""
    await cloud.holds({"Groups/mine.txt": b"mine"})
    own = f"Groups%cx~{(await cloud.entry('Groups')).id}"

    names = await desk.names()
    await desk.writes(f"{own}/new.txt", b"new")
    await desk.makes_folder(f"{own}/deeper")
    await desk.settles()

    assert names == {"Groups", own}
    assert await desk.reads(f"{own}/mine.txt") == b"mine"
    assert await cloud.tree() == {
        "Groups/": b"",
        "Groups/deeper/": b"",
        "Groups/mine.txt": b"mine",
        "Groups/new.txt": b"new",
    }
    await desk.renames(own, "mine")
    assert await desk.names() == {"Groups", "mine"}


async def test_the_name_of_the_groups_folder_is_taken(desk: Desk, wire: Wire, clock: MockClock) -> None:
    """Something new of that name could not be shown under it."""
    with pytest.raises(AlreadyExists):
        await desk.makes_folder("Groups")

    assert wire.count("POST") == 0


# ------------------------------------------------------------ what cannot be changed


def changes_of(desk: Desk, folder: str, file: str, child: str) -> dict[str, Callable[[], Awaitable[object]]]:
    """Every way to change something: a file, a folder that holds it, and another folder there."""

    async def sets(name: str, wanted: Wanted) -> None:
        await desk.fs.set_attributes(await desk.node(name), wanted, None)

    return {
        "create": lambda: desk.creates(f"{folder}/new"),
        "mkdir": lambda: desk.makes_folder(f"{folder}/new"),
        "unlink": lambda: desk.removes(file),
        "rmdir": lambda: desk.removes_folder(child),
        "rename": lambda: desk.renames(file, f"{folder}/other"),
        "rename away": lambda: desk.renames(file, "elsewhere"),
        "rename to": lambda: desk.renames("own", f"{folder}/own"),
        "rename over": lambda: desk.renames("own", file),
        "exchange": lambda: desk.renames("own", file, Rename.EXCHANGE),
        "open to write": lambda: desk.opens(file, writable=True),
        "open to truncate": lambda: desk.opens(file, truncate=True),
        "truncate": lambda: desk.truncates(file, 0),
        "chmod": lambda: sets(file, Wanted(mode=0o600)),
        "chown": lambda: sets(file, Wanted(uid=0)),
        "utimens": lambda: sets(file, Wanted(modified_ns=0 * 1_000_000)),
        "utimens of the folder": lambda: sets(folder, Wanted(modified_ns=0 * 1_000_000)),
    }


@pytest.mark.promise
async def test_a_reader_changes_nothing(
    mounts: Mounts, read_only_band: Cloud, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """In a group where the account's role is `reader` nothing has write bits, and every change fails with EACCES
    before the server is asked."""
    await cloud.holds({"own": b"own"})
    before = await read_only_band.tree()
    async with mounts() as desk:
        changes = changes_of(desk, "Groups/band/songs", "Groups/band/songs/one.txt", "Groups/band/empty")
        modes = [(await desk.stat(f"Groups/band{name}")).mode for name in ("", "/songs", "/songs/one.txt")]
        await desk.names("Groups/band/empty")
        wire.requests.clear()

        for change in changes.values():
            with pytest.raises(Denied):
                await change()

        assert modes == [0o555, 0o555, 0o444]
        assert wire.count("POST") == 0
        assert await desk.reads("Groups/band/songs/one.txt") == b"la la"
    assert await read_only_band.tree() == before
    assert await cloud.tree() == {"own": b"own"}


@pytest.mark.promise
async def test_the_folder_of_the_groups_cannot_be_changed(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """`Groups` and the names in it cannot be changed in the mount: that fails with EACCES."""
    await cloud.holds({"own": b"own", "folder/": b""})
    changes: dict[str, Callable[[], Awaitable[object]]] = {
        "create": lambda: desk.creates("Groups/new"),
        "mkdir": lambda: desk.makes_folder("Groups/new"),
        "rmdir": lambda: desk.removes_folder("Groups"),
        "rmdir of a group": lambda: desk.removes_folder("Groups/band"),
        "rename": lambda: desk.renames("Groups", "Teams"),
        "rename of a group": lambda: desk.renames("Groups/band", "Groups/orchestra"),
        "rename of a group away": lambda: desk.renames("Groups/band", "band"),
        "rename into": lambda: desk.renames("own", "Groups/own"),
        "rename over": lambda: desk.renames("folder", "Groups"),
        "rename over a group": lambda: desk.renames("folder", "Groups/band"),
        "exchange": lambda: desk.renames("folder", "Groups", Rename.EXCHANGE),
        "utimens": lambda: desk.touches("Groups", 0),
    }

    for change in changes.values():
        with pytest.raises(Denied):
            await change()

    assert wire.count("POST") == 0
    assert (await desk.stat("Groups")).mode == 0o555


async def test_a_mode_set_before_does_not_outlive_the_right_to_write(
    desk: Desk, band: Cloud, store: Store, clock: MockClock
) -> None:
    """What programs go by must not promise more than there is."""
    await band.holds({"a": b"1"})
    await desk.fs.set_attributes(await desk.node("Groups/band/a"), Wanted(mode=0o640), None)
    administration.set_member(store, "band", "ann", "reader")

    assert desk.volume.groups is not None
    await desk.volume.groups.refresh()

    assert (await desk.stat("Groups/band/a")).mode == 0o440


# ------------------------------------------------------------ working in one


@pytest.mark.promise
async def test_work_in_a_group_reaches_it(desk: Desk, band: Cloud, cloud: Cloud, clock: MockClock) -> None:
    """In a group where the account may write, files and folders are made, changed, renamed and deleted as in one's own
    tree."""
    await band.holds({"old.txt": b"0123456789", "gone": b"x"})

    await desk.makes_folder("Groups/band/folder")
    await desk.writes("Groups/band/folder/new.txt", b"new")
    await desk.patches("Groups/band/old.txt", 4, b"xx")
    await desk.removes("Groups/band/gone")
    await desk.settles()
    await desk.renames("Groups/band/folder", "Groups/band/moved")

    assert await band.tree() == {"moved/": b"", "moved/new.txt": b"new", "old.txt": b"0123xx6789"}
    assert await cloud.tree() == {}


async def test_a_time_can_be_set_on_a_group(desk: Desk, band: Cloud, clock: MockClock) -> None:
    """`rsync -a folder/ Groups/band/` does it last of all; the group is the same folder after it."""
    before = (await desk.stat("Groups/band")).inode

    await desk.touches("Groups/band", 1_234_567_890_123)

    after = await desk.stat("Groups/band")
    assert (after.inode, after.modified_ns) == (before, 1_234_567_890_123_000_000)
    assert desk.fs.extended_attribute(await desk.node("Groups/band"), b"user.cx.uuid") == band.owner.encode()
    assert (await band.entry("")).modified_ms == 1_234_567_890_123


async def test_a_change_in_a_group_survives_the_daemon(mounts: Mounts, band: Cloud, clock: MockClock) -> None:
    """It is sent to the group, whether or not the groups are known by then."""
    await band.holds({"old.txt": b"0123456789"})
    async with mounts() as desk:
        await desk.writes("Groups/band/new.txt", b"new")
        await desk.patches("Groups/band/old.txt", 4, b"xx")

    async with mounts(groups=False) as desk:
        await desk.settles()

    assert await band.tree() == {"new.txt": b"new", "old.txt": b"0123xx6789"}


async def test_a_recovered_change_shows_in_its_group(mounts: Mounts, band: Cloud, wire: Wire, clock: MockClock) -> None:
    """Before it is sent."""
    async with mounts() as desk:
        await desk.writes("Groups/band/new.txt", b"new")

    async with mounts() as desk:
        assert await desk.names("Groups/band") == {"new.txt"}
        assert await desk.reads("Groups/band/new.txt") == b"new"


async def test_a_conflict_in_a_group_keeps_both_sides_there(desk: Desk, band: Cloud, clock: MockClock) -> None:
    """The copy stands beside the one that the others changed."""
    await band.holds({"a.txt": b"common"})
    handle = await desk.opens("Groups/band/a.txt", writable=True)
    await desk.fs.write(handle, 0, b"ours..")
    await band.puts("a.txt", b"theirs")

    await desk.closes(handle)
    await desk.settles()

    assert await band.tree() == {"a.txt": b"theirs", "a (conflict laptop 2026-05-01).txt": b"ours.."}


# ------------------------------------------------------------ from tree to tree


@pytest.mark.promise
async def test_a_file_moves_between_trees(desk: Desk, band: Cloud, cloud: Cloud, clock: MockClock) -> None:
    """A rename between one's own tree and a group, or between groups, keeps the object, its UUID, its inode number and
    open handles."""
    await cloud.holds({"a": b"content"})
    identity = ((await cloud.entry("a")).id, (await desk.stat("a")).inode)
    opened = await desk.opens("a")

    await desk.renames("a", "Groups/band/b")

    assert await desk.all_of(opened) == b"content"
    assert await band.tree() == {"b": b"content"}
    assert await cloud.tree() == {}
    assert ((await band.entry("b")).id, (await desk.stat("Groups/band/b")).inode) == identity


async def test_a_folder_moves_between_trees_with_all_that_is_known_of_it(
    desk: Desk, band: Cloud, cloud: Cloud, clock: MockClock
) -> None:
    """What was listed, opened and changed in it before belongs to the other owner at once."""
    await cloud.holds({"d/e/listed": b"1", "d/e/open": b"2", "d/e/changed": b"0123456789"})
    opened = await desk.opens("d/e/open")
    await desk.patches("d/e/changed", 0, b"x")
    await desk.writes("d/e/new", b"4")

    await desk.renames("d", "Groups/band/d")

    assert await desk.all_of(opened) == b"2"
    assert await desk.reads("Groups/band/d/e/listed") == b"1"
    await desk.settles()
    assert await cloud.tree() == {}
    assert await band.tree() == {
        "d/": b"",
        "d/e/": b"",
        "d/e/changed": b"x123456789",
        "d/e/listed": b"1",
        "d/e/new": b"4",
        "d/e/open": b"2",
    }


async def test_who_stands_in_a_folder_that_moves_between_trees_stays_in_it(
    desk: Desk, band: Cloud, cloud: Cloud, clock: MockClock
) -> None:
    """A shell whose directory it is asks for no name that would lead there anew."""
    await cloud.holds({"d/e/a": b"1"})
    directory = await desk.node("d/e")

    await desk.renames("d", "Groups/band/d")

    assert [child.shown for child in (await desk.fs.open_folder(directory)).children] == ["a"]
    await desk.fs.remove(directory, b"a")
    await desk.settles()
    assert await band.tree() == {"d/": b"", "d/e/": b""}


async def test_a_listing_on_its_way_when_its_folder_moves_between_trees(
    desk: Desk, band: Cloud, cloud: Cloud, wire: Wire, nursery: trio.Nursery, clock: MockClock
) -> None:
    """It speaks of the tree that the folder has left: it is asked for once more."""
    await cloud.holds({"d/e/a": b"1"})
    directory = await desk.node("d/e")
    await desk.names("Groups/band")
    wire.holds_back("GET", "files/list")
    nursery.start_soon(desk.fs.open_folder, directory)
    await wire.held.wait()

    await desk.renames("d", "Groups/band/d")
    wire.lets_go()
    await trio.testing.wait_all_tasks_blocked()

    assert await desk.reads("Groups/band/d/e/a") == b"1"
    assert (await desk.fs.open_folder(directory)).children
    assert desk.fs.extended_attribute(directory, b"user.cx.owner") == band.owner.encode()


async def test_a_file_that_is_half_read_moves_between_trees(
    desk: Desk, band: Cloud, cloud: Cloud, clock: MockClock
) -> None:
    """The other half comes from where the file is now."""
    content = bytes(range(256)) * 4096
    await cloud.holds({"a": content})
    opened = await desk.opens("a")
    first = await desk.fs.read(opened, 0, 10)

    await desk.renames("a", "Groups/band/a")

    assert first + await desk.fs.read(opened, 10, len(content)) == content


async def test_a_folder_with_everything_on_its_way_moves_between_trees(
    desk: Desk, band: Cloud, cloud: Cloud, clock: MockClock
) -> None:
    """New folders and files in it, deletions, times: whatever the server does not know yet goes to the group."""
    await cloud.holds({"old/gone": b"1", "old/emptied/gone": b"2", "old/open": b"3", "old/kept": b"4"})
    opened = await desk.opens("old/open")
    for name in ("old/gone", "old/emptied/gone", "old/open"):
        await desk.removes(name)
    await desk.removes_folder("old/emptied")
    await desk.makes_folder("old/new")
    await desk.writes("old/new/file", b"5")
    await desk.touches("old/new", 1_234_567_890_123)
    await desk.names("Groups/band")
    await desk.makes_folder("fresh")
    await desk.makes_folder("fresh/deeper")
    await desk.writes("fresh/deeper/file", b"6")

    await desk.renames("fresh", "Groups/band/fresh")
    await desk.renames("old", "Groups/band/old")
    owners = [(await desk.node(f"Groups/band/{name}")).owner for name in ("old/new", "fresh", "fresh/deeper")]
    last = await desk.all_of(opened)
    await desk.closes(opened)
    await desk.settles()

    assert owners == [band.owner] * 3
    assert last == b"3"
    assert await cloud.tree() == {}
    assert await band.tree() == {
        "fresh/": b"",
        "fresh/deeper/": b"",
        "fresh/deeper/file": b"6",
        "old/": b"",
        "old/kept": b"4",
        "old/new/": b"",
        "old/new/file": b"5",
    }
    assert await desk.reads("Groups/band/fresh/deeper/file") == b"6"


async def test_a_file_moves_out_of_a_group(desk: Desk, band: Cloud, cloud: Cloud, clock: MockClock) -> None:
    """And can go on being written there."""
    await band.holds({"a": b"content"})
    await desk.renames("Groups/band/a", "a")

    await desk.patches("a", 0, b"C")
    await desk.settles()

    assert await band.tree() == {}
    assert await cloud.tree() == {"a": b"Content"}


async def test_a_file_that_was_not_sent_yet_moves_between_trees(
    desk: Desk, band: Cloud, cloud: Cloud, clock: MockClock
) -> None:
    """It is sent to where it stands then, over what it replaced there."""
    await band.holds({"report": b"old"})
    await desk.writes("draft", b"new")

    await desk.renames("draft", "Groups/band/report")
    await desk.settles()

    assert await cloud.tree() == {}
    assert await band.tree() == {"report": b"new"}


@pytest.mark.promise
async def test_a_server_that_moves_nothing_between_trees(
    desk: Desk, band: Cloud, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """Where the server refuses to move something between trees, the rename fails with EXDEV, so that `mv` copies."""
    await cloud.holds({"a": b"content"})
    await desk.names()
    await desk.names("Groups/band")
    wire.before = lambda request: says(400, {"message": "no"}) if "/files/move/" in request.url.path else None

    with pytest.raises(AcrossTrees):
        await desk.renames("a", "Groups/band/a")

    assert await cloud.tree() == {"a": b"content"}


async def test_a_refusal_for_want_of_permission_is_no_reason_to_copy(
    desk: Desk, band: Cloud, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """The copy would be refused as well, when the original is gone already."""
    await cloud.holds({"a": b"content"})
    denied = says(403, {"errorType": "AccessDenied", "message": "no"})
    wire.before = lambda request: denied if "/files/move/" in request.url.path else None

    with pytest.raises(Denied):
        await desk.renames("a", "Groups/band/a")


async def test_a_refusal_within_one_tree_is_what_the_server_says(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """There `mv` has nothing to gain from copying."""
    await cloud.holds({"a": b"content"})
    wire.before = lambda request: says(400, {"message": "no"}) if "/files/move/" in request.url.path else None

    with pytest.raises(BadRequest):
        await desk.renames("a", "b")


# ------------------------------------------------------------ coming and going


@pytest.mark.promise
async def test_memberships_are_noticed(
    mounts: Mounts, band: Cloud, store: Store, kernel: RecordingKernel, nursery: trio.Nursery, clock: MockClock
) -> None:
    """A new membership appears, and a lost one disappears, within the metadata TTL and without a remount."""
    administration.remove_member(store, "band", "ann")
    async with mounts() as desk:
        assert desk.volume.groups is not None
        nursery.start_soon(desk.volume.groups.run)
        at_first = await desk.names()
        administration.set_member(store, "band", "ann", "reader")
        await desk.waits(TTL_S + 1)
        as_member = [await desk.names(), await desk.names("Groups")]

        administration.remove_member(store, "band", "ann")
        await desk.waits(TTL_S + 1)

        assert at_first == set()
        assert as_member == [{"Groups"}, {"band"}]
        assert await desk.names() == set()
        assert not await desk.has("Groups")
        assert (1, "Groups") in kernel.forgotten
        nursery.cancel_scope.cancel()


async def test_one_group_of_several_is_lost(
    mounts: Mounts, band: Cloud, store: Store, kernel: RecordingKernel, clock: MockClock
) -> None:
    """The kernel forgets this name and no other."""
    administration.add_group(store, "choir", owner="ann")
    async with mounts() as desk:
        assert await desk.names("Groups") == {"band", "choir"}
        folder = (await desk.stat("Groups")).inode
        administration.remove_member(store, "band", "ann")
        kernel.forgotten.clear()

        assert desk.volume.groups is not None
        await desk.volume.groups.refresh()

        assert await desk.names("Groups") == {"choir"}
        assert kernel.forgotten == [(folder, "band")]


async def test_who_stands_in_groups_when_there_are_none_any_more(
    desk: Desk, band: Cloud, store: Store, clock: MockClock
) -> None:
    """As in any folder that somebody else has deleted."""
    directory = await desk.node("Groups")
    administration.remove_member(store, "band", "ann")

    assert desk.volume.groups is not None
    await desk.volume.groups.refresh()

    with pytest.raises(NotFound):
        await desk.fs.attributes(directory)
    with pytest.raises(NotFound):
        await desk.fs.open_folder(directory)


async def test_a_mount_does_not_wait_long_for_its_groups(
    mounts: Mounts, band: Cloud, wire: Wire, clock: MockClock
) -> None:
    """A server that does not answer this one question is mounted all the same."""
    began = trio.current_time()
    wire.holds_back("GET", "users/self")

    async with mounts() as desk:
        assert trio.current_time() - began == FIRST_WAIT_S
        assert await desk.names() == set()


async def test_the_kernel_is_not_spoken_to_before_the_mount(
    desk: Desk, kernel: RecordingKernel, clock: MockClock
) -> None:
    """It would not understand."""
    assert await desk.names() == {"Groups"}
    assert kernel.forgotten == []


async def test_groups_that_cannot_be_read_are_those_that_were_known(desk: Desk, wire: Wire, clock: MockClock) -> None:
    """A server that is unwell has not thrown anybody out."""
    wire.before = groups_fail

    assert desk.volume.groups is not None
    await desk.volume.groups.refresh()

    assert await desk.names("Groups") == {"band"}


@pytest.mark.promise
async def test_a_mount_does_not_need_groups(mounts: Mounts, band: Cloud, wire: Wire, clock: MockClock) -> None:
    """A server that cannot tell the groups is mounted all the same; they appear when it tells them."""
    wire.before = groups_fail
    async with mounts() as desk:
        at_first = await desk.names()
        wire.comes_back()

        assert desk.volume.groups is not None
        await desk.volume.groups.refresh()

        assert at_first == set()
        assert await desk.names() == {"Groups"}


@pytest.mark.promise
async def test_what_waits_for_a_group_that_was_lost_is_kept(
    desk: Desk, band: Cloud, store: Store, clock: MockClock
) -> None:
    """When the account leaves a group, what was written there and not sent yet is parked with the reason; open files
    fail with ESTALE."""
    await band.holds({"a": b"content"})
    opened = await desk.opens("Groups/band/a")
    await desk.writes("Groups/band/new", b"precious")
    administration.remove_member(store, "band", "ann")

    await desk.waits(10)

    (change,) = desk.volume.changes
    assert change.parked
    with pytest.raises(Stale):
        await desk.all_of(opened)
    assert not desk.volume.uploader.busy


# ------------------------------------------------------------ copies


async def test_a_group_is_copied_and_copied_into_like_any_folder(
    desk: Desk, objects: ObjectVerbs, band: Cloud, cloud: Cloud, clock: MockClock
) -> None:
    """Between the trees of two owners, with all that it has."""
    await band.holds({"songs/one.txt": b"la la"})
    await cloud.holds({"mine": b"do re"})

    await asked(objects.copy, path="Groups/band", to="all", recursive=True)
    await asked(objects.copy, path="mine", to="Groups/band/songs")

    assert await desk.reads("all/songs/one.txt") == b"la la"
    assert await desk.reads("Groups/band/songs/mine") == b"do re"
    assert await band.content("songs/mine") == b"do re"


@pytest.mark.parametrize(
    ("path", "to", "error"),
    [("mine", "Groups/band/songs", Denied), ("mine", "Groups", Denied), ("Groups", "all", Invalid)],
)
async def test_what_a_reader_may_not_change_is_not_copied_into(
    read_only_band: Cloud, objects: ObjectVerbs, cloud: Cloud, wire: Wire, path: str, to: str, error: type,
    clock: MockClock,
) -> None:  # fmt: skip
    """Nor is the folder of the groups, which is none of the server's."""
    await cloud.holds({"mine": b"do re"})

    with pytest.raises(error):
        await asked(objects.copy, path=path, to=to, recursive=True)

    assert wire.count("POST files/copy") == 0


async def test_info_and_refresh_know_the_folders_of_groups(
    desk: Desk, objects: ObjectVerbs, band: Cloud, clock: MockClock
) -> None:
    """What stands for a group, and for all of them, can be asked about too."""
    await band.holds({"songs/one.txt": b"la la"})

    told = [await asked(objects.info, path=path) for path in ("Groups", "Groups/band", "Groups/band/songs/one.txt")]
    await asked(objects.refresh, path="Groups")

    assert [each["kind"] for each in told] == ["folder", "folder", "file"]
    assert told[1]["owner"] == told[2]["owner"] == band.owner
    assert await desk.names("Groups/band/songs") == {"one.txt"}


@pytest.mark.parametrize("name", ["own", "folder", "folder/inner"])
async def test_what_was_set_follows_a_rename_into_a_group(
    desk: Desk, cloud: Cloud, band: Cloud, name: str, clock: MockClock
) -> None:
    """Before it was sent: under its former owner the object is not there any more."""
    await cloud.holds({"own": b"content", "folder/inner": b"content"})
    await desk.sets_mode(name, 0o750)

    await desk.renames("own", "Groups/band/own")
    await desk.renames("folder", "Groups/band/folder")
    await desk.settles()

    assert (await band.entry(name)).posix.mode == (await desk.stat(f"Groups/band/{name}")).mode == 0o750
