"""How a database carries out what a request sends, and whether it goes through a whole table for it. Sends nothing.

PostgreSQL tells by auto_explain: each statement that it really ran, those of its own triggers among them, with the plan
that it really took. SQLite is asked for the plan of each statement as it comes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

QUEUES: Final = frozenset({"unused"})
"""Tables that are read whole on purpose: contents that wait to be removed, which begins when they are some hundreds."""

_SCANS: Final = frozenset({"Seq Scan", "Sample Scan", "Tid Range Scan"})
_BY_INDEX: Final = frozenset({"Index Scan", "Index Only Scan", "Bitmap Index Scan"})


@dataclass(frozen=True, slots=True)
class Ran:
    """One statement: its text, the tables that it went through from end to end, and how much work it was.

    The unit of `work` is the database's: pages that were looked at (PostgreSQL), steps of its machine (SQLite).
    """

    statement: str
    scanned: tuple[str, ...]
    work: int

    @property
    def offends(self) -> bool:
        """Whether it takes longer the more there is."""
        return not QUEUES.issuperset(self.scanned)


def of_postgres(line: str, database: str) -> Ran | None:
    """From a line of the server's log; None for what is no plan of that database."""
    told = json.loads(line)
    duration, _, plan = told["message"].partition("plan:\n")
    if told.get("dbname") != database or not duration.startswith("duration:") or not plan:
        return None
    explained = json.loads(plan)
    top = explained["Plan"]
    scanned = tuple(_scanned(top))
    return Ran(_one_line(explained["Query Text"]), scanned, top["Shared Hit Blocks"] + top["Shared Read Blocks"])


def _scanned(node: Mapping[str, Any]) -> Iterator[str]:
    """An index without a condition is the table in another order, unless somebody above stops after the first rows."""
    kind = node["Node Type"]
    if kind in _SCANS or (kind in _BY_INDEX and "Index Cond" not in node):
        yield node.get("Relation Name", node.get("Index Name", "?"))
    for each in node.get("Plans", ()):
        yield from _scanned(each)


def of_sqlite(statement: str, details: Sequence[str], work: int) -> Ran:
    """From the lines of EXPLAIN QUERY PLAN."""
    scanned = [each.split()[1] for each in details if each.startswith("SCAN ") and "CONSTANT ROW" not in each]
    return Ran(_one_line(statement), tuple(scanned), work)


def _one_line(statement: str) -> str:
    return " ".join(statement.split())
