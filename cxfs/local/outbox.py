"""What was accepted and is not on the server yet: a journal in SQLite beside the drafts. All of it is precious.

The order of steps, written down once, here:

    close   bytes into the draft, then the row, then the commit: survives a kill of the daemon
    fsync   bytes, fdatasync of draft and folder, row, commit with full sync: survives power loss
    mkdir, unlink, rmdir: the errand's row, the commit; what an unlink takes back of a change goes in the same commit
    sent    the draft's mark goes, the row is deleted and committed, then the draft's name: a crash between leaves
            a draft without row and mark, which was never accepted or is on the server, and is cleared at the next start
    made    a folder's errand goes, and its UUID takes the provisional one's place in every row, in one commit

A row whose draft is missing or that cannot be read, and a draft whose row the journal has lost, is set aside in
`quarantine` and reported, never deleted. Plain blocking calls, one at a time (the caller's limiter sees to it). What
the tables are is `schema`'s matter, what a row says `rows`'s, how it is committed `ledger`'s, what becomes of a damaged
journal `salvage`'s.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
import shutil
import sqlite3
from typing import TYPE_CHECKING, Final, TypeVar

from cxfs.core.entries import Uuid
from cxfs.core.errors import CxfsError
from cxfs.core.ranges import RangeSet
from cxfs.local.drafts import Draft, is_accepted, make_names_durable, mark
from cxfs.local.ledger import Ledger
from cxfs.local.rows import Cells, ChangeRow, ErrandRow, Report, SentRow
from cxfs.local.schema import check_sum
from cxfs.local.spares import SpareDrafts
from cxfs.local.statements import Statement, accept, delete, draft_of, insert, set_aside

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

log = logging.getLogger(__name__)

_DRAFT_ID: Final = re.compile("[0-9a-f]{24}")

INODES_MAX: Final = 100_000
"""Numbers remembered beyond those that UUIDs give (about 20 MB); past it the oldest fall back to their UUID's number
at the next mount."""

REPORTS_MAX: Final = 1_000
"""The newest are kept: a person reads a few, and a server that refuses everything must not fill the disk."""

_ACCOUNT: Final = "account"
"""The fact that says whose journal it is."""

_SYNCED: Final = "synced"
"""A fact that says nothing: writing it makes what was written before durable."""

T = TypeVar("T", ChangeRow, ErrandRow)


class Outbox:
    """The journal and the drafts below `folder`, which is private to this account and held by one daemon.

    `sync` brings what is behind a descriptor to stable storage, `free_bytes` tells what a folder's disk has left.
    Raises CxfsError when the journal cannot be used.
    """

    def __init__(
        self,
        folder: Path,
        *,
        sync: Callable[[int], None] = os.fsync,
        free_bytes: Callable[[Path], int] = lambda at: shutil.disk_usage(at).free,
    ) -> None:
        self._sync = sync
        self._free_bytes = free_bytes
        self._drafts = folder / "drafts"
        self._drafts.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.spares = SpareDrafts(self._make_draft)
        make_names_durable(self._drafts)
        self._is_gone = False
        self._marked: set[str] = set()
        self._synced: set[str] = set()
        self._ledger = Ledger(folder)
        self._inodes: dict[Uuid, int] = {}
        try:
            self._learn_inodes()
        except sqlite3.Error as error:
            self._ledger.close()
            raise self._ledger.unusable(error) from error
        except BaseException:
            self._ledger.close()
            raise

    def _learn_inodes(self) -> None:
        self._ledger.commit(("DELETE FROM inodes WHERE rowid <= (SELECT max(rowid) FROM inodes) - ?", (INODES_MAX,)))
        for name, number in self._ledger.query("SELECT object, inode FROM inodes"):
            self._inodes[Uuid(name)] = number

    # ------------------------------------------------------------ facts

    def fact(self, name: str) -> str | None:
        """What was written down under this name; None: nothing."""
        rows = self._ledger.query("SELECT value FROM facts WHERE name = ?", (name,))
        return str(rows[0][0]) if rows else None

    def write_fact(self, name: str, value: str) -> None:
        """Remembers it, over any restart."""
        self._ledger.commit(insert("facts", (name, value)))

    @property
    def account(self) -> Uuid | None:
        """Whose changes these are; None while that was not written down."""
        account = self.fact(_ACCOUNT)
        return None if account is None else Uuid.parse(account)

    @account.setter
    def account(self, account: Uuid) -> None:
        self.write_fact(_ACCOUNT, account)

    # ------------------------------------------------------------ drafts

    def new_draft(self, *, size: int, base_bytes: int) -> tuple[str, Draft]:
        """A draft with nothing in it (sparse) and its id. Nothing is accepted yet: that is what `record` does."""
        change_id, draft = self.spares.take()
        draft.begin(size=size, base_bytes=base_bytes)
        return change_id, draft

    def _make_draft(self) -> tuple[str, Draft]:
        change_id = secrets.token_hex(12)
        file = self._drafts / change_id
        return change_id, Draft(file, size=0, base_bytes=0, held=RangeSet(), create=True, sync=self._sync)

    def open_draft(self, row: ChangeRow) -> Draft:
        """The draft of a recovered row."""
        file, held = self._drafts / row.id, RangeSet(row.held)
        return Draft(file, size=row.size, base_bytes=row.base_bytes, held=held, create=False, sync=self._sync)

    def draft_bytes(self) -> int:
        """What all drafts take on disk, in bytes."""
        return sum(file.stat().st_blocks * 512 for file in self._drafts.iterdir())

    def free_bytes(self) -> int:
        """What the disk of the drafts has left, in bytes."""
        return self._free_bytes(self._drafts)

    def keep_reserve(self) -> bool:
        """Whether the journal can be written even if the disk is full by then; False: accept no more bytes."""
        return self._ledger.keep_reserve()

    @property
    def waits_for_disk(self) -> bool:
        """Whether the next step in the journal does, though nothing durable is asked of it."""
        return self._ledger.waits_next

    # ------------------------------------------------------------ the journal

    def record(
        self,
        row: ChangeRow,
        draft: Draft,
        *,
        durable: bool = False,
        instead_of: Collection[str] = (),
        errand: ErrandRow | None = None,
    ) -> None:
        """Accepts a change, or what is newly known of it; durable against power loss when asked.

        In the same step the changes and errands that it takes the place of go (their drafts when they are discarded),
        and an `errand` that comes of it is accepted. Raises DiskFull when this machine takes no more; what was recorded
        before then still holds.
        """
        self._require_folder()
        # A change once made durable stays so: after a power cut its row must not claim more than its draft holds, or it
        # would be set aside with all that was acknowledged before.
        durable = durable or row.id in self._synced
        if row.id not in self._marked:
            mark(f"{self._drafts}/{row.id}", accepted=True)
            self._marked.add(row.id)
        if durable:
            draft.make_durable()
        self._let_go(*instead_of)
        former = *delete("changes", *instead_of), *delete("errands", *instead_of)
        accepted = [*former, accept("changes", row.values)]
        accepted += [] if errand is None else [accept("errands", errand.values)]
        self._ledger.commit(*accepted, durable=durable)
        if durable:
            self._synced.add(row.id)

    def _require_folder(self) -> None:
        """Raises CxfsError where somebody removed it: a journal without a name takes rows that no restart finds."""
        if os.access(self._drafts, os.F_OK):
            return
        if not self._is_gone:
            log.error("%s is gone: nothing more is accepted; unmount, and mount again", self._drafts.parent)
        self._is_gone = True
        raise CxfsError("the state folder is gone: nothing more is accepted")

    def make_durable(self) -> None:
        """Every row recorded so far survives power loss: a commit with full sync brings all earlier ones along."""
        self._ledger.commit(insert("facts", (_SYNCED, "")), durable=True)

    def sealed(self, change_id: str, digests: tuple[bytes, ...]) -> None:
        """Contents with these SHA-1 digests were, or are about to be, handed over whole; their answers may get lost."""
        self.sealed_together([(change_id, digests)])

    def sealed_together(self, handed_over: Collection[tuple[str, tuple[bytes, ...]]]) -> None:
        """The same of many changes, in one step."""
        update = "UPDATE changes SET sealed = ? WHERE id = ?"
        self._ledger.commit(*((update, (b"".join(digests), change_id)) for change_id, digests in handed_over))

    def sent(self, change_id: str, generation: int, object_id: Uuid, inode: int | None) -> bool:
        """The server has this generation: True when that settles the change, False when a newer one was recorded.

        `inode` is the number to remember for the object where it is not the one that its UUID gives.
        """
        self.sent_together([SentRow(change_id, generation, object_id, inode)])
        return not self._ledger.query("SELECT 1 FROM changes WHERE id = ?", (change_id,))

    def sent_together(self, rows: Collection[SentRow]) -> None:
        """The same of many changes, in one step."""
        statements: list[Statement] = []
        for row in rows:
            is_newer = "SELECT 1 FROM changes WHERE id = ? AND generation > ?"
            if not self._ledger.query(is_newer, (row.id, row.generation)):
                self._let_go(row.id)
            statements.append(("DELETE FROM changes WHERE id = ? AND generation <= ?", (row.id, row.generation)))
            statements += self._remember(row.object, row.inode)
        self._ledger.commit(*statements)

    def _remember(self, object_id: Uuid, inode: int | None) -> list[Statement]:
        """What keeps the object's number, where it is not the one that its UUID gives (None)."""
        if inode is None:
            return []
        self._inodes[object_id] = inode
        return [insert("inodes", (object_id, inode))]

    def discard(self, *ids: str) -> None:
        """The user took changes or errands back (deleted or replaced the file): rows first, then drafts."""
        self._let_go(*ids)
        self._ledger.commit(*delete("changes", *ids), *delete("errands", *ids))
        self.erase(*ids)

    def _let_go(self, *ids: str) -> None:
        """Before the end of their rows is committed."""
        for change_id in ids:
            mark(f"{self._drafts}/{change_id}", accepted=False)
            self._marked.discard(change_id)
            self._synced.discard(change_id)

    def erase(self, *ids: str) -> None:
        """Removes the names of drafts that no row speaks of any more."""
        for change_id in ids:
            (self._drafts / change_id).unlink(missing_ok=True)

    def recover(self) -> list[ChangeRow]:
        """Every change accepted before; what cannot be read is quarantined, and drafts without a row are cleared."""

        def checked(raw: Cells) -> ChangeRow:
            row = ChangeRow.parse(raw)
            self._check_draft(row)
            return row

        rows = self._recovered("changes", checked)
        kept = {row.id for row in rows}
        self._clear_drafts(kept)
        self._synced |= kept  # each may have been, in the run before
        return rows

    def recover_errands(self) -> list[ErrandRow]:
        """Every errand accepted before, oldest first; what cannot be read is quarantined."""
        return self._recovered("errands", ErrandRow.parse)

    def _recovered(self, table: str, parse: Callable[[Cells], T]) -> list[T]:
        rows: list[T] = []
        for number, *raw, sum_ in self._ledger.query(f"SELECT rowid, * FROM {table} ORDER BY rowid"):  # noqa: S608
            try:
                check_sum(sum_, raw)
                rows.append(parse(tuple(raw)))
            except (ValueError, TypeError, CxfsError, OSError) as error:
                self._quarantine(table, number, tuple(raw), str(error))
        return rows

    def _check_draft(self, row: ChangeRow) -> None:
        there = (self._drafts / row.id).stat().st_size
        if there < row.size:
            raise ValueError(f"its draft {row.id} has {there} of {row.size} bytes")

    def _quarantine(self, table: str, number: int, raw: Cells, reason: str) -> None:
        self._ledger.commit(set_aside(raw, reason, table), (f"DELETE FROM {table} WHERE rowid = ?", (number,)))  # noqa: S608 - one of ours

    def _clear_drafts(self, kept: set[str]) -> None:
        changes = self._ledger.query("SELECT row FROM quarantine WHERE row LIKE '[%'")
        quarantined = {draft_of(row) for (row,) in changes}
        # A row that was set aside and does not say any more which draft is its own: it may be any of them.
        unknown = not all(name is not None and _DRAFT_ID.fullmatch(name) for name in quarantined)
        for file in self._drafts.iterdir():
            if file.name in kept:
                mark(file, accepted=True)  # a death may have come between that and the end of its row
            elif file.name not in quarantined and is_accepted(file):
                self._ledger.commit(set_aside((file.name,), "the journal has lost its row"))
            elif file.name not in quarantined and not unknown:
                file.unlink()

    # ------------------------------------------------------------ errands

    def note(self, errand: ErrandRow, *, instead_of: Collection[str] = ()) -> None:
        """Accepts an errand, or what is newly known of it; the changes and errands that it takes the place of go."""
        self._require_folder()
        self._let_go(*instead_of)
        former = *delete("changes", *instead_of), *delete("errands", *instead_of)
        self._ledger.commit(*former, accept("errands", errand.values))
        self.erase(*instead_of)

    def forget(self, *ids: str) -> None:
        """The errands are done, or were taken back."""
        self._ledger.commit(*delete("errands", *ids))

    def made(self, provisional: Uuid, object_id: Uuid, inode: int | None) -> None:
        """The folder is on the server under this UUID, which takes the provisional one's place in every row."""
        rows = (("changes", "parent"), ("errands", "parent"), ("errands", "object"))
        named: list[Statement] = [
            (f"UPDATE {table} SET {column} = ? WHERE {column} = ?", (object_id, provisional))  # noqa: S608 - our own
            for table, column in rows
        ]
        self._ledger.commit(*delete("errands", provisional), *named, *self._remember(object_id, inode))

    # ------------------------------------------------------------ reports

    def report(self, report: Report) -> None:
        """Writes down, for a person, what went another way than a program was told; the oldest give way."""
        oldest = ("DELETE FROM reports WHERE rowid <= (SELECT max(rowid) FROM reports) - ?", (REPORTS_MAX,))
        self._ledger.commit(insert("reports", (report.at_ms, report.path, report.text)), oldest)

    def reports(self) -> list[Report]:
        """All that are kept, oldest first."""
        return [Report(*row) for row in self._ledger.query("SELECT at_ms, path, text FROM reports ORDER BY rowid")]

    # ------------------------------------------------------------ inode numbers

    def inode_of(self, object_id: Uuid) -> int | None:
        """The number an object got before it had a UUID, or took over from a file it replaced."""
        return self._inodes.get(object_id)

    def close(self) -> None:
        """Ends the journal's connection; everything recorded is committed already."""
        self.spares.close()
        self._ledger.close()
