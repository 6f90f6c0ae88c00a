"""Inode numbers and lookup counts: which nodes the kernel knows. The numbers themselves are the tree's."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from cxfs.core.errors import Stale

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cxfs.fs.node import Node


log = logging.getLogger(__name__)


class InodeTable:
    """Nodes by number while the kernel holds them. `release` is told of each that it has forgotten."""

    def __init__(self, root: Node, release: Callable[[Node], None]) -> None:
        self._nodes: dict[int, Node] = {root.inode: root}
        self._counts: dict[int, int] = {}
        self._release = release

    def __getitem__(self, inode: int) -> Node:
        """The node; raises Stale for a number that the kernel was not told of."""
        try:
            return self._nodes[inode]
        except KeyError:
            raise Stale(f"inode {inode} is not known") from None

    def __len__(self) -> int:
        return len(self._nodes)

    def remember(self, node: Node) -> None:
        """The kernel was told of the node once more: lookup, create, mkdir, or one line of a listing."""
        node.kernel = True
        self._nodes[node.inode] = node
        self._counts[node.inode] = self._counts.get(node.inode, 0) + 1

    def forget(self, pairs: Iterable[tuple[int, int]]) -> None:
        """The kernel drops so many of its references. Must not raise: nobody could be told."""
        for inode, count in pairs:
            left = self._counts.get(inode, 0) - count
            if left > 0:
                self._counts[inode] = left
                continue
            self._counts.pop(inode, None)
            node = self._nodes.get(inode)
            if node is not None and node.parent is not None:
                del self._nodes[inode]
                try:
                    self._release(node)
                except Exception:
                    log.exception("a bug in forget")
