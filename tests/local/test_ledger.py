"""The journal's commits: which of them wait for the disk, and who knows it beforehand."""

from __future__ import annotations

import json
import os
import sys
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from cxfs.local.ledger import Ledger
from cxfs.local.statements import insert
from tests.local.disk import Said, Step, Synced, steps_of

if TYPE_CHECKING:
    from collections.abc import Iterator

LOGGED_MAX: Final = 5
COMMITS: Final = 4 * (LOGGED_MAX + 1)


def live(folder: str) -> None:
    """The program that is watched: says before each commit what is foretold of it, and that it ends."""
    Path(folder).mkdir()
    ledger = Ledger(Path(folder), logged_max=LOGGED_MAX)
    for number in range(COMMITS):
        say(waits=ledger.waits_next)
        ledger.commit(insert("facts", (f"fact {number}", "")))
    say(waits=True)
    ledger.close()


def say(*, waits: bool) -> None:
    os.write(1, json.dumps(waits).encode() + b"\n")


@pytest.fixture(scope="module")
def commits(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[bool, int]]:
    """Of each commit, whether it was foretold to wait for the disk, and how often it did."""
    home = tmp_path_factory.mktemp("ledger")
    program = f"from tests.local.test_ledger import live; live({str(home / 'state')!r})"
    steps = steps_of([sys.executable, "-c", program], home, cwd=Path(__file__).parents[2], log_file=home / "calls")
    return list(_commits(steps))


def _commits(steps: list[Step]) -> Iterator[tuple[bool, int]]:
    said = [at for at, step in enumerate(steps) if isinstance(step, Said)]
    for begun, ended in pairwise(said):
        step = steps[begun]
        assert isinstance(step, Said)
        yield json.loads(step.line), sum(isinstance(each, Synced) for each in steps[begun:ended])


def test_a_commit_waits_for_the_disk_only_where_that_was_foretold(commits: list[tuple[bool, int]]) -> None:
    """Whoever must not wait asks first, and has such a commit made elsewhere."""
    assert len(commits) == COMMITS
    assert {count for foretold, count in commits if not foretold} == {0}


def test_the_log_is_moved_into_the_database_again_and_again(commits: list[tuple[bool, int]]) -> None:
    """It would grow for ever, and a start would take as long as all that was written."""
    waited = [at for at, (foretold, count) in enumerate(commits) if foretold and count]

    assert waited == [5, 6, 11, 12, 17, 18, 23]  # each sixth moves it, and the next begins the log anew
