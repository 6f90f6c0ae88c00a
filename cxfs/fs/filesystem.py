"""The file system without a kernel: what a program can do to a mount, in the words of files. Raises only CxfsError.

Numbers, errno and the kernel's structures are `fuse`'s; how names, content and uploads work is in the rooms beside this
one, which it puts together into the one thing that `fuse` and the tests drive.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from cxfs.core.errors import BadName, NameTooLong
from cxfs.core.names import from_kernel
from cxfs.core.ranges import ByteRange
from cxfs.fs.attributes import AttributeRules, Attributes, check_settable, extended_attribute, extended_attributes
from cxfs.fs.version_folders import refuse_versions

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from cxfs.core.entries import Entry, Path
    from cxfs.fs.backups import Backups
    from cxfs.fs.changes import Change
    from cxfs.fs.file_handle import FileHandle, Opened
    from cxfs.fs.handles import Contents
    from cxfs.fs.journal import Journal
    from cxfs.fs.listings import Child
    from cxfs.fs.namespace import Namespace
    from cxfs.fs.node import Node
    from cxfs.fs.permissions import Permissions
    from cxfs.fs.renaming import Rename, Renaming
    from cxfs.fs.space import Space, SpaceWatch
    from cxfs.fs.tree import Tree
    from cxfs.fs.version_folders import Names


class TimeKeeper(Protocol):
    """The part of the File API that changes a time."""

    async def set_modified(self, path: Path, modified_ms: int) -> Entry:
        """The object with its new time."""
        ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a setattr asks for; None: leave as it is. `modified_ms` is in milliseconds since the epoch."""

    size: int | None = None
    mode: int | None = None
    uid: int | None = None
    gid: int | None = None
    modified_ms: int | None = None


@dataclass(frozen=True, slots=True)
class FolderHandle:
    """An open folder: everything in it at the moment it was opened, so that the cookies of a listing stay true."""

    folder: Node
    children: tuple[Child, ...]


class FileSystem:
    """One mounted tree. `names` is it too, with `.versions` in it where that is wanted.

    `keeps_times`: the server has capability `attributes`. `bring` is as `Bringing.bring`.

    `arrive` returns when the server has what was written of a change (mount option `sync=remote`).
    """

    def __init__(
        self,
        tree: Tree,
        namespace: Namespace,
        renaming: Renaming,
        backups: Backups,
        contents: Contents,
        journal: Journal,
        attributes: AttributeRules,
        space: SpaceWatch,
        files: TimeKeeper,
        permissions: Permissions,
        *,
        names: Names,
        keeps_times: bool,
        bring: Callable[[Node], Awaitable[None]],
        arrive: Callable[[Change], Awaitable[None]] | None = None,
    ) -> None:
        self._tree = tree
        self._namespace = namespace
        self._renaming = renaming
        self._backups = backups
        self._contents = contents
        self._journal = journal
        self._attributes = attributes
        self._space = space
        self._files = files
        self._permissions = permissions
        self._names = names
        self._keeps_times = keeps_times
        self._bring = bring
        self._arrive = arrive

    @property
    def root(self) -> Node:
        """The folder that is mounted."""
        return self._tree.root

    # ------------------------------------------------------------ looking

    async def lookup(self, folder: Node, name: bytes) -> tuple[Node | None, float]:
        """The node of a name, None when there is none, and for how many seconds that may be believed."""
        if name == b".":
            return folder, 0.0
        if name == b"..":
            return folder.parent or folder, 0.0
        try:
            shown = from_kernel(name)
        except NameTooLong:
            raise
        except BadName:
            return None, 0.0  # nothing is called so, and nothing can be
        return await self._names.lookup(folder, shown)

    async def attributes(self, node: Node) -> tuple[Attributes, float]:
        """What `stat` says, fresh, and for how many seconds it may be believed."""
        await self._tree.refresh(node)
        return self._attributes.of(node), self._tree.believed_s(node)

    def attributes_now(self, node: Node) -> Attributes:
        """What `stat` says by what is known. Asks nobody."""
        return self._attributes.of(node)

    def believed_s(self, node: Node) -> float:
        """For how many seconds what is known of the node may be believed. Asks nobody."""
        return self._tree.believed_s(node)

    async def open_folder(self, folder: Node) -> FolderHandle:
        """Everything in the folder, one request for all of it at most."""
        return FolderHandle(folder, tuple(await self._names.children(folder)))

    def child(self, handle: FolderHandle, index: int) -> tuple[Child, Node] | None:
        """The node of one line of the listing; None when it was removed since."""
        child = self._names.as_now(handle.folder, handle.children[index])
        if child is None:
            return None
        return child, self._names.node_of_child(handle.folder, child)

    def space(self) -> Space:
        """The account's room; never waits."""
        return self._space.now

    def extended_attributes(self, node: Node) -> Mapping[str, bytes]:
        """`user.cx.*` of the node."""
        return extended_attributes(node)

    def extended_attribute(self, node: Node, name: bytes) -> bytes:
        """One of them; raises NoAttribute or ForeignAttribute."""
        return extended_attribute(node, name.decode(errors="replace"))

    async def set_extended_attribute(self, node: Node, name: bytes) -> None:
        """`user.cx.sync`: returns when the server has the node and all below it. Raises as `Bringing.bring` does.

        Raises Unsupported or ForeignAttribute for any other name.
        """
        check_settable(name.decode(errors="replace"))
        await self._bring(node)

    def release(self, node: Node) -> None:
        """The kernel has forgotten the node."""
        node.kernel = False
        self._tree.nodes.release(node)

    def unused(self, node: Node) -> None:
        """The kernel was not told of the node after all."""
        self._tree.nodes.release(node)

    # ------------------------------------------------------------ names

    async def make_folder(self, folder: Node, name: bytes, mode: int) -> Node:
        """A new folder with these permission bits."""
        node = await self._namespace.make_folder(folder, from_kernel(name))
        self._keep_mode(node, mode)
        return node

    async def remove(self, folder: Node, name: bytes) -> None:
        """unlink(2)."""
        if not await self._backups.succeeded(folder, from_kernel(name)):
            await self._namespace.remove(folder, from_kernel(name))

    async def remove_folder(self, folder: Node, name: bytes) -> None:
        """rmdir(2)."""
        await refuse_versions(self._names, folder, from_kernel(name))
        await self._namespace.remove_folder(folder, from_kernel(name))

    async def rename(self, folder: Node, name: bytes, new_folder: Node, new_name: bytes, how: Rename) -> None:
        """Renames, as renameat2(2) does."""
        shown, new_shown = from_kernel(name), from_kernel(new_name)
        await refuse_versions(self._names, folder, shown)
        await refuse_versions(self._names, new_folder, new_shown)
        await self._renaming.rename(folder, shown, new_folder, new_shown, how)

    async def fsync_folder(self) -> None:
        """Names that came and went so far, in any folder, survive power loss."""
        await self._journal.make_durable()

    # ------------------------------------------------------------ content

    async def create(self, folder: Node, name: bytes, mode: int) -> Opened:
        """A new file, open for writing; it shows here at once and is accepted when closed."""
        path = await self._namespace.new_path(folder, from_kernel(name))
        opened = self._contents.create(folder, path, folder.uuid)
        self._namespace.succeed(opened.handle.node, folder)
        self._keep_mode(opened.handle.node, mode)
        await self._namespace.touched(folder)
        return opened

    async def make_file(self, folder: Node, name: bytes, mode: int) -> Node:
        """Creates and closes a regular file: mknod(2)."""
        opened = await self.create(folder, name, mode)
        node = opened.handle.node
        node.kernel = True  # it must outlive its handle until the caller has told the kernel of it
        await self._contents.release(opened.handle)
        return node

    async def open(self, node: Node, *, writable: bool, truncate: bool) -> Opened:
        """A handle on an existing file."""
        return await self._contents.open(node, writable=writable, truncate=truncate)

    def ready(self, handle: FileHandle, offset: int, size: int) -> memoryview | None:
        """What `read` would return, if it is in memory; to be used before anything else happens."""
        return self._contents.ready(handle, ByteRange(offset, offset + size))

    async def read(self, handle: FileHandle, offset: int, size: int) -> bytes:
        """Up to `size` bytes; fewer only at the end of the file."""
        return await self._contents.read(handle, ByteRange(offset, offset + size))

    def expect_a_first_look(self) -> None:
        """It is about to be mounted: what is looked at first is asked for now. Waits for nothing, and cannot fail."""
        self._tree.expect_a_first_look()

    async def keep_drafts_ready(self) -> None:
        """Makes drafts ahead for new files, until cancelled."""
        await self._contents.keep_drafts_ready()

    async def write(self, handle: FileHandle, offset: int, content: bytes | memoryview) -> int:
        """Takes all of it; the number of bytes."""
        return await self._contents.write(handle, offset, content)

    async def flush(self, handle: FileHandle) -> None:
        """For close(2) of one descriptor: what was written survives the daemon."""
        await self._contents.flush(handle)

    async def fsync(self, handle: FileHandle) -> None:
        """What was written so far survives power loss."""
        await self._contents.fsync(handle)

    async def arrived(self, handle: FileHandle) -> None:
        """After flush and fsync: with `sync=remote` returns when the server has it, else at once.

        It keeps to a deadline of its own: as long as the server takes anything it goes on, however large the file is.
        """
        if self._arrive is not None and handle.change is not None:
            await self._arrive(handle.change)

    async def close(self, handle: FileHandle) -> None:
        """Ends an open: its last descriptor is gone."""
        await self._contents.release(handle)

    # ------------------------------------------------------------ attributes

    async def set_attributes(self, node: Node, wanted: Wanted, handle: FileHandle | None) -> None:
        """truncate, chmod, chown, utimens: whichever of them is wanted."""
        self._permissions.check(node)
        node = node if handle is None else handle.node  # which a conflict may have given a node of its own
        if wanted.size is not None and wanted.size != node.size:
            await self._contents.truncate(node, wanted.size, handle)
        if wanted.mode is not None or wanted.uid is not None or wanted.gid is not None:
            self._attributes.keep(node, mode=wanted.mode, uid=wanted.uid, gid=wanted.gid)
        if wanted.modified_ms is not None:
            await self._set_time(node, wanted.modified_ms)

    async def _set_time(self, node: Node, modified_ms: int) -> None:
        change = node.change
        if change is not None:
            change.modified_ms = modified_ms
            if change.journalled >= 0:
                await self._journal.record(change)
            return
        if node.is_folder:
            await self._set_folder_time(node, modified_ms)
        else:
            await self._tell_time(node, modified_ms)
            self._attributes.keep_time(node, modified_ms)

    async def _set_folder_time(self, folder: Node, modified_ms: int) -> None:
        # Kept before anything is waited for: a name that changes in the folder meanwhile takes both back together.
        self._attributes.keep_time(folder, modified_ms)
        if self._keeps_times and self._namespace.is_busy(folder):
            await self._namespace.stamp(folder, modified_ms)
            return
        try:
            await self._tell_time(folder, modified_ms)
        except BaseException:
            self._attributes.drop_time(folder)
            raise

    async def _tell_time(self, node: Node, modified_ms: int) -> None:
        if self._keeps_times and node.entry is not None and not node.gone and not self._tree.is_new(node):
            entry = await self._files.set_modified(node.entry.path, modified_ms)
            if node.parent is not None:
                self._tree.put(entry, node.parent.uuid)
            if node.pages_of == node.entry.version:
                node.pages_of = entry.version
            node.entry = entry

    def _keep_mode(self, node: Node, mode: int) -> None:
        if mode & 0o7777 != self._attributes.of(node).mode:
            self._attributes.keep(node, mode=mode)
