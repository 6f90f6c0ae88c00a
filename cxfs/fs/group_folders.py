"""The server's folders with `Groups` among them: what the tree reads from and names are changed by. Remembers nothing.

The folder for the groups is made up here, and costs no request. The root of a group's tree is addressed by its path and
comes back under the group's UUID, so that nobody else need know how a server calls it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from cxfs.core.errors import AcrossTrees, BadName, BadRequest, NotFound, Unsupported
from cxfs.core.posix import NOTHING
from cxfs.fs.groups import GROUPS_PATH, tree_at

if TYPE_CHECKING:
    from cxfs.core.entries import Entry, Path, TreePath, Uuid
    from cxfs.core.posix import PosixUpdate
    from cxfs.fs.groups import Groups
    from cxfs.fs.listings import FolderListing


class Files(Protocol):
    """The part of the File API that the file system works with."""

    async def listing(self, path: Path) -> FolderListing:
        """Everything in a folder."""
        ...

    async def entry(self, path: Path) -> Entry:
        """One object."""
        ...

    async def make_folder(self, path: TreePath, posix: PosixUpdate = NOTHING) -> Entry:
        """The new folder."""
        ...

    async def delete(self, path: Path, *, recursive: bool, if_version: int | None = None) -> None:
        """Returns when the object is gone."""
        ...

    async def move(self, path: Path, to: TreePath, *, overwrite: bool, over: Entry | None = None) -> Entry:
        """The object at its new place."""
        ...

    async def update(self, path: Path, modified_ms: int | None, posix: PosixUpdate = NOTHING) -> Entry:
        """The object with its new attributes."""
        ...

    async def copy(self, path: Path, to: TreePath, *, overwrite: bool) -> Entry:
        """The copy."""
        ...


@dataclass(frozen=True, slots=True)
class Listed:
    """A folder as the mount is to see it."""

    folder: Entry
    entries: tuple[Entry, ...]


class GroupFolders:
    """`files` as one account sees them: `root` is the folder that shows the groups."""

    def __init__(self, files: Files, groups: Groups, *, root: Uuid) -> None:
        self._files = files
        self._groups = groups
        self._root = root

    async def listing(self, path: Path) -> FolderListing:
        """Everything in a folder. Raises NotFound for `Groups` when there are none."""
        if path == GROUPS_PATH:
            return Listed(self._folder(), self._groups.entries)
        tree = tree_at(path)
        answer = await self._files.listing(tree or path)
        if tree is not None:
            return Listed(self._groups.describe(answer.folder), answer.entries)
        if answer.folder.id == self._root and self._groups:
            return Listed(answer.folder, (*answer.entries, self._groups.folder))
        return answer

    async def entry(self, path: Path) -> Entry:
        """One object. Raises NotFound for the folder of a group that the account is not known to be in."""
        if path == GROUPS_PATH:
            return self._folder()
        tree = tree_at(path)
        if tree is None:
            return await self._files.entry(path)
        if path != tree and self._groups.entry(path.owner) is None:
            raise NotFound(f"this account is in no group {path.owner}")
        return self._groups.describe(await self._files.entry(tree))

    async def make_folder(self, path: TreePath, posix: PosixUpdate = NOTHING) -> Entry:
        """The new folder."""
        return await self._files.make_folder(path, posix)

    async def delete(self, path: Path, *, recursive: bool, if_version: int | None = None) -> None:
        """Returns when the object is gone."""
        await self._files.delete(path, recursive=recursive, if_version=if_version)

    async def move(self, path: Path, to: TreePath, *, overwrite: bool, over: Entry | None = None) -> Entry:
        """The object at its new place. Raises AcrossTrees when the server does not move it to another owner's tree.

        A missing permission and a full quota are no such case: copying instead would fail for the same reason, later.
        """
        try:
            return await self._files.move(path, to, overwrite=overwrite, over=over)
        except (BadRequest, BadName, Unsupported) as error:
            if path.owner == to.owner:
                raise
            raise AcrossTrees(f"the server does not move from {path.owner} to {to.owner}: {error}") from error

    async def update(self, path: Path, modified_ms: int | None, posix: PosixUpdate = NOTHING) -> Entry:
        """The object with its new attributes."""
        tree = tree_at(path)
        answer = await self._files.update(tree or path, modified_ms, posix)
        return answer if tree is None else self._groups.describe(answer)

    async def copy(self, path: Path, to: TreePath, *, overwrite: bool) -> Entry:
        """The copy, also of all that a group has."""
        return await self._files.copy(tree_at(path) or path, to, overwrite=overwrite)

    def _folder(self) -> Entry:
        if not self._groups:
            raise NotFound("this account is in no group")
        return self._groups.folder
