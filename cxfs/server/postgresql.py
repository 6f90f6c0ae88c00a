"""The tables in PostgreSQL, for any number of processes on any number of machines.

Questions and changes take a connection of a pool, in a thread, because each statement waits for the network. Changes of
one tree are kept apart by a lock on its owner's row, taken before anything is looked at; changes of different trees run
side by side. So what a change has seen of its trees is so until it is committed, as with SQLite, and nothing has to be
tried again. Contents are shared by all: their references (foreign keys) keep those that are in use.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

import psycopg
from anyio import CapacityLimiter, to_thread
from psycopg import sql
from psycopg.errors import ForeignKeyViolation, UndefinedTable
from psycopg.types.numeric import Int8BinaryDumper
from psycopg.types.string import BytesBinaryDumper

from cxfs.server.connections import Connections, Patience
from cxfs.server.errors import InvalidRequest, ServerError, Unavailable
from cxfs.server.limits import CONNECTIONS_MAX
from cxfs.server.notifications import CHANNEL, LOOK_S, Bell, PostgresCommits

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from cxfs.server.arrivals import Content
    from cxfs.server.database import Connection, Rows

R = TypeVar("R")

FORMAT: Final = "0001"
"""The last step in `migrations` (a test compares)."""

_ACCOUNTS_LOCK: Final = 0x63786673_00000001
_HOLD: Final = "SELECT number FROM owners WHERE id = ANY(%s) ORDER BY number FOR NO KEY UPDATE"
_SETTINGS: Final = {
    "client_encoding": "UTF8",
    # Each statement begins with a few rows and follows keys from there. Of a recursive one the planner thinks
    # that it may reach everything, and would go through all nodes to delete one.
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
}


class _Connection:
    """One of the pool, as the server's statements see it."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection

    def execute(self, statement: str, cells: Sequence[Any] = (), /) -> Rows:
        return self._connection.execute(_in_its_words(statement), cells, binary=True)

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]], /) -> Rows:
        cursor = self._connection.cursor()
        cursor.executemany(_in_its_words(statement), rows)
        return cursor

    def without_haste(self) -> None:
        Connections.without_haste(self._connection)

    def fill(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        types: dict[str, str] = dict(
            self._connection.execute(
                "SELECT column_name, udt_name FROM information_schema.columns"
                " WHERE table_schema = current_schema AND table_name = %s",
                (table,),
            ).fetchall()
        )
        booleans = [number for number, column in enumerate(columns) if types[column] == "bool"]
        named = sql.SQL(", ").join(map(sql.Identifier, columns))
        statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(sql.Identifier(table), named)
        with self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            copy.set_types([types[column] for column in columns])
            for row in rows:
                cells = list(row)
                for number in booleans:
                    cells[number] = bool(cells[number])
                copy.write_row(cells)


@lru_cache(maxsize=1_024)
def _in_its_words(statement: str) -> str:
    return statement.replace("%", "%%").replace("?", "%s")


class PostgresDatabase:
    """`url` is what libpq takes; a password stands better in its password file or environment."""

    def __init__(self, url: str, *, patience: Patience | None = None, look_s: float = LOOK_S) -> None:
        """Brings the tables up to date. Raises ServerError."""
        patience = patience or Patience()
        try:
            self.connections = Connections(url, patience, _SETTINGS, _configure)
            _bring_up_to_date(self.connections.apart)
        except psycopg.Error as error:
            raise ServerError(f"cannot use the database: {str(error).splitlines()[0]}") from error
        self.connections.open()
        self._askers = CapacityLimiter(CONNECTIONS_MAX)
        self._bell = Bell(self._tell)
        listening = partial(self.connections.apart, answer_s=patience.connection_s)
        self._commits = PostgresCommits(listening, look_s=look_s)

    async def ask(self, question: Callable[[Connection], R], *, at_one_moment: bool = False) -> R:
        """In a thread."""
        answer = self._answer_of_a_moment if at_one_moment else self.look
        return await to_thread.run_sync(partial(answer, question), limiter=self._askers)

    def _answer_of_a_moment(self, question: Callable[[Connection], R]) -> R:
        with self.snapshot() as connection:
            return question(connection)

    def look(self, question: Callable[[Connection], R]) -> R:
        """On a connection of its own."""
        with self._connection() as connection:
            return question(_Connection(connection))

    @contextmanager
    def transaction(self, trees: Collection[str] | None = None) -> Iterator[Connection]:
        """Trees in the order of their owners' numbers, so that no two wait for each other."""
        owners: list[int] | None = None
        with self._begun("BEGIN") as connection:
            if trees is None:
                connection.execute("SELECT pg_advisory_xact_lock(%s)", (_ACCOUNTS_LOCK,))
            else:
                owners = [number for (number,) in connection.execute(_HOLD, (list(trees),)).fetchall()] if trees else []
            yield _Connection(connection)
        if owners is None or owners:
            self._bell.ring(owners)

    @contextmanager
    def standstill(self) -> Iterator[Connection]:
        """Whoever refers to a content waits, or has committed."""
        with self._begun("BEGIN") as connection:
            connection.execute("LOCK TABLE contents IN EXCLUSIVE MODE")
            yield _Connection(connection)

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Any number at a time."""
        with self._begun("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY") as connection:
            yield _Connection(connection)

    def take_unused(self, connection: Connection, count: int) -> list[int]:
        """A content that an upload has taken hold of keeps its note for the next time; nobody waits for anybody."""
        rows = connection.execute(
            "DELETE FROM unused WHERE content IN (SELECT c.number FROM unused CROSS JOIN LATERAL (SELECT number"
            " FROM contents WHERE number = content FOR UPDATE SKIP LOCKED) c LIMIT ?) RETURNING content",
            (count,),
        )
        return sorted({number for (number,) in rows.fetchall()})

    def insert_contents(self, connection: Connection, contents: Sequence[Content]) -> dict[bytes, int]:
        """In one statement."""
        rows = connection.execute(
            "INSERT INTO contents (sha256, size, sha1, md5)"
            " SELECT * FROM unnest(?::bytea[], ?::bigint[], ?::text[], ?::text[]) ON CONFLICT DO NOTHING"
            " RETURNING sha256, number",
            [list(column) for column in zip(*contents, strict=True)] or [[]] * 4,
        )
        return dict(rows.fetchall())

    def hold_contents(self, connection: Connection, hashes: Sequence[bytes]) -> dict[bytes, int]:
        """As a reference to each of them would."""
        rows = connection.execute(
            "SELECT sha256, number FROM contents WHERE sha256 = ANY(?) ORDER BY sha256 FOR KEY SHARE", (list(hashes),)
        )
        return dict(rows.fetchall())

    def without_haste(self, connection: Connection) -> None:
        """The caller's transaction may take as long as it takes: nobody waits for it."""
        assert isinstance(connection, _Connection)
        connection.without_haste()

    def fill(self, connection: Connection, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Rows of another database with the same columns, in one statement: so they may refer to each other."""
        assert isinstance(connection, _Connection)
        connection.fill(table, columns, rows)

    def go_on_counting(self, connection: Connection) -> None:
        """New rows get numbers behind those that were filled in."""
        for table in ("owners", "apps", "contents", "events", "nodes"):
            connection.execute(
                f"SELECT setval(pg_get_serial_sequence(?, 'number'), max(number)) FROM {table}",  # noqa: S608 - our own words
                (table,),
            )

    def commits(self) -> PostgresCommits:
        """Of all processes."""
        return self._commits

    def _tell(self, owners: str) -> None:
        with suppress(Unavailable), self._connection() as connection:
            connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, owners))

    def close(self) -> None:
        """Waits for nobody."""
        self._bell.close()
        self._commits.close()
        self.connections.close()

    @contextmanager
    def _begun(self, begin: str) -> Iterator[psycopg.Connection]:
        with self._connection() as connection:
            connection.execute(begin)
            try:
                yield connection
            except BaseException:
                with suppress(psycopg.Error):
                    connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    @contextmanager
    def _connection(self) -> Iterator[psycopg.Connection]:
        """Raises Unavailable, and InvalidRequest for a text with a NUL, which PostgreSQL cannot keep."""
        try:
            with self.connections.lent() as connection:
                yield connection
        except ForeignKeyViolation as error:  # the content was swept between two of our statements: it comes anew
            raise Unavailable("the content has just been removed", wait_s=1) from error
        except psycopg.DataError as error:
            raise InvalidRequest("a text that cannot be kept") from error


def _configure(connection: psycopg.Connection) -> None:
    """Numbers all as BIGINT, whatever their size, and bytes as they are: so a statement is prepared once."""
    connection.adapters.register_dumper(int, Int8BinaryDumper)
    connection.adapters.register_dumper(bytes, BytesBinaryDumper)


def _bring_up_to_date(connect: Callable[[], psycopg.Connection]) -> None:
    """Raises ServerError when a newer server made the tables."""
    found = _format(connect)
    if found == FORMAT:
        return
    if found > FORMAT:
        raise ServerError(f"the database was made by a newer cxfs (format {found}, this one knows {FORMAT})")
    from cxfs.server.upgrading import upgrade  # noqa: PLC0415 - Alembic takes half a second, and is rarely needed

    upgrade(connect)


def _format(connect: Callable[[], psycopg.Connection]) -> str:
    """Empty: there are no tables yet."""
    with connect() as connection:
        try:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        except UndefinedTable:
            return ""
    return str(row[0]) if row else ""
