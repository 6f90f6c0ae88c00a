"""When the next thing is due, for whoever sends: a queue by time, and the pause that a sick server is given.

The pause belongs to the server and not to what is sent: a thousand waiting files and deletions share one.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import math
from typing import TYPE_CHECKING, Final, Generic, NoReturn, Protocol, TypeVar

import trio

from cxfs.core.errors import CxfsError, RateLimited, SignedOut
from cxfs.core.retry import RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

_POLICY: Final = RetryPolicy(first_pause_s=0.5, longest_pause_s=60.0, tries_max=None)
"""What was accepted is retried as long as the daemon runs."""

BURST_S_MAX: Final = 5.0
"""A tree of some thousand files is taken in by then; a longer copy is sent while it goes on."""


class HasDueTime(Protocol):
    """What the queue needs of a thing: `due` is by trio's clock; infinity: not at all for now."""

    due: float


T = TypeVar("T", bound=HasDueTime)


AT_ONCE_MAX: Final = 16
"""Under way at a time after which a server that came back is held to be as strong as before."""


class ServerPause:
    """One server's back-off, and its slow start after an outage. `jitter` gives a lot from 0 up to 1."""

    def __init__(self, jitter: Callable[[], float]) -> None:
        self._jitter = jitter
        self._failures_in_a_row = 0
        self._over_at = -math.inf
        self._at_once = math.inf
        self._under_way = 0
        self._lookers: list[Callable[[], None]] = []
        self.failures = self.successes = 0
        """All so far."""
        self._failed_at = -math.inf
        self.trouble: CxfsError | None = None
        """Why the server takes nothing at the moment, if so."""

    def failed(self, what: object, error: CxfsError | None, *, began: float) -> None:
        """Nothing is sent for a while, longer after each failure, or as long as the server asks for.

        What `began` before the last failure failed with it: that is one failure, however much was under way.
        """
        self.failures += 1
        is_new = began > self._failed_at
        self._failures_in_a_row += is_new
        self._failed_at = trio.current_time()
        if error is None or error.transient or isinstance(error, SignedOut):
            self.trouble = error
        asked_s = error.retry_after_s if isinstance(error, RateLimited) else None
        pause_s = _POLICY.pause_s(failures=self._failures_in_a_row, jitter=self._jitter(), retry_after_s=asked_s)
        self._over_at = trio.current_time() + (pause_s or 0)
        if (
            is_new and self._failures_in_a_row == 1 and not isinstance(error, SignedOut)
        ):  # whoever keeps the token says that
            log.warning("%s waits for the server: %s", what, error)

    def succeeded(self) -> None:
        """The server is well."""
        self._failures_in_a_row = 0
        self._at_once = self._at_once * 2 if self._at_once < AT_ONCE_MAX else math.inf
        self.successes += 1
        self.trouble = None

    def end(self) -> None:
        """Whoever plans something anew finds no pause."""
        self._over_at = -math.inf

    def came_back(self) -> None:
        """The server is there again: one thing is sent, and twice as many at a time with each that arrives.

        What thousands of clients have kept for it would throw it off again if it came at once.
        """
        self._at_once = 1
        self.end()

    # ------------------------------------------------------------ what is under way

    @property
    def until(self) -> float:
        """When sending may begin; infinity: not before something under way has ended."""
        return math.inf if self._under_way >= self._at_once else self._over_at

    def tell(self, look: Callable[[], None]) -> None:
        """From now on it is called whenever something has ended that may have held others up."""
        self._lookers.append(look)

    def starts(self) -> None:
        """One request's worth is under way."""
        self._under_way += 1

    def ends(self) -> None:
        """It is over, whatever came of it."""
        self._under_way -= 1
        for look in self._lookers:
            look()


class Burst:
    """Many things accepted in a row (an archive unpacked, a repository cloned) are taken in before any of them is sent.

    Sending a small file costs both processor and disk several times what taking it in does, so the program that is at
    it is done sooner. `quiet_s` without anything new end a burst, and nothing is held up for longer than `most_s`.
    """

    def __init__(self, *, quiet_s: float, most_s: float = BURST_S_MAX) -> None:
        self._quiet_s = quiet_s
        self._most_s = most_s
        self._began = self._last = -math.inf

    def goes_on(self) -> None:
        """Something was accepted."""
        now = trio.current_time()
        if now > self._last + self._quiet_s:
            self._began = now
        self._last = now

    def end(self) -> None:
        """Somebody waits for what is to be sent: whatever else comes in this burst holds nothing up."""
        self._began = -math.inf

    @property
    def until(self) -> float:
        """When sending may begin, as far as is known now."""
        return min(self._last + self._quiet_s, self._began + self._most_s)


class Holdup(Protocol):
    """Until when nothing is sent, by trio's clock."""

    @property
    def until(self) -> float:
        """Minus infinity, or long ago: nothing holds it up."""
        ...


class DueQueue(Generic[T]):
    """Things by the time they are due. Planned again, a thing counts once: by its last plan."""

    def __init__(self, *holdups: Holdup) -> None:
        self._holdups = holdups
        self._queue: list[tuple[float, int, T]] = []
        self._sequence = itertools.count()
        self._news = trio.Event()
        self._looks_again_at = math.inf

    def plan(self, thing: T, delay_s: float) -> None:
        """Due after so many seconds."""
        thing.due = trio.current_time() + delay_s
        heapq.heappush(self._queue, (thing.due, next(self._sequence), thing))
        if self._next_at() < self._looks_again_at:  # else whoever waits would only go on: for each file of an archive
            self._news.set()

    def _next_at(self) -> float:
        """When the first thing is due and nothing holds it up, as far as is known now."""
        due = self._queue[0][0] if self._queue else math.inf
        return max([due, *(each.until for each in self._holdups)])

    def also(self) -> T | None:
        """Another that is due at this moment, after one was; None when there is none."""
        while self._queue and self._queue[0][0] <= trio.current_time():
            due, _, thing = heapq.heappop(self._queue)
            if due == thing.due:
                thing.due = math.inf
                return thing
        return None

    def put_back(self, thing: T) -> None:
        """It was taken too early: it is due again, before what is planned from now on."""
        thing.due = -math.inf
        heapq.heappush(self._queue, (thing.due, next(self._sequence), thing))

    def look(self) -> None:
        """What holds things up may be over."""
        self._news.set()

    async def next(self) -> T:
        """The next thing that is due, as soon as it is and nothing holds it up."""
        while True:
            self._news = trio.Event()
            at = self._looks_again_at = self._next_at()
            if at <= trio.current_time():
                due, _, thing = heapq.heappop(self._queue)
                if due == thing.due:
                    thing.due = math.inf
                    return thing
                continue
            with trio.move_on_at(at):
                await self._news.wait()


async def start_when_due(queue: DueQueue[T], slots: trio.Semaphore, start: Callable[[T], bool]) -> NoReturn:
    """Hands over each thing that is due, as soon as there is a slot, until cancelled.

    `start` tells whether it took the thing, and with it the slot. Where it fails, both are there for the next run.
    """
    while True:
        await slots.acquire()
        took = False
        try:
            thing = await queue.next()
            try:
                took = start(thing)
            except Exception:
                queue.plan(thing, 0)
                raise
        finally:
            if not took:
                slots.release()


class Pulse:
    """Tells whoever waits that something has come to its end; then waits for the next."""

    def __init__(self) -> None:
        self._beat = trio.Event()

    def beat(self) -> None:
        """Something has ended."""
        self._beat.set()
        self._beat = trio.Event()

    async def wait(self) -> None:
        """Returns at the next end."""
        await self._beat.wait()
