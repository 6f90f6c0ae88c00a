"""What a mount says of itself when it is asked how it stands."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from cxfs.control.protocol import RequestError
from tests.cli.daemons import STATUS
from tests.fs.asking import asked
from tests.fs.cloud import says

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trio.testing import MockClock

    from cxfs.verbs import MountVerbs
    from tests.fs.cloud import Cloud, Wire
    from tests.fs.desk import Desk


def shape(value: Any) -> Any:
    """The keys, all the way down."""
    return {key: shape(each) for key, each in value.items()} if isinstance(value, dict) else None


async def test_the_tests_of_the_command_line_know_the_answer_as_it_is(verbs: MountVerbs, clock: MockClock) -> None:
    """They stand on words of their own; a key that is missing there would be missed by nobody."""
    told = await asked(verbs.status)
    known = {**STATUS, "names": told["names"]}

    assert shape(told) == shape(known)


async def test_the_rate_is_that_of_the_uploads_of_late(desk: Desk, verbs: MountVerbs, clock: MockClock) -> None:
    """And soon zero when they are over."""
    await desk.writes("a", b"x" * 100_000)
    await desk.settles()

    soon = (await asked(verbs.status))["uploads"]["bytes_per_s"]
    await desk.waits(60)
    later = (await asked(verbs.status))["uploads"]["bytes_per_s"]

    assert (soon, later) == (100_000.0, 0.0)


async def test_a_conflict_is_counted_while_it_waits_and_told_of_afterwards(
    desk: Desk, verbs: MountVerbs, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """Neither side is lost, and somebody has to know."""
    await cloud.holds({"a": b"theirs"})
    await desk.patches("a", 0, b"ours")
    await cloud.puts("a", b"theirs again")
    seen: list[int] = []

    def note(request: Any) -> None:
        seen.append(desk.volume.waiting.remaining().conflicts)

    wire.before = note
    await desk.settles()

    (notice,) = (await asked(verbs.status))["notices"]
    assert 1 in seen
    assert (await asked(verbs.status))["remaining"]["conflicts"] == 0
    assert notice["path"] == "a"
    assert notice["text"].endswith("this side's content becomes a (conflict laptop 2026-05-01)")


async def test_a_quota_is_told_as_far_as_it_is_known(
    desk: Desk, verbs: MountVerbs, wire: Wire, clock: MockClock
) -> None:
    """No figure is made up."""
    before = (await asked(verbs.status))["quota"]
    await desk.volume.space.refresh()
    after = (await asked(verbs.status))["quota"]

    assert before["total_bytes"] is None
    assert after["total_bytes"] > 0


async def test_what_is_parked_has_its_size(desk: Desk, verbs: MountVerbs, wire: Wire, clock: MockClock) -> None:
    """As it stands in the status."""
    wire.before = lambda request: (
        says(507, {"errorType": "QuotaExceeded", "message": "full"}) if request.method == "POST" else None
    )
    await desk.writes("a", b"12345")
    await desk.settles()

    remaining = (await asked(verbs.status))["remaining"]

    assert (remaining["parked"], remaining["parked_bytes"], remaining["files"]) == (1, 5, 0)


@pytest.fixture
def level() -> Iterator[None]:
    """What is logged is as it was after the test."""
    before = logging.getLogger().level
    yield
    logging.getLogger().setLevel(before)


async def test_what_is_logged_is_changed_as_it_runs(verbs: MountVerbs, level: None, clock: MockClock) -> None:
    """With what it was before, to go back to."""
    logging.getLogger().setLevel("INFO")

    told = await asked(verbs.log_level, level="DEBUG")

    assert told == {"level": "debug", "before": "info"}
    assert logging.getLogger().level == logging.DEBUG


@pytest.mark.parametrize("wanted", ["loud", "", None])
async def test_a_level_that_there_is_not_changes_nothing(
    verbs: MountVerbs, level: None, clock: MockClock, wanted: str | None
) -> None:
    """Any program of this user may ask."""
    with pytest.raises(RequestError, match="level"):
        await asked(verbs.log_level, level=wanted)
