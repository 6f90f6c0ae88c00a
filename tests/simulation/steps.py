"""What stories are made of: a step each for programs, for somebody else, for the wire, the account and the machine.

Steps are plain values, so that hypothesis shortens a story that fails to the few that matter, and prints them as they
are to be kept. Does nothing; `story` lives through them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from hypothesis import strategies as st

NAMES: Final = ("a", "b", "d/a", "d/b")
FOLDERS: Final = ("d", "e")
PLACES: Final = (*NAMES, *FOLDERS)
SIZES: Final = (0, 3_000, 90_000, 700_000)
"""Bytes that a content has at least: the first goes with others, the last in pieces."""

PAUSES_S: Final = (0.6, 1.1, 6.0, 31.0, 200.0)


class Fault(StrEnum):
    """What may become of a request."""

    REFUSED = "refused"
    CUT = "cut"
    LOST = "lost"
    """It was done, and the answer does not come."""
    TWICE = "twice"
    """It arrives twice; the answer is that to the second."""
    ERROR = "error"
    BUSY = "busy"
    LIMITED = "limited"
    GARBAGE = "garbage"
    """A 200 without JSON."""
    SLOW = "slow"
    STALLED = "stalled"
    """Nothing moves any more."""
    BROKEN_OFF = "broken off"
    """The body of the answer ends too early."""
    LATE = "late"
    """An upload is carried out seconds later, and nobody hears of it; anything else is just slow."""


@dataclass(frozen=True)
class Here:
    """A program in the mount does `what` with `name`; `apart`: the story does not wait for it."""

    what: str
    name: str
    to: str = ""
    size: int = 0
    apart: bool = False


@dataclass(frozen=True)
class There:
    """Somebody else does it, past the mount."""

    what: str
    name: str
    to: str = ""
    size: int = 0


@dataclass(frozen=True)
class Trouble:
    """The next `count` requests of a kind fail, after `spared` that do not; `calls` is how their address begins."""

    fault: Fault
    calls: str = ""
    count: int = 1
    spared: int = 0


@dataclass(frozen=True)
class Weather:
    """From now on a share of all requests fails, by a lot that `seed` decides."""

    share: float
    seed: int


@dataclass(frozen=True)
class Network:
    """No request arrives any more, or all do again."""

    is_there: bool


@dataclass(frozen=True)
class SignedIn:
    """The token is refused from now on, or there is a new one."""

    is_so: bool


@dataclass(frozen=True)
class Wait:
    """Nothing is done for so long."""

    seconds: float


@dataclass(frozen=True)
class Settle:
    """Until all that is on its way has arrived; for a while at most."""


@dataclass(frozen=True)
class Crash:
    """The daemon is killed, after so many more of its steps (rows, bytes, requests), and started again."""

    after: int = 0


Step = Here | There | Trouble | Weather | Network | SignedIn | Wait | Settle | Crash

_apart = st.sampled_from([False, False, True])

_writes = st.builds(
    Here,
    st.sampled_from(["write", "append", "save", "patch", "sync"]),
    st.sampled_from(NAMES),
    size=st.sampled_from(SIZES),
    apart=_apart,
)
_looks = st.builds(Here, st.sampled_from(["read", "read", "peruse"]), st.sampled_from(NAMES), apart=_apart)
_removes = st.builds(Here, st.just("delete"), st.sampled_from(NAMES), apart=_apart)
_renames = st.one_of(
    st.builds(Here, st.just("rename"), st.sampled_from(NAMES), st.sampled_from(NAMES), apart=_apart),
    st.builds(Here, st.just("rename"), st.sampled_from(PLACES), st.sampled_from(PLACES), apart=_apart),
)
_folders = st.builds(Here, st.sampled_from(["mkdir", "rmdir", "list"]), st.sampled_from(FOLDERS), apart=_apart)
_elsewhere = st.one_of(
    st.builds(There, st.sampled_from(["write", "write", "delete"]), st.sampled_from(NAMES)),
    st.builds(There, st.just("write"), st.sampled_from(NAMES), size=st.sampled_from((0, 3_000, 5_000_000))),
    st.builds(There, st.just("rename"), st.sampled_from(PLACES), st.sampled_from(PLACES)),
    st.builds(There, st.sampled_from(["mkdir", "delete"]), st.sampled_from(FOLDERS)),
)


def _faults(*faults: Fault) -> st.SearchStrategy[Step]:
    return st.builds(
        Trouble,
        st.sampled_from(faults),
        st.sampled_from(["", "", "GET", "POST", "POST data", "GET data", "POST files", "POST bundle"]),
        st.integers(1, 4),
        st.integers(0, 2),
    )


_weather = st.builds(Weather, st.sampled_from([0.0, 0.1, 0.3]), st.integers(0, 1_000))


def _troubles(*faults: Fault) -> st.SearchStrategy[Step]:
    of_requests = _faults(*faults)
    network, token = st.builds(Network, st.booleans()), st.builds(SignedIn, st.booleans())
    return st.one_of(of_requests, of_requests, _weather, network, token)


_pauses = st.one_of(st.builds(Wait, st.sampled_from(PAUSES_S)), st.just(Settle()))
_crashes = st.builds(Crash, st.sampled_from([0, 0, 1, 2, 3, 5, 8, 13, 21, 34]))


def stories(
    chapters: int, *, alone: bool = False, in_peace: bool = False, late: bool = False
) -> st.SearchStrategy[list[Step]]:
    """Trouble, deeds in it, a pause, more deeds, and perhaps a crash: so many times.

    `alone`: nobody else uses the account. `in_peace`: nothing fails and nobody dies. `late`: uploads may come late.
    """
    faults = [fault for fault in Fault if late or fault is not Fault.LATE]
    ours = [_writes, _writes, _looks, _looks, _removes, _renames, _folders]
    deed: st.SearchStrategy[Step] = st.one_of(*ours, *([] if alone else [_elsewhere, _elsewhere]))
    trouble: list[st.SearchStrategy[list[Step]]] = [] if in_peace else [st.lists(_troubles(*faults), max_size=3)]
    crash: list[st.SearchStrategy[list[Step]]] = [] if in_peace else [st.lists(_crashes, max_size=1)]
    pause: st.SearchStrategy[list[Step]] = st.lists(_pauses, max_size=2)
    deeds = st.lists(deed, max_size=8)
    parts = [*trouble, deeds, pause, deeds, *crash] * chapters
    return st.builds(lambda *parts: [step for part in parts for step in part], *parts)
