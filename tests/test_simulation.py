"""Random stories of a mount in every kind of trouble, several programs in it at a time, against a dict.

What it adds to the stories beside the rooms: `fs/test_two_clients` has one program at a time, and no fault but a
network that is away; `fs/test_every_request_fails_once` and `fs/test_every_step_kills_once` have one failure in one
day's work. Here programs, somebody else, faults of single requests, bad weather, a lost network, a refused token and
crashes come in any order and at the same time, calls have the kernel's deadlines, and all that a program reads is
compared with what it may be. Everything runs in one thread on a clock that jumps; chance has seeds.

What must hold, whatever happens: what was acknowledged is at its name, beside a conflict or parked; what is read is one
version that existed, and none that close-to-open has ended; every call ends by its deadline, and when nothing fails any
more, everything arrives.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import HealthCheck, given, settings

from cxfs.server.administration import open_store
from tests.simulation.steps import Crash, Fault, Here, Network, Settle, SignedIn, Step, There, Trouble, Wait, stories
from tests.simulation.story import wrongs_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cxfs.server.store import Store

Server = tuple["Store", Path]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """One for all stories; each has an account and a machine of its own."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with (
        tempfile.TemporaryDirectory(dir=place, prefix="cxfs-test-") as folder,
        open_store(Path(folder, "server")) as store,
    ):
        yield store, Path(folder)


def wrongs(story: list[Step], server: Server, **options: object) -> list[str]:
    """What is wrong with it."""
    store, folder = server
    return wrongs_of(story, store, folder / "life", options)


CASES: Final[dict[str, list[Step]]] = {
    "an answer is lost and the file is written again": [
        Trouble(Fault.LOST, "POST", count=2),
        Here("write", "a", size=3_000),
        Wait(1.1),
        Here("write", "a"),
        Settle(),
        Crash(),
    ],
    "an upload arrives twice": [
        Trouble(Fault.TWICE, "POST", count=3),
        Here("write", "a"),
        Here("save", "d/b"),
        Settle(),
    ],
    "a daemon dies right after a close": [Here("write", "a", size=90_000), Here("append", "b"), Crash()],
    "a daemon dies at a step of an upload": [Here("write", "a"), Here("delete", "b"), Crash(13), Wait(6.0)],
    "somebody else writes while a change waits": [
        Here("read", "a"),
        Network(is_there=False),
        Here("append", "a"),
        There("write", "a"),
        Network(is_there=True),
        Settle(),
    ],
    "what somebody else wrote is seen": [
        Here("read", "a"),
        There("write", "a"),
        Wait(200.0),
        Here("read", "a"),
        There("delete", "b"),
        Wait(200.0),
        Here("read", "b"),
    ],
    "a reader is at work while somebody else writes": [
        There("write", "a", size=12_000_000),
        Here("peruse", "a", apart=True),
        Wait(1.1),
        There("write", "a", size=12_000_000),
        Wait(6.0),
    ],
    "writes wait for a network that is away": [
        Here("read", "d/a"),
        Here("read", "d/b"),
        Network(is_there=False),
        Here("write", "d/a"),
        Here("write", "d/b", size=700_000),
        Wait(200.0),
    ],
    "writes wait for another token": [
        Here("read", "a"),
        SignedIn(is_so=False),
        Here("append", "a"),
        Wait(31.0),
        SignedIn(is_so=True),
        Settle(),
        Here("read", "a"),
    ],
    "requests that stall": [
        Trouble(Fault.STALLED, count=4),
        Here("read", "a", apart=True),
        Here("write", "b", apart=True),
        Here("list", "e", apart=True),
        Wait(200.0),
    ],
    "what somebody else wrote is hidden by a change that is renamed over another file": [
        Here("read", "b"),
        Here("sync", "b", size=3_000, apart=True),
        There("write", "b"),
        Here("rename", "a", "b", apart=True),
        Here("rename", "b", "a", apart=True),
    ],
    "a file comes home to where its former object is": [
        Here("read", "d/a"),
        Here("write", "b", size=3_000),
        Here("rename", "d/a", "d/b"),
        There("delete", "d"),
        Here("rename", "b", "d/b", apart=True),
    ],
    "a reader goes along with a change from here that becomes a conflict copy": [
        Here("read", "a"),
        Here("peruse", "a", apart=True),
        There("write", "a"),
        Here("write", "a"),
    ],
    "somebody else writes to a file in the moment in which it is deleted": [
        Here("write", "a"),
        Here("delete", "a", apart=True),
        Here("delete", "a"),
        Here("rename", "d/a", "a", apart=True),
        Here("delete", "a", apart=True),
        Here("delete", "a", apart=True),
        Trouble(Fault.REFUSED, "POST files", count=3),
        Trouble(Fault.REFUSED, "GET data", count=3),
        Network(is_there=True),
        There("write", "b"),
        There("write", "a"),
    ],
    "a reader is at work while a conflict is found": [
        Here("save", "b", size=90_000),
        There("write", "b"),
        Here("peruse", "b"),
    ],
}
"""Found by the stories below, and what they must not leave to chance."""


@pytest.mark.parametrize("story", CASES.values(), ids=CASES)
def test_a_story_ends_well_that(story: list[Step], server: Server) -> None:
    """One each, in the fewest steps."""
    assert wrongs(story, server) == []


@given(story=stories(2))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_happens_nothing_is_lost_mixed_or_stuck(story: list[Step], server: Server) -> None:
    """Programs, somebody else, faults and crashes."""
    assert wrongs(story, server) == []


@given(story=stories(2, alone=True))
@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_fails_who_is_alone_has_no_conflict(story: list[Step], server: Server) -> None:
    """Nobody else uses the account: the mount must know its own doings, and everything has its name."""
    assert wrongs(story, server) == []


@given(story=stories(2, alone=True, late=True))
@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_comes_late_mixes_up_nothing_for_who_is_alone(story: list[Step], server: Server) -> None:
    """Uploads that the server carries out seconds after nobody waits for them any more."""
    assert wrongs(story, server) == []


@given(story=stories(2, in_peace=True))
@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
def test_while_nothing_fails_everybody_sees_in_time_what_others_do(story: list[Step], server: Server) -> None:
    """Nothing excuses what is stale."""
    assert wrongs(story, server) == []


@pytest.mark.long
@pytest.mark.parametrize(
    ("kind", "count"),
    [({}, 3_000), ({"alone": True}, 1_000), ({"alone": True, "late": True}, 1_000), ({"in_peace": True}, 1_000)],
    ids=["of all", "alone", "late", "in peace"],
)
def test_nothing_is_lost_mixed_or_stuck_in_thousands_of_stories(
    kind: dict[str, bool], count: int, server: Server
) -> None:
    """As above, longer, and more of them."""

    @given(story=stories(4, **kind))
    @settings(max_examples=count, deadline=None, suppress_health_check=list(HealthCheck))
    def each(story: list[Step]) -> None:
        assert wrongs(story, server) == []

    each()
