"""A CX that answers what a test tells it to. It knows no rules: what it heard is the test's to judge."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import httpx
import trio

UUID = "SNU2d6zrEeGnthICOA-R7w"
OTHER_UUID = "l6hkZxxCEeGQ1BIBPQhmWA"
TOKEN = "tok-53cr3t/+="

Answer = httpx.Response | Exception | Callable[["Heard"], "httpx.Response"]


@dataclass(frozen=True)
class Heard:
    """One request as it arrived."""

    method: str
    host: str
    path: str
    query: dict[str, str]
    headers: httpx.Headers
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


@dataclass
class FakeCx(httpx.AsyncBaseTransport):
    """Gives its answers in order, the last of them again and again; `delay_s` before each.

    Without `hears_all` it answers before it has listened to the body.
    """

    delay_s: float = 0.0
    heard: list[Heard] = field(default_factory=list)
    at_once_most: int = 0
    hears_all: bool = True
    _answers: deque[Answer] = field(default_factory=deque)
    _at_once: int = 0

    def answers(self, *answers: Answer) -> None:
        self._answers = deque(answers)

    @property
    def last(self) -> Heard:
        return self.heard[-1]

    @property
    def paths(self) -> list[str]:
        return [each.path for each in self.heard]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._at_once += 1
        self.at_once_most = max(self.at_once_most, self._at_once)
        try:
            heard = await self._hear(request)
            await trio.sleep(self.delay_s)
            answer = self._answers.popleft() if len(self._answers) > 1 else self._answers[0]
            if isinstance(answer, Exception):
                raise answer
            return again(answer(heard) if callable(answer) else answer)
        finally:
            self._at_once -= 1

    async def _hear(self, request: httpx.Request) -> Heard:
        assert isinstance(request.stream, httpx.AsyncByteStream)
        path, _, query = request.url.raw_path.decode().partition("?")
        body = b"".join([piece async for piece in request.stream]) if self.hears_all else b""
        heard = Heard(request.method, request.url.host, path, dict(parse_qsl(query)), request.headers, body)
        self.heard.append(heard)
        return heard


def again(answer: httpx.Response) -> httpx.Response:
    """A response is used up when it is read; the same answer may be given twice."""
    stream = answer.stream if isinstance(answer.stream, Pieces) else Pieces(answer.content)
    return httpx.Response(answer.status_code, headers=answer.headers, stream=stream)


class Pieces(httpx.AsyncByteStream):
    """A body as its pieces arrive: bytes, a number of seconds of silence, or an exception."""

    def __init__(self, *pieces: bytes | float | Exception) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, bytes):
                yield piece
            elif isinstance(piece, Exception):
                raise piece
            else:
                await trio.sleep(piece)


def file(**changes: Any) -> dict[str, Any]:
    """A File object as the public record shows it, with the given fields changed (None: left out)."""
    whole = {
        "id": UUID,
        "version": 3,
        "name": "2353.jpg",
        "description": "",
        "size": 5,
        "created": "2012-10-22T21:26:47.700Z",
        "modified": "2012-10-23T08:00:00.000Z",
        "isDir": False,
        "checksum": "qvTGHdzF6KLavt4PO0gs2a6pQ00",
        "checksumMethod": "SHA1",
        "md5checksum": "XUFAKrxLKna5cZ2REBfFkg",
        "shares": [],
        "stats": {"comments": 0},
        "suspended": False,
        **changes,
    }
    return {key: value for key, value in whole.items() if value is not None}


def folder(**changes: Any) -> dict[str, Any]:
    """A File object of a folder."""
    return file(**{"name": "photos", "isDir": True, "size": 0, "checksum": None, "md5checksum": None, **changes})


def listing(*entries: dict[str, Any], offset: int = 0, total: int | None = None) -> httpx.Response:
    """One page of a folder."""
    whole = {"directory": folder(), "entries": entries, "offset": offset}
    return httpx.Response(200, json={**whole, "total": len(entries) if total is None else total})


def ok(**changes: Any) -> httpx.Response:
    """A File object as an answer."""
    return httpx.Response(200, json=file(**changes))


def refusal(status: int, kind: str = "", message: str = "no", **headers: str) -> httpx.Response:
    """An error of the contract."""
    return httpx.Response(
        status,
        json={"errorType": kind, "message": message},
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )
