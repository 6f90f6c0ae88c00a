"""The same faults without a network, in front of another httpx transport. Decides nothing.

No socket waits, so a test may let a fake clock jump.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

import httpx
import trio

from tests.faults.kinds import Altered, Answers, Cut, Drip, Late, Lost, Side, Stall, Twice, strike_in
from tests.faults.script import Door

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.faults.kinds import Fault
    from tests.faults.script import Faults


class FaultyWire(httpx.AsyncBaseTransport):
    """Plays `faults` between a client and `inner`. Bodies of requests are held whole."""

    def __init__(self, inner: httpx.AsyncBaseTransport, faults: Faults) -> None:
        self._inner = inner
        self._faults = faults
        self._moved = trio.lowlevel.ParkingLot()
        faults.watch(self._door_moved)

    def _door_moved(self) -> None:
        self._moved.unpark_all()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """As the inner one would, or as the script has it. Raises what httpx raises on such a line."""
        await self._open(at_first=True)
        fault = self._faults.befalls(request.method, request.url.raw_path.decode("ascii"))
        await trio.sleep(self._faults.line.latency_s + (fault.by_s if isinstance(fault, Late) else 0.0))
        body = await self._request_body(request, fault)
        if isinstance(fault, Answers):
            return _response(fault)
        answer = await self._asked(request, body)
        if isinstance(fault, Twice):
            answer = await self._asked(request, body)
        await self._open()
        if isinstance(fault, Lost):
            if fault.instead is None:
                raise httpx.ReadError("connection reset")
            return _response(fault.instead)
        if isinstance(fault, Altered):
            answer = fault.applied(answer)
        strike = strike_in(fault, Side.ANSWER)
        if strike is not None and not strike.after_bytes:
            await _strike(strike)
        return _response(answer, _Body(answer.body, fault, self))

    async def _open(self, *, at_first: bool = False) -> None:
        """Returns when the door lets something pass."""
        while self._faults.door is Door.SILENT:
            await self._moved.park()
        if self._faults.door is Door.REFUSING:
            raise httpx.ConnectError("connection refused") if at_first else httpx.ReadError("connection reset")

    async def _request_body(self, request: httpx.Request, fault: Fault | None) -> bytes:
        assert isinstance(request.stream, httpx.AsyncByteStream)
        strike = strike_in(fault, Side.REQUEST)
        came = bytearray()
        if strike is not None and not strike.after_bytes:
            await _strike(strike)
        pieces = aiter(request.stream)
        try:
            async for piece in pieces:
                await self._open()
                await self.carry(len(piece))
                before = len(came)
                came += piece
                if strike is not None and before < strike.after_bytes <= len(came):
                    await _strike(strike)
        finally:
            if isinstance(pieces, AsyncGenerator):
                await pieces.aclose()
        return bytes(came)

    async def carry(self, count: int) -> None:
        """Returns when the line has carried so many bytes."""
        rate = self._faults.line.bytes_per_s
        await trio.sleep(count / rate if rate else 0.0)

    async def still_open(self) -> None:
        """As long as the door is silent, nothing comes."""
        await self._open()

    async def _asked(self, request: httpx.Request, body: bytes) -> Answers:
        sent = httpx.Request(request.method, request.url, headers=request.headers, stream=_Whole(body))
        response = await self._inner.handle_async_request(sent)
        assert isinstance(response.stream, httpx.AsyncByteStream)
        content = b"".join([piece async for piece in response.stream])
        return Answers(response.status_code, content, dict(response.headers))

    async def aclose(self) -> None:
        """Each client that goes over it closes it, and the others go on."""


class _Whole(httpx.AsyncByteStream):
    """A body that is here. No generator: whoever does not read it to its end leaves nothing behind."""

    def __init__(self, content: bytes) -> None:
        self._left = [content]

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self._left:
            raise StopAsyncIteration
        return self._left.pop()


class _Body(httpx.AsyncByteStream):
    """What arrives of an answer's body, as far and as fast. No generator: those outlive a cancelled request."""

    def __init__(self, content: bytes, fault: Fault | None, wire: FaultyWire) -> None:
        self._wire = wire
        self._fault = fault
        self._strike = strike_in(fault, Side.ANSWER)
        self._pieces = iter(_pieces(content, fault))

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        await self._wire.still_open()
        piece = next(self._pieces, None)
        if piece is None:
            raise StopAsyncIteration
        if not piece:
            assert self._strike is not None
            await _strike(self._strike)
            return await self.__anext__()
        if isinstance(self._fault, Drip):
            await trio.sleep(self._fault.pause_s)
        await self._wire.carry(len(piece))
        return piece


def _pieces(content: bytes, fault: Fault | None) -> list[bytes]:
    """The pieces of a body; an empty one is where the fault strikes."""
    if isinstance(fault, Drip):
        return [content[at : at + fault.piece_bytes] for at in range(0, len(content), fault.piece_bytes)]
    strike = strike_in(fault, Side.ANSWER)
    if strike is not None and 0 < strike.after_bytes <= len(content):
        rest = content[strike.after_bytes :]
        return [content[: strike.after_bytes], b"", *([rest] if rest else [])]
    return [content] if content else []


async def _strike(fault: Cut | Stall) -> None:
    if isinstance(fault, Cut):
        raise httpx.ReadError("connection reset") if fault.side is Side.ANSWER else httpx.WriteError("connection reset")
    await trio.sleep(fault.for_s)


def _response(answer: Answers, stream: httpx.AsyncByteStream | None = None) -> httpx.Response:
    headers = {name.lower(): text for name, text in answer.headers.items()}
    headers.setdefault("content-length", str(len(answer.body)))
    return httpx.Response(answer.status, headers=headers, stream=stream or httpx.ByteStream(answer.body))
