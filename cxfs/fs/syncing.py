"""`cxfs sync`: everything at or below one place, brought to the server now and waited for. Sends nothing itself."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import trio

from cxfs.core import errands, order
from cxfs.core.entries import TreePath
from cxfs.core.errors import CxfsError
from cxfs.core.names import unescape
from cxfs.core.uploads import State
from cxfs.fs.arrivals import LOOK_S, Arrival, Outcome
from cxfs.fs.places import NothingThere, names_of, node_at

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cxfs.fs.changes import Change, Changes
    from cxfs.fs.errands import Errand, Errands
    from cxfs.fs.node import Node
    from cxfs.fs.rows import Rows
    from cxfs.fs.tree import Tree
    from cxfs.fs.uploader import Uploader

FEW: Final = 100
"""So many arrivals are looked at whenever an upload ends; more of them only at intervals."""

NAMED_MAX: Final = 20
"""Paths that an answer names of each sort; past it there is a count, and the rows."""

BEHIND: Final = "it stands behind something that was refused"


@dataclass(frozen=True, slots=True)
class SyncProgress:
    """Of one sync: all of it, and what is left."""

    files: int
    files_left: int
    bytes: int
    bytes_left: int
    deletions_left: int
    folders_left: int
    trouble: str | None


@dataclass(frozen=True, slots=True)
class Synced:
    """What a sync came to. Paths as the mount shows them; each tuple is bounded, `failures` counts all.

    `parked` are paths with the reason, `conflicts` paths with where our side is now, `restless` what is written faster
    than it can be sent.
    """

    files: int
    bytes: int
    failures: int
    parked: tuple[tuple[str, str], ...]
    conflicts: tuple[tuple[str, str], ...]
    restless: tuple[str, ...]


class Syncing:
    """The syncs of one mount."""

    def __init__(self, tree: Tree, rows: Rows, *, changes: Changes, errands: Errands, uploader: Uploader) -> None:
        self._tree = tree
        self._rows = rows
        self._changes = changes
        self._errands = errands
        self._uploader = uploader

    async def sync(self, place: bytes, tell: Callable[[SyncProgress], Awaitable[None]]) -> Synced:
        """Sends what is at or below a place of the mount (empty: everything), now; returns when the server has it.

        `tell` hears several times a second how far it is. What was refused, or is written faster than it can be sent,
        ends the wait and is named. Raises NotFound for a place where nothing is.
        """
        changes, chosen = await self._at_or_below(place)
        arrivals = [Arrival(change, self._changes) for change in changes]
        under_way, small, told_at = arrivals, [*filter(self._goes_on, chosen)], -math.inf
        self._uploader.stop_pausing()
        while under_way or small:
            for arrival in under_way:
                await arrival.hurry(self._uploader)
            if trio.current_time() - told_at >= LOOK_S:
                told_at = trio.current_time()
                await tell(self._progress(arrivals, under_way, small))
            if self._is_stuck(under_way):
                break
            with trio.move_on_after(LOOK_S):
                await self._uploader.ended()
            if len(under_way) > FEW:
                await trio.sleep(LOOK_S)
            under_way = [arrival for arrival in under_way if arrival.outcome is Outcome.UNDER_WAY]
            small = [*filter(self._goes_on, small)]
        refused = [errand for errand in chosen if errand.state is errands.State.PARKED]
        return self._synced(arrivals, under_way, refused)

    def _is_stuck(self, under_way: list[Arrival]) -> bool:
        """Whether all that is left stands behind something that was refused."""
        return not self._uploader.moving and all(each.change.state is State.WAITING for each in under_way)

    def _goes_on(self, errand: Errand) -> bool:
        """Not one that is over, was refused, or waits for a program to close what it deletes."""
        return errand in self._errands and errand.state in {errands.State.WAITING, errands.State.SENDING}

    def _progress(self, all_of_them: list[Arrival], under_way: list[Arrival], small: list[Errand]) -> SyncProgress:
        trouble = self._uploader.trouble
        return SyncProgress(
            files=len(all_of_them),
            files_left=len(under_way),
            bytes=sum(arrival.bytes for arrival in all_of_them),
            bytes_left=sum(arrival.bytes_left for arrival in under_way),
            deletions_left=sum(1 for errand in small if errand.kind is order.Kind.REMOVE),
            folders_left=sum(1 for errand in small if errand.kind is order.Kind.MAKE),
            trouble=None if trouble is None else str(trouble),
        )

    def _synced(self, arrivals: list[Arrival], behind: list[Arrival], refused: list[Errand]) -> Synced:
        parked = [each for each in arrivals if each.outcome is Outcome.REFUSED]
        conflicts = [each for each in arrivals if each.met_a_conflict]
        restless = [each for each in arrivals if each.outcome is Outcome.RESTLESS]
        reasons = [
            *((self._rows.path_of(each.change), each.change.parked or "") for each in parked[:NAMED_MAX]),
            *((self._rows.shown(each.path), each.parked or "") for each in refused[:NAMED_MAX]),
            *((self._rows.path_of(each.change), BEHIND) for each in behind[:NAMED_MAX]),
        ]
        return Synced(
            files=len(arrivals),
            bytes=sum(each.bytes for each in arrivals),
            failures=len({*map(id, parked), *map(id, conflicts), *map(id, restless), *map(id, behind)}) + len(refused),
            parked=tuple(reasons),
            conflicts=tuple(
                (self._rows.shown(each.path), self._rows.path_of(each.change)) for each in conflicts[:NAMED_MAX]
            ),
            restless=tuple(self._rows.path_of(each.change) for each in restless[:NAMED_MAX]),
        )

    # ------------------------------------------------------------ which

    async def _at_or_below(self, place: bytes) -> tuple[list[Change], list[Errand]]:
        """By names and by identity: either alone misses what was renamed elsewhere."""
        if not place:
            return list(self._changes), list(self._errands)
        node, is_known = await self._node_at(place)
        path = self._tree.path_of(node) if node is not None else self._by_names(names_of(place))
        changes = [each for each in self._changes if _stands_below(each.path, path) or _hangs_below(each, node)]
        chosen = [each for each in self._errands if _stands_below(each.path, path)]
        if node is None and is_known and not changes and not chosen:
            raise NothingThere(f"{'/'.join(names_of(place))}: no such file or folder in the mount")
        return changes, chosen

    async def _node_at(self, place: bytes) -> tuple[Node | None, bool]:
        """The node there, if any, and whether that could be found out."""
        try:
            return await node_at(self._tree, place), True
        except CxfsError as error:
            return None, isinstance(error, NothingThere)

    def _by_names(self, parts: list[str]) -> TreePath:
        root = self._tree.path_of(self._tree.root)
        return TreePath(root.owner, (*root.names, *map(unescape, parts)))


def _stands_below(what: TreePath, place: TreePath) -> bool:
    return what.owner == place.owner and what.names[: len(place.names)] == place.names


def _hangs_below(change: Change, node: Node | None) -> bool:
    if node is None:
        return False
    if node.entry is not None and node.entry.id in {change.object, change.parent}:
        return True
    above = change.node
    while above is not None and above is not node:
        above = above.parent
    return above is node
