"""One server's tables and contents, opened, and what removes contents that nobody needs. Knows no rule of the contract.

Any number of processes may have them open; on several machines where neither is a folder.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from cxfs.server.errors import ServerError
from cxfs.server.folder import Folder
from cxfs.server.sqlite import SqliteDatabase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cxfs.server.contents import Contents
    from cxfs.server.database import Connection, Database

SWEEP_CONTENTS: Final = 500
"""Contents removed in one transaction: other writers wait some milliseconds, not seconds."""


SWEEP_BYTES: Final = 64 << 20
"""So much is given back to the disk at once; less waits for company, or for the server's next start or stop."""


MOVED: Final = "moved"
"""The file in a folder whose server was carried over; it says with which options it is served now."""


def now_ms() -> int:
    """The wall clock, as the tables keep it."""
    return time.time_ns() // 1_000_000


class Store:
    """Both, and the clock by which the tables keep time.

    `ask`, `look`, `transaction` and `snapshot` are the database's.
    """

    def __init__(
        self, directory: Path, database: Database, contents: Contents, *, clock: Callable[[], int] = now_ms
    ) -> None:
        self.directory = directory
        self.clock = clock
        self.database = database
        self.contents = contents
        self.ask = database.ask
        self.transaction = database.transaction
        self.look = database.look
        self.snapshot = database.snapshot

    def sweep_if_due(self) -> None:
        """Removal costs a commit of its own, so it waits until it is worth one."""
        count, size = self.database.look(_unused)
        if count >= SWEEP_CONTENTS or size >= SWEEP_BYTES:
            self.sweep()

    def sweep(self) -> None:
        """Removes contents that the last changes left without a user. Blocks; safe beside anything."""
        while self._sweep_some():
            pass

    def _sweep_some(self) -> bool:
        """Inside a transaction, so that no upload of the same bytes can count on what is being removed."""
        with self.database.transaction(()) as connection:
            numbers = self.database.take_unused(connection, SWEEP_CONTENTS)
            for number in numbers:
                gone = connection.execute(
                    "DELETE FROM contents WHERE number = ? AND NOT EXISTS (SELECT 1 FROM nodes WHERE content = ?)"
                    " AND NOT EXISTS (SELECT 1 FROM versions WHERE content = ?) RETURNING sha256, stored_as",
                    (number, number, number),
                ).fetchone()
                if gone is not None:
                    self.contents.remove(connection, *gone)
        return len(numbers) == SWEEP_CONTENTS

    def tend(self) -> None:
        """What has to be done now and then while it is served. Blocks; safe beside anything. Raises Unavailable."""
        self.sweep()
        while self.contents.collect():
            pass

    def recover(self) -> None:
        """After a crash: removes what had half arrived, and contents placed but never referred to. For server start."""
        if self.contents.recover():
            self.sweep()

    def close(self) -> None:
        """Lets go of both."""
        self.contents.close()
        self.database.close()


def _unused(connection: Connection) -> tuple[int, int]:
    """How many contents may be unused, and their bytes."""
    count, size = connection.execute(
        "SELECT count(*), CAST(coalesce(sum(size), 0) AS BIGINT) FROM unused JOIN contents ON number = content"
    ).fetchone()
    return count, size


def make_store(
    directory: Path, *, database: str | None = None, content: str | None = None, clock: Callable[[], int] = now_ms
) -> Store:
    """The store of a server whose directory is there. Raises ServerError, OSError, sqlite3.Error.

    `database` is a URL for PostgreSQL, `content` one for a bucket; without, they are in the directory.
    """
    tables = _database(directory, database)
    try:
        return Store(directory, tables, _contents(directory, content, tables, clock), clock=clock)
    except BaseException:
        tables.close()
        raise


def _database(directory: Path, url: str | None) -> Database:
    if url is None:
        if (directory / MOVED).exists():
            where = (directory / MOVED).read_text(encoding="utf-8").strip()
            raise ServerError(f"what {directory} held was carried over: it is served with {where}")
        return SqliteDatabase(directory / "cx.sqlite3")
    if not url.startswith(("postgresql://", "postgres://")):
        raise ServerError("a database is postgresql://USER@HOST/NAME")
    with _extra():
        from cxfs.server.postgresql import PostgresDatabase  # noqa: PLC0415 - a server in a folder needs no driver
    return PostgresDatabase(url)


def _contents(directory: Path, url: str | None, tables: Database, clock: Callable[[], int]) -> Contents:
    if url is None:
        return Folder(directory, tables)
    if not url.startswith("s3://"):
        raise ServerError("a place for contents is s3://BUCKET/PREFIX")
    with _extra():
        from cxfs.server.bucket import Bucket  # noqa: PLC0415 - a server in a folder needs no client of a bucket
    return Bucket(url, tables, clock)


@contextmanager
def _extra() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise ServerError(f"packages are missing ({error.name}): pip install 'cxfs[team]'") from error


@contextmanager
def open_store(directory: Path, *, database: str | None = None, content: str | None = None) -> Iterator[Store]:
    """Opens a server's directory, making it on first use. Raises ServerError when that cannot be."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        store = make_store(directory, database=database, content=content)
    except (OSError, sqlite3.Error) as error:
        raise ServerError(f"cannot use {directory} as a server directory: {error}") from error
    try:
        yield store
    finally:
        store.close()
