"""The journal as the file system uses it: one call after the other, off the loop. Rows are the outbox's matter."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, TypeVarTuple

import trio

if TYPE_CHECKING:
    from collections.abc import Callable

    from cxfs.core.entries import Entry
    from cxfs.fs.changes import Change, Changes
    from cxfs.fs.offload import Offload
    from cxfs.local.outbox import Outbox

Ts = TypeVarTuple("Ts")

SEALED_MAX: Final = 16
"""Contents of one change whose answers got lost, one after the other, that are still recognised as our own."""


class Journal:
    """Writes down what was accepted. `offload` must keep the order of its calls; `wall_ms` is the time of day.

    No call is cut short by a deadline: what was done and could not be written down any more would be undone by a kill.
    """

    def __init__(self, outbox: Outbox, changes: Changes, offload: Offload, wall_ms: Callable[[], int]) -> None:
        self._outbox = outbox
        self._changes = changes
        self._offload = offload
        self._wall_ms = wall_ms

    async def record(self, change: Change, *, durable: bool = False) -> None:
        """Accepts the change as it is at this moment; one that was taken back (deleted, replaced) is left alone."""
        if change in self._changes:
            change.accepted_ms = change.accepted_ms or self._wall_ms()
            row = change.row()
            await self._write(partial(self._outbox.record, row, change.draft, durable=durable))
            change.journalled = max(change.journalled, row.generation)

    async def sealed(self, change: Change, sha1: bytes) -> None:
        """Content of this digest is about to be handed over whole; its answer may get lost, as others may have."""
        if sha1 not in change.sealed:
            change.sealed = (*change.sealed[-SEALED_MAX + 1 :], sha1)
        await self._write(self._outbox.sealed, change.id, change.sealed)

    async def sent(self, change: Change, generation: int, entry: Entry) -> None:
        """The server has this generation, and nothing newer was written: the change is over."""
        inode = change.inode if change.inode != entry.id.number else None
        await self._write(self._outbox.sent, change.id, generation, entry.id, inode)
        await self._write(self._outbox.erase, change.id)

    async def discard(self, change: Change) -> None:
        """The user took the change back."""
        await self._write(self._outbox.discard, change.id)

    async def _write(self, work: Callable[[*Ts], object], /, *args: *Ts) -> None:
        with trio.CancelScope(shield=True):
            await self._offload(work, *args)
