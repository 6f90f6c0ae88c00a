"""Making, removing and renaming: what changes names. Content goes along by identity and is not touched.

Folders and existing objects are changed on the server before the call returns. A file that the server does not know yet
is renamed here alone; where it takes the place of an existing file it becomes that file's next version, so that a
program that writes a temporary file and renames it makes one upload.
"""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from enum import Enum, auto
from typing import TYPE_CHECKING, Protocol

from cxfs.core.errors import (
    AlreadyExists,
    CxfsError,
    Invalid,
    IsADirectory,
    NotADirectory,
    NotEmpty,
    NotFound,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from cxfs.core.entries import Entry, Path, TreePath
    from cxfs.fs.attributes import AttributeRules
    from cxfs.fs.changes import Change, Changes
    from cxfs.fs.journal import Journal
    from cxfs.fs.node import Node
    from cxfs.fs.permissions import Permissions
    from cxfs.fs.resettling import Resettling
    from cxfs.fs.tree import Tree
    from cxfs.fs.uploader import Uploader

log = logging.getLogger(__name__)


class Files(Protocol):
    """The part of the File API that changes names."""

    async def make_folder(self, path: TreePath) -> Entry:
        """The new folder."""
        ...

    async def delete(self, path: Path, *, recursive: bool) -> None:
        """Returns when the object is gone."""
        ...

    async def move(self, path: Path, to: TreePath, *, overwrite: bool) -> Entry:
        """The object at its new place."""
        ...


class Rename(Enum):
    """What becomes of a target: renameat2(2)'s flags."""

    REPLACE = auto()
    NOREPLACE = auto()
    EXCHANGE = auto()


class Namespace:
    """The names of one mount."""

    def __init__(
        self,
        tree: Tree,
        *,
        files: Files,
        uploader: Uploader,
        changes: Changes,
        journal: Journal,
        attributes: AttributeRules,
        permissions: Permissions,
        resettling: Resettling,
    ) -> None:
        self._tree = tree
        self._files = files
        self._uploader = uploader
        self._changes = changes
        self._journal = journal
        self._attributes = attributes
        self._permissions = permissions
        self._resettling = resettling

    # ------------------------------------------------------------ making

    async def new_path(self, folder: Node, shown: str) -> TreePath:
        """Where something new of this name goes. Raises AlreadyExists, Denied, ReadOnly, NotFound, BadName."""
        self._permissions.check(folder)
        if folder.gone:
            raise NotFound(f"the folder {folder.shown!r} is gone")
        node, _ = await self._tree.lookup(folder, shown)
        if node is not None:
            raise AlreadyExists(f"{shown!r} exists already")
        return self._tree.child_path(folder, shown)

    async def make_folder(self, folder: Node, shown: str) -> Node:
        """A new folder, on the server when this returns."""
        path = await self.new_path(folder, shown)
        await self._make_way(folder, shown)
        async with self._doubting(folder):
            entry = await self._files.make_folder(path)
        self._tree.put_new_folder(entry, folder.uuid)
        self._attributes.drop_time(folder)
        return self._tree.node_of(entry, folder, shown)

    # ------------------------------------------------------------ removing

    async def remove(self, folder: Node, shown: str) -> None:
        """The file's name is gone; its content stays readable for those who have it open."""
        node = await self._changeable(folder, shown)
        if node.is_folder:
            raise IsADirectory(f"{shown!r} is a folder")
        with self._tree.pinned(node):
            await self._take_away(node, folder)
        self._attributes.drop_time(folder)

    async def _take_away(self, node: Node, folder: Node) -> None:
        """Removes a file here and, now or at its last close, on the server. What waits of it counts until then."""
        async with self._uploader.held(node.change):
            if node.entry is not None and node.handles:
                self._tree.hide(node)
            elif node.entry is not None:
                async with self._doubting(folder):
                    await self._delete(node.entry)
                self._tree.remove(node.uuid, folder.uuid)
            self._tree.detach(node)
            await self._withdraw(node)

    async def _withdraw(self, node: Node) -> None:
        """What waits of a node that is gone is not sent; those who have it open keep it."""
        change = node.change
        if change is None:
            return
        await self._uploader.withdraw(change)
        if not node.handles and node.change is change:
            node.change = change.node = None
            change.draft.close()
            self._tree.release(node)

    async def _delete(self, entry: Entry) -> None:
        try:
            await self._files.delete(entry.path, recursive=False)
        except NotFound:
            log.debug("%r was gone already", str(entry.name))

    async def remove_folder(self, folder: Node, shown: str) -> None:
        """The folder is gone, here and on the server. Raises NotEmpty while anything is in it."""
        node = await self._changeable(folder, shown)
        if not node.is_folder:
            raise NotADirectory(f"{shown!r} is a file")
        with self._tree.pinned(node):
            await self._remove_empty(node, folder)
        self._attributes.drop_time(folder)

    async def _remove_empty(self, node: Node, folder: Node) -> None:
        await self._require_empty(node)
        async with self._doubting(folder, node):
            await self._delete(self._entry_of(node))
        self._tree.remove(node.uuid, folder.uuid)
        self._tree.detach(node)

    async def _require_empty(self, node: Node) -> None:
        if self._changes.new_in(node.uuid):
            raise NotEmpty(f"{node.shown!r} is not empty")
        await self._uploader.deletions_done()
        for hidden in self._tree.hidden_in(node):
            await self._delete_now(hidden, node)
        # Asked of the server itself: one that does not know `recursive` would delete what others just put there.
        if len(await self._tree.listing_now(node)):
            raise NotEmpty(f"{node.shown!r} is not empty")

    async def _delete_now(self, hidden: Node, folder: Node) -> None:
        """Deleted here while open: now it has to go."""
        await self._delete(self._entry_of(hidden))
        self._tree.remove(hidden.uuid, folder.uuid)
        self._tree.unhide(hidden.uuid)

    async def _make_way(self, folder: Node, shown: str) -> None:
        """Nothing that was deleted here stands under this name on the server any more."""
        if self._tree.hidden_at(folder, shown) is not None:
            await self._uploader.deletions_done()
        hidden = self._tree.hidden_at(folder, shown)
        if hidden is not None:
            await self._delete_now(hidden, folder)

    # ------------------------------------------------------------ renaming

    async def rename(self, folder: Node, shown: str, new_folder: Node, new_shown: str, how: Rename) -> None:
        """Renames, with both flags of renameat2(2)."""
        node = await self._changeable(folder, shown)
        target, _ = await self._tree.lookup(new_folder, new_shown)
        if new_folder.gone or (how is Rename.EXCHANGE and target is None):
            raise NotFound(f"{new_shown!r} does not exist")
        if node is target:
            return
        if target is not None and how is Rename.NOREPLACE:
            raise AlreadyExists(f"{new_shown!r} exists already")
        self._permissions.check(new_folder, target)
        with self._tree.pinned(node, target):
            if target is None:
                await self._relocate(node, new_folder, new_shown, replaced=None)
            elif how is Rename.EXCHANGE:
                await self._exchange(node, target)
            else:
                await self._replace(node, target, new_folder, new_shown)
        self._attributes.drop_time(folder)
        self._attributes.drop_time(new_folder)

    async def _replace(self, node: Node, target: Node, folder: Node, shown: str) -> None:
        if node.is_folder and not target.is_folder:
            raise NotADirectory(f"{shown!r} is a file")
        if target.is_folder and not node.is_folder:
            raise IsADirectory(f"{shown!r} is a folder")
        if target.is_folder:
            await self._remove_empty(target, folder)
            await self._relocate(node, folder, shown, replaced=None)
            return
        await self._relocate(node, folder, shown, replaced=target)

    async def _exchange(self, node: Node, target: Node) -> None:
        """Three renames by way of a name of our own: CX has no exchange."""
        assert node.parent is not None
        assert target.parent is not None
        here, there = (node.parent, node.shown), (target.parent, target.shown)
        for folder, shown in (here, there):
            self._tree.child_path(folder, shown)  # a name that cannot be given is refused before anything has moved
        aside = (target.parent, f".cxfs-exchange-{node.inode}")
        done: list[tuple[Node, tuple[Node, str]]] = []
        try:
            for moved, before, after in ((node, here, aside), (target, there, here), (node, aside, there)):
                await self._relocate(moved, *after, replaced=None)
                done.append((moved, before))
        except CxfsError:
            for moved, before in reversed(done):
                await self._relocate(moved, *before, replaced=None)
            raise

    async def _relocate(self, node: Node, folder: Node, shown: str, *, replaced: Node | None) -> None:
        """Moves a node to a name that is free, or is `replaced`'s, whose own change is then taken back."""
        path = self._tree.child_path(folder, shown)
        if node.is_folder:
            await self._move_folder(node, folder, shown, path)
            return
        change = node.change
        async with self._uploader.held(change, replaced.change if replaced is not None else None):
            if node.entry is None and node.change is not None:
                self._move_new_file(node, node.change, folder, shown, path, replaced)
            else:
                await self._move_object(node, folder, shown, path, replaced)
            if change is not None:
                await self._journal.record(change)
            if replaced is not None:  # only now, so that a kill in between loses neither
                await self._withdraw(replaced)

    def _move_new_file(
        self, node: Node, change: Change, folder: Node, shown: str, path: TreePath, replaced: Node | None
    ) -> None:
        """The server does not know the file yet: only what will be sent changes."""
        self._changes.moved(change, folder.uuid, path)
        if replaced is not None:
            self._take_over(node, change, replaced)
        self._tree.place(node, folder, shown)
        self.succeed(node, folder)

    def succeed(self, node: Node, folder: Node) -> None:
        """A new file by the name of one that was deleted here while open: it becomes that one's next version."""
        hidden = self._tree.hidden_at(folder, node.shown)
        if hidden is not None and hidden.handles and node.entry is None and node.change is not None:
            self._take_over(node, node.change, hidden)

    def _take_over(self, node: Node, change: Change, former: Node) -> None:
        entry = former.entry
        if former.change is not None:  # what of it was handed over may be on the server: still our own
            change.sealed = (*former.change.sealed, *change.sealed)
        self._tree.detach(former)
        if entry is not None:
            self._tree.unhide(entry.id)
            self._changes.becomes(change, entry)
            self._tree.identify(node, entry)

    async def _move_object(self, node: Node, folder: Node, shown: str, path: TreePath, replaced: Node | None) -> None:
        """The server knows the file: it is moved there, and keeps its UUID."""
        parent = node.parent
        assert parent is not None
        before = self._entry_of(node)
        await self._make_way(folder, shown)
        overwritten = replaced.entry if replaced is not None else None
        async with self._doubting(parent, folder):
            entry = await self._files.move(before.path, path, overwrite=overwritten is not None)
        if replaced is not None:
            self._tree.detach(replaced)
        if overwritten is not None:
            self._tree.remove(overwritten.id, folder.uuid)
        self._moved(node, entry, parent, folder, shown)
        if node.change is not None:
            self._changes.moved(node.change, folder.uuid, path)

    async def _move_folder(self, node: Node, folder: Node, shown: str, path: TreePath) -> None:
        parent = node.parent
        assert parent is not None
        above: Node | None = folder
        while above is not None:
            if above is node:
                raise Invalid("a folder cannot be moved below itself")
            above = above.parent
        before = self._tree.path_of(node)
        await self._make_way(folder, shown)
        async with self._uploader.held(*self._changes.below(before)):
            async with self._doubting(parent, folder):
                entry = await self._files.move(self._entry_of(node).path, path, overwrite=False)
            self._moved(node, entry, parent, folder, shown)
            for change in self._changes.folder_moved(before, path):
                await self._journal.record(change)

    def _moved(self, node: Node, entry: Entry, parent: Node, folder: Node, shown: str) -> None:
        self._tree.remove(entry.id, parent.uuid)
        self._tree.put(entry, folder.uuid)
        self._tree.place(node, folder, shown)
        self._resettling.settled(node, entry.owner)
        node.entry = entry

    # ------------------------------------------------------------ shared

    async def _changeable(self, folder: Node, shown: str) -> Node:
        """What has this name, which may be taken from it. Raises NotFound, Denied, ReadOnly."""
        self._permissions.check(folder)
        node, _ = await self._tree.lookup(folder, shown)
        if node is None:
            raise NotFound(f"{shown!r} does not exist")
        self._permissions.check(node)
        return node

    def _entry_of(self, node: Node) -> Entry:
        if node.entry is None:
            raise NotFound(f"{node.shown!r} is not on the server")
        return node.entry

    @asynccontextmanager
    async def _doubting(self, *folders: Node) -> AsyncIterator[None]:
        """A call that fails or is cut short may have happened all the same: ask before believing anything."""
        try:
            yield
        except BaseException:
            self._tree.doubt(*folders)
            raise
