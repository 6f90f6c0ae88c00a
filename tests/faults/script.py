"""The script of a test: which request is befallen by what, the line, and what has been asked. Carries nothing.

Whoever carries requests (`proxy`, `wire`) asks here what to do with each. Everything may be called from any thread.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import cycle
from random import Random
from typing import Final, NamedTuple

from tests.faults.kinds import NO_JSON, Cut, Fault, Lost, Side, Stall, refusal

Draw = Callable[[Random], Fault]
"""A fault with something left to chance, such as where a body breaks."""

EVERYTHING: Final = ""
"""As a call: any request."""

TROUBLE: Final[tuple[Fault | Draw, ...]] = (
    refusal(500),
    refusal(502),
    refusal(503, retry_after_s=1),
    refusal(429, retry_after_s=1),
    NO_JSON,
    Lost(),
    Lost(refusal(504)),
    Cut(),
    lambda chance: Cut(chance.randrange(1, 300_000)),
    lambda chance: Cut(chance.randrange(300_000), Side.REQUEST),
    Stall(),
    lambda chance: Stall(chance.randrange(1, 300_000)),
)
"""What befalls requests on a bad day and goes by when they are repeated."""


class Door(Enum):
    """How the server's host is to be found."""

    OPEN = auto()
    REFUSING = auto()
    """Nobody listens: connections are refused, those there are broke."""
    SILENT = auto()
    """Connections are accepted, and neither they nor older ones ever say a word; what was sent is not heard."""


class Line(NamedTuple):
    """What every exchange has to bear: seconds from a request to the server, bytes a second in each direction of it."""

    latency_s: float = 0.0
    bytes_per_s: float | None = None


class Befallen(NamedTuple):
    """A request that met a fault: `METHOD resource/…`, without parameters."""

    request: str
    fault: Fault


@dataclass(eq=False)
class _Rule:
    rank: int
    call: str
    faults: deque[Fault] | cycle[Fault] | None = None
    nth: int = 1
    share: float = 0.0
    drawn_from: Sequence[Fault | Draw] = ()
    chance: Random = field(default_factory=Random)
    seen: int = 0

    def strikes(self, request: str) -> Fault | None:
        if not request.startswith(self.call):
            return None
        self.seen += 1
        if self.drawn_from:
            if self.chance.random() >= self.share:
                return None
            drawn = self.chance.choice(self.drawn_from)
            return drawn(self.chance) if callable(drawn) else drawn
        if isinstance(self.faults, deque):
            return self.faults.popleft() if self.faults else None
        assert self.faults is not None
        return next(self.faults) if self.seen % self.nth == 0 else None


class Faults:
    """What a test wants to go wrong. A call is `METHOD resource` or its beginning, such as `GET files/list` or `POST`.

    The first rule that strikes counts: those for the next requests, then those for every one, then those of chance,
    each in the order in which it was asked for.
    """

    def __init__(self, *, seed: int = 0) -> None:
        self._seed = seed
        self._lock = threading.RLock()
        self._rules: list[_Rule] = []
        self._door = Door.OPEN
        self._line = Line()
        self._watchers: list[Callable[[], None]] = []
        self._requests: list[str] = []
        self._befallen: list[Befallen] = []

    # ------------------------------------------------------------ what a test asks for

    def next(self, call: str, *faults: Fault) -> None:
        """The next requests of this kind meet these faults, one each, in turn."""
        self._add(_Rule(0, call, deque(faults)))

    def every(self, call: str, *faults: Fault, nth: int = 1) -> None:
        """Every request of this kind, or every `nth` of them, meets the next of these faults, over and over."""
        self._add(_Rule(1, call, cycle(faults), nth=nth))

    def by_chance(self, share: float, *faults: Fault | Draw, call: str = EVERYTHING) -> None:
        """Such a share of the requests, from 0 to 1, meets one of these faults (none named: TROUBLE), drawn by lot."""
        self._add(_Rule(2, call, share=share, drawn_from=faults or TROUBLE, chance=Random(f"{self._seed} {call}")))

    def _add(self, rule: _Rule) -> None:
        with self._lock:
            self._rules.append(rule)
            self._rules.sort(key=lambda each: each.rank)

    def stops(self) -> None:
        """No rule holds any more. What stalls goes on stalling; door and line stay as they are."""
        with self._lock:
            self._rules.clear()

    def refuses(self) -> None:
        """Nobody listens any more, and connections break."""
        self._set(Door.REFUSING)

    def goes_silent(self) -> None:
        """The black hole: connections, new and old, say nothing and hear nothing."""
        self._set(Door.SILENT)

    def opens(self) -> None:
        """The host is there again; what was under way when it went silent goes on."""
        self._set(Door.OPEN)

    def mends(self) -> None:
        """No rule, an open door, a fast line."""
        self.stops()
        self.slows()
        self.opens()

    def slows(self, *, latency_s: float = 0.0, bytes_per_s: float | None = None) -> None:
        """The line of every request from now on; without arguments, one that takes no time."""
        with self._lock:
            self._line = Line(latency_s, bytes_per_s)

    def _set(self, door: Door) -> None:
        with self._lock:
            self._door = door
            watchers = tuple(self._watchers)
        for watcher in watchers:
            watcher()

    # ------------------------------------------------------------ what a test finds out

    @property
    def requests(self) -> list[str]:
        """`METHOD resource/…` of all that came through the door so far, without parameters."""
        with self._lock:
            return list(self._requests)

    @property
    def befallen(self) -> list[Befallen]:
        """Those of them that met a fault: a test that wanted some can prove that they came."""
        with self._lock:
            return list(self._befallen)

    def count(self, call: str = EVERYTHING) -> int:
        """How many requests of one kind came."""
        return sum(1 for request in self.requests if request.startswith(call))

    def hits(self, kind: type[Fault] | None = None) -> int:
        """How many requests met a fault, or one of that kind."""
        return sum(1 for each in self.befallen if kind is None or isinstance(each.fault, kind))

    # ------------------------------------------------------------ what carriers ask

    @property
    def door(self) -> Door:
        """As it is now."""
        with self._lock:
            return self._door

    @property
    def line(self) -> Line:
        """As it is now."""
        with self._lock:
            return self._line

    def befalls(self, method: str, target: str) -> Fault | None:
        """What is to become of a request for `target` (`/1/RESOURCE?PARAMETERS`); asked once of each."""
        request = f"{method} {target.partition('?')[0].split('/', 2)[-1]}"
        with self._lock:
            self._requests.append(request)
            for rule in self._rules:
                if (fault := rule.strikes(request)) is not None:
                    self._befallen.append(Befallen(request, fault))
                    return fault
        return None

    def watch(self, watcher: Callable[[], None]) -> None:
        """`watcher` is called after each change of the door, in the thread that changed it."""
        with self._lock:
            self._watchers.append(watcher)

    def unwatch(self, watcher: Callable[[], None]) -> None:
        """It is called no more."""
        with self._lock:
            self._watchers.remove(watcher)
