"""How the branches that the tests take are counted by layer, and what the page shows of it."""

from __future__ import annotations

import re
from typing import Any, Final

from tests.bench.publishing import tables_in
from tests.layers.report import PROJECT, Counted, counted_by_room, layers, table

PAGE: Final = (PROJECT / "docs" / "reliability.md").read_text(encoding="utf-8")


def summary(lines: int, taken: int, ways: int, ways_taken: int) -> dict[str, Any]:
    """As coverage.py writes it for a file."""
    return {
        "summary": {
            "num_statements": lines,
            "covered_lines": taken,
            "num_branches": ways,
            "covered_branches": ways_taken,
        }
    }


REPORT: Final = {
    "files": {
        "cxfs/core/ranges.py": summary(90, 90, 20, 20),
        "cxfs/core/pace.py": summary(10, 9, 0, 0),
        "cxfs/server/pages/visits.py": summary(4, 1, 2, 1),
        "cxfs/daemon.py": summary(4, 3, 2, 2),
    }
}


def test_the_files_of_a_room_are_counted_together() -> None:
    """A room is a folder, or a file at the top."""
    assert counted_by_room(REPORT) == {
        "core": Counted(100, 99, 20, 20),
        "server": Counted(4, 1, 2, 1),
        "daemon": Counted(4, 3, 2, 2),
    }


def test_a_layer_is_all_its_rooms() -> None:
    """From the top down, and all of them at the end."""
    rows = table(REPORT).splitlines()

    assert "| `core` | 100 | 99.0 % | 20 | 100.0 % |" in rows
    assert next(row for row in rows if "`daemon`" in row).endswith("| 8 | 50.0 % | 4 | 75.0 % |")
    assert rows[-1] == "| **all** | 108 | 95.4 % | 24 | 95.8 % |"


def test_every_room_is_in_a_layer() -> None:
    """So none is left out of the table."""
    folder = PROJECT / "cxfs"
    rooms = {path.stem for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}

    assert rooms - {"__init__"} == {room for layer in layers() for room in layer}


def test_the_page_shows_every_layer_of_today() -> None:
    """Lines and branches, each with its share."""
    rows = tables_in(PAGE)["layers"].splitlines()[2:]

    assert [re.findall(r"`(\w+)`", row) for row in rows[:-1]] == [[*layer] for layer in layers()]
    assert all(re.search(r"\| [\d.]+ % \| \d+ \| ([\d.]+ %|none) \|$", row) for row in rows)
