"""The journal: what was accepted is there after any death of the daemon, whatever became of its neighbours."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings, strategies as st

from cxfs.core.entries import NAME_CHARACTERS_MAX, SELF, EntryName, Owner, TreePath, Uuid
from cxfs.core.errors import CxfsError, DiskFull
from cxfs.core.order import Kind
from cxfs.core.posix import NOTHING, PosixUpdate
from cxfs.core.ranges import ByteRange, RangeSet
from cxfs.local.outbox import INODES_MAX, REPORTS_MAX, Outbox
from cxfs.local.rows import ChangeRow, ErrandRow, Report
from cxfs.local.schema import _FIRST, _SECOND, _THIRD, SCHEMA_VERSION, sum_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from cxfs.local.drafts import Draft

PARENT = Uuid("SNU2d6zrEeGnthICOA-R7w")
OBJECT = Uuid("0b9iV-7fEeSEcwAmVS5YtA")
PROVISIONAL = Uuid("AAAAAAAAAAAAAAAAAAAAAA")

numbers = st.integers(min_value=0, max_value=2**63 - 1)
uuids = st.from_regex(r"[A-Za-z0-9_-]{22}", fullmatch=True).map(Uuid)
names = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=NAME_CHARACTERS_MAX
).filter(lambda text: text not in {".", ".."})
paths = st.builds(TreePath, uuids.map(Owner), st.lists(names.map(EntryName), min_size=1, max_size=3).map(tuple))
held = st.lists(
    st.tuples(st.integers(0, 100), st.integers(0, 100)).map(lambda at: ByteRange(min(at), max(at))), max_size=4
).map(lambda ranges: tuple(RangeSet(ranges)))
updates = st.builds(
    PosixUpdate,
    mode=st.none() | st.integers(0, 0o7777),
    rest_ns=st.integers(0, 999_999),
    link=st.none() | names,
    xattrs=st.none() | st.dictionaries(names, st.none() | st.binary()).map(lambda found: tuple(found.items())),
)
rows = st.builds(
    ChangeRow,
    id=st.just(""),
    generation=numbers,
    inode=numbers,
    parent=uuids,
    path=paths,
    object=st.none() | uuids,
    base_version=st.none() | numbers,
    base_size=numbers,
    base_bytes=numbers,
    size=st.integers(0, 100),
    held=held,
    modified_ms=st.integers(min_value=-(2**40), max_value=2**50),
    sealed=st.lists(st.binary(min_size=20, max_size=20), max_size=3).map(tuple),
    parked=st.none() | names,
    accepted_ms=numbers,
    posix=updates,
)
errands = st.builds(
    ErrandRow,
    id=uuids,
    kind=st.sampled_from(Kind),
    object=uuids,
    is_folder=st.booleans(),
    inode=numbers,
    parent=uuids,
    path=paths,
    version=st.none() | numbers,
    sealed=st.lists(st.binary(min_size=20, max_size=20), max_size=3).map(tuple),
    carrier=st.none() | names,
    modified_ms=st.integers(min_value=-(2**40), max_value=2**50),
    accepted_ms=numbers,
    parked=st.none() | names,
    posix=updates,
)


def accept(outbox: Outbox, name: str = "a.txt", content: bytes = b"precious", *, durable: bool = False) -> ChangeRow:
    """A new file was written and closed."""
    change_id, draft = outbox.new_draft(size=0, base_bytes=0)
    draft.write(0, content)
    row = row_of(change_id, name, draft)
    outbox.record(row, draft, durable=durable)
    draft.close()
    return row


def row_of(change_id: str, name: str, draft: Draft, *, generation: int = 1) -> ChangeRow:
    return ChangeRow(
        id=change_id,
        generation=generation,
        inode=4711,
        parent=PARENT,
        path=TreePath(SELF, (EntryName("folder"), EntryName(name))),
        object=None,
        base_version=None,
        base_size=0,
        base_bytes=draft.base_bytes,
        size=draft.size,
        held=draft.present(),
        modified_ms=1_700_000_000_000,
        sealed=(),
        parked=None,
        accepted_ms=1_700_000_000_123,
    )


def errand(kind: Kind = Kind.MAKE, **facts: Any) -> ErrandRow:
    """A folder was made, or something was removed."""
    usual: dict[str, Any] = {
        "id": str(PROVISIONAL),
        "object": None if kind is Kind.MAKE else OBJECT,
        "is_folder": True,
        "inode": 4711,
        "parent": PARENT,
        "path": TreePath(SELF, (EntryName("folder"),)),
        "version": None,
        "sealed": (),
        "carrier": None,
        "modified_ms": 5,
        "accepted_ms": 1_700_000_000_123,
        "parked": None,
    }
    return ErrandRow(kind=kind, **(usual | facts))


def rewrite(outbox: Outbox, row: ChangeRow) -> ChangeRow:
    """The file was written and closed once more."""
    newer = replace(row, generation=row.generation + 1)
    draft = outbox.open_draft(row)
    outbox.record(newer, draft)
    draft.close()
    return newer


def damage(folder: Path, statement: str) -> None:
    """Somebody, or a failing disk, changes the journal behind our back."""
    journal = sqlite3.connect(folder / "journal.sqlite")
    with journal:
        journal.execute(statement)
    journal.close()


def drafts_in(folder: Path) -> set[str]:
    return {file.name for file in (folder / "drafts").iterdir()}


def set_aside(folder: Path) -> int:
    """How many rows are in quarantine."""
    journal = sqlite3.connect(folder / "journal.sqlite")
    (count,) = journal.execute("SELECT count(*) FROM quarantine").fetchone()
    journal.close()
    return int(count)


# ---------------------------------------------------------------- what was accepted


@given(rows)
@settings(deadline=None, max_examples=60)
def test_every_fact_about_a_change_comes_back(row: ChangeRow) -> None:
    """What is not recovered is sent wrong, or to the wrong place."""
    with TemporaryDirectory() as folder:
        outbox = Outbox(Path(folder))
        change_id, draft = outbox.new_draft(size=row.size, base_bytes=0)
        accepted = replace(row, id=change_id)

        outbox.record(accepted, draft)

        assert outbox.recover() == [accepted]
        draft.close()
        outbox.close()


def test_an_accepted_change_survives_the_daemon(outbox: Outbox, restarted: Callable[[], Outbox]) -> None:
    """`close` has returned: from then on nothing but the user takes the change back."""
    accepted = accept(outbox, content=b"precious")

    recovered = restarted()

    assert recovered.recover() == [accepted]
    draft = recovered.open_draft(accepted)
    assert draft.read(ByteRange(0, draft.size)) == b"precious"
    draft.close()


def test_a_draft_goes_on_where_it_was(outbox: Outbox, restarted: Callable[[], Outbox]) -> None:
    """A program may append to a file that still waits."""
    accepted = accept(outbox, content=b"first")
    draft = restarted().open_draft(accepted)

    draft.write(5, b", second")

    assert draft.read(ByteRange(0, draft.size)) == b"first, second"
    draft.close()


def test_what_was_written_beyond_the_last_record_does_not_come_back(
    outbox: Outbox, restarted: Callable[[], Outbox]
) -> None:
    """The daemon died before it was accepted; where the file grows over that place it is zeros, as everywhere."""
    accepted = accept(outbox, content=b"first")
    draft = outbox.open_draft(accepted)
    draft.write(5, b", never closed")
    draft.close()

    again = restarted().open_draft(accepted)
    again.truncate(10)

    assert again.read(ByteRange(0, 10)) == b"first" + bytes(5)
    again.close()


def test_only_the_last_record_of_a_change_counts(outbox: Outbox, restarted: Callable[[], Outbox]) -> None:
    """One change, one row, however often it was closed."""
    newer = rewrite(outbox, accept(outbox))

    assert restarted().recover() == [newer]


def test_a_sealed_digest_survives_the_daemon(outbox: Outbox, restarted: Callable[[], Outbox]) -> None:
    """The answer to the upload may have got lost with it."""
    accepted = accept(outbox)

    outbox.sealed(accepted.id, (b"s" * 20, b"t" * 20))

    assert restarted().recover() == [replace(accepted, sealed=(b"s" * 20, b"t" * 20))]


def test_a_daemon_that_is_killed_loses_nothing_it_accepted(folder: Path, restarted: Callable[[], Outbox]) -> None:
    """SIGKILL leaves no time to say goodbye; a process of its own records and kills itself."""
    program = f"""
import os, signal
from pathlib import Path
from tests.local.test_outbox import accept
from cxfs.local.outbox import Outbox
outbox = Outbox(Path({str(folder)!r}))
for number in range(20):
    accept(outbox, f"file {{number}}", content=b"x" * 10_000)
os.kill(os.getpid(), signal.SIGKILL)
"""

    killed = subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parents[2], check=False, timeout=60)

    assert killed.returncode == -signal.SIGKILL
    assert {row.name for row in restarted().recover()} == {f"file {number}" for number in range(20)}


# ---------------------------------------------------------------- durable


@pytest.mark.promise
def test_a_durable_record_syncs_bytes_then_name_then_row(folder: Path) -> None:
    """When `fsync` has returned, the content, its name and the journal's row are on stable storage: the change
    survives power loss."""
    steps: list[object] = []
    outbox = Outbox(folder, sync=lambda descriptor: steps.append(os.fstat(descriptor).st_ino))
    outbox._ledger.connection.set_trace_callback(lambda statement: steps.append(statement.split("(")[0]))

    row = accept(outbox, durable=True)

    draft, drafts = folder / "drafts" / row.id, folder / "drafts"
    assert steps == [
        draft.stat().st_ino,
        drafts.stat().st_ino,
        "PRAGMA synchronous=FULL",
        "BEGIN IMMEDIATE",
        "INSERT OR REPLACE INTO changes VALUES ",
        "COMMIT",
        "PRAGMA synchronous=NORMAL",
    ]
    outbox.close()


def test_a_change_made_durable_once_stays_durable(folder: Path) -> None:
    """Else its row could come to claim more than its draft holds after a power cut, and be set aside with all of it."""
    synced: list[int] = []
    outbox = Outbox(folder, sync=synced.append)
    row = accept(outbox, durable=True)
    synced.clear()

    rewrite(outbox, row)

    assert len(synced) == 2
    outbox.close()


@pytest.mark.promise
def test_names_are_made_durable_by_one_full_commit(folder: Path) -> None:
    """When `fsync` of a folder has returned, what was made, deleted or removed in it survives power loss."""
    steps: list[object] = []
    outbox = Outbox(folder)
    outbox.note(errand())
    outbox._ledger.connection.set_trace_callback(lambda statement: steps.append(statement.split("(")[0]))

    outbox.make_durable()

    assert steps == [
        "PRAGMA synchronous=FULL",
        "BEGIN IMMEDIATE",
        "INSERT OR REPLACE INTO facts VALUES ",
        "COMMIT",
        "PRAGMA synchronous=NORMAL",
    ]
    outbox.close()


def test_an_ordinary_record_does_not_wait_for_the_disk(folder: Path) -> None:
    """`close` promises to outlive the daemon, not the power: a copy of many small files is not held up by each."""
    steps: list[object] = []
    outbox = Outbox(folder, sync=steps.append)
    outbox._ledger.connection.set_trace_callback(lambda statement: steps.append(statement.split("(")[0]))

    accept(outbox)

    assert steps == ["BEGIN IMMEDIATE", "INSERT OR REPLACE INTO changes VALUES ", "COMMIT"]
    outbox.close()


def test_a_change_whose_bytes_cannot_be_synced_is_not_accepted(folder: Path) -> None:
    """fsync(2) fails, and no row claims otherwise."""

    def broken(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    outbox = Outbox(folder, sync=broken)

    with pytest.raises(DiskFull):
        accept(outbox, durable=True)

    assert outbox.recover() == []
    outbox.close()


def test_a_full_disk_is_an_error_and_harms_nothing_accepted_before(outbox: Outbox) -> None:
    """`close` says so, and the program can tell its user; what it was told before still holds."""
    accepted = accept(outbox)
    draft = outbox.open_draft(accepted)
    outbox._ledger.connection.execute("PRAGMA max_page_count=1")

    with pytest.raises(DiskFull, match="full"):
        outbox.record(replace(accepted, generation=2, parked="x" * 100_000), draft)

    assert outbox.recover() == [accepted]
    draft.close()


# ---------------------------------------------------------------- the end of a change


def test_a_change_that_was_sent_is_over(outbox: Outbox, folder: Path, restarted: Callable[[], Outbox]) -> None:
    """Its row goes first, then its draft."""
    row = accept(outbox)

    settled = outbox.sent(row.id, row.generation, OBJECT, None)
    outbox.erase(row.id)

    assert settled
    assert restarted().recover() == []
    assert drafts_in(folder) == set()


def test_a_change_that_was_written_again_is_not_over(outbox: Outbox, restarted: Callable[[], Outbox]) -> None:
    """The server has the older generation; the newer is still to be sent."""
    older = accept(outbox)
    newer = rewrite(outbox, older)

    settled = outbox.sent(older.id, older.generation, OBJECT, None)

    assert not settled
    assert restarted().recover() == [newer]


def test_a_change_that_was_never_journalled_is_over_when_sent(outbox: Outbox) -> None:
    """There is no row that could say otherwise."""
    assert outbox.sent("0" * 24, 1, OBJECT, None)


def test_a_discarded_change_leaves_nothing(outbox: Outbox, folder: Path, restarted: Callable[[], Outbox]) -> None:
    """Deleted before it was sent: it is never sent."""
    row = accept(outbox)

    outbox.discard(row.id)

    assert restarted().recover() == []
    assert drafts_in(folder) == set()


def test_erasing_twice_is_no_error(outbox: Outbox, folder: Path) -> None:
    """The crash may have come after the first."""
    row = accept(outbox)
    outbox.erase(row.id)

    outbox.erase(row.id)

    assert drafts_in(folder) == set()


def test_a_draft_that_was_never_accepted_is_cleared(outbox: Outbox, folder: Path) -> None:
    """No program was told that it is safe, or the server has it already."""
    accepted = accept(outbox)
    _, never_closed = outbox.new_draft(size=0, base_bytes=0)
    never_closed.close()

    outbox.recover()

    assert drafts_in(folder) == {accepted.id}


def test_the_outbox_tells_what_its_drafts_take(outbox: Outbox) -> None:
    """On disk, in bytes: holes take none."""
    accept(outbox, content=b"x" * 8192)
    _, sparse = outbox.new_draft(size=1 << 30, base_bytes=1 << 30)

    taken = outbox.draft_bytes()

    assert taken == 8192
    sparse.close()


# ---------------------------------------------------------------- damage


DAMAGES = {
    "a parent that is no UUID": "UPDATE changes SET sum = x'', parent = 'nonsense' WHERE path LIKE '%/bad'",
    "a path that is none": "UPDATE changes SET sum = x'', path = 'bad' WHERE path LIKE '%/bad'",
    "a name that no path can hold": "UPDATE changes SET sum = x'', path = 'self:/folder/..' WHERE path LIKE '%/bad'",
    "an object that is no UUID": "UPDATE changes SET sum = x'', object = '' WHERE path LIKE '%/bad'",
    "ranges that are no JSON": "UPDATE changes SET sum = x'', held = '[[0,' WHERE path LIKE '%/bad'",
    "ranges that are none": "UPDATE changes SET sum = x'', held = '[[0]]' WHERE path LIKE '%/bad'",
    "ranges of no numbers": """UPDATE changes SET sum = x'', held = '[["a", null]]' WHERE path LIKE '%/bad'""",
    "ranges in a nest": f"UPDATE changes SET sum = x'', held = '{'[' * 5_000}' WHERE path LIKE '%/bad'",
    "ranges that are a number": "UPDATE changes SET sum = x'', held = '7' WHERE path LIKE '%/bad'",
    "text that is not UTF-8": "UPDATE changes SET sum = x'', path = CAST(x'73656c663a2fff' AS TEXT)"
    " WHERE path LIKE '%/bad'",
    "a parent that is not UTF-8": "UPDATE changes SET sum = x'', parent = CAST(x'ff' AS TEXT) WHERE path LIKE '%/bad'",
    "a size larger than its draft": "UPDATE changes SET sum = x'', size = 1000000 WHERE path LIKE '%/bad'",
    "another id than its draft": "UPDATE changes SET sum = x'', id = 'nobody' WHERE path LIKE '%/bad'",
    "an id that is not UTF-8": "UPDATE changes SET sum = x'', id = CAST(x'ff' AS TEXT) WHERE path LIKE '%/bad'",
}
"""With the sum of the row, or that alone would tell: a row of before there were sums has to be read with care."""

WITHOUT_ID = {"another id than its draft", "an id that is not UTF-8"}
"""Row and draft do not know each other any more: each is set aside."""


@pytest.mark.promise
@pytest.mark.parametrize("what", DAMAGES)
def test_a_row_that_cannot_be_used_is_set_aside(
    outbox: Outbox, folder: Path, restarted: Callable[[], Outbox], what: str
) -> None:
    """A journal row that cannot be read, or whose draft is missing, is set aside and reported, never deleted."""
    good, bad = accept(outbox, "good"), accept(outbox, "bad")
    damage(folder, DAMAGES[what])

    recovered = restarted().recover()

    assert recovered == [good]
    assert set_aside(folder) == 1 + (what in WITHOUT_ID)
    assert drafts_in(folder) == {good.id, bad.id}


@pytest.mark.parametrize("what", DAMAGES)
def test_what_was_set_aside_stays_there(
    outbox: Outbox, folder: Path, restarted: Callable[[], Outbox], what: str
) -> None:
    """Once, and over any number of starts."""
    good, bad = accept(outbox, "good"), accept(outbox, "bad")
    damage(folder, DAMAGES[what])
    restarted().recover()

    recovered = restarted().recover()

    assert recovered == [good]
    assert set_aside(folder) == 1 + (what in WITHOUT_ID)
    assert drafts_in(folder) == {good.id, bad.id}


@pytest.mark.parametrize("row", ["[", "[]", "[7]", "['unquoted']", "[" * 5_000])
def test_a_row_that_was_set_aside_and_is_damaged_since_holds_nothing_up(
    outbox: Outbox, folder: Path, restarted: Callable[[], Outbox], row: str
) -> None:
    """It may have been about any draft, so none is removed; the mount begins all the same."""
    good = accept(outbox, "good")
    (folder / "drafts" / "nobodys").touch()
    journal = sqlite3.connect(folder / "journal.sqlite")
    with journal:
        journal.execute("INSERT INTO quarantine VALUES (?, 'damaged')", (row,))
    journal.close()

    recovered = restarted().recover()

    assert recovered == [good]
    assert drafts_in(folder) == {good.id, "nobodys"}


def test_a_row_without_its_draft_is_set_aside(outbox: Outbox, folder: Path) -> None:
    """There is nothing to send, but the user is told what was lost."""
    good, bad = accept(outbox, "good"), accept(outbox, "bad")
    (folder / "drafts" / bad.id).unlink()

    recovered = outbox.recover()

    assert recovered == [good]
    assert set_aside(folder) == 1


def test_what_is_set_aside_is_said_aloud(outbox: Outbox, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing accepted is ever dropped silently."""
    bad = accept(outbox, "bad")
    (folder / "drafts" / bad.id).unlink()

    outbox.recover()

    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert bad.id in caplog.text


def test_a_reason_with_any_text_is_recovered(outbox: Outbox, folder: Path, restarted: Callable[[], Outbox]) -> None:
    """A reason is for people: damage to it is no reason to hold the change back."""
    accept(outbox)
    damage(folder, "UPDATE changes SET sum = x'', parked = CAST(x'6e6fff' AS TEXT)")

    recovered = restarted().recover()

    assert [row.parked for row in recovered] == ["no?"]


def test_a_journal_of_a_newer_cxfs_is_refused_in_one_line(outbox: Outbox, folder: Path) -> None:
    """Its rows may mean something that this version would drop."""
    accept(outbox)
    damage(folder, f"PRAGMA user_version={SCHEMA_VERSION + 1}")

    with pytest.raises(CxfsError, match=r"^the journal in .* was written by a newer cxfs; use that one$"):
        Outbox(folder)


def test_a_row_that_the_disk_has_changed_is_set_aside(
    outbox: Outbox, folder: Path, restarted: Callable[[], Outbox]
) -> None:
    """Another name or size that could be true: only the sum tells, and nothing is sent to the wrong place."""
    bad, good = accept(outbox, "bad"), accept(outbox, "good")
    damage(folder, "UPDATE changes SET path = 'self:/folder/bat' WHERE path LIKE '%/bad'")

    recovered = restarted().recover()

    assert recovered == [good]
    assert set_aside(folder) == 1
    assert drafts_in(folder) == {good.id, bad.id}


def test_a_draft_whose_row_is_lost_is_set_aside(outbox: Outbox, folder: Path) -> None:
    """It was accepted, as its mark says; a row that the disk forgot is no reason to delete it."""
    row = accept(outbox)
    damage(folder, "DELETE FROM changes")

    outbox.recover()

    assert drafts_in(folder) == {row.id}
    assert set_aside(folder) == 1


def test_a_journal_that_is_none_is_kept_aside(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A person may know what it is; the mount goes on with a new one, and says so."""
    foreign = b"not a database at all, but somebody's file" * 100
    folder.mkdir()
    (folder / "journal.sqlite").write_bytes(foreign)

    outbox = Outbox(folder)

    row = accept(outbox)
    assert outbox.recover() == [row]
    assert (folder / "damaged-1" / "journal.sqlite").read_bytes() == foreign
    assert str(folder / "damaged-1") in caplog.text
    outbox.close()


def test_every_draft_of_a_journal_that_is_none_is_set_aside(
    outbox: Outbox, folder: Path, restarted: Callable[[], Outbox]
) -> None:
    """Nobody can say any more where they belong, but what is in them is kept and reported."""
    accepted = {accept(outbox, "a").id, accept(outbox, "b").id}
    outbox.close()
    (folder / "journal.sqlite").write_bytes(b"zeros and ones" * 1000)

    recovered = restarted().recover()

    assert recovered == []
    assert drafts_in(folder) == accepted
    assert set_aside(folder) == 2


def test_a_journal_that_this_machine_does_not_let_be_opened_is_refused_in_one_line(folder: Path) -> None:
    """That says nothing of what is in it: nothing is set aside, and a person mends the machine."""
    (folder / "journal.sqlite").mkdir(parents=True)

    with pytest.raises(CxfsError, match=r"^the journal in .* cannot be used: [^\n]*$"):
        Outbox(folder)

    assert (folder / "journal.sqlite").is_dir()


# ---------------------------------------------------------------- a journal of before


def journal_of_before(folder: Path) -> sqlite3.Connection:
    """As the first version of the schema had it, with one change in it."""
    (folder / "drafts").mkdir(parents=True)
    (folder / "drafts" / ("0" * 24)).write_bytes(b"precious")
    journal = sqlite3.connect(folder / "journal.sqlite")
    journal.executescript(_FIRST + "PRAGMA user_version = 1;")
    with journal:
        journal.execute(
            "INSERT INTO changes VALUES (?, 3, 4711, ?, 'self:/a', NULL, NULL, 0, 0, 8, '[[0, 8]]', 5, x'', NULL)",
            ("0" * 24, PARENT),
        )
    journal.close()
    return journal


def test_a_journal_of_before_is_brought_up_to_date(folder: Path, restarted: Callable[[], Outbox]) -> None:
    """What an older cxfs accepted is sent by the newer one; its age counts from then on."""
    journal_of_before(folder)

    (row,) = restarted().recover()

    assert (row.id, row.generation, row.path, row.size) == ("0" * 24, 3, TreePath(SELF, (EntryName("a"),)), 8)
    assert row.accepted_ms > 1_700_000_000_000


def test_a_journal_is_brought_up_to_date_once(folder: Path, restarted: Callable[[], Outbox]) -> None:
    """The second start finds a journal of today."""
    journal_of_before(folder)
    first = restarted().recover()

    assert restarted().recover() == first


def test_a_journal_of_before_posix_attributes_keeps_its_order(folder: Path, restarted: Callable[[], Outbox]) -> None:
    """Folders before what was made in them; and from then on each row has a sum again."""
    journal_of_before(folder)
    journal = sqlite3.connect(folder / "journal.sqlite")
    journal.executescript(_SECOND + _THIRD + "PRAGMA user_version = 3;")
    with journal:
        for each in "CBA":
            row = errand(id=each * 22).values[:-1]
            journal.execute(f"INSERT INTO errands VALUES ({','.join('?' * 14)})", (*row, sum_of(*row)))
    journal.close()

    outbox = restarted()
    found = outbox.recover_errands()
    outbox.note(found[0])
    damage(folder, f"UPDATE errands SET path = 'self:/other' WHERE id = '{found[0].id}'")

    assert [each.id[0] for each in found] == ["C", "B", "A"]
    assert {each.posix for each in found} == {NOTHING}
    assert [each.id[0] for each in restarted().recover_errands()] == ["B", "A"]


# ---------------------------------------------------------------- facts


def test_whose_journal_it_is_is_remembered(outbox: Outbox, restarted: Callable[[], Outbox]) -> None:
    """Changes of one account must not be sent to another."""
    before = outbox.account
    outbox.account = PARENT

    assert (before, restarted().account) == (None, PARENT)


# ---------------------------------------------------------------- errands


@given(errands)
@settings(deadline=None, max_examples=60)
def test_every_fact_about_an_errand_comes_back(row: ErrandRow) -> None:
    """What is not recovered is done wrong, or somewhere else."""
    with TemporaryDirectory() as folder:
        outbox = Outbox(Path(folder))

        outbox.note(row)

        assert outbox.recover_errands() == [row]
        outbox.close()


def test_an_errand_takes_the_place_of_a_change_in_one_step(
    outbox: Outbox, folder: Path, restarted: Callable[[], Outbox]
) -> None:
    """A file was deleted: a crash must find neither both nor none."""
    row = accept(outbox)
    removal = errand(Kind.REMOVE, is_folder=False)

    outbox.note(removal, instead_of=[row.id])

    again = restarted()
    assert (again.recover(), again.recover_errands()) == ([], [removal])


def test_a_change_takes_the_place_of_an_errand_in_one_step(outbox: Outbox, restarted: Callable[[], Outbox]) -> None:
    """A file was deleted and made anew; another errand comes of it."""
    row = accept(outbox)
    outbox.note(errand(Kind.REMOVE, id="a"))
    draft = outbox.open_draft(row)

    outbox.record(row, draft, instead_of=["a"], errand=errand(Kind.REMOVE, id="b"))

    draft.close()
    again = restarted()
    assert (again.recover(), again.recover_errands()) == ([row], [errand(Kind.REMOVE, id="b")])


def test_a_change_takes_the_place_of_another_in_one_step(outbox: Outbox, restarted: Callable[[], Outbox]) -> None:
    """A file that waits was replaced: with both, one of them would go beside the other as a conflict."""
    former, row = accept(outbox), accept(outbox)
    draft = outbox.open_draft(row)

    outbox.record(row, draft, instead_of=[former.id])

    draft.close()
    assert restarted().recover() == [row]


def test_errands_come_back_in_the_order_they_were_accepted(outbox: Outbox, restarted: Callable[[], Outbox]) -> None:
    """A folder before what was made in it."""
    outer, inner = errand(), errand(id="B" * 22, parent=PROVISIONAL)
    outbox.note(outer)
    outbox.note(inner)

    assert restarted().recover_errands() == [outer, inner]


def test_a_folder_that_was_made_gives_its_uuid_to_every_row(
    outbox: Outbox, folder: Path, restarted: Callable[[], Outbox]
) -> None:
    """Its provisional one means nothing to the server."""
    outbox.note(errand())
    outbox.note(errand(id="B" * 22, parent=PROVISIONAL))
    outbox.note(errand(Kind.STAMP, id="c", object=PROVISIONAL))
    row = accept(outbox)
    damage(folder, f"UPDATE changes SET parent = '{PROVISIONAL}'")

    outbox.made(PROVISIONAL, OBJECT, 4711)

    again = restarted()
    assert [each.parent for each in again.recover()] == [OBJECT]
    assert again.recover_errands() == [
        errand(id="B" * 22, parent=OBJECT),
        errand(Kind.STAMP, id="c", object=OBJECT),
    ]
    assert again.inode_of(OBJECT) == 4711
    assert row.parent == PARENT


def test_an_errand_that_is_done_is_forgotten(outbox: Outbox, restarted: Callable[[], Outbox]) -> None:
    """Else it would be done again."""
    outbox.note(errand())

    outbox.forget(str(PROVISIONAL))

    assert restarted().recover_errands() == []


ERRAND_DAMAGES = {
    "a kind that is none": "UPDATE errands SET kind = 'dance'",
    "an id that is no UUID": "UPDATE errands SET id = 'x'",
    "a parent that is no UUID": "UPDATE errands SET parent = 'x'",
    "a path that is none": "UPDATE errands SET path = 'x'",
    "a stamp without a time": "UPDATE errands SET kind = 'stamp', modified_ms = NULL",
    "digests that are none": "UPDATE errands SET sealed = x'00'",
}


@pytest.mark.parametrize("what", ERRAND_DAMAGES)
def test_an_errand_that_cannot_be_read_is_set_aside(
    outbox: Outbox, folder: Path, restarted: Callable[[], Outbox], what: str
) -> None:
    """As a change is: and the drafts beside it are not touched."""
    good = accept(outbox)
    outbox.note(errand())
    damage(folder, ERRAND_DAMAGES[what])
    recovered = restarted().recover_errands()

    again = restarted()

    assert (recovered, again.recover(), set_aside(folder)) == ([], [good], 1)


# ---------------------------------------------------------------- reports


def test_what_went_another_way_is_written_down(outbox: Outbox, restarted: Callable[[], Outbox]) -> None:
    """The program that was told otherwise has long ended; its user asks later."""
    report = Report(1, "self:/a", "came back")
    outbox.report(report)

    assert restarted().reports() == [report]


def test_the_oldest_reports_give_way(outbox: Outbox) -> None:
    """A server that refuses everything must not fill the disk."""
    for number in range(REPORTS_MAX + 1):
        outbox.report(Report(number, "self:/a", "came back"))

    assert [report.at_ms for report in outbox.reports()] == list(range(1, REPORTS_MAX + 1))


# ---------------------------------------------------------------- inode numbers


def test_an_inode_number_is_remembered(outbox: Outbox) -> None:
    """A file that was opened before it had a UUID keeps its number when it has one."""
    row = accept(outbox)

    outbox.sent(row.id, row.generation, OBJECT, 4711)

    assert outbox.inode_of(OBJECT) == 4711


def test_an_inode_number_is_remembered_over_a_restart(outbox: Outbox, restarted: Callable[[], Outbox]) -> None:
    """Programs such as backup tools know files by it."""
    row = accept(outbox)

    outbox.sent(row.id, row.generation, OBJECT, 4711)

    assert restarted().inode_of(OBJECT) == 4711


def test_most_objects_need_no_number_of_their_own(outbox: Outbox) -> None:
    """Theirs is the one that their UUID gives."""
    row = accept(outbox)

    outbox.sent(row.id, row.generation, OBJECT, None)

    assert outbox.inode_of(OBJECT) is None


def test_the_oldest_inode_numbers_are_forgotten(
    outbox: Outbox, folder: Path, restarted: Callable[[], Outbox], uuid: Callable[[int], Uuid]
) -> None:
    """A mount that lives for years does not remember every file it ever made."""
    damage(
        folder,
        f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {INODES_MAX})"
        " INSERT INTO inodes SELECT i, i FROM n",
    )
    outbox.sent("0" * 24, 1, uuid(1), 4711)

    again = restarted()

    assert again.inode_of(uuid(1)) == 4711
    assert (again.inode_of(Uuid("1")), again.inode_of(Uuid("2"))) == (None, 2)


def test_a_draft_that_goes_on_after_it_was_sent_is_not_cleared_where_the_journal_is_lost(tmp_path: Path) -> None:
    """Its end was written down, then it was written again: the mark that it had is gone, and it needs another one."""
    outbox = Outbox(tmp_path / "state")
    change_id, draft = outbox.new_draft(size=0, base_bytes=0)
    draft.write(0, b"first")
    outbox.record(row_of(change_id, "a", draft), draft)
    outbox.sent(change_id, 1, Uuid("B" * 22), None)
    draft.write(0, b"again")
    outbox.record(row_of(change_id, "a", draft, generation=2), draft)
    draft.close()
    outbox.close()
    for file in (tmp_path / "state").glob("journal.sqlite*"):
        file.unlink()

    outbox = Outbox(tmp_path / "state")
    rows = outbox.recover()
    outbox.close()

    assert rows == []
    assert (tmp_path / "state" / "drafts" / change_id).read_bytes() == b"again"
