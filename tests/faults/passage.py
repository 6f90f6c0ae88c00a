"""One exchange between a client and the real server, and what befalls it on the way. Accepts and closes no connection.

A request and its answer pass in pieces, in both directions at once; before each piece the door is looked at.
"""

from __future__ import annotations

import select
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Final

import trio

from tests.faults.exchange import BROKEN, End, Head
from tests.faults.kinds import Altered, Answers, Cut, Drip, Late, Lost, Side, Stall, Twice, strike_in
from tests.faults.script import Door

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

    from tests.faults.kinds import Fault
    from tests.faults.script import Faults

LOOK_S: Final = 0.1
"""How often it is looked whether the client of an exchange that stands still has hung up."""

EARLY_S: Final = 0.1
"""An answer that comes so long before the end of its request does not wait for it."""

LINGER_S: Final = 1.0
"""For a client to read an answer that came before the end of its request."""

PARTS_A_SECOND: Final = 50
"""Of what a narrow line carries."""


class Broken(Exception):
    """The connection is to end here: by a reset if `abruptly`."""

    def __init__(self, *, abruptly: bool = True) -> None:
        super().__init__()
        self.abruptly = abruptly


class Passage:
    """The way between one client and the server. `near` is the client's end; `reach` gives a connected server's."""

    def __init__(
        self, faults: Faults, near: End, reach: Callable[[], Awaitable[End]], moved: trio.lowlevel.ParkingLot
    ) -> None:
        self._faults = faults
        self._near = near
        self._reach = reach
        self._moved = moved

    async def one_exchange(self) -> bool:
        """Whether another may follow on the connection. Raises Broken, or one of BROKEN."""
        await self.open()
        self._near.begin()
        asked = await self._near.head()
        if asked is None:
            return False
        await self.open()
        fault = self._faults.befalls(asked.method, asked.target)
        if isinstance(fault, Answers):
            await self._body_of_request()
            await self._say(fault)
            return not asked.is_last
        if isinstance(fault, Late):
            await self._stand_still(fault.by_s)
        await self._stand_still(self._faults.line.latency_s)
        far = await self._reach()
        if isinstance(fault, Lost | Twice | Altered):
            return await self._held(asked, far, fault)
        return await self._passed(asked, far, fault)

    async def open(self) -> None:
        """Returns when the door does not stop what passes."""
        while self._faults.door is Door.SILENT:
            await self._look(LOOK_S)

    # ------------------------------------------------------------ passed on as it comes

    async def _passed(self, asked: Head, far: End, fault: Fault | None) -> bool:
        is_whole = False
        sent = trio.Event()

        async def send() -> None:
            nonlocal is_whole
            took = await _told(far, asked.written())
            async with self._body(self._near, fault, Side.REQUEST) as pieces:
                async for piece in pieces:
                    took = took and await _told(far, _framed(asked, piece))
            is_whole = took and await _told(far, _end_of(asked))
            sent.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            answer = await self._answer_of(far, asked)
            with trio.move_on_after(EARLY_S):
                await sent.wait()
            await self._pass_answer(far, answer, fault, closes=not is_whole)
            if not is_whole:
                nursery.cancel_scope.cancel()
        if not is_whole:
            with trio.move_on_after(LINGER_S):
                while await self._near.stream.receive_some(1 << 16):
                    pass
        return is_whole and not asked.is_last and not answer.is_last

    async def _pass_answer(self, far: End, answer: Head, fault: Fault | None, *, closes: bool) -> None:
        head: bytes | None = answer.written(closes=closes)
        async with self._body(far, fault, Side.ANSWER) as pieces:
            async for piece in pieces:
                await self._near.stream.send_all((head or b"") + _framed(answer, piece))
                head = None
        await self._near.stream.send_all((head or b"") + _end_of(answer))

    @asynccontextmanager
    async def _body(self, end: End, fault: Fault | None, side: Side) -> AsyncIterator[AsyncIterator[bytes]]:
        """The pieces of a body as far as they come, and as fast."""
        async with (
            aclosing(self._pieces(end)) as pieces,
            aclosing(self._afflicted(pieces, fault, side)) as afflicted,
        ):
            yield afflicted

    async def _afflicted(
        self, pieces: AsyncIterator[bytes], fault: Fault | None, side: Side
    ) -> AsyncGenerator[bytes, None]:
        if isinstance(fault, Drip) and side is Side.ANSWER:
            pieces = self._dripping(pieces, fault)
        strike = strike_in(fault, side)
        at = 0
        if strike is not None and not strike.after_bytes:
            await self._strike(strike)
        async for piece in pieces:
            stop = at + len(piece)
            if strike is not None and at < strike.after_bytes <= stop:
                yield piece[: strike.after_bytes - at]
                await self._strike(strike)
                yield piece[strike.after_bytes - at :]
            else:
                yield piece
            at = stop

    async def _dripping(self, pieces: AsyncIterator[bytes], drip: Drip) -> AsyncGenerator[bytes, None]:
        left = 0
        async for piece in pieces:
            at = 0
            while at < len(piece):
                if not left:
                    await self._stand_still(drip.pause_s)
                    left = drip.piece_bytes
                part = piece[at : at + left]
                yield part
                at, left = at + len(part), left - len(part)

    async def _strike(self, fault: Cut | Stall) -> None:
        if isinstance(fault, Cut):
            raise Broken(abruptly=fault.abruptly)
        await self._stand_still(fault.for_s)

    # ------------------------------------------------------------ held until it is whole

    async def _held(self, asked: Head, far: End, fault: Lost | Twice | Altered) -> bool:
        body = await self._body_of_request()
        times = 2 if isinstance(fault, Twice) else 1
        answer = Answers(0)
        for _ in range(times):
            answer = await self._asked(asked, body, far)
        if isinstance(fault, Lost):
            if fault.instead is None:
                raise Broken
            answer = fault.instead
        elif isinstance(fault, Altered):
            answer = fault.applied(answer)
        await self._say(answer)
        return not asked.is_last and not (isinstance(fault, Altered) and fault.keeps_length)

    async def _asked(self, asked: Head, body: bytes, far: End) -> Answers:
        """The whole answer of the server."""
        await far.stream.send_all(asked.written() + _framed(asked, body) + _end_of(asked))
        answer = await self._answer_of(far, asked)
        content = b"".join([piece async for piece in self._pieces(far)])
        return Answers(answer.status, content, answer.headers)

    async def _say(self, answer: Answers) -> None:
        headers = {name.lower(): text for name, text in answer.headers.items()}
        headers.pop("transfer-encoding", None)
        headers.setdefault("content-length", str(len(answer.body)))
        await self.open()
        await self._near.stream.send_all(Head(status=answer.status, headers=headers).written() + answer.body)

    # ------------------------------------------------------------ shared

    async def _body_of_request(self) -> bytes:
        return b"".join([piece async for piece in self._pieces(self._near)])

    @staticmethod
    async def _answer_of(far: End, asked: Head) -> Head:
        far.begin(asked)
        answer = await far.head()
        if answer is None:
            raise Broken
        return answer

    async def _pieces(self, end: End) -> AsyncGenerator[bytes, None]:
        """Of a body, as fast as the line carries them."""
        while piece := await end.piece():
            await self.open()
            rate = self._faults.line.bytes_per_s
            if rate is None:
                yield piece
                continue
            part_bytes = max(1, int(rate / PARTS_A_SECOND))
            for at in range(0, len(piece), part_bytes):
                part = piece[at : at + part_bytes]
                await trio.sleep(len(part) / rate)
                yield part

    async def _stand_still(self, for_s: float) -> None:
        until = trio.current_time() + for_s
        while (left_s := until - trio.current_time()) > 0:
            await self._look(min(left_s, LOOK_S))

    async def _look(self, for_s: float) -> None:
        """Waits so long, or until the door moves; Broken when the client has hung up."""
        with trio.move_on_after(for_s):
            await self._moved.park()
        poll = select.poll()
        poll.register(self._near.socket, select.POLLRDHUP)
        if poll.poll(0):
            raise Broken


def _framed(head: Head, piece: bytes) -> bytes:
    """A piece of the body that follows the head, as it goes out."""
    return piece if head.length is not None or not piece else b"%x\r\n%s\r\n" % (len(piece), piece)


def _end_of(head: Head) -> bytes:
    """What ends the body that follows the head."""
    return b"" if head.length is not None else b"0\r\n\r\n"


async def _told(far: End, content: bytes) -> bool:
    """Whether the server took it. One that does not wait for the end of a request has said why, which is being read."""
    try:
        await far.stream.send_all(content)
    except BROKEN:
        return False
    return True
