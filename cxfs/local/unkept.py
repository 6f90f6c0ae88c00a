"""Content of versions while no disk takes it: in memory, for as long as somebody has the file open. Nothing is kept.

So a cache folder that is read-only or full stops nobody from reading. Least recently used extents go first, and are
fetched again.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cxfs.core.errors import Stale
from cxfs.local.block_file import BlockFile
from cxfs.local.extents import EXTENT_BYTES, BlockKey
from cxfs.local.holes import punch

if TYPE_CHECKING:
    from collections.abc import Callable

    from cxfs.core.ranges import ByteRange

UNKEPT_BYTES_MAX: Final = 256 << 20


class UnkeptFile(BlockFile):
    """One version in memory."""

    __slots__ = ()

    def _open_descriptor(self) -> None:
        self._descriptor = os.memfd_create("cxfs", os.MFD_CLOEXEC)
        os.ftruncate(self._descriptor, self.size)


class Unkept:
    """All such files of one mount; as a keeper of theirs it spares what a read waits for, as the store does."""

    def __init__(self, *, bytes_max: int = UNKEPT_BYTES_MAX, punch: Callable[[int, ByteRange], bool] = punch) -> None:
        self._bytes_max = bytes_max
        self.punch = punch
        self._files: dict[BlockKey, UnkeptFile] = {}
        self._extents: OrderedDict[tuple[BlockKey, int], None] = OrderedDict()
        self._expected_bytes = 0
        self.bytes_held = 0

    def __contains__(self, key: BlockKey) -> bool:
        return key in self._files

    def open(self, key: BlockKey, size: int, sha1: bytes | None) -> UnkeptFile:
        """The file for a version. Raises DiskFull where there is no memory either, Stale as the store does."""
        file = self._files.get(key) or UnkeptFile(self, key, Path(os.devnull), size, sha1)
        if file.size != size or (sha1 != file.sha1 and None not in {sha1, file.sha1}):
            raise Stale("the server has other content under the version that is open")
        file.enter()
        self._files[key] = file
        return file

    # ------------------------------------------------------------ what files tell

    def make_folder(self) -> None:
        """There is none."""

    def make_room(self, needed_bytes: int) -> None:
        """So many more fit, as far as what others wait for lets them."""
        for key, extent in list(self._extents):
            if self.bytes_held + self._expected_bytes + needed_bytes <= self._bytes_max:
                return
            freed_bytes = self._files[key].give_up(extent)
            self.bytes_held -= freed_bytes
            if freed_bytes:
                del self._extents[key, extent]

    def expect(self, more_bytes: int) -> None:
        """So many more are on their way than before; or fewer."""
        self._expected_bytes += more_bytes

    def landed(self, file: BlockFile, stretch: ByteRange, added_bytes: int) -> None:
        """Bytes came in."""
        self.bytes_held += added_bytes
        self._touch(file, stretch)

    def lost(self, file: BlockFile, stretch: ByteRange, lost_bytes: int) -> None:
        """Bytes proved not to be here."""
        self.bytes_held -= lost_bytes

    def used(self, file: BlockFile, stretch: ByteRange, *, was_here: bool) -> None:
        """Somebody reads there."""
        if was_here:
            self._touch(file, stretch)

    def left(self, file: BlockFile) -> None:
        """Nobody uses it any more: its memory went with its descriptor."""
        self.bytes_held -= sum(part.length for part in file.held)
        del self._files[file.key]
        for place in [place for place in self._extents if place[0] == file.key]:
            del self._extents[place]

    def _touch(self, file: BlockFile, stretch: ByteRange) -> None:
        for extent in range(stretch.start // EXTENT_BYTES, -(-stretch.stop // EXTENT_BYTES)):
            self._extents[file.key, extent] = None
            self._extents.move_to_end((file.key, extent))
