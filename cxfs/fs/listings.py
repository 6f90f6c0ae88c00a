"""Whole folders, asked for once however many want one, and true to what this mount does meanwhile. Knows no nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from cachetools import LRUCache

from cxfs.fs.flights import Flights

if TYPE_CHECKING:
    import trio

    from cxfs.core.entries import Entry, Path, Uuid
    from cxfs.fs.changes import Change
    from cxfs.fs.errands import Errand
    from cxfs.local.metadata import Listing, MetadataCache


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


@dataclass(frozen=True, slots=True)
class Child:
    """One line of a listing: a name and what stands behind it; `making` where that is a folder not made yet."""

    shown: str
    entry: Entry | None
    change: Change | None
    making: Errand | None = None


REMOVED_MAX: Final = 10_000
"""Objects taken away here that are still recognised when an older answer speaks of them."""


class Listings:
    """The listings of one mount, on their way from the server into the cache."""

    def __init__(self, files: FolderSource, metadata: MetadataCache, nursery: trio.Nursery) -> None:
        self._files = files
        self._metadata = metadata
        self._flights: Flights[Uuid, tuple[Listing, Entry]] = Flights(nursery)
        self._edits: dict[Uuid, list[Edit]] = {}
        self._removed: LRUCache[Uuid, bool] = LRUCache(REMOVED_MAX)

    async def now(self, path: Path, folder: Uuid) -> tuple[Listing, Entry]:
        """The listing as the server has it now, and the folder itself. Raises NotFound."""
        return await self._flights.join(folder, lambda: self._fetch(path, folder))

    async def _fetch(self, path: Path, folder: Uuid) -> tuple[Listing, Entry]:
        edits = self._edits[folder] = []
        try:
            answer = await self._files.listing(path)
        finally:
            del self._edits[folder]
        listing = self._metadata.put_listing(folder, answer.entries)
        for edit in edits:  # the answer may be older than what was done here while it travelled
            if edit.removed is not None:
                listing.remove(edit.removed)
            if edit.put is not None:
                listing.put(edit.put)
        return listing, answer.folder

    def put(self, entry: Entry, folder: Uuid) -> None:
        """The object is in the folder now, by our own doing."""
        self._metadata.put(entry, folder)
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
