"""An https address on this machine that waits for one answer of a browser, then is gone. Knows nothing of OAuth.

Which request is the answer, its receiver says. Everything else a browser sends (a look for an icon, a handshake that
ends at the warning about our certificate) is answered and forgotten.
"""

from __future__ import annotations

import os
import ssl
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

import h11
import trio

from cxfs.core.errors import CxfsError, cause_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

ADDRESSES: Final = {"127.0.0.1": "127.0.0.1", "localhost": "127.0.0.1", "::1": "::1"}
"""Hosts of a redirect address that are this machine, and the loopback address that is listened at for each."""

CERTIFICATE_LIFE: Final = timedelta(hours=1)
CLOCK_SKEW: Final = timedelta(hours=1)
REQUEST_BYTES_MAX: Final = 16 << 10
CONNECTION_S: Final = 30.0
"""For one connection: a person may be reading the browser's warning in the meantime, in which case it makes another."""

CONNECTIONS_MAX: Final = 16
"""At a time. A browser opens two or three."""

_HUNG_UP: Final = (trio.BrokenResourceError, trio.ClosedResourceError, ssl.SSLError, h11.ProtocolError)
"""A browser that does not like our certificate, changed its mind, or is no browser. (To a HEAD h11 sends no page.)"""

_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>
<style>body{{font:1.1rem/1.5 system-ui,sans-serif;max-width:30rem;margin:15vh auto;padding:0 1rem;
color-scheme:light dark}}</style></head><body><h1>{title}</h1><p>{text}</p></body></html>
"""
_HEADERS: Final = (
    ("Content-Type", "text/html; charset=utf-8"),
    ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Connection", "close"),
)


class PortTaken(CxfsError):
    """Something else listens at the port, or it must not be used."""


@dataclass(frozen=True, slots=True)
class Listener:
    """`port` is where it listens; `fingerprint` is its certificate's, as a browser shows it (SHA-256)."""

    port: int
    fingerprint: str
    _answers: trio.MemoryReceiveChannel[str]

    async def answer(self) -> str:
        """The target (`/path?query`) of the request that was accepted as the answer."""
        return await self._answers.receive()


@asynccontextmanager
async def listen(host: str, port: int, *, accept: Callable[[str], bool]) -> AsyncIterator[Listener]:
    """Listens at a loopback host (one of ADDRESSES) for the length of the block; port 0 is any that is free.

    `accept` gets the target of each GET request and says whether that is the answer; the first one is the last. Raises
    PortTaken.
    """
    context, fingerprint = _own_certificate()
    try:
        listeners = await trio.open_tcp_listeners(port, host=ADDRESSES[host])
    except OSError as error:
        raise PortTaken(f"cannot listen at {host} port {port}: {error.strerror or error}") from error
    given, answers = trio.open_memory_channel[str](1)
    door = _Door(context, accept, given)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, door.connection, listeners)
            yield Listener(listeners[0].socket.getsockname()[1], fingerprint, answers)
            nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        raise cause_of(group) from None


class _Door:
    """Connections while the answer is waited for. `given` takes the answer, once."""

    def __init__(
        self, context: ssl.SSLContext, accept: Callable[[str], bool], given: trio.MemorySendChannel[str]
    ) -> None:
        self._context = context
        self._accept = accept
        self._given = given
        self._has_answer = False
        self._places = trio.CapacityLimiter(CONNECTIONS_MAX)

    async def connection(self, socket: trio.SocketStream) -> None:
        """One request and its page. What breaks, or makes no sense, ends this connection alone."""
        stream = trio.SSLStream(socket, self._context, server_side=True, https_compatible=True)
        async with self._places:
            with trio.move_on_after(CONNECTION_S):
                with suppress(*_HUNG_UP):
                    await self._answer(stream)
            await trio.aclose_forcefully(stream)

    async def _answer(self, stream: trio.SSLStream[trio.SocketStream]) -> None:
        http = h11.Connection(h11.SERVER, max_incomplete_event_size=REQUEST_BYTES_MAX)
        request = await _request(http, stream)
        if request is None:
            return
        target = request.target.decode("ascii", errors="replace")
        is_answer = request.method == b"GET" and not self._has_answer and self._accept(target)
        if is_answer:
            self._has_answer = True
            try:
                await _send(
                    http, stream, 200, "The answer has arrived", "You can close this page and go back to the terminal."
                )
            finally:  # only now: with the answer, this address goes away. But however that ended: it comes once
                self._given.send_nowait(target)
        else:
            await _send(http, stream, 404, "Nothing here", "This address waits for the answer of a sign-in page.")


async def _request(http: h11.Connection, stream: trio.SSLStream[trio.SocketStream]) -> h11.Request | None:
    """The head of the request; None when the browser hung up before it was whole."""
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            http.receive_data(bytes(await stream.receive_some()))
        elif isinstance(event, h11.Request):
            return event
        else:
            return None


async def _send(
    http: h11.Connection, stream: trio.SSLStream[trio.SocketStream], status: int, title: str, text: str
) -> None:
    page = _PAGE.format(title=title, text=text).encode()
    head = h11.Response(status_code=status, headers=[*_HEADERS, ("Content-Length", str(len(page)))])
    await stream.send_all((http.send(head) or b"") + (http.send(h11.Data(data=page)) or b""))
    await stream.aclose()


def _own_certificate() -> tuple[ssl.SSLContext, str]:
    """A key and certificate for this hour, which are never on a disk, and the certificate's fingerprint."""
    # Imported here: a quarter of a second, and only where somebody signs in.
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat  # noqa: PLC0415

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "cxfs login")])
    now = datetime.now(UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1")), x509.IPAddress(ip_address("::1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + CERTIFICATE_LIFE)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    with _in_memory(certificate.public_bytes(Encoding.PEM) + secret) as file:
        context.load_cert_chain(file)
    digest = certificate.fingerprint(SHA256()).hex(":").upper()
    return context, digest


@contextmanager
def _in_memory(content: bytes) -> Iterator[str]:
    """A path to content that is in memory alone: ssl takes its key from a file only."""
    descriptor = os.memfd_create("cxfs", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, content)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
