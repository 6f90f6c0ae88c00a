"""The checksums of one cached file's blocks: which are known, and of which somebody has seen that they fit.

Reads nothing: whoever has the bytes compares them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxfs.local.extents import BLOCK_BYTES, BLOCKS, Sums, blocks_of, extents_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cxfs.core.ranges import ByteRange, RangeSet


class Checksums:
    """Of a file of `size` bytes. `has_unproven`: some came from an earlier run, and nobody has looked since."""

    __slots__ = ("_fresh", "_size", "_sums", "_unproven")

    def __init__(self, size: int) -> None:
        self._size = size
        self._sums: dict[int, bytes] = {}
        self._unproven: dict[int, int] = {}  # extent → blocks, as bits
        self._fresh: set[int] = set()  # extents that bytes came into since all their blocks were known

    @property
    def has_unproven(self) -> bool:
        """Whether any is."""
        return bool(self._unproven)

    def of(self, extent: int) -> Sums:
        """Those of an extent."""
        return Sums.unpacked(self._sums.get(extent))

    def take_on(self, extent: int, sums: Sums) -> None:
        """Of content that nobody has compared with them in this run."""
        self._sums[extent] = sums.packed()
        self._unproven[extent] = sums.bits

    def now_proven(self, wanted: ByteRange) -> list[tuple[ByteRange, int]]:
        """The unproven blocks that touch `wanted`, each with its checksum: the caller compares them now."""
        found = []
        for extent in extents_in(wanted):
            bits = self._unproven.pop(extent, 0)
            if not bits:
                continue
            sums = self.of(extent).sums
            for block, stretch in blocks_of(extent, self._size):
                if bits >> block & 1 and stretch.meets(wanted):
                    bits &= ~(1 << block)
                    found.append((stretch, sums[block]))
            if bits:
                self._unproven[extent] = bits
        return found

    def all_proven(self) -> None:
        """Somebody has compared the whole file with a digest of it."""
        self._unproven.clear()

    def drop_block(self, stretch: ByteRange) -> None:
        """The block is not here."""
        extent, block = divmod(stretch.start // BLOCK_BYTES, BLOCKS)
        self._sums[extent] = self.of(extent).without(block).packed()

    def drop(self, extent: int) -> None:
        """Nothing of the extent is here."""
        self._sums.pop(extent, None)
        self._unproven.pop(extent, None)
        self._fresh.discard(extent)

    def clear(self) -> None:
        """Nothing is."""
        self._sums.clear()
        self._unproven.clear()
        self._fresh.clear()

    def came(self, stretch: ByteRange) -> None:
        """Bytes came in there."""
        self._fresh.update(extents_in(stretch))

    def lacking(self, held: RangeSet) -> list[ByteRange]:
        """The whole blocks that are held and have no checksum yet, in order."""
        found = []
        for extent in sorted(self._fresh):
            bits = self.of(extent).bits
            whole = [
                stretch
                for block, stretch in blocks_of(extent, self._size)
                if not bits >> block & 1 and held.covers(stretch)
            ]
            if not whole:
                self._fresh.discard(extent)
            found += whole
        return found

    def cover(self, held: RangeSet) -> bool:
        """Whether all that is held has a checksum, so that these say all there is to know."""
        return all(
            self.of(extent).bits >> block & 1
            for extent in {extent for part in held for extent in extents_in(part)}
            for block, stretch in blocks_of(extent, self._size)
            if held.within(stretch)
        )

    def add(self, stretch: ByteRange, found: Mapping[int, int]) -> set[int]:
        """Those of the blocks in a stretch, by their offsets; the extents of which more is known now.

        One that is known already stays: it may say more than what the disk has now.
        """
        changed = set()
        for extent in extents_in(stretch):
            before = self.of(extent)
            added = {
                block: found[piece.start]
                for block, piece in blocks_of(extent, self._size)
                if piece.start in found and not before.bits >> block & 1
            }
            if added:
                self._sums[extent] = before.having(added).packed()
                changed.add(extent)
        return changed
