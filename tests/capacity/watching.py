"""Which statements a request sends: captured behind the server's own doors, whatever it is that sends them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

import psycopg
from psycopg import sql

from cxfs.server.folder import Folder
from cxfs.server.sqlite import SqliteDatabase
from cxfs.server.store import Store, make_store, now_ms
from tests.capacity.plans import Ran, of_postgres, of_sqlite
from tests.mounting import wait_until

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from pathlib import Path

    from cxfs.server.database import Connection, Rows
    from tests.server.engines import Postgres

R = TypeVar("R")

_TOLD: Final = {
    "session_preload_libraries": "auto_explain",
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_nested_statements": "on",
    "auto_explain.log_analyze": "on",
    "auto_explain.log_buffers": "on",
    "auto_explain.log_timing": "off",
    "auto_explain.log_format": "json",
}


class WatchedPostgres:
    """A store over one database of a cluster, of whose log its statements are read."""

    def __init__(self, directory: Path, postgres: Postgres, database: str) -> None:
        self._postgres, self._database = postgres, database
        with psycopg.connect(postgres.url(database), autocommit=True) as connection:
            for name, value in _TOLD.items():
                connection.execute(sql.SQL("ALTER DATABASE {} SET {} = {}").format(
                    sql.Identifier(database), sql.SQL(name), sql.Literal(value)))  # fmt: skip
            _leave_alone(connection)
        self.store = make_store(directory, database=postgres.url(database))
        self._connection = psycopg.connect(postgres.url(database), autocommit=True)
        self._log = postgres.log.open(encoding="utf-8")
        self._ends = 0
        self.ran()

    def ran(self) -> list[Ran]:
        """What was sent since the last time, in order."""
        self._ends += 1
        end = f"SELECT 'end {self._ends} of {self._database}'"
        self._connection.execute(end)  # type: ignore[call-overload,unused-ignore]
        lines: list[str] = []
        wait_until(lambda: self._read_until(lines, end))
        found = [of_postgres(line, self._database) for line in lines]
        return [each for each in found if each is not None and each.statement != end]

    def _read_until(self, lines: list[str], end: str) -> bool:
        """A line may be there in part."""
        while piece := self._log.readline():
            if lines and not lines[-1].endswith("\n"):
                lines[-1] += piece
            else:
                lines.append(piece)
        return bool(lines) and lines[-1].endswith("\n") and any(end in line for line in lines)

    def close(self) -> None:
        """Lets go of the store."""
        self._log.close()
        self._connection.close()
        self.store.close()


def _leave_alone(connection: psycopg.Connection) -> None:
    """No vacuum by itself: while one looks, rows that are dead stay in each page's way, and are counted."""
    tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    for (table,) in tables:
        connection.execute(sql.SQL("ALTER TABLE {} SET (autovacuum_enabled = off)").format(sql.Identifier(table)))


class WatchedSqlite:
    """A store over a directory, whose statements are asked for their plans before they are carried out."""

    def __init__(self, directory: Path) -> None:
        self._ran: list[Ran] = []
        database = _Watched(directory / "cx.sqlite3", self._ran)
        self.store = Store(directory, database, Folder(directory, database), clock=now_ms)

    def ran(self) -> list[Ran]:
        """What was sent since the last time, in order."""
        found, self._ran[:] = list(self._ran), []
        return found

    def close(self) -> None:
        """Lets go of the store."""
        self.store.close()


class _Watched(SqliteDatabase):
    """The same database, through connections that are watched."""

    def __init__(self, file: Path, ran: list[Ran]) -> None:
        super().__init__(file)
        self._ran = ran

    async def ask(self, question: Callable[[Connection], R], *, at_one_moment: bool = False) -> R:
        return await super().ask(lambda connection: question(self._watched(connection)), at_one_moment=at_one_moment)

    def look(self, question: Callable[[Connection], R]) -> R:
        return super().look(lambda connection: question(self._watched(connection)))

    @contextmanager
    def transaction(self, trees: Collection[str] | None = None) -> Iterator[Any]:
        with super().transaction(trees) as connection:
            yield self._watched(connection)

    def _watched(self, connection: Any) -> Connection:
        return connection if isinstance(connection, _Connection) else _Connection(connection, self._ran)


class _Connection:
    def __init__(self, connection: sqlite3.Connection, ran: list[Ran]) -> None:
        self._connection = connection
        self._ran = ran

    def execute(self, statement: str, cells: Sequence[Any] = (), /) -> Rows:
        if statement.startswith(("SAVEPOINT", "ROLLBACK", "RELEASE")):
            return self._connection.execute(statement, cells)
        return self._run(statement, cells)

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]], /) -> Rows:
        found: Rows = _Taken([])
        for row in rows:
            found = self._run(statement, row)
        return found

    def _run(self, statement: str, cells: Sequence[Any]) -> Rows:
        details = [row[3] for row in self._connection.execute(f"EXPLAIN QUERY PLAN {statement}", cells)]
        steps = 0

        def count() -> int:
            nonlocal steps
            steps += 1
            return 0

        self._connection.set_progress_handler(count, 1)
        cursor = self._connection.execute(statement, cells)
        taken = _Taken(cursor.fetchall(), cursor.rowcount)
        self._connection.set_progress_handler(None, 0)
        self._ran.append(of_sqlite(statement, details, steps))
        return taken


class _Taken:
    """Rows that are all here, since a statement's work is known only at its end."""

    def __init__(self, rows: list[Any], rowcount: int = -1) -> None:
        self._rows = iter(rows)
        self.rowcount = rowcount

    def fetchone(self) -> Any:
        return next(self._rows, None)

    def fetchall(self) -> list[Any]:
        return list(self._rows)

    def __iter__(self) -> Iterator[Any]:
        return self._rows
