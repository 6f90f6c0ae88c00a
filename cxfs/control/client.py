"""The asking side of a control socket, for commands: plain blocking sockets, no event loop, nothing heavy to import."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Self

from cxfs.control.place import connect
from cxfs.control.protocol import ANSWER_BYTES_MAX, REQUEST_BYTES_MAX, Done, Failure, Progress, Request, parse_answer
from cxfs.core.errors import CxfsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path
    from types import TracebackType

SILENCE_S: Final = 30.0
"""A daemon that lives says something at least every second while it works on an answer; this is a hanging one."""

RECEIVE_BYTES: Final = 256 << 10


class ControlUnavailable(CxfsError):
    """Nobody answers at the socket: the daemon has ended, hangs, or is of another version."""


class ControlRefused(CxfsError):
    """The daemon's answer is no; `kind` as in the protocol."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Overdue(CxfsError):
    """The answer did not come within the time that the caller gave."""


class ControlClient:
    """A connection to one mount's daemon; as a context it is closed at the end."""

    def __init__(self, path: Path, *, silence_s: float = SILENCE_S) -> None:
        self._path = path
        self._silence_s = silence_s
        self._received = bytearray()
        try:
            self._socket = connect(path, timeout_s=silence_s)
        except OSError as error:
            raise ControlUnavailable(f"no daemon answers at {path}: {error.strerror or error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection; what it still asked for is cancelled."""
        self._socket.close()

    def ask(
        self,
        verb: str,
        *,
        on_progress: Callable[[Mapping[str, Any]], None] = lambda _: None,
        timeout_s: float | None = None,
        **arguments: object,
    ) -> dict[str, Any]:
        """The result; `on_progress` is called with all news before it.

        Raises ControlRefused, ControlUnavailable, and Overdue after `timeout_s`; after the latter two the connection is
        of no more use.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        request = Request(verb, arguments).line()
        if len(request) > REQUEST_BYTES_MAX:
            raise ControlRefused("arguments", "that is more than one request can hold: name a folder instead")
        with self._losses_explained():
            self._socket.sendall(request)
        while True:
            match parse_answer(self._next_line(deadline)):
                case Progress(news):
                    on_progress(news)
                case Done(result):
                    return dict(result)
                case Failure(kind, message):
                    raise ControlRefused(kind, message)
                case None:
                    raise ControlUnavailable(f"what listens at {self._path} is no cxfs of this version")

    def _next_line(self, deadline: float | None) -> bytes:
        searched = 0
        while (end := self._received.find(b"\n", searched)) < 0:
            searched = len(self._received)
            if searched > ANSWER_BYTES_MAX:
                raise ControlUnavailable(f"what listens at {self._path} is no cxfs of this version")
            self._received += self._receive(deadline)
        line = bytes(self._received[:end])
        del self._received[: end + 1]
        return line

    def _receive(self, deadline: float | None) -> bytes:
        rest_s = self._silence_s if deadline is None else deadline - time.monotonic()
        if rest_s <= 0:
            raise Overdue("it takes longer than the time given")
        self._socket.settimeout(min(rest_s, self._silence_s))
        with self._losses_explained(is_overdue=rest_s < self._silence_s):
            piece = self._socket.recv(RECEIVE_BYTES)
        if not piece:
            raise ControlUnavailable("the daemon has ended before it answered")
        return piece

    @contextmanager
    def _losses_explained(self, *, is_overdue: bool = False) -> Iterator[None]:
        try:
            yield
        except TimeoutError as error:
            if is_overdue:
                raise Overdue("it takes longer than the time given") from error
            raise ControlUnavailable(f"the daemon has said nothing for {self._silence_s:g} s") from error
        except OSError as error:
            raise ControlUnavailable(f"the daemon has ended before it answered ({error.strerror})") from error
