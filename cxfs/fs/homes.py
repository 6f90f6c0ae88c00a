"""What becomes of new things whose folder is not where it was: they go to where it is now, or to the nearest one left.

A folder that somebody renamed or moved is found by its UUID. Where it is gone, what was on its way into it is kept in
the deepest folder above it that is still there, and a person is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from cxfs.core.entries import Entry, Path, TreePath, Uuid, UuidPath
from cxfs.core.errors import BadName, NotFound
from cxfs.core.names import escape
from cxfs.fs.errands import Errand

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cxfs.core.entries import EntryName
    from cxfs.fs.changes import Change, Changes
    from cxfs.fs.errands import Errands
    from cxfs.fs.journal import Journal
    from cxfs.fs.kernel import KernelCache
    from cxfs.fs.tree import Tree

DEPTH_MAX: Final = 256
"""Folders climbed: deeper than any tree that Linux can name, and an end for a server whose folders go in circles."""


class Finder(Protocol):
    """The part of the File API that tells what is there now."""

    async def entry(self, path: Path) -> Entry:
        """What is there; raises NotFound."""
        ...


@dataclass(frozen=True, slots=True)
class Home:
    """A folder that is there. `is_same`: the one that was meant, renamed or moved; `is_gone`: that one is gone."""

    folder: Entry
    path: TreePath
    is_same: bool
    is_gone: bool


async def find_home(files: Finder, folder: Uuid, path: TreePath) -> Home:
    """Where the thing that was to go to `path`, in `folder`, can go. Raises what asking raises."""
    try:
        found = await files.entry(UuidPath(path.owner, folder))
    except NotFound:
        found = None
    if found is not None and found.is_folder:
        there = await _path_of(files, path, found)
        if there is not None:
            return Home(found, there, is_same=True, is_gone=False)
    nearest, way = await _nearest(files, TreePath(path.owner, path.names[:-1]))
    return Home(nearest, way, is_same=False, is_gone=found is None)


async def _path_of(files: Finder, path: TreePath, folder: Entry) -> TreePath | None:
    """The way down to a folder by names, where the server tells parents and the way leads there."""
    chain = [folder]
    try:
        while chain[-1].parent is not None and len(chain) < DEPTH_MAX:
            chain.append(await files.entry(UuidPath(path.owner, chain[-1].parent)))
        there = _down(path, reversed(chain[:-1]))
        return there if (await files.entry(there)).id == folder.id else None
    except (BadName, NotFound):
        return None


def _down(path: TreePath, chain: Iterable[Entry]) -> TreePath:
    there = TreePath(path.owner, ())
    for entry in chain:
        there = there.child(entry.name)
    return there


async def _nearest(files: Finder, path: TreePath) -> tuple[Entry, TreePath]:
    """The deepest folder of this way by names that is there: the owner's root at the last."""
    while True:
        try:
            found = await files.entry(path)
        except NotFound:
            if not path.names:
                raise
        else:
            if found.is_folder:
                return found, path
        path = TreePath(path.owner, path.names[:-1])


class Homes:
    """Brings things home. `conflict_name` gives the name of a further thing of a name, by its number."""

    def __init__(
        self,
        files: Finder,
        tree: Tree,
        *,
        changes: Changes,
        errands: Errands,
        journal: Journal,
        kernel: KernelCache,
        conflict_name: Callable[[EntryName, int], EntryName],
    ) -> None:
        self._files = files
        self._tree = tree
        self._changes = changes
        self._errands = errands
        self._journal = journal
        self._kernel = kernel
        self._conflict_name = conflict_name

    async def bring(self, thing: Change | Errand) -> bool:
        """The server did not find the folder of `thing`: whether that leads it elsewhere. Raises what asking raises."""
        path, parent = thing.path, thing.parent
        home = await find_home(self._files, parent, path)
        former = TreePath(path.owner, path.names[:-1])
        if not self._is_on_its_way(thing) or (path, parent) != (thing.path, thing.parent):
            return True  # taken back, or brought home with another, meanwhile
        if (home.folder.id, home.path) == (thing.parent, former):
            return False
        if home.is_same:
            await self.folder_moved(former, home.path)
        else:
            await self._move_in(thing, home)
        return True

    async def folder_moved(self, before: TreePath, after: TreePath) -> None:
        """What is on its way into a folder, or deeper, goes to where the folder is now."""
        changes = self._changes.folder_moved(before, after)
        errands = self._errands.folder_moved(before, after)
        for change in changes:
            await self._journal.record(change)
        for errand in errands:
            if errand in self._errands:
                await self._journal.note(errand)

    def _is_on_its_way(self, thing: Change | Errand) -> bool:
        return thing in self._errands if isinstance(thing, Errand) else thing in self._changes

    async def _move_in(self, thing: Change | Errand, home: Home) -> None:
        before, folder = thing.path, self._tree.nodes.folder_of(thing.parent)
        if folder is not None:
            self._kernel.forget_name(folder.inode, escape(thing.name))
            if home.is_gone and folder.parent is not None:
                self._kernel.forget_name(folder.parent.inode, folder.shown)
                self._tree.remove(thing.parent, folder.parent.uuid)
                self._tree.nodes.detach(folder)
        path = home.path.child(self._free_name(thing, home.folder.id))
        above = self._tree.nodes.folder_of(home.folder.id)
        if isinstance(thing, Errand):
            self._errands.moved(thing, home.folder.id, path)
            node = self._tree.nodes.folder_of(thing.place)
            if node is not None:
                node.entry = thing.entry
            await self._journal.note(thing)
        else:
            self._changes.moved(thing, home.folder.id, path)
            node = thing.node
            await self._journal.record(thing)
        if node is not None and above is not None:
            self._tree.nodes.place(node, above, escape(thing.name))
        if isinstance(thing, Errand):
            await self.folder_moved(before, path)
        await self._journal.report(before, f"its folder is gone from the server; it is kept as {path}")

    def _free_name(self, thing: Change | Errand, folder: Uuid) -> EntryName:
        taken = {*self._changes.new_in(folder), *self._errands.made_in(folder)}
        free, attempt = thing.name, 0
        while free in taken or self._waits_for(thing, folder, free):
            attempt += 1
            free = self._conflict_name(thing.name, attempt)
        return free

    def _waits_for(self, thing: Change | Errand, folder: Uuid, name: EntryName) -> bool:
        """Whether what still has this name goes only when `thing` has arrived: each would wait for the other."""
        removal = self._errands.removal_at(folder, name)
        return removal is not None and removal.carrier == thing.id
