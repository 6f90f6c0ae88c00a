"""Cancelled at each await in turn: every place in a lane is given back, and the session goes on working.

A reader whose program was interrupted, a mount that is stopped, an upload overtaken by the next write: all of them are
cancellations, and httpx has lost connections that way (encode/httpcore#1093).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import httpx
import pytest
import trio
import trio.testing

from cxfs.core.entries import SELF, TreePath, Uuid, UuidPath
from cxfs.core.errors import ServerTrouble
from cxfs.core.ranges import ByteRange
from cxfs.remote.files import Files
from cxfs.remote.session import SessionLimits, open_session
from cxfs.remote.transport import Transport
from cxfs.remote.urls import ServiceUrls
from tests.remote.fake_cx import TOKEN, UUID, FakeCx, Pieces, listing, ok, refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from cxfs.remote.session import Session

    Scenario = Callable[[Session], Awaitable[None]]

PATH = UuidPath(SELF, Uuid(UUID))
CONTENT = b"0123456789" * 5_000
WANTED = ByteRange(0, len(CONTENT))
STEPS_MAX = 500
PLACES = SessionLimits(metadata_requests_max=1, download_requests_max=1, upload_requests_max=1)


class Slowly:
    """Content with awaits between its pieces."""

    size = len(CONTENT)

    async def pieces(self) -> AsyncIterator[bytes]:
        for start in range(0, self.size, 10_000):
            await trio.lowlevel.checkpoint()
            yield CONTENT[start : start + 10_000]


class Countdown(trio.abc.Instrument):
    """Cancels a scope when one task has taken a number of steps."""

    def __init__(self, steps: int, scope: trio.CancelScope) -> None:
        self._task = trio.lowlevel.current_task()
        self._steps = steps
        self._scope = scope

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if task is self._task:
            self._steps -= 1
            if self._steps == 0:
                self._scope.cancel()


async def cancelled_after(steps: int, scenario: Scenario, session: Session) -> bool:
    """Whether the scenario was cut off; False when it ended before."""
    with trio.CancelScope() as scope:
        countdown = Countdown(steps, scope)
        trio.lowlevel.add_instrument(countdown)
        try:
            await scenario(session)
        finally:
            trio.lowlevel.remove_instrument(countdown)
    return scope.cancelled_caught


async def cancelled_everywhere(scenario: Scenario, session: Session, check: Callable[[], Awaitable[None]]) -> int:
    """Runs it again and again, cut off one step later each time, until it runs through. How often that was."""
    for steps in range(1, STEPS_MAX):
        if not await cancelled_after(steps, scenario, session):
            return steps - 1
        await check()
    raise AssertionError("it never ran through")


def in_flight(session: Session) -> tuple[int, int, int]:
    statistics = session.statistics()
    return statistics.metadata.in_flight, statistics.download.in_flight, statistics.upload.in_flight


async def a_call(session: Session) -> None:
    await Files(session).entry(PATH)


async def a_call_with_retries(session: Session) -> None:
    with pytest.raises(ServerTrouble):
        await Files(session).delete(PATH, recursive=True)


async def a_listing(session: Session) -> None:
    await Files(session).listing(TreePath.parse("self:/"))


async def a_download(session: Session) -> None:
    async with Transport(session).download(PATH, WANTED, version=3, size=len(CONTENT), pin_version=False) as download:
        async for _ in download.pieces():
            await trio.lowlevel.checkpoint()


async def an_upload(session: Session) -> None:
    async def note(sha1: bytes) -> None:
        await trio.lowlevel.checkpoint()

    await Transport(session).upload(PATH, Slowly(), modified_ms=0, if_version=None, on_sealed=note)


SLOW_JSON = httpx.Response(200, stream=Pieces(ok(size=len(CONTENT), checksum=None, md5checksum=None).content, 0.0))
ANSWERS: dict[Scenario, httpx.Response] = {
    a_call: SLOW_JSON,
    a_call_with_retries: refusal(500),
    a_listing: listing(),
    an_upload: SLOW_JSON,
    a_download: httpx.Response(200, stream=Pieces(CONTENT[:20_000], 0.0, CONTENT[20_000:], 0.0)),
}


@pytest.mark.parametrize("scenario", ANSWERS, ids=lambda scenario: scenario.__name__)
async def test_a_cancelled_request_gives_its_place_back_wherever_it_was(
    cx: FakeCx, urls: ServiceUrls, scenario: Scenario, autojump_clock: trio.testing.MockClock
) -> None:
    """There is one place in each lane here: the next request would wait for ever."""
    async with open_session(urls, lambda: TOKEN, transport=cx, limits=PLACES, jitter=lambda: 0.5) as session:

        async def check() -> None:
            assert in_flight(session) == (0, 0, 0)
            cx.answers(ok())
            await a_call(session)
            cx.answers(ANSWERS[scenario])

        cx.answers(ANSWERS[scenario])
        assert await cancelled_everywhere(scenario, session, check) >= 2


async def test_a_cancelled_request_that_waited_for_a_place_takes_none(
    cx: FakeCx, urls: ServiceUrls, autojump_clock: trio.testing.MockClock
) -> None:
    """The queue moves on."""
    cx.delay_s = 1.5
    async with (
        open_session(urls, lambda: TOKEN, transport=cx, limits=PLACES) as session,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(a_call, session)
        await trio.testing.wait_all_tasks_blocked()
        with trio.move_on_after(1):
            await a_call(session)
        waiting = session.statistics().metadata.waiting
        await a_call(session)

    assert waiting == 0
    assert in_flight(session) == (0, 0, 0)


async def served(stream: trio.SocketStream) -> None:
    """A CX over a real socket: answers each request on the connection, content in several pieces."""
    answer = ok(size=len(CONTENT), checksum=None, md5checksum=None).content
    received = b""
    try:
        while True:
            while b"\r\n\r\n" not in received:
                received += await some(stream)
            head, _, received = received.partition(b"\r\n\r\n")
            for line in head.lower().split(b"\r\n"):
                if line.startswith(b"content-length:"):
                    while len(received) < int(line.partition(b":")[2]):
                        received += await some(stream)
                    received = b""
            body = CONTENT if b"GET /1/data/" in head else answer
            await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
            for start in range(0, len(body), 10_000):
                await stream.send_all(body[start : start + 10_000])
                await trio.lowlevel.checkpoint()
    except (trio.BrokenResourceError, trio.ClosedResourceError, trio.EndOfChannel):
        await stream.aclose()


async def some(stream: trio.SocketStream) -> bytes:
    received = await stream.receive_some(65_536)
    if not received:
        raise trio.EndOfChannel
    return bytes(received)


@pytest.mark.parametrize("scenario", [a_call, a_download, an_upload], ids=lambda scenario: scenario.__name__)
async def test_a_cancelled_request_costs_no_connection(scenario: Scenario) -> None:
    """Over real sockets, in a pool of one connection."""
    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, served, 0, host="127.0.0.1"))
        url = f"http://127.0.0.1:{listener.socket.getsockname()[1]}"
        urls = ServiceUrls.parse(api_url=url, data_url=url, auth_url=url, allow_http=True)
        async with open_session(urls, lambda: TOKEN, limits=PLACES) as session:

            async def check() -> None:
                assert in_flight(session) == (0, 0, 0)
                with trio.fail_after(5):
                    await scenario(session)

            assert await cancelled_everywhere(scenario, session, check) >= 4
        nursery.cancel_scope.cancel()
