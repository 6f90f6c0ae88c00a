"""One attempt at an errand, and what its end does to the tree and the journal. When is the messenger's matter.

Nothing that somebody else did is undone unseen: a file that changed since it was deleted here is kept, and so is a
folder that others have put something into. The name then comes back, and a person is told.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

import trio

from cxfs.core.entries import Entry, EntryName, Path, TreePath, Uuid
from cxfs.core.errands import Event
from cxfs.core.errors import AlreadyExists, CxfsError, NotEmpty, NotFound, ServerTrouble, SignedOut, VersionConflict
from cxfs.core.names import escape
from cxfs.core.order import Kind
from cxfs.core.posix import NOTHING
from cxfs.fs.bundles import NotTogether, outcomes_of
from cxfs.fs.errands import address
from cxfs.remote.bundles import BundleRemoval

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cxfs.core.posix import PosixUpdate
    from cxfs.fs.bundles import BundleSender
    from cxfs.fs.changes import Changes
    from cxfs.fs.errands import Errand, Errands
    from cxfs.fs.homes import Homes
    from cxfs.fs.journal import Journal
    from cxfs.fs.kernel import KernelCache
    from cxfs.fs.listings import FolderListing
    from cxfs.fs.space import SpaceWatch
    from cxfs.fs.tree import Tree

log = logging.getLogger(__name__)

TURNS_MAX: Final = 8
"""Times that a folder may go elsewhere at once before it has to wait, as for a file."""

NOT_EMPTY: Final = "somebody else has put something into it, and it is kept"


class Files(Protocol):
    """The part of the File API that errands need."""

    async def listing(self, path: Path) -> FolderListing:
        """Everything in a folder."""
        ...

    async def entry(self, path: Path) -> Entry:
        """What is there; raises NotFound."""
        ...

    async def make_folder(self, path: TreePath, posix: PosixUpdate = NOTHING) -> Entry:
        """The new folder."""
        ...

    async def delete(self, path: Path, *, recursive: bool, if_version: int | None = None) -> None:
        """Returns when the object is gone."""
        ...

    async def update(self, path: Path, modified_ms: int | None, posix: PosixUpdate = NOTHING) -> Entry:
        """The object with its new attributes."""
        ...


class Delivery:
    """Attempts of one mount. `conflict_name` gives the name of our side of a conflict, by its number."""

    def __init__(
        self,
        files: Files,
        tree: Tree,
        *,
        changes: Changes,
        errands: Errands,
        homes: Homes,
        space: SpaceWatch,
        journal: Journal,
        kernel: KernelCache,
        conflict_name: Callable[[EntryName, int], EntryName],
        bundles: BundleSender | None,
    ) -> None:
        self._files = files
        self._bundles = bundles
        self._tree = tree
        self._changes = changes
        self._errands = errands
        self._homes = homes
        self._space = space
        self._journal = journal
        self._kernel = kernel
        self._conflict_name = conflict_name
        self._do = {Kind.MAKE: self._make, Kind.REMOVE: self._remove, Kind.STAMP: self._stamp}

    async def attempt(self, errand: Errand) -> CxfsError | None:
        """Runs an errand that `starts`, once; the error tells why it is to be tried again later."""
        try:
            await self._do[errand.kind](errand)
        except CxfsError as error:
            return await self._failed(errand, error)
        return None

    @property
    def takes_many(self) -> bool:
        """Whether deletions go together."""
        return self._bundles is not None

    async def attempt_together(
        self, removals: Sequence[Errand], ended: Callable[[Errand, CxfsError | None], None]
    ) -> None:
        """Runs deletions that `start`, in one request. `ended` hears of each what an attempt at it alone would give.

        The server compares the versions itself, and leaves a folder that is not empty.
        """
        assert self._bundles is not None
        asked = [BundleRemoval(address(each), None if each.is_folder else each.version) for each in removals]
        outcomes = await outcomes_of(self._bundles.delete, asked)
        gone: list[Errand] = []
        odd: list[tuple[Errand, CxfsError]] = []
        for errand, outcome in zip(removals, outcomes, strict=True):
            if outcome is None or isinstance(outcome, NotFound):
                self._forget_object(errand, errand.object)
                gone.append(errand)
            else:
                odd.append((errand, outcome))
        await self._over(*gone)
        for errand in gone:
            ended(errand, None)
        async with trio.open_nursery() as nursery:
            for errand, outcome in odd:
                nursery.start_soon(self._go_on, errand, outcome, ended)

    async def _go_on(
        self, errand: Errand, outcome: CxfsError, ended: Callable[[Errand, CxfsError | None], None]
    ) -> None:
        """The rest of an attempt that was not plain."""
        if isinstance(outcome, NotTogether):
            errand.goes_alone = True
            if errand in self._errands:
                errand.on(Event.FAILED)
            ended(errand, None)
        elif isinstance(
            outcome, VersionConflict
        ):  # by somebody else, or by what we ourselves have sent: told apart alone
            ended(errand, await self.attempt(errand))
        else:
            reason = NotEmpty(NOT_EMPTY) if isinstance(outcome, NotEmpty) else outcome
            ended(errand, await self._failed(errand, reason))

    async def _failed(self, errand: Errand, error: CxfsError) -> CxfsError | None:
        if errand not in self._errands:
            return None
        if error.transient or isinstance(error, SignedOut):
            errand.on(Event.FAILED)
            return error
        if errand.kind is Kind.MAKE:
            errand.on(Event.REFUSED)
            errand.parked = str(error)
            await self._journal.note(errand)
            await self._journal.report(errand.path, f"the server does not take the folder; it is kept here: {error}")
        else:
            await self._give_up(errand, error)
        return None

    async def _over(self, *errands: Errand, event: Event = Event.DONE) -> None:
        here = [errand for errand in errands if errand in self._errands]
        for errand in here:
            errand.on(event)
            self._errands.remove(errand)
        if here:
            await self._journal.forget(*here)

    # ------------------------------------------------------------ folders to make

    async def _make(self, errand: Errand) -> None:
        try:
            entry = await self._files.make_folder(errand.path, errand.posix)
        except AlreadyExists:
            await self._meet(errand)
        except NotFound:
            if not await self._homes.bring(errand):
                raise ServerTrouble(f"the folder of {errand.path} is there and is not") from None
            self._again(errand)
        else:
            await self._made(errand, entry, is_empty=True)

    async def _meet(self, errand: Errand) -> None:
        """The name is taken: by a folder, which ours becomes (an attempt may have made it), or by somebody's file."""
        try:
            found = await self._files.entry(errand.path)
        except NotFound:
            self._again(errand)
            return
        if found.is_folder:
            await self._made(errand, found, is_empty=False)
        else:
            await self._step_aside(errand, found)

    def _again(self, errand: Errand) -> None:
        """The next attempt goes elsewhere. Raises ServerTrouble when that has led nowhere several times."""
        errand.turns += 1
        if errand.turns > TURNS_MAX:
            raise ServerTrouble(f"{errand} finds no place")
        if errand in self._errands:
            errand.on(Event.FAILED)

    async def _made(self, errand: Errand, entry: Entry, *, is_empty: bool) -> None:
        if errand not in self._errands:
            return  # removed here meanwhile: whoever removed it looks for what has arrived
        errand.on(Event.DONE)
        if errand.modified_ms is not None:  # its time does not jump now; it is believed as long as any other
            entry = replace(entry, modified_ms=errand.modified_ms)
        provisional, node = errand.place, self._tree.nodes.folder_of(errand.place)
        self._errands.made(errand, entry)
        self._changes.folder_made(provisional, entry.id)
        if is_empty:
            self._tree.put_new_folder(entry, errand.parent)
        else:
            self._tree.put(entry, errand.parent)
        if node is not None:
            self._tree.nodes.identify(node, entry)
        await self._journal.made(errand, entry)

    async def _step_aside(self, errand: Errand, found: Entry) -> None:
        if errand not in self._errands:
            return
        before = errand.path
        errand.conflicts += 1
        name = self._conflict_name(errand.contested_name, errand.conflicts)
        path = TreePath(before.owner, before.names[:-1]).child(name)
        self._errands.moved(errand, errand.parent, path)
        node = self._tree.nodes.folder_of(errand.place)
        if node is not None and node.parent is not None:
            self._kernel.forget_name(node.parent.inode, node.shown)
            node.entry, node.shown = errand.entry, escape(name)
        self._tree.put(found, errand.parent)
        self._again(errand)
        await self._journal.note(errand)
        await self._homes.folder_moved(before, path)
        await self._journal.report(before, f"somebody made a file of this name; this side's folder becomes {name}")

    # ------------------------------------------------------------ objects to remove

    async def _remove(self, errand: Errand) -> None:
        try:
            found = await self._found(errand)
            if found is None:
                await self._over(errand)
                return
            if found.is_folder:
                await self._empty(found, errand.sealed)
            elif errand.version != found.version and found.sha1 not in errand.sealed:
                raise VersionConflict("it was changed by somebody else since, and is kept")
            if not await self._delete(found):
                self._again(errand)
                return
        except NotFound:
            found = None
        await self._removed(errand, found)

    async def _delete(self, found: Entry) -> bool:
        """Whether it is gone: not where it has changed since it was looked at, by whomever. Raises NotFound."""
        try:
            if_version = None if found.is_folder else found.version
            await self._files.delete(found.path, recursive=False, if_version=if_version)
        except VersionConflict:
            return False
        return True

    async def _found(self, errand: Errand) -> Entry | None:
        """What is to be removed, as it is now; None when there is nothing of ours. Raises NotFound."""
        if errand.object is None:
            found = await self._files.entry(errand.path)
            return found if errand.looks_for(found) and not self._tree.nodes.knows(found.id) else None
        if errand.is_folder:
            return errand.entry
        return await self._files.entry(address(errand))

    async def _empty(self, folder: Entry, sealed: tuple[bytes, ...]) -> None:
        """Nothing is in it but what has come late of our own, and that goes. Raises NotEmpty for anything else.

        A server that does not know `recursive` would delete what others have put there.
        """
        entries = (await self._files.listing(folder.path)).entries
        if not all(each.sha1 in sealed for each in entries):
            raise NotEmpty(NOT_EMPTY)
        for each in entries:
            await self._files.delete(each.path, recursive=False, if_version=each.version)

    async def _removed(self, errand: Errand, found: Entry | None) -> None:
        self._forget_object(errand, found.id if found is not None else errand.object)
        await self._over(errand)

    def _forget_object(self, errand: Errand, object_id: Uuid | None) -> None:
        if object_id is not None:
            self._tree.remove(object_id, errand.parent)
        self._space.took(-errand.frees_bytes)

    async def _give_up(self, errand: Errand, error: CxfsError) -> None:
        """The name comes back, as far as it was gone; the program that was told otherwise has long ended."""
        errand.refusal = error
        await self._over(errand, event=Event.TAKEN_BACK)
        if errand.kind is Kind.STAMP:
            await self._journal.report(errand.path, f"its attributes could not be set and are as before: {error}")
            return
        self._tree.doubt_object(errand.place, errand.parent)
        folder = self._tree.nodes.folder_of(errand.parent)
        if folder is not None:
            self._kernel.forget_name(folder.inode, escape(errand.name))
        await self._journal.report(errand.path, f"it could not be deleted and is back: {error}")

    # ------------------------------------------------------------ attributes to stamp

    async def _stamp(self, errand: Errand) -> None:
        try:
            entry = await self._files.update(address(errand), errand.modified_ms, errand.posix)
        except NotFound:
            await self._over(errand)
            return
        if errand in self._errands:
            self._tree.put(entry, errand.parent)
            node = self._tree.nodes.folder_of(entry.id)
            if node is not None:
                self._tree.nodes.believe(node, entry)
        await self._over(errand)
