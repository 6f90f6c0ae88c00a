"""Content over connections of its own, against servers that do what real ones do once a year.

What a refusal is called is told in test_failures and test_downloads; here it is that pipes call it the same.
"""

from __future__ import annotations

import ssl
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import trio

from cxfs.core.entries import SELF, Uuid, UuidPath
from cxfs.core.errors import (
    BadReply,
    CxfsError,
    Denied,
    DiskFull,
    NotFound,
    RateLimited,
    ServerTrouble,
    Stale,
    TimedOut,
    Unreachable,
)
from cxfs.core.ranges import ByteRange
from cxfs.remote.failures import CertificateRefused, NeverSent, Redirected
from cxfs.remote.pipe_lane import TARGET_CHARACTERS_MAX
from cxfs.remote.session import Session, SessionLimits, open_session
from cxfs.remote.transport import Transport
from cxfs.remote.urls import ServiceUrls
from cxfs.server.certificates import Certificates, ensure_certificates
from tests.remote.fake_cx import UUID
from tests.server_process import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

PATH = UuidPath(SELF, Uuid(UUID))
CONTENT = bytes(range(256)) * 8_192
SIZE = len(CONTENT)
SHORT = ByteRange(1_000, 3_000)
LONG = ByteRange(0, SIZE)
TOKEN = "tok-53cr3t"


def head(status: str = "206 Partial Content", **headers: object) -> bytes:
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode()


def part(wanted: ByteRange, **headers: object) -> bytes:
    """The head of a 206 as a server of the contract gives it."""
    content_range = f"bytes {wanted.start}-{wanted.stop - 1}/{SIZE}"
    return head("206 Partial Content", content_length=wanted.length, content_range=content_range, **headers)


def answer(wanted: ByteRange, **headers: object) -> bytes:
    return part(wanted, **headers) + CONTENT[wanted.start : wanted.stop]


@dataclass
class Server:
    """Answers each request on a connection in turn by what `say` does with it; None hangs up."""

    say: Callable[[trio.abc.Stream, bytes], Awaitable[bool | None]]
    connections: int = 0
    heard: list[bytes] = field(default_factory=list)

    async def serve(self, stream: trio.abc.Stream) -> None:
        self.connections += 1
        try:
            async with stream:
                while asked := await self._request(stream):
                    self.heard.append(asked)
                    if not await self.say(stream, asked):
                        return
        except trio.BrokenResourceError:
            pass

    async def _request(self, stream: trio.abc.Stream) -> bytes:
        asked = b""
        while not asked.endswith(b"\r\n\r\n"):
            more = await stream.receive_some()
            if not more:
                return b""
            asked += more
        return asked


def saying(*answers: bytes) -> Server:
    """One that gives these answers in order, the last of them again and again, and keeps its connections."""
    left = list(answers)

    async def say(stream: trio.abc.Stream, asked: bytes) -> bool:
        await stream.send_all(left.pop(0) if len(left) > 1 else left[0])
        return True

    return Server(say)


@asynccontextmanager
async def session_with(server: Server, **limits: Any) -> AsyncIterator[Session]:
    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, server.serve, 0, host="127.0.0.1"))
        url = f"http://127.0.0.1:{listener.socket.getsockname()[1]}"
        urls = ServiceUrls.parse(api_url=url, data_url=url, auth_url=url, allow_http=True)
        async with open_session(urls, lambda: TOKEN, limits=SessionLimits(**limits)) as session:
            yield session
        nursery.cancel_scope.cancel()


class Landing:
    """Where the bytes go: a file in memory, and what was told of it."""

    def __init__(self) -> None:
        self.content = bytearray(SIZE)
        self.parts: list[ByteRange] = []
        self.on_landed: Callable[[ByteRange], None] = lambda _: None

    def keep(self, offset: int, piece: memoryview) -> None:
        self.content[offset : offset + len(piece)] = piece

    def landed(self, part: ByteRange) -> None:
        self.parts.append(part)
        self.on_landed(part)


async def fetch(session: Session, wanted: ByteRange, landing: Landing | None = None, **options: Any) -> Landing:
    landing = landing or Landing()
    options = {"version": 3, "size": SIZE, "pin_version": False, **options}
    async with Transport(session).download(PATH, wanted, **options) as download:
        await download.pour(landing.keep, landing.landed)
    return landing


def stretch(parts: list[ByteRange]) -> ByteRange:
    """What parts in order cover together, without a hole."""
    assert [part.stop for part in parts[:-1]] == [part.start for part in parts[1:]]
    return ByteRange(parts[0].start, parts[-1].stop)


@pytest.mark.parametrize("wanted", [SHORT, LONG, ByteRange(5, SIZE - 7)], ids=["short", "whole", "nearly whole"])
async def test_bytes_land_in_order_at_their_place(wanted: ByteRange) -> None:
    """Whether they came with the head of the answer or in many pieces after it."""
    async with session_with(saying(answer(wanted))) as session:
        landing = await fetch(session, wanted)

    assert stretch(landing.parts) == wanted
    assert landing.content[wanted.start : wanted.stop] == CONTENT[wanted.start : wanted.stop]


async def test_content_can_be_asked_for_piece_by_piece_as_well() -> None:
    """For whoever keeps it in memory."""
    async with (
        session_with(saying(answer(LONG))) as session,
        Transport(session).download(PATH, LONG, version=3, size=SIZE, pin_version=False) as download,
    ):
        assert b"".join([piece async for piece in download.pieces()]) == CONTENT


async def test_the_request_is_that_of_the_contract() -> None:
    """As httpx would send it: host, range, no coding, the credentials in the URL."""
    server = saying(answer(SHORT))
    async with session_with(server) as session:
        await fetch(session, SHORT, pin_version=True, etag='"3"')

    first, *lines = server.heard[0].decode().split("\r\n")
    assert first == f"GET /1/data/self:{UUID}?version=3&access_token={TOKEN} HTTP/1.1"
    assert {line.partition(":")[0].lower(): line.partition(": ")[2] for line in lines if line} == {
        "host": lines[0].partition(": ")[2],
        "user-agent": "cxfs",
        "accept": "*/*",
        "accept-encoding": "identity",
        "range": "bytes=1000-2999",
        "if-match": '"3"',
    }


async def test_a_connection_is_used_for_many_requests() -> None:
    """A handshake costs more than the request."""
    server = saying(answer(SHORT), answer(LONG), answer(SHORT))
    async with session_with(server) as session:
        for wanted in (SHORT, LONG, SHORT):
            await fetch(session, wanted)

    assert server.connections == 1


@pytest.mark.parametrize(
    "first",
    [
        answer(SHORT, connection="close"),
        answer(SHORT).replace(b"HTTP/1.1", b"HTTP/1.0"),
        answer(SHORT) + b"HTTP/1.1 200 OK\r\n",
    ],
    ids=["the server will close it", "an old protocol", "more than was asked for"],
)
async def test_a_connection_that_is_not_clean_is_not_used_again(first: bytes) -> None:
    """What is left in it would be taken for the next answer."""
    server = saying(first, answer(SHORT))
    async with session_with(server) as session:
        await fetch(session, SHORT)
        landing = await fetch(session, SHORT)

    assert server.connections == 2
    assert landing.content[1_000:3_000] == CONTENT[1_000:3_000]


async def test_a_body_that_was_not_wanted_to_its_end_takes_its_connection_along() -> None:
    """Reading on to its end could take minutes."""
    server = saying(answer(LONG), answer(SHORT))
    async with session_with(server) as session:
        async with Transport(session).download(PATH, LONG, version=3, size=SIZE, pin_version=False) as download:
            await anext(download.pieces())
        await fetch(session, SHORT)

    assert server.connections == 2


async def test_idle_connections_that_died_without_a_word_cost_one_wait() -> None:
    """After a night's sleep all of them are dead: the first that proves it takes the others with it."""
    dead = False

    async def say(stream: trio.abc.Stream, asked: bytes) -> bool:
        if dead and server.connections <= 3:
            await trio.sleep_forever()
        await stream.send_all(answer(SHORT))
        return True

    server = Server(say)
    async with session_with(server) as session:
        async with AsyncExitStack() as stack:
            for _ in range(3):
                coming = Transport(session).download(PATH, SHORT, version=3, size=SIZE, pin_version=False)
                download = await stack.enter_async_context(coming)
                assert len(b"".join([piece async for piece in download.pieces()])) == SHORT.length
        dead = True

        with pytest.raises(TimedOut):
            await fetch(session, SHORT, patience_s=0.1)
        await fetch(session, SHORT, patience_s=60.0)

    assert server.connections == 4


async def test_an_idle_connection_that_the_server_closed_is_nobodys_failure() -> None:
    """Servers do that after a while."""
    hung_up = trio.Event()

    async def once(stream: trio.abc.Stream, asked: bytes) -> None:
        await stream.send_all(answer(SHORT))
        await stream.aclose()
        hung_up.set()

    server = Server(once)
    async with session_with(server) as session:
        await fetch(session, SHORT)
        await hung_up.wait()
        await fetch(session, SHORT)
        statistics = session.statistics().download

    assert (server.connections, statistics.requests, statistics.errors) == (2, 2, 0)


async def test_a_connection_that_is_closed_while_it_is_used_again_is_replaced() -> None:
    """The server closed it in the moment in which we asked: the request is sent once more, elsewhere."""
    server = saying()

    async def second_time_lucky(stream: trio.abc.Stream, asked: bytes) -> bool:
        if len(server.heard) == 2:
            return False
        await stream.send_all(answer(SHORT))
        return True

    server.say = second_time_lucky
    async with session_with(server) as session:
        await fetch(session, SHORT)
        await fetch(session, SHORT)
        assert session.statistics().download.errors == 0

    assert (server.connections, len(server.heard)) == (2, 3)


async def test_a_new_connection_that_is_closed_without_an_answer_is_a_failure() -> None:
    """Whoever asks decides how often to try."""

    async def never(stream: trio.abc.Stream, asked: bytes) -> bool:
        return False

    server = Server(never)
    async with session_with(server) as session:
        with pytest.raises(Unreachable, match="without an answer"):
            await fetch(session, SHORT)

    assert server.connections == 1


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (head("403 Forbidden", content_length=0), Denied),
        (head("404 Not Found", content_length=0), NotFound),
        (head("412 Precondition Failed", content_length=0), Stale),
        (head("416 Range Not Satisfiable", content_length=0), Stale),
        (head("500 Internal Server Error", content_length=0), ServerTrouble),
        (head("302 Found", content_length=0, location="http://elsewhere.test/"), Redirected),
        (head("503 Unavailable", content_length=35) + b'{"errorType":"AccessDenied"}       ', Denied),
        (head(content_length=2_000, content_range=f"bytes 0-1999/{SIZE}") + CONTENT[:2_000], BadReply),
        (answer(SHORT, content_encoding="gzip"), BadReply),
        (answer(SHORT, etag='"4"'), Stale),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", Unreachable),
        (b"HTTP/1.1 206 OK\r\nX: " + b"y" * 200_000, Unreachable),
    ],
    ids=[
        "403", "404", "412", "416", "500", "302", "by its type", "another part", "coded", "another version",
        "no HTTP", "an endless head",
    ],
)  # fmt: skip
async def test_a_refusal_is_called_what_it_is_called_elsewhere(said: bytes, kind: type[CxfsError]) -> None:
    """Everything above goes by these names."""
    async with session_with(saying(said)) as session:
        with pytest.raises(kind):
            await fetch(session, SHORT)
        assert session.statistics().download.errors == 1


async def test_a_server_that_asks_for_a_pause_is_understood() -> None:
    """`Retry-After` reaches the reader."""
    async with session_with(saying(head("429 Too Many Requests", content_length=0, retry_after=7))) as session:
        with pytest.raises(RateLimited) as refusal:
            await fetch(session, SHORT)

    assert refusal.value.retry_after_s == 7


async def test_an_interim_answer_is_not_the_answer() -> None:
    """1xx may come before any."""
    async with session_with(saying(head("103 Early Hints") + answer(SHORT))) as session:
        assert stretch((await fetch(session, SHORT)).parts) == SHORT


async def test_a_body_in_chunks_comes_whole() -> None:
    """A server that ignores ranges and streams sends no length."""
    chunks = b"".join(b"%x\r\n%s\r\n" % (1_000, CONTENT[at : at + 1_000]) for at in range(0, 2_000_000, 1_000))
    rest = CONTENT[2_000_000:]
    said = head("200 OK", transfer_encoding="chunked") + chunks + b"%x\r\n%s\r\n0\r\n\r\n" % (len(rest), rest)
    async with session_with(saying(said)) as session:
        landing = await fetch(session, SHORT)

    assert stretch(landing.parts) == LONG
    assert landing.content == CONTENT


async def test_a_body_that_breaks_off_is_unreachable_and_what_came_has_landed() -> None:
    """The reader goes on from there."""

    async def breaks_off(stream: trio.abc.Stream, asked: bytes) -> bool:
        await stream.send_all(part(LONG) + CONTENT[:300_000])
        return False

    landing = Landing()
    async with session_with(Server(breaks_off)) as session:
        with pytest.raises(Unreachable, match="broke off"):
            await fetch(session, LONG, landing)

    assert stretch(landing.parts) == ByteRange(0, 300_000)


@pytest.mark.parametrize("length", [SHORT.length + 1, SIZE], ids=["by one", "by far"])
async def test_more_than_was_asked_for_is_refused_before_it_is_kept(length: int) -> None:
    """It belongs to nothing that we know."""
    said = head(content_length=length, content_range=f"bytes 1000-2999/{SIZE}") + CONTENT[1_000 : 1_000 + length]
    landing = Landing()
    async with session_with(saying(said)) as session:
        with pytest.raises(BadReply, match="did not end there"):
            await fetch(session, SHORT, landing)

    assert not any(landing.content[3_000:])


@pytest.mark.parametrize("said", [b"", part(LONG) + CONTENT[:10]], ids=["before the answer", "in its middle"])
async def test_a_cancelled_transfer_ends_at_once_and_leaves_no_thread_behind(said: bytes) -> None:
    """A file that is closed gives its line to others, and nothing is written to its descriptor any more."""
    asked_for, hung_up = trio.Event(), trio.Event()

    async def listens(stream: trio.abc.Stream, asked: bytes) -> None:
        await stream.send_all(said)
        asked_for.set()
        await stream.receive_some()
        hung_up.set()

    async with session_with(Server(listens)) as session:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fetch, session, LONG)
            await asked_for.wait()
            nursery.cancel_scope.cancel()
        await hung_up.wait()
        assert session.statistics().download.in_flight == 0


async def test_a_full_disk_ends_the_transfer_and_is_what_is_raised() -> None:
    """Not that the line broke, though we broke it."""
    landing = Landing()

    def full(_: ByteRange) -> None:
        raise DiskFull("no room")

    landing.on_landed = full
    for wanted in (SHORT, LONG):
        async with session_with(saying(answer(wanted))) as session:
            with pytest.raises(DiskFull, match="no room"):
                await fetch(session, wanted, landing)


async def test_nobody_there_has_not_heard_of_the_request() -> None:
    """It may be tried again, whatever it was."""
    url = f"http://127.0.0.1:{free_port()}"
    urls = ServiceUrls.parse(api_url=url, data_url=url, auth_url=url, allow_http=True)
    async with open_session(urls, lambda: TOKEN) as session:
        with pytest.raises(NeverSent):
            await fetch(session, SHORT)


async def test_a_path_too_long_for_a_url_is_refused_here() -> None:
    """A server would hang up on it, and it would be tried for ever."""
    server = saying(answer(SHORT))
    async with session_with(server) as session:
        with pytest.raises(CxfsError, match="too long"):
            async with session.download("data/" + "x" * TARGET_CHARACTERS_MAX, query={}, headers={}):
                pass

    assert server.heard == []


async def test_no_error_holds_the_token(caplog: pytest.LogCaptureFixture) -> None:
    """Not even one that repeats what a server echoed."""
    caplog.set_level(0)
    echoed = f"access_token={TOKEN}".encode()
    for said in (echoed + b"\r\n\r\n", head("400 Bad", content_length=len(echoed)) + echoed):
        async with session_with(saying(said)) as session:
            with pytest.raises(CxfsError) as failure:
                await fetch(session, SHORT)
        assert TOKEN not in "".join(map(str, (failure.value, failure.value.__cause__)))

    assert TOKEN not in caplog.text


async def test_a_proxy_in_between_is_used_for_content_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that lets nothing else out would otherwise show folders whose files cannot be read."""
    proxy = saying(head("502 Bad Gateway", content_length=0))
    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, proxy.serve, 0, host="127.0.0.1"))
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{listener.socket.getsockname()[1]}")
        urls = ServiceUrls.parse(
            api_url="https://api.cx.test", data_url="https://data.cx.test", auth_url="https://www.cx.test"
        )
        async with open_session(urls, lambda: TOKEN) as session:
            with pytest.raises(Unreachable):
                await fetch(session, SHORT)
        nursery.cancel_scope.cancel()

    assert proxy.heard[0].startswith(b"CONNECT data.cx.test:443 ")


# ---------------------------------------------------------------- over TLS


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return ensure_certificates(tmp_path / "tls", [])


@asynccontextmanager
async def secured_session(
    server: Server, certificates: Certificates, ca_file: Path | None, **limits: Any
) -> AsyncIterator[Session]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.certificate, certificates.key)
    async with trio.open_nursery() as nursery:
        serve = partial(trio.serve_ssl_over_tcp, server.serve, 0, context, host="127.0.0.1", https_compatible=True)
        (listener,) = await nursery.start(serve)
        url = f"https://127.0.0.1:{listener.transport_listener.socket.getsockname()[1]}"
        urls = ServiceUrls.parse(api_url=url, data_url=url, auth_url=url)
        async with open_session(urls, lambda: TOKEN, ca_file=ca_file, limits=SessionLimits(**limits)) as session:
            yield session
        nursery.cancel_scope.cancel()


def either_session(
    server: Server, certificates: Certificates | None, **limits: Any
) -> AbstractAsyncContextManager[Session]:
    """Over TLS where there are certificates."""
    if certificates is None:
        return session_with(server, **limits)
    return secured_session(server, certificates, certificates.authority, **limits)


async def test_over_tls_it_is_the_same(certificates: Certificates) -> None:
    """Bytes, order, and the connection used again."""
    server = saying(answer(LONG))
    async with secured_session(server, certificates, certificates.authority) as session:
        for _ in range(2):
            landing = await fetch(session, LONG)
            assert stretch(landing.parts) == LONG
            assert landing.content == CONTENT

    assert server.connections == 1


async def test_a_server_that_nobody_vouches_for_never_sees_the_token(certificates: Certificates) -> None:
    """Content comes from where the token goes."""
    server = saying(answer(SHORT))
    async with secured_session(server, certificates, None) as session:
        with pytest.raises(CertificateRefused, match="certificate is not trusted"):
            await fetch(session, SHORT)

    assert server.heard == []


async def test_a_transfer_cut_off_from_here_hands_out_no_ciphertext(certificates: Certificates) -> None:
    """Python's own way to shut a TLS socket down takes TLS away under the thread that reads."""
    landing = Landing()
    cut = trio.CancelScope()

    def first_is_enough(_: ByteRange) -> None:
        cut.cancel()

    landing.on_landed = first_is_enough
    async with secured_session(saying(answer(LONG)), certificates, certificates.authority) as session:
        with cut:
            await fetch(session, LONG, landing)

    for landed in landing.parts:
        assert landing.content[landed.start : landed.stop] == CONTENT[landed.start : landed.stop]


@pytest.mark.parametrize("secured", [False, True], ids=["plain", "over TLS"])
async def test_what_a_slow_server_has_sent_lands_before_the_rest_comes(
    certificates: Certificates, *, secured: bool
) -> None:
    """A reader may be waiting for just these bytes."""
    landing = Landing()
    reached, news = 0, trio.Event()

    def lands(part: ByteRange) -> None:
        nonlocal reached
        reached = part.stop
        news.set()

    landing.on_landed = lands

    async def in_three_parts(stream: trio.abc.Stream, asked: bytes) -> bool:
        nonlocal news
        await stream.send_all(part(LONG))
        for start, stop in ((0, 10), (10, 300_000)):
            await stream.send_all(CONTENT[start:stop])
            while reached < stop:
                await news.wait()
                news = trio.Event()
        await stream.send_all(CONTENT[300_000:])
        return True

    async with either_session(Server(in_three_parts), certificates if secured else None) as session:
        await fetch(session, LONG, landing)

    assert landing.content == CONTENT


@pytest.mark.parametrize("secured", [False, True], ids=["plain", "over TLS"])
@pytest.mark.parametrize("said", [b"", part(LONG) + CONTENT[:10]], ids=["no answer", "no more of it"])
async def test_silence_ends_at_the_time_without_progress(
    said: bytes, certificates: Certificates, *, secured: bool
) -> None:
    """And the place in the lane is free again."""

    async def falls_silent(stream: trio.abc.Stream, asked: bytes) -> None:
        await stream.send_all(said)
        await trio.sleep_forever()

    server = Server(falls_silent)
    async with either_session(server, certificates if secured else None, no_progress_s=0.2) as session:
        with pytest.raises(TimedOut):
            await fetch(session, LONG)
        assert session.statistics().download.in_flight == 0
