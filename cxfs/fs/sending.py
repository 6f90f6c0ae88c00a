"""One attempt to bring a change to the server, from its first byte to what the answer means. When is the uploader's.

What goes out is always one consistent content: a write abandons the attempt while bytes are going out; once all of them
were handed over the answer is awaited, and the write counts as the next version.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import replace
from enum import Enum, auto
from functools import partial
from typing import TYPE_CHECKING, Protocol

import trio

from cxfs.core.entries import Entry, EntryName, Path, Uuid, UuidPath
from cxfs.core.errors import CxfsError, IsADirectory, NotFound, ServerTrouble, VersionConflict
from cxfs.core.flow import Flow
from cxfs.core.posix import NOTHING
from cxfs.core.ranges import ByteRange
from cxfs.core.uploads import IN_FLIGHT, Event, State
from cxfs.fs.base import bring_base
from cxfs.fs.bundles import NotTogether
from cxfs.fs.draft_content import Abandoned, DraftContent
from cxfs.local.drafts import PIECE_BYTES, Draft
from cxfs.remote.bundles import BundleUpload

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cxfs.core.posix import PosixUpdate
    from cxfs.fs.changes import Change
    from cxfs.fs.homes import Homes
    from cxfs.fs.journal import Journal
    from cxfs.fs.offload import Offload
    from cxfs.fs.outcomes import Outcomes
    from cxfs.fs.reader import Reader

log = logging.getLogger(__name__)


class Sender(Protocol):
    """The part of the Transport API that writes."""

    async def upload(
        self,
        path: Path,
        content: DraftContent,
        *,
        modified_ms: int,
        if_version: int | None,
        if_parent: Uuid | None = None,
        name: EntryName | None = None,
        posix: PosixUpdate = NOTHING,
        on_sealed: Callable[[bytes], Awaitable[None]] | None = None,
    ) -> Entry:
        """The object as the server has it now."""
        ...


class Files(Protocol):
    """The part of the File API that tells what is there now, and changes attributes."""

    async def entry(self, path: Path) -> Entry:
        """What is there; raises NotFound."""
        ...

    async def update(self, path: Path, modified_ms: int | None, posix: PosixUpdate = NOTHING) -> Entry:
        """The object with its new attributes."""
        ...


class Verdict(Enum):
    """What an attempt came to, for whoever plans the next one."""

    SETTLED = auto()
    """Accepted, parked, or taken back by a write: nothing to plan."""
    AGAIN_NOW = auto()
    """The target has changed, the next attempt goes elsewhere."""
    AGAIN_LATER = auto()
    """The server cannot take it at the moment."""


class Sending:
    """Attempts of one mount. `conditional`: the server compares versions itself (capability `conditional-upload`).

    `keeps_times`: it can change a time (capability `attributes`), `keeps_posix` all attributes (`posix`).
    """

    def __init__(
        self,
        sender: Sender,
        files: Files,
        *,
        outcomes: Outcomes,
        homes: Homes,
        reader: Reader,
        journal: Journal,
        disk: Offload,
        quick: Offload,
        conditional: bool,
        keeps_times: bool,
        keeps_posix: bool,
    ) -> None:
        self._sender = sender
        self._files = files
        self._outcomes = outcomes
        self._homes = homes
        self._reader = reader
        self._journal = journal
        self._disk = disk
        self._quick = quick
        self.conditional = conditional
        self._keeps_times = keeps_times
        self._keeps_posix = keeps_posix
        self.flow = Flow()
        """What was handed over, by all attempts: that it grows shows that the server takes something."""

    async def attempt(self, change: Change) -> tuple[Verdict, CxfsError | None]:
        """Sends a change that `starts`, once; the error tells why it is not settled. No server can make it raise."""
        attempt = change.attempt
        try:
            with attempt.scope:
                if change.state is State.SENDING:  # else it was taken back before this task ran
                    return await self._sent(change)
        except Abandoned:
            pass
        finally:
            change.ends(attempt)
        return Verdict.SETTLED, None  # a write took it back

    async def _sent(self, change: Change) -> tuple[Verdict, CxfsError | None]:
        content = DraftContent(change, self._disk, partial(self._count, change))
        try:
            outcome: Entry | CxfsError = await self._send(change, content)
        except CxfsError as error:
            outcome = error
        content.attempt.answered(outcome)
        if content.attempt.is_disowned:
            return disowned(outcome)
        if change.state not in IN_FLIGHT:  # abandoned in the very moment in which it failed
            raise Abandoned
        return await self.came_back(change, content, outcome)

    async def came_back(
        self, change: Change, content: DraftContent, outcome: Entry | CxfsError
    ) -> tuple[Verdict, CxfsError | None]:
        """The rest of an attempt, now that the server has answered, whichever way that went. May raise Abandoned."""
        if isinstance(outcome, Entry):
            try:
                outcome = await self._with_attributes(change, outcome)
            except CxfsError as error:
                outcome = error
        if isinstance(outcome, Entry):
            await self._outcomes.accepted(change, outcome, content.generation)
            return Verdict.SETTLED, None
        if self._outcomes.was_taken_back(change):  # deleted here meanwhile: nobody cares any more
            change.on(Event.FAILED)
            return Verdict.SETTLED, None
        return await self._not_sent(change, content, outcome)

    def content_of(self, change: Change) -> DraftContent:
        """Of a small one, which is mostly in the page cache."""
        return DraftContent(change, self._quick, partial(self._count, change))

    def upload_of(self, change: Change, content: DraftContent, held: bytes) -> BundleUpload:
        """What goes with others."""
        return BundleUpload(
            self._target(change),
            held,
            change.modified_ms,
            change.base_version or 0,
            change.name,
            content.sent,
            self._posix_of(change),
            self._folder_of(change),
        )

    def has_its_attributes(self, change: Change, entry: Entry) -> bool:
        """Whether the server has the file's time, and what else there is of attributes, as far as it can."""
        if self._keeps_posix:
            return entry.modified_ms == change.modified_ms and change.posix_over(entry.posix) == entry.posix
        return entry.modified_ms == change.modified_ms or not self._keeps_times

    def _posix_of(self, change: Change) -> PosixUpdate:
        """What of its attributes goes along beside the time."""
        return change.posix if self._keeps_posix else NOTHING

    def _count(self, change: Change, count: int) -> None:
        change.sent_bytes += count
        self.flow.passed(count, trio.current_time())

    async def _not_sent(
        self, change: Change, content: DraftContent, error: CxfsError
    ) -> tuple[Verdict, CxfsError | None]:
        if isinstance(error, NotTogether):
            change.goes_alone = True
            change.on(Event.FAILED)
            return Verdict.AGAIN_NOW, error
        if isinstance(error, VersionConflict | IsADirectory):
            return await self._settle_difference(change, content, error)
        if isinstance(error, NotFound):
            return await self._nowhere_to_go(change, error)
        return await self._failed(change, error)

    async def _with_attributes(self, change: Change, entry: Entry) -> Entry:
        """Some may have been set after the upload had taken its own along. Raises what may pass."""
        if self.has_its_attributes(change, entry):
            return entry
        try:
            posix = replace(self._posix_of(change), link=None)
            return await self._files.update(entry.path, change.modified_ms, posix)
        except CxfsError as error:
            if self._keeps_posix and self._outcomes.may_pass(error):
                raise
            log.warning("the attributes of %s could not be set: %s", change.path, error)
            return entry

    async def _send(self, change: Change, content: DraftContent) -> Entry:
        await bring_base(self._reader, change, ByteRange(0, content.size))
        base_version = change.base_version or 0
        if not self.conditional:
            current = await self._current(change)
            if (current.version if current is not None else 0) != base_version:
                raise VersionConflict(f"{change.path} has changed on the server")

        async def sealed(sha1: bytes) -> None:
            await self._journal.sealed(change, sha1)
            content.check()
            change.hands_over()

        return await self._sender.upload(
            self._target(change),
            content,
            modified_ms=change.modified_ms,
            if_version=base_version if self.conditional else None,
            if_parent=self._folder_of(change),
            name=change.name,
            posix=self._posix_of(change),
            on_sealed=sealed,
        )

    def _target(self, change: Change) -> Path:
        return change.path if change.object is None else UuidPath(change.path.owner, change.object)

    def _folder_of(self, change: Change) -> Uuid | None:
        """What goes by names is for this folder alone: another may have got its name when that arrives late.

        A root keeps its name, and a group's is called otherwise here than by the server.
        """
        is_named = self.conditional and change.object is None and len(change.path.names) > 1
        return change.parent if is_named else None

    async def _current(self, change: Change) -> Entry | None:
        try:
            return await self._files.entry(self._target(change))
        except NotFound:
            return None

    async def _failed(self, change: Change, error: CxfsError) -> tuple[Verdict, CxfsError]:
        if self._outcomes.may_pass(error):
            change.on(Event.FAILED)
            return Verdict.AGAIN_LATER, error
        change.on(Event.REFUSED)
        change.refusal = error
        if change.state is State.PARKED:  # unless it was written again meanwhile: the next content may be welcome
            await self._outcomes.parked(change, str(error))
        return Verdict.SETTLED, error

    async def _nowhere_to_go(self, change: Change, error: NotFound) -> tuple[Verdict, CxfsError]:
        if change.object is not None:
            await self._outcomes.object_gone(change)
        else:
            try:
                goes_elsewhere = await self._homes.bring(change)
            except CxfsError as unknown:
                return await self._failed(change, unknown)
            if not goes_elsewhere:
                return await self._failed(change, ServerTrouble(f"the folder of {change.path} is there and is not"))
        change.on(Event.FAILED)
        return Verdict.AGAIN_NOW, error

    async def clear_doubt(self, change: Change) -> None:
        """Before a new file is renamed or deleted: an earlier upload of it may have arrived, though its answer did not.

        Asks the server, and makes the change one of the object found. When it cannot be asked, the doubt remains.
        """
        if change.object is not None or not change.sealed:
            return
        try:
            current = await self._current(change)
        except CxfsError:
            return
        if current is not None and self._outcomes.is_ours(change, current):
            await self._outcomes.answer_was_lost(change, current)

    async def _settle_difference(
        self, change: Change, content: DraftContent, error: CxfsError
    ) -> tuple[Verdict, CxfsError | None]:
        """The server holds something else than the change began from: a conflict only if it is somebody else's."""
        try:
            current = await self._current(change)
        except CxfsError as unknown:
            return await self._failed(change, unknown)
        if self._outcomes.was_taken_back(change):
            change.on(Event.FAILED)
            return Verdict.SETTLED, None
        if current is None:
            await self._outcomes.object_gone(change)
        elif self._outcomes.is_carried_on_by(change, current):
            await self._outcomes.goes_on_from(change, current)
        elif self._outcomes.is_leaving(current):  # whatever its content: it would take that along
            change.on(Event.FAILED)
            return Verdict.AGAIN_LATER, error
        elif current.sha1 is not None and current.sha1 == await self._disk(_sha1_of, change.draft):
            content.check()
            return await self.came_back(change, content, current)
        elif self._outcomes.is_ours(change, current):
            await self._outcomes.answer_was_lost(change, current)
        else:
            await self._outcomes.conflicted(change, current)
        change.on(Event.FAILED)
        return Verdict.AGAIN_NOW, error


def disowned(outcome: Entry | CxfsError) -> tuple[Verdict, CxfsError | None]:
    """What an answer that nobody waits for tells of the server's health: nothing of the change."""
    if isinstance(outcome, CxfsError) and outcome.transient:
        return Verdict.AGAIN_LATER, outcome
    return Verdict.SETTLED, None


def _sha1_of(draft: Draft) -> bytes:
    digest = hashlib.sha1(usedforsecurity=False)
    for wanted in ByteRange(0, draft.size).pieces(PIECE_BYTES):
        digest.update(draft.read(wanted))
    return digest.digest()
