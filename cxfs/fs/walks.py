"""Programs that walk through the tree (`find`, `rm -r`, `grep -r`): where they are, what they come to. Asks nobody.

A walk goes depth first. That a program walks is told by what it opens: a folder and at once the first one in it, or one
folder after the other, in one of the orders in which programs go through a folder. Nothing else is taken for a walk,
so that one who looks at a folder is not given the account.
"""

from __future__ import annotations

import math
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

import trio
from cachetools import LRUCache

from cxfs.core.procession import Members, Order, Step, Trail

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cxfs.core.entries import Entry, Uuid
    from cxfs.local.listing import Listing
    from cxfs.local.metadata import MetadataCache

WALK_ENTRIES_MAX: Final = 20_000
"""Of a folder: in larger ones, looking for what comes next would itself take long."""

FOLDERS_MAX: Final = 512
"""Folders of which is remembered what was visited in them: a walk needs one for each level that it is in."""

AT_ONCE_S: Final = 1.0
"""Within which a program goes on from a folder, or from a file in it, to the first one in it; people take longer."""

STEPS_OF_A_WALK: Final = {Order.LISTED: 1, Order.NAMED: 1, Order.NUMBERED: 2}
"""From folder to folder. Nobody sees the order of inode numbers, so that any folder may be the next in it by chance."""

DEPTH_MAX: Final = 100
"""Levels that a walk is followed upwards: folders that were moved about may seem to stand in each other."""

NO_STEP: Final = Step(Order.LISTED, 0)


class Place(NamedTuple):
    """Where a folder stands, and in which order a program goes through those beside it."""

    parent: Uuid
    order: Order


class Walks:
    """The walks through one mount."""

    def __init__(self, metadata: MetadataCache) -> None:
        self._metadata = metadata
        self._members: LRUCache[Uuid, tuple[Listing, Members]] = LRUCache(FOLDERS_MAX)
        self._folder_trails: LRUCache[Uuid, Trail] = LRUCache(FOLDERS_MAX)
        self._file_trails: LRUCache[Uuid, Trail] = LRUCache(FOLDERS_MAX)
        self._looked_through: LRUCache[Uuid, float] = LRUCache(FOLDERS_MAX)
        self._parents: LRUCache[Uuid, Uuid] = LRUCache(FOLDERS_MAX)
        self._walked: LRUCache[Uuid, Order] = LRUCache(FOLDERS_MAX)
        """Folders of which a program went through the folders in them, and in which order."""

    # ------------------------------------------------------------ what programs do

    def entered(self, folder: Uuid, parent: Uuid | None, *, to_list: bool) -> bool:
        """A program opened a folder `to_list` it, or asks for a name in it; whether it walks, as far as can be told."""
        step = self._visited(folder, parent, folders=True)
        if to_list:
            self._looked_through[folder] = trio.current_time()
        walks = step.steps >= STEPS_OF_A_WALK[step.order]
        if parent is not None:
            self._parents[folder] = parent
            if walks:
                self._walked[parent] = step.order
        return walks

    def read(self, file: Uuid, folder: Uuid) -> Step:
        """A program begins to read a file."""
        step = self._visited(file, folder, folders=False)
        if folder in self._looked_through:
            self._looked_through[folder] = trio.current_time()
        return step

    def _visited(self, member: Uuid, folder: Uuid | None, *, folders: bool) -> Step:
        members = self._members_of(folder) if folder is not None else None
        if members is None or folder is None:
            return NO_STEP
        trails = self._folder_trails if folders else self._file_trails
        trail = trails.get(folder)
        if trail is None:
            trail = trails[folder] = Trail(folders=folders)
        begins = trio.current_time() - self._looked_through.get(folder, -math.inf) <= AT_ONCE_S
        return trail.visit(member, members, begins=begins)

    # ------------------------------------------------------------ what comes next

    def folders_after(self, folder: Uuid, count: int) -> list[Entry]:
        """The next folders of a walk that has come to `folder`, as far as listings are known: what is in it first."""
        place = self._place_of(folder)
        order = place.order if place is not None else Order.LISTED
        return list(islice(self._folders_after(folder, order), count))

    def _folders_after(self, folder: Uuid, order: Order) -> Iterator[Entry]:
        yield from self._folders_below(folder, order)
        for _ in range(DEPTH_MAX):
            place = self._place_of(folder)
            members = self._members_of(place.parent) if place is not None else None
            if place is None or members is None:
                return
            row = members.row(place.order, folders=True)
            for sibling in row.entries[row.places.get(folder, len(row.entries)) + 1 :]:
                yield sibling
                yield from self._folders_below(sibling.id, place.order)
            folder = place.parent

    def _folders_below(self, folder: Uuid, order: Order) -> Iterator[Entry]:
        members = self._members_of(folder)
        for child in members.row(order, folders=True).entries if members is not None else ():
            yield child
            yield from self._folders_below(child.id, order)

    def files_in(self, folder: Uuid) -> Sequence[Entry]:
        """All files of a folder, where its listing is known."""
        members = self._members_of(folder)
        return members.row(Order.LISTED, folders=False).entries if members is not None else ()

    def files_after(self, file: Uuid, folder: Uuid, order: Order, count: int) -> list[Entry]:
        """The files that a program comes to which reads those of `folder` in this order, and has come to `file`.

        Folders on the way are gone into where the program walks, and their listing is known. They count too.
        """
        return [entry for entry in islice(self._all_after(file, folder, order), count) if not entry.is_folder]

    def _all_after(self, member: Uuid, folder: Uuid, order: Order) -> Iterator[Entry]:
        for _ in range(DEPTH_MAX):
            members = self._members_of(folder)
            if members is None:
                return
            place = self._place_of(folder)
            goes_down = place is not None or folder in self._walked
            at = members.place(member, order)
            for entry in islice(members.arranged(order), at + 1, None):
                yield entry
                if entry.is_folder and goes_down:
                    yield from self._all_below(entry.id, order)
            if place is None:
                return
            member, folder = folder, place.parent

    def _all_below(self, folder: Uuid, order: Order) -> Iterator[Entry]:
        members = self._members_of(folder) if self._metadata.is_fresh(folder) else None
        for entry in members.arranged(order) if members is not None else ():
            yield entry
            if entry.is_folder:
                yield from self._all_below(entry.id, order)

    def _place_of(self, folder: Uuid) -> Place | None:
        parent = self._parents.get(folder)
        order = self._walked.get(parent) if parent is not None else None
        return Place(parent, order) if parent is not None and order is not None else None

    def _members_of(self, folder: Uuid) -> Members | None:
        listing = self._metadata.last_listing(folder)
        if listing is None or len(listing) > WALK_ENTRIES_MAX:
            return None
        known = self._members.get(folder)
        if known is not None and known[0] is listing:
            return known[1]
        members = Members(listing.by_shown)
        self._members[folder] = listing, members
        return members
