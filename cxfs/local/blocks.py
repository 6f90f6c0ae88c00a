"""Content of the server's versions on disk, least recently used out first. Losing any of it costs time, never data.

One sparse file per (object, version), which the next run finds again. What is given up at a time is an extent of one,
also behind a program that has the file open: so the limit holds whatever is open. Only what a read waits for is spared.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from cxfs.core.errors import DiskFull, Stale
from cxfs.core.ranges import ByteRange
from cxfs.local import extents, leftover
from cxfs.local.block_file import BlockFile
from cxfs.local.block_index import BlockIndex
from cxfs.local.extents import EXTENT_BYTES, BlockKey
from cxfs.local.holes import punch
from cxfs.local.sealing import seal
from cxfs.local.shelf import Shelf
from cxfs.local.unkept import Unkept
from cxfs.local.unsealed import Unsealed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FOLDER: Final = "blocks"
"""Below a profile's cache folder."""

__all__ = ["BlockFile", "BlockKey", "BlockStatistics", "BlockStore"]

FREE_BYTES_FLOOR: Final = 256 << 20
"""The cache leaves this much of the disk to others, whatever its own limit."""

FREE_CHECK_BYTES: Final = 16 << 20
"""The disk's free space is asked for once per this much written, not for every block."""

EXTENTS_MAX: Final = 200_000
"""Small files in memory then take some 60 MB, and large ones 200 GiB of the disk."""

CLEARED_AT_A_TIME: Final = 200
"""Files; a few milliseconds, after which others have their turn."""

CLOSING_BYTES_MAX: Final = 512 << 20
"""What is still sealed at the end; the rest is not kept. Unmounting waits for less than a second of it."""


@dataclass(frozen=True, slots=True)
class BlockStatistics:
    """A snapshot of the store; bytes are those held, not sparse sizes. `hits`: reads of which all was here."""

    files: int
    files_in_use: int
    bytes_held: int
    bytes_max: int
    evicted_files: int
    hits: int
    misses: int


class Cleared(NamedTuple):
    """How much was freed."""

    files: int
    bytes: int


class BlockStore:
    """All content kept below `folder`, with what an earlier run of the same `owner` left there. On the loop only."""

    def __init__(
        self,
        folder: Path,
        *,
        bytes_max: int,
        owner: str = "",
        free_bytes: Callable[[Path], int] = lambda at: shutil.disk_usage(at).free,
        punch: Callable[[int, ByteRange], bool] = punch,
    ) -> None:
        self.unsealed = Unsealed(shelf := Shelf(folder), self._refused)
        self.index = BlockIndex(folder, owner=owner)
        self._shelf = shelf
        self.folder = folder
        self._bytes_max = bytes_max
        self._free_bytes = free_bytes
        self.punch = punch
        self._hits = self._misses = 0
        self._expected_bytes = 0
        self._refused_keys: list[BlockKey] = []
        self._unkept = Unkept()
        self._unchecked_bytes = FREE_CHECK_BYTES
        with contextlib.suppress(OSError):  # whoever reads is told
            self.make_folder()
            leftover.take_on(folder, self.index.load(), shelf, self)
            self._evict(bytes_max)

    def make_folder(self) -> None:
        """The folder is there, also when somebody removed it: emptying a cache is allowed at any moment."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.chmod(0o700)

    # ------------------------------------------------------------ files

    def open(self, key: BlockKey, size: int, sha1: bytes | None = None) -> BlockFile:
        """The file for a version of `size` bytes, kept while it is open; each open has its `close`.

        `sha1` is the digest that the server tells of it: what is here under another one is not that version. Where the
        folder takes none it is in memory. Raises DiskFull where there can be no file at all, and Stale while somebody
        reads another content of that version.
        """
        if key in self._unkept:
            return self._unkept.open(key, size, sha1)
        file = self._found(key, size, sha1)
        if file is None and not self._takes_more(size):
            return self._unkept.open(key, size, sha1)
        if file is None:
            file = BlockFile(self, key, self._path(key), size, sha1)
            self._shelf.put(file)
        try:
            file.enter()
        except DiskFull:
            if not file.users:
                self._shelf.drop(file)
            return self._unkept.open(key, size, sha1)
        if size <= EXTENT_BYTES:  # the kernel may have its pages, so that nobody reads it here
            self._shelf.used(file, ByteRange(0, size))
        return file

    def _takes_more(self, size: int) -> bool:
        """Whether the disk has room for a new file, which is looked at as often as for what is written."""
        if self._unchecked_bytes + size < FREE_CHECK_BYTES:
            return True
        self._unchecked_bytes = FREE_CHECK_BYTES
        try:
            self.make_room(1)
        except DiskFull:
            return False
        return True

    def _found(self, key: BlockKey, size: int, sha1: bytes | None) -> BlockFile | None:
        file = self._shelf.files.get(key.name)
        if file is None:
            known = self._shelf.take(key.name)
            if known is None:
                return None
            file = BlockFile(self, key, self._path(key), known.size, known.sha1)
            file.is_checked = known.is_checked
            file.take_on(0, known)
            self._shelf.put(file)
        if file.size == size and (sha1 == file.sha1 or None in {sha1, file.sha1}):
            file.sha1 = file.sha1 or sha1
            return file
        if file.users:
            raise Stale("the server has other content under the version that is open")
        self._shelf.drop(file)
        return None

    def holds(self, key: BlockKey, size: int) -> bool:
        """Whether all bytes of this version are here."""
        resting = self._shelf.at_rest(key.name)
        if resting is not None:
            return extents.is_whole(resting, size)
        file = self._shelf.files.get(key.name)
        return size == 0 or (file is not None and file.held.covers(ByteRange(0, size)))

    def adopt(self, key: BlockKey, draft: Path, size: int, sha1: bytes | None = None) -> None:
        """A draft has become this version: its content is kept under a second name where the file system can.

        Call it before the draft's own name goes; on another file system nothing is kept, and reading fetches.
        """
        if self._shelf.has(key.name):
            return
        path = self._path(key)
        with contextlib.suppress(OSError, DiskFull):
            path.unlink(missing_ok=True)
            os.link(draft, path)
            file = BlockFile(self, key, path, size, sha1)
            self._shelf.put(file)
            if size:
                file.landed(ByteRange(0, size))
            self.make_room(0)

    def forget(self, key: BlockKey) -> None:
        """This version proved useless (its object is gone); frees it unless somebody reads it."""
        self._shelf.drop_named(key.name)

    def clear(self) -> Iterator[Cleared]:
        """Frees everything that nobody has open, some at a time: after each, how much that was so far."""
        files = freed_bytes = 0
        names = self._shelf.names_unused()
        for start in range(0, len(names), CLEARED_AT_A_TIME):
            before = self._shelf.files_held, self._shelf.bytes_held
            for name in names[start : start + CLEARED_AT_A_TIME]:
                self._shelf.drop_named(name)
            files += before[0] - self._shelf.files_held
            freed_bytes += before[1] - self._shelf.bytes_held
            yield Cleared(files, freed_bytes)

    # ------------------------------------------------------------ room

    def make_room(self, needed_bytes: int) -> None:
        """Evicts until `needed_bytes` fit below the limit; raises DiskFull below the disk's floor."""
        self._evict(self._bytes_max - self._expected_bytes - needed_bytes)
        self._unchecked_bytes += needed_bytes
        if not needed_bytes or self._unchecked_bytes < FREE_CHECK_BYTES:
            return
        self._unchecked_bytes = 0
        try:
            self.make_folder()
            lacking = FREE_BYTES_FLOOR + needed_bytes - self._free_bytes(self.folder)
        except OSError as error:
            raise DiskFull(f"the cache folder {self.folder} cannot be used: {error.strerror}") from error
        if lacking > 0:
            self._unchecked_bytes = FREE_CHECK_BYTES  # look again before the next byte
            if self._evict(self._shelf.bytes_held - lacking) < lacking:
                raise DiskFull(f"the disk of {self.folder} is full")

    def give_way(self, needed_bytes: int) -> None:
        """Somebody whose bytes are precious needs the disk: frees so many, as far as no read waits for them."""
        self._evict(self._shelf.bytes_held - needed_bytes)

    def _evict(self, bytes_kept_max: int) -> int:
        return self._shelf.evict(max(0, bytes_kept_max), extents_kept_max=EXTENTS_MAX)

    def expect(self, more_bytes: int) -> None:
        """So many more are on their way than before, for which there was room; or fewer."""
        self._expected_bytes += more_bytes

    # ------------------------------------------------------------ what files tell

    def landed(self, file: BlockFile, stretch: ByteRange, added_bytes: int) -> None:
        """Bytes came in."""
        self._shelf.landed(file, stretch, added_bytes)
        self.unsealed.add(file)

    def lost(self, file: BlockFile, stretch: ByteRange, lost_bytes: int) -> None:
        """Bytes proved not to be here."""
        self._shelf.lost(file, stretch, lost_bytes)

    def used(self, file: BlockFile, stretch: ByteRange, *, was_here: bool) -> None:
        """Somebody reads there."""
        self._shelf.used(file, stretch)
        self._hits += was_here
        self._misses += not was_here

    def left(self, file: BlockFile) -> None:
        """Nobody uses it any more."""
        if not file.held:
            self._shelf.drop(file)
        elif not self.unsealed.waits(file):
            self._shelf.rest(file)
        self.make_room(0)

    def _refused(self, file: BlockFile) -> None:
        """Its content is not what the server has: none of it is served any more."""
        file.lose_everything()
        self._refused_keys.append(file.key)
        if not file.users:
            self._shelf.drop(file)

    def take_refused(self) -> list[BlockKey]:
        """Versions whose content proved wrong since the last time, so that others forget it too."""
        refused, self._refused_keys = self._refused_keys, []
        return refused

    # ------------------------------------------------------------ the end

    def close(self) -> None:
        """Leaves the content for the next run, what it lacks of checksums made up for; blocks for about a second."""
        left_bytes = CLOSING_BYTES_MAX
        self.unsealed.hurry()
        while left_bytes > 0 and (jobs := self.unsealed.jobs()):
            for job in jobs:
                self.unsealed.take(seal(job))
                left_bytes -= job.stretch.length
        for file in self._shelf.files.values():
            file.close_descriptor()
        with contextlib.suppress(OSError):  # where the folder cannot even be looked for
            if not self.folder.is_dir():
                return
            self.index.write(self._shelf.records())

    def statistics(self) -> BlockStatistics:
        """How much is held, and of how many files."""
        return BlockStatistics(
            files=self._shelf.files_held,
            files_in_use=sum(1 for file in self._shelf.files.values() if file.users),
            bytes_held=self._shelf.bytes_held,
            bytes_max=self._bytes_max,
            evicted_files=self._shelf.evicted_files,
            hits=self._hits,
            misses=self._misses,
        )

    def _path(self, key: BlockKey) -> Path:
        return self.folder / key.name
