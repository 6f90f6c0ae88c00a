"""Making and removing: names that come and go. They do not wait for the server; renaming is `renaming`'s matter.

A new folder and a deletion are journalled as errands and show here at once. What can be known here is refused at the
call (a taken name, a folder that is not empty); what the server refuses later comes back, and is reported.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from cxfs.core.errands import State
from cxfs.core.errors import AlreadyExists, DiskFull, IsADirectory, NotADirectory, NotEmpty, NotFound
from cxfs.core.names import escape
from cxfs.core.posix import NOTHING
from cxfs.fs.new_errands import to_clear, to_make, to_remove, to_stamp

if TYPE_CHECKING:
    from cxfs.core.entries import TreePath
    from cxfs.core.posix import PosixUpdate
    from cxfs.fs.attributes import AttributeRules
    from cxfs.fs.changes import Change, Changes
    from cxfs.fs.errands import Errand, Errands
    from cxfs.fs.journal import Journal
    from cxfs.fs.messenger import Messenger
    from cxfs.fs.node import Node
    from cxfs.fs.permissions import Permissions
    from cxfs.fs.steps import Steps
    from cxfs.fs.tree import Tree
    from cxfs.fs.uploader import Uploader

log = logging.getLogger(__name__)


class Namespace:
    """The names of one mount. `conditional`: the server compares versions itself (capability `conditional-upload`)."""

    def __init__(
        self,
        tree: Tree,
        *,
        uploader: Uploader,
        messenger: Messenger,
        changes: Changes,
        errands: Errands,
        steps: Steps,
        journal: Journal,
        attributes: AttributeRules,
        permissions: Permissions,
        conditional: bool,
    ) -> None:
        self._tree = tree
        self._uploader = uploader
        self._messenger = messenger
        self._changes = changes
        self._errands = errands
        self._steps = steps
        self._journal = journal
        self._attributes = attributes
        self._permissions = permissions
        self._conditional = conditional

    # ------------------------------------------------------------ making

    async def new_path(self, folder: Node, shown: str) -> TreePath:
        """Where something new of this name goes. Raises AlreadyExists, Denied, ReadOnly, NotFound, BadName."""
        self._permissions.check(folder)
        node, _ = await self._tree.lookup(folder, shown)
        if folder.gone:
            raise NotFound(f"the folder {folder.shown!r} is gone")
        if node is not None:
            raise AlreadyExists(f"{shown!r} exists already")
        return self._tree.child_path(folder, shown)

    async def make_folder(self, folder: Node, shown: str, posix: PosixUpdate = NOTHING) -> Node:
        """A new folder; the server is told later. Raises DiskFull where it cannot be written down."""
        path = await self.new_path(folder, shown)
        inode, now_ms = self._tree.nodes.new_number(), self._journal.now_ms()
        making = to_make(folder.uuid, path, posix, inode=inode, now_ms=now_ms)
        removal = self._errands.removal_at(folder.uuid, making.name)
        if removal is not None:
            self._messenger.closed(removal)
        self._messenger.accept(making)
        try:
            await self._journal.note(making)
        except DiskFull:
            self._messenger.cancel(making)
            raise
        await self.touched(folder)
        return self._tree.nodes.node_of(making.entry, folder, escape(making.name))

    def succeed(self, node: Node, folder: Node) -> None:
        """A new file by the name of one whose deletion was not sent yet: it becomes that one's next version.

        So does one where something of ours may still arrive: the server refuses that, or it is known by its checksum.
        """
        change = node.change
        if change is None or node.entry is not None:
            return
        removal = self._errands.removal_at(folder.uuid, change.name)
        if removal is not None and (removal.can_be_continued or self.is_met(removal)):
            self.take_back(removal, node, change)

    @property
    def is_fenced(self) -> bool:
        """Whether the server refuses what comes late."""
        return self._conditional

    def is_met(self, removal: Errand) -> bool:
        """Whether it clears what a file of ours may find there, and can deal with itself."""
        return self._conditional and removal.is_clearing and not removal.is_folder and removal.state is State.WAITING

    def take_back(self, removal: Errand, node: Node, change: Change) -> None:
        """What was to be removed stays: the change of `node` is its next version."""
        self._messenger.cancel(removal)
        change.replaces = (*change.replaces, removal)
        change.sealed = (*removal.sealed, *change.sealed)
        change.comes_after(removal.after)
        if not removal.is_clearing:
            self._changes.becomes(change, removal.entry)
            self._tree.nodes.identify(node, removal.entry)

    # ------------------------------------------------------------ removing

    async def remove(self, folder: Node, shown: str) -> None:
        """The file's name is gone; its content stays readable for those who have it open."""
        node = await self.changeable(folder, shown)
        if node.is_folder:
            raise IsADirectory(f"{shown!r} is a folder")
        change, removal = node.change, self._removal_of(node, folder)
        stamp = self._errands.stamp_of(node.entry.id) if node.entry is not None else None
        if change is not None:
            self._uploader.give_up(change)
        if stamp is not None:
            self._messenger.cancel(stamp)
        if removal is not None:
            self._messenger.accept(removal)
        self._tree.nodes.detach(node)
        self._lay_aside(node)
        await self._write_down(removal, change, stamp, *(change.replaces if change is not None else ()))
        await self.touched(folder)

    def _removal_of(self, node: Node, folder: Node) -> Errand | None:
        """What is to be done on the server; None when nothing of the file can be there."""
        change, path, now_ms = node.change, self._tree.path_of(node), self._journal.now_ms()
        sealed = change.sealed if change is not None else ()
        if node.seen is not None:
            removal = to_remove(
                node.seen, folder.uuid, path, sealed=sealed, node=node if node.handles else None, now_ms=now_ms
            )
            if change is not None:
                removal.after = change.attempt.ended
            self._errands.stays_in_the_way(removal)
            return removal
        if change is not None and sealed:  # it may have arrived, or be about to
            after = change.settled
            return to_clear(folder.uuid, path, is_folder=False, sealed=sealed, after=after, now_ms=now_ms)
        return None

    def _lay_aside(self, node: Node) -> None:
        """What waited of a node that is gone is not sent; those who have it open keep it."""
        change = node.change
        if change is not None and not node.handles:
            node.change = change.node = None
            self._uploader.let_go(change)
            self._tree.nodes.release(node)

    async def _write_down(self, removal: Errand | None, *instead_of: Change | Errand | None) -> None:
        """A deletion is not refused for a full disk, which it may be meant to cure."""
        former = [each for each in instead_of if each is not None]
        try:
            if removal is not None:
                await self._journal.note(removal, *former)
            else:
                await self._journal.drop(*former)
        except DiskFull as error:
            log.error("a deletion would be forgotten by a crash: %s", error)

    async def remove_folder(self, folder: Node, shown: str) -> None:
        """The folder is gone. Raises NotEmpty while anything is in it, as far as is known here."""
        node = await self.changeable(folder, shown)
        if not node.is_folder:
            raise NotADirectory(f"{shown!r} is a file")
        await self.remove_empty(node, folder)
        await self.touched(folder)

    async def remove_empty(self, node: Node, folder: Node) -> None:
        """Removes a folder here; on the server when what was removed from it is gone there."""
        await self._require_empty(node)
        if node.gone or node.entry is None:
            raise NotFound(f"{node.shown!r} is gone")
        path, now_ms = self._tree.path_of(node), self._journal.now_ms()
        making, stamp = self._errands.making(node.uuid), self._errands.stamp_of(node.uuid)
        removal: Errand | None = None
        if making is None:
            removal = to_remove(node.entry, folder.uuid, path, now_ms=now_ms)
            self._errands.stays_in_the_way(removal)
        elif making.in_doubt:  # it may have arrived, or be about to
            after = making.attempt_ended
            removal = to_clear(folder.uuid, path, is_folder=True, sealed=(), after=after, now_ms=now_ms)
        self._messenger.close_all_in(node.uuid, at_once=self._conditional)
        former = [each for each in (making, stamp) if each is not None]
        if removal is not None and removal.object is not None and self._conditional:
            former += self._goes_with(removal)
        for each in former:
            self._messenger.cancel(each)
        if removal is not None:
            self._messenger.accept(removal)
        self._tree.nodes.detach(node)
        await self._write_down(removal, *former)

    def _goes_with(self, removal: Errand) -> list[Errand]:
        """What waits in a folder for what may come late: the server refuses that when there is no folder any more."""
        clearings = [each for each in self._errands.removals_in(removal.place) if each.is_clearing]
        clearings = [each for each in clearings if not each.is_folder]
        removal.sealed = tuple(sha1 for each in clearings for sha1 in each.sealed)
        return clearings

    async def _require_empty(self, node: Node) -> None:
        listing = await self._tree.listing(node)
        left = any(not self._tree.hides(entry, node.uuid) for entry in listing.by_shown.values())
        if left or self._changes.new_in(node.uuid) or self._errands.made_in(node.uuid):
            raise NotEmpty(f"{node.shown!r} is not empty")

    # ------------------------------------------------------------ attributes

    def is_busy(self, folder: Node) -> bool:
        """Whether anything is on its way into or out of the folder, which would change its time on the server."""
        return not folder.gone and self._steps.lead_into(folder.uuid)

    async def stamp(self, node: Node, modified_ms: int | None, posix: PosixUpdate = NOTHING) -> bool:
        """These attributes are set on the server a short while later, a folder's when nothing is on its way into it.

        False for an owner's root: it has no name that a journal's row could hold.
        """
        parent, now_ms = node.parent or node, self._journal.now_ms()
        if node.entry is None:
            raise NotFound(f"{node.shown!r} is gone")
        path = self._tree.path_of(node)
        if not path.names:
            return False
        former = self._errands.stamp_of(node.uuid)
        if former is not None:
            self._messenger.cancel(former)
            posix = former.posix.then(posix, with_time=modified_ms is not None)
            modified_ms = former.modified_ms if modified_ms is None else modified_ms
        stamp = to_stamp(node.entry, parent.uuid, path, modified_ms, posix, now_ms=now_ms)
        if former is not None:
            stamp.after = former.attempt_ended  # or its request could overtake this one
        self._messenger.accept(stamp)
        await self._journal.note(stamp, *([former] if former is not None else []))
        return True

    # ------------------------------------------------------------ shared

    async def changeable(self, folder: Node, shown: str) -> Node:
        """What has this name, which may be taken from it. Raises NotFound, Denied, ReadOnly."""
        self._permissions.check(folder)
        node, _ = await self._tree.lookup(folder, shown)
        if node is None:
            raise NotFound(f"{shown!r} does not exist")
        self._permissions.check(node)
        return node

    async def touched(self, folder: Node) -> None:
        """Names in the folder changed: it is dated by that, whatever time was set on it before."""
        self._attributes.names_changed(folder, self._journal.now_ms())
        stamp = self._errands.stamp_of(folder.uuid) if folder.entry is not None else None
        if stamp is None or stamp.modified_ms is None:
            return
        rest = replace(stamp.posix, rest_ns=0)
        if rest == NOTHING:
            await self._messenger.take_back(stamp)
        else:
            stamp.modified_ms, stamp.posix = None, rest
            await self._journal.note(stamp)
