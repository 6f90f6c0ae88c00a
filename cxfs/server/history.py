"""Former versions of a file. Knows no quota: whoever counts bytes is told how many more there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxfs.server.contents import note_unused
from cxfs.server.limits import VERSIONS_KEPT

if TYPE_CHECKING:
    from cxfs.server.database import Connection
    from cxfs.server.trees import Node


def keep_version(connection: Connection, node: Node, *, now: int) -> int:
    """The content becomes a former version; the one that is too many goes. How many more bytes history holds then."""
    connection.execute(
        "INSERT INTO versions (node, version, content, content_type, modified_ms, modified_rest_ns, link, replaced_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            node.number,
            node.version,
            node.content,
            node.content_type,
            node.modified_ms,
            node.modified_rest_ns,
            node.link,
            now,
        ),
    )
    dropped = connection.execute(
        "DELETE FROM versions WHERE node = ? AND version <= ?"
        " RETURNING content, (SELECT size FROM contents WHERE number = content)",
        (node.number, node.version - VERSIONS_KEPT),
    ).fetchall()
    note_unused(connection, [content for content, _ in dropped])
    return node.size - sum(int(size) for _, size in dropped)
