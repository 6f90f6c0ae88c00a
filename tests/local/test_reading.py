"""The journal of a mount that does not run: read as it stands, changed by nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from cxfs.core.errors import CxfsError
from cxfs.local.outbox import Outbox
from cxfs.local.reading import JournalContent, WatchedJournal, draft_file, read_journal
from cxfs.local.schema import SCHEMA_VERSION
from tests.journals import accepts

if TYPE_CHECKING:
    from pathlib import Path


def test_what_was_accepted_is_read_and_nothing_is_changed(tmp_path: Path) -> None:
    """Looking must be allowed at any moment."""
    rows = (accepts(tmp_path, "self:/a", b"a"), accepts(tmp_path, "self:/b", b"b", parked="full"))
    before = (tmp_path / "journal.sqlite").read_bytes()

    content = read_journal(tmp_path)

    assert content == JournalContent(changes=rows)
    assert (tmp_path / "journal.sqlite").read_bytes() == before
    assert draft_file(tmp_path, rows[0].id).read_bytes() == b"a"


def test_what_a_killed_daemon_left_in_the_log_is_read_too(tmp_path: Path) -> None:
    """Its last commits are in the write-ahead log only."""
    outbox = Outbox(tmp_path)
    row = accepts(tmp_path, "self:/a", b"a")

    try:
        assert read_journal(tmp_path).changes == (row,)
    finally:
        outbox.close()


def test_a_journal_that_is_watched_is_read_again_only_when_it_changed(tmp_path: Path) -> None:
    """Who asks for each of ten thousand rows by itself must not have them all read each time."""
    first = accepts(tmp_path, "self:/a", b"a")
    looks: list[Path] = []

    def read(folder: Path) -> JournalContent:
        looks.append(folder)
        return read_journal(folder)

    with closing(WatchedJournal(tmp_path, read=read)) as journal:
        unchanged = [journal.change(first.id) for _ in range(10)]
        second = accepts(tmp_path, "self:/b", b"b")
        changed = [journal.change(second.id), journal.change(first.id), journal.change("nobody's")]

    assert unchanged == [first] * 10
    assert changed == [second, first, None]
    assert len(looks) == 2


def test_a_journal_that_is_watched_may_come_later(tmp_path: Path) -> None:
    """With the first mount."""
    with closing(WatchedJournal(tmp_path)) as journal:
        before = journal.content()
        row = accepts(tmp_path, "self:/a", b"a")

        assert (before, journal.content().changes) == (JournalContent(), (row,))


def test_where_there_is_no_journal_nothing_waits(tmp_path: Path) -> None:
    """The profile was never mounted; and none is made."""
    assert read_journal(tmp_path) == JournalContent()
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_row_is_shown_with_what_can_be_read_of_it(tmp_path: Path) -> None:
    """Its draft may still be wanted."""
    row = accepts(tmp_path, "self:/a", b"12345")
    with sqlite3.connect(tmp_path / "journal.sqlite") as journal:
        journal.execute("UPDATE changes SET parent = 'nonsense'")
    journal.close()

    (found,) = read_journal(tmp_path).set_aside

    assert (found.id, found.path, found.size) == (row.id, "self:/a", 5)
    assert "checksum differs" in found.reason


def test_a_row_that_a_daemon_has_set_aside_is_shown(tmp_path: Path) -> None:
    """It is not deleted, so it has to be seen somewhere."""
    row = accepts(tmp_path, "self:/a", b"12345")
    draft_file(tmp_path, row.id).unlink()
    outbox = Outbox(tmp_path)
    outbox.recover()
    outbox.close()

    (found,) = read_journal(tmp_path).set_aside

    assert (found.id, found.path, found.size) == (row.id, "self:/a", 5)


@pytest.mark.parametrize("row", ["[", "[7]", '["("]', "[" * 5_000, '["' + "(" * 5_000 + '"]'])
def test_a_row_that_was_set_aside_and_is_damaged_since_is_shown_all_the_same(tmp_path: Path, row: str) -> None:
    """As one of which nothing is known but why it was set aside."""
    accepts(tmp_path, "self:/a", b"12345")
    with sqlite3.connect(tmp_path / "journal.sqlite") as journal:
        journal.execute("INSERT INTO quarantine VALUES (?, 'the disk was bad')", (row,))
    journal.close()

    content = read_journal(tmp_path)

    assert [change.size for change in content.changes] == [5]
    assert [found.reason for found in content.set_aside] == ["the disk was bad"]


@pytest.mark.parametrize("content", [b"not a database at all, but long enough to look at" * 100, b"SQLite format 3\0"])
def test_what_is_no_journal_is_said_in_a_line(tmp_path: Path, content: bytes) -> None:
    """With its name."""
    (tmp_path / "journal.sqlite").write_bytes(content)

    with pytest.raises(CxfsError, match=r"journal\.sqlite cannot be read"):
        read_journal(tmp_path)


def test_a_newer_journal_is_left_to_its_cxfs(tmp_path: Path) -> None:
    """Its rows may mean something else."""
    accepts(tmp_path, "self:/a", b"a")
    with sqlite3.connect(tmp_path / "journal.sqlite") as journal:
        journal.execute(f"PRAGMA user_version={SCHEMA_VERSION + 1}")
    journal.close()

    with pytest.raises(CxfsError, match="newer cxfs"):
        read_journal(tmp_path)
