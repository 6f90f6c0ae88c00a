"""A desktop for tests: a session bus of its own, and who shows notifications there."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Self

import trio
from jeepney import (  # type: ignore[import-untyped]
    HeaderFields,
    MessageType,
    message_bus,
    new_error,
    new_method_return,
)
from jeepney.io.trio import DBusConnection, open_dbus_connection  # type: ignore[import-untyped]

from cxfs.upkeep.notifications import DESKTOP
from tests.upkeep.buses import private_bus

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractContextManager
    from pathlib import Path


def session_bus(folder: Path) -> AbstractContextManager[str]:
    """A bus of its own, and its address."""
    return private_bus(folder, "session")


class Desktop:
    """It notes what it is asked to show, and can refuse to."""

    def __init__(self, connection: DBusConnection, abilities: list[str]) -> None:
        self._connection = connection
        self._abilities = abilities
        self.shown: list[tuple[Any, ...]] = []
        self.refused = 0
        self.refuses = False

    @classmethod
    @asynccontextmanager
    async def on(cls, address: str, *abilities: str) -> AsyncIterator[Self]:
        """The bus at this address."""
        async with await open_dbus_connection(address) as connection:
            async with connection.router() as router:
                await router.send_and_get_reply(message_bus.RequestName(DESKTOP.bus_name))
            desktop = cls(connection, list(abilities))
            async with trio.open_nursery() as nursery:
                nursery.start_soon(desktop._serve)
                yield desktop
                nursery.cancel_scope.cancel()

    async def _serve(self) -> None:
        while True:
            message = await self._connection.receive()
            if message.header.message_type is MessageType.method_call:
                await self._connection.send(self._answer(message))

    def _answer(self, message: Any) -> Any:
        if message.header.fields[HeaderFields.member] == "GetCapabilities":
            return new_method_return(message, "as", (self._abilities,))
        if self.refuses:
            self.refused += 1
            return new_error(message, "org.freedesktop.DBus.Error.LimitsExceeded")
        self.shown.append(message.body)
        return new_method_return(message, "u", (message.body[1] or len(self.shown),))

    async def has_shown(self, count: int) -> None:
        """Returns when so many were shown so far."""
        with trio.fail_after(30):
            while len(self.shown) < count:  # noqa: ASYNC110 - another program's doing
                await trio.sleep(0.01)
