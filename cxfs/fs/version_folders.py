"""`.versions`: what the server keeps of the files in a folder, as read-only folders. Reads no content.

`DIR/.versions` holds a folder for each file of `DIR` that has been another, and that holds the file's former versions,
which every program can read: one that is copied out is restored. A folder's names cost nothing more to list, since
`.versions` is found by its name alone; walking through it costs one request a file.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from cachetools import LRUCache

from cxfs.core.errors import NotADirectory, NotFound, ReadOnly
from cxfs.core.former_names import former_name
from cxfs.fs.listings import Child

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cxfs.core.entries import Entry, Uuid
    from cxfs.fs.freshness import Freshness
    from cxfs.fs.history import VersionSource
    from cxfs.fs.node import FormerNode, Node
    from cxfs.fs.tree import Tree

NAME: Final = ".versions"

HISTORIES_MAX: Final = 1_000
"""Files whose versions are remembered for the time that names are believed."""


class Names(Protocol):
    """The way from a name to a node: the tree's, or that of the tree with versions in it."""

    async def lookup(self, folder: Node, shown: str) -> tuple[Node | None, float]:
        """The node of a name, or None, and for how many seconds that may be believed."""
        ...

    async def opened(self, folder: Node) -> Callable[[], list[Child]]:
        """What gives everything in the folder at the moment when it is called."""
        ...

    def as_now(self, folder: Node, child: Child) -> Child | None:
        """A line of an earlier listing, None when it is not true any more."""
        ...

    def node_of_child(self, folder: Node, child: Child) -> Node:
        """The node behind a line of a listing."""
        ...


@dataclass(frozen=True, slots=True)
class History:
    """The versions of a file, newest first, as they were told when `current` was the current one."""

    current: int
    entries: tuple[Entry, ...]
    expires: float


class VersionFolders:
    """The names of one mount with `.versions` among them. `timer` gives seconds; histories are believed for `ttl_s`."""

    def __init__(
        self, tree: Tree, source: VersionSource, *, freshness: Freshness, ttl_s: float, timer: Callable[[], float]
    ) -> None:
        self._tree = tree
        self._source = source
        self._freshness = freshness
        self._ttl_s = ttl_s
        self._timer = timer
        self._histories: LRUCache[Uuid, History] = LRUCache(HISTORIES_MAX)

    async def lookup(self, folder: Node, shown: str) -> tuple[Node | None, float]:
        """As the tree's. An object of the account that is called `.versions` is shown, and hides ours."""
        if folder.is_former:
            return await self._lookup_former(folder, shown)
        node, believed_s = await self._tree.lookup(folder, shown)
        if node is not None or shown != NAME or folder.gone or folder.entry is None:
            return node, believed_s
        return self._former(folder.entry, NAME, folder, NAME, is_folder=True), self._ttl_s

    async def _lookup_former(self, folder: Node, shown: str) -> tuple[Node | None, float]:
        above = _folder_of(folder)
        if above is not None:
            entry, _, believed_s = await self._file(above, shown)
            return None if entry is None else self._folder_of_file(folder, shown, entry), believed_s
        entry = (await self._versions(folder)).get(shown)
        return (None, 0.0) if entry is None else (self._version(folder, shown, entry), self._ttl_s)

    async def opened(self, folder: Node) -> Callable[[], list[Child]]:
        """As the tree's; of `.versions` the files that have been another, or are just becoming another."""
        if not folder.is_former:
            return await self._tree.opened(folder)
        above = _folder_of(folder)
        if above is None:
            versions = [Child(shown, entry, None) for shown, entry in (await self._versions(folder)).items()]
            return lambda: versions
        children = await self._tree.opened(above)
        return lambda: [child for child in children() if _has_been_another(child)]

    def as_now(self, folder: Node, child: Child) -> Child | None:
        """As the tree's. What was stays as it was."""
        return child if folder.is_former else self._tree.as_now(folder, child)

    def node_of_child(self, folder: Node, child: Child) -> Node:
        """As the tree's."""
        if not folder.is_former:
            return self._tree.node_of_child(folder, child)
        assert child.entry is not None
        if _folder_of(folder) is not None:
            return self._folder_of_file(folder, child.shown, child.entry)
        return self._version(folder, child.shown, child.entry)

    # ------------------------------------------------------------ nodes

    def _folder_of_file(self, folder: Node, shown: str, entry: Entry) -> FormerNode:
        return self._former(entry, "file", folder, shown, is_folder=True)

    def _version(self, folder: Node, shown: str, entry: Entry) -> FormerNode:
        return self._former(entry, f"{entry.version}", folder, shown, is_folder=False)

    def _former(self, entry: Entry, which: str, parent: Node, shown: str, *, is_folder: bool) -> FormerNode:
        """By a number of its own, which is the same on every machine and after every remount."""
        digest = hashlib.blake2b(f"{entry.id}/{which}".encode(), digest_size=8).digest()
        number = max(2, int.from_bytes(digest) & 0x7FFF_FFFF_FFFF_FFFF)
        return self._tree.nodes.former(entry, number, parent, shown, is_folder=is_folder)

    # ------------------------------------------------------------ histories

    async def _versions(self, folder: Node) -> Mapping[str, Entry]:
        """The former versions of the file that the folder is for, by their names. Raises NotFound where it is gone."""
        above = _folder_of(folder.parent) if folder.parent is not None else None
        file, is_changed, _ = await self._file(above, folder.shown) if above is not None else (None, False, 0.0)
        if file is None:
            raise NotFound(f"there is no file {folder.shown!r} any more")
        entries = (await self._history(file)).entries
        # What the server has is a former version itself while something newer waits here.
        current = None if is_changed else file.version
        return {
            former_name(folder.shown, entry.version, entry.modified_ms): entry
            for entry in entries
            if entry.version != current
        }

    async def _file(self, folder: Node, shown: str) -> tuple[Entry | None, bool, float]:
        """What the server has of the file of this name, whether that is changed here, and how long to believe it."""
        node, believed_s = await self._tree.lookup(folder, shown)
        if node is None:
            return None, False, believed_s
        entry, is_changed = None if node.is_folder else node.entry, node.change is not None
        self._tree.nodes.release(node)  # nobody else may hold it
        return entry, is_changed, believed_s

    async def _history(self, entry: Entry) -> History:
        known = self._histories.get(entry.id)
        if known is not None and known.current == entry.version and self._timer() < known.expires:
            return known
        history = await self._freshness.best(known, partial(self._ask, entry))
        self._histories[entry.id] = history
        return history

    async def _ask(self, entry: Entry) -> History:
        entries = await self._source.versions(entry.path)
        return History(entry.version, entries, self._timer() + self._ttl_s)


async def refuse_versions(names: Names, folder: Node, shown: str) -> None:
    """Raises ReadOnly for a `.versions` that is ours, which cannot be removed, renamed or taken the place of."""
    if shown == NAME:
        node, _ = await names.lookup(folder, shown)
        if node is not None and node.is_former:
            raise ReadOnly(f"{NAME} is not changed")


def _folder_of(node: Node) -> Node | None:
    """The folder whose `.versions` this is; None where it is anything else. Raises NotADirectory for a version."""
    if not node.is_folder:
        raise NotADirectory(f"{node.shown!r} is a file")
    return node.parent if node.parent is not None and not node.parent.is_former else None


def _has_been_another(child: Child) -> bool:
    entry = child.entry
    return entry is not None and not entry.is_folder and (entry.version > 1 or child.change is not None)
