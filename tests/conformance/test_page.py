"""docs/conformance.md, held to what the suites declare; and the parts that make it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.conformance import __main__ as command
from tests.conformance.recording import PROPERTY, Recorder, record
from tests.conformance.report import Row, rows_of, table
from tests.conformance.suites import SUITES, Suite
from tests.mounted.chapters import declared
from tests.test_semantics import ROOT, items

if TYPE_CHECKING:
    from collections.abc import Sequence


@pytest.fixture
def rows() -> list[Row]:
    """Those on the page."""
    return rows_of(command.PAGE.read_text(encoding="utf-8"))


def test_the_page_has_the_chapters_of_all_suites(rows: Sequence[Row]) -> None:
    """In their order, none missing and none left from before."""
    assert [row.chapter for row in rows] == [chapter for suite in SUITES for chapter in suite.chapters]


def test_every_difference_on_the_page_is_explained_by_a_promise(rows: Sequence[Row]) -> None:
    """Word for word, so that a promise which is changed is changed here too."""
    promises = set(items((ROOT / "docs" / "semantics.md").read_text(encoding="utf-8")))

    assert [row.chapter for row in rows if not row.is_explained] == []
    assert [sentence for row in rows for sentence in row.explained if sentence not in promises] == []


def test_the_chapters_of_posix_are_counted_as_they_are_written(rows: Sequence[Row]) -> None:
    """A case that was added, or a difference that went, shows on the page: `make conformance` writes it."""
    on_the_page = {row.chapter: row for row in rows}

    assert [on_the_page.get(row.chapter) for row in declared.rows()] == declared.rows()


# ---------------------------------------------------------------- what makes it


class Told:
    """The report of a test's last phase."""

    def __init__(self, *rows: Row) -> None:
        self.when = "teardown"
        self.failed = False
        self.nodeid = "a test"
        self.user_properties: list[tuple[str, object]] = []
        for row in rows:
            record(lambda name, value: self.user_properties.append((name, value)), row)


def test_what_the_tests_of_one_chapter_tell_is_added_up() -> None:
    """Each sentence once, in the order in which it first came."""
    recorder = Recorder()

    for told in (Told(Row("a", 1, 1)), Told(Row("a", 1, 0, ("why",)), Row("b", 9, 9)), Told(Row("a", 3, 2, ("why",)))):
        recorder.pytest_runtest_logreport(told)  # type: ignore[arg-type]  # as much of a report as it reads

    assert recorder.rows == [Row("a", 5, 3, ("why",)), Row("b", 9, 9)]


def test_a_table_is_read_back_as_it_was_written() -> None:
    """Thousands, rows with several explanations, and the sums, which are no row."""
    rows = [Row("fsx", 100_000, 100_000), Row("link", 9, 7, ("One `reason`.", "Another one."))]

    assert rows_of(f"# A page\n\n{table(rows)}\n\nMore of it.") == rows
    assert "| **all** | 100,009 | 100,007 | 2 |" in table(rows)


@pytest.mark.parametrize("row", [Row("a", 2, 1), Row("a", 2, 2, ("for nothing",)), Row("b", 2, 2)])
def test_what_is_not_explained_or_not_declared_makes_the_command_fail(row: Row) -> None:
    """A difference without a sentence, a sentence without a difference, a chapter that nobody named."""
    with pytest.raises(ValueError, match=r"explained|was to tell"):
        command.in_order(Suite("tests", ("a",)), [row])


@pytest.mark.parametrize(("cases", "passed"), [(0, 0), (1, 2), (3, -1)])
def test_a_row_that_cannot_be_is_none(cases: int, passed: int) -> None:
    """Nothing that passed vacuously."""
    with pytest.raises(ValueError, match="cannot have passed"):
        Row("a", cases, passed)


def test_other_properties_of_a_test_are_no_rows() -> None:
    """Tests may record what they like."""
    recorder, told = Recorder(), Told()
    told.user_properties += [
        ("seed", 1),
        (PROPERTY, json.dumps({"chapter": "a", "cases": 1, "passed": 1, "explained": []})),
    ]

    recorder.pytest_runtest_logreport(told)  # type: ignore[arg-type]  # as much of a report as it reads

    assert recorder.rows == [Row("a", 1, 1)]
