"""The daemon is killed while a program writes: at random moments, and at every one of its steps.

A writer notes what `close`, `fsync` and the others acknowledged. After each kill the next daemon sends what is left,
and all that was acknowledged is there: by the API, and through yet another mount with an empty cache.
"""

from __future__ import annotations

import shutil
import sqlite3
import sys
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final

import pytest

from tests.mounted import writer
from tests.mounted.mortal import DIES_AT, STEPS
from tests.mounting import Account, Mount, wait_until

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

HERE: Final = Path(__file__).parent
DEEDS: Final = 30
NEVER: Final = 1 << 30
LONGEST_S: Final = 0.8
"""After the writer began: a kill comes before, while most of what it wrote waits or is on its way."""

TABLES: Final = ("changes", "errands")


class MortalMount(Mount):
    """A mount whose daemon kills itself at its `dies_at`-th step."""

    dies_at = NEVER

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | {DIES_AT: str(self.dies_at), STEPS: str(self.home / "steps")}

    def cxfs(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        if arguments[0] != "mount":
            return super().cxfs(*arguments)
        return self.attempt(sys.executable, HERE / "mortal.py", *arguments)

    def steps(self) -> list[str]:
        """That the last daemon came to."""
        return (self.home / "steps").read_text(encoding="ascii").splitlines()

    def pending(self) -> int:
        """Rows of the journal, as the dead daemon left it."""
        copy = self.home / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir()
        for file in self.state_folder.glob("journal.sqlite*"):
            shutil.copy(file, copy)
        journal = sqlite3.connect(copy / "journal.sqlite")
        rows = [journal.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES]
        journal.close()
        return sum(rows)


class Trial:
    """Kills, one after the other, of one machine's daemons; what was wrong, and how much was pending each time."""

    def __init__(self, mount: MortalMount, account: Account) -> None:
        self.mount = mount
        self._account = account
        self._number = 0
        self.wrong: list[str] = []
        self.pending: list[int] = []
        self.deeds: list[int] = []
        self.steps = 0
        self._expected: dict[str, writer.Tree] = {}

    def kill(self, *, at: int = NEVER, after_s: float | None = None, seed: int = 0) -> bool:
        """A daemon that writes for the writer and dies; whether it did, before everything was at the server."""
        self._number += 1
        folder = f"work-{self._number}"
        self._account.make_folder(f"/{folder}")
        self._start(dies_at=at)
        self._look_through_the_mount()
        notes = self.mount.home / f"notes-{self._number}"
        process = self._writing(folder, notes, seed)
        if after_s is not None:
            time.sleep(after_s)
            self.mount.kill()
            wait_until(lambda: not self.mount.is_served)
        self.mount.ending_of(process)
        died = self._died()
        self.steps = len(self.mount.steps())
        if died:
            self.pending.append(self.mount.pending())
        self._start(dies_at=NEVER)
        self.mount.unmount()
        self._look_from_outside(folder, writer.replay(notes.read_text(encoding="ascii").splitlines()))
        return died

    def end(self) -> None:
        """A last look through a mount with an empty cache."""
        self._start(dies_at=NEVER)
        self._look_through_the_mount()

    def _start(self, *, dies_at: int) -> None:
        wait_until(lambda: not self.mount.is_served)
        self.mount.dies_at = dies_at
        self.mount.start()

    def _writing(self, folder: str, notes: Path, seed: int) -> subprocess.Popen[str]:
        program = (HERE / "writer.py").read_text(encoding="utf-8")
        return self.mount.spawn(program, self.mount.path / folder, notes, str(seed), str(DEEDS))

    def _died(self) -> bool:
        """By now, or while it sends the rest."""
        if self.mount.is_served:
            self.mount.cxfs("umount", str(self.mount.path))
            wait_until(lambda: not self.mount.is_served)
        return self.mount.is_mounted or len(self.mount.steps()) == self.mount.dies_at

    def _look_from_outside(self, folder: str, notes: writer.Notes) -> None:
        found = tree_at(self._account, f"/{folder}")
        self.deeds.append(notes.count)
        self.wrong += [f"{folder}: {each}" for each in notes.wrongs(found)]
        self._expected[folder] = found

    def _look_through_the_mount(self) -> None:
        for folder, expected in self._expected.items():
            shown = tree_in(self.mount.path / folder)
            if shown != expected:
                self.wrong.append(f"{folder} is shown otherwise: {shown.keys() ^ expected.keys()}")
        self._expected.clear()


def tree_at(account: Account, folder: str, below: str = "") -> writer.Tree:
    """What the server holds below a folder."""
    found: writer.Tree = {}
    for entry in account.entries(folder):
        path = f"{folder}/{entry['name']}"
        if entry["isDir"]:
            found[below + entry["name"]] = None
            found |= tree_at(account, path, f"{below}{entry['name']}/")
        else:
            found[below + entry["name"]] = account.content(path)
    return found


def tree_in(folder: Path) -> writer.Tree:
    """What a folder of this machine holds."""
    return {
        path.relative_to(folder).as_posix(): None if path.is_dir() else path.read_bytes() for path in folder.rglob("*")
    }


@pytest.fixture
def trial(own_account: Account, tmp_path: Path) -> Iterator[Trial]:
    """On a machine and an account of its own."""
    mount = MortalMount(own_account, tmp_path / "home")
    try:
        yield Trial(mount, own_account)
    finally:
        mount.end()


def steps_of(trial: Trial) -> int:
    """How many steps a daemon takes that nobody kills, from its start to the last upload."""
    assert not trial.kill()
    assert trial.deeds == [DEEDS]
    return trial.steps


def test_a_kill_at_a_step_loses_nothing_acknowledged(trial: Trial) -> None:
    """Steps from the first to the last: rows, writes and requests, each before and after."""
    last = steps_of(trial)

    died = [trial.kill(at=at) for at in range(2, last, last // 15)]

    trial.end()
    assert trial.wrong == []
    assert sum(died) >= 13
    assert sum(map(bool, trial.pending)) >= 12, trial.pending


def test_a_kill_at_any_moment_loses_nothing_acknowledged(trial: Trial) -> None:
    """By the clock, while the program writes and while what it wrote is on its way."""
    chance = Random(1)

    died = [trial.kill(after_s=chance.uniform(0, LONGEST_S), seed=seed) for seed in range(6)]

    trial.end()
    assert trial.wrong == []
    assert all(died)
    assert sum(map(bool, trial.pending)) >= 3, trial.pending


@pytest.mark.long
@pytest.mark.parametrize("part", range(8))
def test_a_kill_at_every_step_loses_nothing_acknowledged(trial: Trial, part: int) -> None:
    """As above, without leaving one out."""
    last = steps_of(trial)

    died = [trial.kill(at=at) for at in range(1 + part, last, 8)]

    trial.end()
    assert trial.wrong == []
    assert sum(died) >= len(died) - 2
    assert sum(map(bool, trial.pending)) >= len(died) * 0.8, trial.pending


@pytest.mark.long
@pytest.mark.parametrize("seed", range(4))
def test_many_kills_at_any_moment_lose_nothing_acknowledged(trial: Trial, seed: int) -> None:
    """As above, for longer, with other stories."""
    chance = Random(seed)

    died = [trial.kill(after_s=chance.uniform(0, LONGEST_S), seed=100 * seed + number) for number in range(25)]

    trial.end()
    assert trial.wrong == []
    assert all(died)
    assert sum(map(bool, trial.pending)) >= 12, trial.pending
