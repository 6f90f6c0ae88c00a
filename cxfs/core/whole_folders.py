"""Whether a folder's small files come along when programs read here and there in it. Pure: times come in as values.

What such a program reads next nobody can tell, except that it may well be in the same folder. On a long line all small
files of a folder come in less time than the wait for one of them. A folder has paid for itself when one of the files
that came along is read; how many may be owed for at a time grows with each that has, and is halved with each that has
not.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cxfs.core.pace import DELAY_S_MIN, UNKNOWN_BYTES

if TYPE_CHECKING:
    from cxfs.core.entries import Uuid

MISSES: Final = 2
"""Files of a folder that a program had to wait for, before the others are brought."""

OWING_START: Final = 32
OWING_MAX: Final = 256
"""Folders brought that have not paid yet."""

PAYS: Final = 2
"""As many more may be owed for."""

PROVEN: Final = OWING_START + 4 * PAYS
"""From here on one miss is enough."""

REMEMBERED_S: Final = 30.0
"""A folder has not paid when nothing of it was read for so long; until then it is not brought again."""

TRIP_PARTS: Final = 2
"""All of a folder is to come in such a part of the wait for one file."""

LENIENCE: Final = 17 / 16
"""A rate that was seen once is doubted by so much with each folder that it keeps from coming: lines change."""


@dataclass(slots=True)
class _Folder:
    since_s: float
    misses: int = 0
    is_brought: bool = False
    has_paid: bool = False

    @property
    def owes(self) -> bool:
        return self.is_brought and not self.has_paid


class WholeFolders:
    """Those of one mount."""

    def __init__(self) -> None:
        self._folders: OrderedDict[Uuid, _Folder] = OrderedDict()
        self._owing = 0
        self._owing_max = OWING_START
        self._lenience = 1.0

    def read(self, folder: Uuid, at_s: float, *, was_brought: bool) -> bool:
        """A small file of the folder is read, in no order. Whether the others are worth bringing, if they fit."""
        self._forget(at_s)
        known = self._folders.get(folder)
        if known is None:
            known = self._folders[folder] = _Folder(at_s)
        if was_brought:
            if known.owes:
                known.has_paid = True
                self._owing -= 1
                self._owing_max = min(OWING_MAX, self._owing_max + PAYS)
            return False
        known.misses += 1
        enough = 1 if self._owing_max >= PROVEN else MISSES
        return known.misses >= enough and not known.is_brought and self._owing < self._owing_max

    def room_bytes(self, round_trip_s: float, rate: float | None) -> int:
        """How much of a folder may come along, where so many bytes a second were seen to come (None: not yet)."""
        if rate is None:
            return int(UNKNOWN_BYTES * min(1.0, round_trip_s / DELAY_S_MIN) / TRIP_PARTS)
        return int(round_trip_s * rate * self._lenience / TRIP_PARTS)

    def brought(self, folder: Uuid) -> None:
        """It comes now."""
        self._folders[folder].is_brought = True
        self._owing += 1
        self._lenience = 1.0

    def kept_out(self) -> None:
        """One was too large, as far as is known."""
        self._lenience *= LENIENCE

    def _forget(self, at_s: float) -> None:
        while self._folders:
            folder, oldest = next(iter(self._folders.items()))
            if at_s - oldest.since_s < REMEMBERED_S:
                return
            del self._folders[folder]
            if oldest.owes:
                self._owing -= 1
                self._owing_max = max(1, self._owing_max // 2)
