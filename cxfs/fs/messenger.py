"""When errands are run: one task an errand, one nursery. How one is run is `delivery`'s matter, uploads the uploader's.

An errand starts a short while after it was accepted, so that what is undone at once is never sent, and when all that
has to come before it is over.
"""

from __future__ import annotations

import math
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import trio

from cxfs.core.errands import Event, State
from cxfs.core.errors import CxfsError
from cxfs.core.order import Kind
from cxfs.fs.bundles import with_company
from cxfs.fs.due import Burst, DueQueue, Pulse, ServerPause, start_when_due
from cxfs.fs.supervisor import reason_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from cxfs.core.entries import EntryName, Uuid
    from cxfs.fs.delivery import Delivery
    from cxfs.fs.errands import Errand, Errands
    from cxfs.fs.freshness import Freshness
    from cxfs.fs.journal import Journal
    from cxfs.fs.steps import Steps
    from cxfs.fs.supervisor import Nursery

ERRANDS_MAX: Final = 16
"""Run at a time, as many as the background lane has connections: at 100 ms of round trip, 2,000 deletions (each looks
first whether somebody changed the file) take 25 s."""


class Messenger:
    """Plans the errands of one mount."""

    def __init__(
        self,
        delivery: Delivery,
        *,
        errands: Errands,
        steps: Steps,
        journal: Journal,
        pause: ServerPause,
        burst: Burst,
        pulse: Pulse,
        freshness: Freshness,
        settle_s: float,
        nursery: Nursery,
    ) -> None:
        self._delivery = delivery
        self._freshness = freshness
        self._errands = errands
        self._steps = steps
        self._journal = journal
        self._pause = pause
        self._burst = burst
        self._pulse = pulse
        self._settle_s = settle_s
        self._nursery = nursery
        self._slots = trio.Semaphore(ERRANDS_MAX)
        self._queue: DueQueue[Errand] = DueQueue(pause, burst)
        pause.tell(self._queue.look)
        steps.tell(self._freed)

    # ------------------------------------------------------------ what is to be run

    def accept(self, errand: Errand) -> None:
        """From now on it shows in the tree, and is planned. The journal is the caller's matter."""
        self._errands.add(errand)
        self._burst.goes_on()
        self._plan(errand, self._settle_s)

    async def _plan_after(self, errand: Errand) -> None:
        await errand.after.wait()
        self._plan(errand, 0)

    async def take_back(self, errand: Errand) -> None:
        """It is not wanted any more, and no attempt has run."""
        if errand in self._errands:
            self.cancel(errand)
            await self._journal.forget(errand)

    def cancel(self, errand: Errand) -> None:
        """As `take_back`, where the journal's row goes another way. An attempt under way runs to its end."""
        errand.on(Event.TAKEN_BACK)
        self._errands.remove(errand)
        self._pulse.beat()

    def closed(self, errand: Errand) -> None:
        """Nobody has the removed file open any more, or its name is needed."""
        if errand in self._errands and errand.state is State.KEPT:
            errand.on(Event.CLOSED)
            self._plan(errand, 0)

    def retry(self, errand: Errand) -> None:
        """A person asks for another attempt at a parked errand."""
        errand.on(Event.RETRIED)
        self._plan(errand, 0)

    async def make_way(self, folder: Uuid, name: EntryName) -> None:
        """Returns when nothing that was deleted here stands under this name on the server any more.

        Raises why it could not be deleted.
        """
        while (removal := self._errands.removal_at(folder, name)) is not None:
            await self._settled(removal)

    async def until_made(self, folder: Uuid) -> None:
        """Returns when the server knows the folder. Raises why it does not take it."""
        while (making := self._errands.making(folder)) is not None:
            await self.until_made(making.parent)
            await self._settled(making)

    async def _settled(self, errand: Errand) -> None:
        """Returns when the errand is over. Raises its refusal, and where no server would answer."""
        self._freshness.require()
        self._burst.end()
        self.closed(errand)
        self._plan(errand, 0)
        while errand in self._errands:
            if errand.state is State.PARKED:
                raise CxfsError(f"{errand} was refused: {errand.parked}")
            await self._pulse.wait()
        if errand.refusal is not None:
            raise errand.refusal

    def close_all_in(self, folder: Uuid, *, at_once: bool) -> None:
        """The folder goes, so what was deleted in it while open cannot wait for its last close.

        Nor, `at_once`, for what may come late under its name: with the folder it comes nowhere.
        """
        for removal in self._errands.removals_in(folder):
            if at_once and not removal.is_clearing:
                removal.after = removal.attempt_ended
            self.closed(removal)
            self._plan(removal, 0)

    @asynccontextmanager
    async def held(self, *errands: Errand) -> AsyncIterator[None]:
        """None of them is run while the block runs; those not over by then go on after it."""
        for errand in errands:
            errand.holds += 1
        try:
            for errand in errands:
                await errand.attempt_ended.wait()
            yield
        finally:
            for errand in errands:
                errand.holds -= 1
                self._plan(errand, 0)

    # ------------------------------------------------------------ running

    def resume(self) -> None:
        """Plans everything that an earlier run accepted, at the start."""
        for errand in self._errands:
            self._plan(errand, 0)

    def hurry(self) -> None:
        """Whatever waits for its time is due now."""
        for errand in self._errands:
            self._plan(errand, 0)  # those that failed as well: the queue looks again at how long the pause is

    async def run(self) -> None:
        """Runs what is due, until cancelled."""
        await start_when_due(self._queue, self._slots, self._start)

    def _start(self, errand: Errand) -> bool:
        if not self._may_start(errand):
            return False
        self._pause.starts()
        self._nursery.start_soon(self._run, self._with_company(errand))
        return True

    def _with_company(self, first: Errand) -> list[Errand]:
        """What goes in one request with an errand that may start: deletions that are due as well. All of them start."""
        together = [first]
        if self._delivery.takes_many and goes_with_others(first):
            together = with_company(first, self._queue, may_start=self._may_start, joins=goes_with_others)
        for errand in together:
            errand.starts()
        return together

    def _may_start(self, errand: Errand) -> bool:
        is_ready = errand.state is State.WAITING and not errand.holds and errand in self._errands
        return is_ready and errand.after.is_set() and not self._steps.is_waiting(errand.id)

    def _plan(self, errand: Errand, delay_s: float) -> None:
        if errand.state is State.WAITING and not errand.holds:  # else it is planned when it is let go
            self._queue.plan(errand, delay_s)
        if not (errand.after.is_set() or errand.is_awaited):
            errand.is_awaited = True
            self._nursery.start_soon(self._plan_after, errand)

    def _freed(self, errand_id: str) -> None:
        errand = self._errands.get(errand_id)
        if errand is not None and errand.due == math.inf:
            self._plan(errand, 0)

    async def _run(self, together: list[Errand]) -> None:
        """One errand, or many deletions together; either takes one slot."""
        began, under_way = trio.current_time(), set(together)

        def ended(errand: Errand, error: CxfsError | None) -> None:
            under_way.discard(errand)
            self._ended(errand, error, began)

        try:
            if len(together) > 1:
                await self._delivery.attempt_together(together, ended)
            else:
                ended(together[0], await self._delivery.attempt(together[0]))
        except Exception as fault:  # noqa: BLE001 - it is told
            reason = reason_of(fault, "a bug at %s", ", ".join(map(str, together)))
            for errand in list(under_way):
                if errand in self._errands and errand.state is State.SENDING:
                    errand.on(Event.FAILED)
                ended(errand, reason)
        finally:
            self._slots.release()
            self._pause.ends()

    def _ended(self, errand: Errand, error: CxfsError | None, began: float) -> None:
        errand.attempt_ended.set()
        errand.last_error = str(error) if error is not None else errand.parked
        if error is not None:
            self._pause.failed(errand, error, began=began)
        if errand in self._errands:
            self._plan(errand, 0)
        else:
            self._pause.succeeded()
        self._pulse.beat()

    # ------------------------------------------------------------ what is left

    @property
    def busy(self) -> bool:
        """Whether any errand waits that time alone will settle: not one behind something that was refused."""
        unsettled = (errand for errand in self._errands if errand.state in {State.WAITING, State.SENDING})
        return any(not self._steps.is_waiting(errand.id) for errand in unsettled)

    def count(self, kind: Kind) -> int:
        """How many of one kind are not over."""
        return sum(1 for errand in self._errands if errand.kind is kind)


def goes_with_others(errand: Errand) -> bool:
    """Whether it removes a known object."""
    may_hold_ours = errand.is_folder and errand.sealed
    is_known = errand.object is not None and (errand.is_folder or errand.version is not None) and not may_hold_ours
    return errand.kind is Kind.REMOVE and is_known and not errand.goes_alone
