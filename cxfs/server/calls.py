"""A request understood and an answer written: who calls, which path, which parameters. Knows nothing of files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, Self, TypeVar

import msgspec
from anyio import CapacityLimiter, move_on_after, to_thread
from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from cxfs.server.errors import HeadersTooLarge, InvalidRequest, RateLimited, Refusal, RequestTooLarge, Unavailable
from cxfs.server.forms import fields_of, url_encoded
from cxfs.server.grants import Bearer, bearer_of
from cxfs.server.limits import (
    BODY_BYTES_MAX,
    DRAIN_BYTES_MAX,
    DRAIN_TIMEOUT_S,
    HEAD_BYTES_MAX,
    NUMBER_MAX,
    PASSWORDS_IN_HAND_MAX,
    PASSWORDS_OF_A_PLACE_MAX,
    THREADS_FOR_BUCKET,
    THREADS_FOR_CHANGES,
    THREADS_FOR_CONTENT,
    THREADS_FOR_PASSWORDS,
)
from cxfs.server.wire import TreePath, UuidPath, parse_path, parse_path_in_url

if TYPE_CHECKING:
    from starlette.types import Receive

    from cxfs.server.accounts import Caller
    from cxfs.server.store import Store

P = ParamSpec("P")
R = TypeVar("R")

_FLAGS = {"true": True, "1": True, "false": False, "0": False}
_encode = msgspec.json.Encoder().encode


class Offload(Protocol):
    """How blocking work leaves the event loop."""

    async def content(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Writes or reads bytes of content."""
        ...

    async def far(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Writes or reads bytes of content that are kept on the other side of a network."""
        ...

    async def change(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Makes one change, durably; waits for its turn."""
        ...

    async def password(self, place: str, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Compares a password from that place: slow on purpose. Raises RateLimited when too many wait for it."""
        ...


class InThreads:
    """The server's way. A limit for each kind: changes that wait for their turn do not keep bytes from arriving."""

    def __init__(self) -> None:
        self._content = CapacityLimiter(THREADS_FOR_CONTENT)
        self._far = CapacityLimiter(THREADS_FOR_BUCKET)
        self._change = CapacityLimiter(THREADS_FOR_CHANGES)
        self._password = CapacityLimiter(THREADS_FOR_PASSWORDS)
        self._in_hand: Counter[str] = Counter()

    async def content(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """In a thread; a cancelled caller waits for it, because the piece belongs to a file that is then removed."""
        return await to_thread.run_sync(lambda: function(*args, **kwargs), limiter=self._content)

    async def far(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """In a thread; as `content`."""
        return await to_thread.run_sync(lambda: function(*args, **kwargs), limiter=self._far)

    async def change(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """In a thread; a cancelled caller waits for it, because half a change does not exist."""
        return await to_thread.run_sync(lambda: function(*args, **kwargs), limiter=self._change)

    async def password(self, place: str, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """In a thread. One place cannot have the queue to itself; between the look at it and joining it is no await."""
        if self._in_hand[place] >= PASSWORDS_OF_A_PLACE_MAX or self._in_hand.total() >= PASSWORDS_IN_HAND_MAX:
            raise RateLimited("Too many are signing in at this moment. Try again in a second.", wait_s=1)
        self._in_hand[place] += 1
        try:
            return await to_thread.run_sync(lambda: function(*args, **kwargs), limiter=self._password)
        finally:
            self._in_hand[place] -= 1
            self._in_hand += Counter()  # forgets places at zero


class InPlace:
    """On the event loop itself: for tests under a fake clock, which would run away while a thread works."""

    async def content(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Now."""
        return function(*args, **kwargs)

    async def far(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Now."""
        return function(*args, **kwargs)

    async def change(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Now."""
        return function(*args, **kwargs)

    async def password(self, place: str, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Now."""
        return function(*args, **kwargs)


class Announced:
    """Another way to the threads, with a word to those who wait for changes when one has been made."""

    def __init__(self, offload: Offload, announce: Callable[[], None]) -> None:
        self.content = offload.content
        self.far = offload.far
        self.password = offload.password
        self._change = offload.change
        self._announce = announce

    async def change(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Also announced when the caller was cancelled: it is made all the same."""
        try:
            return await self._change(function, *args, **kwargs)
        finally:
            self._announce()


class Parameters:
    """What a call was told, in its query or its body (the body wins). Names that nobody asks for are ignored."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def text(self, name: str) -> str | None:
        """As it came."""
        return self._values.get(name)

    def required(self, name: str) -> str:
        """Raises InvalidRequest when it is missing."""
        value = self._values.get(name)
        if value is None:
            raise InvalidRequest(f"the parameter {name!r} is missing")
        return value

    def number(self, name: str, default: int | None = None) -> int | None:
        """A whole number, 0 or more."""
        value = self._values.get(name)
        if value is None:
            return default
        if not (
            value.isascii() and value.isdigit() and len(value) <= len(str(NUMBER_MAX)) and int(value) <= NUMBER_MAX
        ):
            raise InvalidRequest(f"{name!r} is a whole number, 0 or more")
        return int(value)

    def flag(self, name: str, *, default: bool) -> bool:
        """`true` or `false`."""
        value = self._values.get(name)
        if value is None:
            return default
        if value.lower() not in _FLAGS:
            raise InvalidRequest(f"{name!r} is true or false")
        return _FLAGS[value.lower()]

    def choice(self, name: str, allowed: frozenset[str], default: str) -> str:
        """One of some words."""
        value = self._values.get(name, default)
        if value not in allowed:
            raise InvalidRequest(f"{name!r} is one of {', '.join(sorted(allowed))}")
        return value

    def path(self, name: str) -> TreePath | UuidPath:
        """A path, decoded by the form already."""
        return parse_path(self.required(name))


class Body:
    """A request's body as it arrives; raises ClientDisconnect. No generator: it may be left half-way."""

    def __init__(self, receive: Receive, declared_bytes: int | None) -> None:
        self.declared_bytes = declared_bytes
        self._receive = receive
        self._more = True

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if not self._more:
            raise StopAsyncIteration
        message = await self._receive()
        self._more = message.get("more_body", False)
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk: bytes = message.get("body", b"")
        return chunk

    async def hear_the_end(self) -> None:
        """Returns when nobody is there any more to read an answer."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def drain(self) -> None:
        """Reads the rest of a refused body, if it is short: a client that is still sending may miss the answer."""
        left = DRAIN_BYTES_MAX
        if (self.declared_bytes or 0) > left:
            return
        with move_on_after(DRAIN_TIMEOUT_S), suppress(ClientDisconnect):
            async for chunk in self:
                left -= len(chunk)
                if left < 0:
                    break


@dataclass(frozen=True, slots=True)
class Call:
    """An authenticated request. `rest` is what follows the call's name in the address, still percent-encoded.

    `token_hash` is there for a call that takes its time: whether the token is still good.
    """

    request: Request
    body: Body
    caller: Caller
    query: dict[str, str]
    rest: bytes
    token_hash: bytes = b""

    @property
    def path(self) -> TreePath | UuidPath:
        """The path in the address."""
        return parse_path_in_url(self.rest)

    def owners(self, *paths: TreePath | UuidPath) -> set[str]:
        """Whose trees a change of what is there is about, whether there are such owners or not."""
        return {self.caller.id if path.owner == "self" else path.owner for path in paths}

    async def parameters(self, bytes_max: int = BODY_BYTES_MAX) -> Parameters:
        """Of query and body together. Reads the body, so once a call."""
        return Parameters(self.query | await short_form(self.request, self.body, bytes_max))


Handler = Callable[[Request, Body, bytes], Awaitable[Response]]
"""How an address answers: the request, its body, and what follows the address."""

Endpoint = Callable[[Call], Awaitable[Response]]


async def understand(store: Store, request: Request, body: Body, rest: bytes) -> tuple[Call, Bearer]:
    """Who calls. Raises HeadersTooLarge, BadAuthToken, SuspendedAccount. The token goes no further than this."""
    check_head(request)
    query = url_encoded(request.scope["query_string"])
    token = query.pop("access_token", "")
    bearer = await store.ask(lambda connection: bearer_of(connection, token))
    return Call(request, body, bearer.caller, query, rest, bearer.token_hash), bearer


def afterwards(response: Response, offload: Offload, change: Callable[[], None]) -> None:
    """A change that nobody waits for, made when the answer has been sent, and left out while the tables are busy."""

    def attempt() -> None:
        with suppress(Unavailable):
            change()

    response.background = BackgroundTask(offload.change, attempt)


def address_of(request: Request) -> str:
    """The other end of the connection. What a proxy says of it is not asked: anyone can say it."""
    return request.client.host if request.client else ""


def check_head(request: Request) -> None:
    """Raises HeadersTooLarge."""
    scope = request.scope
    size = len(scope["raw_path"]) + len(scope["query_string"])
    if size + sum(len(name) + len(value) for name, value in scope["headers"]) > HEAD_BYTES_MAX:
        raise HeadersTooLarge(f"request line and headers are over {HEAD_BYTES_MAX} bytes")


async def short_form(request: Request, body: Body, bytes_max: int = BODY_BYTES_MAX) -> dict[str, str]:
    """The fields of a body of at most so many bytes; raises RequestTooLarge, InvalidRequest."""
    return fields_of(request.headers.get("content-type", ""), await whole(body, bytes_max))


async def whole(body: Body, bytes_max: int) -> bytes:
    """All of it; raises RequestTooLarge."""
    read = bytearray()
    async for chunk in body:
        read += chunk
        if len(read) > bytes_max:
            raise RequestTooLarge(f"the body is over {bytes_max} bytes")
    return bytes(read)


def answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON object."""
    return Response(_encode(value), status, headers, "application/json")


def refusal(refused: Refusal) -> Response:
    """A JSON error object."""
    return answer(error_object(refused), refused.status, refused.headers)


def error_object(refused: Refusal) -> dict[str, str]:
    """What the contract says of an error."""
    return {"errorType": refused.error_type, "message": str(refused)}
