"""What a session's requests and silences say of its connection, and what follows from it."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from cxfs.core.connection import PROBE_MOST_S, State, Thresholds
from cxfs.core.entries import Owner, TreePath, Uuid, UuidPath
from cxfs.core.errors import CxfsError, NotFound, Offline, SignedOut, TimedOut
from cxfs.core.ranges import ByteRange
from cxfs.remote.files import Files
from cxfs.remote.session import open_session
from cxfs.remote.transport import Transport
from cxfs.remote.watch import WANTED_S, ConnectionStatus, ConnectionWatch
from tests.remote.account import Bytes
from tests.remote.fake_cx import TOKEN, UUID, FakeCx, Pieces, again, ok, refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from trio.testing import MockClock

    from cxfs.remote.session import Session
    from cxfs.remote.urls import ServiceUrls

PATH = TreePath.parse("self:/a.txt")
LIMITS = Thresholds()
DAWN_S = 1_000_000.0
NO_ROUTE = httpx.ConnectError("no route to host")


class Never(httpx.AsyncBaseTransport):
    """The black hole."""

    def __init__(self) -> None:
        self.heard = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.heard += 1
        await trio.sleep_forever()
        raise AssertionError


@pytest.fixture
def watch() -> ConnectionWatch:
    return ConnectionWatch(LIMITS, jitter=lambda: 1.0, wall_s=lambda: DAWN_S + trio.current_time())


@asynccontextmanager
async def watched(cx: httpx.AsyncBaseTransport, urls: ServiceUrls, watch: ConnectionWatch) -> AsyncIterator[Session]:
    """A session that is watched over, for the length of the block."""
    async with (
        open_session(urls, lambda: TOKEN, transport=cx, jitter=lambda: 0.5, watch=watch) as session,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(watch.run, session.probe, session.signs_of_life)
        await wait_all_tasks_blocked()
        yield session
        nursery.cancel_scope.cancel()


@pytest.fixture
async def session(cx: FakeCx, urls: ServiceUrls, watch: ConnectionWatch) -> AsyncIterator[Session]:
    async with watched(cx, urls, watch) as opened:
        yield opened


async def fails(session: Session) -> type[CxfsError] | None:
    """How a call fails."""
    try:
        await Files(session).entry(PATH)
    except CxfsError as error:
        return type(error)
    return None


async def goes_offline(session: Session, cx: FakeCx, watch: ConnectionWatch) -> None:
    """No request arrives any more, and that is known."""
    cx.answers(NO_ROUTE)
    assert await fails(session) is not None
    await trio.sleep(LIMITS.silent_s)
    assert watch.state is State.OFFLINE


# ------------------------------------------------------------------------------------------------ into trouble


async def test_a_server_that_answers_is_not_asked_for_signs_of_life(
    session: Session, cx: FakeCx, watch: ConnectionWatch, autojump_clock: MockClock
) -> None:
    """A hundred requests, and nothing beside them."""
    for _ in range(100):
        await Files(session).entry(PATH)
        await trio.sleep(1)

    assert (len(cx.heard), watch.state, watch.status().next_probe) == (100, State.ONLINE, None)


async def test_a_refusal_is_a_good_answer(
    session: Session, cx: FakeCx, watch: ConnectionWatch, autojump_clock: MockClock
) -> None:
    """Whoever says no is there."""
    await goes_offline(session, cx, watch)
    cx.answers(refusal(404, "NotFound"))

    await trio.sleep(PROBE_MOST_S)

    assert watch.state is State.ONLINE
    assert await fails(session) is NotFound


async def test_no_connection_for_some_seconds_is_offline(
    session: Session, cx: FakeCx, watch: ConnectionWatch, autojump_clock: MockClock
) -> None:
    """One failed call is enough to find out: the rest is asked by probes."""
    cx.answers(NO_ROUTE)

    with trio.move_on_after(0.01):
        await fails(session)
    states = []
    for _ in range(10):
        await trio.sleep(1)
        states.append(watch.state)

    assert [state for state, before in zip(states, [None, *states], strict=False) if state != before] == list(State)[:3]
    assert "no route to host" in watch.status().reason


async def test_a_black_hole_is_offline_before_any_deadline_is_over(
    urls: ServiceUrls, watch: ConnectionWatch, autojump_clock: MockClock
) -> None:
    """Silence is a sign as well: a call that waits raises doubt, and probes settle it."""
    async with watched(Never(), urls, watch) as session, trio.open_nursery() as nursery:
        nursery.start_soon(fails, session)
        await trio.sleep(2 * LIMITS.quiet_s + LIMITS.silent_s)
        nursery.cancel_scope.cancel()

        assert watch.state is State.OFFLINE


async def test_one_slow_answer_is_not_taken_for_silence(
    urls: ServiceUrls, watch: ConnectionWatch, autojump_clock: MockClock
) -> None:
    """A server that thinks about one question for long answers the next: it is well, and the call is waited for."""
    slow = Slow(3.5)

    async with watched(slow, urls, watch) as session:
        entry = await Files(session).entry(PATH)

    assert entry.id == UUID
    assert watch.state is State.ONLINE
    assert 1 <= slow.probes <= 9


class Slow(httpx.AsyncBaseTransport):
    """Takes its time for everything but a probe."""

    def __init__(self, takes_s: float) -> None:
        self._takes_s = takes_s
        self.probes = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/self"):
            self.probes += 1
        else:
            await trio.sleep(self._takes_s)
        return again(ok())


async def test_a_body_that_flows_is_a_sign_of_life(
    session: Session, cx: FakeCx, watch: ConnectionWatch, autojump_clock: MockClock
) -> None:
    """However long a download takes, nothing else need be asked meanwhile."""
    pieces = [piece for _ in range(60) for piece in (0.7, b"x")]
    cx.answers(httpx.Response(200, stream=Pieces(*pieces)))
    path = UuidPath(Owner("self"), Uuid(UUID))

    async with Transport(session).download(path, ByteRange(0, 60), version=1, size=60, pin_version=False) as download:
        content = b"".join([piece async for piece in download.pieces()])

    assert (len(content), len(cx.heard), watch.state) == (60, 1, State.ONLINE)


async def test_a_server_that_only_fails_is_degraded_and_still_asked(
    session: Session, cx: FakeCx, watch: ConnectionWatch, autojump_clock: MockClock
) -> None:
    """It is there: whoever needs it goes on trying."""
    cx.answers(refusal(503, "Unavailable"))
    await fails(session)
    await trio.sleep(LIMITS.failing_s)
    state, asked = watch.state, len(cx.heard)

    await fails(session)

    assert state is State.DEGRADED
    assert len(cx.heard) > asked
    assert "503" in watch.status().reason


async def test_a_failure_now_and_then_is_no_change(
    session: Session, cx: FakeCx, watch: ConnectionWatch, caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    """A third of all requests fail, and programs see nothing of it; nor does whoever reads the log."""
    cx.answers(*[refusal(500, "Internal"), ok(), ok()] * 200)

    failures = [await fails(session) for _ in range(100)]

    assert set(failures) == {None}
    assert [record for record in caplog.records if record.levelno >= logging.INFO] == []


# ------------------------------------------------------------------------------------------------ offline


async def test_offline_a_call_fails_at_once_and_nothing_is_sent(
    session: Session, cx: FakeCx, watch: ConnectionWatch, autojump_clock: MockClock
) -> None:
    """Of any kind: small calls, downloads, uploads."""
    await goes_offline(session, cx, watch)
    began, asked, path = trio.current_time(), len(cx.heard), UuidPath(Owner("self"), Uuid(UUID))

    with pytest.raises(Offline, match="no route to host"):
        await Files(session).entry(PATH)
    with pytest.raises(Offline):
        async with Transport(session).download(path, ByteRange(0, 7), version=1, size=7, pin_version=False):
            pass
    with pytest.raises(Offline):
        await Transport(session).upload(PATH, Bytes(b"content"), modified_ms=0, if_version=None)

    assert (trio.current_time(), len(cx.heard)) == (began, asked)


async def test_a_call_that_was_waiting_waits_on_for_the_return(
    session: Session, cx: FakeCx, watch: ConnectionWatch, autojump_clock: MockClock
) -> None:
    """A network that changes its access point breaks no call, and the call asks no more while it is away."""
    cx.delay_s = 0.5
    cx.answers(NO_ROUTE)
    results: list[type[CxfsError] | None] = []

    async def waits() -> None:
        results.append(await fails(session))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(waits)
        await trio.sleep(8)
        assert watch.state is State.OFFLINE
        cx.answers(ok())

    assert results == [None]


async def test_a_call_that_waits_in_vain_ends_at_its_deadline(
    session: Session, cx: FakeCx, watch: ConnectionWatch, autojump_clock: MockClock
) -> None:
    """And not before."""
    cx.delay_s = 0.5
    cx.answers(NO_ROUTE)
    began = trio.current_time()

    failure = await fails(session)

    assert (failure, trio.current_time() - began) == (TimedOut, 10)


async def test_offline_the_server_is_asked_by_one_probe_at_growing_pauses(
    session: Session, cx: FakeCx, watch: ConnectionWatch, autojump_clock: MockClock
) -> None:
    """Five minutes of outage cost some twenty requests, however many programs wait."""
    await goes_offline(session, cx, watch)
    cx.heard.clear()

    await trio.sleep(300)

    assert {each.path for each in cx.heard} == {"/1/users/self"}
    assert 15 <= len(cx.heard) <= 25


async def test_a_call_that_fails_offline_brings_the_next_probe_forward(
    session: Session, cx: FakeCx, watch: ConnectionWatch, autojump_clock: MockClock
) -> None:
    """Who looks whether it is back finds out; and a program that looks all the time makes no storm of it."""
    await goes_offline(session, cx, watch)
    await trio.sleep(120)
    cx.heard.clear()

    for _ in range(200):
        assert await fails(session) is Offline
        await trio.sleep(0.1)

    assert 20 / WANTED_S * 0.8 <= len(cx.heard) <= 20 / WANTED_S * 1.2


async def test_a_black_hole_is_probed_by_one_request_at_a_time(
    urls: ServiceUrls, watch: ConnectionWatch, autojump_clock: MockClock
) -> None:
    """One that is not answered is given up before the next is sent."""
    never = Never()
    async with watched(never, urls, watch) as session:
        await fails(session)
        before = never.heard
        await trio.sleep(300)

        assert 10 <= never.heard - before <= 25


async def test_the_first_answer_ends_it(
    session: Session, cx: FakeCx, watch: ConnectionWatch, autojump_clock: MockClock
) -> None:
    """Within the longest pause, with nobody asking for anything."""
    await goes_offline(session, cx, watch)
    await trio.sleep(100)
    cx.answers(ok())

    await trio.sleep(PROBE_MOST_S)

    assert watch.state is State.ONLINE
    assert await fails(session) is None


# ------------------------------------------------------------------------------------------------ signed out


async def test_signed_out_calls_fail_with_the_remedy_until_a_token_is_taken(
    session: Session, cx: FakeCx, watch: ConnectionWatch, autojump_clock: MockClock
) -> None:
    """Whoever keeps the token tells of both; nothing is probed meanwhile."""
    watch.signed_out("cxfs login mends it")
    with pytest.raises(SignedOut, match="cxfs login mends it"):
        await Files(session).entry(PATH)
    await trio.sleep(60)
    asked = len(cx.heard)

    watch.signed_in()

    assert asked == 0
    assert await fails(session) is None


# ------------------------------------------------------------------------------------------------ telling


async def test_each_change_is_one_line_and_is_told_once(
    session: Session, cx: FakeCx, watch: ConnectionWatch, caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    """A log that says the same all night hides what else happened."""
    told: list[ConnectionStatus] = []
    watch.on_change(told.append)
    caplog.set_level(logging.INFO, "cxfs")

    await goes_offline(session, cx, watch)
    await trio.sleep(60)
    cx.answers(ok())
    await trio.sleep(PROBE_MOST_S)

    said = [record.getMessage().split(":")[0].split(",")[0] for record in caplog.records]
    assert [each.state for each in told] == [State.DEGRADED, State.OFFLINE, State.ONLINE]
    assert said == ["degraded", "offline", "online again"]
    assert TOKEN not in caplog.text


async def test_the_status_says_since_when_why_and_when_it_is_asked_next(
    session: Session, cx: FakeCx, watch: ConnectionWatch, autojump_clock: MockClock
) -> None:
    """By the time of day, and without the token, which stands in every address."""
    await goes_offline(session, cx, watch)
    since = watch.status().since
    await trio.sleep(50)

    status = watch.status()

    assert status.since == pytest.approx(since)
    assert DAWN_S < since < DAWN_S + 15
    assert status.next_probe is not None
    assert DAWN_S + 50 < status.next_probe <= DAWN_S + trio.current_time() + PROBE_MOST_S
    assert TOKEN not in status.reason


async def test_who_waits_only_while_it_is_worth_it_is_let_go(
    session: Session, cx: FakeCx, watch: ConnectionWatch, autojump_clock: MockClock
) -> None:
    """At the change of state, not at a deadline."""
    cx.answers(NO_ROUTE)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(fails, session)
        with trio.CancelScope() as scope, watch.worth_waiting(scope):
            await trio.sleep(1_000)

    assert scope.cancelled_caught
    assert trio.current_time() < 20


async def test_a_session_that_nobody_watches_over_never_refuses_to_try(
    cx: FakeCx, urls: ServiceUrls, autojump_clock: MockClock
) -> None:
    """A command asks once and ends: it wants to hear what the network says."""
    cx.answers(NO_ROUTE)
    async with open_session(urls, lambda: TOKEN, transport=cx, jitter=lambda: 0.5) as session:
        failures = [await fails(session) for _ in range(5)]

    assert Offline not in failures
    assert None not in failures
