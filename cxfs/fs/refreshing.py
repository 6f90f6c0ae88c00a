"""`cxfs refresh`: what is believed of a place and all below it is forgotten, so that the next look asks the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cxfs.fs.kernel import KernelCache
    from cxfs.fs.node import Node
    from cxfs.fs.tree import Tree
    from cxfs.local.metadata import MetadataCache


class Refreshing:
    """That of one mount, with what the kernel believes as well. Content is no matter of belief: it goes by version."""

    def __init__(self, tree: Tree, metadata: MetadataCache, kernel: KernelCache) -> None:
        self._tree = tree
        self._metadata = metadata
        self._kernel = kernel

    async def refresh(self, node: Node) -> int:
        """Forgets it at and below the node; how many files and folders were known there. Not for a handler to wait for.

        The kernel is told of the deepest first: whoever then looks a folder up by its name finds nothing old in it.
        """
        nodes = [each for each in self._tree.nodes.all() if not each.gone and _is_below(each, node)]
        folders = self._metadata.folders_below(each.uuid for each in nodes if each.is_folder)
        self._metadata.doubt(*folders)
        for each in nodes:
            if each.entry is not None:
                self._metadata.doubt_entry(each.entry.id, each.parent.uuid if each.parent is not None else None)
        known = [each for each in nodes if each.kernel]
        known.sort(key=_depth, reverse=True)
        await self._kernel.forget(
            [each.inode for each in known],
            [(each.parent.inode, each.shown) for each in known if each.parent is not None],
        )
        return len(nodes)


def _is_below(node: Node, top: Node) -> bool:
    above: Node | None = node
    while above is not None and above is not top:
        above = above.parent
    return above is top


def _depth(node: Node) -> int:
    depth = 0
    while node.parent is not None:
        node, depth = node.parent, depth + 1
    return depth
