"""What waits for the server, and what a person may do about it: see, retry, get out, discard. Sends nothing.

A row is named in requests by the id of its change or errand, so that whatever is renamed between the look and the
request, what is meant stays what was seen.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cxfs.core import errands, order
from cxfs.core.entries import TreePath
from cxfs.core.errors import CxfsError, Invalid, NotFound
from cxfs.core.notices import Condition
from cxfs.core.pending import Status
from cxfs.core.posix import PLAIN, PosixUpdate
from cxfs.core.uploads import IN_FLIGHT, State
from cxfs.fs.base import bring_base
from cxfs.fs.rows import Rows
from cxfs.fs.syncing import Syncing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from pathlib import Path

    from cxfs.core.pending import Pending
    from cxfs.core.ranges import ByteRange
    from cxfs.fs.changes import Change, Changes
    from cxfs.fs.errands import Errand, Errands
    from cxfs.fs.journal import Journal
    from cxfs.fs.kernel import KernelCache
    from cxfs.fs.messenger import Messenger
    from cxfs.fs.node import Node
    from cxfs.fs.reader import Reader
    from cxfs.fs.syncing import Synced, SyncProgress
    from cxfs.fs.tree import Tree
    from cxfs.fs.uploader import Uploader

BASE_PIECE_BYTES: Final = 8 << 20
"""Of a base that is brought in, between two signs of life."""


@dataclass(frozen=True, slots=True)
class Remaining:
    """What is not at the server yet and goes there by itself, and what does not. Sizes in bytes."""

    files: int
    bytes: int
    deletions: int
    folders: int
    writing: int
    parked: int
    parked_bytes: int
    conflicts: int
    trouble: str | None


@dataclass(frozen=True, slots=True)
class Notice:
    """What a person is told of one file or folder. `path` is below the mount; `at_ms` since the epoch, UTC."""

    at_ms: int
    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Content:
    """Where the bytes of a change are, and which are not: `file` may vanish at any moment, namely when it was sent.

    `generation` differs when it was written since.
    """

    path: str
    file: Path
    size: int
    missing: tuple[ByteRange, ...]
    generation: int
    modified_ms: int
    posix: PosixUpdate


class Waiting:
    """The changes and errands of one mount, for people."""

    def __init__(
        self,
        tree: Tree,
        *,
        changes: Changes,
        errands: Errands,
        journal: Journal,
        uploader: Uploader,
        messenger: Messenger,
        reader: Reader,
        kernel: KernelCache,
    ) -> None:
        self._tree = tree
        self._rows = Rows(tree, changes=changes, errands=errands, journal=journal)
        self._syncing = Syncing(tree, self._rows, changes=changes, errands=errands, uploader=uploader)
        self._changes = changes
        self._errands = errands
        self._journal = journal
        self._uploader = uploader
        self._messenger = messenger
        self._reader = reader
        self._kernel = kernel

    def rows(self) -> list[Pending]:
        """Everything that the server does not have, the oldest first."""
        return self._rows.all()

    def remaining(self) -> Remaining:
        """Counts and bytes at this moment."""
        going = [change for change in self._changes if change.state is not State.PARKED]
        parked = [change for change in self._changes if change.state is State.PARKED]
        refused = [errand for errand in self._errands if errand.state is errands.State.PARKED]
        trouble = self._uploader.trouble
        return Remaining(
            files=len(going),
            bytes=sum(max(0, change.draft.size - _handed_over(change)) for change in going),
            deletions=self._messenger.count(order.Kind.REMOVE),
            folders=self._messenger.count(order.Kind.MAKE),
            writing=sum(1 for change in going if change.writers),
            parked=len(parked) + len(refused),
            parked_bytes=sum(change.draft.size for change in parked),
            conflicts=sum(1 for change in self._changes if change.conflicts),
            trouble=None if trouble is None else str(trouble),
        )

    async def notices(self) -> list[Notice]:
        """What went another way than a program was told, of this run and earlier ones, oldest first; bounded."""
        reports = await self._journal.reports()
        return [Notice(each.at_ms, self._rows.shown(TreePath.parse(each.path)), each.text) for each in reports]

    def condition(self, *, is_signed_out: bool) -> Condition:
        """How the mount stands, for notices; what was reported is told once."""
        return Condition(
            parked={row.id: row.path for row in self.rows() if row.status is Status.PARKED} if self._parks() else {},
            reported=[(report.path, report.text) for report in self._journal.new_reports()],
            is_signed_out=is_signed_out,
        )

    def _parks(self) -> bool:
        uploads = any(change.state is State.PARKED for change in self._changes)
        return uploads or any(errand.state is errands.State.PARKED for errand in self._errands)

    # ------------------------------------------------------------ what a person decides

    async def sync(self, place: bytes, tell: Callable[[SyncProgress], Awaitable[None]]) -> Synced:
        """See `Syncing.sync`."""
        return await self._syncing.sync(place, tell)

    async def retry(self, ids: Iterable[str] | None) -> int:
        """What is parked gets another try, and what waits its try at once; without ids all. How many there were."""
        changes, small = (list(self._changes), list(self._errands)) if ids is None else self._named(ids)
        for change in changes:
            if change.state is State.PARKED:
                await self._uploader.retry(change)
            elif change.state is State.WAITING:
                await self._uploader.hasten(change)
        for errand in small:
            if errand.state is errands.State.PARKED:
                self._messenger.retry(errand)
                await self._journal.note(errand)
        self._uploader.stop_pausing()
        return len(changes) + len(small)

    async def discard(self, change_id: str) -> Pending:
        """Drops a parked upload for good: the file is again what the server has, or is gone if that is nothing.

        Raises Invalid for what is not parked, is no upload, or is open in a program.
        """
        changes, small = self._named([change_id])
        if small:
            raise Invalid(f"{self._rows.of_errand(small[0]).path} is no upload: undo it in the mount instead")
        change, row = changes[0], self._rows.of_change(changes[0])
        if change.state is not State.PARKED:
            raise Invalid(f"{row.path} is not parked but {row.status}: delete or overwrite it in the mount instead")
        node = change.node
        if node is not None and node.handles:
            raise Invalid(f"{row.path} is open in a program: close it there first")
        self._changes.remove(change)  # and then no await: nobody opens what is going away
        if node is not None:
            self._revert(node, change)
        change.draft.close()
        await self._journal.discard(change)
        return row

    def _revert(self, node: Node, change: Change) -> None:
        node.change = change.node = None
        node.pages_of = None
        if node.entry is None and node.parent is not None:
            self._kernel.forget_name(node.parent.inode, node.shown)
            self._tree.nodes.detach(node)
            return
        self._kernel.drop_pages(node.inode)
        self._tree.nodes.release(node)

    async def content(self, change_id: str, alive: Callable[[], Awaitable[None]]) -> Content:
        """Where the content of a change can be copied from, with what was still the server's fetched where possible.

        Calls `alive` between the pieces of a long fetch. Raises Invalid for what has no content.
        """
        changes, small = self._named([change_id])
        if small:
            raise Invalid(f"{self._rows.of_errand(small[0]).path} has no content to export")
        change = changes[0]
        with contextlib.suppress(CxfsError):  # what is missing then is told
            for gap in change.missing():
                for piece in gap.pieces(BASE_PIECE_BYTES):
                    await alive()
                    await bring_base(self._reader, change, piece)
        return Content(
            path=self._rows.path_of(change),
            file=change.draft.file,
            size=change.draft.size,
            missing=tuple(change.missing()),
            generation=change.generation,
            modified_ms=change.modified_ms,
            posix=_all_of(change),
        )

    def _named(self, ids: Iterable[str]) -> tuple[list[Change], list[Errand]]:
        """Those of these ids; raises NotFound for an id of nothing."""
        changes, small = [], []
        for each in dict.fromkeys(ids):
            change, errand = self._changes.get(each), self._errands.get(each)
            if change is not None:
                changes.append(change)
            elif errand is not None:
                small.append(errand)
            else:
                raise NotFound(f"nothing of the id {each[:40]!r} waits any more: it was sent, or taken back")
        return changes, small


def _all_of(change: Change) -> PosixUpdate:
    """What of attributes the file shows, as something that sets them."""
    node = change.node
    shown = change.posix_over(PLAIN if node is None or node.entry is None else node.entry.posix)
    return PosixUpdate(shown.mode, shown.rest_ns, shown.link, shown.xattrs)


def _handed_over(change: Change) -> int:
    return change.sent_bytes if change.state in IN_FLIGHT else 0
