"""Which cached content there is, the least recently used first, and what goes when it is too much. Opens no file.

Recency is that of extents. A file of one extent that nobody uses, and that has its checksums, rests: a hundred thousand
of them are a few dozen bytes each. All others are whole objects.
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from cxfs.core.ranges import RangeSet
from cxfs.local import extents
from cxfs.local.extents import EXTENT_BYTES, extents_in, parted, place_of, stretch_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cxfs.core.ranges import ByteRange
    from cxfs.local.block_file import BlockFile
    from cxfs.local.extents import Known

SPARED_MAX: Final = 64
"""Extents in use that one look passes over: where so many of the oldest are, the limit is passed meanwhile."""


class Shelf:
    """What is kept in `folder`. `files`: the whole objects, by name; `given_up`: extents since somebody last asked."""

    def __init__(self, folder: Path) -> None:
        self.files: dict[str, BlockFile] = {}
        self.bytes_held = 0
        self.evicted_files = 0
        self.given_up: set[tuple[str, int]] = set()
        self._folder = folder
        self._places: OrderedDict[str, bytes | None] = OrderedDict()  # what rests there; None where it is no whole file
        self._resting = 0

    def __len__(self) -> int:
        """Extents of which something is held."""
        return len(self._places)

    @property
    def files_held(self) -> int:
        """Files, whole objects or at rest."""
        return len(self.files) + self._resting

    # ------------------------------------------------------------ coming and resting

    def put_resting(self, name: str, resting: bytes) -> None:
        """A file that nobody uses, as the most recent one."""
        self._places[name] = resting
        self._resting += 1
        self.bytes_held += extents.resting_bytes(resting)

    def put(self, file: BlockFile) -> None:
        """A whole object, with what is held of it as the most recent."""
        self.files[file.key.name] = file
        self.bytes_held += file.held.length
        for stretch in file.held:
            self._recent(file.key.name, stretch)

    def has(self, name: str) -> bool:
        """Whether anything is known of the file."""
        return name in self.files or name in self._places

    def held_of(self, name: str) -> tuple[int, RangeSet]:
        """The size of a file that is here, and which of its bytes are."""
        file = self.files.get(name)
        if file is not None:
            return file.size, file.held
        resting = self._places[name]
        assert resting is not None
        size, _, _, sums = extents.known_of(resting)
        held = (stretch for block, stretch in extents.blocks_of(0, size) if sums.bits >> block & 1)
        return size, RangeSet(held)

    def at_rest(self, name: str) -> bytes | None:
        """What is known of a file at rest."""
        return self._places.get(name)

    def take(self, name: str) -> Known | None:
        """The same, and it rests no longer: the caller makes an object of it."""
        resting = self._places.pop(name, None)
        if resting is None:
            return None
        self._resting -= 1
        self.bytes_held -= extents.resting_bytes(resting)
        return extents.known_of(resting)

    def rest(self, file: BlockFile) -> None:
        """Lets the object go where a few bytes say as much."""
        if file.users or file.size > EXTENT_BYTES or not file.is_sealed:
            return
        name = file.key.name
        del self.files[name]
        self._places[name] = extents.resting_of(extents.record(file.key, 0, file.known(0)))
        self._resting += 1

    # ------------------------------------------------------------ use

    def landed(self, file: BlockFile, stretch: ByteRange, added_bytes: int) -> None:
        """Bytes came in."""
        self.bytes_held += added_bytes
        self._recent(file.key.name, stretch)

    def lost(self, file: BlockFile, stretch: ByteRange, lost_bytes: int) -> None:
        """Bytes are gone."""
        self.bytes_held -= lost_bytes
        for extent in extents_in(stretch):
            if not file.held.within(stretch_of(extent, file.size)):
                self._places.pop(place_of(file.key.name, extent), None)

    def used(self, file: BlockFile, stretch: ByteRange) -> None:
        """Somebody reads there."""
        for extent in extents_in(stretch):
            with contextlib.suppress(KeyError):  # nothing of that extent is here
                self._places.move_to_end(place_of(file.key.name, extent))

    def _recent(self, name: str, stretch: ByteRange) -> None:
        for extent in extents_in(stretch):
            place = place_of(name, extent)
            self._places[place] = None
            self._places.move_to_end(place)

    # ------------------------------------------------------------ going

    def evict(self, bytes_kept_max: int, *, extents_kept_max: int) -> int:
        """Gives up the least recently used until no more is held; the bytes freed."""
        before, spared = self.bytes_held, 0
        while self._places and (self.bytes_held > bytes_kept_max or len(self._places) > extents_kept_max):
            place = next(iter(self._places))
            if not self._give_up(place):
                self._places.move_to_end(place)  # somebody reads it
                spared += 1
                if spared == SPARED_MAX:
                    break
        return before - self.bytes_held

    def _give_up(self, place: str) -> bool:
        name, extent = parted(place)
        file = self.files.get(name)
        if file is None:
            self._drop_resting(name)
            self.evicted_files += 1
            return True
        freed = file.give_up(extent) if file.users or file.size > EXTENT_BYTES else 0
        if not freed and file.users:
            return False
        if not freed:
            self.drop(file)
            self.evicted_files += 1
            return True
        del self._places[place]
        self.bytes_held -= freed
        self.given_up.add((name, extent))
        if not file.users and not file.held:
            self.drop(file)
            self.evicted_files += 1
        return True

    def drop(self, file: BlockFile) -> None:
        """All of a file that nobody uses."""
        del self.files[file.key.name]
        self.bytes_held -= file.held.length
        for stretch in file.held:
            for extent in extents_in(stretch):
                self._places.pop(place_of(file.key.name, extent), None)
        file.discard()

    def drop_named(self, name: str) -> None:
        """The same by its name, also at rest; a file in use stays."""
        file = self.files.get(name)
        if file is None and self._places.get(name) is not None:
            self._drop_resting(name)
        elif file is not None and not file.users:
            self.drop(file)

    def _drop_resting(self, name: str) -> None:
        self.take(name)
        with contextlib.suppress(OSError):
            (self._folder / name).unlink()

    def names_unused(self) -> list[str]:
        """Of all files that nobody has open."""
        resting = [place for place, known in self._places.items() if known is not None]
        return resting + [name for name, file in self.files.items() if not file.users]

    def records(self) -> Iterator[bytes]:
        """For the index, the least recently used first; what has no checksum is left out."""
        for place in self._places:
            raw = self.record_of(*parted(place))
            if raw is not None and not extents.is_gone(raw):
                yield raw

    def record_of(self, name: str, extent: int) -> bytes | None:
        """What the index is to say of an extent; None of a file that is not here at all."""
        file = self.files.get(name)
        if file is not None:
            return extents.record(file.key, extent, file.known(extent))
        resting = self._places.get(name)
        return None if resting is None else extents.record(extents.key_of(name), 0, extents.known_of(resting))
