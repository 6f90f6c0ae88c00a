"""The state of one session's connection, as `core.connection` has it: fed by requests, settled by probes. Sends none.

Requests tell what became of them. While any is under way and nothing is heard of the server, that is a sign as well.
Where there is doubt, or certainty of the worse, one task probes, and nobody else need try.
"""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import trio

from cxfs.core.connection import Connection, Sign, State, Thresholds
from cxfs.core.errors import CxfsError, Offline, ServerTrouble, SignedOut, Unreachable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

log = logging.getLogger(__name__)

WANTED_S: Final = 2.0
"""A call that failed for want of a connection makes the next probe come earlier, but no closer to the last than so."""

REASON_CHARACTERS_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class ConnectionStatus:
    """For people: `since` and `next_probe` are seconds since the epoch, the latter None where none is planned."""

    state: State
    since: float
    reason: str
    next_probe: float | None


class ConnectionWatch:
    """Of one session. Until `run` runs, and in a session that nobody watches over, the server is taken for well.

    `jitter` gives a lot from 0 up to 1; `wall_s` is the time of day, in seconds since the epoch.
    """

    def __init__(
        self, thresholds: Thresholds, *, jitter: Callable[[], float], wall_s: Callable[[], float] = time.time
    ) -> None:
        self._thresholds = thresholds
        self._jitter = jitter
        self._wall_s = wall_s
        self._connection = Connection(thresholds)
        self._runs = False
        self._under_way = 0
        self._began = 0.0
        self._heard = 0
        self._listeners: list[Callable[[ConnectionStatus], None]] = []
        self._waiting: set[trio.CancelScope] = set()
        self._changed = trio.Event()
        self._asked = trio.Event()
        self._doubted = trio.Event()
        self._wanted = trio.Event()
        self._next_probe_at: float | None = None

    # ------------------------------------------------------------ what is held

    @property
    def state(self) -> State:
        """Of this moment."""
        return self._connection.state

    def status(self) -> ConnectionStatus:
        """What to show."""
        now_s, wall_s = trio.current_time(), self._wall_s()
        due = self._next_probe_at
        return ConnectionStatus(
            state=self._connection.state,
            since=wall_s - (now_s - self._connection.since_s),
            reason=self._connection.reason,
            next_probe=wall_s + max(0.0, due - now_s) if due is not None and self._connection.is_probed else None,
        )

    def on_change(self, tell: Callable[[ConnectionStatus], None]) -> None:
        """From now on it is called with each new state. It must not raise."""
        self._listeners.append(tell)

    def begin_offline(self, reason: str) -> None:
        """Before `run`: there is no connection, and until a probe was answered nobody else asks for anything."""
        self._connection = Connection(self._thresholds, state=State.OFFLINE, reason=reason[:REASON_CHARACTERS_MAX])

    def require(self) -> None:
        """Raises Offline or SignedOut where no call would be answered."""
        if self.state is State.OFFLINE:
            self._wanted.set()
            raise Offline(f"offline: {self._connection.reason}")
        if self.state is State.SIGNED_OUT:
            raise SignedOut(f"signed out: {self._connection.reason}")

    @contextmanager
    def worth_waiting(self, scope: trio.CancelScope) -> Iterator[None]:
        """The scope is cancelled when the server is found not to answer. For a block that begins online."""
        self._waiting.add(scope)
        try:
            yield
        finally:
            self._waiting.discard(scope)

    async def pause(self, seconds: float) -> None:
        """Waits before a call is repeated: so long, and until there is a connection again."""
        await trio.sleep(seconds)
        while self.state is State.OFFLINE:
            await self._changed.wait()

    # ------------------------------------------------------------ what is heard

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """One attempt at a request, which is well answered when the block ends; a refusal is for `answered`."""
        with self.under_way():
            yield
        self.answered()

    def answered(self) -> None:
        """The server has said something sensible, if only no."""
        self._tell(Sign.WELL)

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Something is expected of the server while the block runs. Failures are signs, and so is silence."""
        if not self._under_way:
            self._began = trio.current_time()
            self._asked.set()
        self._under_way += 1
        try:
            with self._telling():
                yield
        finally:
            self._under_way -= 1

    @contextmanager
    def lingering(self) -> Iterator[None]:
        """One attempt at a call that the server may keep waiting: failures are signs, silence is not."""
        with self._telling():
            yield
        self.answered()

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except Offline:  # nothing was sent
            raise
        except Unreachable as error:
            self._tell(Sign.NOTHING, str(error))
            raise
        except ServerTrouble as error:
            self._tell(Sign.SICK, str(error))
            raise

    def signed_out(self, reason: str) -> None:
        """The token is refused, and there is no other; `reason` says how to mend it."""
        self._tell(Sign.REFUSED, reason)

    def signed_in(self) -> None:
        """The token is taken again, or another one."""
        self._tell(Sign.TAKEN)

    def _tell(self, sign: Sign, reason: str = "") -> None:
        if sign is not Sign.NOTHING:
            self._heard += 1
        if not self._runs and sign not in {Sign.REFUSED, Sign.TAKEN}:
            return
        before = self._connection
        self._connection = before.after(sign, trio.current_time(), reason[:REASON_CHARACTERS_MAX])
        if self._connection.is_probed:
            self._doubted.set()
        if self._connection.state is not before.state:
            self._enter(before)

    def _enter(self, before: Connection) -> None:
        """Whoever waits for an answer that will not come is let go, and everybody is told."""
        state, lasted_s = self.state, trio.current_time() - before.since_s
        if State.SIGNED_OUT in {state, before.state}:
            pass  # whoever keeps the token says it, once
        elif state is State.ONLINE:
            log.info("online again, after %.0f s %s", lasted_s, before.state)
        else:
            log.warning("%s: %s", state, self._connection.reason)
        if state is not State.ONLINE:
            for scope in list(self._waiting):
                scope.cancel()
        self._changed.set()
        self._changed = trio.Event()
        self._wanted.set()  # the rhythm of the probes is another one
        for tell in self._listeners:
            tell(self.status())

    # ------------------------------------------------------------ listening and probing

    async def run(self, probe: Callable[[], Awaitable[None]], signs_of_life: Callable[[], int]) -> None:
        """Watches until cancelled. `probe` makes one small request, and raises CxfsError when it fails.

        `signs_of_life` counts whatever is heard of the server and whatever it takes.
        """
        self._runs = True
        self._connection = replace(self._connection, since_s=trio.current_time())
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._listen, signs_of_life)
                await self._probe_where_in_doubt(probe, nursery)
        finally:
            self._runs = False

    async def _listen(self, signs_of_life: Callable[[], int]) -> None:
        quiet_s = self._thresholds.quiet_s
        while True:
            if not self._under_way:
                self._asked = trio.Event()
                await self._asked.wait()
            before = self._heard + signs_of_life()
            await trio.sleep(quiet_s)
            is_quiet = self._heard + signs_of_life() == before
            if self._under_way and is_quiet and trio.current_time() - self._began >= quiet_s:
                self._tell(Sign.NOTHING, f"no answer for {quiet_s:g} s")

    async def _probe_where_in_doubt(self, probe: Callable[[], Awaitable[None]], nursery: trio.Nursery) -> None:
        """While in doubt the next probe does not wait for the last one, which may have got stuck by itself."""
        while True:
            while self._connection.is_probed:
                self._connection = self._connection.probed()
                if self._connection.is_settled:
                    await self._probe_once(probe)
                else:
                    nursery.start_soon(self._probe_once, probe)
                if self._connection.is_probed:
                    await self._until_next_probe()
            self._next_probe_at = None
            self._doubted = trio.Event()
            await self._doubted.wait()

    async def _probe_once(self, probe: Callable[[], Awaitable[None]]) -> None:
        with trio.move_on_after(self._thresholds.probe_s) as scope:
            try:
                await probe()
            except CxfsError as error:
                log.debug("probe: %s", error)
            except Exception:
                log.exception("a bug while probing")
        if scope.cancelled_caught:
            self._tell(Sign.NOTHING, f"no answer for {self._thresholds.probe_s:g} s")

    async def _until_next_probe(self) -> None:
        began = trio.current_time()
        self._next_probe_at = began + self._connection.probe_pause_s(self._jitter())
        self._wanted = trio.Event()
        with trio.move_on_at(self._next_probe_at):
            await self._wanted.wait()
            self._next_probe_at = min(self._next_probe_at, began + WANTED_S)
            await trio.sleep_until(self._next_probe_at)
