"""Hears from logind that the machine is about to sleep, and makes it wait while that is prepared. Prepares nothing.

logind bounds how long it waits (InhibitDelayMaxSec=, 5 seconds as it comes). Where there is no D-Bus, or no logind on
it, nothing happens.
"""

from __future__ import annotations

import logging
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NoReturn

import trio
from jeepney import (  # type: ignore[import-untyped]
    DBusAddress,
    DBusErrorResponse,
    HeaderFields,
    MatchRule,
    MessageType,
    Properties,
    message_bus,
    new_method_call,
)
from jeepney.auth import AuthenticationError  # type: ignore[import-untyped]
from jeepney.io.trio import DBusConnection, open_dbus_connection  # type: ignore[import-untyped]
from jeepney.wrappers import unwrap_msg  # type: ignore[import-untyped]

from cxfs.core.errors import cause_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

LOGIND: Final = DBusAddress(
    "/org/freedesktop/login1", bus_name="org.freedesktop.login1", interface="org.freedesktop.login1.Manager"
)

SLEEP: Final = MatchRule(type="signal", interface=LOGIND.interface, member="PrepareForSleep", path=LOGIND.object_path)

ANSWER_S: Final = 10.0
"""For the bus and logind to answer."""

AGAIN_S: Final = 300.0
"""Between two looks for a logind that is not there, or went away."""

MARGIN: Final = 0.8
"""Of the time that logind gives: it is to be told in time that all is done."""

AWAKE_S: Final = 60.0
"""A machine that does not sleep so long after it was announced goes on as if it had; time asleep does not count."""

_TROUBLE: Final = (
    OSError, trio.BrokenResourceError, trio.EndOfChannel, trio.ClosedResourceError, trio.TooSlowError,
    DBusErrorResponse, AuthenticationError,
)  # fmt: skip


class SleepWatch:
    """What is done around the machine's sleep: `prepare` with the seconds that it has, `resumed` after."""

    def __init__(
        self, prepare: Callable[[float], Awaitable[None]], resumed: Callable[[], object], *, awake_s: float = AWAKE_S
    ) -> None:
        self._prepare = prepare
        self._resumed = resumed
        self._awake_s = awake_s
        self._said = ""

    async def run(self) -> NoReturn:
        """Listens, until cancelled; where nobody speaks it looks again now and then."""
        while True:
            try:
                await self._listen()
            except Exception as error:
                cause = cause_of(error)
                if not isinstance(cause, _TROUBLE):
                    raise
                self._say(f"sleep is not announced here: {type(cause).__name__}: {cause}")
            await trio.sleep(AGAIN_S)

    def _say(self, line: str) -> None:
        if line != self._said:
            log.debug("%s", line)
        self._said = line

    async def _listen(self) -> None:
        with trio.fail_after(ANSWER_S):
            connection = await open_dbus_connection("SYSTEM", enable_fds=True)
        async with connection:
            bus = Bus(connection)
            seconds = await _delay_max_s(bus)
            await bus.ask(message_bus.AddMatch(SLEEP))
            self._say(f"logind waits up to {seconds:g} s before the machine sleeps")
            while True:
                await self._sleep_once(bus, seconds * MARGIN)

    async def _sleep_once(self, bus: Bus, seconds: float) -> None:
        lock = await _inhibit(bus)
        try:
            await bus.until(is_about_to_sleep=True)
            log.info("the machine is about to sleep")
            try:
                with trio.move_on_after(seconds):
                    await self._prepare(seconds)
                _let_go(lock)
                with trio.move_on_after(self._awake_s):
                    await bus.until(is_about_to_sleep=False)
            finally:
                log.info("the machine is awake")
                self._resumed()
        finally:
            _let_go(lock)


class Bus:
    """A connection that is asked by one task, which also hears of sleep by it."""

    def __init__(self, connection: DBusConnection) -> None:
        self._connection = connection
        self._announced: deque[bool] = deque()

    async def ask(self, message: Any) -> Any:
        """What is answered; raises DBusErrorResponse, TooSlowError."""
        serial = next(self._connection.outgoing_serial)
        with trio.fail_after(ANSWER_S):
            await self._connection.send(message, serial=serial)
            while (heard := await self._next()).header.fields.get(HeaderFields.reply_serial) != serial:
                pass
        return unwrap_msg(heard)

    async def until(self, *, is_about_to_sleep: bool) -> None:
        """Returns when that is announced."""
        while True:
            while self._announced:
                if self._announced.popleft() is is_about_to_sleep:
                    return
            await self._next()

    async def _next(self) -> Any:
        heard = await self._connection.receive()
        if heard.header.message_type is MessageType.signal and SLEEP.matches(heard):
            self._announced.append(heard.body[0])
        return heard


async def _delay_max_s(bus: Bus) -> float:
    _, limit_us = (await bus.ask(Properties(LOGIND).get("InhibitDelayMaxUSec")))[0]
    return float(limit_us) / 1_000_000


async def _inhibit(bus: Bus) -> Any:
    """A file: until it is closed the machine does not sleep. None where logind does not let us."""
    with suppress(DBusErrorResponse):
        call = new_method_call(LOGIND, "Inhibit", "ssss", ("sleep", "cxfs", "Answers what waits for it", "delay"))
        return (await bus.ask(call))[0]
    return None


def _let_go(lock: Any) -> None:
    if lock is not None:
        lock.close()
