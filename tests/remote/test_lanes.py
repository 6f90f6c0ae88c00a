"""A class of traffic and its connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from cxfs.core.errors import CxfsError
from cxfs.remote.failures import NeverSent
from cxfs.remote.lanes import POOL_TIMEOUTS_MAX, Lane, OnePiece
from tests.remote.fake_cx import FakeCx, ok

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

URL = "https://api.cx.test/1/users/self"


@pytest.fixture
def clients() -> list[httpx.AsyncClient]:
    """All that the lane ever made."""
    return []


@pytest.fixture
async def lane(cx: FakeCx, clients: list[httpx.AsyncClient]) -> AsyncIterator[Lane]:
    def make() -> httpx.AsyncClient:
        clients.append(httpx.AsyncClient(transport=cx))
        return clients[-1]

    made = Lane(make, requests_max=2, no_progress_s=60)
    yield made
    await made.aclose()


async def ask(lane: Lane) -> bytes:
    async with lane.exchange("GET", URL, headers={}) as incoming:
        return await incoming.whole(10_000)


async def ask_in_vain(lane: Lane) -> None:
    with pytest.raises(NeverSent):
        await ask(lane)


async def test_a_pool_that_gives_no_connection_any_more_is_replaced(
    lane: Lane, cx: FakeCx, clients: list[httpx.AsyncClient]
) -> None:
    """It has lost them; a new one has all of them."""
    cx.answers(*[httpx.PoolTimeout("")] * POOL_TIMEOUTS_MAX, ok())
    for _ in range(POOL_TIMEOUTS_MAX):
        await ask_in_vain(lane)

    assert await ask(lane) == ok().content
    assert len(clients) == 2


async def test_a_single_wait_in_vain_replaces_nothing(lane: Lane, cx: FakeCx, clients: list[httpx.AsyncClient]) -> None:
    """Only those in a row count."""
    cx.answers(*(each for _ in range(POOL_TIMEOUTS_MAX) for each in (httpx.PoolTimeout(""), ok())))
    for _ in range(POOL_TIMEOUTS_MAX):
        await ask_in_vain(lane)
        await ask(lane)

    assert len(clients) == 1


async def test_every_client_is_closed_with_the_lane(lane: Lane, cx: FakeCx, clients: list[httpx.AsyncClient]) -> None:
    """Retired ones too."""
    cx.answers(httpx.PoolTimeout(""))
    for _ in range(POOL_TIMEOUTS_MAX * 2):
        await ask_in_vain(lane)

    await lane.aclose()

    assert [client.is_closed for client in clients] == [True] * 3


async def test_what_goes_wrong_while_an_answer_is_read_is_counted(lane: Lane, cx: FakeCx) -> None:
    """A lane full of errors shows on the status page."""
    cx.answers(ok())

    with pytest.raises(CxfsError):
        async with lane.exchange("GET", URL, headers={}) as incoming:
            await incoming.whole(5)

    assert (lane.statistics().requests, lane.statistics().errors) == (1, 1)


async def test_a_body_is_sent_and_counted(lane: Lane, cx: FakeCx) -> None:
    """A small one, in one piece."""
    async with lane.exchange("POST", URL, headers={"Content-Length": "5"}, body=OnePiece(b"hello")):
        pass

    assert cx.last.body == b"hello"
    assert lane.statistics().bytes_out == 5
