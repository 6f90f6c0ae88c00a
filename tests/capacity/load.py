"""A client that is as light as can be: requests that were written before, over some connections, one after the other.

One thread and no parsing but for the end of an answer, so that it takes little of the processor that it shares with
who is measured. It says what it took.
"""

from __future__ import annotations

import re
import selectors
import socket
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_LENGTH: Final = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_PATIENCE_S: Final = 60


@dataclass(frozen=True, slots=True)
class Load:
    """What was answered, in how long, and the client's own processor time."""

    requests: int
    seconds: float
    client_cpu_s: float

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds


class _Line:
    """One connection: what is asked on it next, and what has come of the answer."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._come = bytearray()

    def ask(self, request: bytes) -> None:
        self._come.clear()
        self.socket.sendall(request)

    def is_answered(self) -> bool:
        """Takes what is there. AssertionError for an answer that is no success, or none."""
        piece = self.socket.recv(1 << 18)
        assert piece, "the server has hung up"
        self._come += piece
        end = self._come.find(b"\r\n\r\n")
        if end < 0:
            return False
        assert self._come.startswith(b"HTTP/1.1 20"), bytes(self._come[:2_000])
        if (found := _LENGTH.search(self._come, 0, end)) is None:
            return self._come.endswith((b"\r\n0\r\n\r\n", b"\n0\r\n\r\n"))
        return len(self._come) >= end + 4 + int(found[1])


def load(ports: Sequence[int], lines_each: int, requests: Callable[[], bytes], seconds: float) -> Load:
    """So many connections to each of the ports, each asking as soon as it was answered, for so long."""
    with selectors.DefaultSelector() as selector, ExitStack() as stack:
        lines = [_Line(port) for port in ports for _ in range(lines_each)]
        for line in lines:  # what is under way then ends by itself
            stack.callback(line.socket.close)
        began, cpu, answered = time.monotonic(), time.process_time(), 0
        for line in lines:
            selector.register(line.socket, selectors.EVENT_READ, line)
            line.ask(requests())
        while time.monotonic() < began + seconds:
            for key, _ in selector.select(_PATIENCE_S):
                if key.data.is_answered():
                    answered += 1
                    key.data.ask(requests())
        return Load(answered, time.monotonic() - began, time.process_time() - cpu)
