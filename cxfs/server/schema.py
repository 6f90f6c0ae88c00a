"""The tables and how a connection to them is opened. Knows SQLite's settings; knows no question that is asked of it.

Current content hangs on `nodes`, former versions on `versions`: no byte is counted twice. `owners.consumed` and
`consumed_before` are those two sums, kept in the same transaction as what they count.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from cxfs.server.errors import ServerError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

BUSY_TIMEOUT_S: Final = 30
"""How long one writer waits for another process (an import beside a running server) before giving up."""

_FORMAT_1: Final = """
CREATE TABLE owners (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL CHECK (kind IN ('user', 'group')),
    name TEXT NOT NULL,
    capacity INTEGER NOT NULL CHECK (capacity >= 0),
    consumed INTEGER NOT NULL DEFAULT 0 CHECK (consumed >= 0),
    consumed_before INTEGER NOT NULL DEFAULT 0 CHECK (consumed_before >= 0),
    UNIQUE (kind, name)
) STRICT;
CREATE TABLE users (
    owner INTEGER PRIMARY KEY REFERENCES owners,
    email TEXT NOT NULL,
    password TEXT,
    suspended INTEGER NOT NULL DEFAULT 0 CHECK (suspended IN (0, 1))
) STRICT;
CREATE TABLE members (
    user INTEGER NOT NULL REFERENCES users,
    team INTEGER NOT NULL REFERENCES owners,
    role TEXT NOT NULL CHECK (role IN ('owner', 'writer', 'reader')),
    PRIMARY KEY (user, team)
) STRICT, WITHOUT ROWID;
CREATE TABLE apps (
    number INTEGER PRIMARY KEY,
    client_id TEXT NOT NULL UNIQUE,
    secret_hash BLOB NOT NULL,
    name TEXT NOT NULL,
    redirect_uris TEXT NOT NULL
) STRICT;
CREATE TABLE codes (
    hash BLOB PRIMARY KEY,
    app INTEGER NOT NULL REFERENCES apps,
    user INTEGER NOT NULL REFERENCES users,
    redirect_uri TEXT NOT NULL,
    expires_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE tokens (
    hash BLOB PRIMARY KEY,
    user INTEGER NOT NULL REFERENCES users,
    app INTEGER REFERENCES apps,
    created_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE contents (
    number INTEGER PRIMARY KEY,
    sha256 BLOB NOT NULL UNIQUE,
    size INTEGER NOT NULL,
    sha1 TEXT NOT NULL,
    md5 TEXT NOT NULL
) STRICT;
CREATE TABLE unused (content INTEGER PRIMARY KEY) STRICT;
CREATE TABLE nodes (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    owner INTEGER NOT NULL REFERENCES owners,
    parent INTEGER REFERENCES nodes,
    name TEXT NOT NULL,
    is_folder INTEGER NOT NULL CHECK (is_folder = (content IS NULL)),
    version INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    modified_ms INTEGER NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    content_type TEXT NOT NULL DEFAULT '',
    content INTEGER REFERENCES contents,
    UNIQUE (parent, name)
) STRICT;
CREATE UNIQUE INDEX roots ON nodes (owner) WHERE parent IS NULL;
CREATE INDEX nodes_by_content ON nodes (content) WHERE content IS NOT NULL;
CREATE TABLE versions (
    node INTEGER NOT NULL REFERENCES nodes,
    version INTEGER NOT NULL,
    content INTEGER NOT NULL REFERENCES contents,
    content_type TEXT NOT NULL,
    modified_ms INTEGER NOT NULL,
    replaced_ms INTEGER NOT NULL,
    PRIMARY KEY (node, version)
) STRICT, WITHOUT ROWID;
CREATE INDEX versions_by_content ON versions (content);
CREATE VIEW accounts AS
SELECT number, id, name, email, suspended, capacity, consumed, consumed_before FROM users JOIN owners ON number = owner;
CREATE VIEW objects AS
SELECT
    n.number, n.id, n.owner, n.parent, above.id AS parent_id, n.name, n.is_folder, n.version, n.created_ms,
    n.modified_ms, n.description, n.content_type, n.content, coalesce(c.size, 0) AS size, coalesce(c.sha1, '') AS sha1,
    coalesce(c.md5, '') AS md5, coalesce(c.sha256, x'') AS sha256
FROM nodes n LEFT JOIN nodes above ON above.number = n.parent LEFT JOIN contents c ON c.number = n.content;
"""

_FORMAT_2: Final = """
ALTER TABLE tokens ADD COLUMN used_ms INTEGER NOT NULL DEFAULT 0;
CREATE INDEX tokens_by_user ON tokens (user, app);
CREATE INDEX tokens_by_app ON tokens (app);
CREATE TABLE sessions (
    hash BLOB PRIMARY KEY,
    user INTEGER NOT NULL REFERENCES users,
    created_ms INTEGER NOT NULL,
    seen_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_user ON sessions (user, created_ms);
CREATE TABLE attempts (
    hash BLOB PRIMARY KEY,
    failures INTEGER NOT NULL,
    last_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE events (
    number INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    event TEXT NOT NULL,
    is_noise INTEGER NOT NULL CHECK (is_noise IN (0, 1)),
    user TEXT NOT NULL,
    app TEXT NOT NULL,
    address TEXT NOT NULL
) STRICT;
CREATE INDEX events_by_noise ON events (is_noise, number);
CREATE INDEX events_by_user ON events (user, number);
"""

_FORMAT_3: Final = """
CREATE TABLE used_codes (
    code BLOB PRIMARY KEY,
    token BLOB NOT NULL,
    expires_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""

_FORMAT_4: Final = """
CREATE TABLE small (
    content INTEGER PRIMARY KEY REFERENCES contents ON DELETE CASCADE,
    bytes BLOB NOT NULL
) STRICT;
"""

_FORMAT_5: Final = """
ALTER TABLE owners ADD COLUMN changes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE owners ADD COLUMN changes_since INTEGER NOT NULL DEFAULT 0;
ALTER TABLE owners ADD COLUMN groups_changed INTEGER NOT NULL DEFAULT 0;
CREATE TABLE feed (
    owner INTEGER NOT NULL REFERENCES owners,
    object TEXT NOT NULL,
    position INTEGER NOT NULL,
    created INTEGER NOT NULL,
    moved INTEGER NOT NULL,
    gone INTEGER NOT NULL CHECK (gone IN (0, 1)),
    version INTEGER NOT NULL,
    path TEXT,
    previous_path TEXT,
    PRIMARY KEY (owner, object)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX feed_by_position ON feed (owner, position);
"""

_FORMAT_6: Final = """
ALTER TABLE nodes ADD COLUMN modified_rest_ns INTEGER NOT NULL DEFAULT 0;
ALTER TABLE nodes ADD COLUMN mode INTEGER;
ALTER TABLE nodes ADD COLUMN link TEXT;
ALTER TABLE nodes ADD COLUMN xattrs TEXT NOT NULL DEFAULT '';
ALTER TABLE versions ADD COLUMN modified_rest_ns INTEGER NOT NULL DEFAULT 0;
ALTER TABLE versions ADD COLUMN link TEXT;
DROP VIEW objects;
CREATE VIEW objects AS
SELECT
    n.number, n.id, n.owner, n.parent, above.id AS parent_id, n.name, n.is_folder, n.version, n.created_ms,
    n.modified_ms, n.description, n.content_type, n.content, coalesce(c.size, 0) AS size, coalesce(c.sha1, '') AS sha1,
    coalesce(c.md5, '') AS md5, coalesce(c.sha256, x'') AS sha256, n.modified_rest_ns, n.mode, n.link, n.xattrs
FROM nodes n LEFT JOIN nodes above ON above.number = n.parent LEFT JOIN contents c ON c.number = n.content;
"""

_FORMAT_7: Final = """
ALTER TABLE contents ADD COLUMN stored_as TEXT NOT NULL DEFAULT '';
CREATE TABLE strays (
    name TEXT PRIMARY KEY,
    due_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""

STEPS: Final = (_FORMAT_1, _FORMAT_2, _FORMAT_3, _FORMAT_4, _FORMAT_5, _FORMAT_6, _FORMAT_7)
"""What makes each format from the one before; the number of the last one taken stands in `PRAGMA user_version`. A new
directory takes all of them, so that no step is ever untried."""


def connect(database: Path) -> sqlite3.Connection:
    """A connection that begins no transaction by itself. A commit survives a power cut (FULL in WAL)."""
    _keep_private(database)
    connection = sqlite3.connect(
        database, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("PRAGMA cache_size = -16384")  # KiB
    connection.execute("PRAGMA wal_autocheckpoint = 4096")  # pages, 16 MiB: a few bundles, not each
    return connection


def _keep_private(database: Path) -> None:
    """Only its owner can read it, whoever can enter its folder; SQLite gives the files beside it the same mode.

    One that is there is not opened: closing it would give up the locks that SQLite has on it in this process.
    """
    with suppress(FileExistsError):
        os.close(os.open(database, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    if database.stat().st_mode & 0o077:
        database.chmod(0o600)


def prepare(connection: sqlite3.Connection, database: Path, steps: Sequence[str] = STEPS) -> None:
    """Brings the tables to the last step's format, all or nothing. Raises ServerError when a newer server made them."""
    connection.execute("BEGIN IMMEDIATE")  # two processes may open a new directory at once
    try:
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        for step in steps[found:]:
            for statement in step.split(";\n"):
                connection.execute(statement)
        if found < len(steps):
            connection.execute(f"PRAGMA user_version = {len(steps)}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
    if found > len(steps):
        raise ServerError(f"{database} was made by a newer cxfs (format {found}, this one knows {len(steps)})")
