"""The way to the server, on which each request may fare badly, as a story has it. Decides nothing by itself.

It adds to `tests.fs.cloud.Wire` what happens to one request among others at the same time, and that a daemon which is
dead sends no more.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Final

import httpx
import trio

from tests.fs.cloud import Wire, broken_off, says
from tests.simulation.steps import Fault, Trouble

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.simulation.steps import Weather

SLOW_S: Final = 3.0
LATE_BY_S: Final = (0.5, 1.5, 3.0, 5.0, 8.0)
STALL_S: Final = 100_000.0
"""Far past every deadline."""

REQUESTS_MAX: Final = 5_000
"""Of one story: ten times what the longest needs. A client that asks more often hammers."""

_ANSWERS: Final[dict[Fault, Callable[[], httpx.Response]]] = {
    Fault.ERROR: lambda: says(500, {"errorType": "Internal", "message": "oops"}),
    Fault.BUSY: lambda: says(503, {"errorType": "Unavailable", "message": "a moment"}),
    Fault.LIMITED: lambda: says(429, {"errorType": "RateLimited", "message": "slow down"}, retry_after_s=2),
    Fault.GARBAGE: lambda: says(200, ["no object at all"]),
}


class Hammered(AssertionError):
    """Far more requests than any story needs."""


class Storm:
    """What the story has in store for requests; the same over all lives of the daemon. `valid` is the token.

    What goes on at the `server` does so over all of them as well.
    """

    def __init__(self, valid: str, server: trio.Nursery) -> None:
        self.valid = valid
        self.server = server
        self.wire: StormyWire | None = None
        """That of the daemon that lives."""
        self.on_late: Callable[[bytes], None] = lambda _body: None
        self.is_offline = False
        self.last_trouble = -1e9
        """When a request fared badly for the last time, in trio's seconds."""
        self._expected: list[tuple[Trouble, int, int]] = []
        self._share = 0.0
        self._chance = Random(0)
        self._count = 0

    def brews(self, trouble: Trouble) -> None:
        """It will strike."""
        self._expected.append((trouble, trouble.spared, trouble.count))

    def becomes(self, weather: Weather) -> None:
        """From now on."""
        self._share, self._chance = weather.share, Random(weather.seed)

    def ends(self) -> None:
        """Nothing fails any more."""
        self._expected.clear()
        self._share, self.is_offline = 0.0, False

    def fate(self, request: httpx.Request, call: str) -> Fault | None:
        """Of this request."""
        self._count += 1
        if self._count > REQUESTS_MAX:
            raise Hammered(f"over {REQUESTS_MAX} requests")
        fault = self._struck(call)
        if fault is None and self._share and self._chance.random() < self._share:
            fault = self._chance.choice(list(Fault))
        if self.is_offline:
            fault = Fault.REFUSED
        if fault is not None or not self.takes(request):
            self.last_trouble = trio.current_time()
        return fault

    def late_by_s(self) -> float:
        """For how long the server thinks about an upload that nobody waits for any more."""
        return self._chance.choice(LATE_BY_S)

    def takes(self, request: httpx.Request) -> bool:
        """Whether its token is good."""
        return bool(request.url.params.get("access_token") == self.valid)

    def _struck(self, call: str) -> Fault | None:
        for place, (trouble, spared, count) in enumerate(self._expected):
            if not call.startswith(trouble.calls):
                continue
            if spared:
                self._expected[place] = (trouble, spared - 1, count)
                continue
            self._expected[place : place + 1] = [(trouble, 0, count - 1)] if count > 1 else []
            return trouble.fault
        return None


class StormyWire(Wire):
    """That of one daemon. `on_step` is called before each request goes out, and before its answer comes in."""

    def __init__(self, app: httpx.ASGITransport, storm: Storm, on_step: Callable[[str], Awaitable[None]]) -> None:
        super().__init__(app)
        self._storm = storm
        storm.wire = self
        self._on_step = on_step
        self.meanwhile = self._on_its_way

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        call = f"{request.method} {'/'.join(request.url.path.split('/')[2:4])}"
        await self._on_step(f"before {call}")
        fault = self._storm.fate(request, call)
        request.extensions = {**request.extensions, "fault": fault}
        if fault is Fault.REFUSED:
            raise httpx.ConnectError("no route", request=request)
        if fault is Fault.CUT:
            raise httpx.ReadError("connection reset", request=request)
        if fault in _ANSWERS:
            return _ANSWERS[fault]()
        if not self._storm.takes(request):
            return says(401, {"errorType": "BadAuthToken", "message": "who are you?"})
        response = await super().handle_async_request(request)
        await self._on_step(f"after {call}")
        if fault is Fault.LOST:
            raise httpx.ReadError("connection reset", request=request)
        return await broken_off(response, 60) if fault is Fault.BROKEN_OFF else response

    async def _on_its_way(self, request: httpx.Request) -> None:
        match request.extensions["fault"]:
            case Fault.LATE if _is_upload(request):
                body = await request.aread()
                kept = httpx.Request(request.method, request.url, headers=request.headers, content=body)
                self._storm.server.start_soon(self._carried_out, kept, self._storm.late_by_s())
                await trio.sleep(STALL_S)
            case Fault.SLOW | Fault.LATE:
                await trio.sleep(SLOW_S)
            case Fault.STALLED:
                await trio.sleep(STALL_S)
            case Fault.TWICE:
                await request.aread()
                first = await self._at_the_server(request)
                await first.aread()

    async def _carried_out(self, request: httpx.Request, after_s: float) -> None:
        await trio.sleep(after_s)
        self._storm.last_trouble = trio.current_time()
        assert self._storm.wire is not None
        self._storm.on_late(request.content)
        answer = await self._storm.wire._at_the_server(request)
        await answer.aread()


def _is_upload(request: httpx.Request) -> bool:
    return request.method == "POST" and request.url.host == "data.cx.test" and "/bundle/get" not in request.url.path
