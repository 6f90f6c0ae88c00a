"""Former versions of a file: which the server keeps, and one of them made the current one again.

Restoring sends the old content through to the server as the next version, without keeping it here: nothing is changed
until all of it is there, and what somebody else uploads meanwhile is not overwritten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from cxfs.core.errors import BadReply, Invalid, IsADirectory, NotFound, Unsupported
from cxfs.core.posix import NOTHING, PosixUpdate
from cxfs.core.ranges import ByteRange

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    from cxfs.core.entries import Entry, EntryName, Path, UuidPath
    from cxfs.fs.kernel import KernelCache
    from cxfs.fs.node import Node
    from cxfs.fs.permissions import Permissions
    from cxfs.fs.space import SpaceWatch
    from cxfs.fs.tree import Tree


class VersionSource(Protocol):
    """The part of the File API that knows versions."""

    async def versions(self, path: Path) -> tuple[Entry, ...]:
        """Newest first."""
        ...


class Arriving(Protocol):
    """Content on its way here."""

    def pieces(self) -> AsyncIterator[bytes]:
        """In order, once."""
        ...


class Sent(Protocol):
    """Content on its way there: `size` bytes."""

    @property
    def size(self) -> int:
        """All of it."""
        ...

    def pieces(self) -> AsyncIterator[bytes]:
        """In order."""
        ...


class Contents(Protocol):
    """The part of the Transport API that moves content."""

    def download(
        self, path: UuidPath, wanted: ByteRange, *, version: int, size: int, pin_version: bool
    ) -> AbstractAsyncContextManager[Arriving]:
        """A range of a version."""
        ...

    async def upload(
        self,
        path: Path,
        content: Sent,
        *,
        modified_ms: int,
        if_version: int | None,
        name: EntryName | None = None,
        posix: PosixUpdate = NOTHING,
    ) -> Entry:
        """The next version."""
        ...


class History:
    """That of the files of one mount. `is_kept`: the server keeps versions (capability `versions`).

    `conditional`: it compares versions itself (capability `conditional-upload`). `now_ms` is the time of day.
    """

    def __init__(
        self,
        tree: Tree,
        files: VersionSource,
        contents: Contents,
        *,
        permissions: Permissions,
        space: SpaceWatch,
        kernel: KernelCache,
        now_ms: Callable[[], int],
        is_kept: bool,
        conditional: bool,
    ) -> None:
        self._tree = tree
        self._files = files
        self._contents = contents
        self._permissions = permissions
        self._space = space
        self._kernel = kernel
        self._now_ms = now_ms
        self._conditional = conditional
        self.is_kept = is_kept

    async def versions(self, node: Node) -> tuple[Entry, ...]:
        """Those that the server keeps, newest first.

        Raises Unsupported for a server that keeps none, IsADirectory, and Invalid for a file that it does not have.
        """
        if node.is_folder:
            raise IsADirectory(f"{node.shown!r} is a folder: only files have versions")
        if not self.is_kept:
            raise Unsupported("this server keeps no versions that could be asked for")
        if node.entry is None:
            raise Invalid(f"{node.shown!r} is not at the server yet: cxfs sync it first")
        return await self._files.versions(node.path)

    async def restore(self, node: Node, version: int, tell: Callable[[int, int], None]) -> Entry:
        """Makes the content of that version the next version; returns when the server has it.

        `tell` hears how many bytes of how many are through. Raises Invalid for a file with changes that the server does
        not have, NotFound for a version that is not kept, VersionConflict when somebody else was faster.
        """
        self._permissions.check(node)
        if node.change is not None:
            raise Invalid(f"{node.shown!r} has a change that is not at the server yet: cxfs sync it first")
        current, *former = await self.versions(node)
        wanted = next((each for each in former if each.version == version), None)
        if wanted is None:
            raise NotFound(_not_kept(node, version, current, former))
        self._arrived(node, current, await self._send(node, current, wanted, tell))
        return node.entry or current

    async def _send(self, node: Node, current: Entry, wanted: Entry, tell: Callable[[int, int], None]) -> Entry:
        passing = Passing(wanted.size, tell)
        if not wanted.size:
            return await self._upload(node, current, wanted, passing)
        async with self._contents.download(
            node.path, ByteRange(0, wanted.size), version=wanted.version, size=wanted.size, pin_version=True
        ) as arriving:
            passing.source = arriving.pieces()
            entry = await self._upload(node, current, wanted, passing)
        if wanted.sha1 is not None and entry.sha1 is not None and entry.sha1 != wanted.sha1:
            raise BadReply(f"version {wanted.version} came with another content than it had")
        return entry

    async def _upload(self, node: Node, current: Entry, wanted: Entry, content: Passing) -> Entry:
        return await self._contents.upload(
            node.path,
            content,
            modified_ms=self._now_ms(),
            if_version=current.version if self._conditional else None,
            name=current.name,
            posix=PosixUpdate(link=wanted.posix.link),
        )

    def _arrived(self, node: Node, before: Entry, entry: Entry) -> None:
        """No await: what is believed of the file changes in one step. What was written meanwhile stays on top of it."""
        if node.parent is not None and not node.gone:
            self._tree.put(entry, node.parent.uuid)
        self._tree.nodes.believe(node, entry)
        self._space.took(entry.size - before.size)
        self._kernel.drop_pages(node.inode)


class Passing:
    """Content that goes through here and stays nowhere."""

    def __init__(self, size: int, tell: Callable[[int, int], None]) -> None:
        self.size = size
        self.source: AsyncIterator[bytes] | None = None
        self._tell = tell

    async def pieces(self) -> AsyncIterator[bytes]:
        """In order, once: raises BadReply for a server whose receipt would want it read again."""
        source, self.source = self.source, None
        if source is None:
            if self.size:
                raise BadReply("the server's receipt cannot be checked without reading the content again")
            return
        through = 0
        async for piece in source:
            through += len(piece)
            self._tell(through, self.size)
            yield piece


def _not_kept(node: Node, version: int, current: Entry, former: list[Entry]) -> str:
    if version == current.version:
        return f"version {version} of {node.shown!r} is the current one"
    kept = ", ".join(str(each.version) for each in former[:20]) or "none"
    return f"there is no former version {version} of {node.shown!r} (there are: {kept})"
