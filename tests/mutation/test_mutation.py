"""Whether the tests notice a change: some of each kind here, all of them by `make mutants`, which writes the page."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.bench.publishing import tables_in
from tests.mutation.canaries import CANARIES, UNCHANGED, Canary
from tests.mutation.explained import ANOTHER_CASE, Explanation, explanations, idle, unexplained
from tests.mutation.report import SCORE_MIN, room_of, rooms, score, score_table, survivors_table
from tests.mutation.results import Mutant, Outcome, mutants_below

PROJECT: Final = Path(__file__).parents[2]
PAGE: Final = (PROJECT / "docs" / "reliability.md").read_text(encoding="utf-8")


# ---------------------------------------------------------------- canaries


@pytest.mark.parametrize("canary", CANARIES, ids=lambda canary: canary.module)
def test_what_is_changed_by_hand_stands_there_once(canary: Canary) -> None:
    """Else nothing would be changed, or another place."""
    assert (PROJECT / f"cxfs/core/{canary.module}.py").read_text(encoding="utf-8").count(canary.was) == 1


def test_the_tests_of_a_module_notice_what_is_changed_in_it() -> None:
    """In tables, constants and properties; and they pass where nothing was changed."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.mutation.canaries"], cwd=PROJECT, capture_output=True, check=True, timeout=300
    )

    ended = {(module, was): status for module, was, status in map(json.loads, done.stdout.splitlines())}
    assert ended.pop((UNCHANGED.module, UNCHANGED.was)) == 0
    assert ended == {(each.module, each.was): 1 for each in CANARIES}


# ---------------------------------------------------------------- what mutmut has written down


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """As mutmut leaves it: a function and a method, with one and three mutants."""
    (tmp_path / "core").mkdir()
    (tmp_path / "core/pace.py").write_text(
        "def x_half__mutmut_orig(a):\n    '''Of it.'''\n    return a // 2\n"
        "def x_half__mutmut_1(a):\n    '''Of it.'''\n    return a / 2\n"
        "class Pace:\n"
        "    def xǁPaceǁname__mutmut_orig(self):\n        return 'one'\n"
        "    def xǁPaceǁname__mutmut_1(self):\n        return 'XXoneXX'\n"
        "    def xǁPaceǁname__mutmut_2(self):\n        return 'ONE'\n"
        "    def xǁPaceǁname__mutmut_3(self):\n        return None\n"
    )
    statuses = {
        "cxfs.core.pace.x_half__mutmut_1": 0,
        "cxfs.core.pace.xǁPaceǁname__mutmut_1": 1,
        "cxfs.core.pace.xǁPaceǁname__mutmut_2": 33,
        "cxfs.core.pace.xǁPaceǁname__mutmut_3": None,
    }
    (tmp_path / "core/pace.py.meta").write_text(json.dumps({"exit_code_by_key": statuses}))
    return tmp_path


HALF: Final = Mutant("core/pace.py", "core/pace.py half", "return a // 2", "return a / 2", Outcome.SURVIVED)
UPPER: Final = Mutant("core/pace.py", "core/pace.py Pace.name", "return 'one'", "return 'ONE'", Outcome.UNTESTED)
NOTICED: Final = Mutant("core/pace.py", "core/pace.py Pace.name", "", "", Outcome.KILLED)


def test_a_survivor_is_told_by_the_line_that_was_changed(folder: Path) -> None:
    """And by where it stands, as people call it."""
    untried = Mutant("core/pace.py", "core/pace.py Pace.name", "return 'one'", "return None", Outcome.UNKNOWN)

    assert mutants_below(folder) == [HALF, NOTICED, UPPER, untried]


def test_what_no_test_comes_by_survives_and_what_hangs_does_not() -> None:
    """A test that does not come to its end has noticed."""
    hanging = Mutant("core/pace.py", "core/pace.py half", "", "", Outcome.TIMED_OUT)

    assert [each.is_noticed for each in (HALF, UPPER, NOTICED, hanging)] == [False, False, True, True]


def test_a_survivor_is_explained_by_its_very_line_or_by_a_rule() -> None:
    """A rule for a whole module is that of the case of letters."""
    by_line = Explanation("core/pace.py half", ("return a / 2",), "it is even")
    by_rule = Explanation("core/pace.py", (ANOTHER_CASE,), "SQL reads both alike")
    elsewhere = Explanation("core/flow.py half", ("return a / 2",), "it is another")

    assert unexplained([HALF, UPPER, NOTICED], [by_line, elsewhere]) == [UPPER]
    assert unexplained([HALF, UPPER, NOTICED], [by_rule]) == [HALF]
    assert idle([HALF, UPPER, NOTICED], [by_line, by_rule, elsewhere]) == [elsewhere]


def test_the_table_has_a_row_for_each_module_and_each_room() -> None:
    """`core` is one room, whatever stands beside it is its own."""
    journal = Mutant("local/outbox.py", "local/outbox.py Outbox.close", "", "", Outcome.KILLED)
    reason = Explanation("core/pace.py half", ("return a / 2",), "it is even")

    rows = score_table([HALF, NOTICED, UPPER, NOTICED, journal], [reason]).splitlines()

    assert rows[2:] == [
        "| `core/pace.py` | 4 | 2 | 50.0 % | 1 | 1 |",
        "| `local/outbox.py` | 1 | 1 | 100.0 % | 0 | 0 |",
        "| **core** | 4 | 2 | 50.0 % | 1 | 1 |",
        "| **local/outbox.py** | 1 | 1 | 100.0 % | 0 | 0 |",
    ]
    assert room_of(journal) == "local/outbox.py"
    assert {name: score(of_it) for name, of_it in rooms([HALF, NOTICED, journal]).items()} == {
        "core": 50.0,
        "local/outbox.py": 100.0,
    }


# ---------------------------------------------------------------- the page


def test_the_page_shows_a_score_that_is_high_enough_and_no_survivor_without_a_reason() -> None:
    """Of everything that decides, and of the journal."""
    rows = dict(re.findall(r"^\| \*\*([\w/.]+)\*\* \| (.*) \|$", tables_in(PAGE)["mutants"], re.MULTILINE))

    assert rows.keys() == {"core", "local/outbox.py"}
    assert float(rows["core"].split(" | ")[2].removesuffix(" %")) >= SCORE_MIN
    for row in rows.values():
        mutants, noticed, shown, explained, left = (float(cell.removesuffix(" %")) for cell in row.split(" | "))
        assert shown == pytest.approx(100 * noticed / mutants, abs=0.05)
        assert (noticed + explained, left) == (mutants, 0)


def test_the_page_names_modules_that_are_there() -> None:
    """What it shows of one that is gone would be history."""
    named = re.findall(r"^\| `([\w/.]+)` \| \d", tables_in(PAGE)["mutants"], re.MULTILINE)

    assert len(named) > 20
    assert all((PROJECT / "cxfs" / name).exists() for name in named)


def test_the_page_gives_every_reason_there_is() -> None:
    """As it is written down beside the tests."""
    assert tables_in(PAGE)["survivors"] == survivors_table(explanations())


@pytest.mark.parametrize("reason", explanations(), ids=lambda reason: reason.where)
def test_a_reason_is_about_something_that_is_there(reason: Explanation) -> None:
    """A function that was renamed takes its reasons with it."""
    module, _, name = reason.where.partition(" ")
    text = (PROJECT / "cxfs" / module).read_text(encoding="utf-8")

    assert not name or f"def {name.rpartition('.')[2]}(" in text
    assert reason.why
    assert reason.lines
