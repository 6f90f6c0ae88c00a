"""A node: one file or folder as the mount knows it, whatever it is called today. Asks and decides nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cxfs.core.entries import Entry, Owner, Uuid, UuidPath
    from cxfs.fs.changes import Change
    from cxfs.fs.file_handle import FileHandle


class Node:
    """An inode. Its number never changes; its name, parent and entry do.

    `entry` is what the server last said (None: not there yet); `change` is content newer than that. It is kept while
    the kernel knows it (`kernel`), a handle is open, a change waits, or a child is kept.
    """

    __slots__ = (
        "change",
        "children",
        "entry",
        "gone",
        "handles",
        "inode",
        "is_doubted",
        "is_folder",
        "kernel",
        "pages_of",
        "parent",
        "pins",
        "shown",
        "strangers",
        "vacated",
    )

    is_former = False
    """Whether it stands in `.versions`: nothing of it is ever changed."""

    def __init__(self, inode: int, *, is_folder: bool, parent: Node | None, shown: str) -> None:
        self.inode = inode
        self.is_folder = is_folder
        self.parent = parent
        self.shown = shown
        self.entry: Entry | None = None
        self.change: Change | None = None
        self.vacated = ""
        """Of a folder: the name that a file at the server was last renamed from."""
        self.gone = False
        self.is_doubted = False
        """The server has not got the version that `entry` names: what it names next is believed, whatever it is."""
        self.kernel = False
        self.children = 0
        self.pins = 0
        """Calls under way that change its name."""
        self.handles: set[FileHandle] = set()
        self.strangers: set[FileHandle] = set()
        """Opened as this file, and of another one since a conflict: by the kernel's pages they still are of this."""
        self.pages_of: int | None = None
        """The version whose pages the kernel may hold."""

    def __repr__(self) -> str:
        return f"Node({self.inode}, {self.shown!r})"

    @property
    def uuid(self) -> Uuid:
        """Of a folder or of a file that the server knows; folders always have one."""
        assert self.entry is not None
        return self.entry.id

    @property
    def path(self) -> UuidPath:
        """Where requests about it go. Of a folder or of a file that the server knows."""
        assert self.entry is not None
        return self.entry.path

    @property
    def owner(self) -> Owner | None:
        """Whose tree it stands in: that of its folder, for a file that the server does not know yet."""
        known = self if self.entry is not None else self.parent
        return known.entry.owner if known is not None and known.entry is not None else None

    @property
    def size(self) -> int:
        """Bytes, as programs see them here."""
        if self.change is not None:
            return self.change.draft.size
        return self.entry.size if self.entry is not None else 0

    @property
    def seen(self) -> Entry | None:
        """As the server had it when programs here last saw that: what came since a change began is hidden by it."""
        change = self.change
        if self.entry is None or change is None or change.base_version is None or change.object != self.entry.id:
            return self.entry
        return replace(self.entry, version=change.base_version)

    @property
    def kept(self) -> bool:
        """Whether anything still needs it."""
        return bool(
            self.kernel or self.handles or self.change is not None or self.children or self.pins or self.parent is None
        )


class FormerNode(Node):
    """`.versions` itself, the folder of a file in it, or a version: `entry` is the object of which it tells."""

    is_former = True

    @property
    def size(self) -> int:
        """Bytes of a version."""
        return 0 if self.is_folder or self.entry is None else self.entry.size
