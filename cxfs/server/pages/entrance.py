"""Signing in and out. Which password is right is said elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxfs.server import audit
from cxfs.server.attempts import place_of
from cxfs.server.audit import Event
from cxfs.server.calls import Offload, address_of
from cxfs.server.errors import FormRefused, RateLimited, Refusal, SignInRefused
from cxfs.server.forms import url_encoded
from cxfs.server.hashes import new_secret
from cxfs.server.pages.rendering import page, see
from cxfs.server.pages.visits import Visit, keep, ours, sign_in_to
from cxfs.server.sessions import Session, end_session

if TYPE_CHECKING:
    from starlette.responses import Response

    from cxfs.server.signing_in import SigningIn
    from cxfs.server.store import Store


class Entrance:
    """The pages `/mycx/sign-in` and `/mycx/sign-out`."""

    def __init__(self, store: Store, offload: Offload, signing_in: SigningIn) -> None:
        self._store = store
        self._offload = offload
        self._signing_in = signing_in

    async def ask(self, visit: Visit) -> Response:
        """The form; whoever is signed in is sent on."""
        to = _next(visit)
        return self._form(visit, to) if visit.session is None else see(to)

    async def sign_in(self, visit: Visit) -> Response:
        """Lets in and sends on, or shows the form again with what was wrong."""
        to, name = _next(visit), ""
        try:
            fields = await visit.form()
            name = fields.get("name", "")
            address = address_of(visit.request)
            secret = await self._offload.password(
                place_of(address), self._signing_in.sign_in, name, fields.get("password", ""), address
            )
        except (FormRefused, SignInRefused, RateLimited) as refused:
            return self._form(visit, to, refused, name)
        response = see(to)
        keep(response, secret)
        return response

    async def sign_out(self, visit: Visit, session: Session) -> Response:
        """Ends the session; the browser starts afresh."""
        fields = await visit.form()
        await self._offload.change(self._end, visit, session)
        response = see(sign_in_to(ours(fields.get("next"))))
        keep(response, new_secret())
        return response

    def _end(self, visit: Visit, session: Session) -> None:
        with self._store.transaction() as connection:
            end_session(connection, visit.secret)
            audit.note(
                connection,
                Event.SIGNED_OUT,
                now=self._store.clock(),
                user=session.name,
                address=address_of(visit.request),
            )

    def _form(self, visit: Visit, to: str, refused: Refusal | None = None, name: str = "") -> Response:
        response = page(
            "sign_in.html",
            status=200 if refused is None else refused.status,
            headers=None if refused is None else refused.headers,
            session=None,
            form_token=visit.form_token,
            action=sign_in_to(to),
            name=name,
            error=None if refused is None else str(refused),
        )
        keep(response, visit.secret)
        return response


def _next(visit: Visit) -> str:
    """Where to go from here."""
    return ours(url_encoded(visit.request.scope["query_string"]).get("next"))
