"""What the client makes of the optional parts: all of them on our server, none on one of the documented core."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cxfs.core.entries import SELF, EntryName, Owner, TreePath
from cxfs.core.errors import BadName, NoSpace, NotEmpty, Stale, VersionConflict
from cxfs.remote.user import Group
from cxfs.server import administration
from tests.remote.account import QUOTA_BYTES

if TYPE_CHECKING:
    from cxfs.server.store import Store
    from tests.remote.account import Account


async def test_a_minimal_server_can_nothing_more(minimal: Account) -> None:
    """So nothing more is asked of it."""
    assert await minimal.user.capabilities() == frozenset()


async def test_our_server_names_what_it_can(ours: Account) -> None:
    """The optional parts that the client uses."""
    assert await ours.user.capabilities() >= {"attributes", "versions", "conditional-upload", "groups"}


async def test_an_empty_folder_alone_is_removed_without_recursion(ours: Account) -> None:
    """`rmdir`."""
    await ours.makes("self:/a")
    await ours.puts("self:/a/x")

    with pytest.raises(NotEmpty):
        await ours.files.delete(TreePath.parse("self:/a"), recursive=False)
    await ours.files.delete(TreePath.parse("self:/a/x"), recursive=False)
    await ours.files.delete(TreePath.parse("self:/a"), recursive=False)

    assert await ours.names() == []


async def test_the_time_of_modification_is_kept(ours: Account) -> None:
    """As given with the upload, and as set later."""
    uploaded = await ours.puts("self:/a")
    assert uploaded.modified_ms == 1_350_941_207_700

    changed = await ours.files.update(uploaded.path, 1_000)

    assert changed.modified_ms == 1_000
    assert (await ours.files.entry(uploaded.path)).modified_ms == 1_000


async def test_an_upload_on_an_old_version_is_refused(ours: Account) -> None:
    """Two writers: the second learns of the first."""
    first = await ours.puts("self:/a", b"one", if_version=0)
    await ours.puts("self:/a", b"two", if_version=first.version)

    with pytest.raises(VersionConflict):
        await ours.puts("self:/a", b"three", if_version=first.version)
    with pytest.raises(VersionConflict):
        await ours.puts("self:/a", b"four", if_version=0)


async def test_an_old_version_can_be_read_on(ours: Account) -> None:
    """An open handle is not disturbed by a writer."""
    first = await ours.puts("self:/a", b"one")
    await ours.puts("self:/a", b"two!")

    assert await ours.reads(first, pin_version=True) == b"one"
    with pytest.raises(Stale):
        await ours.reads(first)


async def test_the_versions_of_a_file_are_listed_newest_first(ours: Account) -> None:
    """Each with its own size."""
    await ours.puts("self:/a", b"1")
    await ours.puts("self:/a", b"22")
    uploaded = await ours.puts("self:/a", b"333")

    assert [each.size for each in await ours.files.versions(uploaded.path)] == [3, 2, 1]


async def test_an_upload_beyond_the_quota_is_refused(ours: Account) -> None:
    """Before it was sent for nothing, where the server can."""
    with pytest.raises(NoSpace):
        await ours.puts("self:/a", bytes(QUOTA_BYTES + 1))


async def test_a_group_has_its_name_and_its_tree(ours: Account, store: Store) -> None:
    """`GROUP:/path` works like `self:/path`."""
    uuid = administration.add_group(store, "Band", owner="ann")
    (group,) = await ours.user.groups()

    assert isinstance(group, Group)
    assert (group.id, group.name) == (uuid, "Band")
    uploaded = await ours.puts(f"{group.id}:/song")
    assert uploaded.owner == Owner(uuid)
    assert await ours.names(f"{uuid}:/") == ["song"]


async def test_a_name_too_long_is_refused_by_name(ours: Account) -> None:
    """Should one slip past our own check."""
    with pytest.raises(BadName):
        await ours.files.make_folder(TreePath(SELF, (EntryName("a" * 256),)))
