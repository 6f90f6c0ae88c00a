"""Which nodes the kernel knows, by its own counts."""

from __future__ import annotations

import pytest

from cxfs.core.errors import Stale
from cxfs.fs.node import Node
from cxfs.fuse.inodes import InodeTable


@pytest.fixture
def root() -> Node:
    return Node(1, is_folder=True, parent=None, shown="")


@pytest.fixture
def released() -> list[Node]:
    return []


@pytest.fixture
def table(root: Node, released: list[Node]) -> InodeTable:
    return InodeTable(root, released.append)


@pytest.fixture
def node(root: Node) -> Node:
    return Node(7, is_folder=False, parent=root, shown="a")


def test_the_root_is_known_from_the_start(table: InodeTable, root: Node) -> None:
    """The kernel never looks it up."""
    assert table[1] is root


def test_a_number_nobody_was_told_of_is_stale(table: InodeTable) -> None:
    """ESTALE makes the kernel look the name up again."""
    with pytest.raises(Stale):
        table[7]


def test_a_node_is_kept_until_every_reference_is_forgotten(table: InodeTable, node: Node, released: list[Node]) -> None:
    """Each lookup counts one; forget may bring several back at once."""
    table.remember(node)
    table.remember(node)
    table.remember(node)

    table.forget([(7, 2)])
    kept = table[7]
    table.forget([(7, 1)])

    assert kept is node
    assert released == [node]
    with pytest.raises(Stale):
        table[7]


def test_a_node_may_come_back(table: InodeTable, node: Node) -> None:
    """The name is looked up anew after it was forgotten."""
    table.remember(node)
    table.forget([(7, 1)])

    table.remember(node)

    assert table[7] is node


def test_the_root_is_never_forgotten(table: InodeTable, root: Node, released: list[Node]) -> None:
    """The kernel does say it, at the end."""
    table.forget([(1, 1)])

    assert table[1] is root
    assert released == []


@pytest.mark.parametrize("pairs", [[(99, 1)], [(7, 100)], [(0, 0)], []])
def test_forget_cannot_fail(table: InodeTable, node: Node, pairs: list[tuple[int, int]]) -> None:
    """Nobody could be told of an error, and pyfuse3 would end the mount."""
    table.remember(node)

    table.forget(pairs)
