"""The rows of docs/conformance.md: what they count, the table they make, and how they are read back. Runs nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

TABLE: Final = "conformance"
"""The name of the table's place in the page."""

_HEAD: Final = (
    "| chapter | cases | as a local folder | otherwise, and explained |",
    "|---|---:|---:|---|",
)
_LINE: Final = re.compile(
    r"\| (?P<chapter>[^|]+) \| (?P<cases>[\d,]+) \| (?P<passed>[\d,]+) \| ?(?P<explained>.*?) ?\|"
)
_BETWEEN: Final = "<br>"


@dataclass(frozen=True, slots=True)
class Row:
    """One chapter: of `cases`, `passed` end as on a local folder; the others do as `explained` says.

    `explained` are sentences of docs/semantics.md, word for word; a row without any must pass as a whole.
    """

    chapter: str
    cases: int
    passed: int
    explained: Sequence[str] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.passed <= self.cases or not self.cases:
            raise ValueError(f"{self.chapter}: {self.passed} of {self.cases} cases cannot have passed")

    def __add__(self, other: Row) -> Row:
        """Both parts of one chapter together."""
        explained = tuple(dict.fromkeys([*self.explained, *other.explained]))
        return Row(self.chapter, self.cases + other.cases, self.passed + other.passed, explained)

    @property
    def is_explained(self) -> bool:
        """Whether there are sentences for what does not end as on a local folder, and none for nothing."""
        return (self.passed < self.cases) == bool(self.explained)


def table(rows: Iterable[Row]) -> str:
    """The rows as a table in Markdown, with their sums below."""
    rows = list(rows)
    cases, passed = sum(row.cases for row in rows), sum(row.passed for row in rows)
    return "\n".join([*_HEAD, *map(_line, rows), f"| **all** | {cases:,} | {passed:,} | {cases - passed:,} |"])


def rows_of(page: str) -> list[Row]:
    """The rows of the table in a page, without the sums."""
    found = [match for line in page.splitlines() if (match := _LINE.fullmatch(line))]
    return [
        Row(
            chapter=match["chapter"],
            cases=int(match["cases"].replace(",", "")),
            passed=int(match["passed"].replace(",", "")),
            explained=tuple(match["explained"].split(_BETWEEN)) if match["explained"] else (),
        )
        for match in found
        if match["chapter"] != "**all**"
    ]


def _line(row: Row) -> str:
    return f"| {row.chapter} | {row.cases:,} | {row.passed:,} | {_BETWEEN.join(row.explained)} |"
