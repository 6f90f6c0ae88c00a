"""How much an owner keeps and may keep. Counts bytes of current and of former contents; knows no path and no request.

Former versions give way, oldest first, before anything is refused: the quota is exact, and history has what is left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cxfs.server.contents import note_unused
from cxfs.server.errors import QuotaExceeded

if TYPE_CHECKING:
    from cxfs.server.database import Connection

_STEP: Final = 256
"""Former versions looked at in one go when room has to be made."""


def room(connection: Connection, owner: int, replaced_bytes: int) -> int:
    """The largest file that fits in place of one of that size, which becomes a former version and gives way."""
    capacity, consumed = connection.execute(
        "SELECT capacity, consumed FROM owners WHERE number = ?", (owner,)
    ).fetchone()
    return max(replaced_bytes, int(capacity) - int(consumed) + replaced_bytes)


def charge(connection: Connection, owner: int, *, current: int = 0, before: int = 0) -> None:
    """Adds to what the owner keeps, or with negative numbers takes from it. Raises QuotaExceeded; then roll back."""
    capacity, consumed, consumed_before = connection.execute(
        "UPDATE owners SET consumed = consumed + ?, consumed_before = consumed_before + ? WHERE number = ?"
        " RETURNING capacity, consumed, consumed_before",
        (current, before, owner),
    ).fetchone()
    if current > 0 and consumed > capacity:
        raise QuotaExceeded(f"{consumed - capacity} bytes more than the {capacity} that may be kept here")
    excess = consumed + consumed_before - capacity
    while excess > 0 and (freed := _drop_oldest(connection, owner, excess)):
        excess -= freed
        consumed_before -= freed
        connection.execute("UPDATE owners SET consumed_before = ? WHERE number = ?", (consumed_before, owner))


def _drop_oldest(connection: Connection, owner: int, excess: int) -> int:
    """Some of the owner's former versions go, until `excess` bytes are free or the step is over; the bytes freed."""
    oldest = connection.execute(
        "SELECT v.node, v.version, v.content, c.size FROM versions v JOIN nodes n ON n.number = v.node"
        " JOIN contents c ON c.number = v.content WHERE n.owner = ? AND c.size > 0 ORDER BY v.replaced_ms LIMIT ?",
        (owner, _STEP),
    ).fetchall()
    freed = 0
    for node, version, content, size in oldest:
        if freed >= excess:
            break
        connection.execute("DELETE FROM versions WHERE node = ? AND version = ?", (node, version))
        note_unused(connection, [content])
        freed += size
    return freed
