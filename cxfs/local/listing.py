"""One folder as it was listed, by the names its entries are shown under. Believes nothing; the cache of names does."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cxfs.core.names import escape, shown_names, tagged

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cxfs.core.entries import Entry, Owner, Uuid


class Listing:
    """All entries of one folder by the names they are shown under, amended by what this mount does itself.

    `is_whole`: whether it is believed in what it lacks, too, and shown. `asked`: when the server was; `owner`: whose
    tree it is of, where that is known.
    """

    __slots__ = ("_names", "asked", "by_shown", "expires", "is_whole", "owner", "taken")

    def __init__(
        self,
        entries: Iterable[Entry],
        *,
        taken: float,
        expires: float,
        is_whole: bool = True,
        asked: float = -math.inf,
        owner: Owner | None = None,
    ) -> None:
        self.by_shown: dict[str, Entry] = shown_names(entries)
        self._names: dict[Uuid, str] = {entry.id: shown for shown, entry in self.by_shown.items()}
        self.taken = taken
        self.expires = expires
        self.is_whole = is_whole
        self.asked = asked
        self.owner = owner

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

    def objects(self) -> Iterable[Uuid]:
        """All that is here."""
        return self._names

    def remove(self, object_id: Uuid) -> None:
        """The object is here no longer."""
        shown = self._names.pop(object_id, None)
        if shown is not None:
            del self.by_shown[shown]
