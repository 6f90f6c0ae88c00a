"""What is believed about names and for how long: paths to UUID paths, in memory. Asks nobody; the tree does.

A path is resolved one edge at a time, (folder's UUID, shown name) → entry with its UUID path, so that renaming a folder
moves one edge and not every path below it. Three kinds of knowledge, each with its time to live: whole listings (and
every name in them), single entries, and names known to be absent. The clock is handed in; cachetools bounds the number.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from cachetools import LRUCache

from cxfs.core.names import escape, shown_names, tagged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cxfs.core.entries import Entry, Owner, Uuid

ABSENT_NAMES_MAX: Final = 50_000
"""Names known to be absent that are kept; programs probe many, each is a few dozen bytes."""

SINGLES_MAX: Final = 50_000
"""Entries known by themselves, not through a listing."""


class Listing:
    """All entries of one folder by the names they are shown under, amended by what this mount does itself.

    `is_whole`: whether it is believed in what it lacks, too, and shown.
    """

    __slots__ = ("_names", "by_shown", "expires", "is_whole", "taken")

    def __init__(self, entries: Iterable[Entry], *, taken: float, expires: float, is_whole: bool = True) -> None:
        self.by_shown: dict[str, Entry] = shown_names(entries)
        self._names: dict[Uuid, str] = {entry.id: shown for shown, entry in self.by_shown.items()}
        self.taken = taken
        self.expires = expires
        self.is_whole = is_whole

    def __len__(self) -> int:
        return len(self.by_shown)

    def name_of(self, object_id: Uuid) -> str | None:
        """The name that an object is shown under here."""
        return self._names.get(object_id)

    def put(self, entry: Entry) -> None:
        """The object is here, under its own name; a name taken by another object stays the other's."""
        self.remove(entry.id)
        shown = escape(entry.name)
        if shown in self.by_shown or len(shown.encode()) > 255:
            shown = tagged(entry.name, entry.id)
        self.by_shown[shown] = entry
        self._names[entry.id] = shown

    def remove(self, object_id: Uuid) -> None:
        """The object is here no longer."""
        shown = self._names.pop(object_id, None)
        if shown is not None:
            del self.by_shown[shown]


class Known(NamedTuple):
    """What is believed of one name: `entry` None means that it is absent; for `remaining_s` more seconds."""

    entry: Entry | None
    remaining_s: float


@dataclass(frozen=True, slots=True)
class MetadataStatistics:
    """A snapshot of the cache."""

    listings: int
    listed_entries: int
    single_entries: int
    absent_names: int
    hits: int
    misses: int


class MetadataCache:
    """The cache of one mount. `timer` gives seconds that never run backwards; `entries_max` counts listed entries."""

    def __init__(self, *, entries_max: int, ttl_s: float, negative_ttl_s: float, timer: Callable[[], float]) -> None:
        self.ttl_s = ttl_s
        self._negative_ttl_s = negative_ttl_s
        self._timer = timer
        # Sizes are those at insertion; `put_listing`, `put` and `remove` insert again, so that the bound stays true.
        self._listings: LRUCache[Uuid, Listing] = LRUCache(entries_max, getsizeof=lambda listing: len(listing) + 1)
        self._singles: LRUCache[Uuid, tuple[Entry, float]] = LRUCache(SINGLES_MAX)
        self._absent: LRUCache[tuple[Uuid, str], float] = LRUCache(ABSENT_NAMES_MAX)
        self._hits = 0
        self._misses = 0

    # ------------------------------------------------------------ asking

    def listing(self, folder: Uuid) -> Listing | None:
        """The folder's listing while it is fresh."""
        fresh = self.is_fresh(folder)
        self._count(hit=fresh)
        return self._listings.get(folder) if fresh else None

    def is_fresh(self, folder: Uuid) -> bool:
        """Whether the folder's listing is believed. Counts as nobody's question."""
        listing = self._listings.get(folder)
        return listing is not None and listing.is_whole and self._timer() < listing.expires

    def last_listing(self, folder: Uuid) -> Listing | None:
        """The folder's listing however old: to compare with, not to believe."""
        return self._listings.get(folder)

    def child(self, folder: Uuid, shown: str) -> Known | None:
        """What is believed of a name in a folder; None when the server must be asked.

        A name missing from a fresh listing is believed absent for the negative time to live only, since somebody may
        have made it meanwhile.
        """
        now = self._timer()
        known = self._child(folder, shown, now)
        self._count(hit=known is not None)
        return known

    def _child(self, folder: Uuid, shown: str, now: float) -> Known | None:
        listing = self._listings.get(folder)
        if listing is not None and now < listing.expires:
            entry = listing.by_shown.get(shown)
            if entry is not None:
                return Known(entry, listing.expires - now)
            if listing.is_whole and now < listing.taken + self._negative_ttl_s:
                return Known(None, listing.taken + self._negative_ttl_s - now)
        absent_until = self._absent.get((folder, shown), now)
        return Known(None, absent_until - now) if now < absent_until else None

    def entry(self, object_id: Uuid, folder: Uuid | None) -> Known | None:
        """What is believed of an object that stands in `folder`; None when the server must be asked."""
        now = self._timer()
        found, expires = self._singles.get(object_id, (None, now))
        listing = self._listings.get(folder) if folder is not None else None
        if listing is not None and listing.expires >= expires:  # what expires later was learnt later
            shown = listing.name_of(object_id)
            found, expires = (listing.by_shown[shown], listing.expires) if shown is not None else (found, expires)
        self._count(hit=found is not None and now < expires)
        return Known(found, expires - now) if found is not None and now < expires else None

    # ------------------------------------------------------------ being told

    def put_listing(
        self, folder: Uuid, entries: Iterable[Entry], *, believed_s: float = math.inf, is_whole: bool = True
    ) -> Listing:
        """The server has just listed the folder. A listing over the bound is returned and not kept.

        `believed_s`: for no longer than this, until it is `looked_at`, as one that `is_whole` can be.
        """
        now = self._timer()
        listing = Listing(entries, taken=now, expires=now + min(believed_s, self.ttl_s), is_whole=is_whole)
        self._keep(folder, listing)
        return listing

    def looked_at(self, folder: Uuid) -> None:
        """A program was shown the folder: its listing is believed like any other, from when it was taken."""
        listing = self._listings.get(folder)
        if listing is not None and listing.is_whole:
            listing.expires = listing.taken + self.ttl_s

    def put(self, entry: Entry, folder: Uuid | None) -> None:
        """The server has just described this object, which stands in `folder`, or this mount has just changed it."""
        self._singles[entry.id] = (entry, self._timer() + self.ttl_s)
        listing = self._listings.get(folder) if folder is not None else None
        if folder is not None:
            self._absent.pop((folder, escape(entry.name)), None)
        if folder is not None and listing is not None:
            listing.put(entry)
            self._keep(folder, listing)

    def remove(self, object_id: Uuid, folder: Uuid | None) -> None:
        """The object is gone from `folder`; its name is believed absent."""
        self._singles.pop(object_id, None)
        listing = self._listings.get(folder) if folder is not None else None
        if folder is None or listing is None:
            return
        shown = listing.name_of(object_id)
        if shown is not None:
            self._absent[folder, shown] = self._timer() + self._negative_ttl_s
            listing.remove(object_id)
            self._keep(folder, listing)

    def doubt(self, *folders: Uuid) -> None:
        """Something failed half-way in these folders: ask again before believing anything of them."""
        for folder in folders:
            self._doubt_listing(folder)
        self._absent.clear()

    def doubt_entry(self, object_id: Uuid, folder: Uuid | None) -> None:
        """What is believed of one object proved wrong: ask again."""
        self._singles.pop(object_id, None)
        if folder is not None:
            self._doubt_listing(folder)

    def _doubt_listing(self, folder: Uuid) -> None:
        """It stays for who cannot ask: what is doubtful is of more use than nothing."""
        listing = self._listings.get(folder)
        if listing is not None:
            listing.taken = listing.expires = -math.inf

    def doubt_owner(self, owner: Owner) -> None:
        """Something of this owner's tree went to another's: ask again before believing anything of either's folders."""
        for folder, listing in list(self._listings.items()):
            if any(entry.owner == owner for entry in listing.by_shown.values()):
                del self._listings[folder]
        for object_id in [each for each, (entry, _) in self._singles.items() if entry.owner == owner]:
            del self._singles[object_id]

    def statistics(self) -> MetadataStatistics:
        """How much is known, and how often it sufficed."""
        return MetadataStatistics(
            listings=len(self._listings),
            listed_entries=int(self._listings.currsize) - len(self._listings),
            single_entries=len(self._singles),
            absent_names=len(self._absent),
            hits=self._hits,
            misses=self._misses,
        )

    def _keep(self, folder: Uuid, listing: Listing) -> None:
        if len(listing) + 1 <= self._listings.maxsize:
            self._listings[folder] = listing
        else:
            self._listings.pop(folder, None)

    def _count(self, *, hit: bool) -> None:
        self._hits += hit
        self._misses += not hit
