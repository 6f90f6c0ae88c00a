"""One end of an HTTP/1.1 connection, such that what is said on it can be anything. Decides nothing.

h11 reads what comes. What goes out is written by hand, since h11 would not write a wrong length or half an answer.
"""

from __future__ import annotations

import select
import socket
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import h11
import trio

if TYPE_CHECKING:
    from collections.abc import Mapping

PIECE_BYTES: Final = 256 << 10
HEAD_BYTES_MAX: Final = 128 << 10

Stream = trio.SocketStream | trio.SSLStream[trio.SocketStream]

BROKEN: Final = (trio.BrokenResourceError, trio.ClosedResourceError, h11.ProtocolError)
"""What becomes of a connection that somebody broke."""


@dataclass(frozen=True, slots=True)
class Head:
    """The beginning of a request, or of an answer (`status`). Names of headers are in lower case."""

    method: str = ""
    target: str = ""
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def length(self) -> int | None:
        """Of the body that follows; None where it comes in chunks."""
        if "transfer-encoding" in self.headers:
            return None
        return int(self.headers.get("content-length", "0"))

    @property
    def is_last(self) -> bool:
        """Whether the connection ends after it."""
        return "close" in self.headers.get("connection", "").lower()

    def written(self, *, closes: bool = False) -> bytes:
        """As it goes out."""
        first = f"{self.method} {self.target} HTTP/1.1" if self.method else f"HTTP/1.1 {self.status} -"
        headers = {**self.headers, **({"connection": "close"} if closes else {})}
        return "\r\n".join([first, *(f"{name}: {text}" for name, text in headers.items()), "", ""]).encode("latin-1")


class End:
    """A connected stream, read by exchanges: the head, then the body in pieces, then the next head."""

    def __init__(self, stream: Stream, role: type[h11.CLIENT | h11.SERVER]) -> None:
        self.stream = stream
        self._role = role
        self._parser = h11.Connection(role)
        self._left = b""

    def begin(self, asked: Head | None = None) -> None:
        """Another exchange; `asked` is the request whose answer is to be read."""
        self._parser = h11.Connection(self._role, max_incomplete_event_size=HEAD_BYTES_MAX)
        if asked is not None:
            self._parser.send(h11.Request(method=asked.method, target=asked.target, headers=[("Host", "x")]))
            self._parser.send(h11.EndOfMessage())
        if self._left:
            self._parser.receive_data(self._left)

    async def head(self) -> Head | None:
        """None when the other side has hung up."""
        while True:
            event = self._parser.next_event()
            if isinstance(event, h11.Request):
                return Head(event.method.decode(), event.target.decode("latin-1"), headers=_headers(event))
            if isinstance(event, h11.Response):
                return Head(status=event.status_code, headers=_headers(event))
            if isinstance(event, h11.ConnectionClosed):
                return None
            if event is h11.NEED_DATA and not await self._receive() and not self._parser.trailing_data[0]:
                return None

    async def piece(self) -> bytes:
        """The next bytes of the body; none at its end. Raises one of BROKEN."""
        while True:
            event = self._parser.next_event()
            if isinstance(event, h11.Data):
                return bytes(event.data)
            if event is h11.NEED_DATA:
                await self._receive()
                continue
            self._left = self._parser.trailing_data[0]
            return b""

    async def _receive(self) -> bool:
        received = await self.stream.receive_some(PIECE_BYTES)
        self._parser.receive_data(bytes(received))
        return bool(received)

    @property
    def socket(self) -> trio.socket.SocketType:
        """Beneath whatever is above it."""
        below = self.stream.transport_stream if isinstance(self.stream, trio.SSLStream) else self.stream
        return below.socket

    @property
    def is_over(self) -> bool:
        """Whether the other side has closed the idle connection, or says what nobody asked for."""
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        return bool(poll.poll(0))

    async def end(self, *, abruptly: bool = False) -> None:
        """Closes the connection, by a reset if it is to be abrupt."""
        if abruptly:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await trio.aclose_forcefully(self.stream)


def _headers(event: h11.Request | h11.Response) -> dict[str, str]:
    return {name.decode("ascii"): text.decode("latin-1") for name, text in event.headers}
