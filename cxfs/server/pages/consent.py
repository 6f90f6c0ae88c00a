"""May this application have access? Steps 1 and 2 of the authorization. Makes the code; exchanges none.

Asked each time. A program on somebody's machine cannot keep its client secret from the other programs there: had the
answer been remembered, any of them could fetch a token of its own unseen (RFC 8252, 8.6).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from cxfs.server import audit
from cxfs.server.applications import Application, find_app
from cxfs.server.audit import Event
from cxfs.server.calls import Offload, Parameters, address_of
from cxfs.server.errors import InvalidRequest
from cxfs.server.forms import url_encoded
from cxfs.server.grants import add_code
from cxfs.server.limits import AUTHORIZE_QUERY_BYTES_MAX
from cxfs.server.pages.rendering import page, see
from cxfs.server.pages.visits import Visit, sign_in_first
from cxfs.server.redirects import form_action, host_of, is_on_this_machine, is_registered, with_answer

if TYPE_CHECKING:
    from starlette.responses import Response

    from cxfs.server.database import Connection
    from cxfs.server.sessions import Session
    from cxfs.server.store import Store

_DECISIONS: Final = frozenset({"approve", "deny"})


class Asked(NamedTuple):
    """What an application sent the browser for. The redirect URI is one that it has registered."""

    app: Application
    redirect_uri: str
    state: str | None

    def answered(self, **answer: str) -> str:
        """The address to send the browser back to."""
        return with_answer(self.redirect_uri, answer | ({} if self.state is None else {"state": self.state}))


class Consent:
    """The page `/mycx/oauth/authorize`."""

    def __init__(self, store: Store, offload: Offload) -> None:
        self._store = store
        self._offload = offload

    async def ask(self, visit: Visit) -> Response:
        """Who asks, for whom, and for what."""
        asked = await self._store.ask(partial(_asked, visit=visit))
        if visit.session is None:
            return sign_in_first(visit)
        return page(
            "consent.html",
            form_action=form_action(asked.redirect_uri),
            session=visit.session,
            form_token=visit.form_token,
            here=visit.here,
            app=asked.app,
            host=host_of(asked.redirect_uri),
            is_local=is_on_this_machine(asked.redirect_uri),
        )

    async def decide(self, visit: Visit) -> Response:
        """Sends the browser back with a code, or with the refusal."""
        asked = await self._store.ask(partial(_asked, visit=visit))
        if visit.session is None:
            return sign_in_first(visit)
        decision = Parameters(await visit.form()).choice("decision", _DECISIONS, "")
        if decision == "deny":
            await self._offload.change(self._note, visit, visit.session, asked)
            return see(asked.answered(deny="true"))
        code = await self._offload.change(self._grant, visit, visit.session, asked)
        return see(asked.answered(auth_code=code))

    def _grant(self, visit: Visit, session: Session, asked: Asked) -> str:
        with self._store.transaction() as connection:
            now = self._store.clock()
            self._audit(connection, Event.GRANTED, visit, session, asked)
            return add_code(
                connection,
                app=asked.app.number,
                user=session.caller.number,
                redirect_uri=asked.redirect_uri,
                now=now,
            )

    def _note(self, visit: Visit, session: Session, asked: Asked) -> None:
        with self._store.transaction() as connection:
            self._audit(connection, Event.DENIED, visit, session, asked)

    def _audit(self, connection: Connection, event: Event, visit: Visit, session: Session, asked: Asked) -> None:
        audit.note(
            connection,
            event,
            now=self._store.clock(),
            user=session.name,
            app=asked.app.name,
            address=address_of(visit.request),
        )


def _asked(connection: Connection, visit: Visit) -> Asked:
    """Raises InvalidRequest, which is shown and never redirected: the address to go to is what is in doubt."""
    query = visit.request.scope["query_string"]
    if len(query) > AUTHORIZE_QUERY_BYTES_MAX:
        raise InvalidRequest("The application asks with an address that is too long.")
    parameters = url_encoded(query)
    app = find_app(connection, parameters.get("client_id", ""))
    if app is None:
        raise InvalidRequest("This server does not know the application that sent you here.")
    redirect_uri = parameters.get("redirect_uri", "")
    if not is_registered(redirect_uri, app.redirect_uris):
        raise InvalidRequest(f"The application {app.name} wants the answer sent to an address it has not registered.")
    return Asked(app, redirect_uri, parameters.get("state"))
