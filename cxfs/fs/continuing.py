"""Which file's content goes on as the next version of another object, that had its name. Moves nothing on the server.

A new file that takes the place of an existing one becomes that one's next version, so that a program that writes a
temporary file and renames it makes one upload; so does a small file that the server knows, if its content is here. What
was deleted, or went elsewhere, under that name and has not left the server yet will do as well: nobody waits for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cxfs.core.errands import State
from cxfs.fs.new_errands import to_remove

if TYPE_CHECKING:
    from cxfs.fs.attributes import AttributeRules
    from cxfs.fs.changes import Change, Changes
    from cxfs.fs.errands import Errand, Errands
    from cxfs.fs.handles import Contents
    from cxfs.fs.journal import Journal
    from cxfs.fs.messenger import Messenger
    from cxfs.fs.namespace import Namespace
    from cxfs.fs.node import Node
    from cxfs.fs.tree import Tree
    from cxfs.fs.uploader import Uploader

CONTINUED_BYTES_MAX: Final = 64 << 20
"""A file of up to this size that replaces another is sent once more, as its next version; moving a larger one is
worth more than the UUID of what it replaces."""


class Continuing:
    """The successions of one mount. Whoever calls holds the changes that it is about."""

    def __init__(
        self,
        tree: Tree,
        *,
        namespace: Namespace,
        contents: Contents,
        uploader: Uploader,
        messenger: Messenger,
        changes: Changes,
        errands: Errands,
        journal: Journal,
        attributes: AttributeRules,
        bytes_max: int = CONTINUED_BYTES_MAX,
    ) -> None:
        self._tree = tree
        self._namespace = namespace
        self._contents = contents
        self._uploader = uploader
        self._messenger = messenger
        self._changes = changes
        self._errands = errands
        self._journal = journal
        self._attributes = attributes
        self._bytes_max = bytes_max

    def is_possible(self, node: Node, folder: Node, shown: str, replaced: Node | None) -> bool:
        """Whether `goes_on` will do, as far as is known now: not where the content would have to be fetched first."""
        if node.seen is None or node.parent is None or node.size > self._bytes_max:
            return False
        has_former = _is_known(replaced) or self._leaving_at(folder, shown) is not None
        return has_former and self._contents.has_all_of(node)

    async def goes_on(self, node: Node, folder: Node, shown: str, replaced: Node | None) -> bool:
        """The server knows the file, and another of that name: the content becomes the next version of the latter.

        The former object goes when that has arrived. False where this cannot be done, and nothing was.
        """
        if not self.is_possible(node, folder, shown, replaced):
            return False
        leaving = None if _is_known(replaced) else self._leaving_at(folder, shown)
        async with self._messenger.held(*([leaving] if leaving is not None else [])):
            change = await self._contents.complete_change(
                node, self._attributes.modified_ns(node) // 1_000_000, self._attributes.brought(node)
            )
            if change is None:
                return False
            await self._succeed(node, change, folder, shown, replaced=replaced, leaving=leaving)
        return True

    async def _succeed(
        self, node: Node, change: Change, folder: Node, shown: str, *, replaced: Node | None, leaving: Errand | None
    ) -> None:
        before, parent = node.seen, node.parent
        assert before is not None
        assert parent is not None
        path = self._tree.child_path(folder, shown)
        removal = to_remove(
            before,
            parent.uuid,
            self._tree.path_of(node),
            sealed=change.sealed,
            carrier=change.id,
            now_ms=self._journal.now_ms(),
        )
        self._errands.stays_in_the_way(removal)
        change.sealed = ()
        self._changes.moved(change, folder.uuid, path)
        if replaced is not None:
            self.take_over(node, change, replaced)
        if leaving is not None:
            change.posix = self._attributes.brought(node)
            self._namespace.take_back(leaving, node, change)
        self._messenger.accept(removal)
        self._tree.nodes.place(node, folder, shown)
        await self._journal.record(change, errand=removal, over=replaced.change if replaced is not None else None)
        self._uploader.closed(change)

    def take_over(self, node: Node, change: Change, former: Node) -> None:
        """The change of `node` is the next version of what `former` was, and brings all of its own attributes."""
        entry = former.seen
        change.has_backup = False
        change.posix = self._attributes.brought(node)
        if former.change is not None:  # what of it was handed over may be on the server: still our own
            change.sealed = (*former.change.sealed, *change.sealed)
            change.comes_after(former.change.settled)
        self._tree.nodes.detach(former)
        if entry is not None:
            self._changes.becomes(change, entry)
            self._tree.nodes.identify(node, entry)

    def _leaving_at(self, folder: Node, shown: str) -> Errand | None:
        """The removal of a known file of that name that no attempt was made at, and that nobody has open."""
        removal = self._errands.removal_at(folder.uuid, self._tree.child_path(folder, shown).names[-1])
        if removal is None or removal.object is None or removal.is_folder or removal.in_doubt:
            return None
        return removal if removal.state is State.WAITING else None


def _is_known(replaced: Node | None) -> bool:
    return replaced is not None and replaced.entry is not None
