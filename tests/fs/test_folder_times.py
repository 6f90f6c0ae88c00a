"""The time of a folder is that of the last name that came or went in it, whether or not the server was told yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.fs.worlds import NOW_MS, TTL_S

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from trio.testing import MockClock

    from tests.fs.cloud import Cloud
    from tests.fs.desk import Desk

LONG_AGO_MS: Final = 1_000_000_000_000

DEEDS: Final[dict[str, Callable[[Desk], Awaitable[None]]]] = {
    "a file is made": lambda desk: desk.writes("d/new", b"content"),
    "a folder is made": lambda desk: desk.makes_folder("d/new"),
    "a file is removed": lambda desk: desk.removes("d/a"),
    "a folder is removed": lambda desk: desk.removes_folder("d/e"),
    "a file is renamed": lambda desk: desk.renames("d/a", "d/b"),
    "a file leaves": lambda desk: desk.renames("d/a", "a"),
    "a file comes": lambda desk: desk.renames("other", "d/other"),
}


async def modified_ms(desk: Desk, name: str) -> int:
    """As `stat` says."""
    return (await desk.stat(name)).modified_ns // 1_000_000


@pytest.fixture
async def dated(desk: Desk, cloud: Cloud, clock: MockClock) -> Desk:
    """A folder at the server, with a time that was set long ago."""
    await desk.makes_folder("d")
    await desk.writes("d/a", b"content")
    await desk.makes_folder("d/e")
    await desk.writes("other", b"content")
    await desk.settles()
    await desk.touches("d", LONG_AGO_MS)
    await desk.settles()
    assert (await cloud.entry("d")).modified_ms == LONG_AGO_MS
    return desk


@pytest.mark.promise
@pytest.mark.parametrize("deed", DEEDS.values(), ids=DEEDS)
async def test_a_folder_is_dated_at_once_when(
    deed: Callable[[Desk], Awaitable[None]], dated: Desk, clock: MockClock
) -> None:
    """A name that comes or goes dates its folder at once, whether or not the server knows of it yet."""
    await deed(dated)

    assert await modified_ms(dated, "d") >= NOW_MS


async def test_writing_to_a_file_does_not_date_its_folder(dated: Desk, clock: MockClock) -> None:
    """Only names do."""
    await dated.patches("d/a", 0, b"C")

    assert await modified_ms(dated, "d") == LONG_AGO_MS


async def test_a_time_that_is_set_afterwards_counts(dated: Desk, clock: MockClock) -> None:
    """As tar does, when a folder is filled."""
    await dated.writes("d/new", b"content")
    await dated.touches("d", LONG_AGO_MS + 1)

    assert await modified_ms(dated, "d") == LONG_AGO_MS + 1


async def test_the_server_s_later_time_counts_when_it_is_heard_of(dated: Desk, cloud: Cloud, clock: MockClock) -> None:
    """What others did there since."""
    await dated.writes("d/new", b"content")
    await dated.settles()
    await dated.waits(TTL_S + 1)

    assert await modified_ms(dated, "d") == (await cloud.entry("d")).modified_ms > NOW_MS
