"""Editors that keep a backup while they write (vim): the old file aside, a new one by its name, then the old one goes.

The new one is the next version of the old, like any other save, though no rename says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxfs.core.errors import CxfsError

if TYPE_CHECKING:
    from cxfs.fs.changes import Changes
    from cxfs.fs.continuing import Continuing
    from cxfs.fs.journal import Journal
    from cxfs.fs.moves import Files, Moves
    from cxfs.fs.namespace import Namespace
    from cxfs.fs.node import Node
    from cxfs.fs.origins import Origins
    from cxfs.fs.tree import Tree
    from cxfs.fs.uploader import Uploader


class Backups:
    """Those of one mount."""

    def __init__(
        self,
        tree: Tree,
        *,
        files: Files,
        namespace: Namespace,
        moves: Moves,
        continuing: Continuing,
        uploader: Uploader,
        changes: Changes,
        journal: Journal,
        origins: Origins,
    ) -> None:
        self._tree = tree
        self._files = files
        self._namespace = namespace
        self._moves = moves
        self._continuing = continuing
        self._uploader = uploader
        self._changes = changes
        self._journal = journal
        self._origins = origins

    async def succeeded(self, folder: Node, shown: str) -> bool:
        """Whether the file of this name, which is to be removed, was such a backup: then its successor has it now.

        False where it is none, or the server does not move it back: then it is removed like any other.
        """
        node = await self._namespace.changeable(folder, shown)
        origin = self._origins.of(node.entry.id) if node.entry is not None and node.change is None else None
        if origin is None:
            return False
        home, name = origin
        successor = None if home.gone else (await self._tree.lookup(home, name))[0]
        if successor is None or successor.entry is not None or successor.change is None:
            return False
        with self._tree.nodes.pinned(node, successor):
            return await self._bring_back(node, folder, home, name, successor)

    async def _bring_back(self, node: Node, folder: Node, home: Node, name: str, successor: Node) -> bool:
        change, before, path_before = successor.change, node.entry, self._tree.path_of(node)
        async with self._uploader.held(change):
            if change is None or before is None or change not in self._changes or change.object or change.sealed:
                return False  # it has been sent, or may have been
            try:
                async with self._moves.doubting((folder, node.shown), (home, name)):
                    path = self._tree.child_path(home, name)
                    entry = await self._files.move(before.path, path, overwrite=False)
            except CxfsError:
                return False
            self._tree.remove(entry.id, folder.uuid)
            self._tree.put(entry, home.uuid)
            node.entry = entry
            self._continuing.take_over(successor, change, node)
            await self._journal.record(change)
            await self._moves.vacated(folder, path_before)
        await self._namespace.touched(folder)
        return True
