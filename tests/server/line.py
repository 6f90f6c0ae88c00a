"""A line between a server and where it keeps things: TCP, of whatever, that is cut, falls silent, and is mended."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType


class Line:
    """From a loopback port to whatever `reach` connects to. Two threads a connection.

    Cut, both ends are told, and nobody is let in. Silent, nobody is told anything: what is sent arrives when it is
    mended, unless its sender has gone by then.
    """

    def __init__(self, reach: Callable[[], socket.socket]) -> None:
        self._reach = reach
        self._flows = threading.Event()
        self._forgotten: list[threading.Event] = []
        self._ends: set[socket.socket] = set()
        self._listening = _bound(0)
        self._is_open = False
        self.port = int(self._listening.getsockname()[1])
        self.accepted = 0
        """Connections."""
        self.held = threading.Event()
        """Something was sent while the line was silent, and has not arrived."""

    def __enter__(self) -> Self:
        self.mend()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cut()
        self._listening.close()

    def cut(self) -> None:
        """At once."""
        if self._is_open:
            self._is_open = False
            self._listening.shutdown(socket.SHUT_RDWR)
            self._listening.close()
            self._listening = _bound(self.port)  # nobody listens there, and nobody else can
        for end in list(self._ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for flows in (self._flows, *self._forgotten):
            flows.set()

    def fall_silent(self) -> None:
        """Returns at once; nothing that is sent from now on arrives."""
        self.held.clear()
        self._flows.clear()

    def forget(self) -> None:
        """The connections that are there: they stay silent, and new ones do not."""
        self._flows.clear()
        self._forgotten.append(self._flows)
        self._flows = threading.Event()
        self._flows.set()

    def mend(self) -> None:
        """What was cut or has fallen silent."""
        self._flows.set()
        if not self._is_open:
            self._is_open = True
            self._listening.listen(128)
            threading.Thread(target=self._accept, args=(self._listening,), daemon=True).start()

    def _accept(self, listening: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = listening.accept()
                self.accepted += 1
                threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        flows = self._flows
        with near, suppress(OSError), self._reach() as far:
            self._ends |= {near, far}
            back = threading.Thread(target=self._carry, args=(far, near, flows), daemon=True)
            back.start()
            self._carry(near, far, flows)
            back.join()
            self._ends -= {near, far}

    def _carry(self, source: socket.socket, target: socket.socket, flows: threading.Event) -> None:
        """Until either end has gone; then both are told."""
        with suppress(OSError):
            while piece := source.recv(1 << 18):
                if not flows.is_set():
                    self.held.set()
                    flows.wait()
                target.sendall(piece)
        flows.wait()
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def reached(path: Path | str) -> socket.socket:
    """A connection to a Unix socket. Raises OSError."""
    end = socket.socket(socket.AF_UNIX)
    try:
        end.connect(str(path))
    except OSError:
        end.close()
        raise
    return end


def _bound(port: int) -> socket.socket:
    """A socket that has a port (0: any that is free) and does not listen."""
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", port))
    return bound
