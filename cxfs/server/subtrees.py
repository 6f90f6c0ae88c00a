"""A node and everything below it, as one: its depth, its bytes, its owner, its end. Knows no names and no rights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from cxfs.server.contents import note_unused
from cxfs.server.errors import InvalidPath
from cxfs.server.quota import charge

if TYPE_CHECKING:
    from cxfs.server.database import Connection

_BELOW: Final = """
WITH RECURSIVE below (number, depth) AS (
    SELECT number, 0 FROM nodes WHERE number = ?
    UNION ALL
    SELECT n.number, depth + 1 FROM nodes n JOIN below ON n.parent = below.number
)
SELECT
    below.number,
    depth,
    coalesce(c.size, 0),
    (
        SELECT CAST(coalesce(sum(f.size), 0) AS BIGINT)
        FROM versions v JOIN contents f ON f.number = v.content WHERE node = below.number
    )
FROM below JOIN nodes n ON n.number = below.number LEFT JOIN contents c ON c.number = n.content
ORDER BY depth DESC
"""


class Below(NamedTuple):
    """One node of a subtree, `depth` steps below its top, with its bytes now and in former versions."""

    number: int
    depth: int
    size: int
    size_before: int


def below(connection: Connection, top: int) -> list[Below]:
    """The subtree, deepest first, the top last."""
    return [Below(*row) for row in connection.execute(_BELOW, (top,))]


def depth_of(connection: Connection, folder: int, *, outside: int) -> int:
    """How many folders are above; raises InvalidPath when `outside` is one of them, or the folder itself."""
    depth = -1
    above: int | None = folder
    while above is not None:
        if above == outside:
            raise InvalidPath("a folder cannot be put below itself")
        (above,) = connection.execute("SELECT parent FROM nodes WHERE number = ?", (above,)).fetchone()
        depth += 1
    return depth


def erase(connection: Connection, owner: int, top: int) -> None:
    """The subtree and its history are gone; deepest first, because each refers to the one above."""
    nodes = below(connection, top)
    for node in nodes:
        gone = connection.execute("DELETE FROM versions WHERE node = ? RETURNING content", node[:1]).fetchall()
        gone += connection.execute("DELETE FROM nodes WHERE number = ? RETURNING content", node[:1]).fetchall()
        note_unused(connection, [content for (content,) in gone if content is not None])
    charge(
        connection, owner, current=-sum(node.size for node in nodes), before=-sum(node.size_before for node in nodes)
    )


def change_owner(connection: Connection, owner: int, top: int, to: int) -> None:
    """The subtree, history included, counts for another owner. Raises QuotaExceeded."""
    nodes = below(connection, top)
    current, before = _bytes(nodes)
    connection.executemany("UPDATE nodes SET owner = ? WHERE number = ?", [(to, node.number) for node in nodes])
    charge(connection, owner, current=-current, before=-before)
    charge(connection, to, current=current, before=before)


def _bytes(nodes: list[Below]) -> tuple[int, int]:
    return sum(node.size for node in nodes), sum(node.size_before for node in nodes)
