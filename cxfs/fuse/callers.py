"""Programs that wait for an answer: by when each has one, and which of them want none any more. Answers nothing itself.

The kernel tells a daemon like ours nothing of Ctrl-C, and a program that waits for us takes no signal before it is
answered. So whoever has waited for a while is looked at in /proc.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import trio

from cxfs.core.errors import CxfsError, Interrupted, Offline
from cxfs.core.interrupts import is_to_end, was_killed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

log = logging.getLogger(__name__)

UNWATCHED_S: Final = 1.0
"""A call that took less is nobody's trouble."""

LOOK_S: Final = 0.5
"""Between two looks: with the above, Ctrl-C frees a program within two seconds."""

READERS_MAX: Final = 6
"""The kernel has at most twelve reads ahead under way, two for each reader of a file. With all of them waiting for a
network that is not there, those of cached files would wait as well."""

PAUSED_S: Final = 0.5
"""For a call that comes while the machine goes to sleep: enough for the disk, and no network."""

CALLERS_MAX: Final = 200
"""Of any kind, for the same reason: there are only so many handlers."""


class Wait:
    """One call that is being answered."""

    __slots__ = ("asks", "began", "error", "is_read", "pid", "scope")

    def __init__(self, scope: trio.CancelScope, pid: int, began: float, *, asks: bool, is_read: bool) -> None:
        self.scope = scope
        self.pid = pid
        self.began = began
        self.asks = asks
        self.is_read = is_read
        self.error: CxfsError | None = None

    def end(self, error: CxfsError) -> None:
        """It is answered with this."""
        self.error = error
        self.scope.cancel()


class Callers:
    """Of one mount. `is_offline`: nothing is to be expected of the server now."""

    def __init__(
        self, *, is_offline: Callable[[], bool] = lambda: False, is_leaving: Callable[[int], bool] | None = None
    ) -> None:
        self._is_offline = is_offline
        self._is_leaving = is_leaving or leaving
        self._waits: dict[trio.CancelScope, Wait] = {}
        self._idle: trio.Event | None = None
        self._is_paused = False

    def pause(self) -> None:
        """Whoever waits is answered now, and until `resume` nobody waits for the network.

        A process that waits for a mount cannot be frozen, and so would keep the machine from sleeping.
        """
        self._is_paused = True
        for scope in self._waits:
            scope.deadline = trio.current_time()

    def resume(self) -> None:
        """Calls wait as long as ever."""
        self._is_paused = False

    @contextmanager
    def waiting(self, deadline_s: float, pid: int, *, asks: bool = False, is_read: bool = False) -> Iterator[None]:
        """The block answers a call of this thread (0: nobody knows whose). Raises TooSlowError at the deadline.

        Raises Interrupted when the program is to end, and Offline when too many that ask for something wait for a
        server that is not there. What was written is taken care of in any case.
        """
        began = trio.current_time()
        scope = trio.CancelScope(deadline=began + (min(deadline_s, PAUSED_S) if self._is_paused else deadline_s))
        wait = self._waits[scope] = Wait(scope, pid, began, asks=asks, is_read=is_read)
        if self._idle is not None:
            self._idle.set()
        try:
            with scope:
                yield
        finally:
            del self._waits[scope]
        if scope.cancelled_caught:
            raise wait.error or trio.TooSlowError

    async def run(self) -> None:
        """Looks after those who wait, until cancelled."""
        while True:
            if not self._waits:
                self._idle = trio.Event()
                await self._idle.wait()
                self._idle = None
            await trio.sleep(LOOK_S)
            await self._look()

    async def _look(self) -> None:
        now = trio.current_time()
        long = [wait for wait in self._waits.values() if now - wait.began >= UNWATCHED_S]
        asking = [wait for wait in long if wait.asks]
        if self._is_offline() and _are_too_many(asking):
            log.debug("%d calls are answered: too many wait for a server that is not there", len(asking))
            for wait in asking:
                wait.end(Offline("offline, and too many wait"))
        for pid in {wait.pid for wait in long if wait.pid}:
            if self._is_leaving(pid):
                for wait in long:
                    if wait.pid == pid and wait.error is None:
                        wait.end(Interrupted(f"the program of thread {pid} is to end"))
            await trio.lowlevel.checkpoint()  # hundreds of looks would keep everybody waiting


def _are_too_many(waits: list[Wait]) -> bool:
    return len(waits) > CALLERS_MAX or sum(wait.is_read for wait in waits) > READERS_MAX


def leaving(pid: int, proc: Path = Path("/proc")) -> bool:
    """Whether the thread is to end, or was killed already. False where nothing can be known of it."""
    try:
        status = (proc / str(pid) / "status").read_text(encoding="ascii", errors="replace")
        stat = (proc / str(pid) / "stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return is_to_end(status) or was_killed(stat)
