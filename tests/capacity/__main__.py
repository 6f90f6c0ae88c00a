"""`python -m tests.capacity`: takes the tables of what a server carries. The words of its command line and no more."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
import click

from tests.bench.publishing import published, tables_in
from tests.capacity.costs import bytes_table, costs_table
from tests.capacity.growth import TURNS, grown
from tests.capacity.processes import processes_table
from tests.server.engines import Postgres

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.capacity.filling import Shape

DOCS: Final = Path(__file__).parents[2] / "docs"
COUNTS: Final = (1_000, 10_000, 100_000, 1_000_000)
DOCUMENT: Final = {"growth": "scale", "bytes": "scale", "costs": "server", "processes": "server"}
"""Where each group of tables stands."""


def growth_tables(counts: tuple[int, ...], turns: int) -> dict[str, str]:
    """Both databases and both shapes. Raises SystemExit where a request goes through a whole table."""
    tables: dict[str, str] = {}
    offences: set[str] = set()
    with Postgres() as postgres:
        parts: tuple[tuple[str, Shape, Postgres | None], ...] = (
            ("growth-postgresql", "folders", postgres),
            ("growth-sqlite", "folders", None),
            ("one-folder-postgresql", "one folder", postgres),
        )
        for name, shape, database in parts:
            growth = anyio.run(grown, counts, shape, database, turns)
            tables[name] = growth.table(counts)
            offences |= growth.offences
            click.echo(f"\n{name}\n\n{tables[name]}")
    if offences:
        sys.exit("\n".join(["", "these go through a whole table:", *sorted(offences)]))
    return tables


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(list(DOCUMENT)))
@click.option("--largest", type=int, default=COUNTS[-1], show_default=True, help="Objects in the largest account.")
@click.option("--turns", type=int, default=TURNS, show_default=True, help="Of each request whose time is taken.")
@click.option("--publish", is_flag=True, help="Puts the tables into docs/server.md and docs/scale.md.")
def main(parts: tuple[str, ...], largest: int, turns: int, *, publish: bool) -> None:
    """What a server can carry: all of it, or some PARTS. Minutes; root, for control groups; 4 GB in TMPDIR."""
    takers: dict[str, Callable[[], dict[str, str]]] = {
        "growth": lambda: growth_tables(tuple(count for count in COUNTS if count <= largest), turns),
        "processes": lambda: {"processes": processes_table()},
        "costs": lambda: {"costs": costs_table()},
        "bytes": lambda: {"bytes": bytes_table()},
    }
    for part in parts or list(DOCUMENT):
        tables = takers[part]()
        if part != "growth":
            click.echo("\n\n".join(["", *tables.values()]))
        if publish:
            document = DOCS / f"{DOCUMENT[part]}.md"
            text = document.read_text(encoding="utf-8")
            document.write_text(published(text, tables_in(text) | tables), encoding="utf-8")


if __name__ == "__main__":
    main()
