"""Files that stay on this machine by their names: they work like any other, and the server never hears of them."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from cxfs.core.errors import NoSpace, NotEmpty
from cxfs.leftovers import StoppedMount
from tests.fs.cloud import at

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

    from tests.fs.cloud import Cloud, Wire
    from tests.fs.desk import Desk, Mounts

SWAP = ".notes.txt.swp"


@pytest.mark.promise
async def test_a_swap_file_stays_here(desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock) -> None:
    """New files by names that are worth nothing elsewhere (swap and lock files, what desktops leave behind;
    `--local-only`) work like any other and stay on this machine: they are not sent."""
    await desk.makes_folder("d")
    await desk.settles()
    before = len(wire.requests)
    for content in (b"one", b"two"):
        await desk.writes(f"d/{SWAP}", content)
    await desk.patches(f"d/{SWAP}", 1, b"W")
    await desk.waits(100)

    assert await desk.reads(f"d/{SWAP}") == b"tWo"
    assert await desk.names("d") == {SWAP}
    assert (await desk.stat(f"d/{SWAP}")).size == 3
    assert desk.volume.left == 0
    assert desk.volume.waiting.rows() == []
    assert await cloud.tree() == {"d/": b""}
    assert not [each for each in wire.requests[before:] if each.startswith("POST")]


async def test_a_local_file_says_so(desk: Desk, clock: MockClock) -> None:
    """Whoever wonders where it is."""
    await desk.writes(SWAP, b"1")

    status = desk.fs.extended_attribute(await desk.node(SWAP), b"user.cx.status")

    assert status == b"local"


@pytest.mark.promise
async def test_a_local_file_survives_a_remount(mounts: Mounts, folder: Path, cloud: Cloud, clock: MockClock) -> None:
    """Files that stay on this machine are there after a remount, and no unmount waits for them or counts them."""
    async with mounts() as desk:
        await desk.writes(SWAP, b"unsaved")
        await desk.writes("notes.txt", b"saved")
        await desk.volume.uploader.drain(10)
        left = desk.volume.left
    with closing(StoppedMount(folder / "state")) as stopped:
        seen_without_a_mount = stopped.rows()
    async with mounts() as desk:
        await desk.waits(100)
        again = await desk.reads(SWAP)

    assert (left, seen_without_a_mount, again) == (0, [], b"unsaved")
    assert await cloud.tree() == {"notes.txt": b"saved"}


@pytest.mark.promise
async def test_a_local_file_that_gets_a_name_of_its_own_is_sent(desk: Desk, cloud: Cloud, clock: MockClock) -> None:
    """A file that stays on this machine is sent when it is renamed to a name that is not one of those, and one that was
    not sent yet stays when it is renamed to one."""
    await desk.writes("lost", b"was named .swp")
    await desk.renames("lost", SWAP)
    await desk.waits(100)
    while_local = await cloud.tree()

    await desk.renames(SWAP, "found")
    await desk.settles()

    assert while_local == {}
    assert await cloud.tree() == {"found": b"was named .swp"}


async def test_a_local_file_renamed_over_one_of_the_servers_is_its_next_version(
    desk: Desk, cloud: Cloud, clock: MockClock
) -> None:
    """As some editors save."""
    await cloud.holds({"notes.txt": b"before"})
    before = await cloud.entry("notes.txt")
    await desk.writes(SWAP, b"after")
    await desk.waits(100)

    await desk.renames(SWAP, "notes.txt")
    await desk.settles()

    assert await cloud.tree() == {"notes.txt": b"after"}
    assert (await cloud.entry("notes.txt")).id == before.id


async def test_what_the_server_has_stays_with_it_whatever_it_is_called(
    desk: Desk, cloud: Cloud, clock: MockClock
) -> None:
    """Nothing that is safe there is taken away from there."""
    await cloud.holds({"notes.txt": b"precious", ".DS_Store": b"from a Mac"})

    await desk.renames("notes.txt", SWAP)
    await desk.writes(SWAP, b"newer")
    await desk.writes(".DS_Store", b"from here")
    await desk.settles()

    assert await cloud.tree() == {SWAP: b"newer", ".DS_Store": b"from here"}


async def test_a_file_on_its_way_that_becomes_local_leaves_nothing_behind(
    desk: Desk, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """The server had its bytes already, and nobody knew."""
    wire.holds_back("POST", "data")
    wire.holds_back("POST", "bundle")
    await desk.writes("lost", b"1")
    await desk.waits(2)
    wire.lets_go()
    await desk.renames("lost", SWAP)
    await desk.waits(100)

    assert await desk.reads(SWAP) == b"1"
    assert set(await cloud.tree()) <= {SWAP}


async def test_a_deleted_local_file_is_gone(mounts: Mounts, cloud: Cloud, clock: MockClock) -> None:
    """And its folder can be removed, as soon as it is."""
    async with mounts() as desk:
        await desk.makes_folder("d")
        await desk.writes(f"d/{SWAP}", b"1")
        await desk.settles()
        with pytest.raises(NotEmpty):
            await desk.removes_folder("d")
        await desk.removes(f"d/{SWAP}")
        await desk.removes_folder("d")
        await desk.settles()
    async with mounts() as desk:
        names = await desk.names()

    assert names == set()
    assert await cloud.tree() == {}


async def test_a_local_file_follows_its_folder(mounts: Mounts, cloud: Cloud, clock: MockClock) -> None:
    """One that the server does not know yet, and one that is renamed."""
    async with mounts() as desk:
        await desk.makes_folder("new")
        await desk.writes(f"new/{SWAP}", b"1")
        await desk.settles()
        await desk.renames("new", "newer")
        await desk.settles()
    async with mounts() as desk:
        found = await desk.reads(f"newer/{SWAP}")
        await desk.renames(f"newer/{SWAP}", "newer/kept")
        await desk.settles()

    assert found == b"1"
    assert await cloud.tree() == {"newer/": b"", "newer/kept": b"1"}


async def test_a_folder_with_a_local_file_keeps_the_time_it_is_given(
    desk: Desk, cloud: Cloud, clock: MockClock
) -> None:
    """Nothing is on its way into it."""
    await desk.makes_folder("d")
    await desk.writes(f"d/{SWAP}", b"1")
    await desk.touches("d", 1_000_000_000_000)
    await desk.settles()

    assert (await cloud.entry("d")).modified_ms == 1_000_000_000_000


async def test_what_is_no_longer_kept_here_is_sent_by_the_next_mount(
    mounts: Mounts, cloud: Cloud, clock: MockClock
) -> None:
    """Somebody has changed the patterns."""
    async with mounts() as desk:
        await desk.writes(SWAP, b"1")
        await desk.settles()
    async with mounts(local_only=()) as desk:
        desk.volume.uploader.resume()
        await desk.settles()

    assert await cloud.tree() == {SWAP: b"1"}


async def test_where_its_folder_was_renamed_it_is_sent_to_there(mounts: Mounts, cloud: Cloud, clock: MockClock) -> None:
    """As any change would be."""
    await cloud.holds({"old/deeper/a": b"a"})
    async with mounts() as desk:
        await desk.writes(f"old/deeper/{SWAP}", b"1")
        await desk.renames("old", "new")
        paths = [str(change.path) for change in desk.volume.changes.below(at("new"))]
    async with mounts(local_only=()) as desk:
        desk.volume.uploader.resume()
        await desk.settles()
        reports = desk.reports()

    assert paths == [f"self:/new/deeper/{SWAP}"]
    assert reports == []
    assert (await cloud.tree())[f"new/deeper/{SWAP}"] == b"1"


async def test_with_sync_remote_closing_a_local_file_waits_for_nobody(
    mounts: Mounts, wire: Wire, clock: MockClock
) -> None:
    """It is as safe as it will be."""
    async with mounts(sync_remote=True) as desk:
        handle = await desk.creates(SWAP)
        await desk.fs.write(handle, 0, b"1")
        wire.goes_offline()
        await desk.fs.flush(handle)
        await desk.fs.arrived(handle)
        await desk.closes(handle)

        assert await desk.reads(SWAP) == b"1"


async def test_a_local_file_fills_no_quota_until_it_is_to_be_sent(desk: Desk, clock: MockClock) -> None:
    """It takes no room that the account has."""
    await desk.writes(SWAP, b"12345")
    while_local = desk.volume.changes.bytes_coming

    await desk.renames(SWAP, "found")

    assert (while_local, desk.volume.changes.bytes_coming) == (0, 5)


async def test_a_full_account_does_not_refuse_a_local_file(mounts: Mounts, wire: Wire, clock: MockClock) -> None:
    """An editor opens its swap file before anything else."""
    async with mounts() as desk:
        desk.volume.space.took(1 << 60)
        await desk.writes(SWAP, b"1")

        assert await desk.reads(SWAP) == b"1"
        with pytest.raises(NoSpace):
            await desk.writes("notes.txt", b"1")
