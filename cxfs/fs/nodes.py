"""The nodes of one mount: found by object and by number, placed, kept while anybody needs them. Asks nobody."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from cxfs.core.names import escape
from cxfs.fs.node import FormerNode, Node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cxfs.core.entries import Entry, Uuid
    from cxfs.fs.changes import Change, Changes
    from cxfs.fs.errands import Errands

ROOT_INODE: Final = 1


class Nodes:
    """By UUID and by number. `inode_of` remembers numbers that are not those which UUIDs give."""

    def __init__(
        self, root: Entry, *, changes: Changes, errands: Errands, inode_of: Callable[[Uuid], int | None]
    ) -> None:
        self._changes = changes
        self._errands = errands
        self._inode_of = inode_of
        self.root = Node(ROOT_INODE, is_folder=True, parent=None, shown="")
        self.root.entry = root
        self._nodes: dict[Uuid, Node] = {root.id: self.root}
        self._numbers: dict[int, Node] = {ROOT_INODE: self.root}

    def node_of(self, entry: Entry, parent: Node, shown: str) -> Node:
        """The node of an object, at the place where it was just seen."""
        node = self._nodes.get(entry.id)
        if node is None:
            change = self._changes.of(entry.id)
            ours = change or self._errands.making(entry.id)
            number = ours.inode if ours is not None else self._inode_of(entry.id) or entry.id.number
            node = self._new_node(number, parent, shown, is_folder=entry.is_folder)
            self._nodes[entry.id] = node
            node.entry = entry
            if change is not None:
                node.change, change.node = change, node
        elif node is not self.root:
            self.place(node, parent, shown)
            self.believe(node, entry)
        return node

    def node_of_change(self, change: Change, parent: Node) -> Node:
        """The node of a file that the server does not know yet."""
        if change.node is None:
            node = self._new_node(change.inode, parent, escape(change.name), is_folder=False)
            node.change, change.node = change, node
        elif change.node.parent is not parent:  # the folder that it was in went away
            self.place(change.node, parent, escape(change.name))
        return change.node

    def former(self, entry: Entry, number: int, parent: Node, shown: str, *, is_folder: bool) -> FormerNode:
        """What stands in `.versions` under this number, made where nothing does yet."""
        node = self._numbers.get(number)
        if isinstance(node, FormerNode):
            self.place(node, parent, shown)
        else:
            node = FormerNode(self._unused(number), is_folder=is_folder, parent=parent, shown=shown)
            self._keep(node, parent)
        node.entry = entry
        return node

    def kernel_has(self, entry: Entry) -> bool:
        """Whether the kernel may have this version of a file in its pages."""
        node = self._nodes.get(entry.id)
        return node is not None and node.pages_of == entry.version

    def is_passed(self, entry: Entry) -> bool:
        """Whether this mount has something newer of the object than this version."""
        node = self._nodes.get(entry.id)
        known = node.entry if node is not None and not node.is_doubted else None
        newer = known is not None and known.version > entry.version
        return newer or self._changes.of(entry.id) is not None

    def all(self) -> list[Node]:
        """All of them at this moment, those that are gone and still open included."""
        return list(self._numbers.values())

    def folder_of(self, folder: Uuid) -> Node | None:
        """The node of a folder, or of a file that the server knows, where one is known."""
        return self._nodes.get(folder)

    def knows(self, object_id: Uuid) -> bool:
        """Whether it is something that was seen here, or changed: then it is not what nobody has heard of."""
        return object_id in self._nodes or self._changes.of(object_id) is not None

    def new_number(self) -> int:
        """An inode number for a file without a UUID."""
        while True:
            number = secrets.randbits(62) + 2
            if number not in self._numbers:
                return number

    def place(self, node: Node, parent: Node, shown: str) -> None:
        """The node stands here now."""
        node.shown = shown
        if node.parent is not parent:
            before, node.parent = node.parent, parent
            parent.children += 1
            if before is not None:
                before.children -= 1
                self.release(before)

    def release(self, node: Node) -> None:
        """Lets go of the node, and of the folders above it, when nothing needs them any more."""
        while not node.kept:
            if self._numbers.get(node.inode) is node:
                del self._numbers[node.inode]
            if node.entry is not None and self._nodes.get(node.entry.id) is node:
                del self._nodes[node.entry.id]
            parent = node.parent
            if parent is None:
                return
            node.parent = None
            node.gone = True  # a late caller that still holds it finds nothing here
            parent.children -= 1
            node = parent

    @contextmanager
    def pinned(self, *nodes: Node | None) -> Iterator[None]:
        """None of them is let go while the block runs, whatever the kernel forgets and whichever upload ends."""
        held = [node for node in nodes if node is not None]
        for node in held:
            node.pins += 1
        try:
            yield
        finally:
            for node in held:
                node.pins -= 1
                self.release(node)

    def detach(self, node: Node) -> None:
        """The name is gone; handles and the kernel may keep the node for a while."""
        node.gone = True
        if node.entry is not None and self._nodes.get(node.entry.id) is node:
            del self._nodes[node.entry.id]
        self.release(node)

    def identify(self, node: Node, entry: Entry) -> None:
        """The node is this object from now on, and nobody else is."""
        former = self._nodes.get(entry.id)
        if former is not None and former is not node:
            self.detach(former)
        if node.entry is not None and self._nodes.get(node.entry.id) is node:
            del self._nodes[node.entry.id]
        node.entry = entry
        self._nodes[entry.id] = node

    def forget_identity(self, node: Node) -> None:
        """The object is gone from the server while its node has something newer: it is a new file again."""
        if node.entry is not None and self._nodes.get(node.entry.id) is node:
            del self._nodes[node.entry.id]
        node.entry = None

    def _new_node(self, number: int, parent: Node, shown: str, *, is_folder: bool) -> Node:
        node = Node(self._unused(number), is_folder=is_folder, parent=parent, shown=shown)
        self._keep(node, parent)
        return node

    def _unused(self, number: int) -> int:
        while number in self._numbers:
            number += 1
        return number

    def _keep(self, node: Node, parent: Node) -> None:
        parent.children += 1
        self._numbers[node.inode] = node

    def believe(self, node: Node, entry: Entry) -> None:
        """What the server said of it."""
        # An answer that was on its way while our own upload finished is older than what we know.
        if node.entry is None or node.is_doubted or entry.version >= node.entry.version:
            node.entry, node.is_doubted = entry, False
