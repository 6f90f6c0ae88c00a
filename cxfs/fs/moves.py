"""Moving an object on the server to a name: what has to go from there before, and what it may be moved over."""

from __future__ import annotations

import math
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol

import trio

from cxfs.core.errands import State
from cxfs.core.errors import AlreadyExists, CxfsError, NotFound, Stale, VersionConflict
from cxfs.core.patience import RECALL_S
from cxfs.fs.new_errands import to_clear
from cxfs.remote.calls import may_have_been_done

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from cxfs.core.entries import Entry, Path, TreePath
    from cxfs.fs.changes import Changes
    from cxfs.fs.errands import Errand, Errands
    from cxfs.fs.journal import Journal
    from cxfs.fs.kernel import KernelCache
    from cxfs.fs.messenger import Messenger
    from cxfs.fs.namespace import Namespace
    from cxfs.fs.node import Node
    from cxfs.fs.tree import Tree


class Files(Protocol):
    """The part of the File API that renames."""

    async def entry(self, path: Path) -> Entry:
        """What is there; raises NotFound."""
        ...

    async def move(self, path: Path, to: TreePath, *, overwrite: bool, over: Entry | None = None) -> Entry:
        """The object at its new place."""
        ...

    async def delete(self, path: Path, *, recursive: bool, if_version: int | None = None) -> None:
        """Returns when the object is gone."""
        ...


class Moves:
    """Those of one mount."""

    def __init__(
        self,
        tree: Tree,
        *,
        files: Files,
        namespace: Namespace,
        messenger: Messenger,
        changes: Changes,
        errands: Errands,
        journal: Journal,
        kernel: KernelCache,
    ) -> None:
        self._tree = tree
        self._files = files
        self._namespace = namespace
        self._messenger = messenger
        self._changes = changes
        self._errands = errands
        self._journal = journal
        self._kernel = kernel

    async def free_place(self, folder: Node, shown: str, moved: Entry | None = None) -> TreePath:
        """The path of a name that is free on the server, in a folder that it knows: waits until that is so.

        `moved` need not wait for what may still arrive there, where the server refuses what meets it; nor, after a
        moment, for a deleted file that cannot leave yet: see `file`.
        """
        await self._messenger.until_made(folder.uuid)
        path = self._tree.child_path(folder, shown)
        going = self._going_at(folder, path)
        if going is not None:
            self._require_no_refusal(going)
            with trio.move_on_after(self._patience_s(moved, going)):
                await self._messenger.make_way(folder.uuid, path.names[-1])
            left = self._going_at(folder, path)
            if left is not None and (moved is None or not self._can_meet(moved, left)):
                await self._messenger.make_way(folder.uuid, path.names[-1])
        return path

    def _patience_s(self, moved: Entry | None, going: Errand) -> float:
        """How long what is to go is waited for: then the move takes its place."""
        if moved is None or not self._can_meet(moved, going):
            return math.inf
        return 0 if going.is_clearing or not going.after.is_set() else RECALL_S

    def _require_no_refusal(self, going: Errand) -> None:
        """What stands there may wait for an upload that waits for a person: no time helps."""
        carrier = self._changes.get(going.carrier) if going.carrier is not None else None
        if carrier is not None and carrier.parked is not None:
            raise CxfsError(f"{going} waits for the upload of {carrier.path}, which was refused: {carrier.parked}")

    def _going_at(self, folder: Node, path: TreePath) -> Errand | None:
        return self._errands.removal_at(folder.uuid, path.names[-1])

    def _can_meet(self, moved: Entry, going: Errand) -> bool:
        """Whether what is moved there can be told from what is to go, or that be done without.

        A file that is known goes by identity; but of one whose deletion was sent nobody knows whether it is there.
        """
        if going.is_clearing:
            return self._namespace.is_met(going) and (moved.is_folder or moved.sha1 is not None)
        is_file = not moved.is_folder and not going.is_folder
        return self._namespace.is_fenced and is_file and not going.in_doubt and going.state is State.WAITING

    @asynccontextmanager
    async def _in_place_of(self, going: Errand | None, moved: Entry) -> AsyncIterator[None]:
        """The block moves something to where `going` was to remove something: then nothing is left for that to do.

        A kill in the block leaves it, and so does a move of which nobody knows whether it was done. A clearing must
        not take the moved file for what it is to remove, and does not look for this content any more; what could
        arrive then is a copy.
        """
        if going is None:
            yield
            return
        async with self._messenger.held(going):
            sealed = going.sealed
            if going.is_clearing and moved.sha1 in sealed:
                await self._looks_for(going, tuple(sha1 for sha1 in sealed if sha1 != moved.sha1))
            try:
                yield
            except CxfsError as error:
                if not may_have_been_done(error):
                    await self._looks_for(going, sealed)
                raise
            if going.object is not None:  # else it would be listed again, beside what has its name now
                self._tree.remove(going.object, going.parent)
            await self._messenger.take_back(going)
            self._errands.latecomers.expect(going.parent, going.name, sealed, going.after)

    async def vacated(self, folder: Node, path: TreePath) -> None:
        """Nothing of this name stands there any more: what it was in the way of may arrive."""
        late = self._errands.latecomers.at(folder.uuid, path.names[-1])
        if late is not None:
            now_ms = self._journal.now_ms()
            clearing = to_clear(folder.uuid, path, is_folder=False, sealed=late.sealed, after=late.until, now_ms=now_ms)
            self._messenger.accept(clearing)
            await self._journal.note(clearing)

    async def _looks_for(self, clearing: Errand, sealed: tuple[bytes, ...]) -> None:
        if clearing.sealed != sealed and clearing in self._errands:
            clearing.sealed = sealed
            await self._journal.note(clearing)

    async def file(self, moved: Entry, folder: Node, path: TreePath, replaced: Node | None) -> Entry:
        """The file at its new place, over what was seen there as `replaced`, was deleted there, or is content of ours.

        The last is what was sent there and not heard of, before the file of this name was replaced or went elsewhere.
        It is not there yet, then the server will refuse it; or it is, and is known by its checksum.
        """
        seen = replaced.seen if replaced is not None else None
        going = self._going_at(folder, path)
        ours = replaced.change.sealed if replaced is not None and replaced.change is not None else ()
        ours += going.sealed if going is not None else ()
        if seen is None and going is not None and not going.is_clearing:
            seen = going.entry
        if replaced is not None and replaced.change is not None and not self._namespace.is_fenced:
            await replaced.change.settled.wait()  # else it would be the newest version of what is moved there
        async with self._in_place_of(going, moved):
            entry = await self._over(moved, folder, path, seen, ours)
        if replaced is not None and replaced.change is not None:
            change = replaced.change
            self._errands.latecomers.expect(folder.uuid, path.names[-1], change.sealed, change.settled)
        return entry

    async def _over(
        self, moved: Entry, folder: Node, path: TreePath, seen: Entry | None, ours: tuple[bytes, ...]
    ) -> Entry:
        """What nobody here has seen there (a version, an object) is not replaced: who asks again has looked at it."""
        if seen is None:
            try:
                return await self._files.move(moved.path, path, overwrite=False)
            except AlreadyExists:
                if not ours:
                    raise
        try:
            found = await self._files.entry(path)
        except NotFound:
            return await self._files.move(moved.path, path, overwrite=False)
        if found.sha1 not in ours or self._is_another(found, seen):
            _require_same(found, seen)
        try:
            entry = await self._files.move(moved.path, path, overwrite=True, over=found)
        except VersionConflict as error:
            raise Stale(f"{str(found.name)!r} was changed by somebody else at this moment") from error
        self._tree.remove(found.id, folder.uuid)  # only now: a change that meets it waits until it is gone
        return entry

    async def folder(self, moved: Entry, folder: Node, path: TreePath) -> Entry:
        """The folder at its new place, from where a file of ours goes that has arrived there too late."""
        going = self._going_at(folder, path)
        clearing = going if going is not None and going.is_clearing else None
        async with self._in_place_of(clearing, moved):
            try:
                return await self._files.move(moved.path, path, overwrite=False)
            except AlreadyExists:
                if clearing is None:
                    raise
                found = await self._files.entry(path)
                if found.is_folder or not clearing.looks_for(found) or self._is_another(found, None):
                    raise
            await self._files.delete(found.path, recursive=False, if_version=found.version)
            self._tree.remove(found.id, folder.uuid)
            return await self._files.move(moved.path, path, overwrite=False)

    def _is_another(self, found: Entry, seen: Entry | None) -> bool:
        """Whether somebody else has moved it there from where it was seen: not what was sent, whatever its content."""
        return (seen is None or found.id != seen.id) and self._tree.nodes.knows(found.id)

    @asynccontextmanager
    async def doubting(self, *places: tuple[Node, str]) -> AsyncIterator[None]:
        """A call that fails or is cut short may have happened all the same: ask before believing anything.

        The kernel has to ask as well: what is written under a name that it still believes would go elsewhere.
        """
        try:
            yield
        except BaseException:
            self._tree.doubt(*(folder for folder, _ in places))
            for folder, shown in places:
                self._kernel.forget_name(folder.inode, shown)
            raise


def _require_same(found: Entry, seen: Entry | None) -> None:
    if seen is None:
        raise AlreadyExists(f"{str(found.name)!r} exists already")
    if (found.id, found.version) != (seen.id, seen.version):
        raise Stale(f"{str(seen.name)!r} was changed by somebody else since it was last looked at")
