"""Which address is which page. Knows no page's content."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxfs.server.errors import NotFound
from cxfs.server.pages.browsing import Browsing
from cxfs.server.pages.consent import Consent
from cxfs.server.pages.entrance import Entrance
from cxfs.server.pages.grants import APPS, Grants
from cxfs.server.pages.rendering import ICON, PREFIX, STYLE, Static, see
from cxfs.server.pages.visits import FRONT, SIGN_IN, Visits
from cxfs.server.signing_in import SigningIn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from cxfs.server.calls import Body, Handler, Offload
    from cxfs.server.hashes import Passwords
    from cxfs.server.store import Store
    from cxfs.server.transport import Transport


def pages(
    store: Store, offload: Offload, transport: Transport, passwords: Passwords
) -> dict[str, Mapping[str, Handler]]:
    """Handlers by address and method. An address that ends in a slash takes a path; the last one takes what is left."""
    visits, browsing, grants = Visits(store, offload), Browsing(store, transport), Grants(store, offload)
    consent, entrance = Consent(store, offload), Entrance(store, offload, SigningIn(store, passwords))
    return {
        f"{PREFIX}oauth/authorize": _asked(visits.anyone(consent.ask)) | {"POST": visits.anyone(consent.decide)},
        SIGN_IN: _asked(visits.anyone(entrance.ask)) | {"POST": visits.anyone(entrance.sign_in)},
        f"{PREFIX}sign-out": {"POST": visits.signed_in(entrance.sign_out)},
        APPS: _asked(visits.signed_in(grants.show)) | {"POST": visits.signed_in(grants.revoke)},
        FRONT: _asked(visits.signed_in(browsing.folder)),
        f"{PREFIX}download/": _asked(visits.signed_in(browsing.download)),
        f"{PREFIX}{STYLE.path}": _asked(_unchanging(STYLE)),
        f"{PREFIX}{ICON.path}": _asked(_unchanging(ICON)),
        PREFIX: _asked(_front),
    }


def _asked(handler: Handler) -> dict[str, Handler]:
    return {"GET": handler, "HEAD": handler}


def _unchanging(static: Static) -> Handler:
    async def handler(_request: Request, _body: Body, _rest: bytes) -> Response:
        return static.response

    return handler


async def _front(_request: Request, _body: Body, rest: bytes) -> Response:
    if rest:
        raise NotFound("There is no such page.")
    return see(FRONT)
