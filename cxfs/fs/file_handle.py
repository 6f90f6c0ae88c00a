"""One open of one file: what it reads from, and what it writes to. Reads and writes nothing itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cxfs.core.entries import Entry, Owner
    from cxfs.fs.changes import Change
    from cxfs.fs.node import Node
    from cxfs.fs.parcels import Parcel
    from cxfs.fs.streams import ReadStream


class FileHandle:
    """One open of one file. `entry` is the version it reads while nothing newer was written here.

    `opened` is the node that the kernel knows it by; `node` is another one since a conflict.
    """

    def __init__(self, node: Node, *, writable: bool) -> None:
        self.node = self.opened = node
        self.writable = writable
        self.entry: Entry | None = node.entry
        self.stream: ReadStream | None = None
        self.parcel: Parcel | None = None
        self.is_read = False
        """Whether any of the content that it opened was asked for: the kernel may have had all of it."""
        self.is_again = False
        """Whether the kernel had the pages of this version before."""
        self.change: Change | None = None

    def follow(self, entry: Entry) -> None:
        """What was written here has become this version."""
        self.leave_stream()
        self.parcel = None
        self.entry = entry

    def settled(self, owner: Owner) -> None:
        """The file stands in another owner's tree now: what is still to be read of it comes from there."""
        if self.entry is not None:
            self.entry = replace(self.entry, owner=owner)
        if self.stream is not None:
            self.stream.settled(owner)

    def leave_stream(self) -> None:
        """The version that was read so far is needed no longer."""
        if self.stream is not None:
            self.stream.close()
            self.stream = None


@dataclass(frozen=True, slots=True)
class Opened:
    """How the kernel is to treat an open file: whether its pages are still true, and whether to bypass them."""

    handle: FileHandle
    keep_cache: bool
    direct: bool
