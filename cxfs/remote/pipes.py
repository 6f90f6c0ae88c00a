"""One connection that carries content at the speed of the line. Knows no loop: whoever drives it does the waiting.

Asking, and with it a short answer, is a generator of what it has to wait for, and is driven by the loop. A long body is
poured in a thread, which blocks: from the socket into a buffer of the pipe's own and from there to whoever keeps it,
without a copy in between, while the system works without the interpreter's lock. h11 reads heads, and bodies in chunks.
"""

from __future__ import annotations

import select
import socket
import ssl
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import h11

from cxfs.core.errors import TimedOut, Unreachable
from cxfs.remote.failures import sockets_in_our_words

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

PIECE_BYTES: Final = 1 << 20
"""The most that is received before it is handed on: so much memory a pipe, of which only what was used is real."""

FIRST_PIECE_BYTES: Final = 128 << 10
"""The first piece of a body is smaller: somebody is most likely waiting for just that."""

SHORT_BODY_BYTES: Final = 128 << 10
"""A body of up to this length is received together with its head: the way to the thread and back costs more."""

PAUSE_S: Final = 0.005
"""What has arrived is handed on when nothing more came for so long, or when so much time has gone into one piece."""

WRITABLE: Final = select.POLLOUT
READABLE: Final = select.POLLIN

HEAD_BYTES_MAX: Final = 64 << 10
"""Of an answer's status and headers."""

FIRST_RECEIVE_BYTES: Final = 64 << 10
"""Received at a time while the head is not complete: what of it belongs to the body is copied once more."""


class HungUp(Unreachable):
    """The server closed the connection before any byte of an answer, as it may with one that was idle."""


class Pipe:
    """A connected socket and the exchange that is under way on it. One thread at a time, but for `break_off`.

    The socket must not block. `patience_s`, which each exchange may have its own of: nothing for so long is TimedOut.
    """

    def __init__(self, connected: socket.socket, *, patience_s: float) -> None:
        self.status = 0
        self.headers: Mapping[str, str] = {}
        self.waited_s = 0.0
        self.is_used = False
        self.socket = connected
        self.patience_s = patience_s
        self._buffer = bytearray(PIECE_BYTES)
        self._wants = READABLE
        self._broken_off = False
        self._closes = False
        self._parser = h11.Connection(h11.CLIENT)
        self._early = memoryview(b"")
        self._left: int | None = 0
        self._is_first = True

    def secure(self, context: ssl.SSLContext, host: str) -> Iterator[int]:
        """TLS from here on, with a certificate verified as `context` says. Gives what it has to wait for, each time."""
        with sockets_in_our_words(never_sent=True):
            self.socket = context.wrap_socket(self.socket, server_hostname=host, do_handshake_on_connect=False)
            while True:
                try:
                    return self.socket.do_handshake()
                except ssl.SSLWantReadError:
                    yield READABLE
                except ssl.SSLWantWriteError:
                    yield WRITABLE

    @property
    def is_stale(self) -> bool:
        """Whether an idle pipe is of no use any more: there is something to read, an end or what nobody asked for."""
        return bool(_poll(self.socket, select.POLLIN, 0.0))

    @property
    def is_reusable(self) -> bool:
        """Whether the exchange ended such that another may follow."""
        return self._left == 0 and not self._broken_off and not self._closes

    @property
    def is_here(self) -> bool:
        """Whether all of the body has arrived, so that `pour` waits for nobody."""
        return self._left is not None and self._left == len(self._early)

    def ask(self, method: str, target: str, headers: Sequence[tuple[str, str]], body: bytes = b"") -> Iterator[int]:
        """Sends a request and reads the answer's head into `status` and `headers` (names in lower case).

        Gives what it has to wait for, each time. Raises HungUp or Unreachable.
        """
        with sockets_in_our_words():
            self._parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_BYTES_MAX)
            asked = h11.Request(method=method, target=target, headers=list(headers))
            events = (asked, h11.Data(data=body), h11.EndOfMessage()) if body else (asked, h11.EndOfMessage())
            yield from self._sending(memoryview(b"".join(self._parser.send(event) or b"" for event in events)))
            began = time.monotonic()
            yield from self._reading_head()
            self.waited_s = time.monotonic() - began
            self.is_used = True
            if self._left is not None and self._left <= SHORT_BODY_BYTES:
                yield from self._receiving_rest()

    def pour(self, keep: Callable[[memoryview], None]) -> None:
        """Gives what is left of the body to `keep`, piece by piece, each soon after it has come. Blocks.

        Ends early where the server does. `keep` must be done with a piece when it returns. Unreachable, TimedOut.
        """
        with sockets_in_our_words():
            if self._early and self._left is not None:
                early, self._early = self._early, memoryview(b"")
                self._left -= len(early)
                keep(early)
            while self._left != 0 and (count := self._next_piece()):
                keep(memoryview(self._buffer)[:count])

    def piece(self) -> bytes:
        """The next bytes of the body; none at its end. Blocks."""
        with sockets_in_our_words():
            if self._early and self._left is not None:
                early, self._early = bytes(self._early), memoryview(b"")
                self._left -= len(early)
                return early
            return bytes(memoryview(self._buffer)[: self._next_piece()]) if self._left != 0 else b""

    def break_off(self) -> None:
        """Ends whatever the pipe is waiting for; from another thread."""
        self._broken_off = True
        with suppress(OSError):
            # Not the method of an SSLSocket, which would let the reader go on below TLS.
            socket.socket.shutdown(self.socket, socket.SHUT_RDWR)

    def close(self) -> None:
        """Closes the connection; no thread may be using it."""
        self.socket.close()

    # ------------------------------------------------------------ the head

    def _sending(self, content: memoryview) -> Iterator[int]:
        while content:
            try:
                content = content[self.socket.send(content) :]
            except (BlockingIOError, ssl.SSLWantWriteError):
                yield WRITABLE
            except ssl.SSLWantReadError:
                yield READABLE
            except (BrokenPipeError, ConnectionResetError) as error:
                raise HungUp("the server closed the connection") from error

    def _reading_head(self) -> Iterator[int]:
        room = memoryview(self._buffer)[:FIRST_RECEIVE_BYTES]
        heard = False
        while True:
            event = self._parser.next_event()
            if isinstance(event, h11.Response):
                break
            if event is h11.NEED_DATA:
                count = yield from self._receiving_of_head(room, heard=heard)
                heard = True
                self._parser.receive_data(bytes(room[:count]))
            elif not isinstance(event, h11.InformationalResponse):
                raise Unreachable("the server closed the connection in the middle of an answer")
        self.status = event.status_code
        self.headers = {name.decode("ascii"): value.decode("latin-1") for name, value in event.headers}
        self._frame(event)

    def _receiving_of_head(self, room: memoryview, *, heard: bool) -> Generator[int, None, int]:
        try:
            count = yield from self._receiving(room)
        except ConnectionResetError:
            if heard:
                raise
            count = 0
        if not count and not heard:
            raise HungUp("the server closed the connection without an answer")
        return count

    def _receiving(self, room: memoryview) -> Generator[int, None, int]:
        while (count := self._received(room)) is None:
            yield self._wants
        return count

    def _frame(self, response: h11.Response) -> None:
        """How the body ends: after so many bytes, or as h11 finds (None)."""
        length = self.headers.get("content-length")
        if response.status_code in {204, 304}:
            self._left = 0
        elif length is not None and "transfer-encoding" not in self.headers:
            self._left = int(length)
        else:
            self._left = None
        self._closes = response.http_version < b"1.1" or "close" in self.headers.get("connection", "").lower()
        if self._left is not None:
            came = self._parser.trailing_data[0]
            self._is_first = True
            self._closes |= len(came) > self._left  # more than an answer: nobody knows what that is
            self._early = memoryview(came)[: self._left]

    def _receiving_rest(self) -> Iterator[int]:
        """All of a short body."""
        assert self._left is not None
        filled, room = len(self._early), memoryview(self._buffer)[: self._left]
        room[:filled] = self._early
        while filled < self._left and (count := (yield from self._receiving(room[filled:]))):
            filled += count
        self._early = room[:filled]

    # ------------------------------------------------------------ the body

    def _next_piece(self) -> int:
        """How many bytes have come into the buffer: none at the body's end, or at the connection's before it."""
        if self._left is None:
            return self._parsed_piece()
        room = memoryview(self._buffer)[: self._left]
        room, self._is_first = room[: FIRST_PIECE_BYTES if self._is_first else None], False
        filled, begun = 0, time.monotonic()
        while filled < len(room):
            count = self._receive(room[filled:], PAUSE_S if filled else self.patience_s)
            if not count:
                break
            filled += count
            if time.monotonic() - begun > PAUSE_S:
                break
        self._left -= filled
        return filled

    def _parsed_piece(self) -> int:
        """The same of a body in chunks, or one that ends with the connection."""
        while True:
            event = self._parser.next_event()
            if event is h11.NEED_DATA:
                count = self._receive(memoryview(self._buffer)[:FIRST_RECEIVE_BYTES], self.patience_s)
                self._parser.receive_data(bytes(memoryview(self._buffer)[:count]))
            elif isinstance(event, h11.Data):
                self._buffer[: len(event.data)] = event.data
                return len(event.data)
            else:
                self._left, self._closes = 0, True
                return 0

    def _receive(self, room: memoryview, patience_s: float) -> int:
        """What comes within the patience; nothing at the end or after a pause, TimedOut after a long one."""
        while (count := self._received(room)) is None:
            if not _poll(self.socket, self._wants, patience_s):
                if patience_s < self.patience_s:
                    return 0
                raise TimedOut(f"nothing arrived for {self.patience_s:.0f} s")
        return count

    # ------------------------------------------------------------ shared

    def _received(self, room: memoryview) -> int | None:
        """What is there, nothing at the end; None when it is to be waited for what `_wants` says."""
        try:
            count = self.socket.recv_into(room)
        except (BlockingIOError, ssl.SSLWantReadError):
            self._wants = READABLE
        except ssl.SSLWantWriteError:
            self._wants = WRITABLE
        else:
            if self._broken_off:
                raise Unreachable("the transfer was broken off")
            return count
        return None


def _poll(connected: socket.socket, event: int, timeout_s: float) -> list[tuple[int, int]]:
    poll = select.poll()
    poll.register(connected, event)
    return poll.poll(timeout_s * 1_000)
