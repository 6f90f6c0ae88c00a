"""Symbolic links on a server that keeps none: files of one certain size, whose content says where they lead.

Who asks for names is told of links as if the server had them. That costs a look at each file of that very size, once a
version, and nothing where there is none; a look that fails leaves a file for now.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from cachetools import LRUCache

from cxfs.core.posix import MARKED_BYTES, NOTHING, target_in
from cxfs.fs.group_folders import Listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxfs.core.entries import Entry, Path, TreePath, Uuid
    from cxfs.core.posix import PosixUpdate
    from cxfs.fs.ahead import SmallFiles
    from cxfs.fs.group_folders import Files
    from cxfs.fs.listings import FolderListing

TARGETS_MAX: Final = 100_000
"""Versions of such files that were looked at, links or not; past it those longest unused are looked at again."""


class Targets:
    """Where marked files lead. Contents come by `small_files`."""

    def __init__(self, small_files: SmallFiles) -> None:
        self._small_files = small_files
        self._known: LRUCache[tuple[Uuid, int], str | None] = LRUCache(TARGETS_MAX)

    async def resolved(self, entries: Sequence[Entry]) -> tuple[Entry, ...]:
        """The same, links among them."""
        marked = [entry for entry in entries if entry.size == MARKED_BYTES and _may_be_marked(entry)]
        unknown = [entry for entry in marked if (entry.id, entry.version) not in self._known]
        if unknown:
            await self._small_files.bring(unknown, self._landed)
        return tuple(map(self._resolved, entries)) if marked else tuple(entries)

    def _landed(self, entry: Entry, content: bytes) -> None:
        self._known[entry.id, entry.version] = target_in(content)

    def _resolved(self, entry: Entry) -> Entry:
        target = self._known.get((entry.id, entry.version)) if _may_be_marked(entry) else None
        return entry if target is None else replace(entry, posix=replace(entry.posix, link=target))


def _may_be_marked(entry: Entry) -> bool:
    return not entry.is_folder and entry.size == MARKED_BYTES and entry.posix.link is None


@dataclass(frozen=True, slots=True)
class MarkedLinks:
    """`files` of one account, with links where the server has files that mark them."""

    files: Files
    targets: Targets

    async def listing(self, path: Path) -> FolderListing:
        """Everything in a folder."""
        answer = await self.files.listing(path)
        return Listed(answer.folder, await self.targets.resolved(answer.entries))

    async def entry(self, path: Path) -> Entry:
        """One object."""
        return await self._resolved(await self.files.entry(path))

    async def make_folder(self, path: TreePath, posix: PosixUpdate = NOTHING) -> Entry:
        """The new folder."""
        return await self.files.make_folder(path, posix)

    async def delete(self, path: Path, *, recursive: bool, if_version: int | None = None) -> None:
        """Returns when the object is gone."""
        await self.files.delete(path, recursive=recursive, if_version=if_version)

    async def move(self, path: Path, to: TreePath, *, overwrite: bool, over: Entry | None = None) -> Entry:
        """The object at its new place."""
        return await self._resolved(await self.files.move(path, to, overwrite=overwrite, over=over))

    async def update(self, path: Path, modified_ms: int | None, posix: PosixUpdate = NOTHING) -> Entry:
        """The object with its new attributes."""
        return await self._resolved(await self.files.update(path, modified_ms, posix))

    async def copy(self, path: Path, to: TreePath, *, overwrite: bool) -> Entry:
        """The copy."""
        return await self._resolved(await self.files.copy(path, to, overwrite=overwrite))

    async def _resolved(self, entry: Entry) -> Entry:
        (resolved,) = await self.targets.resolved((entry,))
        return resolved
