"""Whole folders, asked for once however many want one, and true to what this mount does meanwhile. Knows no nodes."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import trio
from cachetools import LRUCache

from cxfs.core.errors import CxfsError
from cxfs.core.procession import Window
from cxfs.fs.flights import Flights
from cxfs.fs.resettling import asked_at

if TYPE_CHECKING:
    from collections.abc import Callable

    from cxfs.core.entries import Entry, Path, Uuid
    from cxfs.fs.changes import Change
    from cxfs.fs.errands import Errand
    from cxfs.fs.flights import Flight
    from cxfs.fs.supervisor import Nursery
    from cxfs.fs.walks import Walks
    from cxfs.local.listing import Listing
    from cxfs.local.metadata import MetadataCache


log = logging.getLogger(__name__)


class FolderListing(Protocol):
    """One answer of the server: the folder itself and all that is in it."""

    @property
    def folder(self) -> Entry:
        """The folder itself."""
        ...

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Everything in it."""
        ...


class FolderSource(Protocol):
    """The part of the File API that the tree reads from."""

    async def listing(self, path: Path) -> FolderListing:
        """Everything in a folder."""
        ...

    async def entry(self, path: Path) -> Entry:
        """One object."""
        ...


@dataclass(frozen=True, slots=True)
class Edit:
    """What this mount did to a folder while a listing of it was on its way."""

    put: Entry | None
    removed: Uuid | None


class Child(NamedTuple):
    """One line of a listing: a name and what stands behind it; `making` where that is a folder not made yet."""

    shown: str
    entry: Entry | None
    change: Change | None
    making: Errand | None = None


@dataclass(frozen=True, slots=True)
class ListingStatistics:
    """A snapshot: folders listed ahead of walks since the start, and those of them that no program looked at."""

    ahead: int
    unused: int


AHEAD_MIN: Final = 8
AHEAD_MAX: Final = 32
"""Folders listed ahead of a walk, and of one that has to wait all the same: at a round trip of 100 ms it then takes a
program some 4 ms a folder.
"""

PACE_S: Final = 0.003
"""A folder in this time is as fast as it can be told of: where a walk waits and so many come, more at a time would only
cost connections.
"""

AHEAD_BELIEVED_S: Final = 5.0
"""What was listed ahead and nobody has looked at by then is asked for again: it saves a walk its round trips, and who
comes by later is not shown what was there before.
"""

FIRST_LOOK_S: Final = 1.0
"""What is mounted is most likely looked at just then, and by nobody for hours if not."""

REMOVED_MAX: Final = 10_000
"""Objects taken away here that are still recognised when an older answer speaks of them."""

HEARD_MAX: Final = 10_000
HEARD_S: Final = 120.0
"""News of others that is compared with answers that may be older: more, and longer, than answers are on their way."""


class Listings:
    """The listings of one mount, on their way from the server into the cache.

    `on_ahead` is called when a folder was listed that a walk will come to, and tells whether more of them are of use.
    """

    def __init__(
        self,
        files: FolderSource,
        background: FolderSource,
        metadata: MetadataCache,
        walks: Walks,
        nursery: Nursery,
        *,
        on_ahead: Callable[[], bool],
    ) -> None:
        self._files = files
        self._background = background
        self._nursery = nursery
        self._walks = walks
        self._metadata = metadata
        self._on_ahead = on_ahead
        self._walk: tuple[Uuid, Callable[[Entry], Path]] | None = None
        self._window = Window(least=AHEAD_MIN, most=AHEAD_MAX)
        self._ahead: dict[Uuid, bool] = {}
        self._took_s = 0.0
        self._ahead_count = 0
        self._unused_count = 0
        self._flights: Flights[Uuid, tuple[Listing, Entry]] = Flights(nursery)
        self._edits: dict[Uuid, list[Edit]] = {}
        self._overtaken: set[Uuid] = set()
        self._done: LRUCache[Uuid, float] = LRUCache(HEARD_MAX)
        self._heard: LRUCache[Uuid, tuple[Entry | None, float]] = LRUCache(HEARD_MAX)
        self._removed: LRUCache[Uuid, bool] = LRUCache(REMOVED_MAX)

    async def now(self, address: Callable[[], Path], folder: Uuid) -> tuple[Listing, Entry]:
        """The listing as the server has it now, and the folder itself, wherever it stands. Raises NotFound."""
        listing, entry = await self._flights.join(folder, lambda: self._fetch(address, folder, self._files))
        listing.is_whole = True  # it came after it was asked for, whoever asked first
        return listing, entry

    def list_for_a_first_look(self, address: Callable[[], Path], folder: Uuid) -> None:
        """The folder that is being mounted, before anybody asks. Fails in silence: whoever looks is told.

        It answers for what is in it. Whoever lists the folder, or misses something there, may have just put it there.
        """
        ask = partial(self._fetch, address, folder, self._files, believed_s=FIRST_LOOK_S, is_whole=False)
        self._flights.begin(folder, ask)

    def entered(
        self, folder: Uuid, parent: Uuid | None, address: Callable[[Entry], Path], *, to_list: bool = False
    ) -> None:
        """A program opened a folder of `parent` `to_list` it, or asks for a name in it.

        What a walk comes to next is listed in the background, before anybody waits for this folder itself.
        """
        was_listed_ahead = self._ahead.pop(folder, False)
        is_fresh = self._metadata.is_fresh(folder)
        if is_fresh:
            self._metadata.looked_at(folder)
        elif was_listed_ahead and folder not in self._flights:
            self._was_useless()
        if self._walks.entered(folder, parent, to_list=to_list) and (was_listed_ahead or not is_fresh):
            if not is_fresh and self._took_s > self._window.size * PACE_S:
                self._window.grow()
            self._walk = folder, address
            self._list_ahead()

    def looked_at(self, folder: Uuid) -> None:
        """A program was shown the folder, which it had to wait for; what is in it comes next, where it walks."""
        self._metadata.looked_at(folder)
        self._ahead.pop(folder, None)
        if self._walk is not None and self._walk[0] == folder:
            self._list_ahead()

    def is_listed_ahead(self, folder: Uuid) -> bool:
        """Whether nobody has looked at the folder yet."""
        return folder in self._ahead

    def statistics(self) -> ListingStatistics:
        """How many folders were listed ahead, and how many of them for nothing."""
        return ListingStatistics(self._ahead_count, self._unused_count)

    def _list_ahead(self) -> None:
        """What the last walk comes to next, as far as it is neither known nor asked for."""
        self._forget_useless()
        if self._walk is None:
            return
        folder, address = self._walk
        for entry in self._walks.folders_after(folder, self._window.size):
            if not (entry.id in self._ahead or entry.id in self._flights or self._metadata.is_fresh(entry.id)):
                self._ahead[entry.id] = True
                self._ahead_count += 1
                ask = partial(
                    self._fetch, partial(address, entry), entry.id, self._background, believed_s=AHEAD_BELIEVED_S
                )
                self._nursery.start_soon(self._follow, entry.id, self._flights.begin(entry.id, ask))

    def _forget_useless(self) -> None:
        """Those that nobody has looked at for as long as they were to be believed."""
        for folder in list(self._ahead):
            if folder in self._flights or self._metadata.is_fresh(folder):
                return
            del self._ahead[folder]
            self._was_useless()

    def _was_useless(self) -> None:
        self._unused_count += 1
        self._window.shrink()

    async def _follow(self, folder: Uuid, flight: Flight[tuple[Listing, Entry]]) -> None:
        """What a listing ahead of a walk leads to, once it is there."""
        try:
            await flight.answered()
        except CxfsError as error:
            log.debug("a folder could not be listed ahead: %s", error)
            self._ahead.pop(folder, None)
            return
        if self._on_ahead():
            self._window.grow()
        self._list_ahead()

    async def _fetch(
        self,
        address: Callable[[], Path],
        folder: Uuid,
        files: FolderSource,
        *,
        believed_s: float = math.inf,
        is_whole: bool = True,
    ) -> tuple[Listing, Entry]:
        edits = self._edits[folder] = []
        began, asked_s = trio.current_time(), self._metadata.now_s
        try:
            answer = await asked_at(address, files.listing)
        finally:
            del self._edits[folder]
            self._took_s = trio.current_time() - began
            was_overtaken = folder in self._overtaken
            self._overtaken.discard(folder)
        listing = self._metadata.put_listing(
            folder,
            answer.entries,
            believed_s=believed_s,
            is_whole=is_whole,
            asked_s=asked_s,
            owner=answer.folder.owner,
        )
        for edit in edits:  # the answer may be older than what was done here while it travelled
            if edit.removed is not None:
                listing.remove(edit.removed)
            if edit.put is not None:
                listing.put(edit.put)
        if was_overtaken:
            self._metadata.doubt(folder)
        return listing, answer.folder

    # ------------------------------------------------------------ what others did

    def overtake(self, *folders: Uuid | None) -> None:
        """Something became of these folders: a listing that is on its way may be older, and is asked for again then.

        None: of a folder that is not known, which may be any.
        """
        for folder in self._edits if None in folders else folders:
            if folder is not None and folder in self._edits:
                self._overtaken.add(folder)

    def heard(self, object_id: Uuid, entry: Entry | None) -> None:
        """News of an object, which is `entry` now or gone: an answer that is on its way may be older."""
        self._heard[object_id] = entry, self._metadata.now_s

    def described(self, entry: Entry, folder: Uuid | None, *, asked_s: float) -> None:
        """The server has described the object, which was asked for then."""
        self._metadata.put(entry, folder, asked_s=asked_s)
        self._compare(entry, folder)

    def was_done_since(self, object_id: Uuid, since_s: float) -> bool:
        """Whether an own call about the object has been answered since then: what was asked before may be older."""
        return self._done.get(object_id, -math.inf) >= since_s

    def _compare(self, entry: Entry, folder: Uuid | None) -> None:
        """What was heard while this answer was on its way may be newer: then the server is asked again."""
        news, heard_s = self._heard.pop(entry.id, (entry, -math.inf))
        if news == entry or heard_s < self._metadata.now_s - HEARD_S:
            return
        if news is None or news.version >= entry.version:
            self._metadata.doubt_entry(entry.id, folder)
            if news is not None and news.parent is not None:
                self._metadata.doubt(news.parent)

    # ------------------------------------------------------------ what this mount did

    def put(self, entry: Entry, folder: Uuid) -> None:
        """The object is in the folder now, by our own doing."""
        self._metadata.put(entry, folder)
        self._compare(entry, folder)
        self._done[entry.id] = trio.current_time()
        self._removed.pop(entry.id, None)
        if folder in self._edits:
            self._edits[folder].append(Edit(put=entry, removed=None))

    def remove(self, object_id: Uuid, folder: Uuid) -> None:
        """The object is no longer in the folder, by our own doing."""
        self._metadata.remove(object_id, folder)
        self._removed[object_id] = True
        if folder in self._edits:
            self._edits[folder].append(Edit(put=None, removed=object_id))

    def was_removed(self, object_id: Uuid) -> bool:
        """Whether the object was taken away by our own doing: what still speaks of it is old."""
        return object_id in self._removed
