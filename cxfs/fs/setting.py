"""What chmod, utimens and setxattr do: where an attribute goes that a program sets. What `stat` says is `attributes`'.

A server with capability `posix` keeps all of them: they go along with content that waits, or in an errand of their own,
and nobody waits for the server. Another one is told times, if it keeps those; the rest holds for this mount's life.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from cxfs.core.errors import ForeignAttribute, NoAttribute, Unsupported
from cxfs.core.posix import NOTHING, Patch, PosixUpdate, check_room, permissions

if TYPE_CHECKING:
    from cxfs.core.entries import Entry, Path
    from cxfs.fs.attributes import AttributeRules
    from cxfs.fs.changes import Change
    from cxfs.fs.journal import Journal
    from cxfs.fs.namespace import Namespace
    from cxfs.fs.node import Node
    from cxfs.fs.tree import Tree


class AttributeKeeper(Protocol):
    """The part of the File API that changes attributes."""

    async def update(self, path: Path, modified_ms: int | None, posix: PosixUpdate = NOTHING) -> Entry:
        """The object with its new attributes."""
        ...


class Setting:
    """Attributes set in one mount. `keeps_times`: the server has capability `attributes`, `keeps_posix`: `posix`."""

    def __init__(
        self,
        tree: Tree,
        namespace: Namespace,
        journal: Journal,
        attributes: AttributeRules,
        files: AttributeKeeper,
        *,
        keeps_times: bool,
        keeps_posix: bool,
    ) -> None:
        self._tree = tree
        self._namespace = namespace
        self._journal = journal
        self._attributes = attributes
        self._files = files
        self._keeps_times = keeps_times
        self.keeps_posix = keeps_posix

    # ------------------------------------------------------------ something new

    def of_new(self, mode: int) -> PosixUpdate:
        """What a new file or folder with these permission bits brings along."""
        return PosixUpdate(mode=permissions(mode), xattrs=()) if self.keeps_posix else NOTHING

    def keep_mode(self, node: Node, mode: int) -> None:
        """Of something new, for this mount's life, where the server does not keep it."""
        if not self.keeps_posix and permissions(mode) != self._attributes.of(node).mode:
            self._attributes.keep(node, mode=mode)

    # ------------------------------------------------------------ something that is there

    async def set(self, node: Node, *, mode: int | None = None, modified_ns: int | None = None) -> None:
        """chmod(2) and utimensat(2). None: left as it is."""
        if self.keeps_posix and self._is_kept_there(node):
            rest_ns = 0 if modified_ns is None else modified_ns % 1_000_000
            update = PosixUpdate(mode=None if mode is None else permissions(mode), rest_ns=rest_ns)
            await self._keep(node, None if modified_ns is None else modified_ns // 1_000_000, update)
            if modified_ns is not None:
                self._attributes.dated_elsewhere(node)
            return
        if mode is not None:
            self._attributes.keep(node, mode=mode)
        if modified_ns is not None:
            await self._set_time(node, modified_ns // 1_000_000)

    async def set_xattr(self, node: Node, name: str, value: bytes | None) -> None:
        """setxattr(2), and removexattr(2) for None.

        Raises AttributesFull, NoAttribute, ForeignAttribute, Unsupported.
        """
        if not name.startswith("user."):
            raise ForeignAttribute(name)
        if not self.keeps_posix or not self._is_kept_there(node):
            raise Unsupported("the server keeps no extended attributes")
        now = dict(self._attributes.posix_of(node).xattrs)
        if value is None and name not in now:
            raise NoAttribute(name)
        patch: Patch = ((name, value),)
        check_room(tuple((each, kept) for each, kept in {**now, name: value}.items() if kept is not None))
        await self._keep(node, None, PosixUpdate(xattrs=patch))

    def _is_kept_there(self, node: Node) -> bool:
        """Whether the server will ever hear of it: not of a file that is gone, and open only."""
        return node.change is not None or (node.entry is not None and not node.gone)

    async def _keep(self, node: Node, modified_ms: int | None, update: PosixUpdate) -> None:
        """With what waits of the node, or by itself. Accepted when this returns."""
        if node.change is not None:
            await self._keep_with(node.change, node, modified_ms, update)
        elif update.mode is not None and modified_ms is None and self._attributes.posix_of(node).mode == update.mode:
            return
        elif not await self._namespace.stamp(node, modified_ms, update):
            self._believe(node, await self._files.update(node.path, modified_ms, update))

    async def _keep_with(self, change: Change, node: Node, modified_ms: int | None, update: PosixUpdate) -> None:
        both = change.posix.then(update, with_time=modified_ms is not None)
        if update.xattrs is not None:  # all that the content is to have, also what the server has of it
            shown = self._attributes.posix_of(node)
            both = replace(both, xattrs=update.on(shown).xattrs)
        change.posix = both
        change.modified_ms = change.modified_ms if modified_ms is None else modified_ms
        if change.journalled >= 0:
            await self._journal.record(change)

    # ------------------------------------------------------------ times, where there is nothing else

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
            self._believe(node, await self._files.update(node.entry.path, modified_ms))

    def _believe(self, node: Node, entry: Entry) -> None:
        if node.parent is not None:
            self._tree.put(entry, node.parent.uuid)
        if node.entry is not None and node.pages_of == node.entry.version:
            node.pages_of = entry.version
        node.entry = entry
