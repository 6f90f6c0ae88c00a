"""Trash of hundreds of files: what moving them there and emptying it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

if TYPE_CHECKING:
    import httpx
    from trio.testing import MockClock

    from tests.fs.cloud import Cloud, Wire
    from tests.fs.desk import Desk

COUNT = 500


async def takes_100_ms(_request: httpx.Request) -> None:
    await trio.sleep(0.1)


@pytest.fixture
async def trash(desk: Desk) -> str:
    """The folder for the files in it."""
    await desk.makes_folder(".Trash-0")
    await desk.makes_folder(".Trash-0/files")
    return ".Trash-0/files"


async def test_files_that_wait_go_to_the_trash_without_a_request(
    desk: Desk, trash: str, wire: Wire, clock: MockClock
) -> None:
    """Only what will be sent changes."""
    await desk.settles()
    for number in range(COUNT):
        await desk.writes(f"f{number}", b"%d" % number)
    wire.meanwhile = takes_100_ms
    begun, sent = trio.current_time(), len(wire.requests)

    for number in range(COUNT):
        await desk.renames(f"f{number}", f"{trash}/f{number}")

    assert trio.current_time() == begun
    assert len(wire.requests) == sent
    assert len(await desk.names(trash)) == COUNT


async def test_emptying_a_trash_of_500_files_waits_for_nobody_and_takes_few_requests(
    desk: Desk, trash: str, cloud: Cloud, wire: Wire, clock: MockClock
) -> None:
    """They go together."""
    for number in range(COUNT):
        await desk.writes(f"{trash}/f{number}", b"%d" % number)
    await desk.settles()
    wire.meanwhile = takes_100_ms
    begun, sent = trio.current_time(), len(wire.requests)

    for name in await desk.listed(trash):
        await desk.removes(f"{trash}/{name}")
    ended = trio.current_time()
    await desk.settles()

    assert ended - begun <= 0.2
    assert len(wire.requests) - sent <= 10
    assert set(await cloud.tree()) == {".Trash-0/", ".Trash-0/files/"}
