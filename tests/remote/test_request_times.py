"""The table of the slowest requests: by kind, bounded, and without an address in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from cxfs.remote.request_times import KINDS_MAX, RequestTimes, SlowestRequests

if TYPE_CHECKING:
    from trio.testing import MockClock


async def test_requests_are_counted_by_their_kind_the_slowest_first(autojump_clock: MockClock) -> None:
    """Of whatever file or folder: no path is in it."""
    times = SlowestRequests()
    for resource, seconds in [("files/list/self:%2Fa", 1.0), ("files/list/self:%2Fb", 3.0), ("users/self", 5.0)]:
        with times.noting("GET", resource):
            await trio.sleep(seconds)

    assert times.table() == [
        RequestTimes("GET users/self", 1, 5.0, 5.0, 0.0),
        RequestTimes("GET files/list", 2, 2.0, 3.0, 5.0),
    ]


async def test_a_request_that_fails_has_taken_its_time_as_well(autojump_clock: MockClock) -> None:
    """What is slow is often what fails."""
    times = SlowestRequests()

    async def breaks() -> None:
        with times.noting("POST", "data/self:%2Fa"):
            await trio.sleep(2)
            raise OSError("broke")

    with pytest.raises(OSError, match="broke"):
        await breaks()

    assert times.table() == [RequestTimes("POST data", 1, 2.0, 2.0, 0.0)]


async def test_kinds_beyond_the_bound_are_not_noted(autojump_clock: MockClock) -> None:
    """The contract has fewer; a table must not grow with what is asked."""
    times = SlowestRequests()
    for number in range(KINDS_MAX + 5):
        with times.noting("GET", f"call{number}"):
            pass

    assert len(times.table()) == KINDS_MAX
