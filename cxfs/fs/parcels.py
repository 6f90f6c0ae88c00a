"""Content of small files that was fetched before anybody asked for it, or is on its way: in memory, within two budgets.

Fetches nothing, and knows nothing of the order in which programs go.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import trio

if TYPE_CHECKING:
    from collections.abc import Callable

    from cxfs.fs.supervisor import Nursery
    from cxfs.local.blocks import BlockKey

UNREAD_BYTES_MAX: Final = 16 << 20
"""On their way, or here and not read yet."""

READ_BYTES_MAX: Final = 16 << 20
"""Here and read: programs often come back to what they have just read, and the kernel may have dropped its pages."""

UNREAD_S: Final = 30.0
"""How long what nobody reads is kept: as long as names are believed, by default."""


@dataclass(frozen=True, slots=True)
class ParcelStatistics:
    """A snapshot. Since the start: what was fetched ahead, and what of it nobody read. Now: what is kept, in bytes."""

    ahead_files: int
    ahead_bytes: int
    wasted_files: int
    wasted_bytes: int
    unread_bytes: int
    read_bytes: int


class Parcel:
    """One small file on its way, or here."""

    __slots__ = ("_content", "_landed", "kept_until", "size")

    def __init__(self, size: int, kept_until: float) -> None:
        self.size = size
        self.kept_until = kept_until
        self._content: bytes | None = None
        self._landed: trio.Event | None = trio.Event()

    @property
    def is_on_its_way(self) -> bool:
        """Whether it is not known yet what became of it."""
        return self._landed is not None

    def land(self, content: bytes | None) -> None:
        """It is here; or it could not be had (None)."""
        if self._landed is not None:
            self._content = content
            self._landed.set()
            self._landed = None

    async def content(self) -> bytes | None:
        """All of it, as soon as it is here; None when it could not be had, and must be asked for in another way."""
        if self._landed is not None:
            await self._landed.wait()
        return self._content


class Parcels:
    """All of one mount. `on_waste` is called for each that nobody read."""

    def __init__(
        self,
        nursery: Nursery,
        *,
        on_waste: Callable[[], None],
        unread_bytes_max: int = UNREAD_BYTES_MAX,
        read_bytes_max: int = READ_BYTES_MAX,
    ) -> None:
        self._nursery = nursery
        self._on_waste = on_waste
        self._unread_bytes_max = unread_bytes_max
        self._read_bytes_max = read_bytes_max
        self._unread: OrderedDict[BlockKey, Parcel] = OrderedDict()
        self._read: OrderedDict[BlockKey, Parcel] = OrderedDict()
        self._unread_bytes = 0
        self._read_bytes = 0
        self._is_tidied = False
        self._ahead_files = 0
        self._ahead_bytes = 0
        self._wasted_files = 0
        self._wasted_bytes = 0

    def __contains__(self, key: BlockKey) -> bool:
        return key in self._unread or key in self._read

    def expect(self, key: BlockKey, size: int) -> bool:
        """The content of this version is being asked for; False when there is no room for what nobody has read."""
        if self._unread_bytes + size > self._unread_bytes_max:
            return False
        self._unread[key] = Parcel(size, trio.current_time() + UNREAD_S)
        self._unread_bytes += size
        self._ahead_files += 1
        self._ahead_bytes += size
        if not self._is_tidied:
            self._is_tidied = True
            self._nursery.start_soon(self._tidy)
        return True

    def land(self, key: BlockKey, content: bytes | None) -> None:
        """It has come, or could not be had (None). Does nothing when that is known."""
        parcel = self._unread.get(key) or self._read.get(key)
        if parcel is None or not parcel.is_on_its_way:
            return
        parcel.land(content)
        if content is None:
            if self._unread.pop(key, None) is not None:
                self._unread_bytes -= parcel.size
            else:
                del self._read[key]
                self._read_bytes -= parcel.size

    def take(self, key: BlockKey) -> tuple[Parcel | None, bool]:
        """The parcel of a file that is being read, if there is one, and whether for the first time.

        Those read longest ago make room for it.
        """
        parcel = self._unread.pop(key, None)
        if parcel is None:
            return self._read.get(key), False
        self._unread_bytes -= parcel.size
        self._read[key] = parcel
        self._read_bytes += parcel.size
        while self._read_bytes > self._read_bytes_max:
            self._read_bytes -= self._read.popitem(last=False)[1].size
        return parcel, True

    def statistics(self) -> ParcelStatistics:
        """How much was fetched, and for nothing."""
        return ParcelStatistics(
            ahead_files=self._ahead_files,
            ahead_bytes=self._ahead_bytes,
            wasted_files=self._wasted_files,
            wasted_bytes=self._wasted_bytes,
            unread_bytes=self._unread_bytes,
            read_bytes=self._read_bytes,
        )

    async def _tidy(self) -> None:
        """Lets go of what nobody reads for too long, until nothing unread is left."""
        try:
            while self._unread:
                await trio.sleep_until(next(iter(self._unread.values())).kept_until)
                while self._unread and next(iter(self._unread.values())).kept_until <= trio.current_time():
                    _, parcel = self._unread.popitem(last=False)
                    self._unread_bytes -= parcel.size
                    self._wasted_files += 1
                    self._wasted_bytes += parcel.size
                    self._on_waste()
        finally:
            self._is_tidied = False
