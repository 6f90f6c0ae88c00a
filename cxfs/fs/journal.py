"""The journal as the file system uses it: one call after the other, none that stops the loop. Rows are the outbox's.

A row goes into the system's memory in microseconds, and a thread would cost several times as much; only what waits for
the disk has to go elsewhere.
"""

from __future__ import annotations

import logging
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVarTuple

import trio

from cxfs.fs.changes import Change
from cxfs.local.drafts import LARGE_BYTES
from cxfs.local.rows import Report, SentRow

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cxfs.core.entries import Entry, TreePath
    from cxfs.fs.changes import Changes
    from cxfs.fs.errands import Errand
    from cxfs.fs.offload import Offload
    from cxfs.fs.outcomes import Arrived
    from cxfs.local.outbox import Outbox

log = logging.getLogger(__name__)

Ts = TypeVarTuple("Ts")

SEALED_MAX: Final = 16
"""Contents of one change whose answers got lost, one after the other, that are still recognised as our own."""


ERASED_AT_ONCE_MAX: Final = 8
"""Drafts: giving up the name of one takes some ten microseconds."""


REPORTS_KEPT: Final = 100
"""In memory, of those that nobody has looked at."""


class Journal:
    """Writes down what was accepted. `wall_ms` is the time of day.

    Calls go by `offload`, by `synced` those that wait for the disk; both together must keep the order of all calls.
    No call is cut short by a deadline: what was done and could not be written down any more would be undone by a kill.
    """

    def __init__(
        self, outbox: Outbox, changes: Changes, offload: Offload, synced: Offload, wall_ms: Callable[[], int]
    ) -> None:
        self._outbox = outbox
        self._changes = changes
        self._offload = offload
        self._synced = synced
        self.now_ms = wall_ms
        self._reports: deque[Report] = deque(maxlen=REPORTS_KEPT)

    async def record(
        self, change: Change, *, durable: bool = False, errand: Errand | None = None, over: Change | None = None
    ) -> None:
        """Accepts the change as it is at this moment, and with it an errand that comes of it.

        `over` is a change whose file it replaces: a kill leaves one of the two and never both. It is to be withdrawn
        next. A change that was taken back (deleted, replaced) is left alone.
        """
        if change in self._changes:
            change.accepted_ms = change.accepted_ms or self.now_ms()
            row, replaces = change.row(), change.replaces
            record = partial(
                self._outbox.record,
                row,
                change.draft,
                durable=durable,
                instead_of=[each.id for each in (*replaces, over, *_replaced_by(errand)) if each is not None],
                errand=errand.row() if errand is not None else None,
            )
            await self._write(record, waits=durable)
            change.journalled = max(change.journalled, row.generation)
            change.replaces = tuple(each for each in change.replaces if each not in replaces)

    async def will_shrink(self, change: Change, size: int) -> None:
        """The draft is about to be cut: a row that claims more than it holds would be set aside after a kill."""
        if change in self._changes:
            await self._write(partial(self._outbox.record, change.row().cut(size), change.draft))

    async def make_durable(self) -> None:
        """Every row written so far survives power loss."""
        await self._write(self._outbox.make_durable, waits=True)

    async def sealed(self, change: Change, sha1: bytes) -> None:
        """Content of this digest is about to be handed over whole; its answer may get lost, as others may have."""
        await self.sealed_together([(change, sha1)])

    async def sealed_together(self, handed_over: Sequence[tuple[Change, bytes]]) -> None:
        """The same of each, in one step."""
        for change, sha1 in handed_over:
            if sha1 not in change.sealed:
                change.sealed = (*change.sealed[-SEALED_MAX + 1 :], sha1)
        if handed_over:
            await self._write(self._outbox.sealed_together, [(change.id, change.sealed) for change, _ in handed_over])

    async def sent(self, together: Sequence[Arrived]) -> None:
        """The server has these generations, and nothing newer was written: the changes are over."""
        rows = [
            SentRow(change.id, generation, entry.id, change.inode if change.inode != entry.id.number else None)
            for change, entry, generation in together
        ]
        await self._write(self._outbox.sent_together, rows)
        waits = len(rows) > ERASED_AT_ONCE_MAX or _are_large(*(change for change, _, _ in together))
        await self._write(self._outbox.erase, *(row.id for row in rows), waits=waits)

    async def discard(self, change: Change) -> None:
        """The user took the change back, and with it what its next record would have taken the place of."""
        await self.drop(change, *change.replaces)

    async def note(self, errand: Errand, *instead_of: Change | Errand) -> None:
        """Accepts an errand as it is at this moment, in the place of changes and errands that were taken back."""
        former = [each.id for each in (*_replaced_by(errand), *instead_of)]
        note = partial(self._outbox.note, errand.row(), instead_of=former)
        await self._write(note, waits=_are_large(*instead_of))

    async def drop(self, *taken_back: Change | Errand) -> None:
        """They were taken back, and nothing comes of them."""
        await self._write(self._outbox.discard, *(each.id for each in taken_back), waits=_are_large(*taken_back))

    async def forget(self, *errands: Errand) -> None:
        """The errands are over."""
        await self._write(self._outbox.forget, *(errand.id for errand in errands))

    async def made(self, errand: Errand, entry: Entry) -> None:
        """The folder is on the server as `entry`: every row says so in one step."""
        inode = errand.inode if errand.inode != entry.id.number else None
        await self._write(self._outbox.made, errand.place, entry.id, inode)

    async def report(self, path: TreePath, text: str) -> None:
        """Tells a person what went another way than a program was told: in the log, and for later."""
        log.warning("%s: %s", path, text)
        report = Report(self.now_ms(), str(path), text)
        self._reports.append(report)
        await self._write(self._outbox.report, report)

    def new_reports(self) -> list[Report]:
        """Those since this was last asked, or the newest of them."""
        new = list(self._reports)
        self._reports.clear()
        return new

    async def reports(self) -> list[Report]:
        """What a person is to be told, of this run and earlier ones, oldest first."""
        return await self._offload(self._outbox.reports)

    async def _write(self, work: Callable[[*Ts], object], /, *args: *Ts, waits: bool = False) -> None:
        way = self._synced if waits or self._outbox.waits_for_disk else self._offload
        with trio.CancelScope(shield=True):
            await way(work, *args)


def _replaced_by(errand: Errand | None) -> tuple[Errand, ...]:
    return () if errand is None else errand.replaces


def _are_large(*taken_back: Change | Errand) -> bool:
    """Whether the drafts of these take the disk a while to give up."""
    return any(isinstance(each, Change) and each.draft.size > LARGE_BYTES for each in taken_back)
