"""A CX account for the tests of the file system: the real server app in this process, and other people who use it."""

from __future__ import annotations

import json
import math
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import httpx
import trio

from cxfs.core.entries import SELF, Entry, Owner, Path, TreePath
from cxfs.core.errors import NotFound
from cxfs.core.ranges import ByteRange
from cxfs.remote.files import Files
from cxfs.remote.session import Session, open_session
from cxfs.remote.transport import Transport
from cxfs.remote.urls import ServiceUrls

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from cxfs.remote.renewal import RenewingToken
    from cxfs.remote.watch import ConnectionWatch

URLS: Final = ServiceUrls.parse(
    api_url="https://api.cx.test", data_url="https://data.cx.test", auth_url="https://www.cx.test"
)


async def _at_once(_: httpx.Request) -> None:
    pass


class Wire(httpx.AsyncBaseTransport):
    """What lies between the mount and the server: counts requests, and breaks where a test wants it to.

    `before` may answer or fail a request instead of the server; `after` may lose the answer of one that was done;
    `meanwhile` is how long it is on its way, `bytes_per_s` how fast each body comes after that.
    """

    def __init__(self, app: httpx.AsyncBaseTransport) -> None:
        self.app = app
        self.requests: list[str] = []
        self.before: Callable[[httpx.Request], Exception | httpx.Response | None] = lambda _: None
        self.after: Callable[[httpx.Request], Exception | None] = lambda _: None
        self.meanwhile: Callable[[httpx.Request], Awaitable[None]] = _at_once
        self.bytes_per_s = math.inf
        self.held = trio.Event()
        self._released = trio.Event()
        self._kept_back = ""
        self._is_kept_back: Callable[[httpx.Request], bool] = lambda _: False
        self._bytes_until_break: int | None = None
        self._under_way = 0
        self._stands_still = False
        self._moved = trio.lowlevel.ParkingLot()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        made = f"{request.method} {'/'.join(request.url.path.split('/')[2:4])}"
        self.requests.append(made)
        instead = self.before(request)
        if isinstance(instead, Exception):
            raise instead
        if instead is not None:
            return instead
        await self.meanwhile(request)
        response = await self._at_the_server(request)
        if self._kept_back and made.startswith(self._kept_back):
            self._kept_back = ""
            self._is_kept_back = lambda later: (later.method, later.url.path) == (request.method, request.url.path)
            self.held.set()
        if self._is_kept_back(request):
            await self._released.wait()
        lost = self.after(request)
        if lost is not None:
            raise lost
        if self._bytes_until_break is not None and request.method == "GET":
            return await broken_off(response, self._bytes_until_break)
        return response if self.bytes_per_s == math.inf else await _slowed_down(response, self.bytes_per_s)

    async def _at_the_server(self, request: httpx.Request) -> httpx.Response:
        if "/files/changes/" in request.url.path:  # it brings nothing there, and may wait there for long
            return await self.app.handle_async_request(request)
        while self._stands_still:
            await self._moved.park()
        self._under_way += 1
        try:
            return await self.app.handle_async_request(request)
        finally:
            self._under_way -= 1
            self._moved.unpark_all()

    @asynccontextmanager
    async def stands_still(self) -> AsyncIterator[None]:
        """No request of the mount is at the server while the block runs; those that come wait for its end."""
        self._stands_still = True
        try:
            while self._under_way:
                await self._moved.park()
            yield
        finally:
            self._stands_still = False
            self._moved.unpark_all()

    def breaks_bodies_after(self, count: int) -> None:
        """Every longer body from now on breaks off after so many bytes."""
        self._bytes_until_break = count

    def holds_back(self, method: str, call: str) -> None:
        """The next such request is done, and its answer kept on the way until `lets_go`; so are repetitions of it."""
        self._kept_back = f"{method} {call}"
        self.held = trio.Event()
        self._released = trio.Event()

    def lets_go(self) -> None:
        """The answer kept back arrives."""
        self._is_kept_back = lambda _: False
        self._released.set()

    def goes_offline(self) -> None:
        """No request arrives from now on."""
        self.before = lambda request: httpx.ConnectError("no route", request=request)

    def comes_back(self) -> None:
        """Requests arrive again."""
        self.before = lambda _: None

    def count(self, call: str) -> int:
        """How many requests of one kind were made, such as `GET files/list`."""
        return sum(1 for made in self.requests if made.startswith(call))


class _BrokenOff(httpx.AsyncByteStream):
    def __init__(self, body: bytes, count: int) -> None:
        self._body = body
        self._count = count
        self._is_broken = False

    def __aiter__(self) -> _BrokenOff:
        return self

    async def __anext__(self) -> bytes:
        if self._is_broken:
            raise httpx.ReadError("connection reset")
        self._is_broken = True
        return self._body[: self._count]


async def broken_off(response: httpx.Response, count: int) -> httpx.Response:
    """In a real one nothing is buffered; the bytes that were not sent are simply lost."""
    body = await _body_of(response)
    if len(body) <= count:
        return httpx.Response(response.status_code, headers=response.headers, stream=httpx.ByteStream(body))
    return httpx.Response(response.status_code, headers=response.headers, stream=_BrokenOff(body, count))


class _Slow(httpx.AsyncByteStream):
    def __init__(self, body: bytes, bytes_per_s: float) -> None:
        self._pieces = [body[at : at + 4_096] for at in range(0, len(body), 4_096)][::-1]
        self._bytes_per_s = bytes_per_s

    def __aiter__(self) -> _Slow:
        return self

    async def __anext__(self) -> bytes:
        if not self._pieces:
            raise StopAsyncIteration
        await trio.sleep(len(self._pieces[-1]) / self._bytes_per_s)
        return self._pieces.pop()


async def _slowed_down(response: httpx.Response, bytes_per_s: float) -> httpx.Response:
    body = await _body_of(response)
    return httpx.Response(response.status_code, headers=response.headers, stream=_Slow(body, bytes_per_s))


async def _body_of(response: httpx.Response) -> bytes:
    assert isinstance(response.stream, httpx.AsyncByteStream)
    return b"".join([piece async for piece in response.stream])


def says(status: int, body: object, *, retry_after_s: int | None = None) -> httpx.Response:
    """An answer that comes instead of the server's."""
    headers = {"Content-Type": "application/json"} | ({"Retry-After": str(retry_after_s)} if retry_after_s else {})
    return httpx.Response(status, headers=headers, stream=httpx.ByteStream(json.dumps(body).encode()))


class Content:
    """Bytes to upload."""

    def __init__(self, content: bytes) -> None:
        self.size = len(content)
        self._content = content

    async def pieces(self) -> AsyncIterator[bytes]:
        yield self._content


class Cloud:
    """The account, or the group `owner`, as somebody else sees it, past the mount. Paths are like `a/b.txt`."""

    def __init__(self, session: Session, owner: Owner = SELF) -> None:
        self.files = Files(session)
        self.transport = Transport(session)
        self.owner = owner

    def at(self, name: str) -> TreePath:
        """The CX path of `a/b.txt`."""
        return TreePath.parse(f"{self.owner}:/{name}")

    async def holds(self, tree: dict[str, bytes]) -> None:
        """The account holds these files, with the folders above them; `a/` with no bytes is an empty folder."""
        for name, content in tree.items():
            parts = name.split("/")
            for depth in range(1, len(parts)):
                await self._has_folder("/".join(parts[:depth]))
            if parts[-1]:
                await self.puts(name, content)

    async def _has_folder(self, name: str) -> None:
        try:
            await self.files.entry(self.at(name))
        except NotFound:
            await self.files.make_folder(self.at(name))

    async def puts(self, name: str, content: bytes, *, modified_ms: int = 1_000_000_000_000) -> Entry:
        """Somebody uploads this."""
        return await self.transport.upload(self.at(name), Content(content), modified_ms=modified_ms, if_version=None)

    async def deletes(self, name: str) -> None:
        """Somebody deletes this."""
        await self.files.delete(self.at(name), recursive=True)

    async def renames(self, name: str, to: str) -> None:
        """Somebody renames this."""
        await self.files.move(self.at(name), self.at(to), overwrite=False)

    async def entry(self, name: str) -> Entry:
        """What the server says of it."""
        return await self.files.entry(self.at(name))

    async def content(self, name: str) -> bytes:
        """What the server holds under this name."""
        return await self._content(await self.entry(name))

    async def tree(self) -> dict[str, bytes]:
        """Everything the account holds, folders as `name/`."""
        return {name: content async for name, content in self._walk(self.at(""), "")}

    async def _walk(self, path: Path, prefix: str) -> AsyncIterator[tuple[str, bytes]]:
        for entry in (await self.files.listing(path)).entries:
            if entry.is_folder:
                yield f"{prefix}{entry.name}/", b""
                async for below in self._walk(entry.path, f"{prefix}{entry.name}/"):
                    yield below
            else:
                yield prefix + entry.name, await self._content(entry)

    async def _content(self, entry: Entry) -> bytes:
        if not entry.size:
            return b""
        async with self.transport.download(
            entry.path,
            ByteRange(0, entry.size),
            version=entry.version,
            size=entry.size,
            pin_version=False,
        ) as download:
            return b"".join([piece async for piece in download.pieces()])


def at(name: str) -> TreePath:
    """The CX path of `a/b.txt`."""
    return TreePath.parse(f"self:/{name}")


@asynccontextmanager
async def session_over(
    transport: httpx.AsyncBaseTransport, token: str | RenewingToken, watch: ConnectionWatch | None = None
) -> AsyncIterator[Session]:
    """A client's session whose pauses between retries are known."""
    renewing = None if isinstance(token, str) else token
    async with open_session(
        URLS,
        renewing or (lambda: str(token)),
        transport=transport,
        jitter=lambda: 0.5,
        on_refused=None if renewing is None else renewing.refused,
        watch=watch,
    ) as session:
        yield session
