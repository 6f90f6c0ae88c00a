"""What an upload's end does to the tree, the cache and the journal. Sends nothing but a forgotten time.

Each method changes the tree in one step, without an await, and only then tells the journal: a handler that comes in
between sees the state before or after.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from cxfs.core import errands
from cxfs.core.entries import Entry, EntryName, TreePath, Uuid
from cxfs.core.errors import CxfsError, DiskFull, NoSpace, SignedOut
from cxfs.core.names import escape
from cxfs.core.order import Kind
from cxfs.core.posix import PLAIN
from cxfs.core.uploads import Event, State
from cxfs.local.blocks import BlockKey, BlockStore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cxfs.fs.attributes import AttributeRules
    from cxfs.fs.changes import Change, Changes
    from cxfs.fs.errands import Errand, Errands
    from cxfs.fs.journal import Journal
    from cxfs.fs.kernel import KernelCache
    from cxfs.fs.node import Node
    from cxfs.fs.space import SpaceWatch
    from cxfs.fs.tree import Tree

log = logging.getLogger(__name__)


class Arrived(NamedTuple):
    """The server has this generation of the change, as `entry`."""

    change: Change
    entry: Entry
    generation: int


class Outcomes:
    """Ends of attempts. `conflict_name` gives the name of our side of a conflict, by its number."""

    def __init__(
        self,
        tree: Tree,
        *,
        changes: Changes,
        errands: Errands,
        blocks: BlockStore,
        space: SpaceWatch,
        journal: Journal,
        attributes: AttributeRules,
        kernel: KernelCache,
        conflict_name: Callable[[EntryName, int], EntryName],
    ) -> None:
        self._tree = tree
        self._changes = changes
        self._errands = errands
        self._blocks = blocks
        self._space = space
        self._journal = journal
        self._attributes = attributes
        self._kernel = kernel
        self._conflict_name = conflict_name

    async def accepted(self, change: Change, entry: Entry, generation: int) -> None:
        """The server has this generation of the change, as `entry`."""
        await self.arrived([Arrived(change, entry, generation)])

    async def arrived(self, together: Sequence[Arrived]) -> None:
        """The server has all of these."""
        taken_back = [errand for each in together for errand in self._taken_back_by(each)]
        over = [each for each in together if self._is_over(*each)]
        if taken_back:  # first: after a kill they would remove what has just arrived
            await self._journal.forget(*taken_back)
        if over:
            await self._journal.sent(over)
        for change, *_ in together:
            if change.state is not State.DONE:
                await self._journal.record(change)

    def _taken_back_by(self, arrived: Arrived) -> tuple[Errand, ...]:
        """What was to clear the name that it stands under now."""
        change, entry, _ = arrived
        is_there = change in self._changes and entry.name == change.name
        return self._errands.taken(change.parent, change.name) if is_there else ()

    def _is_over(self, change: Change, entry: Entry, generation: int) -> bool:
        """Whether there is nothing newer to send."""
        entry = _as_link(entry, change)
        if change not in self._changes:  # deleted here meanwhile: whoever deleted it looks for what has arrived
            change.on(Event.FAILED)  # not the end of its life: a program may have it open
            return False
        change.on(Event.ACCEPTED)
        change.sent_generation = generation
        change.turns = 0
        self._errands.latecomers.expect(change.parent, change.name, change.sealed, change.earlier)
        change.sealed = ()
        self._tree.put(entry, change.parent)
        self._doubt_if_elsewhere(change, entry)
        if change.state is not State.DONE:
            self._space.took(entry.size - change.base_size)
            self._rebase(change, entry)
            return False
        self._space.took(change.grows_bytes)
        self._changes.remove(change)
        self._blocks.adopt(BlockKey(entry.id, entry.version), change.draft.file, entry.size, entry.sha1)
        if change.node is not None:
            self._settle_node(change.node, change, entry)
        change.draft.close()
        return True

    def _doubt_if_elsewhere(self, change: Change, entry: Entry) -> None:
        """It went out by names, and may have arrived in a folder that had just got the name of the one it was for."""
        stands_for_a_group = change.parent == Uuid(entry.owner)  # the server calls that folder otherwise
        if entry.parent is None or entry.parent == change.parent or stands_for_a_group:
            return
        for folder in (change.parent, entry.parent):
            self._tree.doubt_object(entry.id, folder)
        if change.node is not None and change.node.parent is not None:
            self._kernel.forget_name(change.node.parent.inode, change.node.shown)

    def _settle_node(self, node: Node, change: Change, entry: Entry) -> None:
        self._tree.nodes.identify(node, entry)
        node.change = change.node = None
        node.pages_of = entry.version  # written through the kernel: its pages are this version
        for handle in node.handles:
            handle.follow(entry)
            handle.change = None
        if entry.modified_ms != change.modified_ms:
            self._attributes.keep_time(node, change.modified_ms)
        self._tree.nodes.release(node)

    def _rebase(self, change: Change, entry: Entry) -> None:
        """Written again meanwhile: what comes next is a new version of what was just accepted."""
        self._changes.becomes(change, entry)
        change.draft.base_bytes = 0
        if change.node is not None:
            self._tree.nodes.identify(change.node, entry)

    def was_taken_back(self, change: Change) -> bool:
        """Whether it was deleted here while its attempt ran."""
        return change not in self._changes

    def may_pass(self, error: CxfsError) -> bool:
        """Whether it goes away by itself, or with what else is on its way: deletions make room."""
        if isinstance(error, NoSpace):
            return any(errand.kind is Kind.REMOVE for errand in self._errands)
        return error.transient or isinstance(error, SignedOut | DiskFull)

    def is_leaving(self, current: Entry) -> bool:
        """Whether it was deleted here and is on the server only until that deletion is done: no conflict."""
        return self._tree.is_leaving(current.id)

    def is_carried_on_by(self, change: Change, current: Entry) -> bool:
        """Whether it goes only when the change has arrived, which meets it where somebody else has moved it."""
        removal = self._errands.removal_of(current.id)
        return removal is not None and removal.carrier == change.id

    async def goes_on_from(self, change: Change, current: Entry) -> None:
        """It does not go then: each would wait for the other. The change is its next version, as of its leaving."""
        removal = self._errands.removal_of(current.id)
        if removal is not None and change in self._changes:
            removal.on(errands.Event.TAKEN_BACK)
            self._errands.remove(removal)
            change.replaces = (*change.replaces, removal)
            self._tree.put(current, change.parent)
            self._rebase(change, replace(current, version=removal.version or current.version))
            await self._journal.record(change)

    def is_ours(self, change: Change, current: Entry) -> bool:
        """Whether it is what an attempt handed over: not another file of that content, moved there by somebody."""
        is_another = current.id != change.object and self._tree.nodes.knows(current.id)
        return current.sha1 in change.sealed and not is_another

    async def answer_was_lost(self, change: Change, current: Entry) -> None:
        """The server's current version is what an earlier attempt of ours handed over: go on from there."""
        if change in self._changes:
            # whichever attempt that was of those that sent this content: another may still come
            self._errands.latecomers.expect(change.parent, change.name, change.sealed, change.settled)
            self._tree.put(current, change.parent)
            self._rebase(change, current)
            await self._journal.record(change)

    async def object_gone(self, change: Change) -> None:
        """The object was deleted on the server while it was changed here: the change wins and makes a new one."""
        if change not in self._changes:
            return
        if change.object is not None:
            self._tree.remove(change.object, change.parent)
        if change.node is not None:
            change.stands_alone(PLAIN if change.node.entry is None else change.node.entry.posix)
            self._tree.nodes.forget_identity(change.node)
        self._changes.becomes(change, None)
        await self._journal.record(change)

    async def conflicted(self, change: Change, current: Entry) -> None:
        """Both sides changed: the server's keeps the name, ours goes beside it under a name of its own."""
        before = change.path
        if change.name != change.copy_name:  # not a copy that met one of the same name
            change.contested_name, change.conflicts = change.name, 0
        change.conflicts += 1
        name = self._conflict_name(change.contested_name, change.conflicts)
        change.copy_name = name
        path = TreePath(before.owner, before.names[:-1]).child(name)
        was_new = change.object is None
        if was_new:  # what was sent of it was sent by the former name
            self._errands.latecomers.expect(change.parent, change.name, change.sealed, change.settled)
        change.sealed = ()
        if not was_new:
            change.stands_alone(current.posix)
        self._changes.becomes(change, None)
        self._changes.moved(change, change.parent, path)
        node = change.node
        if node is not None and node.parent is not None:
            self._kernel.forget_name(node.parent.inode, node.shown)
            if was_new:
                node.shown = escape(name)
            else:
                self._part(node, node.parent, change, current)
        self._tree.put(current, change.parent)
        await self._journal.record(change)
        await self._journal.report(before, f"it changed on the server as well; this side's content becomes {name}")

    def _part(self, node: Node, parent: Node, change: Change, current: Entry) -> None:
        """The node stays with the server's object; ours gets one of its own, which all follow that have it open."""
        change.inode = self._tree.nodes.new_number()
        node.change = change.node = None
        node.entry = current
        ours = self._tree.nodes.node_of_change(change, parent)
        for handle in node.handles:  # what they have read of it was ours
            handle.node = ours
        ours.handles |= node.handles
        node.strangers |= node.handles
        node.handles.clear()
        node.pages_of = None
        self._kernel.drop_pages(node.inode)

    async def parked(self, change: Change, reason: str) -> None:
        """Refused for good: kept, readable, and not sent again by itself."""
        log.error("%s is not accepted by the server and is kept here: %s", change.path, reason)
        change.parked = reason
        await self._journal.record(change)


def _as_link(entry: Entry, change: Change) -> Entry:
    """A server that keeps no links has the file that marks one."""
    if change.posix.link is None or entry.posix.link is not None:
        return entry
    return replace(entry, posix=replace(entry.posix, link=change.posix.link))
