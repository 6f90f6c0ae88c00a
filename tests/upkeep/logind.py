"""A logind for tests: it hands out locks, announces sleep, and knows which locks are still held."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Self

import trio
from jeepney import (  # type: ignore[import-untyped]
    DBusAddress,
    HeaderFields,
    MessageType,
    message_bus,
    new_error,
    new_method_return,
    new_signal,
)
from jeepney.io.trio import DBusConnection, open_dbus_connection  # type: ignore[import-untyped]

from cxfs.upkeep.sleep import LOGIND
from tests.upkeep.buses import private_bus

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractContextManager
    from pathlib import Path


def system_bus(folder: Path) -> AbstractContextManager[str]:
    """A bus of its own, and its address."""
    return private_bus(folder, "system")


class Logind:
    """It owns logind's name on the bus for the length of `on`."""

    def __init__(self, connection: DBusConnection, delay_s: float) -> None:
        self._connection = connection
        self._delay_s = delay_s
        self._locks: list[int] = []
        self.asked: list[tuple[str, ...]] = []
        self.refuses = False

    @classmethod
    @asynccontextmanager
    async def on(cls, address: str, *, delay_s: float) -> AsyncIterator[Self]:
        """The bus at this address."""
        os.environ["DBUS_SESSION_BUS_ADDRESS"] = address
        connection = await open_dbus_connection("SESSION", enable_fds=True)
        async with connection:
            async with connection.router() as router:
                await router.send_and_get_reply(message_bus.RequestName(LOGIND.bus_name))
            machine = cls(connection, delay_s)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(machine._serve)
                yield machine
                nursery.cancel_scope.cancel()
        for reading in machine._locks:
            os.close(reading)

    async def _serve(self) -> None:
        while True:
            message = await self._connection.receive()
            if message.header.message_type is MessageType.method_call:
                await self._answer(message)

    async def _answer(self, message: Any) -> None:
        member = message.header.fields[HeaderFields.member]
        if member == "Get":
            limit = ("t", int(self._delay_s * 1_000_000))
            await self._connection.send(new_method_return(message, "v", (limit,)))
        elif self.refuses:
            await self._connection.send(new_error(message, "org.freedesktop.DBus.Error.AccessDenied"))
        else:
            reading, writing = os.pipe()
            await self._connection.send(new_method_return(message, "h", (writing,)))
            os.close(writing)
            self._locks.append(reading)
            self.asked.append(message.body)

    async def announces(self, *, sleep: bool) -> None:
        """That the machine is about to sleep, or is awake again."""
        emitter = DBusAddress(LOGIND.object_path, interface=LOGIND.interface)
        await self._connection.send(new_signal(emitter, "PrepareForSleep", "b", (sleep,)))

    async def is_asked(self, times: int) -> None:
        """Returns when so many locks were taken so far."""
        with trio.fail_after(30):
            while len(self.asked) < times:  # noqa: ASYNC110 - another program's doing
                await trio.sleep(0.01)

    async def may_sleep(self) -> None:
        """Returns when nobody holds a lock any more."""
        with trio.fail_after(30):
            for reading in self._locks:
                await trio.lowlevel.wait_readable(reading)
