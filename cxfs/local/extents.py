"""How cached content is divided, and how what is known of a part is packed. Arithmetic and bytes only; opens no file.

An extent is what is given up at a time, a block in it what has a checksum. What is known of an extent is packed in two
ways: as a record of the index, and, for the many files of one extent that nobody reads, as the bytes that memory keeps.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from cxfs.core.entries import Uuid
from cxfs.core.ranges import ByteRange

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BLOCK_BYTES: Final = 128 << 10
"""What one checksum is for: what the kernel reads at a time."""

BLOCKS: Final = 8

EXTENT_BYTES: Final = BLOCKS * BLOCK_BYTES
"""What is evicted at a time: small beside any limit, and large enough that ten thousand fill a cache of 10 GiB."""

SHA1_BYTES: Final = 20

_NO_SHA1: Final = bytes(SHA1_BYTES)
_SUMS: Final = struct.Struct(f"<B{BLOCKS}I")
_RECORD: Final = struct.Struct(f"<22sQIQ{SHA1_BYTES}sBB")
_RESTING: Final = struct.Struct(f"<I{SHA1_BYTES}sBB")
_SIZE_AT: Final = 34
_AFTER_SIZE: Final = 42
_SIZE_PACKED: Final = 4
_CHECKED: Final = 1


class BlockKey(NamedTuple):
    """Content that never changes: one version of one object."""

    object: Uuid
    version: int

    @property
    def name(self) -> str:
        """Of its file in the cache's folder."""
        return f"{self.object}.{self.version}"


def key_of(name: str) -> BlockKey:
    """The version that a file of this name holds."""
    object_id, _, version = name.partition(".")
    return BlockKey(Uuid(object_id), int(version))


def place_of(name: str, extent: int) -> str:
    """What an extent of a file is called."""
    return f"{name}:{extent}" if extent else name


def parted(place: str) -> tuple[str, int]:
    """The file and the extent that a place is."""
    name, _, extent = place.partition(":")
    return name, int(extent or 0)


def extents_in(stretch: ByteRange) -> range:
    """Those that it touches."""
    return range(stretch.start // EXTENT_BYTES, -(-stretch.stop // EXTENT_BYTES))


def stretch_of(extent: int, size: int) -> ByteRange:
    """The bytes of an extent in a file of `size` bytes."""
    return ByteRange(extent * EXTENT_BYTES, min(size, (extent + 1) * EXTENT_BYTES))


def blocks_of(extent: int, size: int) -> Iterator[tuple[int, ByteRange]]:
    """The blocks of an extent: each with its number there and its bytes."""
    return enumerate(stretch_of(extent, size).pieces(BLOCK_BYTES))


class Sums(NamedTuple):
    """Checksums of an extent's blocks: those of `bits` (block n is bit n) are known."""

    bits: int
    sums: tuple[int, ...]

    def having(self, added: Mapping[int, int]) -> Sums:
        """With these as well."""
        sums = list(self.sums)
        bits = self.bits
        for block, value in added.items():
            sums[block] = value
            bits |= 1 << block
        return Sums(bits, tuple(sums))

    def without(self, block: int) -> Sums:
        """One less."""
        return Sums(self.bits & ~(1 << block), self.sums)

    def packed(self) -> bytes:
        """As memory keeps it: a file of 10 GiB has ten thousand of them."""
        return _SUMS.pack(self.bits, *self.sums)

    @classmethod
    def unpacked(cls, raw: bytes | None) -> Sums:
        """The reverse; of None, none are known."""
        if raw is None:
            return cls(0, (0,) * BLOCKS)
        bits, *sums = _SUMS.unpack(raw)
        return cls(bits, tuple(sums))


class Known(NamedTuple):
    """What is known of one extent of a file of `size` bytes.

    `sha1` is the server's digest of the whole file; `is_checked`: the whole file was compared with it.
    """

    size: int
    sha1: bytes | None
    is_checked: bool
    sums: Sums


def record(key: BlockKey, extent: int, known: Known) -> bytes:
    """For the index. Without any checksum it says that the extent is gone."""
    size, sha1, is_checked, sums = known
    head = _RECORD.pack(
        key.object.encode("ascii"), key.version, extent, size, sha1 or _NO_SHA1, _CHECKED * is_checked, sums.bits
    )
    return head + b"".join(
        value.to_bytes(4, "little") for block, value in enumerate(sums.sums) if sums.bits >> block & 1
    )


def place_and_size(raw: bytes) -> tuple[str, int, int]:
    """Of a record: file name, extent, and the size of the file. Raises ValueError for what is no record."""
    if len(raw) < _RECORD.size or len(raw) != _RECORD.size + 4 * raw[_RECORD.size - 1].bit_count():
        raise ValueError("not a record of the block index")
    raw_object, version, extent, size, _, _, bits = _RECORD.unpack_from(raw)
    blocks = -(-(size - extent * EXTENT_BYTES) // BLOCK_BYTES)
    if blocks <= 0 or (blocks < BLOCKS and bits >> blocks):
        raise ValueError("an extent or block beyond the end of its file")
    return f"{raw_object.decode('ascii')}.{version}", extent, size


def is_gone(raw: bytes) -> bool:
    """Whether a record says that nothing of the extent is here."""
    return not raw[_RECORD.size - 1]


def resting_of(raw: bytes) -> bytes:
    """What memory keeps of the record of a small file that nobody reads."""
    return raw[_SIZE_AT : _SIZE_AT + _SIZE_PACKED] + raw[_AFTER_SIZE:]


def known_of(resting: bytes) -> Known:
    """The reverse of `resting_of`, also of records of larger files: their size is what the caller knows."""
    size, sha1, flags, bits = _RESTING.unpack_from(resting)
    values = iter(struct.unpack_from(f"<{bits.bit_count()}I", resting, _RESTING.size))
    sums = tuple(next(values) if bits >> block & 1 else 0 for block in range(BLOCKS))
    return Known(size, None if sha1 == _NO_SHA1 else sha1, bool(flags & _CHECKED), Sums(bits, sums))


def resting_bytes(resting: bytes) -> int:
    """Bytes held of a small file at rest."""
    size, bits = int.from_bytes(resting[:_SIZE_PACKED], "little"), resting[_RESTING.size - 1]
    last = (size - 1) // BLOCK_BYTES
    held = bits.bit_count() * BLOCK_BYTES
    return held - ((last + 1) * BLOCK_BYTES - size) * (bits >> last & 1)


def is_whole(resting: bytes, size: int) -> bool:
    """Whether a small file at rest is all there, and has that size."""
    return int.from_bytes(resting[:_SIZE_PACKED], "little") == size == resting_bytes(resting)


def name_is_ours(name: str) -> bool:
    """Whether a file of this name in the cache's folder was put there by a cache."""
    object_id, dot, version = name.partition(".")
    return bool(dot) and len(object_id) == 22 and version.isascii() and version.isdigit()
