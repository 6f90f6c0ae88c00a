"""The adapter between pyfuse3 and the file system: numbers and bytes in, attributes and errno out. Nothing else.

A handler translates, calls, translates back. One with an `if` about files would be in the wrong room. Every handler has
a deadline and answers whatever happens: only FUSEError may leave it, anything else would end the mount.
"""

from __future__ import annotations

import errno
import logging
import math
import os
import stat
from typing import TYPE_CHECKING, Any, Final

import pyfuse3
from pyfuse3 import EntryAttributes, FileInfo, FUSEError, RequestContext, SetattrFields, StatvfsData

from cxfs.core import errors
from cxfs.core.errors import CxfsError
from cxfs.fs.filesystem import FileSystem, Wanted
from cxfs.fs.renaming import Rename
from cxfs.fuse.answers import data, metadata, patient, prompt
from cxfs.fuse.callers import Callers
from cxfs.fuse.entry_attributes import absent, entry_attributes
from cxfs.fuse.inodes import InodeTable
from cxfs.fuse.open_folders import OpenFolders

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from cxfs.fs.file_handle import FileHandle, Opened
    from cxfs.fs.node import Node

log = logging.getLogger(__name__)

BLOCK_BYTES: Final = 4096
"""The unit of statfs."""

_ACCESS: Final = os.O_RDONLY | os.O_WRONLY | os.O_RDWR

_RENAMES: Final = {
    0: Rename.REPLACE,
    pyfuse3.RENAME_NOREPLACE: Rename.NOREPLACE,
    pyfuse3.RENAME_EXCHANGE: Rename.EXCHANGE,
}


class Operations(pyfuse3.Operations):
    """The handlers of one mount. Deadlines in seconds; after one the call fails with ETIMEDOUT.

    `pause` may cut them short. `reply` takes one line of a listing to the kernel, and says whether it had room for it.
    """

    supports_dot_lookup = True
    enable_writeback_cache = False  # with it the kernel would own size and mtime, and hide the server's changes

    def __init__(
        self,
        fs: FileSystem,
        *,
        metadata_deadline_s: float,
        data_deadline_s: float,
        callers: Callers | None = None,
        reply: Callable[[Any, bytes, EntryAttributes, int], bool] = pyfuse3.readdir_reply,
    ) -> None:
        super().__init__()
        self.metadata_deadline_s = metadata_deadline_s
        self.data_deadline_s = data_deadline_s
        self.callers = callers or Callers()
        self._fs = fs
        self._inodes = InodeTable(fs.root, fs.release)
        self._folders = OpenFolders(fs, self._inodes, reply, entry_attributes)
        self._handles: dict[int, FileHandle] = {}
        self._openers: dict[int, int] = {}
        self._last_handle = 0

    # ------------------------------------------------------------ looking

    @metadata
    async def lookup(self, parent_inode: int, name: bytes, ctx: RequestContext) -> EntryAttributes:
        """Finds a name; one that is absent is answered as an entry too, so that the kernel remembers it."""
        node, absent_s = await self._fs.lookup(self._inodes[parent_inode], name)
        return absent(absent_s) if node is None else self._told(node)

    @metadata
    async def getattr(self, inode: int, ctx: RequestContext) -> EntryAttributes:
        """What stat(2) says."""
        return entry_attributes(*await self._fs.attributes(self._inodes[inode]))

    @data
    async def setattr(
        self, inode: int, attr: EntryAttributes, fields: SetattrFields, fh: int | None, ctx: RequestContext
    ) -> EntryAttributes:
        """truncate, chmod, chown, utimens."""
        node = self._inodes[inode]
        wanted = Wanted(
            size=attr.st_size if fields.update_size else None,
            mode=stat.S_IMODE(attr.st_mode) if fields.update_mode else None,
            uid=attr.st_uid if fields.update_uid else None,
            gid=attr.st_gid if fields.update_gid else None,
            modified_ns=attr.st_mtime_ns if fields.update_mtime else None,
        )
        await self._fs.set_attributes(node, wanted, self._handles.get(fh) if fh is not None else None)
        return entry_attributes(self._fs.attributes_now(node), self._fs.believed_s(node))

    async def forget(self, inode_list: Sequence[tuple[int, int]]) -> None:
        """The kernel drops references; cannot fail."""
        self._inodes.forget(inode_list)

    @prompt
    async def statfs(self, ctx: RequestContext) -> StatvfsData:
        """df(1): the account's quota, from memory."""
        space = self._fs.space()
        answer = StatvfsData()
        answer.f_bsize = answer.f_frsize = BLOCK_BYTES
        answer.f_blocks = space.total_bytes // BLOCK_BYTES
        answer.f_bfree = answer.f_bavail = space.free_bytes // BLOCK_BYTES
        answer.f_files = answer.f_ffree = answer.f_favail = 1 << 32  # CX has no such limit; 0 upsets file managers
        answer.f_namemax = 255
        return answer

    @prompt
    async def getxattr(self, inode: int, name: bytes, ctx: RequestContext) -> bytes:
        """One of `user.cx.*`, or of what was set; before each write the kernel asks for security.capability."""
        return self._fs.extended_attribute(self._inodes[inode], name)

    @patient
    async def setxattr(self, inode: int, name: bytes, value: bytes, ctx: RequestContext) -> None:
        """`user.cx.sync`, for programs that want a file or folder at the server now; else what is to be kept."""
        with self.callers.waiting(math.inf, ctx.pid):  # it has a deadline of its own
            await self._fs.set_extended_attribute(self._inodes[inode], name, value)

    @metadata
    async def removexattr(self, inode: int, name: bytes, ctx: RequestContext) -> None:
        """Takes one away."""
        await self._fs.remove_extended_attribute(self._inodes[inode], name)

    @prompt
    async def listxattr(self, inode: int, ctx: RequestContext) -> Sequence[bytes]:
        """Names of what was set. Where the server keeps none the kernel is told so once, and asks for no other file."""
        if not self._fs.lists_attributes:
            raise FUSEError(errno.ENOSYS)
        return [name.encode() for name in self._fs.listed_attributes(self._inodes[inode])]

    # ------------------------------------------------------------ folders

    @metadata
    async def opendir(self, inode: int, ctx: RequestContext) -> int:
        """Takes the listing once, for all the readdirs that follow."""
        return await self._folders.open(self._inodes[inode], ctx.pid)

    @patient
    async def readdir(self, fh: int, start_id: int, token: Any) -> None:
        """The lines from `start_id` on."""
        if start_id == 0 and self._folders.was_read(fh):  # rewinddir(3)
            with self.callers.waiting(self.metadata_deadline_s, self._folders.opener(fh), asks=True):
                await self._folders.read_anew(fh)
        self._folders.tell(fh, start_id, token)

    @prompt
    async def releasedir(self, fh: int) -> None:
        """Drops the listing."""
        self._folders.close(fh)

    # ------------------------------------------------------------ names

    @metadata
    async def mkdir(self, parent_inode: int, name: bytes, mode: int, ctx: RequestContext) -> EntryAttributes:
        """A new folder."""
        folder = self._inodes[parent_inode]
        return self._told(await self._fs.make_folder(folder, name, stat.S_IMODE(mode) & ~ctx.umask))

    @metadata
    async def mknod(self, parent_inode: int, name: bytes, mode: int, rdev: int, ctx: RequestContext) -> EntryAttributes:
        """A new regular file; CX has no devices, pipes or sockets."""
        if not stat.S_ISREG(mode):
            raise FUSEError(errno.EPERM)
        folder = self._inodes[parent_inode]
        return self._told(await self._fs.make_file(folder, name, stat.S_IMODE(mode) & ~ctx.umask))

    @metadata
    async def symlink(self, parent_inode: int, name: bytes, target: bytes, ctx: RequestContext) -> EntryAttributes:
        """A new symbolic link."""
        return self._told(await self._fs.make_link(self._inodes[parent_inode], name, target))

    @prompt
    async def readlink(self, inode: int, ctx: RequestContext) -> bytes:
        """Where a symbolic link leads."""
        return self._fs.target(self._inodes[inode]).encode(errors="surrogateescape")

    @metadata
    async def link(self, inode: int, new_parent_inode: int, new_name: bytes, ctx: RequestContext) -> EntryAttributes:
        """CX has no hard links."""
        raise errors.Unsupported("CX has no hard links")

    @metadata
    async def unlink(self, parent_inode: int, name: bytes, ctx: RequestContext) -> None:
        """Removes a file's name."""
        await self._fs.remove(self._inodes[parent_inode], name)

    @metadata
    async def rmdir(self, parent_inode: int, name: bytes, ctx: RequestContext) -> None:
        """Removes an empty folder."""
        await self._fs.remove_folder(self._inodes[parent_inode], name)

    @metadata
    async def rename(
        self,
        parent_inode_old: int,
        name_old: bytes,
        parent_inode_new: int,
        name_new: bytes,
        flags: int,
        ctx: RequestContext,
    ) -> None:
        """Renames, replaces or exchanges."""
        how = _RENAMES.get(flags)
        if how is None:
            raise FUSEError(errno.EINVAL)
        await self._fs.rename(self._inodes[parent_inode_old], name_old, self._inodes[parent_inode_new], name_new, how)

    # ------------------------------------------------------------ content

    @metadata
    async def create(
        self, parent_inode: int, name: bytes, mode: int, flags: int, ctx: RequestContext
    ) -> tuple[FileInfo, EntryAttributes]:
        """Makes and opens a file."""
        folder = self._inodes[parent_inode]
        opened = await self._fs.create(folder, name, stat.S_IMODE(mode) & ~ctx.umask)
        return self._file_info(opened, ctx), self._told(opened.handle.node)

    @metadata
    async def open(self, inode: int, flags: int, ctx: RequestContext) -> FileInfo:
        """Opens a file as it is now; O_TRUNC comes in here, and no setattr follows it."""
        writable = flags & _ACCESS != os.O_RDONLY
        truncate = bool(flags & os.O_TRUNC)
        return self._file_info(await self._fs.open(self._inodes[inode], writable=writable, truncate=truncate), ctx)

    @patient
    async def read(self, fh: int, off: int, size: int) -> bytes | memoryview:  # type: ignore[override]  # any buffer
        """Bytes of an open file. What is in memory needs no deadline: it is answered before anybody else's turn."""
        handle = self._handles[fh]
        ready = self._fs.ready(handle, off, size)
        if ready is not None:
            return ready
        with self._waiting(fh, self.data_deadline_s, asks=True, is_read=True):
            return await self._fs.read(handle, off, size)

    @data
    async def write(self, fh: int, off: int, buf: bytes) -> int:
        """Bytes into an open file."""
        return await self._fs.write(self._handles[fh], off, buf)

    @patient
    async def flush(self, fh: int) -> None:
        """close(2) of a descriptor; its error reaches the program."""
        handle = self._handles[fh]
        with self._waiting(fh, self.data_deadline_s):
            await self._fs.flush(handle)
        with self._waiting(fh):
            await self._fs.arrived(handle)

    @patient
    async def fsync(self, fh: int, datasync: bool) -> None:  # noqa: FBT001 - pyfuse3's signature
        """What was written survives power loss when this returns."""
        handle = self._handles[fh]
        with self._waiting(fh, self.data_deadline_s):
            await self._fs.fsync(handle)
        with self._waiting(fh):
            await self._fs.arrived(handle)

    @metadata
    async def fsyncdir(self, fh: int, datasync: bool) -> None:  # noqa: FBT001 - pyfuse3's signature
        """Names that came and went survive power loss when this returns."""
        await self._fs.fsync_folder()

    @data
    async def release(self, fh: int) -> None:
        """The last descriptor of an open is gone; an error would reach nobody."""
        self._openers.pop(fh, None)
        await self._fs.close(self._handles.pop(fh))

    # ------------------------------------------------------------ shared

    async def close_all(self) -> None:
        """Closes what programs left open when the mount ended, so that nothing written is lost."""
        while self._handles:
            handle = self._handles.popitem()[1]
            try:
                await self._fs.close(handle)
            except CxfsError as error:
                log.error("%r could not be written down when it was closed: %s", handle.node.shown, error)
            except Exception:
                log.exception("a bug while closing %r", handle.node.shown)

    def _told(self, node: Node) -> EntryAttributes:
        self._inodes.remember(node)
        return entry_attributes(self._fs.attributes_now(node), self._fs.believed_s(node))

    def _waiting(
        self, fh: int, deadline_s: float = math.inf, *, asks: bool = False, is_read: bool = False
    ) -> AbstractContextManager[None]:
        """For the calls that come without the kernel's context: who opened the file is most likely who asks."""
        return self.callers.waiting(deadline_s, self._openers.get(fh, 0), asks=asks, is_read=is_read)

    def _file_info(self, opened: Opened, ctx: RequestContext) -> FileInfo:
        self._last_handle += 1
        self._handles[self._last_handle] = opened.handle
        self._openers[self._last_handle] = ctx.pid
        return FileInfo(fh=self._last_handle, keep_cache=opened.keep_cache, direct_io=opened.direct)
