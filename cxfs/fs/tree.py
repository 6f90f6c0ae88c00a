"""The tree as this mount sees it: the cache first, CX second, the cache told after. Content is not its matter.

A folder is listed once for all the names in it; nobody asks for a name. What the server listed is overlaid with what it
does not know yet: new files and folders, and deletions that are still on their way.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Final

from cxfs.core.errors import NotADirectory, NotFound
from cxfs.core.names import chosen, unescape
from cxfs.fs.errands import Errand
from cxfs.fs.flights import Flights
from cxfs.fs.groups import tree_at
from cxfs.fs.nodes import Nodes
from cxfs.fs.overlay import Overlay
from cxfs.fs.resettling import asked_at
from cxfs.local.listing import Listing

if TYPE_CHECKING:
    from collections.abc import Callable

    from cxfs.core.entries import Entry, TreePath, Uuid, UuidPath
    from cxfs.fs.changes import Changes
    from cxfs.fs.errands import Errands
    from cxfs.fs.freshness import Freshness
    from cxfs.fs.listings import Child, FolderSource, Listings
    from cxfs.fs.node import Node
    from cxfs.fs.supervisor import Nursery
    from cxfs.local.metadata import Known, MetadataCache


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
        freshness: Freshness,
        nursery: Nursery,
    ) -> None:
        self._files = files
        self._freshness = freshness
        self._metadata = metadata
        self._changes = changes
        self._errands = errands
        self._listings = listings
        self._infos: Flights[Uuid, Entry] = Flights(nursery)
        self._root_path = root_path
        self.nodes = Nodes(root, changes=changes, errands=errands, inode_of=inode_of)
        self._overlay = Overlay(changes, errands, self.nodes.knows)

    @property
    def root(self) -> Node:
        """The folder that is mounted."""
        return self.nodes.root

    # ------------------------------------------------------------ from names to nodes

    async def lookup(self, folder: Node, shown: str) -> tuple[Node | None, float]:
        """The node of a name, or None and for how many seconds its absence may be believed."""
        if not folder.is_folder:
            raise NotADirectory(f"{folder.shown!r} is a file")
        if folder.gone:
            return None, 0.0
        new = self._overlay.new_at(folder.uuid, shown)
        if isinstance(new, Errand):
            return self.nodes.node_of(new.entry, folder, shown), 0.0
        if new is not None:
            return self.nodes.node_of_change(new, folder), 0.0
        if self.is_new(folder):
            return None, 0.0
        if self._listings.is_listed_ahead(folder.uuid):
            self._enter(folder)
        known = self._metadata.child(folder.uuid, shown)
        if known is None:
            self._enter(folder)
            # Also when a listing is fresh: names in it are believed for longer than names not in it.
            entry = (await self._best_listing(folder)).by_shown.get(shown)
            known = self._metadata.child(folder.uuid, shown)
            remaining_s = known.remaining_s if known is not None else self._freshness.stale_s
        else:
            entry, remaining_s = known.entry, known.remaining_s
        if entry is None or self._overlay.hides(entry, folder.uuid):
            return None, remaining_s
        return self.nodes.node_of(entry, folder, shown), remaining_s

    async def opened(self, folder: Node) -> Callable[[], list[Child]]:
        """For somebody who walks there: what gives everything in the folder at the moment when it is called."""
        self._enter(folder, to_list=True)
        return partial(self._children, folder, await self.listing(folder))

    def _children(self, folder: Node, listing: Listing) -> list[Child]:
        """What is new since the `listing` included. Asks nobody."""
        last = self._metadata.last_listing(folder.uuid)
        return self._overlay.lines(folder.uuid, listing if last is None else last)

    def _enter(self, folder: Node, *, to_list: bool = False) -> None:
        if not self.is_new(folder) and not folder.gone:
            parent = folder.parent.uuid if folder.parent is not None else None
            self._listings.entered(folder.uuid, parent, self._address, to_list=to_list)

    def _address(self, entry: Entry) -> UuidPath:
        """Where an object of a listing stands now."""
        return (self.nodes.folder_of(entry.id) or entry).path

    def as_now(self, folder: Node, child: Child) -> Child | None:
        """A line of an earlier listing, None when it is not true any more, as far as this mount knows."""
        return self._overlay.as_now(child, folder.uuid, self._metadata.last_listing(folder.uuid))

    def node_of_child(self, folder: Node, child: Child) -> Node:
        """The node behind a line of a listing."""
        if child.entry is not None:
            return self.nodes.node_of(child.entry, folder, child.shown)
        assert child.change is not None
        return self.nodes.node_of_change(child.change, folder)

    async def listing(self, folder: Node) -> Listing:
        """The folder's listing, from the cache while that is fresh or the server does not answer."""
        fresh = NOTHING if self.is_new(folder) else self._metadata.listing(folder.uuid)
        return fresh if fresh is not None else await self._best_listing(folder)

    async def _best_listing(self, folder: Node) -> Listing:
        last = self._metadata.last_listing(folder.uuid)
        return await self._freshness.best(last, partial(self.listing_now, folder))

    async def listing_now(self, folder: Node) -> Listing:
        """The folder's listing as the server has it now: nothing, for a folder that it does not know yet."""
        if self.is_new(folder):
            return NOTHING
        try:
            listing, folder.entry = await self._listings.now(lambda: folder.path, folder.uuid)
        except NotFound:
            self.lost(folder)
            raise
        self._listings.looked_at(folder.uuid)
        return listing

    def expect_a_first_look(self) -> None:
        """The root is listed before anybody asks for it. Waits for nothing."""
        self._listings.list_for_a_first_look(lambda: self.root.path, self.root.uuid)

    # ------------------------------------------------------------ one object

    async def refresh(self, node: Node) -> None:
        """Makes sure that what is believed of the node is fresh, where the server answers.

        Raises NotFound when the object is gone. The root never keeps its caller waiting (`df` asks for it): it is asked
        for beside it.
        """
        if node.entry is None or node.gone or node.change is not None or node.is_former or self.is_new(node):
            return
        known = self._known(node)
        if known is None and node is self.root:
            if self._freshness.asks:
                self._infos.begin(node.entry.id, partial(self._fetch_entry, node))
            return
        if known is None:
            await self._freshness.best(node.entry, partial(self._entry_now, node))
            known = self._known(node)
        if known is not None and known.entry is not None:
            self.nodes.believe(node, known.entry)

    async def _entry_now(self, node: Node) -> Entry:
        """What the server says of the node, with its siblings where they come at the same price."""
        parent = node.parent
        if parent is not None and self._worth_listing(parent):
            listing = await self.listing_now(parent)
            shown = listing.name_of(node.uuid)
            if shown is not None:
                return listing.by_shown[shown]
        return await self._infos.join(node.uuid, partial(self._fetch_entry, node))

    async def ask_anew(self, node: Node) -> None:
        """As the server has it now, however fresh what is believed is. Raises NotFound when the object is gone.

        What is newer here is left as it is: its change has begun from what was believed then.
        """
        if node.entry is not None and not node.gone and node.change is None and not self.is_new(node):
            entry = await self._infos.join(node.entry.id, lambda: self._fetch_entry(node))
            self.nodes.believe(node, entry)

    def believed_s(self, node: Node) -> float:
        """For how many seconds what is known of the node may be believed. What is newer here is known best here."""
        if node.change is not None or node.is_former or self.is_new(node):
            return self._metadata.ttl_s
        known = self._known(node)
        return known.remaining_s if known is not None else self._freshness.stale_s

    def _known(self, node: Node) -> Known | None:
        if node.entry is None or node.gone:
            return None
        return self._metadata.entry(node.entry.id, node.parent.uuid if node.parent is not None else None)

    def _worth_listing(self, folder: Node) -> bool:
        last = self._metadata.last_listing(folder.uuid)
        return not folder.gone and (last is None or len(last) <= RELIST_ENTRIES_MAX)

    async def _fetch_entry(self, node: Node) -> Entry:
        asked_s = self._metadata.now_s
        try:
            entry = await asked_at(lambda: node.path, self._files.entry)
        except NotFound:
            self.lost(node)
            raise
        if not node.gone:  # deleted here while the answer was on its way
            folder = node.parent.uuid if node.parent is not None else None
            self._listings.described(entry, folder, asked_s=asked_s)
        return entry

    def lost(self, node: Node) -> None:
        """The server has not got it any more."""
        if node.parent is None:
            return  # the root stays, whatever the server says of it
        self._metadata.remove(node.uuid, node.parent.uuid)
        if node.change is None and not node.handles:  # who has it open may go on: an edit wins over a delete
            self.nodes.detach(node)

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
        self._metadata.put_listing(entry.id, (), asked_s=self._metadata.now_s, owner=entry.owner)

    def is_new(self, node: Node) -> bool:
        """Whether it is a folder that the server does not know yet: what is in it is known without asking."""
        return node.entry is not None and self._overlay.is_new(node.entry.id)

    def is_leaving(self, object_id: Uuid) -> bool:
        """Whether it was deleted here, though an answer still speaks of it."""
        return self._overlay.is_being_removed(object_id) or self._listings.was_removed(object_id)

    def hides(self, entry: Entry, folder: Uuid) -> bool:
        """Whether it is not seen here, though the server lists it: it goes, and nobody need wait for that."""
        return self._overlay.hides(entry, folder)

    def is_made_here(self, folder: Uuid, shown: str) -> bool:
        """Whether the name is that of something new, which the server may know of by now and has not said so."""
        return self._overlay.new_at(folder, shown) is not None

    def is_on_its_way(self, entry: Entry, folder: Uuid) -> bool:
        """Whether our own call tells what becomes of it; see Overlay."""
        return self._overlay.is_on_its_way(entry, folder)

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
