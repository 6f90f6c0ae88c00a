"""docs/reliability.md shows what the proofs are, and the proofs name tests that there are."""

from __future__ import annotations

import re
from collections import Counter
from typing import Literal

import pytest

from tests.reliability.__main__ import PAGE, ROOT, TABLE, Passed
from tests.reliability.proofs import PROOFS, table


def test_every_proof_is_on_the_page_with_what_it_counted() -> None:
    """`make reliability` writes it; no proof passes without a case."""
    marked = re.search(f"<!-- table:{TABLE} -->\n(.*?)<!-- /table", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert marked is not None
    rows = [line.rsplit("|", 2) for line in marked[1].splitlines() if line.startswith("|")][2:]

    expected = [line.rsplit("|", 2)[0] for line in table(Counter()).splitlines()][2:]
    assert [row[0] for row in rows] == expected
    assert all(int(row[1].replace(",", "")) >= 1 for row in rows)


def test_every_proof_names_tests_that_there_are() -> None:
    """A module that was renamed takes its row along."""
    missing = [module for proof in PROOFS for module in proof.tests if not (ROOT / module).is_file()]

    assert missing == []


def test_each_module_proves_one_thing() -> None:
    """No case is counted twice."""
    modules = [module for proof in PROOFS for module in proof.tests]

    assert len(modules) == len(set(modules))


def test_only_what_passed_is_counted() -> None:
    """By the module it stands in."""
    passed = Passed()
    phases: list[tuple[Literal["setup", "call"], Literal["passed", "failed"]]]
    phases = [("setup", "passed"), ("call", "passed"), ("call", "failed")]

    for when, outcome in phases:
        name = "tests/fs/test_a.py::test_it[1]"
        passed.pytest_runtest_logreport(
            pytest.TestReport(name, location=(name, None, name), keywords={}, outcome=outcome, longrepr=None, when=when)
        )

    assert passed.tests == {"tests/fs/test_a.py": 1}
