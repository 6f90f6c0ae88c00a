"""Folders that programs have open: their lines, told to the kernel from a listing taken once. Looks up nothing.

The cookie of a line is its number, counted from 1: the two dots, then what is in the folder, in the listing's order. It
stays true while names come and go; what went is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyfuse3 import EntryAttributes

    from cxfs.fs.attributes import Attributes
    from cxfs.fs.filesystem import FileSystem, FolderHandle
    from cxfs.fs.node import Node
    from cxfs.fuse.inodes import InodeTable

DOTS: Final = 2


@dataclass(slots=True)
class OpenFolder:
    """A listing, who opened it, and whether it was told from its beginning already."""

    handle: FolderHandle
    opener: int
    is_read: bool = False


class OpenFolders:
    """Those of one mount, by number.

    `reply` takes one line to the kernel, and says whether it had room for it; `described` makes attributes what the
    kernel wants, believed for so many seconds.
    """

    def __init__(
        self,
        fs: FileSystem,
        inodes: InodeTable,
        reply: Callable[[Any, bytes, EntryAttributes, int], bool],
        described: Callable[[Attributes, float], EntryAttributes],
    ) -> None:
        self._fs = fs
        self._inodes = inodes
        self._reply = reply
        self._described = described
        self._open: dict[int, OpenFolder] = {}
        self._last = 0

    async def open(self, folder: Node, opener: int) -> int:
        """Takes the folder's listing for the process `opener`; its number."""
        handle = await self._fs.open_folder(folder)
        self._last += 1
        self._open[self._last] = OpenFolder(handle, opener)
        return self._last

    def close(self, number: int) -> None:
        """Drops the listing."""
        del self._open[number]

    def opener(self, number: int) -> int:
        """The process that opened it."""
        return self._open[number].opener

    def was_read(self, number: int) -> bool:
        """Whether it was told from its beginning already."""
        return self._open[number].is_read

    async def read_anew(self, number: int) -> None:
        """Takes a listing of what is there now."""
        opened = self._open[number]
        opened.handle = await self._fs.open_folder(opened.handle.folder)

    def tell(self, number: int, start: int, token: Any) -> None:
        """The lines behind the cookie `start`, as many as the kernel has room for. No await: nothing comes between."""
        opened = self._open[number]
        opened.is_read = True
        handle = opened.handle
        for at, node in enumerate((handle.folder, handle.folder.parent or handle.folder)):
            attributes = self._described(self._fs.attributes_now(node), 0.0)
            if start <= at and not self._reply(token, b"." * (at + 1), attributes, at + 1):
                return
        for at in range(max(start, DOTS), len(handle.children) + DOTS):
            if not self._tell_child(handle, at, token):
                return

    def _tell_child(self, handle: FolderHandle, at: int, token: Any) -> bool:
        found = self._fs.child(handle, at - DOTS)
        if found is None:
            return True
        child, node = found
        attributes = self._described(self._fs.attributes_now(node), self._fs.believed_s(node))
        if not self._reply(token, child.shown.encode(), attributes, at + 1):
            self._fs.unused(node)
            return False
        self._inodes.remember(node)
        return True
