"""The file system without a kernel: what a program can do to a mount, in the words of files. Raises only CxfsError.

Numbers, errno and the kernel's structures are `fuse`'s; how names, content and uploads work is in the rooms beside this
one, which it puts together into the one thing that `fuse` and the tests drive.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from cxfs.core.errors import BadName, CxfsError, Invalid, NameTooLong, Unsupported
from cxfs.core.names import from_kernel
from cxfs.core.posix import PosixUpdate, marked
from cxfs.core.ranges import ByteRange
from cxfs.fs.attributes import is_sync, xattr_name
from cxfs.fs.version_folders import refuse_versions

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from cxfs.fs.attributes import AttributeRules, Attributes
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
    from cxfs.fs.setting import Setting
    from cxfs.fs.space import Space, SpaceWatch
    from cxfs.fs.tree import Tree
    from cxfs.fs.version_folders import Names


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a setattr asks for; None: leave as it is. `modified_ns` is in nanoseconds since the epoch."""

    size: int | None = None
    mode: int | None = None
    uid: int | None = None
    gid: int | None = None
    modified_ns: int | None = None


@dataclass(frozen=True)
class FolderHandle:
    """An open folder, with all that is in it at the moment when it is first read: cookies of its listing stay true.

    So what its opener makes there before it reads is in the listing, too.
    """

    folder: Node
    take: Callable[[], Sequence[Child]]

    @cached_property
    def children(self) -> tuple[Child, ...]:
        """Everything in it. Asks nobody."""
        return tuple(self.take())


class FileSystem:
    """One mounted tree. `names` is it too, with `.versions` in it where that is wanted.

    `bring` is as `Bringing.bring`.

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
        setting: Setting,
        space: SpaceWatch,
        permissions: Permissions,
        *,
        names: Names,
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
        self._setting = setting
        self._space = space
        self._permissions = permissions
        self._names = names
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
        return FolderHandle(folder, await self._names.opened(folder))

    def child(self, handle: FolderHandle, index: int) -> tuple[Child, Node] | None:
        """The node of one line of the listing; None when it was removed since."""
        child = self._names.as_now(handle.folder, handle.children[index])
        if child is None:
            return None
        return child, self._names.node_of_child(handle.folder, child)

    def space(self) -> Space:
        """The account's room; never waits."""
        return self._space.now

    @property
    def lists_attributes(self) -> bool:
        """Whether there are extended attributes that programs have set."""
        return self._setting.keeps_posix

    def target(self, node: Node) -> str:
        """Where a symbolic link leads; raises Invalid for anything else."""
        link = self._attributes.posix_of(node).link
        if link is None:
            raise Invalid(f"{node.shown!r} is no symbolic link")
        return link

    def extended_attributes(self, node: Node) -> Mapping[str, bytes]:
        """`user.cx.*` of the node."""
        return self._attributes.of_ours(node)

    def extended_attribute(self, node: Node, name: bytes) -> bytes:
        """One of them, or what a program has set; raises NoAttribute or ForeignAttribute."""
        return self._attributes.extended(node, name.decode(errors="replace"))

    def listed_attributes(self, node: Node) -> list[str]:
        """Names of what programs have set. Ours are not among them: who copies all of them could not set those."""
        return [name for name, _ in self._attributes.posix_of(node).xattrs]

    async def set_extended_attribute(self, node: Node, name: bytes, value: bytes) -> None:
        """`user.cx.sync`: returns when the server has the node and all below it. Raises as `Bringing.bring` does.

        Any other: accepted when this returns. Raises as `Setting.set_xattr` does.
        """
        text = xattr_name(name)
        if is_sync(text):
            await self._bring(node)
            return
        self._permissions.check(node)
        await self._setting.set_xattr(node, text, value)

    async def remove_extended_attribute(self, node: Node, name: bytes) -> None:
        """Raises as `Setting.set_xattr` does."""
        text = xattr_name(name)
        if is_sync(text):
            raise Unsupported(f"{text} is never there")
        self._permissions.check(node)
        await self._setting.set_xattr(node, text, None)

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
        mode = self._attributes.handed_down(folder, mode)
        node = await self._namespace.make_folder(folder, from_kernel(name), self._setting.of_new(mode))
        self._setting.keep_mode(node, mode)
        self._attributes.begin(node, folder)
        return node

    async def make_link(self, folder: Node, name: bytes, target: bytes) -> Node:
        """A new symbolic link. Raises NameTooLong, BadName for a target that CX cannot hold."""
        link = target.decode(errors="surrogateescape")
        content = marked(link)
        opened = await self._create(folder, name, PosixUpdate(link=link, xattrs=self._setting.of_new(0).xattrs))
        node = opened.handle.node
        node.kernel = True  # as in `make_file`
        try:
            await self._contents.write(opened.handle, 0, content)
            await self._namespace.touched(folder)
        except BaseException:
            with contextlib.suppress(CxfsError):
                await self._namespace.remove(folder, from_kernel(name))
            raise
        finally:
            await self._contents.release(opened.handle)
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
        opened = await self._create(folder, name, self._setting.of_new(mode))
        self._setting.keep_mode(opened.handle.node, mode)
        self._attributes.begin(opened.handle.node, folder)
        await self._namespace.touched(folder)
        return opened

    async def _create(self, folder: Node, name: bytes, posix: PosixUpdate) -> Opened:
        path = await self._namespace.new_path(folder, from_kernel(name))
        opened = self._contents.create(folder, path, folder.uuid, posix)
        self._namespace.succeed(opened.handle.node, folder)
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
        if wanted.uid is not None or wanted.gid is not None:
            self._attributes.keep(node, uid=wanted.uid, gid=wanted.gid)
        if wanted.mode is not None or wanted.modified_ns is not None:
            await self._setting.set(node, mode=wanted.mode, modified_ns=wanted.modified_ns)
