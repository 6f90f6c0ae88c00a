"""Brings the bytes of a base version into a draft that began over it. Decides nothing about when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cxfs.core.entries import Entry
from cxfs.core.errors import Stale

if TYPE_CHECKING:
    from cxfs.core.ranges import ByteRange
    from cxfs.fs.changes import Change
    from cxfs.fs.reader import Reader

PIECE_BYTES: Final = 1 << 20
"""Carried over at a time: what this costs in memory."""


async def bring_base(reader: Reader, change: Change, wanted: ByteRange) -> None:
    """Returns when the draft holds all of `wanted`. Raises Stale when the version it began from is gone."""
    gaps = change.draft.missing(wanted)
    if not gaps:
        return
    stream = reader.open(_base_of(change))
    try:
        for gap in gaps:
            for piece in gap.pieces(PIECE_BYTES):
                change.draft.fill(piece.start, await stream.read(piece))
    finally:
        stream.close()


def _base_of(change: Change) -> Entry:
    if change.object is None or change.base_version is None:
        raise Stale(f"the version that {change.path} was changed from is gone")
    return Entry(
        owner=change.path.owner,
        id=change.object,
        name=change.name,
        is_folder=False,
        size=change.base_size,
        version=change.base_version,
        created_ms=0,
        modified_ms=0,
    )
