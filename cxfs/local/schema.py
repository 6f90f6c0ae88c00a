"""The journal's tables and how an older journal becomes one of today. Reads no row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite3

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

_STEPS: Final = (_FIRST, _SECOND)
"""Each makes the next version of the journal out of the one before."""

SCHEMA_VERSION: Final = len(_STEPS)


def version_of(journal: sqlite3.Connection) -> int:
    """0 for a journal that was just made."""
    (version,) = journal.execute("PRAGMA user_version").fetchone()
    return int(version)


def bring_up_to_date(journal: sqlite3.Connection) -> None:
    """Takes the steps that it has not taken yet. Call it within a transaction: a death in between has taken none."""
    for step in _STEPS[version_of(journal) :]:
        for statement in step.split(";\n"):
            journal.execute(statement)
    journal.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
