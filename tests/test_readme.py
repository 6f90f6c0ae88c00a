"""What the README shows first is what the pages prove."""

from __future__ import annotations

from tests.bench.publishing import tables_in
from tests.headlines import README, TABLE, headlines


def test_the_first_figures_are_those_of_the_pages() -> None:
    """`python -m tests.headlines` writes them anew."""
    assert tables_in(README.read_text(encoding="utf-8"))[TABLE] == headlines()
