"""Open files: reading and writing their content. Names are not its matter, nor how a change reaches the server.

A clean file is read from the version that the handle opened. The first write begins a change with a draft over that
version; from then on every handle of the file sees the draft, and after the upload the version it became.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import trio

from cxfs.core.errors import IsADirectory, Stale
from cxfs.core.posix import NOTHING
from cxfs.core.ranges import ByteRange
from cxfs.core.uploads import Event
from cxfs.fs.base import bring_base
from cxfs.fs.changes import Change, Changes
from cxfs.fs.file_handle import FileHandle, Opened

if TYPE_CHECKING:
    from collections.abc import Callable

    from cxfs.core.entries import Entry, TreePath, Uuid
    from cxfs.core.posix import PosixUpdate
    from cxfs.fs.ahead import FilesAhead
    from cxfs.fs.errands import Errands
    from cxfs.fs.journal import Journal
    from cxfs.fs.messenger import Messenger
    from cxfs.fs.node import Node
    from cxfs.fs.offload import Offload
    from cxfs.fs.permissions import Permissions
    from cxfs.fs.reader import Reader
    from cxfs.fs.room import Room
    from cxfs.fs.tree import Tree
    from cxfs.fs.uploader import Uploader
    from cxfs.local.outbox import Outbox


QUICK_BYTES_MAX: Final = 256 << 10
"""A write of up to this size (cp's are half as large) takes some ten microseconds into the page cache, and is not worth
a thread."""


class Contents:
    """The content side of the file system."""

    def __init__(
        self,
        tree: Tree,
        *,
        reader: Reader,
        ahead: FilesAhead,
        uploader: Uploader,
        messenger: Messenger,
        errands: Errands,
        outbox: Outbox,
        changes: Changes,
        journal: Journal,
        disk: Offload,
        quick: Offload,
        wall_ms: Callable[[], int],
        room: Room,
        permissions: Permissions,
    ) -> None:
        self._tree = tree
        self._reader = reader
        self._ahead = ahead
        self._uploader = uploader
        self._messenger = messenger
        self._errands = errands
        self._outbox = outbox
        self._changes = changes
        self._journal = journal
        self._disk = disk
        self._quick = quick
        self._spares_low = trio.Event()
        self._wall_ms = wall_ms
        self._room = room
        self._permissions = permissions

    # ------------------------------------------------------------ opening and closing

    async def open(self, node: Node, *, writable: bool, truncate: bool) -> Opened:
        """A handle on the file as it is now (close-to-open). Raises IsADirectory, Denied, ReadOnly, NotFound."""
        if node.is_folder:
            raise IsADirectory(f"{node.shown!r} is a folder")
        if writable or truncate:
            self._permissions.check(node)
        if node.change is None:
            await self._tree.refresh(node)
        _check_there(node)
        handle = FileHandle(node, writable=writable)
        opened = self._how_to_treat(handle)
        node.handles.add(handle)
        try:
            if truncate:
                await self.truncate(node, 0, handle)
        except BaseException:
            node.handles.discard(handle)
            raise
        return opened

    def _how_to_treat(self, handle: FileHandle) -> Opened:
        node = handle.node
        if node.change is not None or node.entry is None:
            return Opened(handle, keep_cache=True, direct=False)
        version = node.entry.version
        if node.pages_of == version:
            handle.is_again = True
            return Opened(handle, keep_cache=True, direct=False)
        if node.handles or node.strangers:  # which use pages of another version: this one goes round them
            return Opened(handle, keep_cache=True, direct=True)
        node.pages_of = version
        return Opened(handle, keep_cache=False, direct=False)

    def create(self, folder: Node, path: TreePath, parent: Uuid, posix: PosixUpdate = NOTHING) -> Opened:
        """A new empty file, opened for writing. It is accepted when it is first closed."""
        change = self._new_change(inode=self._tree.nodes.new_number(), parent=parent, path=path, size=0, base_bytes=0)
        change.posix = posix
        self._changes.add(change)
        node = self._tree.nodes.node_of_change(change, folder)
        change.has_backup = node.shown == folder.vacated
        handle = FileHandle(node, writable=True)
        node.handles.add(handle)
        handle.change = change
        change.writers.add(handle)
        return Opened(handle, keep_cache=True, direct=False)

    async def flush(self, handle: FileHandle) -> None:
        """What `close(2)` waits for: everything written so far is in the journal."""
        change = handle.node.change
        if change is not None and change.generation != change.journalled:
            await self._journal.record(change)

    async def fsync(self, handle: FileHandle) -> None:
        """What was written so far survives power loss."""
        change = handle.node.change
        if change is not None and not handle.node.gone:
            await self._journal.record(change, durable=True)

    async def release(self, handle: FileHandle) -> None:
        """The handle is closed for good; with the last writer the change is ready to be sent."""
        node = handle.node
        node.handles.discard(handle)
        handle.opened.strangers.discard(handle)
        handle.leave_stream()
        change = handle.change
        try:
            if change is not None:
                change.writers.discard(handle)
                await self._settle(change)
        finally:
            if not node.handles and node.gone:
                self._last_close(node)
            self._tree.nodes.release(node)

    async def _settle(self, change: Change) -> None:
        """Journals the change and, when nobody writes any more, hands it to the uploader: even if the journal fails."""
        try:
            if change.generation != change.journalled:
                await self._journal.record(change)
        finally:
            self._uploader.closed(change)

    def _last_close(self, node: Node) -> None:
        change = node.change
        if change is not None and change not in self._changes:  # else who replaces the file is about to withdraw it
            node.change = None
            self._uploader.let_go(change)
        removal = self._errands.removal_of(node.entry.id) if node.entry is not None else None
        if removal is not None and removal.node is node:
            self._messenger.closed(removal)

    # ------------------------------------------------------------ reading

    def ready(self, handle: FileHandle, wanted: ByteRange) -> memoryview | None:
        """What `read` would return, if it is in memory. Good until the next call."""
        if handle.node.change is not None or handle.stream is None:
            return None
        return handle.stream.ready(wanted)

    async def read(self, handle: FileHandle, wanted: ByteRange) -> bytes:
        """The bytes of `wanted` that the file has; fewer only at its end."""
        while (change := handle.node.change) is not None:  # after each wait: it may have become a version meanwhile
            within = wanted.clipped(ByteRange(0, change.draft.size))
            if not change.draft.missing(within):
                return change.draft.read(within)
            await bring_base(self._reader, change, within)
        if handle.entry is None:
            raise Stale("the file is gone")
        content = await self._fetched_ahead(handle, handle.entry)
        if content is not None:
            return content[wanted.start : wanted.stop]
        if handle.stream is None:
            handle.stream = self._reader.open(handle.entry)
        stream = handle.stream
        try:
            return await stream.read(wanted)
        except Stale:
            if handle.stream is stream:
                handle.node.is_doubted = handle.node.entry is not None and handle.node.entry == handle.entry
                raise
            return await self.read(handle, wanted)  # what was written here took the place of the version it read

    async def _fetched_ahead(self, handle: FileHandle, entry: Entry) -> bytes | None:
        """All of the version that the handle opened, if it was, or is just being, fetched ahead."""
        if not handle.is_read:
            handle.is_read = True
            if handle.node.parent is not None:
                handle.parcel = self._ahead.read(entry, handle.node.parent.uuid, again=handle.is_again)
        if handle.parcel is not None and handle.parcel.is_on_its_way:
            self._reader.require()
        return await handle.parcel.content() if handle.parcel is not None else None

    # ------------------------------------------------------------ writing

    async def keep_drafts_ready(self) -> None:
        """Makes drafts ahead for new files, until cancelled."""
        spares = self._outbox.spares
        while True:
            self._spares_low = trio.Event()
            if spares.are_low:
                await self._disk(spares.refill)
            await self._spares_low.wait()

    async def write(self, handle: FileHandle, offset: int, content: bytes | memoryview) -> int:
        """All of `content`, into the draft. Raises NoSpace or DiskFull when there is no room."""
        change = self.change_of(handle.node, handle)
        self._room.require(change, size=offset + len(content), added_bytes=len(content))
        change.on(Event.WRITTEN)
        put = self._quick if len(content) <= QUICK_BYTES_MAX else self._disk
        try:
            await put(change.draft.write, offset, content)
        finally:
            self._wrote(change)
        return len(content)

    async def truncate(self, node: Node, size: int, handle: FileHandle | None) -> None:
        """The file has `size` bytes from now on; what is new reads as zeros."""
        if handle is None and node.change is None:
            await self._tree.refresh(node)
        change = self.change_of(node, handle)
        self._room.require(change, size=size, added_bytes=0)
        if size < change.draft.size and change.journalled >= 0:
            await self._journal.will_shrink(change, size)
            change = self.change_of(node, handle)  # what was sent meanwhile is over
        change.on(Event.WRITTEN)
        try:
            change.draft.truncate(size)
        finally:
            self._wrote(change)
        if handle is None:
            await self._settle(change)

    def _wrote(self, change: Change) -> None:
        # Counted before and after: whatever the journal recorded in between is not the whole of this write.
        change.on(Event.WRITTEN)
        self._changes.count(change)
        change.written_at(self._wall_ms())

    def change_of(self, node: Node, writer: FileHandle | None) -> Change:
        """The change that a write goes to; begun here if there is none. No await: two writers share one."""
        change = node.change
        if change is None:
            base = writer.entry if writer is not None and writer.entry is not None else node.entry
            change = self._begin(node, base)
        if writer is not None:
            writer.change = change
            change.writers.add(writer)
        return change

    def _begin(self, node: Node, base: Entry | None) -> Change:
        _check_there(node)
        if base is None or node.parent is None:
            raise Stale("the file is gone")
        change = self._new_change(
            inode=node.inode,
            parent=node.parent.uuid,
            path=self._tree.path_of(node),
            size=base.size,
            base_bytes=base.size,
        )
        change.begin_from(base)
        change.posix = replace(change.posix, link=base.posix.link)
        if node.gone:
            self._outbox.erase(change.id)  # an unlinked file: its draft goes with its last descriptor
        else:
            self._changes.add(change)
        node.change, change.node = change, node
        return change

    def has_all_of(self, node: Node) -> bool:
        """Whether no content of the node would have to be fetched."""
        if node.change is not None:
            return not node.change.missing()
        return node.entry is not None and self._reader.holds(node.entry)

    async def complete_change(self, node: Node, modified_ms: int, posix: PosixUpdate) -> Change | None:
        """The node's change, begun with its whole content if there is none; None where not all of that is here."""
        if not self.has_all_of(node):
            return None
        if node.change is not None:
            return node.change
        assert node.entry is not None
        change = self._begin(node, node.entry)
        change.modified_ms, change.posix = modified_ms, posix
        try:
            await bring_base(self._reader, change, ByteRange(0, node.entry.size))
        except BaseException:
            self._changes.remove(change)
            node.change = change.node = None
            self._uploader.let_go(change)
            self._outbox.erase(change.id)
            raise
        self._changes.count(change)
        return change

    def _new_change(self, *, inode: int, parent: Uuid, path: TreePath, size: int, base_bytes: int) -> Change:
        change_id, draft = self._outbox.new_draft(size=size, base_bytes=base_bytes)
        if self._outbox.spares.are_low:
            self._spares_low.set()
        return Change(change_id, draft, inode=inode, parent=parent, path=path, modified_ms=self._wall_ms())


def _check_there(node: Node) -> None:
    """A file that is gone lives on for those who have it open; for others it is gone, whatever the kernel remembers."""
    if node.gone and not node.handles:
        raise Stale("the file is gone")
