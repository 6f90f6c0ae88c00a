"""What may be changed here, decided before anybody is asked. What the server thinks of it is the server's to say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxfs.core.errors import Denied, ReadOnly
from cxfs.fs.groups import GROUPS_ID

if TYPE_CHECKING:
    from cxfs.fs.groups import Groups
    from cxfs.fs.node import Node


class Permissions:
    """Of one mount: it as a whole may be `read_only`, a group may, and the folder of the groups is."""

    def __init__(self, groups: Groups, *, read_only: bool) -> None:
        self._groups = groups
        self._read_only = read_only

    def has_write_bits(self, node: Node) -> bool:
        """Whether its mode is to say that it can be written. A read-only mount is not seen by modes."""
        if node.entry is not None and node.entry.id == GROUPS_ID:
            return False
        return not self._groups.is_read_only(node.owner)

    def check(self, *nodes: Node | None) -> None:
        """Each of them that there is may be changed: its content, its attributes, the names in it and its own.

        Raises ReadOnly on a read-only mount and in `.versions`, else Denied: as the kernel does for whom the mode
        bits keep out.
        """
        if self._read_only:
            raise ReadOnly("the mount is read-only")
        for node in nodes:
            if node is not None and node.is_former:
                raise ReadOnly("what was is not changed")
            if node is not None and not self.has_write_bits(node):
                raise Denied(f"{node.shown!r} cannot be changed by this account")
