"""A connection that listens while it sends, so that a refusal reaches us in the middle of an upload. Speaks no HTTP.

A server that refuses early (quota, permission, a version conflict) answers and closes while our content is still going
out. httpcore listens only when all is sent, and over TLS a failed write takes the answer with it: a refusal that will
never go away would look like a broken connection and be repeated for ever.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, Final

import httpcore
import trio

from cxfs.remote.bulk import BulkBackend

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

HEARD_BYTES_MAX: Final = 64 << 10
"""Of an early answer, kept until it is asked for; the rest waits in the socket."""

TCP_NOTSENT_LOWAT: Final = 25
"""Linux's number; Python has no name for it before 3.12."""

UNSENT_BYTES_MAX: Final = 128 << 10
"""In the socket: else megabytes would count as sent that a slow line has yet to carry, and the answer as overdue."""

LAST_WORDS_S: Final = 1.0
"""After a write failed: what the server said before it closed is there by then."""

_TOO_EARLY: Final = "the server did not wait for the end of the request"


class HearingStream(httpcore.AsyncNetworkStream):
    """Another stream, whose `write` ends with WriteError as soon as the server says something; `read` gives it."""

    def __init__(self, inner: httpcore.AsyncNetworkStream) -> None:
        self._inner = inner
        self._heard: bytes | None = None

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's signature
        """What was heard during a write, then what comes."""
        heard, self._heard = self._heard, None
        if heard is None:
            return await self._inner.read(max_bytes, timeout)
        if len(heard) > max_bytes:
            self._heard = heard[max_bytes:]
        return heard[:max_bytes]

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's signature
        """Raises WriteError when the server answers or hangs up first; httpcore then goes on to read.

        An answer to what was written whole is no reason: that the request was not over shows at the next write.
        """
        if not buffer:
            return
        if self._has_heard():
            raise httpcore.WriteError(_TOO_EARLY)
        is_written = False
        failure: httpcore.WriteError | httpcore.WriteTimeout | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._hear, nursery.cancel_scope)
            await trio.lowlevel.checkpoint()  # it listens first: a failed write shuts a TLS stream's ears
            try:
                await self._inner.write(buffer, timeout)
            except (httpcore.WriteError, httpcore.WriteTimeout) as error:
                failure = error
                nursery.cancel_scope.deadline = trio.current_time() + LAST_WORDS_S
            else:
                is_written = True
                nursery.cancel_scope.cancel()
        if self._has_heard() and not is_written:
            raise httpcore.WriteError(_TOO_EARLY)
        if failure is not None:
            raise failure

    def _has_heard(self) -> bool:
        return self._heard is not None

    async def _hear(self, write: trio.CancelScope) -> None:
        """Ends the write when there is something to read, be it the end. What breaks, the write will find broken."""
        try:
            self._heard = await self._inner.read(HEARD_BYTES_MAX)
        except httpcore.ReadError:
            return
        write.cancel()

    async def aclose(self) -> None:
        """Closes the stream beneath."""
        await self._inner.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
    ) -> httpcore.AsyncNetworkStream:
        """Listens above TLS from now on."""
        return HearingStream(await self._inner.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        """Of the stream beneath."""
        return self._inner.get_extra_info(info)


class HearingBackend(BulkBackend):
    """Connections with ears."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A new connection that listens."""
        options = [*(socket_options or ()), (socket.IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_BYTES_MAX)]
        return HearingStream(await super().connect_tcp(host, port, timeout, local_address, options))
