"""A server in a folder, carried over to PostgreSQL and, if wanted, a bucket: every row and every byte, checked.

Contents go first, in batches that stay; broken off, the next run goes on with what is missing. All other rows go in one
transaction: until it is committed the folder is the server, and after it the folder refuses to be one.
"""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cxfs.server.errors import NotFound, Refusal, ServerError
from cxfs.server.folder import Folder
from cxfs.server.limits import PIECE_BYTES, SMALL_BYTES_MAX
from cxfs.server.sources import HeldSource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cxfs.server.arrivals import Arrival
    from cxfs.server.carrying import Progress, Stages
    from cxfs.server.database import Connection
    from cxfs.server.postgresql import PostgresDatabase
    from cxfs.server.sources import Source
    from cxfs.server.store import Store

BATCH_CONTENTS: Final = 500
BATCH_BYTES: Final = 64 << 20

TABLES: Final = {
    "owners": "number",
    "users": "owner",
    "members": '"user", team',
    "apps": "number",
    "codes": "hash",
    "used_codes": "code",
    "tokens": "hash",
    "sessions": "hash",
    "attempts": "hash",
    "events": "number",
    "nodes": "number",
    "versions": "node, version",
    "feed": "owner, object",
    "unused": "content",
}
"""All but those of contents, each behind what it refers to, with the order in which both sides are compared."""


@dataclass(slots=True)
class Migrated:
    """What was carried over by this run, and what was compared in the end."""

    contents: int = 0
    bytes: int = 0
    rows: int = 0


class _Content(NamedTuple):
    number: int
    sha256: bytes
    size: int
    sha1: str
    md5: str


class Migration:
    """From a folder that nobody serves. `database` is the target's. `begins` hears of each stage that has bytes."""

    def __init__(self, source: Store, target: Store, database: PostgresDatabase, begins: Stages) -> None:
        self.migrated = Migrated()
        self._source = source
        self._target = target
        self._database = database
        self._begins = begins
        self._stays = isinstance(target.contents, Folder) and source.directory == target.directory

    def run(self) -> Migrated:
        """Raises ServerError for a target with another server's accounts, and for anything that is not equal."""
        try:
            is_done = self._is_done()
            self._source.sweep()
            if not is_done:
                self._carry_contents()
                self._carry_rows()
            self._compare_contents()
            self._compare_rows()
        except Refusal as error:
            raise ServerError(f"stopped; run it again to go on: {error}") from error
        return self.migrated

    def _is_done(self) -> bool:
        """Whether the rows are there: they came all together."""
        theirs = self._target.look(_owners)
        if theirs and theirs != self._source.look(_owners):
            raise ServerError("the database has accounts of another server")
        return bool(theirs)

    # ---------------------------------------------------------------- contents

    def _carry_contents(self) -> None:
        """What is there from a run before is left out; what has gone or changed since then goes there too."""
        ours = self._contents()
        there = self._target.look(_names)
        names = {content.number: content.sha256 for content in ours}
        self._drop([number for number, sha256 in there.items() if names.get(number) != sha256])
        missing = [content for content in ours if there.get(content.number) != content.sha256]
        tell = self._begins("carrying over", sum(content.size for content in missing))
        batch: list[_Content] = []
        size = 0
        for content in missing:
            batch.append(content)
            size += content.size
            if len(batch) >= BATCH_CONTENTS or size >= BATCH_BYTES:
                self._carry(batch, tell)
                batch, size = [], 0
        self._carry(batch, tell)

    def _contents(self) -> list[_Content]:
        query = "SELECT number, sha256, size, sha1, md5 FROM contents ORDER BY number"
        return [_Content(*row) for row in self._source.look(lambda connection: connection.execute(query).fetchall())]

    def _drop(self, numbers: list[int]) -> None:
        with self._target.transaction(()) as connection:
            for number in numbers:
                gone = connection.execute(
                    "DELETE FROM contents WHERE number = ? RETURNING sha256, stored_as", (number,)
                ).fetchone()
                if not self._stays:
                    self._target.contents.remove(connection, *gone)

    def _carry(self, batch: list[_Content], tell: Progress) -> None:
        with ExitStack() as stack:
            arrivals = [self._fetched(stack, content) for content in batch if self._travels(content)]
            with self._target.transaction(()) as connection:
                connection.executemany(
                    "INSERT INTO contents (number, sha256, size, sha1, md5) VALUES (?, ?, ?, ?, ?)", batch
                )
                self._target.contents.keep(connection, *arrivals)
        for content in batch:
            self.migrated.contents += 1
            self.migrated.bytes += content.size
            tell(self.migrated.contents, self.migrated.bytes)

    def _travels(self, content: _Content) -> bool:
        return content.size <= SMALL_BYTES_MAX or not self._stays

    def _fetched(self, stack: ExitStack, content: _Content) -> Arrival:
        """Its bytes; raises ServerError when they are not what their name says."""
        arrival = stack.enter_context(self._target.contents.arrival())
        for piece in _pieces(self._source, content):
            arrival.write(piece)
        arrival.sync()
        arrival.close()
        if arrival.content.sha256 != content.sha256:
            raise ServerError(f"the content {content.sha256.hex()} is damaged in the folder")
        return arrival

    def _compare_contents(self) -> None:
        """All of them, as they are read from the target from now on."""
        contents = self._contents()
        tell = self._begins("comparing", sum(content.size for content in contents))
        size = 0
        for count, content in enumerate(contents, start=1):
            digest = hashlib.sha256()
            for piece in _pieces(self._target, content):
                digest.update(piece)
            if digest.digest() != content.sha256:
                raise ServerError(f"the content {content.sha256.hex()} did not come over as it was")
            size += content.size
            tell(count, size)

    # ---------------------------------------------------------------- rows

    def _carry_rows(self) -> None:
        with self._source.snapshot() as source, self._database.transaction() as target:
            self._database.without_haste(target)
            for table in TABLES:
                columns = _columns(source, table)
                named = ", ".join(f'"{column}"' for column in columns)
                self._database.fill(target, table, columns, source.execute(f"SELECT {named} FROM {table}"))  # noqa: S608 - our own words
            self._database.go_on_counting(target)

    def _compare_rows(self) -> None:
        """Row by row, side by side."""
        with self._source.snapshot() as source, self._database.snapshot() as target:
            self._database.without_haste(target)
            for table, order in TABLES.items():
                named = ", ".join(f'"{column}"' for column in _columns(source, table))
                query = f"SELECT {named} FROM {table} ORDER BY {order}"  # noqa: S608 - our own words
                ours, theirs = map(tuple, source.execute(query)), map(tuple, target.execute(query))
                for mine in ours:
                    if next(theirs, None) != mine:
                        raise ServerError(f"the table {table} did not come over as it was")
                    self.migrated.rows += 1
                if next(theirs, None) is not None:
                    raise ServerError(f"the table {table} has more in the database than in the folder")


def _owners(connection: Connection) -> list[Any]:
    return list(map(tuple, connection.execute("SELECT number, id FROM owners ORDER BY number").fetchall()))


def _names(connection: Connection) -> dict[int, bytes]:
    return dict(connection.execute("SELECT number, sha256 FROM contents").fetchall())


def _columns(connection: Connection, table: str) -> list[str]:
    return [name for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,)).fetchall()]


def _pieces(store: Store, content: _Content) -> Iterator[bytes]:
    """Its bytes, in order."""
    try:
        source = store.look(lambda connection: _opened(store, connection, content))
    except FileNotFoundError as error:
        raise ServerError(f"the content {content.sha256.hex()} is missing") from error
    try:
        if content.size:
            source.begin(0, content.size)
        offset = 0
        while offset < content.size:
            piece = source.read(offset, min(PIECE_BYTES, content.size - offset))
            offset += len(piece)
            yield piece
    except NotFound as error:
        raise ServerError(f"the content {content.sha256.hex()} is missing") from error
    finally:
        source.close()


def _opened(store: Store, connection: Connection, content: _Content) -> Source:
    if content.size <= SMALL_BYTES_MAX:
        row = connection.execute("SELECT bytes FROM small WHERE content = ?", (content.number,)).fetchone()
        if row is not None:
            return HeldSource(row[0])
    return store.contents.open(connection, content.number, content.sha256, content.size)
