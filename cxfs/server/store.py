"""One server directory, opened: tables, contents, and the one way to change them. Knows no rule of the contract.

Any number of processes may have a directory open; SQLite lets one write at a time. Reading never waits for writing.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from cxfs.server.contents import Contents
from cxfs.server.errors import ServerError
from cxfs.server.schema import connect, prepare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

SWEEP_CONTENTS: Final = 500
"""Contents removed in one transaction: other writers wait some milliseconds, not seconds."""


SWEEP_BYTES: Final = 64 << 20
"""So much is given back to the disk at once; less waits for company, or for the server's next start or stop."""


def now_ms() -> int:
    """The wall clock, as the tables keep it."""
    return time.time_ns() // 1_000_000


class Store:
    """`reader` is for the thread that serves requests and for nothing else; changes go through `transaction`."""

    def __init__(self, directory: Path, *, clock: Callable[[], int] = now_ms) -> None:
        self.directory = directory
        self.clock = clock
        database = directory / "cx.sqlite3"
        self._writer = connect(database)
        prepare(self._writer, database)
        self._turn = threading.Lock()  # holds apart: BEGIN and COMMIT of two threads on the one writing connection
        self.reader = connect(database)
        self.reader.execute("PRAGMA query_only = ON")
        self.contents = Contents(directory)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All of it or nothing, durable when the block is left; one at a time. Blocks."""
        with self._turn:
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
            except BaseException:
                self._writer.execute("ROLLBACK")
                raise
            self._writer.execute("COMMIT")

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """Several questions about one moment. Contains no await: the connection has one user at a time."""
        self.reader.execute("BEGIN")
        try:
            yield self.reader
        finally:
            self.reader.execute("ROLLBACK")

    def sweep_if_due(self) -> None:
        """Removal costs a commit of its own, so it waits until it is worth one."""
        with self._turn:
            count, size = self._writer.execute(
                "SELECT count(*), coalesce(sum(size), 0) FROM unused JOIN contents ON number = content"
            ).fetchone()
        if count >= SWEEP_CONTENTS or size >= SWEEP_BYTES:
            self.sweep()

    def sweep(self) -> None:
        """Removes contents that the last changes left without a user. Blocks; safe beside anything."""
        while self._sweep_some():
            pass

    def _sweep_some(self) -> bool:
        """Inside a transaction, so that no upload of the same bytes can count on what is being removed."""
        with self.transaction() as connection:
            rows = connection.execute("SELECT content FROM unused LIMIT ?", (SWEEP_CONTENTS,)).fetchall()
            for (number,) in rows:
                gone = connection.execute(
                    "DELETE FROM contents WHERE number = ?1 AND NOT EXISTS (SELECT 1 FROM nodes WHERE content = ?1)"
                    " AND NOT EXISTS (SELECT 1 FROM versions WHERE content = ?1) RETURNING sha256",
                    (number,),
                ).fetchone()
                if gone is not None:
                    self.contents.remove(gone[0])
                connection.execute("DELETE FROM unused WHERE content = ?", (number,))
        return len(rows) == SWEEP_CONTENTS

    def recover(self) -> None:
        """After a crash: removes what had half arrived, and contents placed but never referred to. For server start."""
        if not self.contents.clear_abandoned():
            return
        for first_byte in range(256):
            with self.transaction() as connection:
                for sha256 in self.contents.hashes(first_byte):
                    if connection.execute("SELECT 1 FROM contents WHERE sha256 = ?", (sha256,)).fetchone() is None:
                        self.contents.remove(sha256)
        self.sweep()

    def close(self) -> None:
        """Also folds the write-ahead log into the database when this was the last process."""
        self.contents.close()
        self.reader.close()
        self._writer.close()


def note_unused(connection: sqlite3.Connection, contents: Sequence[int]) -> None:
    """Contents that may have lost their last user; `Store.sweep` finds out."""
    connection.executemany("INSERT OR IGNORE INTO unused VALUES (?)", [(number,) for number in contents])


@contextmanager
def open_store(directory: Path) -> Iterator[Store]:
    """Opens a server's directory, making it on first use. Raises ServerError when that cannot be."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        store = Store(directory)
    except (OSError, sqlite3.Error) as error:
        raise ServerError(f"cannot use {directory} as a server directory: {error}") from error
    try:
        yield store
    finally:
        store.close()
