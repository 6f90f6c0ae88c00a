"""The journal's tables and how an older journal becomes one of today. Reads no row."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from cxfs.core.errors import CxfsError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

_FIRST: Final = """
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

# `accepted_ms` is when the first of a change was accepted; the age of one of before is counted from here.
_SECOND: Final = """
ALTER TABLE changes ADD COLUMN accepted_ms INTEGER NOT NULL DEFAULT 0;
UPDATE changes SET accepted_ms = CAST(strftime('%s', 'now') AS INTEGER) * 1000;
CREATE TABLE errands (
    id TEXT PRIMARY KEY,            -- of a folder to be made: its provisional UUID
    kind TEXT NOT NULL,             -- make, remove or stamp
    object TEXT,                    -- UUID of what is removed or stamped, where known
    is_folder INTEGER NOT NULL,
    inode INTEGER NOT NULL,         -- of what is made; else 0
    parent TEXT NOT NULL,           -- UUID of the folder that it stands in, maybe a provisional one
    path TEXT NOT NULL,             -- by names, as last known
    version INTEGER,                -- that was removed; another one is not
    sealed BLOB NOT NULL,           -- SHA-1 digests of our own content that may have become a later version
    carrier TEXT,                   -- change that has to arrive before this is removed
    modified_ms INTEGER,            -- the time to stamp
    accepted_ms INTEGER NOT NULL,
    parked TEXT
) STRICT;
CREATE TABLE reports (at_ms INTEGER NOT NULL, path TEXT NOT NULL, text TEXT NOT NULL) STRICT;
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
"""

# Of all cells before it; that of a row of before is empty.
_THIRD: Final = """
ALTER TABLE changes ADD COLUMN sum BLOB NOT NULL DEFAULT x'';
ALTER TABLE errands ADD COLUMN sum BLOB NOT NULL DEFAULT x'';
"""

# `posix` is what of POSIX attributes goes along, as JSON. Tables are made anew for the sum to stay behind all that it
# is of; the rows that are carried over are believed as those of before there were sums.
_FOURTH: Final = """
ALTER TABLE changes RENAME TO changes_before;
CREATE TABLE changes (
    id TEXT PRIMARY KEY,
    generation INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    parent TEXT NOT NULL,
    path TEXT NOT NULL,
    object TEXT,
    base_version INTEGER,
    base_size INTEGER NOT NULL,
    base_bytes INTEGER NOT NULL,
    size INTEGER NOT NULL,
    held TEXT NOT NULL,
    modified_ms INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    parked TEXT,
    accepted_ms INTEGER NOT NULL,
    posix TEXT NOT NULL,
    sum BLOB NOT NULL
) STRICT;
INSERT INTO changes
    SELECT id, generation, inode, parent, path, object, base_version, base_size, base_bytes, size, held, modified_ms,
        sealed, parked, accepted_ms, '', x'' FROM changes_before ORDER BY rowid;
DROP TABLE changes_before;
ALTER TABLE errands RENAME TO errands_before;
CREATE TABLE errands (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    object TEXT,
    is_folder INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    parent TEXT NOT NULL,
    path TEXT NOT NULL,
    version INTEGER,
    sealed BLOB NOT NULL,
    carrier TEXT,
    modified_ms INTEGER,
    accepted_ms INTEGER NOT NULL,
    parked TEXT,
    posix TEXT NOT NULL,
    sum BLOB NOT NULL
) STRICT;
INSERT INTO errands
    SELECT id, kind, object, is_folder, inode, parent, path, version, sealed, carrier, modified_ms, accepted_ms, parked,
        '', x'' FROM errands_before ORDER BY rowid;
DROP TABLE errands_before;
"""

_STEPS: Final = (_FIRST, _SECOND, _THIRD, _FOURTH)
"""Each makes the next version of the journal out of the one before."""

LOCAL_NAMES: Final = "local-names"
"""The fact that says by which patterns new files stay on this machine: for who reads the journal without a mount."""

SCHEMA_VERSION: Final = len(_STEPS)


def version_of(journal: sqlite3.Connection) -> int:
    """0 for a journal that was just made."""
    (version,) = journal.execute("PRAGMA user_version").fetchone()
    return int(version)


def bring_up_to_date(journal: sqlite3.Connection) -> None:
    """Takes the steps that it has not taken yet. Call it within a transaction: a death in between has taken none.

    Raises CxfsError for a journal that "was written by a newer cxfs" and may mean what this one would drop.
    """
    if version_of(journal) > SCHEMA_VERSION:
        raise CxfsError("was written by a newer cxfs; use that one")
    for step in _STEPS[version_of(journal) :]:
        for statement in step.split(";\n"):
            journal.execute(statement)
    journal.execute(f"PRAGMA user_version={SCHEMA_VERSION}")


def sum_of(*cells: object) -> bytes:
    """By which a row that the disk has changed is known; SQLite itself sees only what does not fit its pages."""
    return hashlib.blake2b(repr(cells).encode(), digest_size=8).digest()


def check_sum(found: object, cells: Sequence[object]) -> None:
    """Raises ValueError for a row that is not what was written down; one of before there were sums is believed."""
    if found not in {b"", sum_of(*cells)}:
        raise ValueError("its checksum differs: the disk has changed it")


def keep_sums(journal: sqlite3.Connection) -> None:
    """From now on, over this connection, a row that is changed in place gets a new sum."""
    journal.create_function("sum_of", -1, sum_of, deterministic=True)
    for table in ("changes", "errands"):
        columns = [name for _, name, *_ in journal.execute(f"PRAGMA table_info({table})") if name != "sum"]
        cells = ", ".join(f"new.{name}" for name in columns)
        journal.execute(
            f"CREATE TEMP TRIGGER sum_of_{table} AFTER UPDATE OF {', '.join(columns)} ON main.{table} BEGIN"  # noqa: S608
            f" UPDATE {table} SET sum = sum_of({cells}) WHERE rowid = new.rowid; END"
        )
