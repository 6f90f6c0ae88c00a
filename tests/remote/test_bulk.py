"""Connections that receive in large pieces, against a peer that sends in small ones."""

from __future__ import annotations

import ssl
from functools import partial
from typing import TYPE_CHECKING

import httpcore
import pytest
import trio

from cxfs.remote.bulk import PIECE_BYTES, BulkBackend
from cxfs.server.certificates import Certificates, ensure_certificates

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

RECORD_BYTES = 16 << 10
CONTENT = bytes(range(256)) * 4096


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return ensure_certificates(tmp_path / "tls", [])


@pytest.fixture
def trusting(certificates: Certificates) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certificates.authority)


async def sends_everything(stream: trio.abc.Stream) -> None:
    """Waits to be asked, then sends all and hangs up."""
    await stream.receive_some()
    await stream.send_all(CONTENT)
    await stream.aclose()


async def says_nothing(stream: trio.abc.Stream) -> None:
    """Hears everything and never answers."""
    await stream.receive_some()
    await trio.sleep_forever()


async def listen(
    nursery: trio.Nursery, answer: Callable[[trio.abc.Stream], Awaitable[None]], certificates: Certificates
) -> int:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.certificate, certificates.key)
    serve = partial(trio.serve_ssl_over_tcp, answer, 0, context, host="127.0.0.1", https_compatible=True)
    (listener,) = await nursery.start(serve)
    return int(listener.transport_listener.socket.getsockname()[1])


async def all_of(stream: httpcore.AsyncNetworkStream) -> list[bytes]:
    pieces = []
    while piece := await stream.read(RECORD_BYTES):
        pieces.append(piece)
    return pieces


async def test_many_records_arrive_as_one_piece(certificates: Certificates, trusting: ssl.SSLContext) -> None:
    """Each piece costs its way through every layer above."""
    async with trio.open_nursery() as nursery:
        port = await listen(nursery, sends_everything, certificates)
        stream = await (await BulkBackend().connect_tcp("127.0.0.1", port)).start_tls(trusting, "localhost")
        await stream.write(b"please")

        pieces = await all_of(stream)

        await stream.aclose()
        nursery.cancel_scope.cancel()

    assert b"".join(pieces) == CONTENT
    assert max(map(len, pieces)) > 2 * RECORD_BYTES
    assert max(map(len, pieces)) <= PIECE_BYTES


async def test_an_untrusted_server_is_refused_and_its_certificate_is_the_cause(certificates: Certificates) -> None:
    """By the cause the person is told what to do."""
    async with trio.open_nursery() as nursery:
        port = await listen(nursery, sends_everything, certificates)
        connection = await BulkBackend().connect_tcp("127.0.0.1", port)

        with pytest.raises(httpcore.ConnectError) as refusal:
            await connection.start_tls(ssl.create_default_context(), "localhost")

        nursery.cancel_scope.cancel()

    causes = [refusal.value.__cause__, getattr(refusal.value.__cause__, "__cause__", None)]
    assert any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes)


async def test_a_silent_server_is_given_up_in_time(certificates: Certificates, trusting: ssl.SSLContext) -> None:
    """The limit is the caller's."""
    async with trio.open_nursery() as nursery:
        port = await listen(nursery, says_nothing, certificates)
        stream = await (await BulkBackend().connect_tcp("127.0.0.1", port)).start_tls(trusting, "localhost")
        await stream.write(b"please")

        with pytest.raises(httpcore.ReadTimeout):
            await stream.read(RECORD_BYTES, timeout=0.05)

        await stream.aclose()
        nursery.cancel_scope.cancel()


async def test_nobody_there_is_a_failure_to_connect() -> None:
    """It may be tried again: nothing was sent."""
    with trio.socket.socket() as unused:
        await unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]

    with pytest.raises(httpcore.ConnectError):
        await BulkBackend().connect_tcp("127.0.0.1", port)


async def test_an_idle_connection_that_the_server_closed_is_recognised(
    certificates: Certificates, trusting: ssl.SSLContext
) -> None:
    """httpcore asks before it uses one again."""
    closed = trio.Event()

    async def hangs_up(stream: trio.SSLStream[trio.SocketStream]) -> None:
        await stream.do_handshake()
        await stream.transport_stream.aclose()
        closed.set()

    async with trio.open_nursery() as nursery:
        port = await listen(nursery, hangs_up, certificates)  # type: ignore[arg-type]  # it is given an SSLStream
        stream = await (await BulkBackend().connect_tcp("127.0.0.1", port)).start_tls(trusting, "localhost")
        await closed.wait()
        socket = stream.get_extra_info("socket")
        await trio.lowlevel.wait_readable(socket)

        assert stream.get_extra_info("is_readable")
        assert stream.get_extra_info("ssl_object").version().startswith("TLS")

        await stream.aclose()
        nursery.cancel_scope.cancel()
