"""Whether the server can be had: four states, and what leads from one to another. Asks nobody and reads no clock.

A single failure says nothing: a request in ten may fail, and calls are repeated within their deadlines. What counts is
that nothing else has come for a while. A good answer ends any doubt at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, StrEnum, auto
from typing import Final


class State(StrEnum):
    """Of the connection. Its values are what `status` prints."""

    ONLINE = "online"
    DEGRADED = "degraded"
    """Nothing but failures have come for a while. It is still asked."""
    OFFLINE = "offline"
    """Nothing at all comes from it."""
    SIGNED_OUT = "signed-out"
    """It refuses the access token."""


class Sign(Enum):
    """What one attempt at a request, or the wait for it, tells of the server."""

    WELL = auto()
    """It has answered, if only to refuse."""
    SICK = auto()
    """It has answered that it fails, or something that makes no sense."""
    NOTHING = auto()
    """No connection came about, one broke, or nothing was heard for some time."""
    REFUSED = auto()
    """It does not take the token, and no other one is there."""
    TAKEN = auto()
    """It takes the token again, or another one."""


class Event(Enum):
    """What a sign means, after those before it."""

    ANSWERED = auto()
    HEARD = auto()
    """It fails, but is there."""
    FAILING = auto()
    """It has done nothing but fail for too long."""
    SILENT = auto()
    """Nothing was heard of it for too long."""
    REFUSED = auto()
    TAKEN = auto()


NEXT: Final[dict[tuple[State, Event], State]] = {
    (State.ONLINE, Event.FAILING): State.DEGRADED,
    (State.ONLINE, Event.SILENT): State.OFFLINE,
    (State.ONLINE, Event.REFUSED): State.SIGNED_OUT,
    (State.DEGRADED, Event.ANSWERED): State.ONLINE,
    (State.DEGRADED, Event.SILENT): State.OFFLINE,
    (State.DEGRADED, Event.REFUSED): State.SIGNED_OUT,
    (State.OFFLINE, Event.ANSWERED): State.ONLINE,
    (State.OFFLINE, Event.HEARD): State.DEGRADED,
    (State.OFFLINE, Event.FAILING): State.DEGRADED,
    (State.OFFLINE, Event.REFUSED): State.SIGNED_OUT,
    (State.SIGNED_OUT, Event.TAKEN): State.ONLINE,
}
"""All changes; whatever is not here changes nothing. Whoever is signed out stays so until a token is taken: no other
call would be answered, with or without a connection."""

FAILURES_MIN: Final = 3
"""Fewer prove nothing, however long they took."""

PROBE_FIRST_S: Final = 1.0
PROBE_MOST_S: Final = 15.0
"""Between two probes at first, and at the most: a server that is back is noticed within that."""

QUIET_S: Final = 1.0
FAILING_S: Final = 3.0
SILENT_S: Final = 7.0
"""Longer: old answers for somebody whose server was only slow do little harm, errors do."""
PROBE_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Thresholds:
    """In seconds: `quiet_s` without a sign of life are a failure, and a probe may take `probe_s`.

    `failing_s` of nothing but failures count as degraded, `silent_s` of nothing at all as offline.
    """

    quiet_s: float = QUIET_S
    failing_s: float = FAILING_S
    silent_s: float = SILENT_S
    probe_s: float = PROBE_S

    @classmethod
    def within(cls, deadline_s: float) -> Thresholds:
        """Such that old answers come before half the deadline of a call is over, and all is settled before its end."""
        return cls(
            quiet_s=min(QUIET_S, deadline_s * 0.1),
            failing_s=min(FAILING_S, deadline_s * 0.3),
            silent_s=min(SILENT_S, deadline_s * 0.7),
            probe_s=min(PROBE_S, deadline_s * 0.5),
        )


@dataclass(frozen=True, slots=True)
class Streak:
    """Failures in a row, and when the first of them was."""

    since_s: float
    count: int = 1

    def proves(self, at_s: float, least_s: float) -> bool:
        """Whether there are enough of them, over a time that is long enough."""
        return self.count >= FAILURES_MIN and at_s - self.since_s >= least_s


@dataclass(frozen=True, slots=True)
class Connection:
    """What is held of the connection at one moment. Times are seconds of a clock that never runs backwards.

    `failing` is the streak since the last good answer, `silent` that since anything was heard. `probes` counts since
    the last change of state.
    """

    thresholds: Thresholds = Thresholds()
    state: State = State.ONLINE
    since_s: float = 0.0
    reason: str = ""
    failing: Streak | None = None
    silent: Streak | None = None
    probes: int = 0

    def after(self, sign: Sign, at_s: float, reason: str = "") -> Connection:
        """What is held after one more sign; `reason` says in a few words why it is no good one."""
        failing = None if sign in _GOOD else _longer(self.failing, at_s)
        silent = _longer(self.silent, at_s) if sign is Sign.NOTHING else None
        told = replace(self, failing=failing, silent=silent)
        event = told.meaning_of(sign, at_s)
        state = self.state if event is None else NEXT.get((self.state, event), self.state)
        if state is self.state:
            return told
        return replace(told, state=state, since_s=at_s, reason="" if state is State.ONLINE else reason, probes=0)

    def meaning_of(self, sign: Sign, at_s: float) -> Event | None:
        """The event that the last sign, which is counted already, is; None: nothing is established by it."""
        if sign in _PLAIN:
            return _PLAIN[sign]
        if self.silent is not None and self.silent.proves(at_s, self.thresholds.silent_s):
            return Event.SILENT
        if self.failing is not None and self.failing.proves(at_s, self.thresholds.failing_s):
            return Event.FAILING
        return Event.HEARD if sign is Sign.SICK else None

    @property
    def is_probed(self) -> bool:
        """Whether the server is to be asked for a sign of life, since nobody else may ask for one."""
        return self.state is not State.SIGNED_OUT and (self.failing is not None or self.state is not State.ONLINE)

    @property
    def is_settled(self) -> bool:
        """Whether what is wrong is known: then one probe at a time is enough."""
        return self.state is State.OFFLINE or (self.state is State.DEGRADED and self.silent is None)

    def probed(self) -> Connection:
        """What is held after one more probe was sent."""
        return replace(self, probes=self.probes + 1)

    def probe_pause_s(self, jitter: float) -> float:
        """How long to wait before the next probe. `jitter` is a lot from 0 up to 1.

        While there is doubt they follow closely, since calls wait for what comes out. Then pauses grow, and at least
        half of each is waited.
        """
        if not self.is_settled:
            return self.thresholds.quiet_s
        ceiling_s = min(PROBE_MOST_S, PROBE_FIRST_S * 2.0 ** min(self.probes, 16))
        return ceiling_s * (0.5 + 0.5 * min(max(jitter, 0.0), 1.0))


_GOOD: Final = frozenset({Sign.WELL, Sign.REFUSED, Sign.TAKEN})

_PLAIN: Final = {Sign.WELL: Event.ANSWERED, Sign.REFUSED: Event.REFUSED, Sign.TAKEN: Event.TAKEN}


def _longer(streak: Streak | None, at_s: float) -> Streak:
    return Streak(at_s) if streak is None else replace(streak, count=streak.count + 1)
