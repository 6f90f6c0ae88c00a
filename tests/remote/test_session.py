"""How a request goes out, and how often."""
# ruff: noqa: FBT001 - autojump_clock works by being asked for; booleans are columns of a table

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
import trio
import trio.testing

from cxfs.core.entries import TreePath
from cxfs.core.errors import BadReply, CxfsError, Denied, NotFound, RateLimited, ServerTrouble, SignedOut, TimedOut
from cxfs.core.retry import TRIES_MAX
from cxfs.remote import replies
from cxfs.remote.calls import Attempts, Call
from cxfs.remote.clients import BadCertificateFile
from cxfs.remote.failures import CertificateRefused, Declined, NeverSent, Redirected
from cxfs.remote.files import Files
from cxfs.remote.lane_set import SessionLimits
from cxfs.remote.session import open_session
from tests.remote.fake_cx import TOKEN, FakeCx, Pieces, ok, refusal

if TYPE_CHECKING:
    from pathlib import Path

    from cxfs.remote.session import Session
    from cxfs.remote.urls import ServiceUrls

PATH = TreePath.parse("self:/photos/2353.jpg")
DEADLINE_S = SessionLimits().metadata_deadline_s
DRIPPING = Pieces(*(piece for _ in range(1_000) for piece in (b" ", 0.5)))
AGAIN: list[httpx.Response | Exception] = [
    refusal(500, "Internal"),
    refusal(503, "Unavailable"),
    refusal(429, "RateLimited", retry_after="1"),
    httpx.Response(200, text="<html>maintenance</html>"),
    httpx.Response(200, text=""),
    httpx.Response(200, json=[]),
    httpx.Response(502, text="<html>bad gateway</html>"),
    httpx.ConnectError("refused"),
    httpx.ReadError("reset"),
    httpx.ReadTimeout("slow"),
    httpx.RemoteProtocolError("gone"),
]


async def test_the_token_goes_with_every_request_as_a_parameter(files: Files, cx: FakeCx) -> None:
    """The documentation wants it in the URL."""
    await files.entry(PATH)

    assert cx.last.query == {"access_token": TOKEN}


async def test_the_client_id_goes_beside_it_when_there_is_one(cx: FakeCx, urls: ServiceUrls) -> None:
    """Seen in the wild."""
    async with open_session(urls, lambda: TOKEN, client_id="me & you", transport=cx) as session:
        await Files(session).entry(PATH)

    assert cx.last.query == {"access_token": TOKEN, "client_id": "me & you"}


async def test_a_new_token_is_used_from_the_next_request_on(cx: FakeCx, urls: ServiceUrls) -> None:
    """Signing in again must not need a remount."""
    tokens = iter(["old", "new"])
    async with open_session(urls, lambda: next(tokens), transport=cx) as session:
        await Files(session).entry(PATH)
        await Files(session).entry(PATH)

    assert [each.query["access_token"] for each in cx.heard] == ["old", "new"]


async def test_without_a_token_nothing_is_sent(cx: FakeCx, urls: ServiceUrls) -> None:
    """The source of tokens says why."""

    def no_token() -> str:
        raise SignedOut("run cxfs login")

    async with open_session(urls, no_token, transport=cx) as session:
        with pytest.raises(SignedOut, match="run cxfs login"):
            await Files(session).entry(PATH)

    assert cx.heard == []


async def test_a_call_asks_for_json(files: Files, cx: FakeCx) -> None:
    """`Accept: application/json`, always, says the documentation."""
    await files.entry(PATH)

    assert cx.last.headers["accept"] == "application/json"


async def test_a_path_arrives_as_the_one_segment_it_was(files: Files, cx: FakeCx) -> None:
    """Encoded in full and never normalised: `..%2F` in a name is a name."""
    name = "a b%2F#?+é😀\\..;=&"
    await files.entry(TreePath.parse(f"self:/..x/{name}"))

    assert cx.last.path == ("/1/files/info/self:%2F..x%2Fa%20b%252F%23%3F%2B%C3%A9%F0%9F%98%80%5C..%3B%3D%26")


async def test_the_longest_name_fits_into_a_url(files: Files, cx: FakeCx) -> None:
    """255 emoji are 3,060 characters there."""
    await files.entry(TreePath.parse("self:/" + "😀" * 255))

    assert len(cx.last.path) > 3_060


async def test_a_path_too_long_for_any_url_is_refused_here(files: Files, cx: FakeCx) -> None:
    """Deep enough, even short names do not fit."""
    with pytest.raises(CxfsError, match="too long"):
        await files.entry(TreePath.parse("self:" + "/😀😀😀😀😀😀😀😀" * 1_000))

    assert cx.heard == []


@pytest.mark.parametrize("trouble", AGAIN, ids=str)
async def test_a_transient_failure_is_tried_again(
    files: Files, cx: FakeCx, trouble: httpx.Response | Exception, autojump_clock: object
) -> None:
    """Invisible to the program as long as it ends before the deadline. A 200 without JSON is a 500 [doc]."""
    cx.answers(trouble, trouble, ok())

    assert (await files.entry(PATH)).name == "2353.jpg"
    assert len(cx.heard) == 3


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refusal(404, "NotFound"), NotFound),
        (refusal(403, "AccessDenied"), Denied),
        (refusal(401, "BadAuthToken"), SignedOut),
        (httpx.Response(302, headers={"Location": "https://evil.test/"}), Redirected),
        (httpx.Response(200, json={"id": "x"}), BadReply),
    ],
)
async def test_what_would_fail_again_is_not_tried_again(
    files: Files, cx: FakeCx, answer: httpx.Response, kind: type[CxfsError]
) -> None:
    """The program gets the reason at once."""
    cx.answers(answer)

    with pytest.raises(kind):
        await files.entry(PATH)

    assert len(cx.heard) == 1


async def test_a_redirect_is_never_followed(files: Files, cx: FakeCx) -> None:
    """The token would travel to where a server points."""
    cx.answers(httpx.Response(307, headers={"Location": "https://api.cx.test/1/users/self"}), ok())

    with pytest.raises(Redirected):
        await files.entry(PATH)

    assert [each.host for each in cx.heard] == ["api.cx.test"]


async def test_a_server_in_lasting_trouble_is_asked_a_limited_number_of_times(
    files: Files, cx: FakeCx, autojump_clock: object
) -> None:
    """Then the last reason is the answer."""
    cx.answers(refusal(500, "Internal", "disk on fire"))

    with pytest.raises(ServerTrouble, match="disk on fire"):
        await files.entry(PATH)

    assert 1 < len(cx.heard) <= TRIES_MAX


async def test_the_pause_that_the_server_asks_for_is_kept(files: Files, cx: FakeCx, autojump_clock: object) -> None:
    """`Retry-After` on a 429."""
    cx.answers(refusal(429, "RateLimited", retry_after="4"), ok())
    began = trio.current_time()

    await files.entry(PATH)

    assert trio.current_time() - began == pytest.approx(4.05)


async def test_a_pause_longer_than_the_deadline_is_not_begun(files: Files, cx: FakeCx, autojump_clock: object) -> None:
    """The program learns the reason now instead of "timed out" later."""
    cx.answers(refusal(429, "RateLimited", retry_after="3600"))
    began = trio.current_time()

    with pytest.raises(RateLimited):
        await files.entry(PATH)

    assert trio.current_time() == began


async def test_a_call_ends_at_its_deadline_when_the_server_is_silent(
    files: Files, cx: FakeCx, autojump_clock: object
) -> None:
    """No call waits for the network longer."""
    cx.delay_s = 1_000
    began = trio.current_time()

    with pytest.raises(TimedOut):
        await files.entry(PATH)

    assert trio.current_time() - began == pytest.approx(DEADLINE_S)


async def test_the_deadline_covers_all_attempts_and_names_the_last_trouble(
    files: Files, cx: FakeCx, autojump_clock: object
) -> None:
    """A server that fails slowly is as bad as one that is silent."""
    cx.delay_s = 4
    cx.answers(refusal(500, "Internal", "disk on fire"))
    began = trio.current_time()

    with pytest.raises(TimedOut, match="disk on fire"):
        await files.entry(PATH)

    assert trio.current_time() - began == pytest.approx(DEADLINE_S)


async def test_the_deadline_covers_an_answer_that_never_ends(files: Files, cx: FakeCx, autojump_clock: object) -> None:
    """A byte now and then is no progress for a small call."""
    cx.answers(httpx.Response(200, stream=DRIPPING))

    with pytest.raises(TimedOut):
        await files.entry(PATH)


async def test_the_deadline_covers_waiting_for_other_calls(
    cx: FakeCx, urls: ServiceUrls, autojump_clock: object
) -> None:
    """A queue behind a dead server is no excuse."""
    cx.delay_s = 1_000
    limits = SessionLimits(metadata_requests_max=1)
    async with (
        open_session(urls, lambda: TOKEN, transport=cx, limits=limits) as session,
        trio.open_nursery() as nursery,
    ):
        ended: list[float] = []

        async def call() -> None:
            with pytest.raises(TimedOut):
                await Files(session).entry(PATH)
            ended.append(trio.current_time())

        began = trio.current_time()
        nursery.start_soon(call)
        nursery.start_soon(call)

    assert ended == [pytest.approx(began + DEADLINE_S)] * 2


async def test_no_more_requests_are_under_way_than_there_are_connections(
    cx: FakeCx, urls: ServiceUrls, autojump_clock: object
) -> None:
    """None waits inside the HTTP library, which loses connections when a waiting request is cancelled."""
    cx.delay_s = 1
    limits = SessionLimits(metadata_requests_max=3)
    async with (
        open_session(urls, lambda: TOKEN, transport=cx, limits=limits) as session,
        trio.open_nursery() as nursery,
    ):
        for _ in range(10):
            nursery.start_soon(Files(session).entry, PATH)
        await trio.testing.wait_all_tasks_blocked()
        during = session.statistics().metadata

    assert cx.at_once_most == 3
    assert (during.in_flight, during.waiting) == (3, 7)


def copying() -> Call:
    return Call("POST", "files/copy/self:%2Fa", form={"to": "self:/b"}, may_be_done_twice=False)


@pytest.mark.parametrize("trouble", [httpx.ReadError(""), refusal(500), httpx.Response(200, text="<html>")], ids=str)
async def test_what_must_not_be_done_twice_is_not_repeated_when_in_doubt(
    session: Session, cx: FakeCx, trouble: httpx.Response | Exception
) -> None:
    """The server may have done it before the connection broke."""
    cx.answers(trouble, ok())

    with pytest.raises(CxfsError):
        await session.ask(copying(), replies.nothing)

    assert len(cx.heard) == 1


@pytest.mark.parametrize("trouble", [httpx.ConnectError(""), httpx.ConnectTimeout(""), refusal(429)], ids=str)
async def test_what_must_not_be_done_twice_is_repeated_when_nothing_was_done(
    session: Session, cx: FakeCx, trouble: httpx.Response | Exception, autojump_clock: object
) -> None:
    """No connection came about, or the server declined."""
    cx.answers(trouble, ok())

    await session.ask(copying(), replies.nothing)

    assert len(cx.heard) == 2


async def test_a_certificate_that_is_refused_is_not_shown_again(session: Session) -> None:
    """It would be the same one."""
    attempts = Attempts()

    attempts.failed(CertificateRefused("self-signed"))

    assert not attempts.in_doubt


@pytest.mark.parametrize(
    ("failures", "in_doubt", "earlier"),
    [
        ([NotFound()], False, False),
        ([NeverSent(), NotFound()], False, False),
        ([Declined(""), NotFound()], False, False),
        ([RateLimited(""), NotFound()], True, True),
        ([ServerTrouble()], True, False),
        ([ServerTrouble(), NotFound()], True, True),
        ([TimedOut(), NeverSent(), NotFound()], True, True),
    ],
)
def test_only_an_attempt_that_may_have_been_carried_out_leaves_a_doubt(
    failures: list[CxfsError],
    in_doubt: bool,
    earlier: bool,
) -> None:
    """It decides whether "not found" after a delete is success."""
    attempts = Attempts()

    for failure in failures:
        attempts.failed(failure)

    assert (attempts.in_doubt, attempts.earlier_in_doubt) == (in_doubt, earlier)


async def test_an_answer_too_large_is_not_read_to_its_end(
    cx: FakeCx, urls: ServiceUrls, autojump_clock: object
) -> None:
    """A server cannot fill our memory."""
    cx.answers(httpx.Response(200, stream=Pieces(*[b"x" * 400] * 100)))
    limits = SessionLimits(json_bytes_max=1_000)

    async with open_session(urls, lambda: TOKEN, transport=cx, limits=limits) as session:
        with pytest.raises(BadReply, match="longer than 1000 bytes"):
            await Files(session).entry(PATH)


async def test_statistics_tell_what_went_over_each_lane(
    session: Session, files: Files, cx: FakeCx, autojump_clock: object
) -> None:
    """They are what `cxfs status` shows."""
    cx.answers(refusal(500), ok(), refusal(404))
    await files.entry(PATH)
    with pytest.raises(NotFound):
        await files.entry(PATH)

    statistics = session.statistics()

    assert (statistics.metadata.requests, statistics.metadata.errors, statistics.retries) == (3, 2, 1)
    assert statistics.metadata.bytes_in > 100
    assert (statistics.metadata.in_flight, statistics.download.requests, statistics.upload.requests) == (0, 0, 0)


@pytest.mark.parametrize("content", [None, b"", b"no certificate", b"\xff\x00"])
async def test_a_ca_file_that_cannot_be_used_says_so(tmp_path: Path, urls: ServiceUrls, content: bytes | None) -> None:
    """Before anything is mounted, and in one line that names the file."""
    ca_file = tmp_path / "ca.pem"
    if content is not None:
        ca_file.write_bytes(content)

    with pytest.raises(BadCertificateFile, match=r"cannot use the CA file .*ca\.pem: \w+"):
        async with open_session(urls, lambda: TOKEN, ca_file=ca_file):
            pass
