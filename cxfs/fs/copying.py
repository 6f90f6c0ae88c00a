"""`cxfs cp`: the server makes the copy, of a file or of a folder with all below it; no content travels.

Never over something that is there: the copy is a new object, and what it replaced would lose its history.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cxfs.core.entries import SELF
from cxfs.core.errors import AlreadyExists, Invalid, IsADirectory, NotADirectory, NotFound
from cxfs.fs.groups import GROUPS_ID
from cxfs.fs.places import NothingThere, names_of, node_at, place_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cxfs.core.entries import Entry
    from cxfs.fs.group_folders import Files
    from cxfs.fs.kernel import KernelCache
    from cxfs.fs.node import Node
    from cxfs.fs.permissions import Permissions
    from cxfs.fs.space import SpaceWatch
    from cxfs.fs.syncing import SyncProgress
    from cxfs.fs.tree import Tree
    from cxfs.fs.waiting import Waiting


@dataclass(frozen=True, slots=True)
class Copied:
    """Where the copy is, below the mount, and what it is."""

    place: str
    entry: Entry


class Copying:
    """The copies of one mount. What they stand on is brought to the server first."""

    def __init__(
        self,
        tree: Tree,
        files: Files,
        *,
        waiting: Waiting,
        permissions: Permissions,
        space: SpaceWatch,
        kernel: KernelCache,
    ) -> None:
        self._tree = tree
        self._files = files
        self._waiting = waiting
        self._permissions = permissions
        self._space = space
        self._kernel = kernel

    async def copy(
        self, place: bytes, to: bytes, *, recursive: bool, tell: Callable[[SyncProgress], Awaitable[None]]
    ) -> Copied:
        """Copies what is at `place` to `to`, or into it where that is a folder.

        Folders only if `recursive`: raises IsADirectory. Raises AlreadyExists, NotADirectory, NotFound, and Invalid for
        what is being written or refused; `tell` hears how far sending the original is.
        """
        if (await node_at(self._tree, place)).is_folder and not recursive:
            raise IsADirectory(
                f"{'/'.join(names_of(place)) or 'the mount'} is a folder: -r copies it with all below it"
            )
        await self._is_at_the_server(place, tell)
        source = await node_at(self._tree, place)
        if source.entry is None:
            raise Invalid(f"{source.shown!r} is being written: copy it when that is over")
        if source.entry.id == GROUPS_ID:
            raise Invalid("Groups is no folder of the server's: copy the groups in it one by one")
        folder, shown = await self._target(source, to)
        self._permissions.check(folder)
        await self._is_free(folder, shown, tell)
        path = self._tree.child_path(folder, shown)
        entry = await self._files.copy(source.path, path, overwrite=False)
        self._tree.put(entry, folder.uuid)
        self._kernel.forget_name(folder.inode, shown)
        if entry.owner == SELF and not entry.is_folder:
            self._space.took(entry.size)
        return Copied(f"{place_of(folder)}/{shown}".lstrip("/"), entry)

    async def _is_at_the_server(self, place: bytes, tell: Callable[[SyncProgress], Awaitable[None]]) -> None:
        """Raises Invalid for what cannot be brought there as it is."""
        synced = await self._waiting.sync(place, tell)
        if synced.failures:
            reasons = [f"{path}: {reason}" for path, reason in synced.parked]
            beside = [f"{path}: it went beside another client's change" for path, _ in synced.conflicts]
            restless = [f"{path}: it is being written" for path in synced.restless]
            first = next(iter([*reasons, *beside, *restless]), "something of it")
            raise Invalid(f"the server does not have it as it is here ({first})")

    async def _target(self, source: Node, to: bytes) -> tuple[Node, str]:
        """The folder that it goes into, and its name there."""
        with contextlib.suppress(NothingThere):
            there = await node_at(self._tree, to)
            if not there.is_folder:
                raise AlreadyExists(f"{place_of(there)} is there already: remove it first, or use cp, which makes a "
                                    "new version of it")  # fmt: skip
            self._require_outside(source, there)
            return there, source.shown
        above, _, name = to.rpartition(b"/")
        folder = await node_at(self._tree, above)
        if not folder.is_folder:
            raise NotADirectory(f"{place_of(folder)} is a file")
        self._require_outside(source, folder)
        return folder, names_of(name)[0]

    @staticmethod
    def _require_outside(source: Node, folder: Node) -> None:
        above: Node | None = folder
        while above is not None:
            if above is source:
                raise Invalid(f"{source.shown or 'the mount'} cannot be copied into itself")
            above = above.parent

    async def _is_free(self, folder: Node, shown: str, tell: Callable[[SyncProgress], Awaitable[None]]) -> None:
        """The folder is at the server, and nothing of this name is, nor on its way there or away."""
        if self._tree.is_new(folder):
            await self._is_at_the_server(place_of(folder).encode(), tell)
        place = f"{place_of(folder)}/{shown}".lstrip("/").encode(errors="surrogateescape")
        with contextlib.suppress(NotFound):  # as it should be
            await self._waiting.sync(place, tell)
        if (await self._tree.lookup(folder, shown))[0] is not None:
            raise AlreadyExists(f"{place.decode(errors='replace')} is there already: nothing is overwritten")
