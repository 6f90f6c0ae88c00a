"""Who walks through a tree (`rm -r`, `find`, `du`) finds the next folders listed already. Says which; lists none.

A program that opens one folder of a parent and then the next, in the order that they are listed in, goes on with the
others, as far as anybody can tell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cachetools import LRUCache

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cxfs.core.entries import Entry, Uuid

AHEAD_MAX: Final = 8
"""Folders listed ahead of a walk: at a round trip of 100 ms it then takes a program 12 ms a folder."""

WALK_ENTRIES_MAX: Final = 1_000
"""Of a parent: in larger ones, looking for what comes next would itself take long."""

AHEAD_BELIEVED_S: Final = 5.0
"""What was listed ahead and nobody has looked at by then is asked for again: it saves a walk its round trips, and who
comes by later is not shown what was there before.
"""

WALKS_MAX: Final = 64
"""Parents whose last opened folder is remembered: a walk has one for each level that it is in."""


class Walks:
    """The walks through one mount."""

    def __init__(self) -> None:
        self._last: LRUCache[Uuid, Uuid] = LRUCache(WALKS_MAX)

    def opened(self, folder: Uuid, parent: Uuid, siblings: Iterable[Entry]) -> list[Entry]:
        """A folder of `parent` was opened: which of its `siblings`, in their order, are likely to be next."""
        before = self._last.get(parent)
        self._last[parent] = folder
        if before is None or before == folder:
            return []
        folders = [entry for entry in siblings if entry.is_folder]
        at = next((at for at, entry in enumerate(folders) if entry.id == folder), 0)
        is_walk = at > 0 and folders[at - 1].id == before
        return folders[at + 1 : at + 1 + AHEAD_MAX] if is_walk else []
