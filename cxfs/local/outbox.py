"""What was accepted and is not on the server yet: a journal in SQLite beside the drafts. All of it is precious.

The order of steps, written down once, here:

    close   bytes into the draft, then the row, then the commit: survives a kill of the daemon
    fsync   bytes, fdatasync of draft and folder, row, commit with full sync: survives power loss
    sent    the draft's mark goes, the row is deleted and committed, then the draft's name: a crash between leaves
            a draft without row and mark, which was never accepted or is on the server, and is cleared at the next start

A row whose draft is missing or that cannot be read, and a draft whose row the journal has lost, is set aside in
`quarantine` and reported, never deleted. Plain blocking calls, one at a time (the caller's limiter sees to it).
"""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import sqlite3
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cxfs.core.entries import EntryName, TreePath, Uuid
from cxfs.core.errors import CxfsError, DiskFull
from cxfs.core.ranges import ByteRange, RangeSet
from cxfs.local.drafts import Draft, is_accepted, mark
from cxfs.local.salvage import open_journal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

log = logging.getLogger(__name__)

SCHEMA_VERSION: Final = 1

_DRAFT_ID: Final = re.compile("[0-9a-f]{24}")

SHA1_BYTES: Final = 20

INODES_MAX: Final = 100_000
"""Numbers remembered beyond those that UUIDs give (about 20 MB); past it the oldest fall back to their UUID's number
at the next mount."""

NEW_FOLDERS_MAX: Final = 4
"""Of `.local/state/cxfs/PROFILE/drafts`, those that the first mount of an account may make."""

_SCHEMA: Final = """
CREATE TABLE changes (
    id TEXT PRIMARY KEY,            -- also the draft's file name
    generation INTEGER NOT NULL,    -- of the content that this row speaks of
    inode INTEGER NOT NULL,         -- the kernel's number, kept over a restart
    parent TEXT NOT NULL,           -- UUID of the folder
    path TEXT NOT NULL,             -- where it goes, by names, as last known
    object TEXT,                    -- UUID, when it is a new version of something; else it is new
    base_version INTEGER,           -- that the draft began from
    base_size INTEGER NOT NULL,     -- bytes of that version
    base_bytes INTEGER NOT NULL,    -- bytes from the start that may still be the base's
    size INTEGER NOT NULL,
    held TEXT NOT NULL,             -- JSON [[start, stop], …]: bytes present in the draft
    modified_ms INTEGER NOT NULL,
    sealed BLOB NOT NULL,           -- SHA-1 digests of what was handed over: they recognise it when an answer is lost
    parked TEXT                     -- why it is not retried
) STRICT;
CREATE TABLE quarantine (row TEXT NOT NULL, reason TEXT NOT NULL) STRICT;
CREATE TABLE inodes (object TEXT PRIMARY KEY, inode INTEGER NOT NULL) STRICT;
"""


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One accepted change, as the journal holds it. Sizes in bytes, time in milliseconds since the epoch, UTC."""

    id: str
    generation: int
    inode: int
    parent: Uuid
    path: TreePath
    object: Uuid | None
    base_version: int | None
    base_size: int
    base_bytes: int
    size: int
    held: tuple[ByteRange, ...]
    modified_ms: int
    sealed: tuple[bytes, ...]
    parked: str | None

    @property
    def name(self) -> EntryName:
        """The last name of its path."""
        return self.path.names[-1]


class Outbox:
    """The journal and the drafts below `folder`, which is private to this account and held by one daemon.

    `sync` brings what is behind a descriptor to stable storage. Raises CxfsError when the journal cannot be used.
    """

    def __init__(self, folder: Path, *, sync: Callable[[int], None] = os.fsync) -> None:
        self._sync = sync
        self._drafts = folder / "drafts"
        self._drafts.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make_names_durable(self._drafts)
        self._synced: set[str] = set()
        self._db = open_journal(folder, bring_up_to_date)
        self._inodes: dict[Uuid, int] = {}
        try:
            self._prepare()
        except sqlite3.Error as error:
            self._db.close()
            raise CxfsError(f"the journal in {folder} cannot be used: {error}") from error
        except BaseException:
            self._db.close()
            raise

    def _prepare(self) -> None:
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute("DELETE FROM inodes WHERE rowid <= (SELECT max(rowid) FROM inodes) - ?", (INODES_MAX,))
        for name, number in self._db.execute("SELECT object, inode FROM inodes"):
            self._inodes[Uuid(name)] = number

    # ------------------------------------------------------------ drafts

    def new_draft(self, *, size: int, base_bytes: int) -> tuple[str, Draft]:
        """An empty (sparse) draft and its id. Nothing is accepted yet: that is what `record` does."""
        change_id = secrets.token_hex(12)
        file = self._drafts / change_id
        return change_id, Draft(file, size=size, base_bytes=base_bytes, held=RangeSet(), create=True, sync=self._sync)

    def open_draft(self, row: ChangeRow) -> Draft:
        """The draft of a recovered row."""
        file, held = self._drafts / row.id, RangeSet(row.held)
        return Draft(file, size=row.size, base_bytes=row.base_bytes, held=held, create=False, sync=self._sync)

    def draft_bytes(self) -> int:
        """What all drafts take on disk, in bytes."""
        return sum(file.stat().st_blocks * 512 for file in self._drafts.iterdir())

    # ------------------------------------------------------------ the journal

    def record(self, row: ChangeRow, draft: Draft, *, durable: bool = False) -> None:
        """Accepts a change, or what is newly known of it; durable against power loss when asked.

        Raises DiskFull when this machine takes no more; what was recorded before then still holds.
        """
        # A change once made durable stays so: after a power cut its row must not claim more than its draft holds, or it
        # would be set aside with all that was acknowledged before.
        durable = durable or row.id in self._synced
        mark(self._drafts / row.id, accepted=True)
        if durable:
            draft.make_durable()
        values = (
            row.id, row.generation, row.inode, row.parent, str(row.path), row.object, row.base_version, row.base_size,
            row.base_bytes, row.size, json.dumps(row.held), row.modified_ms, b"".join(row.sealed), row.parked,
        )  # fmt: skip
        with self._transaction(durable=durable):
            self._db.execute(f"INSERT OR REPLACE INTO changes VALUES ({','.join('?' * len(values))})", values)  # noqa: S608 - only placeholders
        if durable:
            self._synced.add(row.id)

    def sealed(self, change_id: str, digests: tuple[bytes, ...]) -> None:
        """Contents with these SHA-1 digests were, or are about to be, handed over whole; their answers may get lost."""
        with self._transaction():
            self._db.execute("UPDATE changes SET sealed = ? WHERE id = ?", (b"".join(digests), change_id))

    def sent(self, change_id: str, generation: int, object_id: Uuid, inode: int | None) -> bool:
        """The server has this generation: True when that settles the change, False when a newer one was recorded.

        `inode` is the number to remember for the object where it is not the one that its UUID gives.
        """
        with self._transaction():
            if inode is not None:
                self._db.execute("INSERT OR REPLACE INTO inodes VALUES (?, ?)", (object_id, inode))
            deleted = self._db.execute(
                "DELETE FROM changes WHERE id = ? AND generation <= ?", (change_id, generation)
            ).rowcount
            newer = self._db.execute("SELECT 1 FROM changes WHERE id = ?", (change_id,)).fetchone()
            if newer is None:
                mark(self._drafts / change_id, accepted=False)
        if inode is not None:
            self._inodes[object_id] = inode
        if newer is None:
            self._synced.discard(change_id)
        return bool(deleted) or newer is None

    def discard(self, change_id: str) -> None:
        """The user took the change back (deleted or replaced the file): row first, then draft."""
        with self._transaction():
            self._db.execute("DELETE FROM changes WHERE id = ?", (change_id,))
            mark(self._drafts / change_id, accepted=False)
        self._synced.discard(change_id)
        self.erase(change_id)

    def erase(self, change_id: str) -> None:
        """Removes the name of a draft that no row speaks of any more."""
        (self._drafts / change_id).unlink(missing_ok=True)

    def recover(self) -> list[ChangeRow]:
        """Every change accepted before; what cannot be read is quarantined, and drafts without a row are cleared."""
        rows: list[ChangeRow] = []
        for number, *raw in self._db.execute("SELECT rowid, * FROM changes").fetchall():
            try:
                row = _row_from(raw)
                self._check_draft(row)
            except (ValueError, TypeError, CxfsError, OSError) as error:
                self._quarantine(number, raw, str(error))
            else:
                rows.append(row)
        kept = {row.id for row in rows}
        self._clear_drafts(kept)
        self._synced |= kept  # each may have been, in the run before
        return rows

    def _check_draft(self, row: ChangeRow) -> None:
        there = (self._drafts / row.id).stat().st_size
        if there < row.size:
            raise ValueError(f"its draft {row.id} has {there} of {row.size} bytes")

    def _quarantine(self, number: int, raw: list[object], reason: str) -> None:
        with self._transaction():
            self._set_aside(raw, reason)
            self._db.execute("DELETE FROM changes WHERE rowid = ?", (number,))

    def _set_aside(self, raw: Sequence[object], reason: str) -> None:
        log.error("an accepted change cannot be used and is set aside: %s: %s", raw[0], reason)
        self._db.execute("INSERT INTO quarantine VALUES (?, ?)", (json.dumps([repr(v) for v in raw]), reason))

    def _clear_drafts(self, kept: set[str]) -> None:
        quarantined = {json.loads(row)[0].strip("'") for (row,) in self._db.execute("SELECT row FROM quarantine")}
        # A row that was set aside and does not say any more which draft is its own: it may be any of them.
        unknown = not all(map(_DRAFT_ID.fullmatch, quarantined))
        for file in self._drafts.iterdir():
            if file.name in kept:
                mark(file, accepted=True)  # a death may have come between that and the end of its row
            elif file.name not in quarantined and is_accepted(file):
                self._set_aside([file.name], "the journal has lost its row")
            elif file.name not in quarantined and not unknown:
                file.unlink()

    # ------------------------------------------------------------ inode numbers

    def inode_of(self, object_id: Uuid) -> int | None:
        """The number an object got before it had a UUID, or took over from a file it replaced."""
        return self._inodes.get(object_id)

    def close(self) -> None:
        """Ends the journal's connection; everything recorded is committed already."""
        self._db.close()

    @contextmanager
    def _transaction(self, *, durable: bool = False) -> Iterator[None]:
        if durable:  # in WAL mode only FULL syncs the log at each commit (sqlite.org/pragma.html#pragma_synchronous)
            self._db.execute("PRAGMA synchronous=FULL")
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            raise DiskFull(f"the journal cannot be written: {error}") from error
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            if durable:
                self._db.execute("PRAGMA synchronous=NORMAL")


def bring_up_to_date(journal: sqlite3.Connection) -> None:
    """Makes the tables in a journal that has none. Raises CxfsError for one of a newer cxfs."""
    (version,) = journal.execute("PRAGMA user_version").fetchone()
    if version > SCHEMA_VERSION:
        raise CxfsError("the journal was written by a newer cxfs; use that one")
    if version == 0:
        for statement in _SCHEMA.split(";\n"):
            journal.execute(statement)
        journal.execute(f"PRAGMA user_version={SCHEMA_VERSION}")


def _make_names_durable(folder: Path) -> None:
    """What is synced in a folder is lost with the folder's own name, and the one above it: they may all be new."""
    for above in folder.parents[:NEW_FOLDERS_MAX]:
        with suppress(OSError):  # a home that may not be read was there before us
            descriptor = os.open(above, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def _row_from(raw: list[object]) -> ChangeRow:
    (change_id, generation, inode, parent, path, object_id, base_version, base_size, base_bytes, size, held,
     modified_ms, sealed, parked) = raw  # fmt: skip
    ranges = tuple(ByteRange(_number(start), _number(stop)) for start, stop in json.loads(str(held)))
    return ChangeRow(
        id=str(change_id),
        generation=_number(generation),
        inode=_number(inode),
        parent=Uuid.parse(str(parent)),
        path=TreePath.parse(str(path)),
        object=None if object_id is None else Uuid.parse(str(object_id)),
        base_version=None if base_version is None else _number(base_version),
        base_size=_number(base_size),
        base_bytes=_number(base_bytes),
        size=_number(size),
        held=ranges,
        modified_ms=_number(modified_ms),
        sealed=_digests(sealed),
        parked=None if parked is None else str(parked).encode(errors="replace").decode(),
    )


def _number(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"expected a number, found {value!r}")
    return value


def _digests(value: object) -> tuple[bytes, ...]:
    if not isinstance(value, bytes) or len(value) % SHA1_BYTES:
        raise TypeError(f"expected SHA-1 digests, found {value!r}")
    return tuple(value[at : at + SHA1_BYTES] for at in range(0, len(value), SHA1_BYTES))
