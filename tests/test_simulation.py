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
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings

from cxfs.server.administration import open_store
from tests.simulation.steps import Step, stories
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


@given(story=stories(2))
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_happens_nothing_is_lost_mixed_or_stuck(story: list[Step], server: Server) -> None:
    """A few hundred short stories."""
    assert wrongs(story, server) == []


@pytest.mark.long
@given(story=stories(4))
@settings(max_examples=5_000, deadline=None, suppress_health_check=list(HealthCheck))
def test_nothing_is_lost_mixed_or_stuck_in_thousands_of_stories(story: list[Step], server: Server) -> None:
    """As above, longer, and more of them."""
    assert wrongs(story, server) == []
