"""The power goes at any moment: what `fsync` acknowledged is there, and what was not synced spoils nothing else.

A program accepts, rewrites and ends changes while every system call of it is written down; from that, disks are made
as a power cut after each call may have left them.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final

import pytest

from cxfs.core.entries import Uuid
from cxfs.core.ranges import ByteRange
from cxfs.local.outbox import Outbox
from tests.local.disk import Disk, Said, Step, Synced, steps_of
from tests.local.test_outbox import row_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cxfs.local.drafts import Draft
    from cxfs.local.rows import ChangeRow

CHANGES: Final = 24
CHECKPOINT_PAGES: Final = 12
"""Small, so that SQLite moves its log into the database several times in the story, not after 1,000 pages only."""

GENERATIONS: Final = range(1, 4)
SHARES: Final = (0.0, 0.5, 1.0)
"""Of what was not synced: nothing has arrived, one half by chance, all of it."""


def content_of(generation: int) -> bytes:
    """A longer one with each generation, and no byte of it like another's."""
    return bytes([generation]) * (3_000 * generation)


@dataclass
class Writer:
    """A daemon at work, which says on its standard output what it has promised, and before it ends a change."""

    outbox: Outbox

    def accepts(self, number: int, generation: int, draft: Draft, row: ChangeRow, *, durable: bool) -> None:
        """One generation of a change, written and closed or synced."""
        draft.write(0, content_of(generation))
        row = replace(row, generation=generation, size=draft.size, held=draft.present())
        self.outbox.record(row, draft, durable=durable)
        if durable:
            say(number, row.id, generation)

    def ends(self, number: int, row: ChangeRow) -> None:
        """Every third is sent, every third taken back; the others go on waiting."""
        if number % 3 == 0:
            say(number, row.id, None)
            self.outbox.sealed(row.id, (b"s" * 20,))
            self.outbox.sent(row.id, max(GENERATIONS), Uuid(f"{number:022}"), number)
            self.outbox.erase(row.id)
        elif number % 3 == 1:
            say(number, row.id, None)
            self.outbox.discard(row.id)


def say(number: int, change_id: str, generation: int | None) -> None:
    """A promise of a generation; None: nothing is promised of this change any more."""
    os.write(1, json.dumps([number, change_id, generation]).encode() + b"\n")


def live(folder: str) -> None:
    """The program that is watched: changes overlap, and so do those that are synced and those that are not."""
    outbox = Outbox(Path(folder))
    outbox._ledger.connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
    writer = Writer(outbox)
    open_changes: dict[int, tuple[Draft, ChangeRow]] = {}
    for turn in range(CHANGES + 2):
        if turn < CHANGES:
            change_id, draft = outbox.new_draft(size=0, base_bytes=0)
            open_changes[turn] = draft, row_of(change_id, f"file-{turn}", draft)
        for age, number in enumerate(range(turn, max(turn - 3, -1), -1)):
            if number in open_changes:
                writer.accepts(number, age + 1, *open_changes[number], durable=(number + age) % 2 == 0)
        if turn >= 2 and turn % 2:
            draft, row = open_changes.pop(turn - 2)
            writer.ends(turn - 2, row)
            draft.close()
    outbox.close()


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """In memory where the machine has such a place: a thousand disks are made in it."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=place, prefix="cxfs-test-") as path:
        yield Path(path)


@pytest.fixture(scope="module")
def steps(folder: Path) -> list[Step]:
    """Everything that the daemon's program did, call by call."""
    home = folder / "home"
    home.mkdir()
    program = f"from tests.local.test_power_loss import live; live({str(home / 'state' / 'profile')!r})"
    return steps_of([sys.executable, "-c", program], home, cwd=Path(__file__).parents[2], log_file=folder / "calls")


def promised(steps: list[Step]) -> dict[str, int]:
    """The generation of each change that the program has promised to keep, by the change's id."""
    promises: dict[str, int] = {}
    for step in steps:
        if isinstance(step, Said):
            _, change_id, generation = json.loads(step.line)
            if generation is None:
                promises.pop(change_id, None)
            else:
                promises[change_id] = generation
    return promises


def lost(folder: Path, promises: dict[str, int]) -> dict[str, str]:
    """What is not as promised when the daemon starts again, and why."""
    outbox = Outbox(folder)
    try:
        rows = {row.id: row for row in outbox.recover()}
        whole = outbox._ledger.connection.execute("PRAGMA integrity_check").fetchall()
        found = {id_: _difference(outbox, rows.get(id_), promise) for id_, promise in promises.items()}
    finally:
        outbox.close()
    return {id_: what for id_, what in found.items() if what} | ({} if whole == [("ok",)] else {"journal": str(whole)})


def _difference(outbox: Outbox, row: ChangeRow | None, generation: int) -> str:
    if row is None:
        return "gone"
    draft = outbox.open_draft(row)
    synced = draft.read(ByteRange(0, len(content_of(generation))))
    draft.close()
    newer = set(range(generation, max(GENERATIONS) + 1))  # what was written over it since may have arrived
    if row.generation < generation or len(synced) < len(content_of(generation)) or not set(synced) <= newer:
        return f"generation {row.generation} of {generation}, {len(synced)} bytes: {sorted(set(synced))}"
    return ""


def losses(steps: list[Step], folder: Path, *, disks_each: int, seed: int) -> dict[tuple[int, float], dict[str, str]]:
    """What is lost by a power cut after each step, over several possible disks."""
    chance = Random(seed)
    disk = Disk(folder / "home")
    found: dict[tuple[int, float], dict[str, str]] = {}
    for number, step in enumerate(steps):
        disk.follow(step)
        promises = promised(steps[: number + 1])
        for share in (*SHARES, *(0.5 for _ in range(disks_each - len(SHARES)))):
            disk.leave(folder / "left", chance, share)
            if what := lost(folder / "left" / "state" / "profile", promises):
                found[number, share] = what
    return found


def test_the_story_moves_the_log_into_the_database_and_keeps_promises_waiting(steps: list[Step]) -> None:
    """Else the cuts below would not strike where it is hard."""
    checkpoints = [step for step in steps if isinstance(step, Synced) and step.path.name == "journal.sqlite"]

    assert len(checkpoints) > 3
    assert len(promised(steps)) >= CHANGES // 3


def test_what_fsync_acknowledged_survives_a_power_cut_at_any_moment(steps: list[Step], folder: Path) -> None:
    """After every single system call, whatever the disk had taken by then of what nobody had synced."""
    assert losses(steps, folder, disks_each=len(SHARES), seed=1) == {}


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 12))
def test_what_fsync_acknowledged_survives_many_power_cuts(steps: list[Step], folder: Path, seed: int) -> None:
    """As above, over many more disks that a cut may leave."""
    assert losses(steps, folder, disks_each=10, seed=seed) == {}
