"""The call `changes`: what has come about behind a cursor, or a wait for it that holds neither thread nor snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anyio import create_task_group, current_time, move_on_at
from starlette.requests import ClientDisconnect

from cxfs.server.calls import answer
from cxfs.server.errors import BadAuthToken, Refusal
from cxfs.server.feed import News, news
from cxfs.server.grants import bearer_with
from cxfs.server.limits import CHANGES_WAIT_S_MAX
from cxfs.server.trees import owner_number
from cxfs.server.wire import parse_owner_in_url

if TYPE_CHECKING:
    from starlette.responses import Response

    from cxfs.server.calls import Call
    from cxfs.server.database import Connection
    from cxfs.server.store import Store
    from cxfs.server.waits import Waits


class LongPolls:
    """Questions that may wait for their answer."""

    def __init__(self, store: Store, waits: Waits) -> None:
        self._store = store
        self._waits = waits

    async def changes(self, call: Call) -> Response:
        """At once when there is something to tell, when there is no cursor, and when the server is about to stop."""
        owner, asked = parse_owner_in_url(call.rest), await call.parameters()
        cursor, wait_s = asked.text("cursor"), asked.number("timeout", 0)
        assert wait_s is not None
        deadline = current_time() + min(wait_s, CHANGES_WAIT_S_MAX)
        found = await self._news(call, owner, cursor)
        if cursor is None or _tells(found, cursor) or not wait_s:
            return answer(found)
        with self._waits.room(call.caller.number):
            while not (_tells(found, cursor) or self._waits.is_closed or current_time() >= deadline):
                await self._turn(call, owner, found.cursor, deadline)
                found = await self._news(call, owner, cursor)
        return answer(found)

    async def _news(self, call: Call, owner: str, cursor: str | None) -> News:
        """Each time with a look to the rights: the token may have been revoked, the membership taken away."""

        def question(connection: Connection) -> News:
            if bearer_with(connection, call.token_hash).caller != call.caller:
                raise BadAuthToken("the access token is another's now")
            number, _ = owner_number(connection, call.caller, owner)
            return news(connection, number, cursor)

        return await self._store.ask(question, at_one_moment=True)

    async def _turn(self, call: Call, owner: str, cursor: str, deadline: float) -> None:
        """Until there may be more, or the deadline. Raises ClientDisconnect when nobody is there to hear it."""
        number, _ = await self._store.ask(lambda connection: owner_number(connection, call.caller, owner))
        gone = False
        refused: Refusal | None = None  # raised behind the group, which would hide it in a group of exceptions

        async def hear_the_end() -> None:
            nonlocal gone
            await call.body.hear_the_end()
            gone = True
            group.cancel_scope.cancel()

        async with create_task_group() as group:
            group.start_soon(hear_the_end)
            try:
                with move_on_at(deadline):
                    await self._waits.turn(number, int(cursor))
            except Refusal as error:
                refused = error
            group.cancel_scope.cancel()
        if gone:
            raise ClientDisconnect
        if refused is not None:
            raise refused


def _tells(found: News, cursor: str) -> bool:
    return found.cursor != cursor or found.reset
