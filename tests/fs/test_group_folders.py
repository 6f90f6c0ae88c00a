"""How the folders of groups are asked for, and under which identity they come back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cxfs.core.entries import Owner, TreePath, Uuid, UuidPath
from cxfs.core.errors import NotFound
from cxfs.fs.group_folders import GroupFolders
from cxfs.fs.groups import GROUPS_PATH, Groups
from cxfs.remote.user import Group
from cxfs.server import administration

if TYPE_CHECKING:
    from trio.testing import MockClock

    from cxfs.server.store import Store
    from tests.fs.cloud import Cloud


@pytest.fixture
def group(store: Store, token: str) -> Owner:
    """Of the account."""
    return Owner(administration.add_group(store, "band", owner="ann"))


@pytest.fixture
async def folders(cloud: Cloud, group: Owner) -> GroupFolders:
    """The account's folders, with the group among them."""
    groups = Groups()
    groups.learn([Group(group, "band", "owner")], now_ms=1)
    return GroupFolders(cloud.files, groups, root=(await cloud.entry("")).id)


async def test_the_root_of_a_group_has_one_identity_however_it_is_asked_for(
    folders: GroupFolders, group: Owner, clock: MockClock
) -> None:
    """The server's own UUID of it is shown nowhere: what waits for the group goes by the group's."""
    by_uuid, by_path = UuidPath(group, Uuid(group)), TreePath(group, ())

    found = [await folders.entry(by_uuid), await folders.entry(by_path), (await folders.listing(by_path)).folder]

    assert [entry.path for entry in found] == [by_uuid] * 3
    assert {(entry.name, entry.parent) for entry in found} == {("band", None)}


async def test_what_stands_in_a_group_is_as_the_server_says(
    folders: GroupFolders, cloud: Cloud, group: Owner, clock: MockClock
) -> None:
    """Only the root is translated."""
    made = await cloud.files.make_folder(TreePath(group, ()).child(cloud.at("songs").names[0]))

    assert await folders.entry(made.path) == made
    assert (await folders.listing(TreePath(group, ()))).entries == (made,)


async def test_the_folder_of_a_group_that_the_account_is_not_in_is_not_found(
    cloud: Cloud, group: Owner, clock: MockClock
) -> None:
    """Nor the folder of the groups while there are none."""
    folders = GroupFolders(cloud.files, Groups(), root=(await cloud.entry("")).id)

    for path in (UuidPath(group, Uuid(group)), GROUPS_PATH):
        with pytest.raises(NotFound):
            await folders.entry(path)
