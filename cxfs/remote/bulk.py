"""A connection that receives in large pieces. Speaks no HTTP.

A TLS record holds 16 KiB at most. Handed up one by one, each costs its way through every layer above; here all records
that have arrived are decrypted at once, into one piece.
"""

from __future__ import annotations

import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import httpcore
import httpx
import trio

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PIECE_BYTES: Final = 256 << 10
"""The most that is received, and decrypted, at a time: so much memory a connection, and about a millisecond."""


class BulkStream(httpcore.AsyncNetworkStream):
    """A TCP connection, perhaps with TLS above it (`secured`)."""

    def __init__(self, socket: trio.SocketStream, secured: trio.SSLStream[_LargeReceives] | None = None) -> None:
        self._socket = socket
        self._secured = secured

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's signature
        """At least what httpcore asks for, if it is there; usually more. Empty at the end."""
        with _translated(httpcore.ReadTimeout, httpcore.ReadError, timeout):
            if self._secured is None:
                return bytes(await self._socket.receive_some(PIECE_BYTES))
            first = bytes(await self._secured.receive_some(PIECE_BYTES))
            return first + self._decrypted(PIECE_BYTES - len(first)) if first else first

    def _decrypted(self, bytes_max: int) -> bytes:
        """What else has arrived already. No await; an end or an error is met again by the next read."""
        assert self._secured is not None
        pieces: list[bytes] = []
        tls: ssl.SSLObject = self._secured._ssl_object  # noqa: SLF001 - as httpcore's own backend does; trio has no call
        try:
            while bytes_max > 0 and (piece := tls.read(bytes_max)):
                pieces.append(piece)
                bytes_max -= len(piece)
        except ssl.SSLError:
            pass
        return b"".join(pieces)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's signature
        """All of it."""
        with _translated(httpcore.WriteTimeout, httpcore.WriteError, timeout):
            if buffer:
                await (self._secured or self._socket).send_all(buffer)

    async def aclose(self) -> None:
        """Closes the connection; over TLS it says so first."""
        await (self._secured or self._socket).aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
    ) -> BulkStream:
        """TLS above this connection, which is closed when the handshake fails."""
        secured = trio.SSLStream(
            _LargeReceives(self._socket), ssl_context, server_hostname=server_hostname, https_compatible=True
        )
        try:
            with _translated(httpcore.ConnectTimeout, httpcore.ConnectError, timeout):
                await secured.do_handshake()
        except BaseException:
            await trio.aclose_forcefully(self._socket)
            raise
        return BulkStream(self._socket, secured)

    def get_extra_info(self, info: str) -> Any:
        """What httpcore asks about a connection: by it an idle one that the server closed is recognised."""
        socket = self._socket.socket
        if info == "ssl_object":
            return None if self._secured is None else self._secured._ssl_object  # noqa: SLF001 - see `_decrypted`
        if info == "is_readable":
            return socket.is_readable()
        return {"socket": lambda: socket, "client_addr": socket.getsockname, "server_addr": socket.getpeername}.get(
            info, lambda: None
        )()


class _LargeReceives(trio.abc.Stream):
    """The socket below TLS, which trio's SSLStream would empty 16 KiB at a time."""

    def __init__(self, socket: trio.SocketStream) -> None:
        self._socket = socket

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Whatever has arrived, to a limit of our own."""
        return await self._socket.receive_some(PIECE_BYTES)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """To the socket."""
        await self._socket.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Of the socket."""
        await self._socket.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        """The socket is closed."""
        await self._socket.aclose()


class BulkBackend(httpcore.AsyncNetworkBackend):
    """TCP connections of this kind."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A new connection."""
        with _translated(httpcore.ConnectTimeout, httpcore.ConnectError, timeout):
            stream = await trio.open_tcp_stream(host, port, local_address=local_address)
        for option in socket_options or ():
            stream.setsockopt(*option)
        return BulkStream(stream)

    async def sleep(self, seconds: float) -> None:
        """For httpcore's own pauses."""
        await trio.sleep(seconds)


class DirectTransport(httpx.AsyncHTTPTransport):
    """httpx's own transport over connections of another kind. Knows no proxy."""

    def __init__(self, backend: httpcore.AsyncNetworkBackend, *, verify: ssl.SSLContext, limits: httpx.Limits) -> None:
        super().__init__(verify=verify, limits=limits, trust_env=False)
        # httpx has no parameter for httpcore's network backend, so the pool it made, still unused, is replaced.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=verify,
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            network_backend=backend,
        )


@contextmanager
def _translated(late: type[Exception], broken: type[Exception], timeout_s: float | None) -> Iterator[None]:
    """Failures of trio in httpcore's words, and a time limit; what caused one stays its cause."""
    try:
        with trio.move_on_after(float("inf") if timeout_s is None else timeout_s) as scope:
            yield
    except (trio.BrokenResourceError, trio.ClosedResourceError, OSError) as error:
        raise broken(str(error) or type(error).__name__) from error
    if scope.cancelled_caught:
        raise late
