"""What a daemon tells the service manager that started it (sd_notify(3)), and that it lives. Hears nothing back.

Each message is one datagram of `NAME=VALUE` lines. Where no service manager asked for any, nothing is sent; one that
does not take them is no reason to fail.
"""

from __future__ import annotations

import logging
import os
import re
import socket
from typing import TYPE_CHECKING, Final, NoReturn, Self

import trio

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

log = logging.getLogger(__name__)

STATUS_CHARACTERS_MAX: Final = 500
"""Of the line that `systemctl status` shows."""


class ServiceManager:
    """The one at `address`: a path, or `@NAME` for an abstract socket; None: there is none.

    `watchdog_s`: a daemon that says nothing for so many seconds is taken for dead; None: it is not watched.
    """

    def __init__(self, address: str | None = None, *, watchdog_s: float | None = None) -> None:
        self.watchdog_s = watchdog_s if address else None
        self._address = f"\0{address[1:]}" if address and address.startswith("@") else address
        # Kept open, so that it can still be told when there are too many open files.
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) if address else None

    @classmethod
    def of(cls, environ: MutableMapping[str, str]) -> Self:
        """The one that the environment names. Its words are taken out: they are not for programs that we start."""
        address = environ.pop("NOTIFY_SOCKET", None)
        limit_us, watched = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
        is_watched = re.fullmatch(r"[0-9]{1,19}", limit_us) is not None and int(limit_us) > 0
        if watched not in {"", str(os.getpid())}:
            is_watched = False
        return cls(address, watchdog_s=int(limit_us) / 1_000_000 if is_watched else None)

    def ready(self) -> None:
        """The start is over. The process is named, since it may be a child of the one that was started."""
        self._tell(READY=1, MAINPID=os.getpid())

    def status(self, line: str) -> None:
        """A line for people about the state of things; `systemctl status` shows the last one."""
        self._tell(STATUS=" ".join(line.split())[:STATUS_CHARACTERS_MAX])

    def stopping(self) -> None:
        """The end has begun."""
        self._tell(STOPPING=1)

    def extend_timeout(self, seconds: float) -> None:
        """Starting or stopping goes on for so much longer from now on, at least."""
        self._tell(EXTEND_TIMEOUT_USEC=int(seconds * 1_000_000))

    def alive(self) -> None:
        """The watchdog is content for another `watchdog_s`."""
        self._tell(WATCHDOG=1)

    async def reassure(self, is_alive: Callable[[], bool]) -> NoReturn:
        """Says that the daemon lives for as long as `is_alive` says so, twice as often as is asked for."""
        if self.watchdog_s is None:
            await trio.sleep_forever()
        while True:
            if is_alive():
                self.alive()
            else:
                log.error("the kernel's requests are not answered: the service manager is not told that all is well")
            await trio.sleep(self.watchdog_s / 2)

    def close(self) -> None:
        """Nothing more is told."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _tell(self, **words: object) -> None:
        if self._socket is None or self._address is None:
            return
        try:
            self._socket.sendto("\n".join(f"{name}={value}" for name, value in words.items()).encode(), self._address)
        except (OSError, ValueError) as error:  # ValueError: the address holds a NUL
            log.debug("the service manager does not listen: %s", error)
