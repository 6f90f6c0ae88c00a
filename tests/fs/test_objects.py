"""What a person can ask about one file or folder, and have done to it: info, versions, restore, copy, refresh."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
import trio

from cxfs.core.errors import (
    AlreadyExists,
    Denied,
    Invalid,
    IsADirectory,
    NoSpace,
    NotADirectory,
    NotFound,
    NotSynced,
    Unreachable,
    Unsupported,
    VersionConflict,
)
from tests.fs.asking import asked
from tests.fs.cloud import says
from tests.fs.worlds import NOW_MS

if TYPE_CHECKING:
    import httpx
    from trio.testing import MockClock

    from cxfs.verbs import ObjectVerbs
    from tests.fs.cloud import Cloud, Wire
    from tests.fs.desk import Desk, Mounts
    from tests.fs.recording import RecordingKernel


def is_call(request: httpx.Request, call: str) -> bool:
    """Whether it is one of a kind, such as `files/copy`."""
    return "/".join(request.url.path.split("/")[2:]).startswith(call)


# ------------------------------------------------------------------------------------------------ info


async def test_info_tells_what_the_server_has(objects: ObjectVerbs, cloud: Cloud, clock: MockClock) -> None:
    """As it is there now, though something older is still believed here."""
    await cloud.holds({"folder/a": b"12345"})
    await asked(objects.info, path="folder/a")
    entry = await cloud.puts("folder/a", b"123456")

    told = await asked(objects.info, path="folder/a")

    assert told == {
        "path": "folder/a",
        "kind": "file",
        "status": "synced",
        "reason": None,
        "size": 6,
        "modified_ms": entry.modified_ms,
        "owner": entry.owner,
        "uuid": entry.id,
        "name": "a",
        "version": entry.version,
        "created_ms": entry.created_ms,
        "sha1": hashlib.sha1(b"123456").hexdigest(),
        "md5": hashlib.md5(b"123456").hexdigest(),
        "versions": [
            {"version": 2, "size": 6, "modified_ms": entry.modified_ms, "sha1": entry.sha1.hex() if entry.sha1 else ""},
            {"version": 1, "size": 5, "modified_ms": 1_000_000_000_000, "sha1": hashlib.sha1(b"12345").hexdigest()},
        ],
        "as_last_known": False,
    }


async def test_info_of_what_the_server_does_not_have_tells_what_is_here(
    desk: Desk, objects: ObjectVerbs, clock: MockClock
) -> None:
    """It has no UUID yet, and a size all the same."""
    handle = await desk.creates("a")
    await desk.fs.write(handle, 0, b"123")

    told = await asked(objects.info, path="a")

    assert (told["status"], told["size"], told["uuid"], told["versions"]) == ("pending", 3, None, None)
    await desk.closes(handle)


async def test_to_ask_about_a_file_that_waits_settles_no_conflict(
    desk: Desk, objects: ObjectVerbs, cloud: Cloud, clock: MockClock
) -> None:
    """What somebody else has uploaded meanwhile is not what this side's change began from."""
    await cloud.holds({"a": b"old"})
    await desk.patches("a", 0, b"ours")
    await cloud.puts("a", b"theirs")

    told = await asked(objects.info, path="a")
    await desk.settles()

    assert (told["status"], told["size"], told["version"]) == ("pending", 4, 1)
    assert set((await cloud.tree()).values()) == {b"ours", b"theirs"}


async def test_info_without_the_server_is_what_was_last_known(
    objects: ObjectVerbs, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """And says so."""
    await cloud.holds({"a": b"12345"})
    await asked(objects.info, path="a")
    wire.goes_offline()

    told = await asked(objects.info, path="a")

    assert (told["size"], told["versions"], told["as_last_known"]) == (5, None, True)


async def test_info_of_a_folder_and_of_the_mount_itself(objects: ObjectVerbs, cloud: Cloud, clock: MockClock) -> None:
    """They have no versions."""
    await cloud.holds({"folder/": b""})

    folder, mount = await asked(objects.info, path="folder"), await asked(objects.info, path="")

    assert [(each["kind"], each["path"], each["versions"]) for each in (folder, mount)] == [
        ("folder", "folder", None),
        ("folder", "", None),
    ]


async def test_nothing_is_told_of_what_is_not_there(objects: ObjectVerbs, clock: MockClock) -> None:
    """By any of them."""
    for verb in (objects.info, objects.versions, objects.refresh):
        with pytest.raises(NotFound, match="no such file or folder in the mount"):
            await asked(verb, path="absent")


async def test_a_question_leaves_no_node_behind(
    desk: Desk, objects: ObjectVerbs, cloud: Cloud, clock: MockClock
) -> None:
    """The kernel never heard of it, and would never forget it."""
    await cloud.holds({"folder/a": b"12345"})
    before = len(desk.volume.tree.nodes.all())

    await asked(objects.info, path="folder/a")

    assert len(desk.volume.tree.nodes.all()) == before


# ------------------------------------------------------------------------------------------------ versions


@pytest.mark.promise
async def test_a_former_version_is_made_the_current_one(
    desk: Desk, objects: ObjectVerbs, cloud: Cloud, kernel: RecordingKernel, clock: MockClock
) -> None:
    """`cxfs restore` makes a former version the next one of its file, which keeps its UUID; the server has it when it
    returns."""
    await cloud.holds({"a": b"first"})
    first = await cloud.puts("a", b"second, which is longer")
    assert await desk.reads("a") == b"second, which is longer"

    told = await asked(objects.restore, path="a", version=1)

    now = await cloud.entry("a")
    assert (told, now.id, now.version) == ({"version": 3, "size": 5}, first.id, 3)
    assert (await cloud.content("a"), await desk.reads("a")) == (b"first", b"first")
    assert (await desk.node("a")).inode in kernel.dropped
    assert now.modified_ms >= NOW_MS


async def test_an_empty_version_can_be_restored(
    desk: Desk, objects: ObjectVerbs, cloud: Cloud, clock: MockClock
) -> None:
    """There is no range of nothing to ask for."""
    await cloud.holds({"a": b""})
    await cloud.puts("a", b"second")

    await asked(objects.restore, path="a", version=1)

    assert await desk.reads("a") == b""


@pytest.mark.parametrize(("version", "why"), [(2, "is the current one"), (7, r"\(there are: 1\)")])
async def test_a_version_that_is_not_kept_is_refused(
    objects: ObjectVerbs, cloud: Cloud, clock: MockClock, version: int, why: str
) -> None:
    """With those that are."""
    await cloud.holds({"a": b"first"})
    await cloud.puts("a", b"second")

    with pytest.raises(NotFound, match=why):
        await asked(objects.restore, path="a", version=version)


async def test_a_folder_has_no_versions(objects: ObjectVerbs, cloud: Cloud, clock: MockClock) -> None:
    """And cannot be restored."""
    await cloud.holds({"folder/": b""})

    with pytest.raises(IsADirectory):
        await asked(objects.versions, path="folder")
    with pytest.raises(IsADirectory):
        await asked(objects.restore, path="folder", version=1)


async def test_a_server_without_versions_is_said_to_be_one(mounts: Mounts, cloud: Cloud, clock: MockClock) -> None:
    """And is not asked."""
    from cxfs.verbs import ObjectVerbs

    await cloud.holds({"a": b"first"})
    async with mounts(capabilities=frozenset()) as desk:
        volume = desk.volume
        objects = ObjectVerbs(volume.tree, history=volume.history, copying=volume.copying, refreshing=volume.refreshing)

        with pytest.raises(Unsupported, match="this server keeps no versions"):
            await asked(objects.versions, path="a")
        assert (await asked(objects.info, path="a"))["versions"] is None


async def test_what_is_not_sent_yet_is_not_restored_over(
    desk: Desk, objects: ObjectVerbs, cloud: Cloud, clock: MockClock
) -> None:
    """The change would come back over it."""
    await cloud.holds({"a": b"first"})
    await cloud.puts("a", b"second")
    await desk.patches("a", 0, b"third")

    with pytest.raises(Invalid, match="cxfs sync it first"):
        await asked(objects.restore, path="a", version=1)


async def test_what_somebody_else_uploads_meanwhile_is_not_overwritten(
    objects: ObjectVerbs, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """The server compares."""
    await cloud.holds({"a": b"first"})
    await cloud.puts("a", b"second")

    async def meanwhile(request: httpx.Request) -> None:
        if request.method == "POST":
            await cloud.puts("a", b"theirs")

    wire.meanwhile = meanwhile
    with pytest.raises(VersionConflict):
        await asked(objects.restore, path="a", version=1)
    assert await cloud.content("a") == b"theirs"


async def test_a_restore_that_breaks_off_changes_nothing(
    desk: Desk, objects: ObjectVerbs, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """Half of an old version is none."""
    await cloud.holds({"a": bytes(300_000)})
    await cloud.puts("a", b"second")
    wire.breaks_bodies_after(200_000)

    with pytest.raises(Unreachable):
        await asked(objects.restore, path="a", version=1)

    assert ((await cloud.entry("a")).version, await cloud.content("a")) == (2, b"second")


async def test_a_restore_needs_the_right_to_write(mounts: Mounts, cloud: Cloud, clock: MockClock) -> None:
    """As any change does."""
    from cxfs.verbs import ObjectVerbs

    await cloud.holds({"a": b"first"})
    await cloud.puts("a", b"second")
    async with mounts(read_only=True) as desk:
        volume = desk.volume
        objects = ObjectVerbs(volume.tree, history=volume.history, copying=volume.copying, refreshing=volume.refreshing)

        with pytest.raises(Denied):
            await asked(objects.restore, path="a", version=1)
        with pytest.raises(Denied):
            await asked(objects.copy, path="a", to="b")


# ------------------------------------------------------------------------------------------------ copies


@pytest.mark.promise
async def test_the_server_makes_the_copy(
    desk: Desk, objects: ObjectVerbs, cloud: Cloud, wire: Wire, kernel: RecordingKernel, clock: MockClock
) -> None:
    """`cxfs cp` copies a file, or a folder with all below it, within the mount without moving content, and never over
    what is there."""
    await cloud.holds({"folder/a": b"12345", "folder/deep/b": b"678"})

    copied = await asked(objects.copy, path="folder", to="copy", recursive=True)

    assert copied["path"] == "copy"
    assert await desk.names("copy") == {"a", "deep"}
    assert await desk.reads("copy/deep/b") == b"678"
    assert wire.count("POST data") == 0
    assert (1, "copy") in kernel.forgotten
    with pytest.raises(AlreadyExists):
        await asked(objects.copy, path="folder/a", to="folder/deep/b")


async def test_a_copy_into_a_folder_keeps_its_name(
    desk: Desk, objects: ObjectVerbs, cloud: Cloud, clock: MockClock
) -> None:
    """As cp does; also into one that was just made here and is not at the server yet."""
    await cloud.holds({"a": b"12345"})
    await desk.makes_folder("new")

    copied = await asked(objects.copy, path="a", to="new")

    assert copied["path"] == "new/a"
    assert await cloud.content("new/a") == b"12345"
    assert await desk.reads("new/a") == b"12345"


async def test_what_was_just_written_is_copied_as_it_was_written(
    desk: Desk, objects: ObjectVerbs, cloud: Cloud, clock: MockClock
) -> None:
    """It is sent first."""
    await cloud.holds({"a": b"old"})
    await desk.writes("a", b"new content")

    await asked(objects.copy, path="a", to="b")

    assert await cloud.content("b") == b"new content"


async def test_a_name_that_was_just_deleted_is_free(
    desk: Desk, objects: ObjectVerbs, cloud: Cloud, clock: MockClock
) -> None:
    """Though the server was not told yet."""
    await cloud.holds({"a": b"12345", "b": b"gone"})
    await desk.removes("b")

    await asked(objects.copy, path="a", to="b")

    assert await desk.reads("b") == b"12345"


async def test_what_the_server_refused_is_not_copied(
    desk: Desk, objects: ObjectVerbs, wire: Wire, clock: MockClock
) -> None:
    """With the reason: the copy would be of something else."""
    wire.before = lambda request: (
        says(507, {"errorType": "QuotaExceeded", "message": "full"}) if request.method == "POST" else None
    )
    await desk.writes("a", b"12345")

    with pytest.raises(Invalid, match="does not have it as it is here"):
        await asked(objects.copy, path="a", to="b")


async def test_a_copy_that_finds_no_room_is_refused_by_the_server(
    objects: ObjectVerbs, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """And leaves nothing behind here."""
    await cloud.holds({"a": b"12345"})
    wire.before = lambda request: (
        says(507, {"errorType": "QuotaExceeded", "message": "full"}) if is_call(request, "files/copy") else None
    )

    with pytest.raises(NoSpace):
        await asked(objects.copy, path="a", to="b")
    with pytest.raises(NotFound):
        await asked(objects.info, path="b")


@pytest.mark.parametrize(
    ("place", "to", "recursive", "error"),
    [
        ("folder", "copy", False, IsADirectory),
        ("folder", "folder/deep", True, Invalid),
        ("folder", "folder", True, Invalid),
        ("absent", "copy", False, NotFound),
        ("a", "absent/b", False, NotFound),
        ("a", "folder/file/b", False, NotADirectory),
        ("a", "folder/file", False, AlreadyExists),
        ("a", "", False, AlreadyExists),
    ],
)
async def test_a_copy_that_makes_no_sense_is_refused(
    objects: ObjectVerbs,
    cloud: Cloud,
    wire: Wire,
    clock: MockClock,
    place: str,
    to: str,
    error: type,
    *,
    recursive: bool,
) -> None:
    """Before the server is asked to make it."""
    await cloud.holds({"a": b"1", "folder/file": b"2", "folder/deep/": b""})

    with pytest.raises(error):
        await asked(objects.copy, path=place, to=to, recursive=recursive)

    assert wire.count("POST files/copy") == 0


# ------------------------------------------------------------------------------------------------ refresh


@pytest.mark.promise
async def test_a_refresh_makes_the_next_look_ask_the_server(
    desk: Desk, objects: ObjectVerbs, cloud: Cloud, kernel: RecordingKernel, clock: MockClock
) -> None:
    """After `cxfs refresh PATH` what others changed at or below PATH is seen at the next look, whatever the metadata
    TTL."""
    await cloud.holds({"folder/deep/a": b"1", "other/b": b"1"})
    assert (await desk.stat("folder/deep/a")).size == 1
    assert (await desk.stat("other/b")).size == 1
    await cloud.puts("folder/deep/a", b"22")
    await cloud.puts("folder/deep/new", b"")
    await cloud.puts("other/b", b"22")

    told = await asked(objects.refresh, path="folder")

    assert told == {"count": 3}
    assert (await desk.stat("folder/deep/a")).size == 2
    assert await desk.names("folder/deep") == {"a", "new"}
    assert (await desk.stat("other/b")).size == 1
    nodes = [await desk.node(name) for name in ("folder", "folder/deep", "folder/deep/a")]
    assert {node.inode for node in nodes} == set(kernel.asked_anew)
    assert {shown for _, shown in kernel.forgotten} == {"folder", "deep", "a"}


async def test_a_refresh_forgets_listings_that_no_node_stands_for(
    desk: Desk, objects: ObjectVerbs, cloud: Cloud, clock: MockClock
) -> None:
    """The kernel forgets a folder long before its listing is too old to be believed."""
    await cloud.holds({"folder/deep/a": b"1"})
    await desk.names("folder/deep")
    for name in ("folder/deep", "folder"):
        desk.fs.release(await desk.node(name))
    await cloud.puts("folder/deep/new", b"")

    await asked(objects.refresh, path="")

    assert await desk.names("folder/deep") == {"a", "new"}


async def test_what_is_not_at_the_server_outlives_a_refresh(desk: Desk, objects: ObjectVerbs, clock: MockClock) -> None:
    """It is no belief."""
    await desk.makes_folder("folder")
    await desk.writes("folder/a", b"12345")

    await asked(objects.refresh, path="")

    assert await desk.reads("folder/a") == b"12345"


# ------------------------------------------------------------------------------------------------ attributes


async def attribute(desk: Desk, name: str, which: bytes = b"user.cx.status") -> bytes:
    return desk.fs.extended_attribute(await desk.node(name), which)


@pytest.mark.promise
async def test_a_copy_that_went_beside_is_told_from_others(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """A copy that went beside another client's change has the status `conflict` once it is at the server, until it is
    renamed."""
    ours = "a (conflict laptop 2026-05-01)"
    await cloud.holds({"a": b"theirs"})
    await desk.patches("a", 0, b"ours")
    await cloud.puts("a", b"theirs again")
    await desk.settles()

    assert (await attribute(desk, "a"), await attribute(desk, ours)) == (b"synced", b"conflict")
    await desk.renames(ours, "b")
    assert await attribute(desk, "b") == b"synced"


@pytest.mark.promise
async def test_setting_an_attribute_syncs(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """Setting `user.cx.sync` of a file or folder, to whatever value, returns when the server has it and all below it;
    no other of `user.cx.*` can be set."""
    await desk.makes_folder("folder")
    await desk.writes("folder/a", b"12345")
    await desk.writes("b", b"678")

    await desk.fs.set_extended_attribute(await desk.node("b"), b"user.cx.sync", b"")
    alone = await cloud.tree()
    await desk.fs.set_extended_attribute(await desk.node("folder"), b"user.cx.sync", b"")

    assert alone["b"] == b"678"
    assert await cloud.tree() == {"folder/": b"", "folder/a": b"12345", "b": b"678"}
    with pytest.raises(Unsupported):
        await desk.fs.set_extended_attribute(await desk.node("b"), b"user.cx.status", b"")


async def test_what_the_server_has_is_synced_at_once(desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock) -> None:
    """Nobody is asked."""
    await cloud.holds({"a": b"12345"})
    node = await desk.node("a")
    wire.requests.clear()

    await desk.fs.set_extended_attribute(node, b"user.cx.sync", b"")

    assert wire.requests == []


async def test_a_refusal_reaches_the_program_that_sets_it(desk: Desk, wire: Wire, clock: MockClock) -> None:
    """Of a file by its own kind, of a folder as a failure."""
    await desk.makes_folder("folder")
    await desk.settles()
    wire.before = lambda request: (
        says(507, {"errorType": "QuotaExceeded", "message": "full"}) if request.method == "POST" else None
    )
    await desk.writes("folder/a", b"12345")

    with pytest.raises(NotSynced, match="1 of 1 files"):
        await desk.fs.set_extended_attribute(await desk.node("folder"), b"user.cx.sync", b"")
    with pytest.raises(NoSpace):
        await desk.fs.set_extended_attribute(await desk.node("folder/a"), b"user.cx.sync", b"")


async def test_a_server_that_takes_nothing_is_not_waited_for(mounts: Mounts, wire: Wire, clock: MockClock) -> None:
    """After the content deadline the program is told, and at once where it is known by then; the upload goes on."""
    async with mounts(stall_s=60.0) as desk:
        await desk.makes_folder("folder")
        await desk.settles()
        wire.goes_offline()
        await desk.writes("folder/a", b"12345")
        nodes = [await desk.node(name) for name in ("folder", "folder/a")]
        waited = []

        with trio.fail_after(1_000):
            for node in nodes:
                began = trio.current_time()
                with pytest.raises(Unreachable):
                    await desk.fs.set_extended_attribute(node, b"user.cx.sync", b"")
                waited.append(trio.current_time() - began)

        assert waited == [pytest.approx(60, abs=2), 0]
        wire.comes_back()
        await desk.settles()
