"""The httpx client of a lane, and those before it that still have requests under way. Sends nothing.

A client is given up with all its idle connections when one of them proved dead: the others are as old. Requests that
are under way on it come to their end there, and with the last of them it is closed.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import trio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    import httpx

CLOSE_S: Final = 5.0
"""What giving a connection back may take, even for a task that is being cancelled."""


class Turnover:
    """Clients made by `make`, one in use at a time. Close it at the end, when no request is under way."""

    def __init__(self, make: Callable[[], httpx.AsyncClient]) -> None:
        self._make = make
        self._current = make()
        self._requests: dict[httpx.AsyncClient, int] = {}

    @asynccontextmanager
    async def client(self) -> AsyncIterator[httpx.AsyncClient]:
        """The one that is in use, for one request: it stays open for the length of the block."""
        client = self._current
        self._requests[client] = self._requests.get(client, 0) + 1
        try:
            yield client
        finally:
            self._requests[client] -= 1
            if not self._requests[client]:
                del self._requests[client]
                if client is not self._current:
                    with trio.move_on_after(CLOSE_S, shield=True):
                        await client.aclose()

    def give_up(self, client: httpx.AsyncClient) -> None:
        """Within its block: the next request goes over another one. No await: it finds either whole."""
        if client is self._current:
            self._current = self._make()

    async def aclose(self) -> None:
        """Closes the connections."""
        for client in {*self._requests, self._current}:
            await client.aclose()
