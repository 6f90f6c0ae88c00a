"""What `stat` and getxattr say of a node. Content and names are not its matter, nor what becomes of what is set.

CX keeps no owner. That, and mode and time where the server cannot keep them, are kept here for this mount's life; where
its times are whole milliseconds, so are these, so that none moves when an upload completes.
"""

from __future__ import annotations

import base64
import stat
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from cachetools import LRUCache

from cxfs.core.errors import BadName, ForeignAttribute, NoAttribute, Unsupported
from cxfs.core.posix import PLAIN, Posix, PosixUpdate, permissions
from cxfs.core.uploads import IN_FLIGHT, State, is_conflict_name
from cxfs.fs.groups import GROUPS_ID

if TYPE_CHECKING:
    from cxfs.fs.errands import Errands
    from cxfs.fs.node import Node
    from cxfs.fs.permissions import Permissions

KEPT_MAX: Final = 100_000
"""Objects whose local attributes are remembered; past it those longest unused show the defaults again."""

_READ_BITS: Final = 0o444
_WRITE_BITS: Final = 0o222


class Attributes(NamedTuple):
    """For `stat`: `size` in bytes, times in nanoseconds since the epoch, `mode` the permission bits alone.

    `links` counts names: 0 for what is unlinked and lives on for those who have it open.
    """

    inode: int
    is_folder: bool
    size: int
    mode: int
    uid: int
    gid: int
    modified_ns: int
    created_ns: int
    links: int
    """Names that it has: none, of what was unlinked and is still open."""
    is_link: bool = False


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


NOTHING_KEPT: Final = Kept()


class AttributeRules:
    """Owner and modes of one mount: whose everything is, and what the `umask` leaves of 0666 and 0777.

    What `permissions` give no write bits shows none, also where a program set some before. What is in `errands` and not
    on the server yet is shown as if it were. `hears_others`: `dated_elsewhere` is called when others change names.
    """

    def __init__(
        self, permissions: Permissions, errands: Errands, *, uid: int, gid: int, umask: int, hears_others: bool
    ) -> None:
        self._permissions = permissions
        self._errands = errands
        self._uid = uid
        self._gid = gid
        self._file_mode = 0o666 & ~umask
        self._folder_mode = 0o777 & ~umask
        self._hears_others = hears_others
        self._kept: LRUCache[int, Kept] = LRUCache(KEPT_MAX)

    def of(self, node: Node) -> Attributes:
        """What `stat` says now. Asks nobody."""
        kept, posix = self._kept.get(node.inode, NOTHING_KEPT), self.posix_of(node)
        modified_ns = self._modified_ns(node, kept)
        return Attributes(
            node.inode,
            node.is_folder,
            node.size if posix.link is None else len(posix.link.encode(errors="surrogateescape")),
            self._mode(node, kept, posix),
            self._uid if kept.uid is None else kept.uid,
            self._gid if kept.gid is None else kept.gid,
            modified_ns,
            node.entry.created_ms * 1_000_000 if node.entry is not None else modified_ns,
            0 if node.gone else 1,  # also of a folder: 1 tells find(1) that it cannot count subfolders by it
            posix.link is not None,
        )

    def posix_of(self, node: Node) -> Posix:
        """What the server keeps of it, or will when it has all that was set here."""
        entry = node.entry
        posix = PLAIN if entry is None else entry.posix
        stamp = None if entry is None else self._errands.stamp_of(entry.id)
        if stamp is not None:
            posix = stamp.posix.on(posix)
        return posix if node.change is None else node.change.posix_over(posix)

    def brought(self, node: Node) -> PosixUpdate:
        """All of it, for content that takes another object's place: nothing is inherited from that."""
        posix = self.posix_of(node)
        mode = None if posix.link is not None else self.of(node).mode
        return PosixUpdate(mode, self.modified_ns(node) % 1_000_000, posix.link, posix.xattrs)

    def modified_ns(self, node: Node) -> int:
        """The time alone."""
        return self._modified_ns(node, self._kept.get(node.inode, NOTHING_KEPT))

    def handed_down(self, folder: Node, mode: int) -> int:
        """The mode of a new folder in this one that is asked for with `mode`: the setgid bit is inherited."""
        return mode | (self.of(folder).mode & stat.S_ISGID)

    def begin(self, node: Node, folder: Node) -> None:
        """Something new in a folder with the setgid bit is of the folder's group."""
        above = self.of(folder)
        if above.mode & stat.S_ISGID and above.gid != self._gid:
            self.keep(node, gid=above.gid)

    def keep(self, node: Node, *, mode: int | None = None, uid: int | None = None, gid: int | None = None) -> None:
        """Remembers a mode or owner that a program set."""
        kept = self._kept.get(node.inode, NOTHING_KEPT)
        self._kept[node.inode] = replace(
            kept,
            mode=kept.mode if mode is None else permissions(mode),
            uid=kept.uid if uid is None else uid,
            gid=kept.gid if gid is None else gid,
        )

    def keep_time(self, node: Node, modified_ms: int) -> None:
        """Remembers a time that the server does not keep, for the version the node is at."""
        version = node.entry.version if node.entry is not None else None
        kept = self._kept.get(node.inode, NOTHING_KEPT)
        self._kept[node.inode] = replace(kept, modified_ms=modified_ms, modified_version=version, names_changed_ms=None)

    def names_changed(self, folder: Node, now_ms: int) -> None:
        """A name came or went: a time set on the folder before no longer holds, nor one that the server told before."""
        kept = self._kept.get(folder.inode, NOTHING_KEPT)
        self._kept[folder.inode] = replace(kept, modified_ms=None, modified_version=None, names_changed_ms=now_ms)

    def dated_elsewhere(self, folder: Node) -> None:
        """A later time than that is known to whoever keeps it."""
        kept = self._kept.get(folder.inode)
        if kept is not None and kept.names_changed_ms is not None:
            self._kept[folder.inode] = replace(kept, names_changed_ms=None)

    def drop_time(self, node: Node) -> None:
        """A time that was set did not come to be after all."""
        kept = self._kept.get(node.inode)
        if kept is not None and kept.modified_ms is not None:
            self._kept[node.inode] = replace(kept, modified_ms=None, modified_version=None)

    def _mode(self, node: Node, kept: Kept, posix: Posix) -> int:
        if posix.link is not None:
            return 0o777
        mode = kept.mode if kept.mode is not None else posix.mode
        if mode is None:
            mode = self._folder_mode if node.is_folder else self._file_mode
        elif node.is_folder and node.entry is not None and not node.entry.is_folder:  # that of a file's versions
            mode |= (mode & _READ_BITS) >> 2
        return mode if self._permissions.has_write_bits(node) else mode & ~_WRITE_BITS

    def _modified_ns(self, node: Node, kept: Kept) -> int:
        if node.change is not None:
            return node.change.modified_ms * 1_000_000 + node.change.posix.rest_ns
        if node.entry is None:
            return 0
        if kept.names_changed_ms is not None:
            # The server dates a folder once more when the names arrive there. tar(1) takes that for a change under its
            # hands, so where others are heard of by themselves, no later time counts but theirs.
            dated_here_ns = kept.names_changed_ms * 1_000_000
            return dated_here_ns if self._hears_others else max(node.entry.modified_ns, dated_here_ns)
        stamp = self._errands.stamp_of(node.entry.id)
        if stamp is not None and stamp.modified_ms is not None:
            return stamp.modified_ms * 1_000_000 + stamp.posix.rest_ns
        # A folder's version counts what happens in it; a time set on the folder is dropped by our own doing only.
        if kept.modified_ms is not None and (node.is_folder or kept.modified_version == node.entry.version):
            return kept.modified_ms * 1_000_000
        return node.entry.modified_ns

    # ------------------------------------------------------------ extended attributes

    def of_ours(self, node: Node) -> dict[str, bytes]:
        """The `user.cx.*` attributes of a node, by full name. What the server does not say is left out."""
        entry = node.entry
        is_stamped = entry is not None and self._errands.stamp_of(entry.id) is not None
        found = {"status": status_of(node, is_stamped=is_stamped)}
        if entry is not None and entry.id != GROUPS_ID:
            found |= {"uuid": entry.id, "owner": entry.owner, "version": str(entry.version), "name": entry.name}
            if entry.sha1 is not None and node.change is None:
                found["checksum"] = "SHA1:" + base64.b64encode(entry.sha1).decode().rstrip("=")
        return {PREFIX + name: text.encode() for name, text in found.items()}

    def extended(self, node: Node, name: str) -> bytes:
        """One of them, or what a program set; raises NoAttribute, and ForeignAttribute for one that no object has.

        ls(1) asks every file for two of those, and every write for `security.capability`: answered without any work.
        """
        if not name.startswith(FAMILY):
            raise ForeignAttribute(name)
        value = self.of_ours(node).get(name) if name.startswith(PREFIX) else self.posix_of(node).value(name)
        if value is None:
            raise NoAttribute(name)
        return value


FAMILY: Final = "user."
"""Where programs keep attributes of their own: of these an object has, or has not, one of a name."""

PREFIX: Final = "user.cx."


SYNC: Final = f"{PREFIX}sync"
"""The one that can be set, to whatever value: its object is brought to the server then. It cannot be asked for."""


def is_sync(name: str) -> bool:
    """Whether it is that one. Raises Unsupported for another of ours, which can only be asked for."""
    if name.startswith(PREFIX) and name != SYNC:
        raise Unsupported(f"{name} cannot be set")
    return name == SYNC


def xattr_name(name: bytes) -> str:
    """Raises BadName for one that is not UTF-8: CX's are text."""
    try:
        return name.decode()
    except UnicodeDecodeError:
        raise BadName("the name of the extended attribute is not UTF-8") from None


def status_of(node: Node, *, is_stamped: bool = False) -> str:
    """`synced`, `pending`, `uploading`, `parked`, `local`, or `conflict`: at the server beside another client's change.

    The last goes by the name, so it holds over remounts and on every machine, until somebody has looked and renamed it.
    """
    change = node.change
    if change is None and is_stamped:
        return "pending"
    if change is None:
        return "conflict" if node.entry is not None and is_conflict_name(node.entry.name) else "synced"
    if change.stays_here:
        return "local"
    if change.state in IN_FLIGHT:
        return "uploading"
    return "parked" if change.state is State.PARKED else "pending"
