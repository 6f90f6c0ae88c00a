"""The client over real sockets and TLS: whom it trusts, and that content comes through whole."""

from __future__ import annotations

import ssl
from functools import partial
from typing import TYPE_CHECKING

import pytest
import trio

from cxfs.core.entries import SELF, TreePath
from cxfs.core.errors import Unreachable
from cxfs.core.ranges import ByteRange
from cxfs.remote.failures import CertificateRefused
from cxfs.remote.files import Files
from cxfs.remote.lane_set import SessionLimits
from cxfs.remote.session import open_session
from cxfs.remote.transport import Transport
from cxfs.remote.urls import ServiceUrls
from cxfs.server.certificates import Certificates, ensure_certificates
from tests.remote.fake_cx import ok
from tests.server_process import ServerProcess, free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

ROOT = TreePath(SELF, ())
PATTERN = bytes(range(256)) * 4_096
SIZE = 12 * len(PATTERN) + 5


def content(wanted: ByteRange) -> bytes:
    """Bytes of a file that repeats a pattern of a megabyte."""
    start, stop = wanted.start % len(PATTERN), wanted.start % len(PATTERN) + wanted.length
    return (PATTERN * (stop // len(PATTERN) + 1))[start:stop]


class Large:
    """Twelve megabytes and a bit."""

    size = SIZE

    async def pieces(self) -> AsyncIterator[bytes]:
        for piece in ByteRange(0, SIZE).pieces(1_000_000):
            yield content(piece)


class Secured:
    """A server on a loopback address, with a certificate for 127.0.0.1 and localhost; counts its connections."""

    def __init__(self, certificates: Certificates) -> None:
        self.connections = 0
        self.certificates = certificates

    async def answer(self, stream: trio.SSLStream[trio.SocketStream]) -> None:
        self.connections += 1
        body = ok().content
        try:
            while await stream.receive_some(65_536):
                await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        except trio.BrokenResourceError:
            await trio.aclose_forcefully(stream)

    async def listen(self, nursery: trio.Nursery, host: str) -> ServiceUrls:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.certificates.certificate, self.certificates.key)
        serve = partial(trio.serve_ssl_over_tcp, self.answer, 0, context, host=host, https_compatible=True)
        (listener,) = await nursery.start(serve)
        url = f"https://{host}:{listener.transport_listener.socket.getsockname()[1]}"
        return ServiceUrls.parse(api_url=url, data_url=url, auth_url=url)


@pytest.fixture
def secured(tmp_path: Path) -> Secured:
    return Secured(ensure_certificates(tmp_path / "tls", []))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path / "cx") as process:
        yield process


def urls_of(url: str) -> ServiceUrls:
    return ServiceUrls.parse(api_url=url, data_url=url, auth_url=url)


async def test_a_large_file_comes_back_as_it_went(server: ServerProcess) -> None:
    """Through a real server, in ranges read side by side."""
    token = server.add_user("ann")
    async with open_session(urls_of(server.url), lambda: token, ca_file=server.ca_file) as session:
        transport = Transport(session)
        uploaded = await transport.upload(TreePath.parse("self:/large"), Large(), modified_ms=0, if_version=0)

        async def compare(wanted: ByteRange) -> None:
            async with transport.download(
                uploaded.path, wanted, version=uploaded.version, size=uploaded.size, pin_version=True
            ) as download:
                assert b"".join([piece async for piece in download.pieces()]) == content(wanted)

        async with trio.open_nursery() as nursery:
            for wanted in ByteRange(0, SIZE).pieces(1 << 20):
                nursery.start_soon(compare, wanted)

        statistics = session.statistics()

    assert uploaded.size == SIZE
    assert statistics.download.bytes_in == SIZE
    assert (statistics.download.errors, statistics.retries) == (0, 0)


async def test_a_question_for_changes_outlasts_every_other_deadline(server: ServerProcess) -> None:
    """Through all layers: none of them gives up before the server answers."""
    token = server.add_user("ann")
    urls = ServiceUrls.parse(api_url=server.url, data_url=server.url, auth_url=server.url)
    limits = SessionLimits(metadata_deadline_s=0.5, no_progress_s=0.5, connect_s=5)
    async with open_session(urls, lambda: token, ca_file=server.ca_file, limits=limits) as session:
        files = Files(session)
        first = await files.news(SELF, None, 0)
        begun = trio.current_time()
        second = await files.news(SELF, first.cursor, 1)

    assert second == first
    assert trio.current_time() - begun >= 0.9


async def test_a_connection_is_used_for_many_requests(secured: Secured) -> None:
    """A handshake costs more than the request."""
    async with trio.open_nursery() as nursery:
        urls = await secured.listen(nursery, "127.0.0.1")
        async with open_session(urls, lambda: "token", ca_file=secured.certificates.authority) as session:
            for _ in range(5):
                await Files(session).entry(ROOT)
        nursery.cancel_scope.cancel()

    assert secured.connections == 1


async def test_a_server_that_nobody_vouches_for_is_refused(secured: Secured) -> None:
    """At once, and before it has seen the token."""
    async with trio.open_nursery() as nursery:
        urls = await secured.listen(nursery, "127.0.0.1")
        async with open_session(urls, lambda: "token") as session:
            with pytest.raises(CertificateRefused, match="certificate is not trusted"):
                await Files(session).entry(ROOT)
            statistics = session.statistics()
        nursery.cancel_scope.cancel()

    assert (statistics.metadata.requests, statistics.retries) == (1, 0)


async def test_a_certificate_for_another_host_is_refused(secured: Secured) -> None:
    """Vouched for, but not for where we are."""
    async with trio.open_nursery() as nursery:
        urls = await secured.listen(nursery, "127.0.0.2")
        async with open_session(urls, lambda: "token", ca_file=secured.certificates.authority) as session:
            with pytest.raises(CertificateRefused, match=r"127\.0\.0\.2"):
                await Files(session).entry(ROOT)
        nursery.cancel_scope.cancel()


async def test_a_proxy_is_not_asked_for_this_machine(secured: Secured, monkeypatch: pytest.MonkeyPatch) -> None:
    """It could not reach our loopback, and `cxfs demo` has to work behind one."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    async with trio.open_nursery() as nursery:
        urls = await secured.listen(nursery, "127.0.0.1")
        async with open_session(urls, lambda: "token", ca_file=secured.certificates.authority) as session:
            assert (await Files(session).entry(ROOT)).size == 5
        nursery.cancel_scope.cancel()


async def test_a_server_that_is_not_there_is_unreachable(autojump_clock: object) -> None:
    """After some tries, with the reason."""
    async with open_session(urls_of(f"https://127.0.0.1:{free_port()}"), lambda: "token") as session:
        with pytest.raises(Unreachable, match="cannot reach the server"):
            await Files(session).entry(ROOT)
