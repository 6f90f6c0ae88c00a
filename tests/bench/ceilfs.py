"""A file system in memory behind pyfuse3 and trio: what those two cost by themselves, and so the bound for cxfs.

    python -m tests.bench.ceilfs FOLDER MOUNT_POINT

It loads the folder, asks no network and no disk, checks nothing, keeps the least state that it can, and lets the kernel
cache all it wants. Only what the benchmark does works in it.
"""

from __future__ import annotations

import errno
import itertools
import mmap
import os
import stat
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyfuse3
import trio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyfuse3 import (
        EntryAttributes,
        FileHandleT,
        FileInfo,
        FileNameT,
        FlagT,
        InodeT,
        ModeT,
        ReaddirToken,
        RequestContext,
        SetattrFields,
        StatvfsData,
    )

BELIEVED_S: Final = 300.0
MAPPED_BYTES: Final = 1 << 20
"""Larger files are mapped instead of read."""


class Node:
    """A folder (`children`), or a file or link (`content`)."""

    _numbers = itertools.count(int(pyfuse3.ROOT_INODE))

    def __init__(self, mode: int, content: bytes | bytearray | memoryview = b"", mtime_ns: int | None = None) -> None:
        self.inode = next(self._numbers)
        self.mode = mode
        self.children: dict[bytes, Node] = {}
        self.content = content
        self.mtime_ns = time.time_ns() if mtime_ns is None else mtime_ns
        self.entry: EntryAttributes | None = None

    def attributes(self) -> EntryAttributes:
        """Made once, and brought up to date."""
        entry = self.entry
        if entry is None:
            entry = self.entry = pyfuse3.EntryAttributes()
            entry.st_ino, entry.st_nlink, entry.st_blksize = pyfuse3.InodeT(self.inode), 1, 4096
            entry.attr_timeout = entry.entry_timeout = BELIEVED_S
            entry.st_uid, entry.st_gid = os.getuid(), os.getgid()
        entry.st_mode = pyfuse3.ModeT(self.mode)
        entry.st_size = len(self.content)
        entry.st_blocks = (entry.st_size + 511) // 512
        entry.st_atime_ns = entry.st_mtime_ns = entry.st_ctime_ns = self.mtime_ns
        return entry

    def own(self) -> bytearray:
        """The content, from now on in a form that can be changed."""
        if not isinstance(self.content, bytearray):
            self.content = bytearray(self.content)
        return self.content


def load(path: Path, nodes: dict[int, Node]) -> Node:
    """A node for everything below the path, entered by its number; folders come before what is in them."""
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        node = Node(status.st_mode, os.fsencode(path.readlink()), status.st_mtime_ns)
    elif stat.S_ISDIR(status.st_mode):
        node = Node(status.st_mode, mtime_ns=status.st_mtime_ns)
    else:
        node = Node(status.st_mode, _content(path, status.st_size), status.st_mtime_ns)
    nodes[node.inode] = node
    if stat.S_ISDIR(status.st_mode):
        node.children = {os.fsencode(child.name): load(child, nodes) for child in path.iterdir()}
    return node


def _content(path: Path, size: int) -> bytes | memoryview:
    if size <= MAPPED_BYTES:
        return path.read_bytes()
    with path.open("rb") as file:
        mapped = memoryview(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ))
    mapped[:: mmap.PAGESIZE].tobytes()
    return mapped


class Ceiling(pyfuse3.Operations):
    """The operations that the benchmark needs."""

    def __init__(self, nodes: dict[int, Node]) -> None:
        super().__init__()
        self._nodes = nodes
        self._listings: dict[int, list[tuple[bytes, Node]]] = {}

    def _child(self, parent: InodeT, name: FileNameT) -> Node:
        node = self._nodes[parent].children.get(name)
        if node is None:
            raise pyfuse3.FUSEError(errno.ENOENT)
        return node

    def _make(self, parent: InodeT, name: FileNameT, mode: int, content: bytes | bytearray = b"") -> Node:
        node = Node(mode, content)
        self._nodes[node.inode] = self._nodes[parent].children[name] = node
        return node

    async def lookup(self, parent_inode: InodeT, name: FileNameT, ctx: RequestContext) -> EntryAttributes:
        return self._child(parent_inode, name).attributes()

    async def getattr(self, inode: InodeT, ctx: RequestContext) -> EntryAttributes:
        return self._nodes[inode].attributes()

    async def setattr(
        self, inode: InodeT, attr: EntryAttributes, fields: SetattrFields, fh: FileHandleT | None, ctx: RequestContext
    ) -> EntryAttributes:
        node = self._nodes[inode]
        if fields.update_size:
            content = node.own()
            del content[attr.st_size :]
            content.extend(bytes(attr.st_size - len(content)))
        if fields.update_mode:
            node.mode = stat.S_IFMT(node.mode) | stat.S_IMODE(attr.st_mode)
        if fields.update_mtime:
            node.mtime_ns = attr.st_mtime_ns
        return node.attributes()

    async def readlink(self, inode: InodeT, ctx: RequestContext) -> FileNameT:
        return pyfuse3.FileNameT(bytes(self._nodes[inode].content))

    async def opendir(self, inode: InodeT, ctx: RequestContext) -> FileHandleT:
        self._listings[inode] = list(self._nodes[inode].children.items())
        return pyfuse3.FileHandleT(inode)

    async def readdir(self, fh: FileHandleT, start_id: int, token: ReaddirToken) -> None:
        for at, (name, node) in enumerate(self._listings[fh][start_id:], start_id + 1):
            if not pyfuse3.readdir_reply(token, pyfuse3.FileNameT(name), node.attributes(), at):
                return

    async def open(self, inode: InodeT, flags: FlagT, ctx: RequestContext) -> FileInfo:
        return pyfuse3.FileInfo(fh=pyfuse3.FileHandleT(inode), keep_cache=True)

    async def read(self, fh: FileHandleT, off: int, size: int) -> bytes:
        return self._nodes[fh].content[off : off + size]  # type: ignore[return-value]  # any buffer will do

    async def write(self, fh: FileHandleT, off: int, buf: bytes) -> int:
        node = self._nodes[fh]
        node.own()[off : off + len(buf)] = buf
        node.mtime_ns = time.time_ns()
        return len(buf)

    async def create(
        self, parent_inode: InodeT, name: FileNameT, mode: ModeT, flags: FlagT, ctx: RequestContext
    ) -> tuple[FileInfo, EntryAttributes]:
        node = self._make(parent_inode, name, stat.S_IFREG | stat.S_IMODE(mode), bytearray())
        return pyfuse3.FileInfo(fh=pyfuse3.FileHandleT(node.inode), keep_cache=True), node.attributes()

    async def mkdir(self, parent_inode: InodeT, name: FileNameT, mode: ModeT, ctx: RequestContext) -> EntryAttributes:
        return self._make(parent_inode, name, stat.S_IFDIR | stat.S_IMODE(mode)).attributes()

    async def symlink(
        self, parent_inode: InodeT, name: FileNameT, target: FileNameT, ctx: RequestContext
    ) -> EntryAttributes:
        return self._make(parent_inode, name, stat.S_IFLNK | 0o777, bytes(target)).attributes()

    async def unlink(self, parent_inode: InodeT, name: FileNameT, ctx: RequestContext) -> None:
        del self._nodes[parent_inode].children[name]

    async def rmdir(self, parent_inode: InodeT, name: FileNameT, ctx: RequestContext) -> None:
        if self._child(parent_inode, name).children:
            raise pyfuse3.FUSEError(errno.ENOTEMPTY)
        del self._nodes[parent_inode].children[name]

    async def rename(
        self, parent_inode_old: InodeT, name_old: FileNameT, parent_inode_new: InodeT, name_new: FileNameT,
        flags: FlagT, ctx: RequestContext,
    ) -> None:  # fmt: skip
        node = self._nodes[parent_inode_old].children.pop(name_old)
        self._nodes[parent_inode_new].children[name_new] = node

    async def statfs(self, ctx: RequestContext) -> StatvfsData:
        space = pyfuse3.StatvfsData()
        space.f_bsize = space.f_frsize = 4096
        space.f_blocks = space.f_bfree = space.f_bavail = 1 << 28
        space.f_files = space.f_ffree = space.f_favail = 1 << 28
        space.f_namemax = 255
        return space

    async def access(self, inode: InodeT, mode: ModeT, ctx: RequestContext) -> bool:
        return True

    async def flush(self, fh: FileHandleT) -> None:
        """Nothing is behind it."""

    async def fsync(self, fh: FileHandleT, datasync: bool) -> None:  # noqa: FBT001 - pyfuse3's signature
        """Nothing is behind it."""

    async def release(self, fh: FileHandleT) -> None:
        """Nothing was held."""

    async def releasedir(self, fh: FileHandleT) -> None:
        self._listings.pop(fh, None)

    async def forget(self, inode_list: Sequence[tuple[InodeT, int]]) -> None:
        """All stays known."""


def main(folder: Path, mount_point: str) -> None:
    """Serves until it is unmounted."""
    nodes: dict[int, Node] = {}
    load(folder, nodes)
    pyfuse3.init(Ceiling(nodes), mount_point, {*pyfuse3.default_options, "fsname=ceilfs"})
    try:
        trio.run(pyfuse3.main)
    finally:
        pyfuse3.close(unmount=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
