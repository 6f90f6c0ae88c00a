"""Questions for changes that the server keeps waiting: patience, signs of trouble, and what is made of answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
import trio

from cxfs.core.connection import State, Thresholds
from cxfs.core.entries import SELF, Owner, TreePath
from cxfs.core.errors import BadReply, CxfsError, RateLimited, TimedOut
from cxfs.core.feed import POLL_MARGIN_S
from cxfs.remote.files import Files
from cxfs.remote.lane_set import SessionLimits
from cxfs.remote.session import open_session
from cxfs.remote.watch import ConnectionWatch
from tests.remote.fake_cx import TOKEN, UUID, FakeCx, again, ok, refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from trio.testing import MockClock

    from cxfs.remote.urls import ServiceUrls
    from tests.remote.account import Account

WAIT_S = 50.0


def news(**more: Any) -> dict[str, Any]:
    """An answer of a server with nothing to tell."""
    return {"cursor": "7", "changes": [], "reset": False, **more}


def told(body: dict[str, Any]) -> httpx.Response:
    """As an answer."""
    return httpx.Response(200, json=body)


class Slow(httpx.AsyncBaseTransport):
    """Answers after so many seconds; other questions at once."""

    def __init__(self, answer: Callable[[], httpx.Response], seconds: float) -> None:
        self._answer = answer
        self._seconds = seconds
        self.asked: list[httpx.URL] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url)
        if "/changes/" in request.url.path:
            await trio.sleep(self._seconds)
            return self._answer()
        return again(ok())


async def test_a_question_waits_for_longer_than_any_other_call(urls: ServiceUrls, autojump_clock: MockClock) -> None:
    """The server answers when there is something; deadlines are for calls that somebody waits for."""
    limits = SessionLimits(metadata_deadline_s=5, no_progress_s=5)
    cx = Slow(lambda: again(told(news())), WAIT_S)
    async with open_session(urls, lambda: TOKEN, transport=cx, limits=limits) as session:
        heard = await Files(session).news(SELF, "3", WAIT_S)

    assert (heard.cursor, heard.changes, heard.reset, heard.groups) == ("7", (), False, None)
    assert dict(cx.asked[0].params) == {"cursor": "3", "timeout": "50", "access_token": TOKEN}
    assert cx.asked[0].path == "/1/files/changes/self"


async def test_patience_ends_a_little_after_the_servers_time(urls: ServiceUrls, autojump_clock: MockClock) -> None:
    """A connection that died without a word is told from a server with nothing to say."""
    cx = Slow(lambda: again(told(news())), 1_000)
    begun = trio.current_time()
    async with open_session(urls, lambda: TOKEN, transport=cx) as session:
        with pytest.raises(TimedOut):
            await Files(session).news(SELF, "3", WAIT_S)

    assert trio.current_time() - begun == pytest.approx(WAIT_S + POLL_MARGIN_S)


async def test_a_server_that_has_nothing_to_tell_is_not_doubted(urls: ServiceUrls, autojump_clock: MockClock) -> None:
    """Elsewhere a second of silence is a sign; nobody probes because of a question that waits."""
    watch = ConnectionWatch(Thresholds(), jitter=lambda: 0.5)
    cx = Slow(lambda: again(told(news())), WAIT_S)
    async with (
        open_session(urls, lambda: TOKEN, transport=cx, watch=watch) as session,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(watch.run, session.probe, session.signs_of_life)
        await Files(session).news(SELF, "3", WAIT_S)
        assert watch.state is State.ONLINE
        nursery.cancel_scope.cancel()

    assert len(cx.asked) == 1


async def test_a_question_that_breaks_is_a_sign(urls: ServiceUrls, autojump_clock: MockClock) -> None:
    """On an idle mount it is the only one: a probe finds out what it means."""
    watch = ConnectionWatch(Thresholds(), jitter=lambda: 0.5)

    class Broken(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            raise httpx.ConnectError("no route to host")

    async with (
        open_session(urls, lambda: TOKEN, transport=Broken(), watch=watch) as session,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(watch.run, session.probe, session.signs_of_life)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(CxfsError):
            await Files(session).news(SELF, "3", WAIT_S)
        await trio.sleep(20)
        assert watch.state is State.OFFLINE
        nursery.cancel_scope.cancel()


async def test_questions_that_wait_stand_in_nobodys_way(urls: ServiceUrls, autojump_clock: MockClock) -> None:
    """They have a lane of their own: with a dozen groups followed a listing is answered at once."""
    cx = Slow(lambda: again(told(news())), WAIT_S)
    limits = SessionLimits(metadata_requests_max=2, background_requests_max=2)
    async with (
        open_session(urls, lambda: TOKEN, transport=cx, limits=limits) as session,
        trio.open_nursery() as nursery,
    ):
        files = Files(session)
        for _ in range(12):
            nursery.start_soon(files.news, SELF, "3", WAIT_S)
        await trio.testing.wait_all_tasks_blocked()
        begun = trio.current_time()
        await files.entry(TreePath.parse("self:/a"))
        assert trio.current_time() - begun < WAIT_S / 2
        nursery.cancel_scope.cancel()


FILE = {"id": UUID, "name": "a", "isDir": False, "size": 3, "version": 2, "parent": "B" * 22}


@pytest.mark.parametrize(
    ("change", "meaning"),
    [
        ({"id": UUID, "kind": "updated", "file": FILE, "version": 2, "path": "x:/a"}, "it is this now"),
        ({"id": UUID, "kind": "deleted", "version": 2, "path": "x:/a"}, "gone"),
        ({"id": UUID, "kind": "deleted", "file": FILE}, "gone"),
        ({"id": UUID, "kind": "updated"}, "to be asked for"),
        ({"id": UUID, "kind": "something new", "future": 1}, "to be asked for"),
        ({"id": UUID}, "to be asked for"),
    ],
)
async def test_a_change_is_what_became_of_an_object(
    cx: FakeCx, files: Files, change: dict[str, Any], meaning: str
) -> None:
    """What a server leaves out is asked for; what it says beyond the contract is passed over."""
    cx.answers(told(news(changes=[change], groups=4)))

    heard = await files.news(Owner("A" * 22), None, 0)

    assert heard.groups == 4
    assert str(heard.changes[0].object) == UUID
    known = {(True, True): "it is this now", (False, True): "gone", (False, False): "to be asked for"}
    assert known[heard.changes[0].entry is not None, heard.changes[0].is_described] == meaning
    assert {change.entry.version for change in heard.changes if change.entry is not None} <= {2}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"cursor": 7, "changes": []},
        {"cursor": "7"},
        {"cursor": "7", "changes": [{"kind": "deleted"}]},
        {"cursor": "7", "changes": [{"id": "no UUID", "kind": "deleted"}]},
        {"cursor": "7", "changes": [{"id": UUID, "kind": "updated", "file": {"id": UUID}}]},
    ],
)
async def test_an_answer_with_a_hole_is_none(cx: FakeCx, files: Files, body: dict[str, Any]) -> None:
    """Half of it would be a change that was missed."""
    cx.answers(told(body))

    with pytest.raises(BadReply):
        await files.news(SELF, "3", 0)


async def test_a_server_with_too_many_listeners_says_when_to_come_again(cx: FakeCx, files: Files) -> None:
    """It is asked once, not over and over."""
    cx.answers(refusal(429, "RateLimited", **{"Retry-After": "30"}))

    with pytest.raises(RateLimited) as refused:
        await files.news(SELF, "3", WAIT_S)

    assert refused.value.retry_after_s == 30
    assert len(cx.heard) == 1


async def test_our_server_tells_our_client(ours: Account) -> None:
    """Both ends of the contract: what is there, what is gone, and nothing twice."""
    first = await ours.files.news(SELF, None, 0)
    made = await ours.puts("self:/a")
    kept = await ours.puts("self:/b")
    await ours.files.delete(made.path, recursive=False)

    heard = await ours.files.news(SELF, first.cursor, 0)

    by_object = {change.object: change.entry for change in heard.changes}
    assert by_object[made.id] is None
    assert by_object[kept.id] == kept
    assert (await ours.files.news(SELF, heard.cursor, 0)).changes == ()
    assert (await ours.files.news(SELF, "nonsense", 0)).reset
