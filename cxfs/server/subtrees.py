"""A node and everything below it, as one: its depth, its bytes, its owner, its end. Knows no names and no rights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cxfs.server.contents import note_unused
from cxfs.server.errors import InvalidPath
from cxfs.server.quota import charge

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cxfs.server.database import Connection

_SIZES: Final = """
SELECT
    number,
    is_folder,
    coalesce((SELECT size FROM contents c WHERE c.number = n.content), 0),
    (SELECT CAST(coalesce(sum(f.size), 0) AS BIGINT) FROM versions v JOIN contents f ON f.number = v.content
     WHERE v.node = n.number)
FROM nodes n
"""
_TOP: Final = f"{_SIZES} WHERE number = ?"
_IN_IT: Final = f"{_SIZES} WHERE parent = ?"


class Below(NamedTuple):
    """One node of a subtree, `depth` steps below its top, with its bytes now and in former versions."""

    number: int
    depth: int
    size: int
    size_before: int


def below(connection: Connection, top: int) -> list[Below]:
    """The subtree, deepest first, the top last.

    Folder by folder: of one statement for all of it (WITH RECURSIVE) PostgreSQL thinks, where folders are large, that
    it will come to most of the table, and goes through the table instead; to delete one file.
    """
    found: list[Below] = []
    folders: list[tuple[int, int]] = []

    def take(rows: Iterable[Sequence[Any]], depth: int) -> None:
        for number, is_folder, size, size_before in rows:
            found.append(Below(number, depth, size, size_before))
            if is_folder:
                folders.append((number, depth))

    take(connection.execute(_TOP, (top,)), 0)
    for folder, depth in folders:  # grows meanwhile: breadth first
        take(connection.execute(_IN_IT, (folder,)), depth + 1)
    return found[::-1]


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
