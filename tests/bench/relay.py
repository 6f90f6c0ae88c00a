"""A line with a round-trip time, on one machine: forwards TCP on loopback and holds every byte for half of it.

The first bytes of a connection are held one round trip longer, as its handshake would take. There is no slow start, no
loss and no narrow place: what is measured over it is how often a mount waits for its server, not how much it sends.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import sys
import time
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

CHUNK_BYTES: Final = 256 << 10
WINDOW_BYTES: Final = 32 << 20
"""Held at most in one direction of one connection; as a TCP window, it stops the sender when it is full."""


class Delay(NamedTuple):
    """When what arrives at one end comes out at the other; all in seconds."""

    rtt_s: float

    def opened(self, accepted: float) -> float:
        """From when on bytes can travel on a connection that was accepted then."""
        return accepted + self.rtt_s

    def due(self, arrived: float, opened: float) -> float:
        """When bytes that arrived then come out."""
        return max(arrived, opened) + self.rtt_s / 2


class Direction:
    """One way of one connection: what was read from `source` waits until it is due at `sink`."""

    def __init__(self, source: socket.socket, sink: socket.socket, opened: float) -> None:
        self.source = source
        self.sink = sink
        self.opened = opened
        self.waiting: deque[tuple[float, memoryview]] = deque()
        self.held_bytes = 0
        self.is_full = False
        """Nothing more is read until half of it is out."""
        self.is_blocked = False
        """The sink takes nothing at the moment."""
        self.has_ended = False
        """The source will send no more."""
        self.is_over = False
        """And the sink knows."""

    @property
    def is_reading(self) -> bool:
        """Whether bytes from the source are welcome."""
        return not (self.has_ended or self.is_full)

    def receive(self, delay: Delay, now: float) -> None:
        """Takes what the source has; nothing means that it has ended. Raises OSError when the connection is broken."""
        received = self.source.recv(CHUNK_BYTES)
        self.waiting.append((delay.due(now, self.opened), memoryview(received)))
        self.held_bytes += len(received)
        self.has_ended = not received
        self.is_full = self.held_bytes >= WINDOW_BYTES

    def deliver(self, now: float) -> None:
        """Gives the sink what is due. Raises OSError when the connection is broken."""
        while self.waiting and self.waiting[0][0] <= now:
            due, piece = self.waiting.popleft()
            if not piece:
                self.sink.shutdown(socket.SHUT_WR)
                self.is_over = True
                return
            try:
                sent = self.sink.send(piece)
            except BlockingIOError:
                sent = 0
            self.held_bytes -= sent
            if sent < len(piece):
                self.waiting.appendleft((due, piece[sent:]))
                self.is_blocked = True
                return
            self.is_full = self.is_full and self.held_bytes >= WINDOW_BYTES // 2


class Connection:
    """Both ways between a client and the server."""

    def __init__(self, near: socket.socket, far: socket.socket, opened: float) -> None:
        for end in (near, far):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.ways = (Direction(near, far, opened), Direction(far, near, opened))

    def wanted(self) -> list[tuple[socket.socket, int]]:
        """What to wait for at each end, as a mask of the selector."""
        up, down = self.ways
        return [
            (out.source, selectors.EVENT_READ * out.is_reading | selectors.EVENT_WRITE * back.is_blocked)
            for out, back in ((up, down), (down, up))
        ]


class Relay:
    """Every connection that `listener` accepts, forwarded to that port of the loopback address."""

    def __init__(
        self, listener: socket.socket, port: int, delay: Delay, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._listener = listener
        self._port = port
        self._delay = delay
        self._clock = clock
        # It rounds up to whole milliseconds; the one that does not takes no descriptor above 1,023.
        self._selector = selectors.EpollSelector()
        self._selector.register(listener, selectors.EVENT_READ, None)
        self.connections: set[Connection] = set()

    def close(self) -> None:
        """Breaks every connection."""
        for connection in list(self.connections):
            self._end(connection)
        self._selector.close()

    def due_in(self) -> float | None:
        """Seconds until something can be delivered; None while nothing waits."""
        firsts = [
            way.waiting[0][0] for each in self.connections for way in each.ways if way.waiting and not way.is_blocked
        ]
        return max(0.0, min(firsts) - self._clock()) if firsts else None

    def turn(self, timeout_s: float | None) -> None:
        """Waits at most that long (None: for ever) for something to arrive, and delivers what is due."""
        for key, events in self._selector.select(timeout_s):
            if key.data is None:
                self._accept()
            elif key.data in self.connections:
                self._serve(key.data, key.fileobj, events)
        for connection in [each for each in self.connections if any(way.waiting for way in each.ways)]:
            self._deliver(connection)

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError):
            near, _ = self._listener.accept()
            far = socket.socket()
            try:
                far.connect(("127.0.0.1", self._port))
            except OSError:
                near.close()
                far.close()
                return
            connection = Connection(near, far, self._delay.opened(self._clock()))
            self.connections.add(connection)
            self._watch(connection)

    def _serve(self, connection: Connection, end: object, events: int) -> None:
        for way in connection.ways:
            if events & selectors.EVENT_WRITE and way.sink is end:
                way.is_blocked = False
            if events & selectors.EVENT_READ and way.source is end and way.is_reading:
                try:
                    way.receive(self._delay, self._clock())
                except BlockingIOError:
                    continue
                except OSError:
                    self._end(connection)
                    return
        self._watch(connection)

    def _deliver(self, connection: Connection) -> None:
        try:
            for way in connection.ways:
                if not way.is_blocked:
                    way.deliver(self._clock())
        except OSError:
            self._end(connection)
            return
        if all(way.is_over for way in connection.ways):
            self._end(connection)
        else:
            self._watch(connection)

    def _watch(self, connection: Connection) -> None:
        watched = self._selector.get_map()
        for end, mask in connection.wanted():
            if end not in watched:
                if mask:
                    self._selector.register(end, mask, connection)
            elif not mask:
                self._selector.unregister(end)
            elif watched[end].events != mask:
                self._selector.modify(end, mask, connection)

    def _end(self, connection: Connection) -> None:
        self.connections.discard(connection)
        for way in connection.ways:
            if way.source in self._selector.get_map():
                self._selector.unregister(way.source)
            way.source.close()


def main(listening_port: int, port: int, rtt_ms: float) -> None:
    """Forwards until the process is ended."""
    with socket.create_server(("127.0.0.1", listening_port), backlog=512) as listener:
        listener.setblocking(False)
        relay = Relay(listener, port, Delay(rtt_ms / 1000))
        while True:
            relay.turn(relay.due_in())


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
