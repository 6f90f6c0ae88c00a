"""The tree as this mount sees it: the cache first, CX second, the cache told after. Content is not its matter.

A folder is listed once for all the names in it; nobody asks for a name. What the server listed is overlaid with what it
does not know yet: new files and folders, and deletions that are still on their way.
"""

from __future__ import annotations

import math
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from cxfs.core.errors import NotADirectory, NotFound
from cxfs.core.names import chosen, escape, unescape
from cxfs.fs.errands import Errand
from cxfs.fs.flights import Flights
from cxfs.fs.groups import tree_at
from cxfs.fs.node import Node
from cxfs.fs.overlay import Overlay
from cxfs.fs.resettling import asked_at
from cxfs.local.metadata import Listing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import trio

    from cxfs.core.entries import Entry, TreePath, Uuid, UuidPath
    from cxfs.fs.changes import Change, Changes
    from cxfs.fs.errands import Errands
    from cxfs.fs.listings import Child, FolderSource, Listings
    from cxfs.local.metadata import Known, MetadataCache

ROOT_INODE: Final = 1

NOTHING: Final = Listing((), taken=0.0, expires=math.inf)
"""Of a folder that the server does not know yet."""

RELIST_ENTRIES_MAX: Final = 1_000
"""To refresh one entry its folder is listed again, for the sake of its siblings, unless that takes over one page."""


class Tree:
    """Nodes by UUID, and the way from a name to a node. Flights run in `nursery`; `inode_of` remembers numbers."""

    def __init__(
        self,
        root: Entry,
        root_path: TreePath,
        *,
        files: FolderSource,
        listings: Listings,
        metadata: MetadataCache,
        changes: Changes,
        errands: Errands,
        inode_of: Callable[[Uuid], int | None],
        nursery: trio.Nursery,
    ) -> None:
        self._files = files
        self._metadata = metadata
        self._changes = changes
        self._errands, self._overlay = errands, Overlay(changes, errands)
        self._inode_of = inode_of
        self._listings = listings
        self._infos: Flights[Uuid, Entry] = Flights(nursery)
        self._nodes: dict[Uuid, Node] = {}
        self._numbers: dict[int, Node] = {}
        self._root_path = root_path
        self.root = Node(ROOT_INODE, is_folder=True, parent=None, shown="")
        self.root.entry = root
        self._nodes[root.id] = self._numbers[ROOT_INODE] = self.root

    # ------------------------------------------------------------ from names to nodes

    async def lookup(self, folder: Node, shown: str) -> tuple[Node | None, float]:
        """The node of a name, or None and for how many seconds its absence may be believed."""
        if not folder.is_folder:
            raise NotADirectory(f"{folder.shown!r} is a file")
        if folder.gone:
            return None, 0.0
        new = self._overlay.new_at(folder.uuid, shown)
        if isinstance(new, Errand):
            return self.node_of(new.entry, folder, shown), 0.0
        if new is not None:
            return self.node_of_change(new, folder), 0.0
        if self.is_new(folder):
            return None, 0.0
        if self._listings.is_listed_ahead(folder.uuid):
            self._enter(folder)
        known = self._metadata.child(folder.uuid, shown)
        if known is None:
            self._enter(folder)
            # Also when a listing is fresh: names in it are believed for longer than names not in it.
            entry = (await self.listing_now(folder)).by_shown.get(shown)
            known = self._metadata.child(folder.uuid, shown)
            remaining_s = known.remaining_s if known is not None else 0.0
        else:
            entry, remaining_s = known.entry, known.remaining_s
        if entry is None or self._overlay.is_being_removed(entry.id):
            return None, remaining_s
        return self.node_of(entry, folder, shown), remaining_s

    async def children(self, folder: Node) -> list[Child]:
        """Everything in the folder at this moment, what is new included."""
        self._enter(folder, to_list=True)
        return self._overlay.lines(folder.uuid, await self.listing(folder))

    def _enter(self, folder: Node, *, to_list: bool = False) -> None:
        if not self.is_new(folder) and not folder.gone:
            parent = folder.parent.uuid if folder.parent is not None else None
            self._listings.entered(folder.uuid, parent, self._address, to_list=to_list)

    def _address(self, entry: Entry) -> UuidPath:
        """Where an object of a listing stands now."""
        return (self._nodes.get(entry.id) or entry).path

    def as_now(self, folder: Node, child: Child) -> Child | None:
        """A line of an earlier listing, None when it is not true any more, as far as this mount knows."""
        return self._overlay.as_now(child, self._metadata.last_listing(folder.uuid))

    def node_of_child(self, folder: Node, child: Child) -> Node:
        """The node behind a line of a listing."""
        if child.entry is not None:
            return self.node_of(child.entry, folder, child.shown)
        assert child.change is not None
        return self.node_of_change(child.change, folder)

    async def listing(self, folder: Node) -> Listing:
        """The folder's listing, from the cache while that is fresh; asked once however many want it."""
        fresh = NOTHING if self.is_new(folder) else self._metadata.listing(folder.uuid)
        return fresh if fresh is not None else await self.listing_now(folder)

    async def listing_now(self, folder: Node) -> Listing:
        """The folder's listing as the server has it now: nothing, for a folder that it does not know yet."""
        if self.is_new(folder):
            return NOTHING
        try:
            listing, folder.entry = await self._listings.now(lambda: folder.path, folder.uuid)
        except NotFound:
            self._lost(folder)
            raise
        self._listings.looked_at(folder.uuid)
        return listing

    # ------------------------------------------------------------ one object

    async def refresh(self, node: Node) -> None:
        """Makes sure that what is believed of the node is fresh. Raises NotFound when the object is gone."""
        if node.entry is None or node.gone or node.change is not None or self.is_new(node):
            return
        parent = node.parent
        known = self._known(node)
        if known is None and parent is not None and self._worth_listing(parent):
            await self.listing_now(parent)
            known = self._known(node)
        if known is None and node.entry is not None:
            await self._infos.join(node.entry.id, lambda: self._fetch_entry(node))
            known = self._known(node)
        if known is not None and known.entry is not None:
            self._believe(node, known.entry)

    def believed_s(self, node: Node) -> float:
        """For how many seconds what is known of the node may be believed. What is newer here is known best here."""
        if node.change is not None or self.is_new(node):
            return self._metadata.ttl_s
        known = self._known(node)
        return known.remaining_s if known is not None else 0.0

    def _known(self, node: Node) -> Known | None:
        if node.entry is None or node.gone:
            return None
        return self._metadata.entry(node.entry.id, node.parent.uuid if node.parent is not None else None)

    def _worth_listing(self, folder: Node) -> bool:
        last = self._metadata.last_listing(folder.uuid)
        return not folder.gone and (last is None or len(last) <= RELIST_ENTRIES_MAX)

    async def _fetch_entry(self, node: Node) -> Entry:
        try:
            entry = await asked_at(lambda: node.path, self._files.entry)
        except NotFound:
            self._lost(node)
            raise
        if not node.gone:  # deleted here while the answer was on its way
            self._metadata.put(entry, node.parent.uuid if node.parent is not None else None)
        return entry

    def _believe(self, node: Node, entry: Entry) -> None:
        # An answer that was on its way while our own upload finished is older than what we know.
        if node.entry is None or entry.version >= node.entry.version:
            node.entry = entry

    def _lost(self, node: Node) -> None:
        if node.parent is None:
            return  # the root stays, whatever the server says of it
        self._metadata.remove(node.uuid, node.parent.uuid)
        if node.change is None and not node.handles:  # who has it open may go on: an edit wins over a delete
            self.detach(node)

    # ------------------------------------------------------------ nodes

    def node_of(self, entry: Entry, parent: Node, shown: str) -> Node:
        """The node of an object, at the place where it was just seen."""
        node = self._nodes.get(entry.id)
        if node is None:
            change = self._changes.of(entry.id)
            ours = change or self._errands.making(entry.id)
            number = ours.inode if ours is not None else self._inode_of(entry.id) or entry.id.number
            node = self._new_node(number, parent, shown, is_folder=entry.is_folder)
            self._nodes[entry.id] = node
            node.entry = entry
            if change is not None:
                node.change, change.node = change, node
        elif node is not self.root:
            self.place(node, parent, shown)
            self._believe(node, entry)
        return node

    def node_of_change(self, change: Change, parent: Node) -> Node:
        """The node of a file that the server does not know yet."""
        if change.node is None:
            node = self._new_node(change.inode, parent, escape(change.name), is_folder=False)
            node.change, change.node = change, node
        elif change.node.parent is not parent:  # the folder that it was in went away
            self.place(change.node, parent, escape(change.name))
        return change.node

    def kernel_has(self, entry: Entry) -> bool:
        """Whether the kernel may have this version of a file in its pages."""
        node = self._nodes.get(entry.id)
        return node is not None and node.pages_of == entry.version

    def is_passed(self, entry: Entry) -> bool:
        """Whether this mount has something newer of the object than this version."""
        node = self._nodes.get(entry.id)
        newer = node is not None and node.entry is not None and node.entry.version > entry.version
        return newer or self._changes.of(entry.id) is not None

    def nodes(self) -> list[Node]:
        """All of them at this moment, those that are gone and still open included."""
        return list(self._numbers.values())

    def folder_of(self, folder: Uuid) -> Node | None:
        """The node of a folder, where one is known."""
        return self._nodes.get(folder)

    def new_number(self) -> int:
        """An inode number for a file without a UUID."""
        while True:
            number = secrets.randbits(62) + 2
            if number not in self._numbers:
                return number

    def place(self, node: Node, parent: Node, shown: str) -> None:
        """The node stands here now."""
        node.shown = shown
        if node.parent is not parent:
            before, node.parent = node.parent, parent
            parent.children += 1
            if before is not None:
                before.children -= 1
                self.release(before)

    def release(self, node: Node) -> None:
        """Lets go of the node, and of the folders above it, when nothing needs them any more."""
        while not node.kept:
            if self._numbers.get(node.inode) is node:
                del self._numbers[node.inode]
            if node.entry is not None and self._nodes.get(node.entry.id) is node:
                del self._nodes[node.entry.id]
            parent = node.parent
            if parent is None:
                return
            node.parent = None
            node.gone = True  # a late caller that still holds it finds nothing here
            parent.children -= 1
            node = parent

    @contextmanager
    def pinned(self, *nodes: Node | None) -> Iterator[None]:
        """None of them is let go while the block runs, whatever the kernel forgets and whichever upload ends."""
        held = [node for node in nodes if node is not None]
        for node in held:
            node.pins += 1
        try:
            yield
        finally:
            for node in held:
                node.pins -= 1
                self.release(node)

    def detach(self, node: Node) -> None:
        """The name is gone; handles and the kernel may keep the node for a while."""
        node.gone = True
        if node.entry is not None and self._nodes.get(node.entry.id) is node:
            del self._nodes[node.entry.id]
        self.release(node)

    def identify(self, node: Node, entry: Entry) -> None:
        """The node is this object from now on, and nobody else is."""
        former = self._nodes.get(entry.id)
        if former is not None and former is not node:
            self.detach(former)
        if node.entry is not None and self._nodes.get(node.entry.id) is node:
            del self._nodes[node.entry.id]
        node.entry = entry
        self._nodes[entry.id] = node

    def forget_identity(self, node: Node) -> None:
        """The object is gone from the server while its node has something newer: it is a new file again."""
        if node.entry is not None and self._nodes.get(node.entry.id) is node:
            del self._nodes[node.entry.id]
        node.entry = None

    def _new_node(self, number: int, parent: Node, shown: str, *, is_folder: bool) -> Node:
        while number in self._numbers:
            number += 1
        node = Node(number, is_folder=is_folder, parent=parent, shown=shown)
        parent.children += 1
        self._numbers[number] = node
        return node

    # ------------------------------------------------------------ what this mount did

    def put(self, entry: Entry, folder: Uuid) -> None:
        """The object is in the folder now, by our own doing."""
        self._listings.put(entry, folder)

    def remove(self, object_id: Uuid, folder: Uuid) -> None:
        """The object is no longer in the folder, by our own doing."""
        self._listings.remove(object_id, folder)

    def put_new_folder(self, entry: Entry, folder: Uuid) -> None:
        """A folder that was just made: it is known to be empty."""
        self._listings.put(entry, folder)
        self._metadata.put_listing(entry.id, ())

    def is_new(self, node: Node) -> bool:
        """Whether it is a folder that the server does not know yet: what is in it is known without asking."""
        return node.entry is not None and self._overlay.is_new(node.entry.id)

    def is_leaving(self, object_id: Uuid) -> bool:
        """Whether it was deleted here, though an answer still speaks of it."""
        return self._overlay.is_being_removed(object_id) or self._listings.was_removed(object_id)

    def doubt(self, *folders: Node) -> None:
        """A call failed half-way in these folders: believe nothing of them."""
        self._metadata.doubt(*(folder.uuid for folder in folders if folder.entry is not None))

    def doubt_object(self, object_id: Uuid, folder: Uuid) -> None:
        """What was believed of an object and its place proved wrong, also of what is in it."""
        self._metadata.doubt_entry(object_id, folder)
        self._metadata.doubt(object_id)

    # ------------------------------------------------------------ paths

    def path_of(self, node: Node) -> TreePath:
        """The way down by names, for the calls that create something."""
        names, tree = [], None
        while node.parent is not None and (tree := node.entry and tree_at(node.path)) is None:
            names.append(node.entry.name if node.entry is not None else unescape(node.shown))
            node = node.parent
        path = tree or self._root_path
        for name in reversed(names):
            path = path.child(name)
        return path

    def child_path(self, folder: Node, shown: str) -> TreePath:
        """Where a new thing of this name goes; raises BadName for one that would be shown under another name."""
        return self.path_of(folder).child(chosen(shown))
