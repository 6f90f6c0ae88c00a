"""A journal that a failing disk has damaged: kept whole, aside, and what can still be read of it carried over.

Knows pages and tables, not what a row means. Nothing is deleted: a person, or a better tool, may read more of it.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Final

from cxfs.core.errors import CxfsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

log = logging.getLogger(__name__)

JOURNAL: Final = "journal.sqlite"
_SUFFIXES: Final = ("", "-wal", "-journal")
"""The database, its log, and the log that SQLite uses before it is asked for a better one."""

Row = tuple[object, ...]
"""A row's number, then its columns."""
_FIRST, _LAST = -(1 << 63), (1 << 63) - 1
"""No row has these numbers."""

_OF_THE_MACHINE: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_PERM, sqlite3.SQLITE_NOMEM,
    }
)  # fmt: skip
"""Failures that say nothing of the file: another try, another disk or other permissions may do."""

_FAILURES: Final = (sqlite3.Error, UnicodeError)
"""Python cannot even read the message where SQLite quotes a damaged name in it."""


def open_journal(folder: Path, bring_up_to_date: Callable[[sqlite3.Connection], None]) -> sqlite3.Connection:
    """The journal in `folder`, sound; one that is not is set aside first, and what can be read of it is in the new one.

    `bring_up_to_date` makes today's tables in a transaction that is under way, or raises CxfsError for a journal of
    tomorrow. Raises CxfsError also when this machine does not let the journal be opened.
    """
    try:
        return _sound(folder / JOURNAL, bring_up_to_date)
    except CxfsError as error:
        raise CxfsError(f"the journal in {folder} {error}") from error
    except _FAILURES as error:
        if not _is_damage(error, folder / JOURNAL):
            raise CxfsError(f"the journal in {folder} cannot be used: {error}") from error
        damage = error
    aside = _set_aside(folder)
    log.error("the journal is damaged (%s) and is kept in %s; going on with what can be read of it", damage, aside)
    journal = _sound(folder / JOURNAL, bring_up_to_date)
    _carry_over(aside, journal)
    return journal


def _sound(file: Path, bring_up_to_date: Callable[[sqlite3.Connection], None]) -> sqlite3.Connection:
    journal = connect(file)
    try:
        journal.execute("PRAGMA journal_mode=WAL")
        _check_pages(journal)
        journal.execute("BEGIN IMMEDIATE")
        bring_up_to_date(journal)
        _check_schema(journal, bring_up_to_date)
        journal.execute("COMMIT")
    except BaseException:
        journal.close()
        raise
    return journal


def _check_pages(journal: sqlite3.Connection) -> None:
    (verdict,) = journal.execute("PRAGMA integrity_check(1)").fetchone()
    if verdict != "ok":
        raise sqlite3.DatabaseError(" ".join(str(verdict).split()))


def _check_schema(journal: sqlite3.Connection, bring_up_to_date: Callable[[sqlite3.Connection], None]) -> None:
    """The names in it are bytes on the disk as well; SQLite believes whatever they say."""
    with closing(connect(":memory:")) as new:
        bring_up_to_date(new)
        if _schema(journal) != _schema(new):
            raise sqlite3.DatabaseError("its tables are not those of a journal")


def _schema(journal: sqlite3.Connection) -> list[object]:
    return journal.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name").fetchall()


def connect(file: Path | str) -> sqlite3.Connection:
    """A connection for one thread at a time; a text that is damaged spoils its row alone."""
    journal = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
    journal.text_factory = lambda text: text.decode(errors="surrogateescape")
    return journal


def _is_damage(error: Exception, file: Path) -> bool:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
    if code == sqlite3.SQLITE_READONLY:  # which a damaged header claims as well
        return os.access(file, os.W_OK) and os.access(file.parent, os.W_OK)
    return code not in _OF_THE_MACHINE


def _set_aside(folder: Path) -> Path:
    """Moves the database and its logs to a folder of their own; each goes by one rename, the database last."""
    number = 1
    while (aside := folder / f"damaged-{number}").exists():
        number += 1
    aside.mkdir(mode=0o700)
    for suffix in reversed(_SUFFIXES):
        with suppress(FileNotFoundError):
            (folder / (JOURNAL + suffix)).rename(aside / (JOURNAL + suffix))
    return aside


def _carry_over(aside: Path, journal: sqlite3.Connection) -> None:
    """Reads a copy, since reading with its log changes it, and gives way wherever SQLite does."""
    copy = aside / "read"
    copy.mkdir()
    try:
        for suffix in _SUFFIXES:
            with suppress(FileNotFoundError):
                shutil.copyfile(aside / (JOURNAL + suffix), copy / (JOURNAL + suffix))
        with closing(connect(copy / JOURNAL)) as damaged:
            _copy_tables(damaged, journal)
    finally:
        shutil.rmtree(copy)


def _copy_tables(damaged: sqlite3.Connection, journal: sqlite3.Connection) -> None:
    tables = journal.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    journal.execute("BEGIN IMMEDIATE")
    for (table,) in tables.fetchall():
        try:
            damaged.execute("PRAGMA writable_schema=ON")  # or a file shorter than its header says is refused
            for row in (*_rows(damaged, table, forward=True), *_rows(damaged, table, forward=False)):
                _copy_row(journal, table, row)
        except _FAILURES as error:
            log.error("nothing of the table %s can be read: %s", table, error)
    journal.execute("COMMIT")


def _rows(damaged: sqlite3.Connection, table: str, *, forward: bool) -> Iterator[Row]:
    """From one end up to the first page that cannot be read; by row number, so that no index counts.

    Each by a question of its own: a cursor that meets damage keeps back the row before it.
    """
    at, beyond, order = (_FIRST, ">", "ASC") if forward else (_LAST, "<", "DESC")
    question = f'SELECT rowid, * FROM "{table}" WHERE rowid {beyond} ? ORDER BY rowid {order} LIMIT 1'  # noqa: S608 - our own tables
    try:
        while (row := damaged.execute(question, (at,)).fetchone()) is not None:
            if not (row[0] > at if forward else row[0] < at):
                raise sqlite3.DatabaseError("its rows go in circles")
            yield row
            at = row[0]
    except _FAILURES as error:
        log.error("a part of the table %s cannot be read: %s", table, error)


def _copy_row(journal: sqlite3.Connection, table: str, row: Row) -> None:
    """With its number, by which a row that is met from both ends is known."""
    if journal.execute(f'SELECT 1 FROM "{table}" WHERE rowid = ?', row[:1]).fetchone():  # noqa: S608 - as above
        return
    columns = [name for _, name, *_ in journal.execute(f'PRAGMA table_info("{table}")')]
    statement = f'INSERT INTO "{table}" (rowid, {", ".join(columns)}) VALUES ({", ".join("?" * len(row))})'  # noqa: S608 - as above
    try:
        journal.execute(statement, row)
    except _FAILURES as error:
        log.error("a row of the table %s cannot be used and is set aside: %s", table, error)
        journal.execute("INSERT INTO quarantine VALUES (?, ?)", (json.dumps([repr(v) for v in row[1:]]), str(error)))
