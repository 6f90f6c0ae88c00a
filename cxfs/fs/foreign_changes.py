"""What a change that the server tells of means here: for what is believed, for nodes, for the kernel. Asks nobody.

Everything goes by UUID, so that what this mount did itself is recognised when it is told back: what is known already
changes nothing. What is newer here than at the server is left alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from cxfs.core.names import escape
from cxfs.fs.resettling import Resettling

if TYPE_CHECKING:
    from cxfs.core.entries import Entry, Owner, Uuid
    from cxfs.core.feed import Change
    from cxfs.fs.groups import Groups
    from cxfs.fs.kernel import KernelCache
    from cxfs.fs.listings import Listings
    from cxfs.fs.node import Node
    from cxfs.fs.tree import Tree
    from cxfs.local.metadata import MetadataCache


class Place(NamedTuple):
    """Where an object stands: a folder, and the name that it is shown under there."""

    folder: Uuid
    shown: str


class FolderDates(Protocol):
    """Of folders, which are dated by the names that come and go in them."""

    def dated_elsewhere(self, folder: Node) -> None:
        """Others have names come and go there: the server's time counts."""
        ...


class ForeignChanges:
    """Of one mount. `take` is one step: between the look and the leap nothing happens."""

    def __init__(
        self,
        tree: Tree,
        listings: Listings,
        metadata: MetadataCache,
        groups: Groups,
        kernel: KernelCache,
        dates: FolderDates,
    ) -> None:
        self._tree = tree
        self._listings = listings
        self._metadata = metadata
        self._groups = groups
        self._kernel = kernel
        self._dates = dates

    def take(self, owner: Owner, change: Change, *, asked_s: float) -> int | None:
        """Takes a change of that owner's tree in, which was asked for then: what was done here since may be newer.

        The inode, where `stat` says something else now and that is all.
        """
        if change.entry is None:
            self._gone(owner, change.object)
            return None
        return self._there(self._groups.as_seen(change.entry), asked_s)

    # ------------------------------------------------------------ what is gone

    def _gone(self, owner: Owner, object_id: Uuid) -> None:
        node, place = self._tree.nodes.folder_of(object_id), self._place_of(object_id)
        known = self._known(object_id, node)
        if node is self._tree.root or (known is not None and known.owner != owner):
            return  # the root stays, whatever the server says of it; the other is in another tree by now
        self._listings.overtake(None if place is None else place.folder)
        self._listings.heard(object_id, None)
        if place is not None:
            if not self._tree.is_leaving(object_id):
                self._names_changed(place.folder)
            self._metadata.remove(object_id, place.folder)
        self._metadata.doubt_entry(object_id, None)
        self._metadata.doubt(*self._metadata.folders_below([object_id]))
        if node is not None:
            self._bury(node)
        elif place is not None:
            self._forget_name(place)

    def _bury(self, node: Node) -> None:
        parent, is_ours = node.parent, node.change is not None or self._tree.is_leaving(node.uuid)
        if parent is not None and node.kernel and not is_ours:
            self._kernel.forget_deleted(parent.inode, node.shown, node.inode)
        self._tree.lost(node)

    # ------------------------------------------------------------ what is there

    def _there(self, entry: Entry, asked_s: float) -> int | None:
        node, before = self._tree.nodes.folder_of(entry.id), self._place_of(entry.id)
        known = self._known(entry.id, node)
        if known is not None and (self._groups.as_seen(known) == entry or known.version > entry.version):
            return None
        if node is self._tree.root:
            self._metadata.put(entry, None)
            return self._update(node, known, entry)
        if entry.parent is None and before is None and entry.name:  # somewhere, and the server does not say where
            self._metadata.doubt_owner(entry.owner)
            return None
        if self._is_ours(entry, known, before, asked_s):
            return None if node is None or node.change is not None else node.inode
        if known is not None and known.owner != entry.owner:
            self._resettle(entry, node)
        folder = entry.parent or (before and before.folder)  # the folder of a group stays where it is
        self._listings.overtake(*(each for each in (folder, before and before.folder) if each is not None))
        self._listings.heard(entry.id, entry)
        if before != (None if folder is None else Place(folder, escape(entry.name))):
            self._names_changed(folder, None if before is None else before.folder)
        if before is not None and before.folder != folder:
            self._metadata.remove(entry.id, before.folder)
        if known is not None or self._is_listed(folder):
            self._metadata.put(entry, folder)
        self._place(node, entry, before)
        return None if node is None else self._update(node, known, entry)

    def _is_ours(self, entry: Entry, known: Entry | None, before: Place | None, asked_s: float) -> bool:
        """Whether what is told may be older than what was done here: the latter is believed, or the server asked again.

        An own call that has ended since the question was sent, or has not yet, is not told of in the order of answers.
        """
        there = None if entry.parent is None else Place(entry.parent, escape(entry.name))
        if self._tree.is_leaving(entry.id):
            if there is not None and there != before:  # if it cannot be deleted, it is there that it will be back
                self._metadata.doubt(there.folder)
            return True
        if known is None:
            return there is not None and self._tree.is_on_its_way(entry, there.folder)
        if not self._listings.was_done_since(entry.id, asked_s):
            return False
        for place in (before, there):
            if place is not None:
                self._metadata.doubt_entry(entry.id, place.folder)
                self._forget_name(place)
        return True

    def _resettle(self, entry: Entry, node: Node | None) -> None:
        """It has come from another owner's tree, with all below it."""
        self._metadata.doubt(*self._metadata.folders_below([entry.id]))
        if node is not None:
            Resettling(self._tree, self._metadata).settled(node, entry.owner)

    def _place(self, node: Node | None, entry: Entry, before: Place | None) -> None:
        """The names that mean something else now, and the node to where it stands."""
        if entry.parent is None:
            return
        now = self._place_of(entry.id) or Place(entry.parent, escape(entry.name))
        if node is not None and node.parent is not None and before is None:
            before = Place(node.parent.uuid, node.shown)
        if now == before:
            return
        if before is not None:
            self._forget_name(before)
        self._forget_name(now)
        folder = self._tree.nodes.folder_of(now.folder)
        if node is not None and folder is not None and not node.gone:
            self._tree.nodes.place(node, folder, now.shown)

    def _update(self, node: Node, known: Entry | None, entry: Entry) -> int | None:
        """What the node is; the inode, where only `stat` says something else."""
        self._tree.nodes.believe(node, entry)
        if not _is_known_to_kernel(node) or node.change is not None or known is None or _looks_alike(known, entry):
            return None
        if not node.is_folder and not node.handles and known.version != entry.version:
            self._kernel.drop_pages(node.inode)
            return None
        return node.inode

    # ------------------------------------------------------------ places and names

    def _names_changed(self, *folders: Uuid | None) -> None:
        for folder in folders:
            node = None if folder is None else self._tree.nodes.folder_of(folder)
            if node is not None:
                self._dates.dated_elsewhere(node)

    def _known(self, object_id: Uuid, node: Node | None) -> Entry | None:
        return self._metadata.last_known(object_id) or (node.entry if node is not None else None)

    def _place_of(self, object_id: Uuid) -> Place | None:
        """Where it is listed, as far as is known."""
        folder = self._metadata.folder_of(object_id)
        listing = None if folder is None else self._metadata.last_listing(folder)
        shown = None if listing is None else listing.name_of(object_id)
        return None if folder is None or shown is None else Place(folder, shown)

    def _is_listed(self, folder: Uuid | None) -> bool:
        return folder is not None and self._metadata.last_listing(folder) is not None

    def _forget_name(self, place: Place) -> None:
        """Unless it is the name of something new here: that is known best here."""
        folder = self._tree.nodes.folder_of(place.folder)
        if (
            folder is not None
            and _is_known_to_kernel(folder)
            and not self._tree.is_made_here(place.folder, place.shown)
        ):
            self._kernel.forget_name(folder.inode, place.shown)


def _is_known_to_kernel(node: Node) -> bool:
    """The root is from the start."""
    return node.kernel or node.parent is None


def _looks_alike(one: Entry, other: Entry) -> bool:
    """Whether `stat` says the same of both, and reading gives the same."""
    return (one.size, one.modified_ms) == (other.size, other.modified_ms) and (
        one.is_folder or one.version == other.version
    )
