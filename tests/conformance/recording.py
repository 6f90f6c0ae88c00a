"""How what tests find out becomes rows: a test tells its row, and those of one chapter are added up."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from tests.conformance.report import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest

PROPERTY: Final = "conformance"


def record(record_property: Callable[[str, object], None], row: Row) -> None:
    """Tells the row of this test, or its part of one; `record_property` is pytest's fixture of that name."""
    record_property(PROPERTY, json.dumps(asdict(row)))


class Recorder:
    """A plugin of pytest that keeps what tests tell. `failed`: the tests that did not pass."""

    def __init__(self) -> None:
        self.failed: list[str] = []
        self._rows: dict[str, Row] = {}

    @property
    def rows(self) -> list[Row]:
        """A row for each chapter, in the order in which they came."""
        return list(self._rows.values())

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A phase of a test is over; what it tells is complete with the last one."""
        if report.failed:
            self.failed.append(report.nodeid)
        if report.when == "teardown":
            for row in _recorded(report):
                former = self._rows.get(row.chapter)
                self._rows[row.chapter] = row if former is None else former + row


def _recorded(report: pytest.TestReport) -> Iterator[Row]:
    for name, value in report.user_properties:
        if name == PROPERTY:
            told = json.loads(str(value))
            yield Row(told["chapter"], told["cases"], told["passed"], tuple(told["explained"]))
