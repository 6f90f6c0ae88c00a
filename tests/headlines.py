"""The first figures of the README, taken from the pages that prove them: `python -m tests.headlines` writes them."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.bench.publishing import published, tables_in
from tests.conformance.report import rows_of

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT: Final = Path(__file__).parents[1]
README: Final = ROOT / "README.md"
TABLE: Final = "headlines"

ROUND_TRIP: Final = "#### 20 ms"
WORKS: Final = (
    ("`grep -r` in 10,000 small files", "grep -r: 10,000 small files"),
    ("`find` in 200 folders", "find: 10,000 files in 200 folders"),
    ("unpacking 2,000 files until the server has them", "tar x of 2,000 files: on the server"),
)
"""What a person waits for, and how docs/performance.md names it."""


def headlines() -> str:
    """The table. Raises ValueError where a page has no figure for it."""
    rows = (_conformance(), _applications(), _reliability(), _performance())
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {says} |" for name, says in rows)])


def _conformance() -> tuple[str, str]:
    rows = rows_of(_page("conformance"))
    cases, passed = sum(row.cases for row in rows), sum(row.passed for row in rows)
    explained = {sentence for row in rows for sentence in row.explained}
    return (
        "[Like a local folder](docs/conformance.md)",
        (
            f"{passed:,} of {cases:,} cases and calls of POSIX end as on a local disk; the other {cases - passed:,} are"
            f" explained by {len(explained)} sentences"
        ),
    )


def _applications() -> tuple[str, str]:
    rows = re.findall(r"^\| [^|]+ \| `.*?` (?:and the keys `.*?` )?\| (\w+)", _page("applications"), re.MULTILINE)
    works = rows.count("works")
    return (
        "[Applications](docs/applications.md)",
        (
            f"{works} of {len(rows)} tasks of git, sqlite, rsync, tar, editors, compilers, fio, stress-ng and"
            f" others work; the page says why the other {len(rows) - works} cannot"
        ),
    )


def _reliability() -> tuple[str, str]:
    table = tables_in(_page("reliability"))["broken"]
    cases = sum(int(found.replace(",", "")) for found in re.findall(r"\| ([\d,]+) \|$", table, re.MULTILINE))
    return (
        "[Broken on purpose](docs/reliability.md)",
        f"{cases:,} cases of kills, power cuts, bad disks, dead lines, hostile servers: nothing accepted was lost",
    )


def _performance() -> tuple[str, str]:
    figures = _figures(tables_in(_page("performance"))["goals"].partition(ROUND_TRIP)[2])
    said = [f"{shown}: {figures[name][0]} s, rclone {figures[name][1]} s" for shown, name in WORKS]
    return "[Speed](docs/performance.md) at a round trip of 20 ms", "; ".join(said)


def _figures(table: str) -> Mapping[str, tuple[str, str]]:
    """What was measured of cxfs and of rclone in the first table there, by the name of the work."""
    found: dict[str, tuple[str, str]] = {}
    for line in table.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) > 3:
            found.setdefault(cells[1], (cells[2], cells[3]))
    return found


def _page(name: str) -> str:
    return (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")


def main() -> int:
    """Writes the README."""
    README.write_text(published(README.read_text(encoding="utf-8"), {TABLE: headlines()}), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
