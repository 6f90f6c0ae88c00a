"""Answers with what is known where core's policy says so, and else asks the server. Knows neither names nor nodes."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol, TypeVar

import trio

from cxfs.core.connection import State
from cxfs.core.errors import CxfsError
from cxfs.core.freshness import STALE_S, Course, course, leaves_open

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractContextManager

log = logging.getLogger(__name__)

T = TypeVar("T")


class Connection(Protocol):
    """Whether the server can be had."""

    @property
    def state(self) -> State:
        """Of this moment."""
        ...

    def require(self) -> None:
        """Raises Offline or SignedOut where no call would be answered."""
        ...

    def worth_waiting(self, scope: trio.CancelScope) -> AbstractContextManager[None]:
        """Cancels the scope when the server is found not to answer."""
        ...


class Freshness:
    """Of one mount. `patience_s`: how long the server is waited for where something older is known."""

    def __init__(self, connection: Connection, *, patience_s: float) -> None:
        self._connection = connection
        self._patience_s = patience_s

    @property
    def stale_s(self) -> float:
        """For how many seconds an answer that has outlived its time may be believed."""
        return 0.0 if self.asks else STALE_S

    @property
    def asks(self) -> bool:
        """Whether there is a server that answers."""
        return self._connection.state is State.ONLINE

    def require(self) -> None:
        """Raises Offline or SignedOut where waiting for the server would be for nothing."""
        self._connection.require()

    async def best(self, known: T | None, ask: Callable[[], Awaitable[T]]) -> T:
        """The server's answer, or what is `known` where it gives none. Raises what the server says to the question."""
        if known is None:
            return await ask()
        if course(self._connection.state, is_known=True) is Course.BELIEVE:
            return known
        with trio.move_on_after(self._patience_s) as scope, self._connection.worth_waiting(scope):
            try:
                return await ask()
            except CxfsError as error:
                if not leaves_open(error):
                    raise
                log.debug("answered with what was known: %s", error)
        return known
