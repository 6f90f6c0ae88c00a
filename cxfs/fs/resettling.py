"""What goes to another owner's tree with all below it: every later question about it has to go there. Moves nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from cxfs.core.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cxfs.core.entries import Owner, Path
    from cxfs.fs.node import Node
    from cxfs.fs.tree import Tree
    from cxfs.local.metadata import MetadataCache


T = TypeVar("T")


async def asked_at(address: Callable[[], Path], ask: Callable[[Path], Awaitable[T]]) -> T:
    """The answer about what stands at `address`; asked again when it went to another owner's tree meanwhile.

    What was answered speaks of the tree that it left: to believe it would send every later question there.
    """
    while True:
        path = address()
        try:
            answer = await ask(path)
        except NotFound:
            if address().owner == path.owner:
                raise
        else:
            if address().owner == path.owner:
                return answer


class Resettling:
    """Of one mount."""

    def __init__(self, tree: Tree, metadata: MetadataCache) -> None:
        self._tree = tree
        self._metadata = metadata

    def settled(self, node: Node, owner: Owner) -> None:
        """The server has moved the node there. Does nothing when that is where it was."""
        former = node.owner
        if former is None or former == owner:
            return
        # All of the former tree, and not what is known to lie below: a folder that was forgotten may stand between.
        self._metadata.doubt_owner(former)
        for below in self._tree.nodes.all():
            if below.entry is not None and _stands_in(below, node):
                below.entry = replace(below.entry, owner=owner)
                for handle in below.handles:
                    handle.settled(owner)


def _stands_in(node: Node, above: Node) -> bool:
    here: Node | None = node
    while here is not None and here is not above:
        here = here.parent
    return here is above
