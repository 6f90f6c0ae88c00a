"""From a place that a person names to what stands there, and from that back to its place. Changes nothing.

A place is a path below the mount as programs see it, in the kernel's bytes, without a slash at either end; the empty
one is the mount itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxfs.core.errors import NotFound
from cxfs.core.names import from_kernel

if TYPE_CHECKING:
    from cxfs.fs.node import Node
    from cxfs.fs.tree import Tree


class NothingThere(NotFound):
    """No such file or folder in the mount, which is certain."""


async def node_at(tree: Tree, place: bytes) -> Node:
    """What stands there, asked as far as it is not known. Raises NothingThere, and whatever asking may raise."""
    node = tree.root
    for part in names_of(place):
        found, _ = await tree.lookup(node, part)
        if found is None:
            raise NothingThere(f"{'/'.join(names_of(place))}: no such file or folder in the mount")
        node = found
    return node


def names_of(place: bytes) -> list[str]:
    """Its parts, as the mount shows them."""
    return [from_kernel(part) for part in place.split(b"/")] if place else []


def place_of(node: Node) -> str:
    """The place of what is still in the mount, as text."""
    names = []
    while node.parent is not None:
        names.append(node.shown)
        node = node.parent
    return "/".join(reversed(names))
