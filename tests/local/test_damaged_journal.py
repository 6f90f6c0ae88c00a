"""A disk that fails: whatever byte of the journal is wrong or missing, nothing accepted is deleted or falsified.

The page with the last rows, of the database and of its log, is damaged at each byte; pages are small here, so that
a few rows are several pages.
"""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from cxfs.core.errors import CxfsError
from cxfs.local.outbox import Outbox
from tests.local.test_outbox import accept, drafts_in

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from cxfs.local.rows import ChangeRow

CHANGES: Final = 12
"""Of which the later half stands in the last pages."""
PAGE_BYTES: Final = 512
FRAME_BYTES: Final = PAGE_BYTES + 24
"""A page in the log, with its header."""


@dataclass(frozen=True)
class Home:
    """A state folder as a daemon left it, and what it had accepted, oldest first."""

    folder: Path
    accepted: tuple[ChangeRow, ...]

    @property
    def database(self) -> Path:
        return self.folder / "journal.sqlite"

    @property
    def log(self) -> Path:
        return self.folder / "journal.sqlite-wal"

    def copied_to(self, folder: Path) -> Home:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.folder, folder)
        return replace(self, folder=folder)


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """In memory where the machine has such a place: a thousand journals are damaged in it."""
    shm = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=shm, prefix="cxfs-test-") as path:
        yield Path(path)


def made(folder: Path) -> Outbox:
    """An outbox of small pages."""
    folder.mkdir()
    journal = sqlite3.connect(folder / "journal.sqlite")
    journal.execute(f"PRAGMA page_size={PAGE_BYTES}")
    journal.execute("VACUUM")
    journal.close()
    return Outbox(folder)


@pytest.fixture(scope="module")
def stopped(place: Path) -> Home:
    """The daemon ended in order: everything is in the database itself."""
    outbox = made(place / "stopped")
    accepted = tuple(accept(outbox, f"file {number}", content_of(number)) for number in range(CHANGES))
    outbox._ledger.connection.execute("VACUUM")  # the rows in the order of the pages
    outbox.close()
    return Home(place / "stopped", accepted)


@pytest.fixture(scope="module")
def killed(place: Path) -> Home:
    """The daemon was killed: the last rows are in the log alone."""
    outbox = made(place / "living")
    early = [accept(outbox, f"file {number}", content_of(number)) for number in range(CHANGES // 2)]
    outbox._ledger.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    late = [accept(outbox, f"file {number}", content_of(number)) for number in range(CHANGES // 2, CHANGES)]
    shutil.copytree(place / "living", place / "killed", ignore=shutil.ignore_patterns("*-shm"))
    outbox.close()
    return Home(place / "killed", (*early, *late))


def content_of(number: int) -> bytes:
    return bytes([number]) * 100


def page_of(home: Home, row: ChangeRow) -> int:
    """Where in the database the page begins that holds the row."""
    return home.database.read_bytes().rindex(str(row.path).encode()) // PAGE_BYTES * PAGE_BYTES


def flipped(file: Path, at: int) -> None:
    content = bytearray(file.read_bytes())
    content[at] ^= 0xFF
    file.write_bytes(content)


def cut(file: Path, at: int) -> None:
    os.truncate(file, at)


def wrongs(home: Home, *, safe: Collection[ChangeRow]) -> list[str]:
    """What is not as it must be after a start on a damaged journal: none of `safe` may be missing."""
    try:
        outbox = Outbox(home.folder)
    except CxfsError as refused:
        untouched = drafts_in(home.folder) == {row.id for row in home.accepted}
        return [] if untouched and "newer cxfs" in str(refused) else [f"refused: {refused}"]
    recovered = outbox.recover()
    outbox.close()
    found = [f"{row.name} is not what was accepted" for row in recovered if row not in home.accepted]
    found += [f"{row.name} is missing" for row in safe if row not in recovered]
    found += [
        f"{row.name} is neither sent nor set aside"
        for row in home.accepted
        if row not in recovered and row.id not in quarantined(home.folder)
    ]
    found += [
        f"the draft of {row.name} is not whole"
        for number, row in enumerate(home.accepted)
        if not (home.folder / "drafts" / row.id).exists()
        or (home.folder / "drafts" / row.id).read_bytes() != content_of(number)
    ]
    return found


def quarantined(folder: Path) -> str:
    """All that was set aside, as text."""
    journal = sqlite3.connect(folder / "journal.sqlite")
    journal.text_factory = bytes
    rows = journal.execute("SELECT row, reason FROM quarantine").fetchall()
    journal.close()
    return str(rows)


def damages(
    home: Home, place: Path, file: str, harm: Callable[[Path, int], None], where: range, *, safe: Collection[ChangeRow]
) -> dict[int, list[str]]:
    """By the byte at which it was damaged: what is wrong afterwards."""
    found = {}
    for at in where:
        damaged = home.copied_to(place / "damaged")
        harm(damaged.folder / file, at)
        if wrong := wrongs(damaged, safe=safe):
            found[at] = wrong
    return found


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)


@pytest.mark.promise
@pytest.mark.parametrize("harm", [flipped, cut])
def test_damage_at_any_byte_of_the_page_with_the_last_rows_spoils_no_earlier_one(
    stopped: Home, place: Path, harm: Callable[[Path, int], None]
) -> None:
    """A journal that is damaged is kept aside whole, what can still be read of it is carried over, and every draft is
    kept."""
    start = page_of(stopped, stopped.accepted[-1])
    earlier = [row for row in stopped.accepted if page_of(stopped, row) < start]

    found = damages(stopped, place, "journal.sqlite", harm, range(start, start + PAGE_BYTES), safe=earlier)

    assert len(earlier) >= 2
    assert found == {}


def test_damage_in_the_midst_of_the_journal_spoils_neither_what_is_before_nor_what_is_after(
    stopped: Home, place: Path
) -> None:
    """It is read from both ends."""
    start = page_of(stopped, stopped.accepted[CHANGES // 2])
    others = [row for row in stopped.accepted if page_of(stopped, row) != start]

    found = damages(
        stopped, place, "journal.sqlite", flipped, range(start, start + PAGE_BYTES, PAGE_BYTES // 64), safe=others
    )

    assert min(map(stopped.accepted.index, others)) < CHANGES // 2 < max(map(stopped.accepted.index, others))
    assert found == {}


@pytest.mark.parametrize("harm", [flipped, cut])
def test_damage_at_any_byte_of_the_last_commit_in_the_log_spoils_no_earlier_one(
    killed: Home, place: Path, harm: Callable[[Path, int], None]
) -> None:
    """SQLite does not see the commit any more, nor its row: the draft is kept all the same, and reported."""
    end = killed.log.stat().st_size
    start = killed.log.read_bytes().rindex(killed.accepted[-2].id.encode()) // FRAME_BYTES * FRAME_BYTES

    found = damages(killed, place, "journal.sqlite-wal", harm, range(end - FRAME_BYTES, end), safe=killed.accepted[:-1])

    assert start > 0
    assert found == {}


@pytest.mark.parametrize("stride", [PAGE_BYTES // 8, pytest.param(3, marks=pytest.mark.long)])
@pytest.mark.parametrize("harm", [flipped, cut])
@pytest.mark.parametrize("file", ["journal.sqlite", "journal.sqlite-wal"])
def test_damage_anywhere_deletes_and_falsifies_nothing(
    killed: Home, place: Path, file: str, harm: Callable[[Path, int], None], stride: int
) -> None:
    """Headers, indexes, the schema itself: what cannot be told any more is set aside."""
    size = (killed.folder / file).stat().st_size

    found = damages(killed, place, file, harm, range(0, size, stride), safe=())

    assert found == {}
