"""What is believed about names and for how long: paths to UUID paths, in memory. Asks nobody; the tree does.

A path is resolved one edge at a time, (folder's UUID, shown name) → entry with its UUID path, so that renaming a folder
moves one edge and not every path below it. Three kinds of knowledge, each with its time to live: whole listings (and
every name in them), single entries, and names known to be absent. What a feed vouches for is believed for longer. The
clock is handed in; cachetools bounds the number.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from cachetools import LRUCache

from cxfs.core.names import escape
from cxfs.local.listing import Listing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cxfs.core.entries import Entry, Owner, Uuid
    from cxfs.core.feed import Coverage

ABSENT_NAMES_MAX: Final = 50_000
"""Names known to be absent that are kept; programs probe many, each is a few dozen bytes."""

SINGLES_MAX: Final = 50_000
"""Entries known by themselves, not through a listing."""


class Known(NamedTuple):
    """What is believed of one name: `entry` None means that it is absent; for `remaining_s` more seconds.

    Never for more than the time to live, though a feed may vouch for it longer: the kernel is told this number, and of
    what it holds itself nobody can take anything back at once.
    """

    entry: Entry | None
    remaining_s: float


class Single(NamedTuple):
    """An entry known by itself: until when by its time to live, and when it was asked for."""

    entry: Entry
    expires: float
    asked: float


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
    """The cache of one mount. `timer` gives seconds that never run backwards; `entries_max` counts listed entries.

    `feed_ttl_s`: how long at the most something is believed that a feed vouches for.
    """

    def __init__(
        self,
        *,
        entries_max: int,
        ttl_s: float,
        negative_ttl_s: float,
        timer: Callable[[], float],
        feed_ttl_s: float = 0.0,
    ) -> None:
        self.ttl_s = ttl_s
        self._negative_ttl_s = negative_ttl_s
        self._feed_ttl_s = feed_ttl_s
        self._timer = timer
        self._coverage: dict[Owner, Coverage] = {}
        self._places: dict[Uuid, Uuid] = {}
        # Sizes are those at insertion; `put_listing`, `put` and `remove` insert again, so that the bound stays true.
        self._listings: LRUCache[Uuid, Listing] = LRUCache(entries_max, getsizeof=lambda listing: len(listing) + 1)
        self._singles: LRUCache[Uuid, Single] = LRUCache(SINGLES_MAX)
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
        return listing is not None and listing.is_whole and self._timer() < self._until(listing)

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
        until = -math.inf if listing is None else self._until(listing)
        if listing is not None and now < until:
            entry = listing.by_shown.get(shown)
            if entry is not None:
                return Known(entry, min(until - now, self.ttl_s))
            absent_until = max(listing.taken + self._negative_ttl_s, self._covered_until(listing.owner, listing.asked))
            if listing.is_whole and now < absent_until:
                return Known(None, min(absent_until - now, self._negative_ttl_s))
        absent_until = self._absent.get((folder, shown), now)
        return Known(None, absent_until - now) if now < absent_until else None

    def entry(self, object_id: Uuid, folder: Uuid | None) -> Known | None:
        """What is believed of an object that stands in `folder`; None when the server must be asked."""
        now = self._timer()
        single = self._singles.get(object_id)
        found, expires, until = (
            (None, -math.inf, -math.inf) if single is None else (*single[:2], self._single_until(single))
        )
        listing = self._listings.get(folder) if folder is not None else None
        if listing is not None and listing.expires >= expires:  # what expires later was learnt later
            shown = listing.name_of(object_id)
            if shown is not None:
                found, until = listing.by_shown[shown], self._until(listing)
        self._count(hit=found is not None and now < until)
        return Known(found, min(until - now, self.ttl_s)) if found is not None and now < until else None

    def last_known(self, object_id: Uuid) -> Entry | None:
        """What was last heard of an object, however old."""
        folder = self.folder_of(object_id)
        if folder is not None:
            listing = self._listings[folder]
            return listing.by_shown[listing.name_of(object_id) or ""]
        single = self._singles.get(object_id)
        return None if single is None else single.entry

    def folder_of(self, object_id: Uuid) -> Uuid | None:
        """The folder in whose listing the object stands, where there is one."""
        folder = self._places.get(object_id)
        listing = None if folder is None else self._listings.get(folder)
        return None if listing is None or listing.name_of(object_id) is None else folder

    def folders_below(self, folders: Iterable[Uuid]) -> set[Uuid]:
        """These, and what is listed below them."""
        found: set[Uuid] = set()
        left = list(folders)
        while left:
            folder = left.pop()
            if folder in found:
                continue
            found.add(folder)
            listing = self._listings.get(folder)
            if listing is not None:
                left += [entry.id for entry in listing.by_shown.values() if entry.is_folder]
        return found

    @property
    def now_s(self) -> float:
        """By the clock of what is kept here."""
        return self._timer()

    # ------------------------------------------------------------ being told

    def cover(self, owner: Owner, coverage: Coverage | None) -> None:
        """What the feed of this owner's tree vouches for from now on; None: there is none."""
        if coverage is None:
            self._coverage.pop(owner, None)
        else:
            self._coverage[owner] = coverage

    def put_listing(
        self,
        folder: Uuid,
        entries: Iterable[Entry],
        *,
        believed_s: float = math.inf,
        is_whole: bool = True,
        asked_s: float = -math.inf,
        owner: Owner | None = None,
    ) -> Listing:
        """The server has just listed the folder. A listing over the bound is returned and not kept.

        `believed_s`: for no longer than this, until it is `looked_at`, as one that `is_whole` can be. `asked_s` is when
        it was asked for, of the tree of `owner`: for the feed.
        """
        now = self._timer()
        listing = Listing(
            entries,
            taken=now,
            expires=now + min(believed_s, self.ttl_s),
            is_whole=is_whole,
            asked=asked_s,
            owner=owner,
        )
        self._keep(folder, listing)
        if folder in self._listings:
            self._places.update(dict.fromkeys(listing.objects(), folder))
            self._forget_places()
        return listing

    def looked_at(self, folder: Uuid) -> None:
        """A program was shown the folder: its listing is believed like any other, from when it was taken."""
        listing = self._listings.get(folder)
        if listing is not None and listing.is_whole:
            listing.expires = listing.taken + self.ttl_s

    def put(self, entry: Entry, folder: Uuid | None, *, asked_s: float | None = None) -> None:
        """The server has just described this object, which stands in `folder`, or this mount has just changed it.

        `asked_s`: when it was asked for, if that was not now.
        """
        now = self._timer()
        self._singles[entry.id] = Single(entry, now + self.ttl_s, now if asked_s is None else asked_s)
        listing = self._listings.get(folder) if folder is not None else None
        if folder is not None:
            self._absent.pop((folder, escape(entry.name)), None)
        if folder is not None and listing is not None:
            listing.put(entry)
            self._keep(folder, listing)
            self._places[entry.id] = folder

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
            listing.taken = listing.expires = listing.asked = -math.inf

    def doubt_owner(self, owner: Owner) -> None:
        """Something of this owner's tree went to another's: ask again before believing anything of either's folders."""
        for folder, listing in list(self._listings.items()):
            if any(entry.owner == owner for entry in listing.by_shown.values()):
                del self._listings[folder]
        for object_id in [each for each, single in self._singles.items() if single.entry.owner == owner]:
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

    def _until(self, listing: Listing) -> float:
        """Until when a listing is believed."""
        return max(listing.expires, self._covered_until(listing.owner, listing.asked))

    def _single_until(self, single: Single) -> float:
        return max(single.expires, self._covered_until(single.entry.owner, single.asked))

    def _covered_until(self, owner: Owner | None, asked_s: float) -> float:
        coverage = None if owner is None else self._coverage.get(owner)
        if coverage is None:
            return -math.inf
        return coverage.believed_until(asked_s, ttl_s=self.ttl_s, feed_ttl_s=self._feed_ttl_s)

    def _forget_places(self) -> None:
        """Those of listings that are kept no more, when they are many."""
        if len(self._places) > 2 * self._listings.maxsize:
            self._places = {each: folder for folder, kept in self._listings.items() for each in kept.objects()}

    def _keep(self, folder: Uuid, listing: Listing) -> None:
        if len(listing) + 1 <= self._listings.maxsize:
            self._listings[folder] = listing
        else:
            self._listings.pop(folder, None)

    def _count(self, *, hit: bool) -> None:
        self._hits += hit
        self._misses += not hit
