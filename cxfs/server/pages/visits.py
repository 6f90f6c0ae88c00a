"""Who is at the browser, and whether a form came from a page of ours in it. Knows no page.

A browser is known by one cookie. Before signing in it holds a random value that is kept nowhere and makes the forms of
this browser recognisable; signing in replaces it with the secret of a session, so that a value somebody planted before
is worth nothing after.

The cookie is Secure always: over `--insecure` too, which is on loopback only, where browsers take it. SameSite=Lax,
because a person comes to the consent page by a link of the application's.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from starlette.responses import Response

from cxfs.server.calls import Body, Handler, Offload, afterwards, check_head, short_form
from cxfs.server.errors import FormRefused
from cxfs.server.hashes import SECRET_CHARACTERS, equal, form_token, new_secret
from cxfs.server.pages.rendering import PREFIX, see
from cxfs.server.sessions import Session, find_session, note_seen

if TYPE_CHECKING:
    from starlette.requests import Request

    from cxfs.server.store import Store

COOKIE: Final = "__Host-cx"
SIGN_IN: Final = f"{PREFIX}sign-in"
FRONT: Final = f"{PREFIX}files/"

_SECRET: Final = re.compile(rf"[A-Za-z0-9_-]{{{SECRET_CHARACTERS}}}")
_OURS: Final = re.compile(rf"{PREFIX}[!-~]{{0,16384}}")


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of a browser. `secret` is its cookie's, or a new one; `rest` is what follows the page's address."""

    request: Request
    body: Body
    rest: bytes
    secret: str
    session: Session | None

    @property
    def here(self) -> str:
        """This very address, without the host."""
        path: bytes = self.request.scope["raw_path"]
        query: bytes = self.request.scope["query_string"]
        return (path + (b"?" + query if query else b"")).decode("ascii", "replace")

    @property
    def form_token(self) -> str:
        """What the forms of this browser carry."""
        return form_token(self.secret)

    async def form(self) -> dict[str, str]:
        """The fields of the form in the body. Raises FormRefused for one that no page of ours in this browser sent."""
        _check_origin(self.request)
        fields = await short_form(self.request, self.body)
        if not equal(fields.get("form_token", "").encode(), self.form_token.encode()):
            raise FormRefused("This page was open for too long, or the browser does not keep cookies. Try again.")
        return fields


Page = Callable[[Visit], Awaitable[Response]]
SignedInPage = Callable[[Visit, Session], Awaitable[Response]]


class Visits:
    """Makes pages answer requests."""

    def __init__(self, store: Store, offload: Offload) -> None:
        self._store = store
        self._offload = offload

    def anyone(self, page: Page) -> Handler:
        """For a page that needs nobody to be signed in."""

        async def handler(request: Request, body: Body, rest: bytes) -> Response:
            return await page(await self._visit(request, body, rest))

        return handler

    def signed_in(self, page: SignedInPage) -> Handler:
        """For a page of one's own: whoever is not signed in is asked to, and comes back."""

        async def handler(request: Request, body: Body, rest: bytes) -> Response:
            visit = await self._visit(request, body, rest)
            if visit.session is None:
                return sign_in_first(visit)
            response = await page(visit, visit.session)
            now = self._store.clock()
            if visit.session.is_seen_anew(now):
                afterwards(response, self._offload, lambda: self._note_seen(visit.secret, now))
            return response

        return handler

    async def _visit(self, request: Request, body: Body, rest: bytes) -> Visit:
        check_head(request)
        secret = request.cookies.get(COOKIE, "")
        if _SECRET.fullmatch(secret) is None:
            return Visit(request, body, rest, new_secret(), None)
        found = await self._store.ask(partial(find_session, secret=secret, now=self._store.clock()))
        return Visit(request, body, rest, secret, found)

    def _note_seen(self, secret: str, now: int) -> None:
        with self._store.transaction() as connection:
            note_seen(connection, secret, now)


def sign_in_to(address: str) -> str:
    """The sign-in page, which leads on to this address."""
    return f"{SIGN_IN}?next={quote(address, safe='')}"


def sign_in_first(visit: Visit) -> Response:
    """To the sign-in page, and from there to where the visit is now."""
    return see(sign_in_to(visit.here))


def ours(address: str | None) -> str:
    """The address, if it is a page of ours; else the front page. So nobody is sent elsewhere by a link to us."""
    return address if address is not None and _OURS.fullmatch(address) else FRONT


def keep(response: Response, secret: str) -> None:
    """The browser is known by this secret from now on, until it is closed."""
    response.set_cookie(COOKIE, secret, path="/", secure=True, httponly=True, samesite="lax")


def _check_origin(request: Request) -> None:
    """Raises FormRefused when the browser says that the form is another site's.

    Our pages send no referrer, so browsers that know `Sec-Fetch-Site` say `Origin: null` beside it. Who sends neither
    header (a browser for the terminal) is held to the token alone.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    host = request.headers.get("host", "")
    own = {f"{request.url.scheme}://{host}", f"https://{host}"}  # the second: behind a proxy that ends TLS
    if (site is not None and site != "same-origin") or not (
        origin is None or origin in own or (origin == "null" and site == "same-origin")
    ):
        raise FormRefused("This form came from another site. Open the page again and use its own form.")
