"""What is done to the journal's tables, as statements for one commit. Runs none of them."""

from __future__ import annotations

import json
import logging
from contextlib import suppress

from cxfs.local.rows import Cells
from cxfs.local.schema import sum_of

log = logging.getLogger(__name__)

Statement = tuple[str, Cells]
"""SQL and what it is about."""


def accept(table: str, cells: Cells) -> Statement:
    """A row that is sent some day; its sum tells when the disk has changed it."""
    return insert(table, (*cells, sum_of(*cells)))


def insert(table: str, cells: Cells) -> Statement:
    """A row, instead of a former one of the same key."""
    return f"INSERT OR REPLACE INTO {table} VALUES ({','.join('?' * len(cells))})", cells  # noqa: S608 - placeholders


def delete(table: str, *ids: str | None) -> list[Statement]:
    """The rows of these ids, where there are any."""
    return [(f"DELETE FROM {table} WHERE id = ?", (each,)) for each in ids if each is not None]  # noqa: S608


def set_aside(raw: Cells, reason: str, table: str = "changes") -> Statement:
    """What cannot be used, reported and kept for a person. Only what is from `changes` names a draft."""
    log.error("what was accepted as %s cannot be used and is set aside: %s", raw[0], reason)
    kind = "" if table == "changes" else table
    return insert("quarantine", (kind + json.dumps([repr(cell) for cell in raw]), reason))


def draft_of(row: str) -> str | None:
    """The id of the draft that a row from `changes` names, which was set aside; None where the disk has changed it."""
    with suppress(ValueError, RecursionError):
        match json.loads(row):
            case [str(cell), *_]:
                return cell.strip("'")
    return None
