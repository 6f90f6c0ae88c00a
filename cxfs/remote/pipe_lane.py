"""The lane for content: pipes, as many at a time as it has places. Knows no endpoint and no status.

It says what a lane over httpx says and raises what that raises. It goes straight to the server: where a proxy stands in
between, a lane over httpx takes its place.
"""

from __future__ import annotations

import socket
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Final, Generic, TypeVar
from urllib.parse import urlsplit

import trio

from cxfs.core.errors import CxfsError, NameTooLong, TimedOut
from cxfs.remote.clients import KEEP_ALIVE_S
from cxfs.remote.failures import NeverSent, sockets_in_our_words
from cxfs.remote.lanes import Answer, LaneStatistics
from cxfs.remote.pipes import READABLE, HungUp, Pipe
from cxfs.remote.threads import interruptible

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

T = TypeVar("T")

TARGET_CHARACTERS_MAX: Final = 60_000
"""Of what stands behind the host in a URL. Servers take less; httpx refuses about as much."""


class Dialler:
    """Makes pipes to the host of one URL. `trust` is for TLS, `host` as in the URL, with its port if it has one."""

    def __init__(self, url: str, *, trust: ssl.SSLContext | None, connect_s: float, no_progress_s: float) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self.host = parts.netloc
        self._name = parts.hostname
        self._trust = trust if parts.scheme == "https" else None
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._connect_s = connect_s
        self.no_progress_s = no_progress_s

    async def dial(self) -> Pipe:
        """A new pipe. Raises NeverSent, or CertificateRefused."""
        with sockets_in_our_words(never_sent=True), trio.move_on_after(self._connect_s) as scope:
            stream = await trio.open_tcp_stream(self._name, self._port)
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connected = socket.socket(fileno=stream.socket.detach())
            connected.setblocking(False)  # the descriptor does not block, but Python's object must know it for TLS
            pipe = Pipe(connected, patience_s=self.no_progress_s)
        if scope.cancelled_caught:
            raise NeverSent("no connection to the server in time")
        try:
            if self._trust is not None:
                await drive(pipe, pipe.secure(self._trust, self._name), timeout_s=self._connect_s)
        except BaseException:
            pipe.close()
            raise
        return pipe


async def drive(pipe: Pipe, steps: Iterator[int], *, timeout_s: float) -> None:
    """Goes through the steps of a pipe, and waits between them. Raises TimedOut when nothing moves for so long."""
    for event in steps:
        with trio.move_on_after(timeout_s):
            await (trio.lowlevel.wait_readable if event == READABLE else trio.lowlevel.wait_writable)(pipe.socket)
            continue
        raise TimedOut(f"nothing moved for {timeout_s:.0f} s")


class PipeLane:
    """The lane. Use `exchange` for a request and its answer; `aclose` at the end."""

    def __init__(self, dialler: Dialler, *, user_agent: str, requests_max: int) -> None:
        self._dialler = dialler
        self._user_agent = user_agent
        self._limiter = trio.CapacityLimiter(requests_max)
        self._idle: list[tuple[float, Pipe]] = []
        self._requests = 0
        self._errors = 0
        self._bytes_in = 0

    @asynccontextmanager
    async def exchange(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: AsyncIterator[bytes] | None = None,
        patience_s: Callable[[int], float] | None = None,
    ) -> AsyncIterator[PipeAnswer]:
        """Sends the request; the answer's body is still to be read, within the block. Any status is an answer.

        It must be one that may be done twice; a body is small and needs its Content-Length among the headers.
        `patience_s(0)` is how long nothing may move. Raises Unreachable or TimedOut. Cancelled anywhere, it gives its
        place in the lane back.
        """
        content = b"" if body is None else b"".join([piece async for piece in body])
        place = object()  # a borrower of its own, since one task may hold two places
        await self._limiter.acquire_on_behalf_of(place)
        try:
            self._requests += 1
            patience = self._dialler.no_progress_s if patience_s is None else patience_s(0)
            pipe = await self._asked(method, url, headers, content, patience)
            try:
                yield PipeAnswer(pipe, count=self._count_in)
            finally:
                self._keep(pipe)
        except CxfsError:
            self._errors += 1
            raise
        finally:
            self._limiter.release_on_behalf_of(place)

    async def _asked(self, method: str, url: str, headers: Mapping[str, str], body: bytes, patience_s: float) -> Pipe:
        """A pipe that has the answer's head."""
        target = "/" + url.split("/", 3)[3]
        if len(target) > TARGET_CHARACTERS_MAX:
            raise NameTooLong("the path is too long for a URL")
        lines = [("Host", self._dialler.host), ("User-Agent", self._user_agent), ("Accept", "*/*"), *headers.items()]
        while True:
            pipe = self._waiting_pipe() or await self._dialler.dial()
            pipe.patience_s = patience_s
            try:
                await drive(pipe, pipe.ask(method, target, lines, body), timeout_s=patience_s)
            except TimedOut:
                pipe.close()
                self._close_idle()  # they are as old, and as dead
                raise
            except HungUp:
                pipe.close()
                if not pipe.is_used:
                    raise
                # It was idle, and the server was closing it while we asked: that is nobody's failure.
            except BaseException:
                pipe.close()
                raise
            else:
                return pipe

    def _waiting_pipe(self) -> Pipe | None:
        """The idle one that was used last, if the server has kept it."""
        while self._idle:
            since, pipe = self._idle.pop()
            if trio.current_time() - since < KEEP_ALIVE_S and not pipe.is_stale:
                return pipe
            pipe.close()
        return None

    def _keep(self, pipe: Pipe) -> None:
        if pipe.is_reusable:
            self._idle.append((trio.current_time(), pipe))
        else:
            pipe.close()

    def _count_in(self, count: int) -> None:
        self._bytes_in += count

    def statistics(self) -> LaneStatistics:
        """A snapshot."""
        return LaneStatistics(
            requests=self._requests,
            errors=self._errors,
            in_flight=self._limiter.borrowed_tokens,
            waiting=self._limiter.statistics().tasks_waiting,
            bytes_in=self._bytes_in,
            bytes_out=0,
        )

    async def aclose(self) -> None:
        """Closes the idle connections; those in use are closed by those that use them."""
        self._close_idle()

    def _close_idle(self) -> None:
        while self._idle:
            self._idle.pop()[1].close()


class PipeAnswer(Answer):
    """An answer whose body is still in the pipe."""

    def __init__(self, pipe: Pipe, *, count: Callable[[int], None]) -> None:
        super().__init__(pipe.status, pipe.headers, waited_s=pipe.waited_s)
        self._pipe = pipe
        self._count = count

    async def piece(self) -> bytes:
        """The next bytes as they were sent; none at the end. Raises Unreachable or TimedOut."""
        piece = await interruptible(self._pipe.piece, interrupt=self._pipe.break_off)
        self._count(len(piece))
        return piece

    async def pour(self, keep: Callable[[memoryview], T], landed: Callable[[T], None]) -> None:
        """All of the body: each piece to `keep` in the pipe's thread, and what that returns to `landed` here."""
        pouring = _Pouring(self._pipe, keep, landed, self._count)
        if self._pipe.is_here:
            await trio.lowlevel.checkpoint()
            self._pipe.pour(pouring.keep_here)
            return
        try:
            await interruptible(partial(self._pipe.pour, pouring.keep_there), interrupt=self._pipe.break_off)
        except CxfsError:
            if pouring.error is None:
                raise
        if pouring.error is not None:
            raise pouring.error


class _Pouring(Generic[T]):
    """The way of each piece: kept in the thread, told of on the loop. An error of the teller ends the transfer."""

    def __init__(
        self, pipe: Pipe, keep: Callable[[memoryview], T], landed: Callable[[T], None], count: Callable[[int], None]
    ) -> None:
        self.error: Exception | None = None
        self._pipe = pipe
        self._keep = keep
        self._landed = landed
        self._count = count
        self._token = trio.lowlevel.current_trio_token()

    def keep_here(self, piece: memoryview) -> None:
        self._count(len(piece))
        self._landed(self._keep(piece))

    def keep_there(self, piece: memoryview) -> None:
        self._token.run_sync_soon(self._tell, self._keep(piece), len(piece))

    def _tell(self, kept: T, count: int) -> None:
        self._count(count)
        if self.error is None:
            try:
                self._landed(kept)
            except Exception as error:  # noqa: BLE001 - raised by `pour`; here it would end the loop
                self.error = error
                self._pipe.break_off()
