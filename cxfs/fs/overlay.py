"""What this mount did and the server does not know yet, laid over its listings: new names, and names that are gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxfs.core.names import escape, unescape
from cxfs.fs.listings import Child

if TYPE_CHECKING:
    from collections.abc import Callable

    from cxfs.core.entries import Entry, Uuid
    from cxfs.fs.changes import Change, Changes
    from cxfs.fs.errands import Errand, Errands
    from cxfs.local.listing import Listing


class Overlay:
    """Over the changes and errands of one mount, that `knows` objects which were seen here. Asks nobody."""

    def __init__(self, changes: Changes, errands: Errands, knows: Callable[[Uuid], bool]) -> None:
        self._changes = changes
        self._errands = errands
        self._knows = knows

    def new_at(self, folder: Uuid, shown: str) -> Change | Errand | None:
        """The new file or folder of this name."""
        name = unescape(shown)
        return self._changes.new_in(folder).get(name) or self._errands.made_in(folder).get(name)

    def is_new(self, folder: Uuid) -> bool:
        """Whether the server does not know this folder yet: all that is in it is here."""
        return self._errands.making(folder) is not None

    def is_being_removed(self, object_id: Uuid) -> bool:
        """Whether it was deleted here and is still there on the server."""
        return self._errands.removal_of(object_id) is not None

    def hides(self, entry: Entry, folder: Uuid) -> bool:
        """Whether a line of the server's listing is of something that is gone here."""
        return self.is_being_removed(entry.id) or self._is_being_cleared(entry, folder)

    def _is_being_cleared(self, entry: Entry, folder: Uuid) -> bool:
        """Whether it is what arrived of something deleted or renamed here whose answer nobody has heard."""
        removal = self._errands.removal_at(folder, entry.name)
        return removal is not None and removal.looks_for(entry) and not self._knows(entry.id)

    def is_on_its_way(self, entry: Entry, folder: Uuid) -> bool:
        """Whether it is what this mount sends there, or has sent and takes back: its own call tells what of it."""
        removal = self._errands.removal_at(folder, entry.name)
        if entry.is_folder:
            return entry.name in self._errands.made_in(folder) or (removal is not None and removal.is_folder)
        change = self._changes.new_in(folder).get(entry.name)
        return any(each is not None and entry.sha1 in each.sealed for each in (change, removal))

    def lines(self, folder: Uuid, listing: Listing) -> list[Child]:
        """Everything in the folder at this moment."""
        new, made = self._changes.new_in(folder), self._errands.made_in(folder)
        overlaid = {escape(name) for name in (*new, *made)}
        shown = [
            Child(name, entry, self._changes.of(entry.id))
            for name, entry in listing.by_shown.items()
            if name not in overlaid and not self.hides(entry, folder)
        ]
        shown += [Child(escape(name), errand.entry, None, errand) for name, errand in made.items()]
        return shown + [Child(escape(name), None, change) for name, change in new.items()]

    def as_now(self, child: Child, folder: Uuid, listing: Listing | None) -> Child | None:
        """A line of an earlier moment, None when it is not true any more; `listing` is the last one known."""
        if child.entry is None and child.change is not None and child.change in self._changes:
            return child
        entry = child.entry
        if child.making is not None:
            if child.making in self._errands:
                return child
            entry = child.making.entry if child.making.is_made else None
        if listing is not None:  # what was new then may have been sent since
            entry = listing.by_shown.get(child.shown)
        if entry is None or self.hides(entry, folder):
            return None
        return child if entry is child.entry else Child(child.shown, entry, None)
