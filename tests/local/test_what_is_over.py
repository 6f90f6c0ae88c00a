"""What the journal says is over leaves nothing behind, and what is not over is not let go: also where it is damaged."""

from __future__ import annotations

import re
import sqlite3
from typing import TYPE_CHECKING

from cxfs.core.order import Kind
from cxfs.local.drafts import is_accepted
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
