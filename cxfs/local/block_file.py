"""One cached version: which of its bytes are here, and which of those are proven. Decides nothing about what goes.

Bytes that came in this run are believed. What an earlier run left is believed block by block, as each is first wanted:
its checksum is in the index, and content without it is content that is not here.
"""

from __future__ import annotations

import contextlib
import logging
import os
from contextlib import contextmanager
from hashlib import sha1
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol
from zlib import crc32

from cxfs.core.errors import ContentLost, DiskFull
from cxfs.core.ranges import ByteRange, RangeSet
from cxfs.local.checksums import Checksums
from cxfs.local.extents import BLOCK_BYTES, BlockKey, Known, blocks_of, stretch_of
from cxfs.local.sealing import Sealed, SealJob

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

log = logging.getLogger(__name__)


class Keeper(Protocol):
    """Whoever keeps the files: it is told what happens to them, and makes room."""

    def make_folder(self) -> None:
        """The folder is there."""

    def make_room(self, needed_bytes: int) -> None:
        """So many more fit; raises DiskFull."""

    def expect(self, more_bytes: int) -> None:
        """So many more are on their way than before, for which there was room; or fewer."""

    def landed(self, file: BlockFile, stretch: ByteRange, added_bytes: int) -> None:
        """Bytes came in, so many of which were not here before."""

    def lost(self, file: BlockFile, stretch: ByteRange, lost_bytes: int) -> None:
        """So many bytes of a stretch proved not to be here."""

    def used(self, file: BlockFile, stretch: ByteRange, *, was_here: bool) -> None:
        """Somebody wants to read it; whether all of it was here."""

    def left(self, file: BlockFile) -> None:
        """Its last user is gone."""

    def punch(self, descriptor: int, stretch: ByteRange) -> bool:
        """Whether there is a hole now."""


class Expected:
    """A stretch that is on its way, and how much of it has not come yet."""

    __slots__ = ("left_bytes", "stretch")

    def __init__(self, stretch: ByteRange, left_bytes: int) -> None:
        self.stretch = stretch
        self.left_bytes = left_bytes


class BlockFile:
    """The content of one version, as far as it is here. `held` says which bytes are; `sha1` is the server's digest.

    `outstanding` is the job to read a part of it, until something of that part is given up: what was read is no proof
    then.
    """

    __slots__ = (
        "_checksums", "_descriptor", "_expected", "_keeper", "_kept", "digested", "held", "is_checked", "key",
        "outstanding", "path", "refusals", "sha1", "size", "users",
    )  # fmt: skip

    def __init__(self, keeper: Keeper, key: BlockKey, path: Path, size: int, sha1: bytes | None = None) -> None:
        self.key = key
        self.size = size
        self.sha1 = sha1
        self.path = path
        self.held = RangeSet()
        self.users = 0
        self.outstanding: SealJob | None = None
        self.refusals = 0
        self.is_checked = False
        self.digested: Sealed | None = None
        self._keeper = keeper
        self._descriptor = -1
        self._kept: list[ByteRange] = []
        self._expected: list[Expected] = []
        self._checksums = Checksums(size)

    # ------------------------------------------------------------ users

    @property
    def descriptor(self) -> int:
        """For reading and writing at a place, from any thread; valid for as long as the caller is a user.

        What is written by it is told by `landed`, and the range is `coming` from before the write until then.
        """
        return self._descriptor

    def enter(self) -> None:
        """One user more. Only a file in use has a descriptor: thousands of small ones may be kept."""
        if self.users == 0:
            try:
                self._open_descriptor()
            except OSError as error:
                self.close_descriptor()
                raise DiskFull(f"the cache folder cannot be used: {error.strerror}") from error
        self.users += 1

    def _open_descriptor(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            self._descriptor = os.open(self.path, flags, 0o600)
        except FileNotFoundError:
            self._keeper.make_folder()
            self._descriptor = os.open(self.path, flags, 0o600)
        found = os.fstat(self._descriptor).st_size
        if found != self.size:  # new, or somebody emptied the cache folder, or cut it
            self.lose_everything()
            if found:  # ext4 writes out a file that was cut to nothing, also one that was empty, while it is closed
                os.ftruncate(self._descriptor, 0)
            os.ftruncate(self._descriptor, self.size)

    def close_descriptor(self) -> None:
        """For the keeper, when nobody uses the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def close(self) -> None:
        """One user less; the file stays until it is evicted."""
        self.users -= 1
        if self.users == 0:
            self.close_descriptor()
            self._keeper.left(self)

    @contextmanager
    def keeping(self, wanted: ByteRange) -> Iterator[None]:
        """What is here of `wanted`, and what comes, is not evicted meanwhile; what an earlier run left of it is proven.

        So `held` tells the truth of this range, and reading it afterwards waits for nothing but the disk.
        """
        self._kept.append(wanted)
        try:
            if self._checksums.has_unproven:
                self._prove(wanted)
            self._keeper.used(self, wanted, was_here=self.held.covers(wanted))
            yield
        finally:
            self._kept.remove(wanted)

    @contextmanager
    def coming(self, stretch: ByteRange) -> Iterator[None]:
        """Room is made for what is on its way there, and it is not evicted meanwhile. Raises DiskFull.

        Once what is on its way is in the file nobody could be told that the limit is passed, or the disk full.
        """
        expected = Expected(stretch, sum(gap.length for gap in self.held.missing(stretch)))
        self._keeper.make_room(expected.left_bytes)
        self._keeper.expect(expected.left_bytes)
        self._kept.append(stretch)
        self._expected.append(expected)
        try:
            yield
        finally:
            self._expected.remove(expected)
            self._kept.remove(stretch)
            self._keeper.expect(-expected.left_bytes)

    # ------------------------------------------------------------ bytes

    def read(self, wanted: ByteRange) -> bytes:
        """The bytes of `wanted`. Raises ContentLost where they are not held (any more): a hole would read as zeros."""
        if self._checksums.has_unproven:
            self._prove(wanted)
        if not self.held.covers(wanted):
            raise ContentLost(f"a part of {self.key.name} is not in the cache any more")
        found = os.pread(self._descriptor, wanted.length, wanted.start)
        if len(found) < wanted.length:
            self.lose_everything()
            raise ContentLost(f"somebody has cut the cached content of {self.key.name}")
        return found

    def write(self, offset: int, content: bytes | bytearray | memoryview) -> None:
        """Keeps bytes of this version; raises DiskFull when neither evicting nor the disk gives room."""
        self._keeper.make_room(len(content))
        try:
            written = os.pwrite(self._descriptor, content, offset)
        except OSError as error:
            raise DiskFull(f"the cache folder cannot take more: {error.strerror}") from error
        if written < len(content):
            raise DiskFull("the cache folder cannot take more: the disk is full")
        self.landed(ByteRange(offset, offset + len(content)))

    def landed(self, stretch: ByteRange) -> None:
        """These bytes are in the file: `write` says so itself; of a thread that used the descriptor it is said."""
        added = stretch.length - sum(part.length for part in self.held.within(stretch))
        for expected in self._expected:
            if expected.stretch.meets(stretch):
                came = min(added, expected.left_bytes)
                expected.left_bytes -= came
                self._keeper.expect(-came)
        self.held.add(stretch)
        self._checksums.came(stretch)
        self._keeper.landed(self, stretch, added)

    # ------------------------------------------------------------ proof

    def take_on(self, extent: int, known: Known) -> None:
        """What an earlier run, or this one before the file came to rest, knew of an extent. Not proven yet."""
        self._checksums.take_on(extent, known.sums)
        for block, stretch in blocks_of(extent, self.size):
            if known.sums.bits >> block & 1:
                self.held.add(stretch)

    def _prove(self, wanted: ByteRange) -> None:
        """Compares blocks that nobody has looked at yet with their checksums; those that differ are not here."""
        for block, expected in self._checksums.now_proven(wanted):
            found = b""
            with contextlib.suppress(OSError):  # a disk that cannot read it any more
                found = os.pread(self._descriptor, block.length, block.start)
            if len(found) < block.length or crc32(found) != expected:
                log.warning("the cached content of %s is damaged at %d: fetched again", self.key.name, block.start)
                self._checksums.drop_block(block)
                self._lose(block)
                if not any(expected.stretch.meets(block) for expected in self._expected):
                    self._punch([block])

    def known(self, extent: int) -> Known:
        """For the index."""
        return Known(self.size, self.sha1, self.is_checked, self._checksums.of(extent))

    @property
    def is_sealed(self) -> bool:
        """Whether all that is held has checksums, so that a record says all there is to know."""
        return self._checksums.cover(self.held)

    # ------------------------------------------------------------ sealing

    def next_job(self, bytes_max: int) -> SealJob | None:
        """What somebody else may read of it to seal it, some `bytes_max` at a time; None when it is sealed.

        Where all of it is here and was not compared with the server's digest yet, that is done in the same pass.
        """
        if self.sha1 is not None and not self.is_checked and self.held.covers(ByteRange(0, self.size)):
            begun = self.digested
            if begun is None:
                return self._job(0, bytes_max, sha1(usedforsecurity=False))
            return self._job(begun.job.stretch.stop, bytes_max, begun.digest)
        blocks = self._checksums.lacking(self.held)
        if not blocks:
            return None
        stop = next((one.stop for one, other in pairwise(blocks) if one.stop != other.start), blocks[-1].stop)
        return self._job(blocks[0].start, min(stop - blocks[0].start, bytes_max), None)

    def _job(self, start: int, length: int, digest: Any) -> SealJob:
        stretch = ByteRange(start, min(self.size, start + length)).aligned(BLOCK_BYTES, self.size)
        self.outstanding = SealJob(self.key, self.path, stretch, digest)
        return self.outstanding

    def seal(self, sealed: Sealed) -> set[int]:
        """Takes the checksums of whole blocks; the extents of which more is known now."""
        self.digested = sealed if sealed.digest is not None else None
        self.outstanding = None
        return self._checksums.add(sealed.job.stretch, sealed.sums)

    def has_sha1(self, found: bytes) -> bool:
        """Whether this digest of all of it is the server's; then every byte of it is proven."""
        self.digested = None
        if found != self.sha1:
            return False
        self.is_checked = True
        self._checksums.all_proven()
        return True

    # ------------------------------------------------------------ giving up

    def give_up(self, extent: int) -> int:
        """Frees an extent, also behind an open descriptor; how many bytes that were. 0: it is in use, or cannot be."""
        stretch = stretch_of(extent, self.size)
        if any(kept.meets(stretch) for kept in self._kept):
            return 0
        parts = self.held.within(stretch)
        if not self._punch(parts):
            return 0
        self._checksums.drop(extent)
        self._forgo(stretch)
        return sum(part.length for part in parts)

    def _punch(self, parts: list[ByteRange]) -> bool:
        descriptor = self._descriptor
        try:
            if descriptor < 0:
                descriptor = os.open(self.path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            if os.fstat(descriptor).st_nlink > 1:  # a draft that became this version, and has its own name still
                return False
            return sum(self._keeper.punch(descriptor, self._to_the_end(part)) for part in parts) == len(parts)
        except OSError:
            return False
        finally:
            if descriptor >= 0 and descriptor != self._descriptor:
                os.close(descriptor)

    def _to_the_end(self, part: ByteRange) -> ByteRange:
        """A page that the hole covers in part is emptied and not freed; what lies beyond the end is nobody's."""
        return ByteRange(part.start, part.stop + BLOCK_BYTES) if part.stop == self.size else part

    def lose_everything(self) -> None:
        """Nothing of it is here, or can be believed."""
        if self._descriptor >= 0:
            self._punch([part for part in self.held if not any(kept.meets(part) for kept in self._kept)])
        self._checksums.clear()
        self._lose(ByteRange(0, self.size))

    def _lose(self, stretch: ByteRange) -> None:
        lost = sum(part.length for part in self.held.within(stretch))
        self._forgo(stretch)
        self._keeper.lost(self, stretch, lost)

    def _forgo(self, stretch: ByteRange) -> None:
        self.held.remove(stretch)
        self.is_checked = False
        self.digested = None
        job = self.outstanding
        if job is not None and (job.digest is not None or job.stretch.meets(stretch)):
            self.outstanding = None

    def discard(self) -> None:
        """Frees the bytes; only the keeper calls this, on a file that nobody uses."""
        with contextlib.suppress(OSError):  # somebody emptied the cache folder: that is allowed at any moment
            self.path.unlink()
