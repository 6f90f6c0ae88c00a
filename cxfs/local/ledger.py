"""The journal's database: statements in, one commit out, on a full disk as well. Knows no table and no draft.

SQLite keeps a log (WAL): a commit appends to it, and only now and then is the log moved into the database, which waits
for the disk. Each commit says beforehand whether it is such a one, so that nobody waits for it who must not.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from cxfs.core.errors import CxfsError, DiskFull
from cxfs.local.salvage import open_journal
from cxfs.local.schema import bring_up_to_date, keep_sums

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from cxfs.local.rows import Cells
    from cxfs.local.statements import Statement

LOG_PAGES_MAX: Final = 4_000
"""After as many SQLite moves the log into the database by itself, in the middle of whatever call that is: 16 MiB."""

LOGGED_MAX: Final = 1_000
"""Commits between two moves that are foreseen: of two pages each where files are made, seldom of more than four."""

RESERVE_BYTES: Final = LOG_PAGES_MAX << 12
"""Kept on disk and given to the journal when the disk is full: its log grows to about as much before it starts anew."""


class Ledger:
    """One connection, used by one thread at a time. Raises CxfsError when the journal cannot be used.

    After `logged_max` commits the next one moves the log into the database.
    """

    def __init__(self, folder: Path, *, logged_max: int = LOGGED_MAX) -> None:
        self.connection = open_journal(folder, bring_up_to_date)
        self._folder = folder
        self._reserve = folder / "reserve"
        self._has_reserve = self._reserve.exists()
        self._logged_max = logged_max
        self._logged = 0
        try:
            self.connection.execute("PRAGMA synchronous=NORMAL")
            self.connection.execute(f"PRAGMA wal_autocheckpoint={LOG_PAGES_MAX}")
            keep_sums(self.connection)
        except sqlite3.Error as error:
            self.close()
            raise self.unusable(error) from error

    def unusable(self, error: sqlite3.Error) -> CxfsError:
        """For whoever met `error` at the start."""
        return CxfsError(f"the journal in {self._folder} cannot be used: {error}")

    def query(self, question: str, cells: Cells = ()) -> list[tuple[Any, ...]]:
        """All rows that answer it."""
        return self.connection.execute(question, cells).fetchall()

    @property
    def waits_next(self) -> bool:
        """Whether the next commit waits for the disk, though nothing durable is asked of it; others do not.

        It moves the log into the database, or begins the log anew: SQLite syncs the head of a log before the rest.
        """
        return self._logged >= self._logged_max or not self._logged

    def commit(self, *statements: Statement, durable: bool = False) -> None:
        """All of them or none. On a full disk the reserve is given up: writing on is refused until it is back.

        Raises DiskFull.
        """
        try:
            self._try_to_commit(statements, durable=durable)
        except DiskFull:
            if not self._reserve.exists():
                raise
            self._has_reserve = False
            self._reserve.unlink()
            self._try_to_commit(statements, durable=durable)

    def _try_to_commit(self, statements: Collection[Statement], *, durable: bool) -> None:
        with self._transaction(durable=durable):
            for statement, cells in statements:
                self.connection.execute(statement, cells)
        self._logged += 1
        if self._logged > self._logged_max:
            self._logged = 0
            with suppress(sqlite3.Error):  # what was committed is in the log all the same
                self.connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    @contextmanager
    def _transaction(self, *, durable: bool = False) -> Iterator[None]:
        if durable:  # in WAL mode only FULL syncs the log at each commit (sqlite.org/pragma.html#pragma_synchronous)
            self.connection.execute("PRAGMA synchronous=FULL")
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            yield
            self.connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise DiskFull(f"the journal cannot be written: {error}") from error
        finally:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            if durable:
                self.connection.execute("PRAGMA synchronous=NORMAL")

    def keep_reserve(self) -> bool:
        """Whether it can be written even if the disk is full by then; False: accept no more bytes."""
        if self._has_reserve:
            return True
        try:
            descriptor = os.open(self._reserve, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, RESERVE_BYTES)
            finally:
                os.close(descriptor)
        except OSError:
            self._reserve.unlink(missing_ok=True)
            return False
        self._has_reserve = True
        return True

    def close(self) -> None:
        """Ends the connection; everything is committed already."""
        self.connection.close()
