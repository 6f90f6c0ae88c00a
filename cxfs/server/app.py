"""The application: which address is which call, and what becomes of an error. Knows no host, port or certificate."""

from __future__ import annotations

import logging
import re
from functools import partial
from typing import TYPE_CHECKING, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match

from cxfs.server.api import Api
from cxfs.server.bundles import Bundles
from cxfs.server.calls import Announced, Body, Endpoint, Handler, InThreads, Offload, afterwards, refusal, understand
from cxfs.server.errors import Internal, MethodNotAllowed, NotFound, Refusal
from cxfs.server.grants import Bearer, note_use
from cxfs.server.hashes import Passwords
from cxfs.server.long_polls import LongPolls
from cxfs.server.oauth import OAuth
from cxfs.server.pages.addresses import pages
from cxfs.server.pages.rendering import PREFIX, error_page
from cxfs.server.transport import Transport
from cxfs.server.waits import Waits

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.types import Receive, Scope, Send

    from cxfs.server.commits import Commits
    from cxfs.server.store import Store

log = logging.getLogger(__name__)

AUTHORITY_ADDRESS: Final = f"{PREFIX}ca.pem"

_LENGTH: Final = re.compile(r"[0-9]{1,19}")


class CallRoute(BaseRoute):
    """An address by the bytes of the request line. Starlette's own routes see `%2F` as `/`, and no newline."""

    def __init__(self, address: str, handlers: Mapping[str, Handler]) -> None:
        self.address = address
        self.methods = frozenset(handlers)
        self._address = address.encode("ascii")
        self._takes_path = address.endswith("/")
        self._handlers = handlers

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """By prefix where a path follows, else exactly."""
        raw: bytes = scope.get("raw_path", b"")
        found = raw.startswith(self._address) if self._takes_path else raw == self._address
        return (Match.FULL if found and scope["type"] == "http" else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, or raises a Refusal for the application to show."""
        request = Request(scope)
        handler = self._handlers.get(request.method)
        if handler is None:
            raise MethodNotAllowed(
                f"this call takes {' or '.join(self._handlers)}", headers={"Allow": ", ".join(self._handlers)}
            )
        declared = request.headers.get("content-length", "")
        body = Body(receive, int(declared) if _LENGTH.fullmatch(declared) else None)
        try:
            response = await handler(request, body, scope["raw_path"][len(self._address) :])
        except Refusal:
            await body.drain()
            raise
        await response(scope, receive, send)


def make_app(
    store: Store,
    *,
    offload: Offload | None = None,
    passwords: Passwords | None = None,
    authority: bytes | None = None,
    commits: Commits | None = None,
) -> Starlette:
    """The whole server, for any event loop that anyio knows. The open store stays the caller's to close.

    `authority` is the certificate, as PEM, of the server's own CA, where it has one. `app.state.waits` is to be closed
    before the server stops: requests may be waiting for changes.
    """
    commits = commits or store.database.commits()
    waits = Waits(store.database, commits)
    announced = Announced(offload or InThreads(), commits.ring)
    app = Starlette(
        routes=_routes(store, announced, passwords or Passwords(), authority, LongPolls(store, waits)),
        exception_handlers={
            Refusal: _on_refusal,
            HTTPException: _on_http_error,
            ClientDisconnect: _on_disconnect,
            Exception: _on_bug,
        },
    )
    app.state.waits = waits
    app.router.redirect_slashes = False  # a redirect would repeat the address, and the token with it
    return app


def _routes(
    store: Store, offload: Offload, passwords: Passwords, authority: bytes | None, polls: LongPolls
) -> list[BaseRoute]:
    """In the order of how often they are asked."""
    api, transport, oauth = Api(store, offload), Transport(store, offload), OAuth(store, offload)
    bundles = Bundles(store, offload)

    signed_in = partial(_signed_in, store, offload)

    def asked(address: str, endpoint: Endpoint) -> CallRoute:
        return CallRoute(address, {"GET": signed_in(endpoint), "HEAD": signed_in(endpoint)})

    def told(address: str, endpoint: Endpoint) -> CallRoute:
        return CallRoute(address, {"POST": signed_in(endpoint)})

    download = signed_in(transport.download)
    return [
        CallRoute("/1/data/", {"GET": download, "HEAD": download, "POST": signed_in(transport.upload)}),
        told("/1/bundle/get", bundles.get),
        told("/1/bundle/put", bundles.put),
        told("/1/bundle/delete", bundles.delete),
        asked("/1/files/list/", api.list),
        asked("/1/files/info/", api.about),
        told("/1/files/mkdir/", api.mkdir),
        told("/1/files/delete/", api.delete),
        told("/1/files/move/", api.move),
        told("/1/files/copy/", api.copy),
        told("/1/files/update/", api.update),
        asked("/1/files/versions/", api.versions),
        asked("/1/files/changes/", polls.changes),
        asked("/1/users/self", api.profile),
        asked("/1/users/self/groups", api.groups),
        CallRoute("/1/oauth/token", {"POST": _anyone(oauth.token)}),
        CallRoute("/1/capabilities", {"GET": _anyone(api.capabilities)}),
        *([] if authority is None else [CallRoute(AUTHORITY_ADDRESS, {"GET": _anyone(_authority(authority))})]),
        *(CallRoute(address, handlers) for address, handlers in pages(store, offload, transport, passwords).items()),
    ]


def _signed_in(store: Store, offload: Offload, endpoint: Endpoint) -> Handler:
    """For a call with a token, of which the use is noted once a day."""

    async def handler(request: Request, body: Body, rest: bytes) -> Response:
        call, bearer = await understand(store, request, body, rest)
        response = await endpoint(call)
        now = store.clock()
        if bearer.is_first_on_its_day(now):
            afterwards(response, offload, lambda: _note_use(store, bearer, now))
        return response

    return handler


def _anyone(endpoint: Callable[[Request, Body], Awaitable[Response]]) -> Handler:
    """For a call without one."""

    async def handler(request: Request, body: Body, _rest: bytes) -> Response:
        return await endpoint(request, body)

    return handler


def _authority(certificate: bytes) -> Callable[[Request, Body], Awaitable[Response]]:
    async def endpoint(_request: Request, _body: Body) -> Response:
        return Response(certificate, media_type="application/x-pem-file")

    return endpoint


def _note_use(store: Store, bearer: Bearer, now: int) -> None:
    with store.transaction() as connection:
        note_use(connection, bearer, now)


def _show(request: Request, refused: Refusal) -> Response:
    """A person gets a page, a program JSON."""
    return error_page(refused) if request.scope["raw_path"].startswith(PREFIX.encode()) else refusal(refused)


async def _on_refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return _show(request, error)


async def _on_http_error(_request: Request, _error: Exception) -> Response:
    """The one that the router itself raises: no such address."""
    return refusal(NotFound("there is no such call"))


async def _on_disconnect(_request: Request, _error: Exception) -> Response:
    """Nobody is there to read it."""
    return Response(status_code=400)


async def _on_bug(request: Request, error: Exception) -> Response:
    """The traceback names code, not values, and the address stays out of it: it holds the token."""
    log.error("a bug behind %s", request.method, exc_info=error)
    return _show(request, Internal("the server failed; the fault is on its side"))
