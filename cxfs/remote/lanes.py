"""A lane is one class of traffic with connections of its own: bulk never keeps `ls` waiting. Knows no endpoint.

Each lane has an httpx client and, in front of it, a limiter no larger than the client's pool: httpx 0.28 loses pool
slots for ever when a request is cancelled while it waits for one (encode/httpcore#1093), so none ever waits there.
"""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

import httpx
import trio

from cxfs.core.errors import BadReply, CxfsError, TimedOut
from cxfs.remote.failures import in_our_words
from cxfs.remote.turnover import CLOSE_S, Turnover

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

T = TypeVar("T")

POOL_TIMEOUTS_MAX: Final = 3
"""In a row. The limiter makes even one impossible, unless the pool has lost slots: then a new client is the cure."""


@dataclass(frozen=True, slots=True)
class LaneStatistics:
    """What has gone over one lane so far. Bytes are those of bodies."""

    requests: int
    errors: int
    in_flight: int
    waiting: int
    bytes_in: int
    bytes_out: int


class Lane:
    """One class of traffic. Use `exchange` for a request and its answer; `aclose` at the end."""

    def __init__(
        self, make_client: Callable[[], httpx.AsyncClient], *, requests_max: int, no_progress_s: float
    ) -> None:
        self._clients = Turnover(make_client)
        self._limiter = trio.CapacityLimiter(requests_max)
        self._no_progress_s = no_progress_s
        self._pool_timeouts = 0
        self._requests = 0
        self._errors = 0
        self._bytes_in = 0
        self._bytes_out = 0

    @asynccontextmanager
    async def exchange(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: AsyncIterator[bytes] | None = None,
        patience_s: Callable[[int], float] | None = None,
    ) -> AsyncIterator[Incoming]:
        """Sends the request; the answer's body is still to be read, within the block. Any status is an answer.

        A body needs its Content-Length among the headers. `patience_s` says how long nothing may move when so many
        bytes of it are out. Raises Unreachable or TimedOut. Cancelled anywhere, it gives its place in the lane back.
        """
        patience_s = patience_s or (lambda _: self._no_progress_s)
        place = object()  # a borrower of its own, since one task may hold two places
        await self._limiter.acquire_on_behalf_of(place)
        try:
            self._requests += 1
            async with self._clients.client() as client:
                response, waited_s = await self._answer_to(client, method, url, headers, body, patience_s)
                no_progress_s = patience_s(int(headers.get("Content-Length", 0)))
                incoming = Incoming(response, waited_s=waited_s, no_progress_s=no_progress_s, count=self._count_in)
                try:
                    yield incoming
                finally:
                    await incoming.aclose()
        except CxfsError:
            self._errors += 1
            raise
        finally:
            self._limiter.release_on_behalf_of(place)

    async def _answer_to(
        self,
        client: httpx.AsyncClient,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: AsyncIterator[bytes] | None,
        patience_s: Callable[[int], float],
    ) -> tuple[httpx.Response, float]:
        """The answer's head, and how many seconds it took since anything went out.

        Ends with TimedOut when nothing moves for too long, in whichever direction.
        """
        sent, moved = 0, trio.current_time()

        def on_piece(count: int) -> None:
            nonlocal sent, moved
            sent, moved = sent + count, trio.current_time()
            self._bytes_out += count
            watch.deadline = moved + patience_s(sent)

        with in_our_words(), trio.CancelScope() as watch:
            watch.deadline = moved + patience_s(0)
            request = client.build_request(method, url, headers=dict(headers))
            if body is not None:
                stream = _Outgoing(body, on_piece=on_piece)
                request = httpx.Request(
                    method, request.url, headers=request.headers, stream=stream, extensions=request.extensions
                )
            response = await self._send(client, request)
            self._pool_timeouts = 0
            return response, trio.current_time() - moved
        self._clients.give_up(client)
        raise TimedOut(f"nothing moved for {patience_s(sent):.0f} s")

    async def _send(self, client: httpx.AsyncClient, request: httpx.Request) -> httpx.Response:
        try:
            return await client.send(request, stream=True)
        except httpx.PoolTimeout:
            self._pool_timeouts += 1
            if self._pool_timeouts >= POOL_TIMEOUTS_MAX:
                self._pool_timeouts = 0
                self._clients.give_up(client)
            raise

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
            bytes_out=self._bytes_out,
        )

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._clients.aclose()


class Answer(ABC):
    """An answer whose body is still on its way, `waited_s` seconds after the last of the request.

    The names of headers are found in lower case.
    """

    def __init__(self, status: int, headers: Mapping[str, str], *, waited_s: float) -> None:
        self.waited_s = waited_s
        self.status = status
        self.headers = headers
        self.coding = headers.get("content-encoding", "identity").strip().lower()

    @abstractmethod
    async def piece(self) -> bytes:
        """The next bytes as they were sent; none at the end. Raises Unreachable, TimedOut or BadReply."""

    async def pour(self, keep: Callable[[memoryview], T], landed: Callable[[T], None]) -> None:
        """All of the body: each piece goes to `keep`, perhaps in a thread, and what that returns to `landed`, here."""
        while piece := await self.piece():
            landed(keep(memoryview(piece)))

    async def whole(self, bytes_max: int) -> bytes:
        """All of it, uncoded; BadReply when it is longer than `bytes_max`."""
        body = await self.beginning(bytes_max + 1)
        if len(body) > bytes_max:
            raise BadReply(f"an answer longer than {bytes_max} bytes is too long")
        return body

    async def beginning(self, bytes_max: int) -> bytes:
        """Its first bytes, uncoded, and no more of it is read."""
        decode = _decoder(self.coding)
        parts: list[bytes] = []
        left = bytes_max
        while left > 0 and (piece := await self.piece()):
            part = decode(piece, left)
            parts.append(part)
            left -= len(part)
        return b"".join(parts)


class Incoming(Answer):
    """An answer over httpx."""

    def __init__(
        self, response: httpx.Response, *, waited_s: float, no_progress_s: float, count: Callable[[int], None]
    ) -> None:
        super().__init__(response.status_code, response.headers, waited_s=waited_s)
        self._response = response
        self._no_progress_s = no_progress_s
        self._count = count
        self._pieces: AsyncIterator[bytes] | None = None

    async def piece(self) -> bytes:
        """The next bytes as they were sent; none at the end. Raises Unreachable, TimedOut or BadReply."""
        pieces = self._pieces
        if pieces is None:
            pieces = self._pieces = self._response.aiter_raw()
        with in_our_words(), trio.move_on_after(self._no_progress_s):
            piece = await anext(pieces, b"")
            self._count(len(piece))
            return piece
        raise TimedOut(f"nothing arrived for {self._no_progress_s:.0f} s")

    async def aclose(self) -> None:
        """Gives the connection back to the pool, or closes it if the body was not read to its end."""
        with trio.move_on_after(CLOSE_S, shield=True):
            await self._response.aclose()
            if self._pieces is not None:
                await _unwind(self._pieces)


def _decoder(coding: str) -> Callable[[bytes, int], bytes]:
    """Undoes a content coding, piece by piece, to at most so many bytes: a bomb does not go off.

    httpx can do it too, but a body that is not what it says would leave its generators behind.
    """
    if coding == "identity":
        return lambda piece, bytes_max: piece[:bytes_max]
    if coding not in {"gzip", "x-gzip"}:
        raise BadReply("the answer came in a coding that was not asked for")
    unzip = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)

    def decode(piece: bytes, bytes_max: int) -> bytes:
        try:
            return unzip.decompress(piece, bytes_max)
        except zlib.error:
            raise BadReply("the answer is no gzip, though it says so") from None

    return decode


async def _unwind(pieces: AsyncIterator[bytes]) -> None:
    """Ends the generators of a body that was not read to its end.

    httpx and httpcore nest five of them and close only the connection. Resumed after that, the innermost fails and so
    ends them all; left alone, each would be collected later, with a warning from trio and a task of its own.
    """
    with suppress(httpx.HTTPError, httpx.StreamError):
        while await anext(pieces, b""):
            pass


class _Outgoing(httpx.AsyncByteStream):
    """A request body, each piece reported when it is out. No generator: those outlive a cancelled request."""

    def __init__(self, pieces: AsyncIterator[bytes], *, on_piece: Callable[[int], None]) -> None:
        self._pieces = pieces
        self._on_piece = on_piece
        self._going_out = 0

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        """Whoever asks for the next one has sent the one before, the last of all too."""
        if self._going_out:
            self._on_piece(self._going_out)
            self._going_out = 0
        piece = await anext(self._pieces)
        self._going_out = len(piece)
        return piece


class OnePiece:
    """A body that is there already."""

    def __init__(self, piece: bytes) -> None:
        self._left = [piece]

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self._left:
            raise StopAsyncIteration
        return self._left.pop()
