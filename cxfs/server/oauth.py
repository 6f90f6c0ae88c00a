"""The token endpoint: an access token for an authorization code. How people come to give a code is not its matter."""

from __future__ import annotations

from base64 import b64decode
from functools import partial
from typing import TYPE_CHECKING

from cxfs.server import audit
from cxfs.server.accounts import name_of
from cxfs.server.applications import CHALLENGE, Application, app_with_secret
from cxfs.server.audit import Event
from cxfs.server.calls import Body, Offload, Parameters, address_of, answer, check_head, short_form
from cxfs.server.errors import InvalidClient, InvalidGrant, InvalidRequest
from cxfs.server.grants import exchange_code

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from cxfs.server.store import Store


class OAuth:
    """The call `POST /1/oauth/token`."""

    def __init__(self, store: Store, offload: Offload) -> None:
        self._store = store
        self._offload = offload

    async def token(self, request: Request, body: Body) -> Response:
        """Spends the code and answers with a new token, which this server cannot show again."""
        check_head(request)
        client_id, secret = _basic(request.headers.get("authorization", ""))
        asked = Parameters(await short_form(request, body))
        app = await self._store.ask(partial(app_with_secret, client_id=client_id, secret=secret))
        if asked.required("grant_type") != "authorization_code":
            raise InvalidRequest("the only 'grant_type' is authorization_code")
        code, redirect_uri = asked.required("code"), asked.required("redirect_uri")
        token = await self._offload.change(self._exchange, app, code, redirect_uri, address_of(request))
        return answer(
            {"return_type": "json", "access_token": token, "token_type": "bearer", "mapi": client_id},
            headers={"Cache-Control": "no-store"},
        )

    def _exchange(self, app: Application, code: str, redirect_uri: str, address: str) -> str:
        now = self._store.clock()
        with self._store.transaction() as connection:
            found = exchange_code(connection, code, app=app.number, redirect_uri=redirect_uri, now=now)
            user = "" if found.user is None else name_of(connection, found.user)
            event = Event.TOKEN_ISSUED if found.token else Event.REVOKED if user else Event.CODE_REFUSED
            audit.note(connection, event, now=now, user=user, app=app.name, address=address)
        if found.token is None:
            raise InvalidGrant(
                "the code is unknown, used or expired, or was made for another application or redirect URI"
            )
        return found.token


def _basic(header: str) -> tuple[str, str]:
    """Client id and secret (RFC 7617); raises InvalidClient."""
    scheme, _, encoded = header.partition(" ")
    try:
        client_id, colon, secret = b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")
    except ValueError:  # not ASCII, not base64, or not UTF-8 in it
        colon = client_id = secret = ""
    if scheme.lower() != "basic" or not colon:
        raise InvalidClient("the application names itself by Authorization: Basic", headers=CHALLENGE)
    return client_id, secret
