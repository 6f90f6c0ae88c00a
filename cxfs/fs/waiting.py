"""What waits for the server, and what a person may do about it: see, sync, retry, complete, discard. Sends nothing.

Rows are shown by the names that the mount shows. A row is named in requests by the id of its change, so that whatever
is renamed between the look and the request, what is meant stays what was seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import trio

from cxfs.core.entries import TreePath
from cxfs.core.errors import CxfsError, Invalid, NotFound
from cxfs.core.names import escape, from_kernel, unescape
from cxfs.core.pending import Kind, Pending, Status
from cxfs.core.uploads import IN_FLIGHT, State
from cxfs.fs.base import bring_base
from cxfs.fs.delivery import LOOK_S, Delivery, Outcome

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from pathlib import Path

    from cxfs.core.ranges import ByteRange
    from cxfs.fs.changes import Change, Changes
    from cxfs.fs.journal import Journal
    from cxfs.fs.kernel import KernelCache
    from cxfs.fs.node import Node
    from cxfs.fs.reader import Reader
    from cxfs.fs.tree import Tree
    from cxfs.fs.uploader import Uploader

FEW: Final = 100
"""So many deliveries are looked at whenever an upload ends; more of them only at intervals."""

NAMED_MAX: Final = 20
"""Paths that an answer names; past it there is a count, and the rows."""

BASE_PIECE_BYTES: Final = 8 << 20
"""Of a base that is brought in, between two signs of life."""

_STATUS: Final = {
    State.WRITING: Status.WRITING,
    State.WAITING: Status.WAITING,
    State.PARKED: Status.PARKED,
} | dict.fromkeys(IN_FLIGHT, Status.SENDING)

IN_CONFLICT: Final = "the server's version changed as well: this one goes beside it, under this name"


@dataclass(frozen=True, slots=True)
class Remaining:
    """What is not at the server yet and goes there by itself, and what does not."""

    files: int
    bytes: int
    deletions: int
    parked: int
    parked_bytes: int
    writing: int
    trouble: str | None


@dataclass(frozen=True, slots=True)
class SyncProgress:
    """Of one sync: all of it, and what is left."""

    files: int
    files_left: int
    bytes: int
    bytes_left: int
    deletions_left: int
    trouble: str | None


@dataclass(frozen=True, slots=True)
class Synced:
    """What a sync came to. Paths as the mount shows them; each tuple is bounded, `failures` counts all."""

    files: int
    bytes: int
    failures: int
    parked: tuple[tuple[str, str], ...]
    conflicts: tuple[tuple[str, str], ...]
    restless: tuple[str, ...]


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


class Waiting:
    """The changes of one mount, for people."""

    def __init__(
        self,
        tree: Tree,
        *,
        changes: Changes,
        journal: Journal,
        uploader: Uploader,
        reader: Reader,
        kernel: KernelCache,
        wall_ms: Callable[[], int],
    ) -> None:
        self._tree = tree
        self._changes = changes
        self._journal = journal
        self._uploader = uploader
        self._reader = reader
        self._kernel = kernel
        self._wall_ms = wall_ms

    # ------------------------------------------------------------ seeing

    def rows(self) -> list[Pending]:
        """Everything that the server does not have, the oldest first."""
        return sorted(map(self._row, self._changes), key=lambda row: (-(row.age_s or 0.0), row.path))

    def _row(self, change: Change) -> Pending:
        reason = change.parked or change.last_error or (IN_CONFLICT if change.conflicts else None)
        return Pending(
            id=change.id,
            kind=Kind.UPLOAD,
            status=_STATUS[change.state],
            path=self._shown(change),
            size=change.draft.size,
            age_s=max(0.0, (self._wall_ms() - change.accepted_ms) / 1_000) if change.accepted_ms else None,
            attempts=change.attempts,
            reason=reason,
        )

    def remaining(self) -> Remaining:
        """Counts and bytes at this moment."""
        parked = [change for change in self._changes if change.state is State.PARKED]
        going = [change for change in self._changes if change.state is not State.PARKED]
        trouble = self._uploader.trouble
        return Remaining(
            files=len(going),
            bytes=sum(max(0, change.draft.size - _handed_over(change)) for change in going),
            deletions=len(self._uploader.deleting),
            parked=len(parked),
            parked_bytes=sum(change.draft.size for change in parked),
            writing=sum(1 for change in going if change.writers),
            trouble=None if trouble is None else str(trouble),
        )

    def _shown(self, change: Change) -> str:
        """Below the mount; by the account's names for what an earlier mount left outside of this one."""
        names = []
        node = change.node
        while node is not None and node.parent is not None:
            names.append(node.shown)
            node = node.parent
        if names and node is self._tree.root:
            return "/".join(reversed(names))
        root = self._tree.path_of(self._tree.root)
        if change.path.owner != root.owner or change.path.names[: len(root.names)] != root.names:
            return str(change.path)
        return "/".join(map(escape, change.path.names[len(root.names) :]))

    # ------------------------------------------------------------ syncing

    async def sync(self, place: bytes, tell: Callable[[SyncProgress], Awaitable[None]]) -> Synced:
        """Sends what is below a place of the mount (empty: everything), now; returns when the server has it.

        What is parked, or is written faster than it can be sent, ends the wait and is named. Raises NotFound for a
        place where nothing is.
        """
        deliveries = [Delivery(change, self._changes) for change in await self._below(place)]
        deletions = self._uploader.deleting
        self._uploader.stop_pausing()
        under_way, told_at = deliveries, -LOOK_S
        while under_way or deletions:
            for delivery in under_way:
                await delivery.hurry(self._uploader)
            if trio.current_time() - told_at >= LOOK_S:
                told_at = trio.current_time()
                await tell(self._progress(deliveries, under_way, len(deletions)))
            with trio.move_on_after(LOOK_S):
                await self._uploader.ended()
            if len(under_way) > FEW:
                await trio.sleep(LOOK_S)
            under_way = [delivery for delivery in under_way if delivery.outcome is Outcome.UNDER_WAY]
            deletions &= self._uploader.deleting
        return self._synced(deliveries)

    def _progress(self, all_of_them: list[Delivery], under_way: list[Delivery], deletions: int) -> SyncProgress:
        trouble = self._uploader.trouble
        return SyncProgress(
            files=len(all_of_them),
            files_left=len(under_way),
            bytes=sum(delivery.bytes for delivery in all_of_them),
            bytes_left=sum(delivery.bytes_left for delivery in under_way),
            deletions_left=deletions,
            trouble=None if trouble is None else str(trouble),
        )

    def _synced(self, deliveries: list[Delivery]) -> Synced:
        parked = [each for each in deliveries if each.outcome is Outcome.REFUSED]
        conflicts = [each for each in deliveries if each.met_a_conflict]
        restless = [each for each in deliveries if each.outcome is Outcome.RESTLESS]
        return Synced(
            files=len(deliveries),
            bytes=sum(each.bytes for each in deliveries),
            failures=len({*map(id, parked), *map(id, conflicts), *map(id, restless)}),
            parked=tuple((self._shown(each.change), each.change.parked or "refused") for each in parked[:NAMED_MAX]),
            conflicts=tuple((self._below_root(each.path), self._shown(each.change)) for each in conflicts[:NAMED_MAX]),
            restless=tuple(self._shown(each.change) for each in restless[:NAMED_MAX]),
        )

    def _below_root(self, path: TreePath) -> str:
        return "/".join(map(escape, path.names[len(self._tree.path_of(self._tree.root).names) :]))

    async def _below(self, place: bytes) -> list[Change]:
        """Changes at or below a place, by its names and by identity: either alone misses what was renamed elsewhere."""
        if not place:
            return list(self._changes)
        parts = [from_kernel(part) for part in place.split(b"/")]
        node, is_known = await self._node_at(parts)
        path = self._tree.path_of(node) if node is not None else self._unlooked(parts)
        found = [change for change in self._changes if _stands_below(change, path) or _hangs_below(change, node)]
        if node is None and is_known and not found:
            raise NotFound(f"{'/'.join(parts)}: no such file or folder in the mount")
        return found

    async def _node_at(self, parts: list[str]) -> tuple[Node | None, bool]:
        """The node there, if any, and whether that could be found out."""
        node: Node = self._tree.root
        for part in parts:
            try:
                found, _ = await self._tree.lookup(node, part)
            except CxfsError:
                return None, False
            if found is None:
                return None, True
            node = found
        return node, True

    def _unlooked(self, parts: list[str]) -> TreePath:
        root = self._tree.path_of(self._tree.root)
        return TreePath(root.owner, (*root.names, *map(unescape, parts)))

    # ------------------------------------------------------------ what a person decides

    async def retry(self, ids: Iterable[str] | None) -> list[Pending]:
        """Parked changes get another try, and waiting ones theirs at once; without ids all. What they are now."""
        chosen = list(self._changes) if ids is None else self._named(ids)
        self._uploader.stop_pausing()
        for change in chosen:
            if change.state is State.PARKED:
                await self._uploader.retry(change)
            elif change.state is State.WAITING:
                await self._uploader.hurry(change)
        return [self._row(change) for change in chosen if change in self._changes]

    async def discard(self, change_id: str) -> Pending:
        """Drops a parked change for good: the file is again what the server has, or is gone if that is nothing.

        Raises Invalid for one that is not parked, or that a program has open.
        """
        (change,) = self._named([change_id])
        row = self._row(change)
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
            self._tree.detach(node)
            return
        self._kernel.drop_pages(node.inode)
        self._tree.release(node)

    async def content(self, change_id: str, alive: Callable[[], Awaitable[None]]) -> Content:
        """Where the content of a change can be copied from, with what was still the server's fetched where possible.

        Calls `alive` between the pieces of a long fetch.
        """
        (change,) = self._named([change_id])
        try:
            for gap in change.missing():
                for piece in gap.pieces(BASE_PIECE_BYTES):
                    await alive()
                    await bring_base(self._reader, change, piece)
        except CxfsError:
            pass  # what is missing is told
        return Content(
            path=self._shown(change),
            file=change.draft.file,
            size=change.draft.size,
            missing=tuple(change.missing()),
            generation=change.generation,
            modified_ms=change.modified_ms,
        )

    def _named(self, ids: Iterable[str]) -> list[Change]:
        by_id = {change.id: change for change in self._changes}
        chosen = list(dict.fromkeys(ids))
        for each in chosen:
            if each not in by_id:
                raise NotFound(f"nothing of the id {each[:40]} waits any more: it was sent, or taken back")
        return [by_id[each] for each in chosen]


def _handed_over(change: Change) -> int:
    return change.sent_bytes if change.state in IN_FLIGHT else 0


def _stands_below(change: Change, path: TreePath) -> bool:
    return change.path.owner == path.owner and change.path.names[: len(path.names)] == path.names


def _hangs_below(change: Change, node: Node | None) -> bool:
    if node is None:
        return False
    if node.entry is not None and node.entry.id in {change.object, change.parent}:
        return True
    above = change.node
    while above is not None and above is not node:
        above = above.parent
    return above is node
