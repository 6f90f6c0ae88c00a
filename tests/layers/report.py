"""What coverage.py has counted, by the layers that import-linter holds. Counts nothing itself."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PROJECT: Final = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Counted:
    """Lines and ways out of branches: how many there are, and how many were taken."""

    lines: int = 0
    lines_taken: int = 0
    ways: int = 0
    ways_taken: int = 0

    def __add__(self, other: Counted) -> Counted:
        return Counted(
            self.lines + other.lines,
            self.lines_taken + other.lines_taken,
            self.ways + other.ways,
            self.ways_taken + other.ways_taken,
        )


def layers() -> list[tuple[str, ...]]:
    """From the top down, as pyproject.toml has them: the rooms of each."""
    document = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = [each for each in document["tool"]["importlinter"]["contracts"] if each["id"] == "layers"]
    return [tuple(room.strip() for room in layer.split("|")) for layer in contract["layers"]]


def counted_by_room(report: Mapping[str, Any]) -> dict[str, Counted]:
    """Of the report that `coverage json` writes: for each room of `cxfs`, all its files together."""
    found: dict[str, Counted] = {}
    for name, of_it in report["files"].items():
        _, _, below = name.partition("cxfs/")
        room = below.partition("/")[0].removesuffix(".py")
        found[room] = found.get(room, Counted()) + _counted(of_it["summary"])
    return found


def _counted(summary: Mapping[str, int]) -> Counted:
    return Counted(
        summary["num_statements"], summary["covered_lines"], summary["num_branches"], summary["covered_branches"]
    )


def table(report: Mapping[str, Any]) -> str:
    """A row for each layer, from the top down, and one for all of them."""
    by_room = counted_by_room(report)
    rows, everything = [], Counted()
    for layer in layers():
        of_layer = _sum(by_room.get(room, Counted()) for room in layer)
        everything += of_layer
        rows.append(_row(", ".join(f"`{room}`" for room in layer), of_layer))
    head = "| layer | lines | taken | ways out of branches | taken |\n|---|--:|--:|--:|--:|"
    return "\n".join([head, *rows, _row("**all**", everything)])


def _sum(counts: Iterable[Counted]) -> Counted:
    return sum(counts, start=Counted())


def _row(name: str, of_it: Counted) -> str:
    return (
        f"| {name} | {of_it.lines} | {_percent(of_it.lines_taken, of_it.lines)} |"
        f" {of_it.ways} | {_percent(of_it.ways_taken, of_it.ways)} |"
    )


def _percent(taken: int, all_: int) -> str:
    return f"{100 * taken / all_:.1f} %" if all_ else "none"
