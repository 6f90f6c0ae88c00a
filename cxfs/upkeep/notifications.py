"""Shows notices on the desktop, by D-Bus, where there is a session. Decides neither what is shown nor when.

There is no standing connection: a session may come and go while a mount runs, and most never have anything to say.
"""

from __future__ import annotations

import html
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import trio
from jeepney import DBusAddress, DBusErrorResponse, new_method_call  # type: ignore[import-untyped]
from jeepney.auth import AuthenticationError  # type: ignore[import-untyped]
from jeepney.io.trio import open_dbus_router  # type: ignore[import-untyped]
from jeepney.wrappers import unwrap_msg  # type: ignore[import-untyped]

from cxfs.core.errors import cause_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cxfs.core.notices import Condition, Kind, Notice, Notices

log = logging.getLogger(__name__)

DESKTOP: Final = DBusAddress(
    "/org/freedesktop/Notifications",
    bus_name="org.freedesktop.Notifications",
    interface="org.freedesktop.Notifications",
)

LOOK_S: Final = 5.0
"""Between two looks at how the mount stands."""

ANSWER_S: Final = 10.0

ICON: Final = "folder-remote"
"""From the naming specification's standard set, so every theme has it."""

EXPIRES_AS_USUAL: Final = -1

_TROUBLE: Final = (
    OSError, RuntimeError, ValueError, trio.BrokenResourceError, trio.EndOfChannel, trio.ClosedResourceError,
    trio.TooSlowError, DBusErrorResponse, AuthenticationError,
)  # fmt: skip


class Notifications:
    """What the person at this machine is told of one mount."""

    def __init__(
        self,
        notices: Notices,
        condition: Callable[[], Condition],
        bus: Callable[[], str | None],
        *,
        look_s: float = LOOK_S,
    ) -> None:
        self._notices = notices
        self._condition = condition
        self._bus = bus
        self._look_s = look_s
        self._shown: dict[Kind, int] = {}

    async def run(self) -> NoReturn:
        """Looks and tells, until cancelled."""
        while True:
            due = self._notices.due(self._condition(), trio.current_time())
            bus = self._bus()
            if due and bus is not None:
                await self._try_to_show(due, bus)
            await trio.sleep(self._look_s)

    async def _try_to_show(self, notices: Iterable[Notice], bus: str) -> None:
        try:
            await self._show(notices, bus)
        except Exception as error:
            cause = cause_of(error)
            if not isinstance(cause, _TROUBLE):
                raise
            log.debug("the desktop could not be told: %s: %s", type(cause).__name__, cause)

    async def _show(self, notices: Iterable[Notice], bus: str) -> None:
        with trio.fail_after(ANSWER_S):
            async with open_dbus_router(bus) as router:
                (abilities,) = unwrap_msg(await router.send_and_get_reply(new_method_call(DESKTOP, "GetCapabilities")))
                for notice in notices:
                    call = self._call(notice, reads_markup="body-markup" in abilities)
                    (self._shown[notice.kind],) = unwrap_msg(await router.send_and_get_reply(call))

    def _call(self, notice: Notice, *, reads_markup: bool) -> Any:
        body = html.escape(notice.body, quote=False) if reads_markup else notice.body
        hints = {"category": ("s", "transfer.error"), "desktop-entry": ("s", "cxfs")}
        former = self._shown.get(notice.kind, 0)
        arguments: tuple[Any, ...] = ("cxfs", former, ICON, notice.summary, body, [], hints, EXPIRES_AS_USUAL)
        return new_method_call(DESKTOP, "Notify", "susssasa{sv}i", arguments)


def session_bus() -> str | None:
    """The address of the bus of the session that this process belongs to, if it belongs to one."""
    told, runtime = os.environ.get("DBUS_SESSION_BUS_ADDRESS"), os.environ.get("XDG_RUNTIME_DIR")
    if told:
        return told
    usual = Path(runtime, "bus") if runtime else None
    return f"unix:path={usual}" if usual is not None and usual.exists() else None
