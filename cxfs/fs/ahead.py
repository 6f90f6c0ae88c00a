"""Small files fetched before a program opens them: which, and when. Keeps none.

Where it reads one after the other, what comes next is told by `walks`; where it reads here and there in a folder, all
of the folder may come along. Fetched are whole files of one version each, never parts, and nothing that is large: a
program that looks at the first bytes of every file is not made to download them all. One that stops leaves behind at
most what the window held.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, Protocol

import trio

from cxfs.core.errors import CxfsError
from cxfs.core.pace import Pace
from cxfs.core.procession import ESTABLISHED, Window
from cxfs.core.readahead import BLOCK_BYTES
from cxfs.core.whole_folders import WholeFolders
from cxfs.fs.parcels import READ_BYTES_MAX, UNREAD_BYTES_MAX, Parcels
from cxfs.local.blocks import BlockKey

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cxfs.core.entries import Entry, Uuid
    from cxfs.core.procession import Order
    from cxfs.fs.parcels import Parcel, ParcelStatistics
    from cxfs.fs.supervisor import Nursery
    from cxfs.fs.walks import Walks

log = logging.getLogger(__name__)

SMALL_BYTES_MAX: Final = BLOCK_BYTES
"""What is fetched whole: no more than a look at the first bytes of a file brings anyway. A larger file is worth a
request of its own, and has a read-ahead of its own."""

BESIDE_BYTES_MAX: Final = 64 << 10
"""What comes along with the rest of its folder is smaller still."""

FILES_MIN: Final = 4
FILES_MAX: Final = 256
"""Fetched ahead of a program that has just begun, and of one for which the guesses prove right: at a round trip of
100 ms it then reads 2,000 files a second."""


class SmallFiles(Protocol):
    """Where whole small files come from."""

    async def bring(self, entries: Sequence[Entry], land: Callable[[Entry, bytes], None]) -> None:
        """Fetches these versions, and hands over each when it is there. Those that fail are left out."""
        ...


class FilesAhead:
    """Of one mount.

    `is_here` tells of a version whether its content, or what has taken its place, is on this machine, `kernel_has`
    whether the kernel read it before. `round_trip_s` is how long an answer takes, None while that is not known;
    `in_bundles`: many files are one request.
    """

    def __init__(
        self,
        source: SmallFiles,
        walks: Walks,
        nursery: Nursery,
        *,
        is_here: Callable[[Entry], bool],
        kernel_has: Callable[[Entry], bool],
        round_trip_s: Callable[[], float | None],
        in_bundles: bool,
        unread_bytes_max: int = UNREAD_BYTES_MAX,
        read_bytes_max: int = READ_BYTES_MAX,
    ) -> None:
        self._source = source
        self._walks = walks
        self._nursery = nursery
        self._is_here = is_here
        self._kernel_has = kernel_has
        self._round_trip_s = round_trip_s
        self._in_bundles = in_bundles
        self._whole_folders = WholeFolders()
        self._pace = Pace()
        self._window = Window(least=FILES_MIN, most=FILES_MAX)
        self._parcels = Parcels(
            nursery,
            on_waste=self._window.shrink,
            unread_bytes_max=unread_bytes_max,
            read_bytes_max=read_bytes_max,
        )
        self._last: tuple[Entry, Uuid, Order] | None = None
        self._is_again = False
        self._is_short = False
        self._reads_until_more = 0

    def read(self, entry: Entry, folder: Uuid, *, again: bool) -> Parcel | None:
        """A program begins to read this file of `folder`: its parcel, if it was fetched ahead. Starts fetching others.

        `again`: the kernel had read this version before, and must have dropped its pages since.
        """
        parcel, is_first = self._parcels.take(BlockKey(entry.id, entry.version))
        is_next = is_first and parcel is not None and parcel.in_a_row
        if is_next:
            self._window.grow()
        step = self._walks.read(entry.id, folder)
        if step.steps >= ESTABLISHED or is_next:
            order = self._last[2] if self._last is not None and not step.steps else step.order
            self._last, self._is_again = (entry, folder, order), again
            self._reads_until_more -= 1
            if self._reads_until_more <= 0 or (parcel is None and entry.size <= SMALL_BYTES_MAX):
                self._fetch_ahead()
        elif not step.steps and self._in_bundles and entry.size <= BESIDE_BYTES_MAX:
            self._fetch_beside(folder, was_brought=parcel is not None)
        return parcel

    def goes_on(self) -> bool:
        """A folder was listed that a walk will come to: what is in it may be next. Whether more folders are of use."""
        if self._is_short:
            self._fetch_ahead()
        return self._is_short

    def statistics(self) -> ParcelStatistics:
        """How much was fetched, and for nothing."""
        return self._parcels.statistics()

    def _fetch_ahead(self) -> None:
        """What comes next within the window and is not here. No await: nothing is asked for twice."""
        if self._last is None:
            return
        entry, folder, order = self._last
        self._reads_until_more = max(1, self._window.size // 4)
        coming = self._walks.files_after(entry.id, folder, order, self._window.size)
        self._is_short = len(coming) < self._window.size // 2
        wanted = []
        for file in coming:
            if not self._is_worth_fetching(file):
                continue
            if not self._parcels.expect(BlockKey(file.id, file.version), file.size, in_a_row=True):
                break
            wanted.append(file)
        if wanted:
            self._nursery.start_soon(self._bring, wanted)

    def _fetch_beside(self, folder: Uuid, *, was_brought: bool) -> None:
        """The folder's other small files, if they are worth it and all fit into the wait for one. No await."""
        round_trip_s = self._round_trip_s()
        is_worth_it = self._whole_folders.read(folder, trio.current_time(), was_brought=was_brought)
        if not is_worth_it or round_trip_s is None:
            return
        left = self._whole_folders.room_bytes(round_trip_s, self._pace.rate)
        beside = []
        for file in self._walks.files_in(folder):
            if file.size <= BESIDE_BYTES_MAX and self._is_worth_fetching(file):
                left -= file.size
                beside.append(file)
                if left < 0:
                    self._whole_folders.kept_out()
                    return
        self._whole_folders.brought(folder)
        wanted = [
            file for file in beside if self._parcels.expect(BlockKey(file.id, file.version), file.size, in_a_row=False)
        ]
        if wanted:
            self._nursery.start_soon(self._bring, wanted)

    def _is_worth_fetching(self, file: Entry) -> bool:
        if not 0 < file.size <= SMALL_BYTES_MAX or BlockKey(file.id, file.version) in self._parcels:
            return False
        return not self._is_here(file) and (self._is_again or not self._kernel_has(file))

    async def _bring(self, wanted: list[Entry]) -> None:
        arriving = _Arriving(self._pace)

        def land(entry: Entry, content: bytes) -> None:
            arriving.came(entry.size)
            self._land(entry, content)

        try:
            await self._source.bring(wanted, land)
        except CxfsError as error:
            log.debug("%d files could not be fetched ahead: %s", len(wanted), error)
        finally:
            arriving.end()
            for entry in wanted:
                self._land(entry, None)

    def _land(self, entry: Entry, content: bytes | None) -> None:
        self._parcels.land(BlockKey(entry.id, entry.version), content)


class _Arriving:
    """What comes of one fetch, for the pace: from its first file on."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._begun = False

    def came(self, count: int) -> None:
        if self._begun:
            self._pace.arrived(count, trio.current_time())
        else:
            self._begun = True
            self._pace.begins(trio.current_time())

    def end(self) -> None:
        if self._begun:
            self._pace.ended(trio.current_time())
