"""Programs at work in a file system without a kernel: they go by paths and do what open, read, write and close do."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

import trio
from trio.testing import wait_all_tasks_blocked

from cxfs.fs.filesystem import FileSystem, FolderHandle, Wanted
from cxfs.fs.renaming import Rename

if TYPE_CHECKING:
    from cxfs.fs.attributes import Attributes
    from cxfs.fs.file_handle import FileHandle
    from cxfs.fs.node import Node
    from cxfs.fs.volume import Volume
    from cxfs.local.outbox import Outbox
    from cxfs.remote.watch import ConnectionWatch


Mounts = Callable[..., AbstractAsyncContextManager["Desk"]]
"""One run of the daemon after the other."""


class NoSuchName(Exception):
    """The lookup found nothing: what a program sees as ENOENT."""


class Desk:
    """One mount's programs."""

    def __init__(self, volume: Volume, outbox: Outbox, watch: ConnectionWatch) -> None:
        self.volume = volume
        self.watch = watch
        self.outbox = outbox
        self.fs: FileSystem = volume.filesystem

    async def node(self, name: str) -> Node:
        """Walks the path, as the kernel does."""
        node = self.fs.root
        for part in name.split("/") if name else ():
            found, _ = await self.fs.lookup(node, part.encode())
            if found is None:
                raise NoSuchName(name)
            found.kernel = True
            node = found
        return node

    async def has(self, name: str) -> bool:
        """Whether the path leads anywhere."""
        try:
            await self.node(name)
        except NoSuchName:
            return False
        return True

    async def names(self, folder: str = "") -> set[str]:
        """What `ls` prints."""
        handle = await self.fs.open_folder(await self.node(folder))
        return {child.shown for child in handle.children}

    async def listed(self, folder: str = "") -> list[str]:
        """The same, in the order in which a program is told."""
        handle = await self.fs.open_folder(await self.node(folder))
        return [child.shown for child in handle.children]

    async def walks(self, folder: str = "") -> FolderHandle:
        """An open folder of which the listing is being read."""
        handle = await self.fs.open_folder(await self.node(folder))
        assert handle.children is not None
        return handle

    async def stat(self, name: str) -> Attributes:
        """What `stat` prints."""
        return (await self.fs.attributes(await self.node(name)))[0]

    # ------------------------------------------------------------ content

    async def opens(self, name: str, *, writable: bool = False, truncate: bool = False) -> FileHandle:
        """An open file."""
        return (await self.fs.open(await self.node(name), writable=writable, truncate=truncate)).handle

    async def creates(self, name: str, mode: int = 0o644) -> FileHandle:
        """A new open file."""
        folder, _, last = name.rpartition("/")
        opened = await self.fs.create(await self.node(folder), last.encode(), mode)
        opened.handle.node.kernel = True
        return opened.handle

    async def closes(self, handle: FileHandle) -> None:
        """What close(2) of the only descriptor does."""
        await self.fs.flush(handle)
        await self.fs.close(handle)

    async def reads(self, name: str) -> bytes:
        """What `cat` prints."""
        handle = await self.opens(name)
        try:
            return await self.all_of(handle)
        finally:
            await self.closes(handle)

    async def all_of(self, handle: FileHandle) -> bytes:
        """An open file from its start to its end."""
        return await self.fs.read(handle, 0, 1 << 30)

    async def writes(self, name: str, content: bytes) -> None:
        """What `printf … > name` does."""
        exists = await self.has(name)
        handle = await (self.opens(name, writable=True, truncate=True) if exists else self.creates(name))
        await self.fs.write(handle, 0, content)
        await self.closes(handle)

    async def edits(self, name: str, content: bytes, *, append: bool) -> bytes:
        """What an editor does: reads what is there, and writes in its place, or at its end. What it has read."""
        seen = b""
        if await self.has(name):
            handle = await self.opens(name, writable=True)
            seen = await self.all_of(handle)
        else:
            handle = await self.creates(name)
        try:
            if not append:
                await self.fs.set_attributes(handle.node, Wanted(size=0), handle)
            await self.fs.write(handle, len(seen) if append else 0, content)
        finally:
            await self.closes(handle)
        return seen

    async def patches(self, name: str, offset: int, content: bytes) -> None:
        """What `dd conv=notrunc` does."""
        handle = await self.opens(name, writable=True)
        await self.fs.write(handle, offset, content)
        await self.closes(handle)

    async def truncates(self, name: str, size: int) -> None:
        """What `truncate -s` does."""
        await self.fs.set_attributes(await self.node(name), Wanted(size=size), None)

    async def touches(self, name: str, modified_ms: int) -> None:
        """What `touch -d` does."""
        await self.fs.set_attributes(await self.node(name), Wanted(modified_ns=modified_ms * 1_000_000), None)

    async def sets_mode(self, name: str, mode: int) -> None:
        """What `chmod` does."""
        await self.fs.set_attributes(await self.node(name), Wanted(mode=mode), None)

    async def sets_time(self, name: str, modified_ns: int) -> None:
        """What `touch -d` does, to the nanosecond."""
        await self.fs.set_attributes(await self.node(name), Wanted(modified_ns=modified_ns), None)

    async def sets(self, name: str, attribute: str, value: bytes) -> None:
        """What `setfattr` does."""
        await self.fs.set_extended_attribute(await self.node(name), attribute.encode(), value)

    async def takes_away(self, name: str, attribute: str) -> None:
        """What `setfattr -x` does."""
        await self.fs.remove_extended_attribute(await self.node(name), attribute.encode())

    async def xattrs(self, name: str) -> dict[str, bytes]:
        """What `getfattr -d` prints."""
        node = await self.node(name)
        names = self.fs.listed_attributes(node)
        return {each: self.fs.extended_attribute(node, each.encode()) for each in names}

    # ------------------------------------------------------------ names

    async def links(self, name: str, target: str) -> None:
        """What `ln -s` does."""
        folder, _, last = name.rpartition("/")
        (await self.fs.make_link(await self.node(folder), last.encode(), target.encode())).kernel = True

    async def target(self, name: str) -> str:
        """What `readlink` prints."""
        return self.fs.target(await self.node(name))

    async def makes_folder(self, name: str, mode: int = 0o755) -> None:
        """What `mkdir` does."""
        folder, _, last = name.rpartition("/")
        (await self.fs.make_folder(await self.node(folder), last.encode(), mode)).kernel = True

    async def removes(self, name: str) -> None:
        """What `rm` does."""
        folder, _, last = name.rpartition("/")
        await self.fs.remove(await self.node(folder), last.encode())

    async def removes_folder(self, name: str) -> None:
        """What `rmdir` does."""
        folder, _, last = name.rpartition("/")
        await self.fs.remove_folder(await self.node(folder), last.encode())

    async def renames(self, name: str, to: str, how: Rename = Rename.REPLACE) -> None:
        """What `mv` does."""
        folder, _, last = name.rpartition("/")
        new_folder, _, new_last = to.rpartition("/")
        await self.fs.rename(
            await self.node(folder), last.encode(), await self.node(new_folder), new_last.encode(), how
        )

    # ------------------------------------------------------------ time and uploads

    async def waits(self, seconds: float) -> None:
        """Does nothing for so long, by the clock of the test."""
        await trio.sleep(seconds)

    def reports(self) -> list[tuple[str, str]]:
        """What a person is told later: what it is about, and what happened."""
        return [(report.path, report.text) for report in self.outbox.reports()]

    async def settles(self) -> None:
        """Waits until nothing is on its way any more, and what is to be told of it is."""
        while self.volume.uploader.busy:
            await self.volume.uploader.ended()
        await wait_all_tasks_blocked()


async def shown_by(desk: Desk, folder: str = "") -> dict[str, bytes]:
    """Everything in the mount, folders as `name/`."""
    found: dict[str, bytes] = {}
    for name in await desk.names(folder):
        path = f"{folder}/{name}" if folder else name
        if (await desk.node(path)).is_folder:
            found[f"{path}/"] = b""
            found |= await shown_by(desk, path)
        else:
            found[path] = await desk.reads(path)
    return found
