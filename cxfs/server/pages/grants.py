"""Which applications have access, and taking it back."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from cxfs.server import audit, grants
from cxfs.server.audit import Event
from cxfs.server.calls import Offload, Parameters, address_of
from cxfs.server.errors import NotFound
from cxfs.server.pages.rendering import PREFIX, page, see

if TYPE_CHECKING:
    from starlette.responses import Response

    from cxfs.server.grants import Grant
    from cxfs.server.pages.visits import Visit
    from cxfs.server.sessions import Session
    from cxfs.server.store import Store

APPS: Final = f"{PREFIX}apps"


class Grants:
    """The page `/mycx/apps`."""

    def __init__(self, store: Store, offload: Offload) -> None:
        self._store = store
        self._offload = offload

    async def show(self, visit: Visit, session: Session) -> Response:
        """Each application that has a token, since when, and when it was last used."""
        return page(
            "apps.html",
            session=session,
            form_token=visit.form_token,
            grants=await self._store.ask(partial(grants.grants_of, user=session.caller.number)),
            revoked=visit.request.scope["query_string"] == b"revoked",
        )

    async def revoke(self, visit: Visit, session: Session) -> Response:
        """Ends an application's access at once. An empty client id stands for the tokens that the host has made."""
        client_id = Parameters(await visit.form()).required("app")
        await self._offload.change(self._revoke, visit, session, client_id)
        return see(f"{APPS}?revoked")

    def _revoke(self, visit: Visit, session: Session, client_id: str) -> None:
        user = session.caller.number
        with self._store.transaction() as connection:
            found: Grant | None = next(
                (grant for grant in grants.grants_of(connection, user) if grant.client_id == client_id), None
            )
            if found is None:
                raise NotFound("This application has no access to your account (any more).")
            grants.revoke(connection, user, found.app)
            audit.note(
                connection,
                Event.REVOKED,
                now=self._store.clock(),
                user=session.name,
                app=found.name,
                address=address_of(visit.request),
            )
