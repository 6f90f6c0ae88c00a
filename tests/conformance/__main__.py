"""`python -m tests.conformance [SUITE…]`: runs suites and writes their rows into docs/conformance.md. Counts nothing.

Without names it runs them all; the rows of those that are not run stay as they are on the page.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.bench.publishing import published
from tests.conformance.recording import Recorder
from tests.conformance.report import TABLE, rows_of, table
from tests.conformance.suites import SUITES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.conformance.report import Row
    from tests.conformance.suites import Suite

PAGE: Final = Path(__file__).parents[2] / "docs" / "conformance.md"


def main(chosen: Sequence[str]) -> int:
    """Exit status 0 where every difference is explained; the page is left as it was otherwise."""
    page = PAGE.read_text(encoding="utf-8")
    rows: list[Row] = []
    for suite in SUITES:
        if chosen and suite.tests not in chosen:
            rows += in_order(suite, [row for row in rows_of(page) if row.chapter in suite.chapters])
            continue
        recorder = Recorder()
        status = pytest.main(["-q", "-m", "long" if suite.is_long else "not long", suite.tests], plugins=[recorder])
        if status:
            return int(status)
        rows += in_order(suite, recorder.rows)
    PAGE.write_text(published(page, {TABLE: table(rows)}), encoding="utf-8")
    sys.stdout.write(f"{table(rows)}\n")
    return 0


def in_order(suite: Suite, rows: list[Row]) -> list[Row]:
    """The rows in the order that the suite names its chapters in.

    Raises ValueError for a chapter too many or too few, and for a difference that nothing explains.
    """
    found = {row.chapter: row for row in rows}
    if set(found) != set(suite.chapters):
        raise ValueError(f"{suite.tests} told {sorted(found)}, and was to tell {sorted(suite.chapters)}")
    if unexplained := [row.chapter for row in rows if not row.is_explained]:
        raise ValueError(f"differences in {', '.join(unexplained)} are not explained, or explained for nothing")
    return [found[chapter] for chapter in suite.chapters]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
