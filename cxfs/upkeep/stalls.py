"""Sees from a thread of its own when the loop stands still, and says in the log what holds it. Cures nothing.

trio tells when the loop begins to wait for events and when it goes on; in between it is at work, and nobody else is
served. Ten looks a second cost nothing that could be measured.
"""

from __future__ import annotations

import logging
import math
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import trio

from cxfs.upkeep.stacks import stack_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

log = logging.getLogger(__name__)

BLOCKED_S: Final = 0.25
LOOK_S: Final = 0.1
LINES_S: Final = 30.0
"""Between two lines of the log: a machine that is too slow for everything fills no disk."""


@dataclass(frozen=True, slots=True)
class LoopStatistics:
    """How often the loop was seen to stand still for longer than `blocked_s`."""

    blocked_s: float
    stalls: int


class LoopWatch(trio.abc.Instrument):
    """Of the loop that runs in the thread in which this is made. `clock` in seconds."""

    def __init__(self, *, blocked_s: float = BLOCKED_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._blocked_s = blocked_s
        self._clock = clock
        self._thread = threading.get_ident()
        self._busy_since = math.inf
        self._seen: float | None = None
        self._stalls = self._unsaid = 0
        self._said_at = -math.inf

    def before_io_wait(self, timeout: float) -> None:
        """trio: nothing is left to do."""
        self._busy_since = math.inf

    def after_io_wait(self, timeout: float) -> None:
        """trio: something is to be done."""
        self._busy_since = self._clock()

    def look(self) -> None:
        """One look, from another thread."""
        since, now = self._busy_since, self._clock()
        if now - since < self._blocked_s or since == self._seen:
            return
        where = stack_line(sys._current_frames().get(self._thread))  # noqa: SLF001 - documented, and the only way
        if since != self._busy_since:
            return  # it went on meanwhile: the stack says nothing
        self._seen = since
        self._stalls += 1
        self._unsaid += 1
        if now - self._said_at >= LINES_S:
            more = f" ({self._unsaid - 1} more since the last line)" if self._unsaid > 1 else ""
            log.warning("nothing is served for %.2f s already, by %s%s", now - since, where, more)
            self._said_at, self._unsaid = now, 0

    def statistics(self) -> LoopStatistics:
        """A snapshot."""
        return LoopStatistics(self._blocked_s, self._stalls)


@contextmanager
def watched(watch: LoopWatch, *, look_s: float = LOOK_S) -> Iterator[LoopWatch]:
    """The loop that this is called in is looked at for the length of the block."""
    over = threading.Event()

    def looks() -> None:
        while not over.wait(look_s):
            watch.look()

    trio.lowlevel.add_instrument(watch)
    thread = threading.Thread(target=looks, name="loop watch", daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        over.set()
        thread.join()
        trio.lowlevel.remove_instrument(watch)
