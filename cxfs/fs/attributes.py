"""What `stat` says of a node, and what chmod, chown and utimens change of it. Content and names are not its matter.

CX keeps one time for an object and no owner or mode. Those, and the time where the server cannot keep it, are kept here
for this mount's life. Times are whole milliseconds, as on the wire, so that none moves when an upload completes.
"""

from __future__ import annotations

import base64
import stat
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from cachetools import LRUCache

from cxfs.core.errors import ForeignAttribute, NoAttribute, Unsupported
from cxfs.core.uploads import IN_FLIGHT, State, is_conflict_name
from cxfs.fs.groups import GROUPS_ID

if TYPE_CHECKING:
    from cxfs.fs.node import Node
    from cxfs.fs.permissions import Permissions

KEPT_MAX: Final = 100_000
"""Objects whose local attributes are remembered; past it those longest unused show the defaults again."""

_WRITE_BITS: Final = 0o222


class Attributes(NamedTuple):
    """For `stat`: `size` in bytes, times in nanoseconds since the epoch, `mode` the permission bits alone."""

    inode: int
    is_folder: bool
    size: int
    mode: int
    uid: int
    gid: int
    modified_ns: int
    created_ns: int
    links: int = 1
    """Names that it has: none, of what was unlinked and is still open."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What a program set and CX does not keep; None: not set. A time counts for the version it was set on.

    `names_changed_ms` is when a name last came into a folder or left it here, which the server may not know yet.
    """

    mode: int | None = None
    uid: int | None = None
    gid: int | None = None
    modified_ms: int | None = None
    modified_version: int | None = None
    names_changed_ms: int | None = None


class AttributeRules:
    """Owner and modes of one mount: whose everything is, and what the `umask` leaves of 0666 and 0777.

    What `permissions` give no write bits shows none, also where a program set some before.
    """

    def __init__(self, permissions: Permissions, *, uid: int, gid: int, umask: int) -> None:
        self._permissions = permissions
        self._uid = uid
        self._gid = gid
        self._file_mode = 0o666 & ~umask
        self._folder_mode = 0o777 & ~umask
        self._kept: LRUCache[int, Kept] = LRUCache(KEPT_MAX)

    def of(self, node: Node) -> Attributes:
        """What `stat` says now. Asks nobody."""
        kept = self._kept.get(node.inode)
        mode = self._mode(node, kept)
        modified_ns = self._modified_ms(node, kept) * 1_000_000
        created_ns = node.entry.created_ms * 1_000_000 if node.entry is not None else modified_ns
        links = 0 if node.gone else 1
        if kept is None:
            return Attributes(
                node.inode, node.is_folder, node.size, mode, self._uid, self._gid, modified_ns, created_ns, links
            )
        return Attributes(
            inode=node.inode,
            is_folder=node.is_folder,
            size=node.size,
            mode=mode,
            uid=self._uid if kept.uid is None else kept.uid,
            gid=self._gid if kept.gid is None else kept.gid,
            modified_ns=modified_ns,
            created_ns=created_ns,
            links=links,
        )

    def modified_ms(self, node: Node) -> int:
        """The time alone."""
        return self._modified_ms(node, self._kept.get(node.inode))

    def begin(self, node: Node, folder: Node, mode: int) -> None:
        """Those of something new: the mode that was asked for, and what a folder with the setgid bit hands down."""
        above = self.of(folder)
        gid = above.gid if above.mode & stat.S_ISGID and above.gid != self._gid else None
        if node.is_folder:
            mode |= above.mode & stat.S_ISGID
        if gid is not None or mode & 0o7777 != self.of(node).mode:
            self.keep(node, mode=mode, gid=gid)

    def keep(self, node: Node, *, mode: int | None = None, uid: int | None = None, gid: int | None = None) -> None:
        """Remembers a mode or owner that a program set."""
        kept = self._kept.get(node.inode, Kept())
        self._kept[node.inode] = replace(
            kept,
            mode=kept.mode if mode is None else mode & 0o7777,
            uid=kept.uid if uid is None else uid,
            gid=kept.gid if gid is None else gid,
        )

    def keep_time(self, node: Node, modified_ms: int) -> None:
        """Remembers a time that the server does not keep, for the version the node is at."""
        version = node.entry.version if node.entry is not None else None
        kept = self._kept.get(node.inode, Kept())
        self._kept[node.inode] = replace(kept, modified_ms=modified_ms, modified_version=version, names_changed_ms=None)

    def names_changed(self, folder: Node, now_ms: int) -> None:
        """A name came or went: a time set on the folder before no longer holds, nor one that the server told before."""
        kept = self._kept.get(folder.inode, Kept())
        self._kept[folder.inode] = replace(kept, modified_ms=None, modified_version=None, names_changed_ms=now_ms)

    def drop_time(self, node: Node) -> None:
        """A time that was set did not come to be after all."""
        kept = self._kept.get(node.inode)
        if kept is not None and kept.modified_ms is not None:
            self._kept[node.inode] = replace(kept, modified_ms=None, modified_version=None)

    def _mode(self, node: Node, kept: Kept | None) -> int:
        mode = self._folder_mode if node.is_folder else self._file_mode
        if kept is not None and kept.mode is not None:
            mode = kept.mode
        return mode if self._permissions.has_write_bits(node) else mode & ~_WRITE_BITS

    def _modified_ms(self, node: Node, kept: Kept | None) -> int:
        if node.change is not None:
            return node.change.modified_ms
        if node.entry is None:
            return 0
        if kept is None:
            return node.entry.modified_ms
        if kept.modified_ms is None:
            return max(node.entry.modified_ms, kept.names_changed_ms or 0)
        # A folder's version counts what happens in it; a time set on the folder is dropped by our own doing only.
        if node.is_folder or kept.modified_version == node.entry.version:
            return kept.modified_ms
        return node.entry.modified_ms


FAMILY: Final = "user."
"""Where programs keep attributes of their own: of these an object has, or has not, one of a name."""

PREFIX: Final = "user.cx."


def extended_attributes(node: Node) -> dict[str, bytes]:
    """The `user.cx.*` attributes of a node, by full name. What the server does not say is left out."""
    found = {"status": status_of(node)}
    entry = node.entry
    if entry is not None and entry.id != GROUPS_ID:
        found |= {"uuid": entry.id, "owner": entry.owner, "version": str(entry.version), "name": entry.name}
        if entry.sha1 is not None and node.change is None:
            found["checksum"] = "SHA1:" + base64.b64encode(entry.sha1).decode().rstrip("=")
    return {PREFIX + name: text.encode() for name, text in found.items()}


def extended_attribute(node: Node, name: str) -> bytes:
    """One of them; raises NoAttribute, and ForeignAttribute for a name that no object has.

    ls(1) asks every file for two of those, and every write asks for `security.capability`: answered without any work.
    """
    if not name.startswith(FAMILY):
        raise ForeignAttribute(name)
    if not name.startswith(PREFIX):
        raise NoAttribute(name)
    try:
        return extended_attributes(node)[name]
    except KeyError:
        raise NoAttribute(name) from None


SYNC: Final = f"{PREFIX}sync"
"""The one that can be set, to whatever value: its object is brought to the server then. It cannot be asked for."""


def check_settable(name: str) -> None:
    """Raises Unsupported for what can only be asked for, ForeignAttribute for what no object can have."""
    if not name.startswith(PREFIX):
        raise ForeignAttribute(name)
    if name != SYNC:
        raise Unsupported(f"{name} cannot be set")


def status_of(node: Node) -> str:
    """`synced`, `pending`, `uploading`, `parked`, `local`, or `conflict`: at the server beside another client's change.

    The last goes by the name, so it holds over remounts and on every machine, until somebody has looked and renamed it.
    """
    change = node.change
    if change is None:
        return "conflict" if node.entry is not None and is_conflict_name(node.entry.name) else "synced"
    if change.stays_here:
        return "local"
    if change.state in IN_FLIGHT:
        return "uploading"
    return "parked" if change.state is State.PARKED else "pending"
