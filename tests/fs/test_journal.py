"""Which calls of the journal are made at once, and which where they stop nobody: those that wait for the disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar, TypeVarTuple, cast

import pytest

from cxfs.core.entries import TreePath, Uuid
from cxfs.fs.changes import Change, Changes
from cxfs.fs.journal import Journal
from cxfs.fs.steps import Steps
from cxfs.local.drafts import LARGE_BYTES
from cxfs.local.outbox import Outbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

FOLDER: Final = Uuid("A" * 22)


class Ways:
    """To the journal: what was asked of each, in order."""

    def __init__(self) -> None:
        self.taken: list[str] = []

    def way(self, name: str) -> Any:
        async def go(work: Callable[[*Ts], T], /, *args: *Ts) -> T:
            call = getattr(work, "__name__", None) or cast("Any", work).func.__name__
            self.taken.append(f"{call} {name}")
            return work(*args)

        return go


class Accepting:
    """A journal with one change in it."""

    def __init__(self, outbox: Outbox) -> None:
        changes, self.ways = Changes(Steps()), Ways()
        self.journal = Journal(outbox, changes, self.ways.way("at once"), self.ways.way("elsewhere"), lambda: 1)
        change_id, draft = outbox.new_draft(size=0, base_bytes=0)
        self.change = Change(change_id, draft, inode=7, parent=FOLDER, path=TreePath.parse("self:/a"), modified_ms=1)
        changes.add(self.change)


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    outbox = Outbox(tmp_path / "state")
    outbox.write_fact("begun", "")  # the first commit after the log began anew waits
    yield outbox
    outbox.close()


@pytest.fixture
def accepting(outbox: Outbox) -> Iterator[Accepting]:
    accepting = Accepting(outbox)
    yield accepting
    accepting.change.draft.close()


async def test_closing_a_file_is_written_down_at_once(accepting: Accepting) -> None:
    """A thread would cost several times as much as the row."""
    await accepting.journal.record(accepting.change)

    assert accepting.ways.taken == ["record at once"]


async def test_what_survives_power_loss_is_written_down_elsewhere(accepting: Accepting) -> None:
    """The disk takes its time, and meanwhile others are answered."""
    await accepting.journal.record(accepting.change, durable=True)
    await accepting.journal.make_durable()

    assert accepting.ways.taken == ["record elsewhere", "make_durable elsewhere"]


async def test_the_row_that_moves_the_log_is_written_down_elsewhere(accepting: Accepting, outbox: Outbox) -> None:
    """It says beforehand that it waits for the disk."""
    while not outbox.waits_for_disk:
        outbox.write_fact("one more", "")

    await accepting.journal.record(accepting.change)
    await accepting.journal.record(accepting.change)
    await accepting.journal.record(accepting.change)

    assert accepting.ways.taken == ["record elsewhere", "record elsewhere", "record at once"]


@pytest.mark.parametrize(("size", "where"), [(LARGE_BYTES, "at once"), (LARGE_BYTES + 1, "elsewhere")])
async def test_a_large_draft_is_given_up_elsewhere(accepting: Accepting, size: int, where: str) -> None:
    """The file system takes a quarter of a second for 1 GiB."""
    accepting.change.draft.truncate(size)

    await accepting.journal.drop(accepting.change)

    assert accepting.ways.taken == [f"discard {where}"]
