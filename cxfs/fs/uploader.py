"""When changes are sent: one task an upload, one nursery. How one is sent is `sending`'s matter.

A change starts a short while after its last writer closed it, or when what has to come before it is over. Failures that
pass are tried again with a growing pause for the whole server, not for each file.
"""

from __future__ import annotations

import math
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import trio

from cxfs.core.order import Kind
from cxfs.core.uploads import IN_FLIGHT, Event, State, is_large, settling_s
from cxfs.fs.bundles import BUNDLE_BYTES_MAX, UPLOAD_BYTES_MAX, with_company
from cxfs.fs.due import Burst, DueQueue, Pulse, ServerPause, start_when_due
from cxfs.fs.recalls import Recalls
from cxfs.fs.sending import Sending, Verdict
from cxfs.fs.supervisor import reason_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from cxfs.core.errors import CxfsError
    from cxfs.fs.changes import Change, Changes
    from cxfs.fs.convoy import Convoy
    from cxfs.fs.journal import Journal
    from cxfs.fs.messenger import Messenger
    from cxfs.fs.steps import Steps
    from cxfs.fs.supervisor import Nursery

SETTLE_S: Final = 0.5
"""Between the last close and the upload: an editor's or rsync's next rename or rewrite falls into it, and another mount
still sees the change within a second."""

TURNS_MAX: Final = 8
"""Times that a change may go elsewhere at once (beside a conflict, back to a deleted name) before it has to wait."""


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
    folders: int
    bytes_per_s: float


class Uploader:
    """Plans the uploads of one mount, at most `uploads_max` at a time."""

    def __init__(
        self,
        sending: Sending,
        messenger: Messenger,
        *,
        changes: Changes,
        steps: Steps,
        journal: Journal,
        pause: ServerPause,
        burst: Burst,
        pulse: Pulse,
        convoy: Convoy | None,
        uploads_max: int,
        settle_s: float = SETTLE_S,
        nursery: Nursery,
    ) -> None:
        self._sending = sending
        self._messenger = messenger
        self._changes = changes
        self._steps = steps
        self._journal = journal
        self._pause = pause
        self._burst = burst
        self._pulse = pulse
        self._convoy = convoy
        self._recalls = Recalls(sending, changes)
        self._slots = trio.Semaphore(uploads_max)
        self._settle_s = settle_s
        self._nursery = nursery
        self._queue: DueQueue[Change] = DueQueue(pause, burst)
        pause.tell(self._queue.look)
        steps.tell(self._freed)

    # ------------------------------------------------------------ what is to be sent

    def closed(self, change: Change) -> None:
        """Due after the settling time, unless somebody still writes it or it was taken back."""
        if change not in self._changes or (change.writers and change.state is State.WRITING):
            return  # one that is sent while it is open (see `hasten`) goes on
        change.on(Event.CLOSED)
        if not is_large(change.draft.size):
            self._burst.goes_on()
        if change.state is State.WAITING:
            self._plan(change, settling_s(change.draft.size, self._settle_s, has_backup=change.has_backup))

    async def hasten(self, change: Change) -> None:
        """Accepted as it is now and due at once, though somebody may still have it open."""
        self._burst.end()
        if change.generation != change.journalled:
            await self._journal.record(change)
        if change in self._changes and not change.holds:
            change.on(Event.CLOSED)
            if change.state is State.WAITING:
                self._plan(change, 0)

    async def retry(self, change: Change) -> None:
        """A parked change gets another try."""
        change.on(Event.RETRIED)
        await self._journal.record(change)
        await self.hasten(change)

    def stop_pausing(self) -> None:
        """Somebody asks for it: the server is tried again now, whatever it did before."""
        self._pause.end()
        self._burst.end()
        self._messenger.hurry()

    @asynccontextmanager
    async def held(self, *changes: Change | None) -> AsyncIterator[None]:
        """None of them is sent while the block runs; what it does not take back goes on after it, also if it fails."""
        held = [change for change in changes if change is not None]
        for change in held:
            change.holds += 1
            change.due = math.inf
        try:
            await self._recalls.recall(*held)
            yield
        finally:
            for change in held:
                change.holds -= 1
                self.closed(change)

    async def withdraw(self, change: Change) -> None:
        """The user took the change back; what was handed over already may exist on the server after.

        Its draft stays open for those who still read it; close it when they are done.
        """
        await self._recalls.stop(change)
        if change in self._changes:
            self._changes.remove(change)
            await self._journal.discard(change)

    def give_up(self, change: Change) -> None:
        """The change is sent no further and shows no longer, though an attempt may still run to its end.

        Its journal row, and what it may have brought to the server, are the caller's matter.
        """
        change.abandon()
        self._changes.remove(change)

    def let_go(self, change: Change) -> None:
        """Nobody reads the draft of a change that was given up any more: it is closed when no attempt uses it."""
        if change.attempt.ended.is_set():
            change.draft.close()
        else:
            self._nursery.start_soon(self._close_later, change)

    @staticmethod
    async def _close_later(change: Change) -> None:
        await change.attempt.ended.wait()
        change.draft.close()

    # ------------------------------------------------------------ sending

    def resume(self) -> None:
        """Plans everything that waits: what an earlier run accepted, at the start."""
        self._messenger.resume()
        for change in self._changes:
            if change.state is State.WAITING:
                self._plan(change, 0)

    async def run(self) -> None:
        """Sends what is due, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._messenger.run)
            await start_when_due(self._queue, self._slots, self._start)

    def _start(self, change: Change) -> bool:
        if not self._may_start(change):
            return False
        self._pause.starts()
        self._nursery.start_soon(self._send, self._with_company(change))
        return True

    def _with_company(self, first: Change) -> list[Change]:
        """What goes in one request with a change that may start: small files that are due as well. All start."""
        together = [first]
        left = BUNDLE_BYTES_MAX - first.draft.size

        def joins(change: Change) -> bool:
            nonlocal left
            fits = goes_with_others(change) and change.draft.size <= left
            left -= change.draft.size if fits else 0
            return fits

        if self._convoy is not None and goes_with_others(first):
            together = with_company(first, self._queue, may_start=self._may_start, joins=joins)
        for change in together:
            change.starts()
        return together

    def _may_start(self, change: Change) -> bool:
        is_ready = change.state is State.WAITING and change.attempt.is_out_of_the_way and not change.holds
        return is_ready and change in self._changes and not self._steps.is_waiting(change.id)

    def _plan(self, change: Change, delay_s: float) -> None:
        if change.holds or change.stays_here:
            return  # it is planned when it is let go
        if self._sending.conditional or change.settled.is_set():
            self._queue.plan(change, delay_s)
        elif not change.is_awaited:  # what came late would be the newest version
            change.is_awaited = True
            self._nursery.start_soon(self._plan_when_settled, change)

    async def _plan_when_settled(self, change: Change) -> None:
        await change.settled.wait()
        change.is_awaited = False
        if change.state is State.WAITING:
            self._plan(change, 0)

    def _freed(self, step_id: str) -> None:
        change = self._changes.get(step_id)
        if change is not None and change.state is State.WAITING and change.due == math.inf:
            self._plan(change, 0)

    async def _send(self, together: list[Change]) -> None:
        """One upload, or a convoy of them; either takes one slot."""
        began, under_way = trio.current_time(), {change: change.attempt for change in together}

        def ended(change: Change, verdict: Verdict, error: CxfsError | None) -> None:
            under_way.pop(change, None)
            self._ended(change, verdict, error, began)

        try:
            if self._convoy is not None and len(together) > 1:
                await self._convoy.attempt(together, ended)
            else:
                ended(together[0], *await self._sending.attempt(together[0]))
        except Exception as fault:  # noqa: BLE001 - it is told
            reason = reason_of(fault, "a bug while sending %s", ", ".join(str(change.path) for change in together))
            for change, attempt in list(under_way.items()):
                change.ends(attempt)
                ended(change, Verdict.AGAIN_LATER, reason)
        finally:
            self._slots.release()
            self._pause.ends()

    def _ended(self, change: Change, verdict: Verdict, error: CxfsError | None, began: float) -> None:
        change.last_error = str(error) if error is not None else None
        if verdict is Verdict.AGAIN_LATER:
            self._pause.failed(change.path, error, began=began)
        elif verdict is Verdict.AGAIN_NOW:
            change.turns += 1
            if change.turns > TURNS_MAX:
                self._pause.failed(change.path, error, began=began)
        else:
            change.turns = 0
            self._pause.succeeded()
        if change in self._changes:
            if change.state is State.WRITING and not change.writers:
                change.on(Event.CLOSED)
            if change.state is State.WAITING:
                self._plan(change, 0)
        self._pulse.beat()

    def wake(self) -> None:
        """Whatever the server's pause was for is over: what waits is sent, little by little."""
        self._pause.came_back()
        self.resume()

    async def ended(self) -> None:
        """Returns when the next attempt, at an upload or an errand, has come to its end."""
        await self._pulse.wait()

    # ------------------------------------------------------------ the end

    @property
    def trouble(self) -> CxfsError | None:
        """Why the server takes nothing at the moment, if so."""
        return self._pause.trouble

    @property
    def advance(self) -> tuple[int, int]:
        """Differs from what it was before as soon as the server has taken anything more."""
        return self._pause.successes, self._sending.flow.total

    @property
    def moving(self) -> bool:
        """Whether anything can be sent at all: not what stands behind something that was refused, nor what is open."""
        return self._messenger.busy or any(
            change.state in {State.WAITING, *IN_FLIGHT} and not self._steps.is_waiting(change.id)
            for change in self._changes
        )

    @property
    def busy(self) -> bool:
        """Whether anything waits that time alone will settle."""
        return self._messenger.busy or any(
            change.state is not State.PARKED and not self._steps.is_waiting(change.id) for change in self._changes
        )

    def hurry(self) -> None:
        """Whatever waits for its time, or for better times of the server, is due now."""
        self.stop_pausing()
        for change in self._changes:
            if change.state is State.WAITING:
                self._plan(change, 0)

    async def drain(self, timeout_s: float) -> None:
        """Sends everything now; returns when nothing waits, or after `timeout_s` seconds."""
        self._settle_s = 0.0
        self.hurry()
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
            failures=self._pause.failures,
            deletions=self._messenger.count(Kind.REMOVE),
            folders=self._messenger.count(Kind.MAKE),
            bytes_per_s=self._sending.flow.rate(trio.current_time()),
        )


def goes_with_others(change: Change) -> bool:
    """Whether it is small, and all of it is here."""
    is_small = change.draft.size <= UPLOAD_BYTES_MAX and change.posix.is_short
    return is_small and not change.goes_alone and not change.missing()
