"""When changes and late deletions are sent: one task an upload, one nursery. How one is sent is `sending`'s matter.

A change starts a short while after its last writer closed it. Failures that pass are tried again with a growing pause
for the whole server, not for each file, so that a thousand waiting files do not hammer a sick server.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import math
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import trio

from cxfs.core.errors import CxfsError, NotFound, RateLimited, SignedOut
from cxfs.core.retry import RetryPolicy
from cxfs.core.uploads import IN_FLIGHT, Event, State
from cxfs.fs.sending import Sending, Verdict

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from cxfs.core.entries import Entry, Path, Uuid
    from cxfs.fs.changes import Change, Changes
    from cxfs.fs.journal import Journal
    from cxfs.fs.node import Node
    from cxfs.fs.tree import Tree

log = logging.getLogger(__name__)

SETTLE_S: Final = 1.0
"""Between the last close and the upload: an editor's or rsync's next rename or rewrite falls into it."""

TURNS_MAX: Final = 8
"""Times that a change may go elsewhere at once (beside a conflict, back to a deleted name) before it has to wait: a
server that finds a conflict in everything is not hammered."""

_POLICY: Final = RetryPolicy(first_pause_s=0.5, longest_pause_s=60.0, tries_max=None)
"""An accepted change is retried as long as the daemon runs."""


class Deleter(Protocol):
    """The part of the File API that removes."""

    async def delete(self, path: Path, *, recursive: bool) -> None:
        """Returns when the object is gone."""
        ...


@dataclass(frozen=True, slots=True)
class UploaderStatistics:
    """A snapshot of what is on its way."""

    writing: int
    waiting: int
    sending: int
    parked: int
    bytes_waiting: int
    failures: int
    deletions: int


class Uploader:
    """Plans the uploads of one mount, at most `uploads_max` at a time."""

    def __init__(
        self,
        sending: Sending,
        deleter: Deleter,
        *,
        tree: Tree,
        changes: Changes,
        journal: Journal,
        uploads_max: int,
        settle_s: float = SETTLE_S,
        jitter: Callable[[], float],
        nursery: trio.Nursery,
    ) -> None:
        self._sending = sending
        self._deleter = deleter
        self._tree = tree
        self._changes = changes
        self._journal = journal
        self._slots = trio.Semaphore(uploads_max)
        self._settle_s = settle_s
        self._jitter = jitter
        self._nursery = nursery
        self._queue: list[tuple[float, int, Change]] = []
        self._sequence = itertools.count()
        self._news = trio.Event()
        self._failures = 0
        self._failures_in_a_row = 0
        self._paused_until = -math.inf
        self._deletions: dict[Uuid, trio.Event] = {}
        self._ended = trio.Event()

    # ------------------------------------------------------------ what is to be sent

    def closed(self, change: Change) -> None:
        """Due after the settling time, unless somebody still writes it or it was taken back."""
        if change.writers or change not in self._changes:
            return
        change.on(Event.CLOSED)
        if change.state is State.WAITING:
            self._plan(change, self._settle_s)

    @asynccontextmanager
    async def held(self, *changes: Change | None) -> AsyncIterator[None]:
        """None of them is sent while the block runs; what it does not take back goes on after it, also if it fails."""
        held = [change for change in changes if change is not None]
        for change in held:
            change.holds += 1
            change.due = math.inf
        try:
            for change in held:
                await self._recall(change)
                if change in self._changes:
                    await self._sending.clear_doubt(change)
            yield
        finally:
            for change in held:
                change.holds -= 1
                self.closed(change)

    async def _recall(self, change: Change) -> None:
        """Returns when no attempt runs: it was abandoned, or its answer has come."""
        if change.state is State.SENDING:
            change.on(Event.WRITTEN)
        await change.attempt_ended.wait()

    async def withdraw(self, change: Change) -> None:
        """The user took the change back. Its draft stays open for those who still read it; close it when they are done.

        When its bytes were all handed over already, the answer is awaited, and the file may exist on the server after.
        """
        await self._recall(change)
        if change in self._changes:
            self._changes.remove(change)
            await self._journal.discard(change)

    def delete_later(self, entry: Entry, folder: Node | None) -> None:
        """Deletes an object whose name is gone here already, as soon as the server takes it. Asking twice is once."""
        if entry.id in self._deletions:
            return
        done = self._deletions[entry.id] = trio.Event()
        self._nursery.start_soon(self._delete, entry, folder, done)

    async def deletions_done(self) -> None:
        """Returns when no deletion waits."""
        for done in list(self._deletions.values()):
            await done.wait()

    async def _delete(self, entry: Entry, folder: Node | None, done: trio.Event) -> None:
        failures = 0
        while True:
            try:
                await self._deleter.delete(entry.path, recursive=False)
            except NotFound:
                break
            except CxfsError as error:
                if not (error.transient or isinstance(error, SignedOut)):
                    log.error("%r could not be deleted and stays on the server: %s", str(entry.name), error)
                    self._deleted(entry, folder, done, gone=False)
                    return
                failures += 1
                await trio.sleep(_POLICY.pause_s(failures=failures, jitter=self._jitter()) or 0)
            else:
                break
        self._deleted(entry, folder, done, gone=True)

    def _deleted(self, entry: Entry, folder: Node | None, done: trio.Event, *, gone: bool) -> None:
        if folder is not None and folder.entry is not None:
            if gone:
                self._tree.remove(entry.id, folder.uuid)
            self._tree.doubt(folder)
        self._tree.unhide(entry.id)
        del self._deletions[entry.id]
        done.set()
        self._tell()

    # ------------------------------------------------------------ sending

    def resume(self) -> None:
        """Plans every change that waits: those of an earlier run, at the start."""
        for change in self._changes:
            if change.state is State.WAITING:
                self._plan(change, 0)

    async def run(self) -> None:
        """Sends what is due, until cancelled."""
        while True:
            await self._slots.acquire()
            change = await self._next_due()
            if change.state is State.WAITING and change.attempt_ended.is_set() and change in self._changes:
                change.starts()
                self._nursery.start_soon(self._send, change)
            else:
                self._slots.release()

    def _plan(self, change: Change, delay_s: float) -> None:
        if change.holds:
            return  # planned when it is let go
        change.due = trio.current_time() + delay_s
        heapq.heappush(self._queue, (change.due, next(self._sequence), change))
        self._news.set()

    async def _next_due(self) -> Change:
        while True:
            self._news = trio.Event()
            at = max(self._queue[0][0], self._paused_until) if self._queue else math.inf
            if at <= trio.current_time():
                due, _, change = heapq.heappop(self._queue)
                if due == change.due:  # closed several times, it stands here several times: the last close counts
                    return change
                continue
            with trio.move_on_at(at):
                await self._news.wait()

    async def _send(self, change: Change) -> None:
        try:
            verdict, error = await self._sending.attempt(change)
        except Exception:
            log.exception("a bug while sending %s", change.path)
            verdict, error = Verdict.AGAIN_LATER, CxfsError("a bug, see the log")
            if change.state in IN_FLIGHT:
                change.on(Event.FAILED)
        finally:
            self._slots.release()
        change.last_error = str(error) if error is not None else None
        if verdict is Verdict.AGAIN_LATER:
            self._pause(change, error)
        elif verdict is Verdict.AGAIN_NOW:
            change.turns += 1
            if change.turns > TURNS_MAX:
                self._pause(change, error)
        else:
            self._failures_in_a_row = change.turns = 0
        if change in self._changes:
            if change.state is State.WRITING and not change.writers:
                change.on(Event.CLOSED)
            if change.state is State.WAITING:
                self._plan(change, 0)
        self._tell()

    def _pause(self, change: Change, error: CxfsError | None) -> None:
        self._failures += 1
        self._failures_in_a_row += 1
        asked_s = error.retry_after_s if isinstance(error, RateLimited) else None
        pause_s = _POLICY.pause_s(failures=self._failures_in_a_row, jitter=self._jitter(), retry_after_s=asked_s)
        self._paused_until = trio.current_time() + (pause_s or 0)
        if self._failures_in_a_row == 1 or isinstance(error, SignedOut):
            log.warning("%s waits for the server: %s", change.path, error)

    async def ended(self) -> None:
        """Returns when the next attempt or deletion has come to its end."""
        await self._ended.wait()

    def _tell(self) -> None:
        self._ended.set()
        self._ended = trio.Event()

    # ------------------------------------------------------------ the end

    @property
    def busy(self) -> bool:
        """Whether anything waits that time alone will settle."""
        return bool(self._deletions) or any(change.state is not State.PARKED for change in self._changes)

    async def drain(self, timeout_s: float) -> None:
        """Sends everything now; returns when nothing waits, or after `timeout_s` seconds."""
        self._settle_s = 0.0
        self._paused_until = -math.inf
        for change in self._changes:
            if change.state is State.WAITING:
                self._plan(change, 0)
        with trio.move_on_after(timeout_s):
            while self.busy:
                await self.ended()

    def statistics(self) -> UploaderStatistics:
        """What is on its way, and what has failed so far."""
        states = [change.state for change in self._changes]
        waiting = [change for change in self._changes if change.state in {State.WAITING, *IN_FLIGHT}]
        return UploaderStatistics(
            writing=states.count(State.WRITING),
            waiting=states.count(State.WAITING),
            sending=sum(1 for state in states if state in IN_FLIGHT),
            parked=states.count(State.PARKED),
            bytes_waiting=sum(change.draft.size for change in waiting),
            failures=self._failures,
            deletions=len(self._deletions),
        )
