"""Renaming: where content and folders go. What comes and goes is `namespace`'s matter.

What the server does not know yet is renamed here alone, and so is what can be another object's next version, which is
`continuing`'s matter. Anything else is moved on the server before the call returns.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from cxfs.core.errors import AlreadyExists, CxfsError, Invalid, IsADirectory, NotADirectory, NotFound
from cxfs.fs.new_errands import to_clear

if TYPE_CHECKING:
    from cxfs.core.entries import Entry, TreePath
    from cxfs.fs.changes import Change, Changes
    from cxfs.fs.continuing import Continuing
    from cxfs.fs.errands import Errand, Errands
    from cxfs.fs.homes import Homes
    from cxfs.fs.journal import Journal
    from cxfs.fs.messenger import Messenger
    from cxfs.fs.moves import Moves
    from cxfs.fs.namespace import Namespace
    from cxfs.fs.node import Node
    from cxfs.fs.origins import Origins
    from cxfs.fs.permissions import Permissions
    from cxfs.fs.resettling import Resettling
    from cxfs.fs.tree import Tree
    from cxfs.fs.uploader import Uploader


class Rename(Enum):
    """What becomes of a target: renameat2(2)'s flags."""

    REPLACE = auto()
    NOREPLACE = auto()
    EXCHANGE = auto()


class Renaming:
    """The renames of one mount."""

    def __init__(
        self,
        tree: Tree,
        *,
        moves: Moves,
        namespace: Namespace,
        uploader: Uploader,
        messenger: Messenger,
        changes: Changes,
        errands: Errands,
        homes: Homes,
        journal: Journal,
        continuing: Continuing,
        permissions: Permissions,
        resettling: Resettling,
        origins: Origins,
    ) -> None:
        self._tree = tree
        self._moves = moves
        self._namespace = namespace
        self._uploader = uploader
        self._messenger = messenger
        self._changes = changes
        self._errands = errands
        self._homes = homes
        self._journal = journal
        self._continuing = continuing
        self._permissions = permissions
        self._resettling = resettling
        self._origins = origins

    async def rename(self, folder: Node, shown: str, new_folder: Node, new_shown: str, how: Rename) -> None:
        """Renames, with both flags of renameat2(2)."""
        node = await self._namespace.changeable(folder, shown)
        self._permissions.check(new_folder)
        target, _ = await self._tree.lookup(new_folder, new_shown)
        if new_folder.gone or (how is Rename.EXCHANGE and target is None):
            raise NotFound(f"{new_shown!r} does not exist")
        if node is target:
            return
        if target is not None and how is Rename.NOREPLACE:
            raise AlreadyExists(f"{new_shown!r} exists already")
        self._permissions.check(new_folder, target)
        with self._tree.nodes.pinned(node, target):
            if target is None:
                await self._relocate(node, new_folder, new_shown, replaced=None)
            elif how is Rename.EXCHANGE:
                await self._exchange(node, target)
            else:
                await self._replace(node, target, new_folder, new_shown)
        await self._namespace.touched(folder)
        await self._namespace.touched(new_folder)

    async def _replace(self, node: Node, target: Node, folder: Node, shown: str) -> None:
        if node.is_folder and not target.is_folder:
            raise NotADirectory(f"{shown!r} is a file")
        if target.is_folder and not node.is_folder:
            raise IsADirectory(f"{shown!r} is a folder")
        if target.is_folder:
            await self._namespace.remove_empty(target, folder)
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
        if node.is_folder:
            await self._move_folder(node, folder, shown)
            return
        is_free = node.entry is not None and not self._continuing.is_possible(node, folder, shown, replaced)
        if is_free:  # made so while nothing is held: what is there may wait for this very file
            await self._moves.free_place(folder, shown, node.entry)
        async with self._uploader.held(node.change, replaced.change if replaced is not None else None):
            if node.entry is None and node.change is not None:
                await self._move_new_file(node, node.change, folder, shown, replaced)
            elif not await self._continuing.goes_on(node, folder, shown, replaced):
                await self._move_object(node, folder, shown, replaced, is_free=is_free)
            if replaced is not None:  # only now, so that a kill in between loses neither
                await self._withdraw(replaced)

    async def _withdraw(self, node: Node) -> None:
        """What waits of a node that was replaced is not sent; those who have it open keep it."""
        change = node.change
        if change is None:
            return
        await self._uploader.withdraw(change)
        if not node.handles and node.change is change:
            node.change = change.node = None
            self._uploader.let_go(change)
            self._tree.nodes.release(node)

    # ------------------------------------------------------------ files

    async def _move_new_file(self, node: Node, change: Change, folder: Node, shown: str, replaced: Node | None) -> None:
        """The server does not know the file yet: only what will be sent changes."""
        path, leftover = self._tree.child_path(folder, shown), self._leftover(change)
        change.sealed = ()
        self._changes.moved(change, folder.uuid, path)
        if replaced is not None:
            self._continuing.take_over(node, change, replaced)
        self._tree.nodes.place(node, folder, shown)
        self._namespace.succeed(node, folder)
        if leftover is not None:
            self._messenger.accept(leftover)
        await self._journal.record(change, errand=leftover, over=replaced.change if replaced is not None else None)

    def _leftover(self, change: Change) -> Errand | None:
        """What is to be cleared under the name of a new file that gets another: it may have arrived, or be about to."""
        if not change.sealed:
            return None
        return to_clear(
            change.parent,
            change.path,
            is_folder=False,
            sealed=change.sealed,
            after=change.settled,
            now_ms=self._journal.now_ms(),
        )

    async def _move_object(self, node: Node, folder: Node, shown: str, replaced: Node | None, *, is_free: bool) -> None:
        """The server knows the file: it is moved there, and keeps its UUID."""
        parent = node.parent
        assert parent is not None
        before, shown_before, path_before = _entry_of(node), node.shown, self._tree.path_of(node)
        path = self._tree.child_path(folder, shown) if is_free else await self._moves.free_place(folder, shown, before)
        overwritten = replaced.seen if replaced is not None else None
        stamp = self._errands.stamp_of(before.id)
        places = (parent, shown_before), (folder, shown)
        async with self._moves.doubting(*places), self._messenger.held(*([stamp] if stamp is not None else [])):
            entry = await self._moves.file(before, folder, path, replaced)
        if replaced is not None:
            self._tree.nodes.detach(replaced)
        if overwritten is not None:
            self._tree.remove(overwritten.id, folder.uuid)
        self._moved(node, entry, parent, folder, shown)
        self._origins.note(entry.id, parent, shown_before)
        parent.vacated = shown_before
        await self._moves.vacated(parent, path_before)
        await self._stamp_follows(stamp, folder, path)
        if node.change is not None:
            self._changes.moved(node.change, folder.uuid, path)
            await self._journal.record(node.change, over=replaced.change if replaced is not None else None)

    # ------------------------------------------------------------ folders

    async def _move_folder(self, node: Node, folder: Node, shown: str) -> None:
        above: Node | None = folder
        while above is not None:
            if above is node:
                raise Invalid("a folder cannot be moved below itself")
            above = above.parent
        before = self._tree.path_of(node)
        path = self._tree.child_path(folder, shown)
        making = self._errands.making(node.uuid)
        if making is not None:
            async with self._messenger.held(making):
                if making in self._errands:  # else it is on the server now
                    await self._move_new_folder(node, making, folder, shown, path)
                    return
        await self._move_known_folder(node, folder, shown, before)

    async def _move_new_folder(self, node: Node, making: Errand, folder: Node, shown: str, path: TreePath) -> None:
        """The server does not know the folder yet: only what will be sent changes."""
        before, parent = making.path, making.parent
        self._errands.moved(making, folder.uuid, path)
        self._resettling.settled(node, path.owner)
        node.entry = making.entry
        self._tree.nodes.place(node, folder, shown)
        if making.in_doubt:  # the former name may have arrived
            leftover = to_clear(
                parent, before, is_folder=True, sealed=(), after=making.attempt_ended, now_ms=self._journal.now_ms()
            )
            self._messenger.accept(leftover)
            await self._journal.note(leftover)
        await self._journal.note(making)
        await self._homes.folder_moved(before, path)

    async def _move_known_folder(self, node: Node, folder: Node, shown: str, before: TreePath) -> None:
        parent = node.parent
        assert parent is not None
        path = await self._moves.free_place(folder, shown, _entry_of(node))
        async with (
            self._uploader.held(*self._changes.below(before)),
            self._messenger.held(*self._errands.below(before)),
        ):
            async with self._moves.doubting((parent, node.shown), (folder, shown)):
                entry = await self._moves.folder(_entry_of(node), folder, path)
            self._moved(node, entry, parent, folder, shown)
            await self._moves.vacated(parent, before)
            await self._homes.folder_moved(before, path)
            await self._stamp_follows(self._errands.stamp_of(entry.id), folder, path)

    # ------------------------------------------------------------ shared

    def _moved(self, node: Node, entry: Entry, parent: Node, folder: Node, shown: str) -> None:
        self._tree.remove(entry.id, parent.uuid)
        self._tree.put(entry, folder.uuid)
        self._tree.nodes.place(node, folder, shown)
        self._resettling.settled(node, entry.owner)
        node.entry = entry

    async def _stamp_follows(self, stamp: Errand | None, folder: Node, path: TreePath) -> None:
        """What is to be set of something that has moved is set where it is now."""
        if stamp is not None and stamp in self._errands:
            self._errands.moved(stamp, folder.uuid, path)
            await self._journal.note(stamp)


def _entry_of(node: Node) -> Entry:
    if node.entry is None:
        raise NotFound(f"{node.shown!r} is not on the server")
    return node.entry
