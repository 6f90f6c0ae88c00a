"""What the journal says is over leaves nothing behind, and what is not over is not let go: also where it is damaged."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from typing import TYPE_CHECKING

import pytest

from cxfs.core.errors import CxfsError
from cxfs.core.order import Kind
from cxfs.local.drafts import is_accepted, mark
from cxfs.local.outbox import Outbox
from cxfs.local.reading import read_journal
from tests.local.test_outbox import OBJECT, accept, drafts_in, errand, rewrite, row_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


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


def test_a_draft_that_lost_its_end_is_told_by_its_bytes(
    outbox: Outbox, folder: Path, restarted: Callable[[], Outbox]
) -> None:
    """So a person knows how much is left of it."""
    row = accept(outbox, content=b"precious")
    os.truncate(folder / "drafts" / row.id, 3)

    restarted().recover()

    (found,) = read_journal(folder).set_aside
    assert found.reason == f"its draft {row.id} has 3 of 8 bytes"


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


def test_what_an_errand_takes_the_place_of_is_over(
    outbox: Outbox, folder: Path, restarted: Callable[[], Outbox]
) -> None:
    """A file that was written and removed before it was sent, and an errand about it: one errand is left."""
    row = accept(outbox)
    outbox.note(errand(Kind.REMOVE, id="former"))

    outbox.note(errand(Kind.REMOVE, id="latter"), instead_of=[row.id, "former"])

    again = restarted()
    assert again.recover() == []
    assert [each.id for each in again.recover_errands()] == ["latter"]
    assert drafts_in(folder) == set()
    assert read_journal(folder).set_aside == ()


def test_what_a_change_takes_the_place_of_is_over_and_what_comes_of_it_is_accepted(
    outbox: Outbox, folder: Path, restarted: Callable[[], Outbox]
) -> None:
    """In the same step: a file that replaces another carries its errand along."""
    former = accept(outbox, "former")
    outbox.note(errand(Kind.REMOVE, id="gone"))
    change_id, draft = outbox.new_draft(size=0, base_bytes=0)
    row = row_of(change_id, "latter", draft)

    outbox.record(row, draft, instead_of=[former.id, "gone"], errand=errand(Kind.REMOVE, id="new"))
    draft.close()

    again = restarted()
    assert again.recover() == [row]
    assert [each.id for each in again.recover_errands()] == ["new"]
    assert read_journal(folder).set_aside == ()


def test_the_name_of_a_draft_is_known_for_one(outbox: Outbox) -> None:
    """24 hexadecimal digits: by them a row that was set aside is known to speak of it."""
    change_id, draft = outbox.new_draft(size=0, base_bytes=0)
    draft.close()

    assert re.fullmatch("[0-9a-f]{24}", change_id)


def test_the_disk_is_waited_for_only_when_it_is_asked(folder: Path) -> None:
    """A close waits for nothing, an fsync for the draft and its name."""
    synced: list[int] = []
    outbox = Outbox(folder, sync=synced.append)
    change_id, draft = outbox.new_draft(size=0, base_bytes=0)

    outbox.record(row_of(change_id, "a", draft), draft)
    assert synced == []
    outbox.record(row_of(change_id, "a", draft), draft, durable=True)
    assert synced
    synced.clear()
    outbox.record(row_of(change_id, "a", draft, generation=2), draft)
    assert synced
    draft.close()
    outbox.close()


def test_a_state_folder_that_is_gone_is_told_once_and_takes_nothing_more(
    outbox: Outbox, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody reads the log of a thousand refusals."""
    shutil.rmtree(folder / "drafts")

    for number in range(3):
        with pytest.raises(CxfsError, match=r"^the state folder is gone: nothing more is accepted$"):
            outbox.note(errand(Kind.REMOVE, id=str(number)))

    (said,) = caplog.messages
    assert said == f"{folder} is gone: nothing more is accepted; unmount, and mount again"


def test_what_may_have_been_made_durable_in_the_run_before_stays_so(outbox: Outbox, folder: Path) -> None:
    """After a power cut its row must not claim more than its draft holds."""
    row = accept(outbox, durable=True)
    outbox.close()
    synced: list[int] = []
    again = Outbox(folder, sync=synced.append)
    again.recover()
    draft = again.open_draft(row)

    again.record(row, draft)

    assert synced
    draft.close()
    again.close()


def test_a_draft_with_a_row_is_marked_again(outbox: Outbox, folder: Path, restarted: Callable[[], Outbox]) -> None:
    """A death may have come between its being let go and the end of its row."""
    row = accept(outbox)
    mark(folder / "drafts" / row.id, accepted=False)

    restarted().recover()

    assert is_accepted(folder / "drafts" / row.id)


def test_a_draft_whose_row_is_lost_is_set_aside_with_that_reason(
    outbox: Outbox, folder: Path, restarted: Callable[[], Outbox]
) -> None:
    """It is all that is known of it."""
    row = accept(outbox)
    with sqlite3.connect(folder / "journal.sqlite") as journal:
        journal.execute("DELETE FROM changes")
    journal.close()

    restarted().recover()

    (found,) = read_journal(folder).set_aside
    assert (found.id, found.reason) == (row.id, "the journal has lost its row")
