"""Attributes in the tables: set on a node, and copied from one to another. Asks nobody's leave; parses nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxfs.server.attributes import AS_IT_IS, Attributes, set_xattrs
from cxfs.server.trees import Node, by_number

if TYPE_CHECKING:
    from cxfs.server.database import Connection


def set_attributes(
    connection: Connection, number: int, attributes: Attributes, *, replacing_xattrs: bool = False
) -> None:
    """An update names the extended attributes that change; an upload brings all that the file is to have."""
    if attributes == AS_IT_IS:
        return
    xattrs = None
    if attributes.xattrs is not None:
        xattrs = set_xattrs("" if replacing_xattrs else by_number(connection, number).xattrs, attributes.xattrs)
    connection.execute(
        "UPDATE nodes SET modified_ms = coalesce(?, modified_ms), modified_rest_ns = coalesce(?, modified_rest_ns),"
        " mode = coalesce(?, mode), xattrs = coalesce(?, xattrs) WHERE number = ?",
        (
            attributes.modified_ms,
            None if attributes.modified_ms is None else attributes.modified_rest_ns,
            attributes.mode,
            xattrs,
            number,
        ),
    )


def set_link(connection: Connection, number: int, link: str | None) -> None:
    """The file is a symbolic link that leads there from now on."""
    connection.execute("UPDATE nodes SET link = ? WHERE number = ?", (link, number))


def copy_attributes(connection: Connection, source: Node, number: int) -> None:
    """Of the original on its copy: few objects have any, and those that have none cost nothing."""
    if (source.modified_rest_ns, source.mode, source.link, source.xattrs) != (0, None, None, ""):
        connection.execute(
            "UPDATE nodes SET modified_rest_ns = ?, mode = ?, link = ?, xattrs = ? WHERE number = ?",
            (source.modified_rest_ns, source.mode, source.link, source.xattrs, number),
        )
