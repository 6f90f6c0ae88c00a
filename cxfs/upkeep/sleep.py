"""Hears from logind that the machine is about to sleep, and makes it wait while that is prepared. Prepares nothing.

logind bounds how long it waits (InhibitDelayMaxSec=, 5 seconds as it comes). Where there is no D-Bus, or no logind on
it, nothing happens.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NoReturn

import trio
from jeepney import (  # type: ignore[import-untyped]
    DBusAddress,
    DBusErrorResponse,
    MatchRule,
    Properties,
    message_bus,
    new_method_call,
)
from jeepney.auth import AuthenticationError  # type: ignore[import-untyped]
from jeepney.io.common import RouterClosed  # type: ignore[import-untyped]
from jeepney.io.trio import DBusRouter, Proxy, open_dbus_connection  # type: ignore[import-untyped]
from jeepney.wrappers import unwrap_msg  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

LOGIND: Final = DBusAddress(
    "/org/freedesktop/login1", bus_name="org.freedesktop.login1", interface="org.freedesktop.login1.Manager"
)

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
    DBusErrorResponse, AuthenticationError, RouterClosed,
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
            except _TROUBLE as error:
                self._say(f"sleep is not announced here: {type(error).__name__}: {error}")
            await trio.sleep(AGAIN_S)

    def _say(self, line: str) -> None:
        if line != self._said:
            log.debug("%s", line)
        self._said = line

    async def _listen(self) -> None:
        with trio.fail_after(ANSWER_S):
            connection = await open_dbus_connection("SYSTEM", enable_fds=True)
        async with connection, connection.router() as router:
            rule = MatchRule(
                type="signal", interface=LOGIND.interface, member="PrepareForSleep", path=LOGIND.object_path
            )
            async with router.filter(rule, bufsize=8) as heard:
                with trio.fail_after(ANSWER_S):
                    seconds = await _delay_max_s(router)
                    await Proxy(message_bus, router).AddMatch(rule)
                self._say(f"logind waits up to {seconds:g} s before the machine sleeps")
                await self._attend(router, heard, seconds)

    async def _attend(self, router: DBusRouter, heard: trio.MemoryReceiveChannel[Any], seconds: float) -> None:
        while True:
            lock = await _inhibit(router)
            try:
                await _until(heard, is_about_to_sleep=True)
                log.info("the machine is about to sleep")
                with trio.move_on_after(seconds):
                    await self._prepare(seconds)
            finally:
                if lock is not None:
                    lock.close()
            try:
                with trio.move_on_after(self._awake_s):
                    await _until(heard, is_about_to_sleep=False)
            finally:
                log.info("the machine is awake")
                self._resumed()


async def _until(heard: trio.MemoryReceiveChannel[Any], *, is_about_to_sleep: bool) -> None:
    while (await heard.receive()).body[0] is not is_about_to_sleep:
        pass


async def _delay_max_s(router: DBusRouter) -> float:
    answer = await router.send_and_get_reply(Properties(LOGIND).get("InhibitDelayMaxUSec"))
    _, limit_us = unwrap_msg(answer)[0]
    return float(limit_us) / 1_000_000 * MARGIN


async def _inhibit(router: DBusRouter) -> Any:
    """A file: until it is closed the machine does not sleep. None where logind does not let us."""
    with suppress(DBusErrorResponse), trio.fail_after(ANSWER_S):
        call = new_method_call(LOGIND, "Inhibit", "ssss", ("sleep", "cxfs", "Answers what waits for it", "delay"))
        return unwrap_msg(await router.send_and_get_reply(call))[0]
    return None
