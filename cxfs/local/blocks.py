"""Content of the server's versions on disk, least recently used out first. Losing any of it costs time, never data.

One sparse file per (object, version) and, in memory, which of its bytes are there. A file in use is never evicted, so
the limit can be passed by what is open at the moment and is kept again as soon as that is closed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from cxfs.core.errors import DiskFull
from cxfs.core.ranges import ByteRange, RangeSet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cxfs.core.entries import Uuid

FREE_BYTES_FLOOR: Final = 256 << 20
"""The cache leaves this much of the disk to others, whatever its own limit."""

FREE_CHECK_BYTES: Final = 16 << 20
"""The disk's free space is asked for once per this much written, not for every block."""


class BlockKey(NamedTuple):
    """Content that never changes: one version of one object."""

    object: Uuid
    version: int


@dataclass(frozen=True, slots=True)
class BlockStatistics:
    """A snapshot of the store; bytes are those held, not sparse sizes."""

    files: int
    files_in_use: int
    bytes_held: int
    bytes_max: int
    evicted_files: int


class BlockFile:
    """The content of one version, as far as it is here. `held` says which bytes are."""

    def __init__(self, store: BlockStore, key: BlockKey, path: Path, size: int, held: RangeSet) -> None:
        self.key = key
        self.size = size
        self.held = held
        self.path = path
        self.users = 0
        self._store = store
        self._descriptor = -1

    def enter(self) -> None:
        """One user more. Only a file in use has a descriptor: thousands of small ones may be kept."""
        if self.users == 0:
            try:
                self._open_descriptor()
            except OSError as error:
                self._close_descriptor()
                raise DiskFull(f"the cache folder cannot be used: {error.strerror}") from error
        self.users += 1

    def _open_descriptor(self) -> None:
        self._store.make_folder()
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if os.fstat(self._descriptor).st_size != self.size:  # new, or somebody emptied the cache folder
            self._store.grew(-self.held.length)
            self.held = RangeSet()
            os.ftruncate(self._descriptor, self.size)

    def _close_descriptor(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    @property
    def descriptor(self) -> int:
        """For reading and writing at a place, from any thread; valid for as long as the caller is a user.

        What is written by it is told by `landed`, and the range is `coming` from before the write until then.
        """
        return self._descriptor

    @contextlib.contextmanager
    def keeping(self, wanted: ByteRange) -> Iterator[None]:
        """What is here of `wanted`, and what comes, is not evicted meanwhile."""
        yield

    @contextlib.contextmanager
    def coming(self, stretch: ByteRange) -> Iterator[None]:
        """Room is made for what is on its way there, and it is not evicted meanwhile. Raises DiskFull."""
        self._store.make_room(sum(gap.length for gap in self.held.missing(stretch)))
        yield

    def read(self, wanted: ByteRange) -> bytes:
        """The bytes of `wanted`, all of which must be held."""
        return os.pread(self._descriptor, wanted.length, wanted.start)

    def write(self, offset: int, content: bytes | bytearray | memoryview) -> None:
        """Keeps bytes of this version; raises DiskFull when neither evicting nor the disk gives room."""
        self._store.make_room(len(content))
        try:
            written = os.pwrite(self._descriptor, content, offset)
        except OSError as error:
            raise DiskFull(f"the cache folder cannot take more: {error.strerror}") from error
        if written < len(content):
            raise DiskFull("the cache folder cannot take more: the disk is full")
        self.landed(ByteRange(offset, offset + len(content)))

    def landed(self, stretch: ByteRange) -> None:
        """These bytes are in the file now: `write` says so itself, for a thread that wrote them somebody does."""
        before = self.held.length
        self.held.add(stretch)
        self._store.grew(self.held.length - before)

    def close(self) -> None:
        """One user less; the file stays until it is evicted."""
        self.users -= 1
        if self.users == 0:
            self._close_descriptor()
            self._store.make_room(0)

    def discard(self) -> None:
        """Frees the bytes; only the store calls this, on a file that nobody uses."""
        with contextlib.suppress(OSError):  # somebody emptied the cache folder: that is allowed at any moment
            self.path.unlink()


class BlockStore:
    """All content kept below `folder`, which it empties at the start: what is held is known in memory only."""

    def __init__(
        self, folder: Path, *, bytes_max: int, free_bytes: Callable[[Path], int] = lambda at: shutil.disk_usage(at).free
    ) -> None:
        self._folder = folder
        self._bytes_max = bytes_max
        self._free_bytes = free_bytes
        self._files: OrderedDict[BlockKey, BlockFile] = OrderedDict()
        self._bytes_held = 0
        self._evicted = 0
        self._unchecked_bytes = FREE_CHECK_BYTES
        shutil.rmtree(folder, ignore_errors=True)
        self.make_folder()

    def make_folder(self) -> None:
        """The folder is there, also when somebody removed it: emptying a cache is allowed at any moment."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def open(self, key: BlockKey, size: int) -> BlockFile:
        """The file for a version of `size` bytes, kept while it is open; each open has its `close`."""
        file = self._files.get(key)
        if file is None:
            file = self._files[key] = BlockFile(self, key, self._path(key), size, RangeSet())
        file.enter()
        self._files.move_to_end(key)
        return file

    def holds(self, key: BlockKey, size: int) -> bool:
        """Whether all bytes of this version are here."""
        file = self._files.get(key)
        return size == 0 or (file is not None and file.held.covers(ByteRange(0, size)))

    def adopt(self, key: BlockKey, draft: Path, size: int) -> None:
        """A draft has become this version: its content is kept under a second name where the file system can.

        Call it before the draft's own name goes; on another file system nothing is kept, and reading fetches.
        """
        if key in self._files:
            return
        path = self._path(key)
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
            os.link(draft, path)
            self._files[key] = BlockFile(self, key, path, size, RangeSet([ByteRange(0, size)]))
            self.grew(size)
            self.make_room(0)

    def make_room(self, needed_bytes: int) -> None:
        """Evicts what nobody uses until `needed_bytes` fit below the limit; raises DiskFull below the disk's floor."""
        self._evict(self._bytes_max - needed_bytes)
        self._unchecked_bytes += needed_bytes
        if not needed_bytes or self._unchecked_bytes < FREE_CHECK_BYTES:
            return
        self._unchecked_bytes = 0
        try:
            self.make_folder()
            lacking = FREE_BYTES_FLOOR + needed_bytes - self._free_bytes(self._folder)
        except OSError as error:
            raise DiskFull(f"the cache folder {self._folder} cannot be used: {error.strerror}") from error
        if lacking > 0:
            self._unchecked_bytes = FREE_CHECK_BYTES  # look again before the next byte
            if self._evict(max(0, self._bytes_held - lacking)) < lacking:
                raise DiskFull(f"the disk of {self._folder} is full")

    def give_way(self, needed_bytes: int) -> None:
        """Somebody whose bytes are precious needs the disk: frees so many, as far as nobody reads them."""
        self._evict(max(0, self._bytes_held - needed_bytes))

    def grew(self, added_bytes: int) -> None:
        """More is held now."""
        self._bytes_held += added_bytes

    def forget(self, key: BlockKey) -> None:
        """This version proved useless (its object is gone); frees it unless somebody reads it."""
        file = self._files.get(key)
        if file is not None and file.users == 0:
            self._drop(file)

    def close(self) -> None:
        """Frees everything."""
        for file in list(self._files.values()):
            self._drop(file)
        shutil.rmtree(self._folder, ignore_errors=True)

    def statistics(self) -> BlockStatistics:
        """How much is held, and of how many files."""
        return BlockStatistics(
            files=len(self._files),
            files_in_use=sum(1 for file in self._files.values() if file.users),
            bytes_held=self._bytes_held,
            bytes_max=self._bytes_max,
            evicted_files=self._evicted,
        )

    def _evict(self, bytes_kept_max: int) -> int:
        """Frees the least recently used until at most `bytes_kept_max` are held; the number of bytes freed."""
        before = self._bytes_held
        if before > bytes_kept_max:
            for file in list(self._files.values()):
                if self._bytes_held <= bytes_kept_max:
                    break
                if file.users == 0:
                    self._drop(file)
                    self._evicted += 1
        return before - self._bytes_held

    def _drop(self, file: BlockFile) -> None:
        del self._files[file.key]
        self._bytes_held -= file.held.length
        file.discard()

    def _path(self, key: BlockKey) -> Path:
        return self._folder / f"{key.object}.{key.version}"
