"""What `stat` and a lookup are answered, in the kernel's own form. Knows no handler."""

from __future__ import annotations

import errno
import stat
from typing import TYPE_CHECKING, Final

from pyfuse3 import EntryAttributes, FUSEError

if TYPE_CHECKING:
    from cxfs.fs.attributes import Attributes

_PREFERRED_BYTES: Final = 128 << 10
"""st_blksize: the size of buffer that cp and cat use, one kernel request."""


def entry_attributes(attributes: Attributes, valid_s: float) -> EntryAttributes:
    """Of something that is there; believed for so many seconds."""
    entry = EntryAttributes()
    entry.st_ino = attributes.inode
    entry.generation = 0
    entry.entry_timeout = entry.attr_timeout = valid_s
    kind = stat.S_IFDIR if attributes.is_folder else stat.S_IFLNK if attributes.is_link else stat.S_IFREG
    entry.st_mode = attributes.mode | kind
    entry.st_nlink = attributes.links
    entry.st_uid, entry.st_gid = attributes.uid, attributes.gid
    entry.st_size = attributes.size
    entry.st_blksize = _PREFERRED_BYTES
    entry.st_blocks = -(-attributes.size // 512)
    entry.st_atime_ns = entry.st_mtime_ns = entry.st_ctime_ns = attributes.modified_ns
    return entry


def absent(valid_s: float) -> EntryAttributes:
    """A negative entry: unlike ENOENT the kernel caches it."""
    if valid_s <= 0:
        raise FUSEError(errno.ENOENT)
    entry = EntryAttributes()
    entry.st_ino = 0
    entry.entry_timeout = valid_s
    return entry
