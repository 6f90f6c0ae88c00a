"""The journal of a mount that does not run, as it stands: for looking at, and for getting drafts out. Changes nothing.

The journal is copied into memory first, where one of an older cxfs is brought up to date; the file is left as it is.
"""

from __future__ import annotations

import ast
import json
import shutil
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from cxfs.core.errors import CxfsError
from cxfs.core.local_names import LocalNames
from cxfs.local.rows import ChangeRow, ErrandRow
from cxfs.local.salvage import JOURNAL
from cxfs.local.schema import LOCAL_NAMES, SCHEMA_VERSION, bring_up_to_date, check_sum, version_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cxfs.local.rows import Cells

_ID, _PATH, _SIZE = 0, 4, 9
"""Where these stand in a row of `changes` that was set aside."""

_WRITES_REFUSED: Final = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR})
"""Whoever reads a journal with a log makes a file beside it; where that cannot be, a copy is read elsewhere."""

UNREADABLE: Final = (ValueError, TypeError, CxfsError)


@dataclass(frozen=True, slots=True)
class SetAside:
    """A row that could not be read, with what can be guessed of it. `path` is an account path, or words of our own."""

    id: str
    path: str
    size: int
    reason: str


@dataclass(frozen=True, slots=True)
class JournalContent:
    """Everything that the journal holds but files that are to stay on this machine."""

    changes: tuple[ChangeRow, ...] = ()
    errands: tuple[ErrandRow, ...] = ()
    set_aside: tuple[SetAside, ...] = ()


def draft_file(state_folder: Path, change_id: str) -> Path:
    """Where the content of a change is, if it is there."""
    return state_folder / "drafts" / change_id


def read_journal(state_folder: Path) -> JournalContent:
    """What is written down there; nothing where there is no journal. Raises CxfsError for one that cannot be read."""
    file = state_folder / JOURNAL
    if not file.exists():
        return JournalContent()
    try:
        return _content_of(file)
    except sqlite3.Error as error:
        raise CxfsError(f"the journal {file} cannot be read: {error}") from error


def _content_of(file: Path) -> JournalContent:
    try:
        with closing(_opened(file)) as journal:
            return _copied(journal)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in _WRITES_REFUSED:
            raise
        with suppress(OSError), TemporaryDirectory(prefix="cxfs-journal-") as folder:
            for each in (file, file.with_name(f"{file.name}-wal")):
                with suppress(FileNotFoundError):
                    shutil.copyfile(each, Path(folder, each.name))
            with closing(sqlite3.connect(Path(folder, file.name))) as journal:
                return _copied(journal)
        raise


def _copied(journal: sqlite3.Connection) -> JournalContent:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as copy:
        journal.backup(copy)
        return _content(copy)


class WatchedJournal:
    """The same, read again only when somebody has written to it since. To be closed.

    `read` reads all of it.
    """

    def __init__(self, state_folder: Path, *, read: Callable[[Path], JournalContent] = read_journal) -> None:
        self._state_folder = state_folder
        self._read = read
        self._watch: sqlite3.Connection | None = None
        self._version: int | None = None
        self._content = JournalContent()
        self._changes: dict[str, ChangeRow] = {}

    def content(self) -> JournalContent:
        """What is written down there now. Raises CxfsError for what cannot be read."""
        version = self._current_version()
        if version is None or version != self._version:
            self._content = self._read(self._state_folder)
            self._changes = {row.id: row for row in self._content.changes}
            self._version = version
        return self._content

    def change(self, change_id: str) -> ChangeRow | None:
        """The row of that id as it is now; None where there is none. Raises CxfsError as above."""
        self.content()
        return self._changes.get(change_id)

    def _current_version(self) -> int | None:
        """SQLite's own count of what other connections have committed; None where it cannot be told."""
        try:
            if self._watch is None:
                self._watch = _opened(self._state_folder / JOURNAL)
            ((version,),) = self._watch.execute("PRAGMA data_version")
        except sqlite3.Error:  # who reads it tells why
            return None
        return int(version)

    def close(self) -> None:
        """Watches no more."""
        if self._watch is not None:
            self._watch.close()


def _opened(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)


def _content(copy: sqlite3.Connection) -> JournalContent:
    copy.text_factory = lambda text: text.decode(errors="surrogateescape")
    if version_of(copy) > SCHEMA_VERSION:
        raise CxfsError("the journal was written by a newer cxfs; use that one")
    bring_up_to_date(copy)
    changes, errands, set_aside = [], [], []
    told = [str(value) for (value,) in copy.execute("SELECT value FROM facts WHERE name = ?", (LOCAL_NAMES,))]
    staying = LocalNames(told[0].split(":") if told and told[0] else ())
    for *raw, found in copy.execute("SELECT * FROM changes ORDER BY rowid"):
        try:
            check_sum(found, raw)
            change = ChangeRow.parse(raw)
            if change.object is not None or change.path.names[-1] not in staying:
                changes.append(change)
        except UNREADABLE as error:
            set_aside.append(_guess(raw, str(error)))
    for *raw, found in copy.execute("SELECT * FROM errands ORDER BY rowid"):
        try:
            check_sum(found, raw)
            errands.append(ErrandRow.parse(raw))
        except UNREADABLE as error:
            set_aside.append(SetAside("", "(no path)", 0, str(error)))
    return JournalContent(tuple(changes), tuple(errands), (*set_aside, *_quarantined(copy)))


def _quarantined(copy: sqlite3.Connection) -> Iterator[SetAside]:
    for row, reason in copy.execute("SELECT row, reason FROM quarantine ORDER BY rowid"):
        try:
            raw = tuple(ast.literal_eval(cell) for cell in json.loads(row))
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):  # of another table, or damaged itself
            raw = ()
        yield _guess(raw, str(reason))


def _guess(raw: Cells, reason: str) -> SetAside:
    cells = [*raw, *[None] * (_SIZE + 1 - len(raw))]
    change_id, path, size = cells[_ID], cells[_PATH], cells[_SIZE]
    return SetAside(
        change_id if isinstance(change_id, str) else "",
        path if isinstance(path, str) else "(no path)",
        size if isinstance(size, int) else 0,
        reason,
    )
