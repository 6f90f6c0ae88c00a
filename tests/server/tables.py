"""What stands in a server's tables, for tests that look past the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxfs.server.store import Store


def rows(store: Store, statement: str, cells: Sequence[object] = ()) -> list[tuple[Any, ...]]:
    """All that the question gives."""
    with store.snapshot() as connection:
        return [tuple(row) for row in connection.execute(statement, cells).fetchall()]
