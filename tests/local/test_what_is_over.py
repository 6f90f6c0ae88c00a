"""What the journal says is over leaves nothing behind, and what is not over is not let go: also where it is damaged."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from cxfs.core.order import Kind
from cxfs.local.drafts import is_accepted
from cxfs.local.outbox import Outbox
from cxfs.local.reading import read_journal
from tests.local.test_outbox import OBJECT, accept, drafts_in, errand, rewrite

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "outbox"


@pytest.fixture
def restarted(folder: Path, request: pytest.FixtureRequest) -> Callable[[], Outbox]:
    """The daemon died without a word, and runs again on the same folder."""

    def again() -> Outbox:
        outbox = Outbox(folder)
        request.addfinalizer(outbox.close)
        return outbox

    return again


def test_of_several_changes_only_those_that_are_discarded_go(
    outbox: Outbox, folder: Path, restarted: Callable[[], Outbox]
) -> None:
    """A row that stayed would be set aside at the next start, and reported as lost."""
    gone, kept = accept(outbox, "gone"), accept(outbox, "kept")

    outbox.discard(gone.id)

    assert restarted().recover() == [kept]
    assert drafts_in(folder) == {kept.id}
    assert read_journal(folder).set_aside == ()


def test_an_errand_that_is_discarded_is_not_done(outbox: Outbox, restarted: Callable[[], Outbox]) -> None:
    """The user took it back."""
    outbox.note(errand(Kind.REMOVE, id="gone"))
    outbox.note(errand(Kind.REMOVE, id="kept"))

    outbox.discard("gone")

    assert [each.id for each in restarted().recover_errands()] == ["kept"]


def test_a_draft_is_let_go_when_its_last_generation_was_sent_and_no_sooner(outbox: Outbox, folder: Path) -> None:
    """Its mark is all that is left of it where the journal is lost."""
    row = accept(outbox)
    rewrite(outbox, row)
    draft = folder / "drafts" / row.id

    outbox.sent(row.id, 1, OBJECT, None)
    assert is_accepted(draft)
    outbox.sent(row.id, 2, OBJECT, None)
    assert not is_accepted(draft)


def test_an_errand_that_was_set_aside_is_about_no_draft(
    outbox: Outbox, folder: Path, restarted: Callable[[], Outbox]
) -> None:
    """So what nobody accepted is cleared all the same."""
    outbox.note(errand())
    with sqlite3.connect(folder / "journal.sqlite") as journal:
        journal.execute("UPDATE errands SET sum = x'', parent = 'x'")
    journal.close()
    (folder / "drafts" / ("0" * 24)).touch(mode=0o600)
    restarted().recover_errands()

    restarted().recover()

    assert drafts_in(folder) == set()


def test_what_is_set_aside_is_kept_with_its_reason(
    outbox: Outbox, folder: Path, restarted: Callable[[], Outbox]
) -> None:
    """A person reads it, weeks later."""
    row = accept(outbox)
    with sqlite3.connect(folder / "journal.sqlite") as journal:
        journal.execute("UPDATE changes SET sum = x'', parent = 'nonsense'")
    journal.close()

    restarted().recover()

    (found,) = read_journal(folder).set_aside
    assert (found.id, found.reason) == (row.id, "not a CX UUID: 'nonsense'")


def test_the_disk_that_is_looked_at_is_that_of_the_drafts(folder: Path) -> None:
    """It may be another than that of the journal."""
    looked_at: list[Path] = []

    def free_bytes(at: Path) -> int:
        looked_at.append(at)
        return 7

    outbox = Outbox(folder, free_bytes=free_bytes)

    assert outbox.free_bytes() == 7
    assert looked_at == [folder / "drafts"]
    outbox.close()
