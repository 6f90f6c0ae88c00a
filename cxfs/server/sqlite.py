"""The tables in a file beside the contents. Any number of processes may have it open; one writes at a time."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeVar

from cxfs.server.commits import SqliteCommits
from cxfs.server.errors import Unavailable
from cxfs.server.schema import connect, prepare

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from cxfs.server.arrivals import Content
    from cxfs.server.database import Connection

R = TypeVar("R")

_PRIMARY: Final = 0xFF  # of an extended error code (sqlite.org/rescode.html)
_PASSING: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_FULL})


class SqliteDatabase:
    """Questions are answered where they are asked: they take microseconds, and never wait for who writes.

    So the reading connection is the event loop's, or that of a command; changes go through the writing one.
    """

    def __init__(self, file: Path) -> None:
        self._writer = connect(file)
        prepare(self._writer, file)
        self._turn = threading.RLock()  # holds apart: BEGIN and COMMIT of two threads on the one writing connection
        self._reader = connect(file)
        self._reader.execute("PRAGMA query_only = ON")

    async def ask(self, question: Callable[[Connection], R], *, at_one_moment: bool = False) -> R:
        """Now."""
        if not at_one_moment:
            return question(self._reader)
        with self.snapshot() as connection:
            return question(connection)

    def look(self, question: Callable[[Connection], R]) -> R:
        """Between two transactions, on the connection of those."""
        with self._turn:
            return question(self._writer)

    @contextmanager
    def transaction(self, trees: Collection[str] | None = None) -> Iterator[sqlite3.Connection]:
        """One at a time, whatever it is about."""
        with self._turn, _answering():
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
            except BaseException:
                self._writer.execute("ROLLBACK")
                raise
            self._writer.execute("COMMIT")

    def standstill(self) -> AbstractContextManager[sqlite3.Connection]:
        """As any transaction."""
        return self.transaction()

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """Contains no await: the connection has one user at a time."""
        self._reader.execute("BEGIN")
        try:
            yield self._reader
        finally:
            self._reader.execute("ROLLBACK")

    def commits(self) -> SqliteCommits:
        """As the reading connection sees them."""
        return SqliteCommits(self._reader)

    def take_unused(self, connection: Connection, count: int) -> list[int]:
        """Nobody else is changing anything."""
        return [
            number
            for (number,) in connection.execute(
                "DELETE FROM unused WHERE content IN (SELECT content FROM unused LIMIT ?) RETURNING content", (count,)
            ).fetchall()
        ]

    def insert_contents(self, connection: Connection, contents: Sequence[Content]) -> dict[bytes, int]:
        """One by one."""
        statement = (
            "INSERT INTO contents (sha256, size, sha1, md5) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
            " RETURNING sha256, number"
        )
        rows = [connection.execute(statement, content).fetchone() for content in contents]
        return dict(row for row in rows if row is not None)

    def hold_contents(self, connection: Connection, hashes: Sequence[bytes]) -> dict[bytes, int]:
        """Nobody else is changing anything."""
        statement = "SELECT sha256, number FROM contents WHERE sha256 = ?"
        rows = [connection.execute(statement, (sha256,)).fetchone() for sha256 in hashes]
        return dict(row for row in rows if row is not None)

    def close(self) -> None:
        """Also folds the write-ahead log into the database when this was the last process."""
        self._reader.close()
        self._writer.close()


@contextmanager
def _answering() -> Iterator[None]:
    """Raises Unavailable for what is not the statement's fault."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & _PRIMARY not in _PASSING:
            raise
        raise Unavailable(f"the tables cannot be changed just now: {error}") from error
