"""The address that waits for one answer of a browser."""

from __future__ import annotations

import socket
import ssl
import struct
import sys
from contextlib import asynccontextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio

from cxfs import loopback
from cxfs.loopback import Listener, PortTaken, listen

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from trio.testing import MockClock

ANSWER = "/?auth_code=c0d3"


def is_the_answer(target: str) -> bool:
    return target == ANSWER


@asynccontextmanager
async def browsing(listener: Listener, host: str = "127.0.0.1") -> AsyncIterator[trio.SSLStream[trio.SocketStream]]:
    """A browser's connection, whose person has gone past the warning."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    stream = await trio.open_ssl_over_tcp_stream(host, listener.port, ssl_context=context, https_compatible=True)
    async with stream:
        yield stream


async def page(listener: Listener, target: str, *, method: str = "GET") -> tuple[str, str]:
    """Head and body of what a browser is shown."""
    async with browsing(listener) as stream:
        await stream.send_all(f"{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        head, _, body = b"".join([piece async for piece in stream]).decode().partition("\r\n\r\n")
        return head, body


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    async with listen("127.0.0.1", 0, accept=is_the_answer) as opened:
        yield opened


async def test_the_answer_arrives_and_the_browser_is_told(listener: Listener) -> None:
    """The person is looking at the browser, so that is where the way on has to stand."""
    head, body = await page(listener, ANSWER)

    assert head.startswith("HTTP/1.1 200")
    assert "go back to the terminal" in body
    assert await listener.answer() == ANSWER


async def test_the_page_gives_nothing_away(listener: Listener) -> None:
    """The code stands in its address."""
    head, body = await page(listener, ANSWER)

    assert "Referrer-Policy: no-referrer" in head
    assert "Cache-Control: no-store" in head
    assert "default-src 'none'" in head
    assert "c0d3" not in body


@pytest.mark.parametrize("target", ["/favicon.ico", "/", "/?auth_code=of-somebody-else"])
async def test_whatever_else_is_asked_does_not_end_the_wait(listener: Listener, target: str) -> None:
    """Browsers look for icons, and other pages can send a browser here."""
    head, _ = await page(listener, target)
    await page(listener, ANSWER)

    assert head.startswith("HTTP/1.1 404")
    assert await listener.answer() == ANSWER


async def test_an_answer_is_taken_once(listener: Listener) -> None:
    """Reloading the page is no second sign-in."""
    await page(listener, ANSWER)

    head, _ = await page(listener, ANSWER)

    assert head.startswith("HTTP/1.1 404")


async def test_an_answer_counts_though_the_browser_does_not_wait_for_its_page() -> None:
    """It comes once: nobody could send it again."""
    opened: list[trio.SSLStream[trio.SocketStream]] = []

    def accept_and_hang_up(_target: str) -> bool:
        connection = opened[0].transport_stream.socket
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # with a reset
        connection.close()
        return True

    async with listen("127.0.0.1", 0, accept=accept_and_hang_up) as listener, browsing(listener) as stream:
        opened.append(stream)
        await stream.send_all(f"GET {ANSWER} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())

        assert await listener.answer() == ANSWER


async def test_only_a_page_that_is_visited_is_an_answer(listener: Listener) -> None:
    """The redirect that the contract describes is a GET."""
    head, _ = await page(listener, ANSWER, method="POST")

    assert head.startswith("HTTP/1.1 404")


async def test_a_browser_that_distrusts_the_certificate_may_come_back(listener: Listener) -> None:
    """The first handshake ends at the warning."""
    stream = await trio.open_ssl_over_tcp_stream("127.0.0.1", listener.port, https_compatible=True)
    async with stream:
        with pytest.raises(trio.BrokenResourceError):
            await stream.do_handshake()

    await page(listener, ANSWER)

    assert await listener.answer() == ANSWER


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\x00\xff" * 100,
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: " + b"x" * 100_000,
        b"HEAD / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    ],
    ids=["nothing", "bytes", "a broken line", "no host", "no end", "a look at the head alone"],
)
async def test_nonsense_ends_its_own_connection_alone(listener: Listener, sent: bytes) -> None:
    """Whatever else on this machine tries the port."""
    async with browsing(listener) as stream:
        with suppress(trio.BrokenResourceError):  # it does not read a request without end to its end
            await stream.send_all(sent)

    await page(listener, ANSWER)

    assert await listener.answer() == ANSWER


async def test_the_certificate_is_the_one_whose_fingerprint_is_shown(listener: Listener) -> None:
    """Made for this hour and this machine: the person can compare it in the browser's warning."""
    async with browsing(listener) as stream:
        await stream.do_handshake()
        certificate: bytes = stream.getpeercert(binary_form=True)

    assert sha256(certificate).hexdigest().upper() == listener.fingerprint.replace(":", "")


@pytest.mark.parametrize(("host", "address"), [("127.0.0.1", "127.0.0.1"), ("localhost", "127.0.0.1"), ("::1", "::1")])
async def test_it_listens_on_this_machine_only(host: str, address: str) -> None:
    """Whatever the redirect address calls this machine."""
    async with listen(host, 0, accept=is_the_answer) as listener:
        heard = listening_at(listener.port)

    assert heard == [address]


def listening_at(port: int) -> list[str]:
    """The addresses in the kernel's tables where somebody listens at the port (state 0A)."""
    rows = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path("/proc/net", table).read_text(encoding="ascii").splitlines()[1:]
    ]
    raw = [row[1].partition(":")[0] for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "0A"]
    words = [[each[at : at + 8] for at in range(0, len(each), 8)] for each in raw]  # each in the machine's byte order
    return [
        socket.inet_ntop(
            socket.AF_INET if len(word) == 1 else socket.AF_INET6,
            b"".join(int(part, 16).to_bytes(4, sys.byteorder) for part in word),
        )
        for word in words
    ]


async def test_nothing_listens_afterwards(listener: Listener) -> None:
    """Whether or not an answer came."""
    async with listen("127.0.0.1", 0, accept=is_the_answer) as other:
        port = other.port

    with pytest.raises(OSError, match="connect"):
        await trio.open_tcp_stream("127.0.0.1", port)


async def test_a_port_that_is_taken_is_said() -> None:
    """A redirect address with a port of its own leaves no choice."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken, match=f"cannot listen at 127.0.0.1 port {port}: Address already in use"):
            async with listen("127.0.0.1", port, accept=is_the_answer):
                pass


async def test_no_more_connections_than_a_browser_needs(listener: Listener, autojump_clock: MockClock) -> None:
    """Those that say nothing make room after a while."""
    streams = [await trio.open_tcp_stream("127.0.0.1", listener.port) for _ in range(loopback.CONNECTIONS_MAX)]

    await page(listener, ANSWER)

    assert await listener.answer() == ANSWER
    for stream in streams:
        await stream.aclose()
