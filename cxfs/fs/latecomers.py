"""What may still arrive under a name that something else has by now: known to whoever takes that away. Plans nothing.

The server refuses it as long as anything stands there. That is in memory alone: after a kill nobody knows of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cxfs.fs.attempts import AllOf

if TYPE_CHECKING:
    from cxfs.core.entries import EntryName, Uuid
    from cxfs.fs.attempts import Ending


class Latecomer(NamedTuple):
    """Content of one of these SHA-1s, which cannot come any more when `until` is over."""

    sealed: tuple[bytes, ...]
    until: Ending


class Latecomers:
    """Those of one mount."""

    def __init__(self) -> None:
        self._at: dict[tuple[Uuid, EntryName], Latecomer] = {}

    def __len__(self) -> int:
        return len(self._at)

    def expect(self, folder: Uuid, name: EntryName, sealed: tuple[bytes, ...], until: Ending) -> None:
        """It may, unless that is over already, beside what may come there in any case."""
        if sealed and not until.is_set():
            self._at = {place: each for place, each in self._at.items() if not each.until.is_set()}
            former = self._at.get((folder, name))
            if former is not None:
                sealed, until = tuple(dict.fromkeys((*former.sealed, *sealed))), AllOf(former.until, until)
            self._at[folder, name] = Latecomer(sealed, until)

    def at(self, folder: Uuid, name: EntryName) -> Latecomer | None:
        """What may come there now."""
        found = self._at.get((folder, name)) if self._at else None
        return None if found is None or found.until.is_set() else found
