"""The same faults without a network: the client under test stands on the other side, and no time passes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
import trio

from tests.faults import (
    NO_JSON,
    Altered,
    Cut,
    Drip,
    Faults,
    FaultyWire,
    Late,
    Lost,
    Side,
    Stall,
    Twice,
    refusal,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

BODY = b"x" * 1_000


class Inner(httpx.AsyncBaseTransport):
    """A server that notes what reached it whole."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.heard.append(await request.aread())
        return httpx.Response(200, content=BODY)


@pytest.fixture
def inner() -> Inner:
    return Inner()


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
async def client(inner: Inner, faults: Faults) -> AsyncIterator[httpx.AsyncClient]:
    """Without patience of its own: the wire knows no time-outs."""
    async with httpx.AsyncClient(transport=FaultyWire(inner, faults), base_url="https://cx.test/1") as client:
        yield client


async def got(client: httpx.AsyncClient) -> tuple[bytes, str]:
    """What came of a body, and how it ended."""
    came = b""
    try:
        async with client.stream("GET", "/data/x") as answer:
            async for piece in answer.aiter_raw():
                came += piece
    except httpx.HTTPError as error:
        return came, type(error).__name__
    return came, ""


async def test_without_a_fault_everything_passes(client: httpx.AsyncClient, inner: Inner, faults: Faults) -> None:
    """And is noted."""
    answer = await client.post("/data/x?access_token=y", content=b"sent")

    assert (answer.content, inner.heard, faults.requests) == (BODY, [b"sent"], ["POST data/x"])


async def test_answers_come_instead(client: httpx.AsyncClient, inner: Inner, faults: Faults) -> None:
    """And the server heard nothing."""
    faults.next("GET data", refusal(507), NO_JSON)

    assert [(await client.get("/data/x")).status_code for _ in range(2)] == [507, 200]
    assert inner.heard == []


async def test_work_is_done_and_its_answer_lost(client: httpx.AsyncClient, inner: Inner, faults: Faults) -> None:
    """Once, or twice where it is delivered twice."""
    faults.next("POST", Lost(), Lost(refusal(502)), Twice())

    with pytest.raises(httpx.ReadError):
        await client.post("/files/mkdir/x")
    assert (await client.post("/files/mkdir/x")).status_code == 502
    assert (await client.post("/files/mkdir/x")).status_code == 200
    assert len(inner.heard) == 4


async def test_bodies_break_and_stall(client: httpx.AsyncClient, faults: Faults, autojump_clock: object) -> None:
    """At that byte; a stall goes on when its time is over."""
    faults.next("GET", Cut(), Cut(10), Stall(10, for_s=50.0), Drip(100, 1.0), Late(7.0))
    began = trio.current_time()

    assert await got(client) == (b"", "ReadError")
    assert await got(client) == (BODY[:10], "ReadError")
    assert trio.current_time() == began
    assert await got(client) == (BODY, "")
    assert trio.current_time() - began == pytest.approx(50.0)
    assert await got(client) == (BODY, "")
    assert trio.current_time() - began == pytest.approx(60.0)
    assert await got(client) == (BODY, "")
    assert trio.current_time() - began == pytest.approx(67.0)


async def test_requests_break(client: httpx.AsyncClient, inner: Inner, faults: Faults) -> None:
    """And never reach the server."""
    faults.next("POST", Cut(3, Side.REQUEST), Cut(0, Side.REQUEST))

    for _ in range(2):
        with pytest.raises(httpx.WriteError):
            await client.post("/data/x", content=b"sent")
    assert inner.heard == []


async def test_answers_arrive_altered(client: httpx.AsyncClient, faults: Faults) -> None:
    """In status, headers and body."""
    faults.next("GET", Altered(206, {"content-range": "bytes 0-0/9"}, lambda _: b"y"))

    answer = await client.get("/data/x")

    assert (answer.status_code, answer.headers["content-range"], answer.content) == (206, "bytes 0-0/9", b"y")


async def test_nobody_listens(client: httpx.AsyncClient, faults: Faults) -> None:
    """Until somebody does."""
    faults.refuses()
    assert await got(client) == (b"", "ConnectError")

    faults.opens()
    assert await got(client) == (BODY, "")


async def test_a_black_hole(client: httpx.AsyncClient, faults: Faults, autojump_clock: object) -> None:
    """What was under way goes on when it is back."""
    faults.goes_silent()
    with trio.move_on_after(300) as patience:
        await got(client)
    assert patience.cancelled_caught

    async with trio.open_nursery() as nursery:
        nursery.start_soon(got, client)
        await trio.sleep(300)
        faults.opens()


async def test_a_slow_line(client: httpx.AsyncClient, faults: Faults, autojump_clock: object) -> None:
    """Half a second there and back, and a kilobyte a second."""
    faults.slows(latency_s=0.5, bytes_per_s=1_000)
    began = trio.current_time()

    await got(client)

    assert trio.current_time() - began == pytest.approx(1.5)
