"""Statements of SQL for whole rows, each with its values. Runs none."""

from __future__ import annotations

from cxfs.local.rows import Cells

Statement = tuple[str, Cells]


def insert(table: str, cells: Cells) -> Statement:
    """Puts a row there, in the place of one of the same key."""
    return f"INSERT OR REPLACE INTO {table} VALUES ({','.join('?' * len(cells))})", cells  # noqa: S608 - placeholders


def delete(table: str, *ids: str | None) -> list[Statement]:
    """Takes the rows of these ids away; None stands for none."""
    return [(f"DELETE FROM {table} WHERE id = ?", (each,)) for each in ids if each is not None]  # noqa: S608
