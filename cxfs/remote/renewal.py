"""The access token of a running mount: in use, refused, taken up anew. Knows no file and no keyring; it is told.

A token that the server refused is not sent again and again: until another one is there, or the server takes the old one
after all, calls fail at once. Who is signed in stays the same for the life of a mount.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import trio

from cxfs.core.errors import SignedOut

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

PROBE_S: Final = 10.0
"""How often the server is asked about one that it did not take: it may have been mistaken, or be restored by then."""


@dataclass(frozen=True, slots=True)
class RenewalStatistics:
    """A snapshot."""

    signed_in: bool
    refusals: int
    renewals: int


class RenewingToken:
    """Gives the token to a session. Seconds are trio's; `look_again_s` is how long two looks are apart at least.

    `look` finds the token that is kept now (None: none that can be used); `is_ours` asks the server whether it takes
    that token, and for the same account. Neither raises. `on_signed_out`, which is told the remedy, and `on_signed_in`
    hear of each change.
    """

    def __init__(
        self,
        token: str,
        *,
        look: Callable[[], Awaitable[str | None]],
        is_ours: Callable[[str], Awaitable[bool]],
        look_again_s: float,
        remedy: str,
        on_signed_out: Callable[[str], None] = lambda _: None,
        on_signed_in: Callable[[], None] = lambda: None,
    ) -> None:
        self._token = token
        self._asked_of = token
        self._look = look
        self._is_ours = is_ours
        self._look_again_s = look_again_s
        self._remedy = remedy
        self._on_signed_out = on_signed_out
        self._on_signed_in = on_signed_in
        self._is_refused = False
        self._news = trio.Event()
        self._looking: trio.Event | None = None
        self._look_at = -math.inf
        self._probe_at = -math.inf
        self._refusals = 0
        self._renewals = 0

    def __call__(self) -> str:
        """The token of the moment; raises SignedOut, without a request, while it is known to be refused."""
        if self._is_refused:
            raise SignedOut(f"signed out: {self._remedy}")
        return self._token

    async def refused(self, token: str) -> bool:
        """The server refused `token`. True when another one is in use by now, or was found at once."""
        if token == self._token and not self._is_refused:
            self._is_refused = True
            self._refusals += 1
            self._probe_at = trio.current_time() + PROBE_S
            log.warning("signed out: the server refuses the access token; %s", self._remedy)
            self._on_signed_out(self._remedy)
            self._news.set()
        if self._is_refused:
            await self._look_once()
        return not self._is_refused

    async def watch(self, on_renewed: Callable[[], None]) -> None:
        """Mends a sign-out as soon as it can be, and tells when all can go on; until cancelled."""
        while True:
            await self._news.wait()
            self._news = trio.Event()
            while self._is_refused:
                await trio.sleep_until(min(self._look_at, self._probe_at))
                await self._look_once()
            on_renewed()

    async def _look_once(self) -> None:
        """One look at a time, however many calls have just been refused; they all wait for its result."""
        if self._looking is not None:
            await self._looking.wait()
            return
        self._looking = trio.Event()
        try:
            await self._look_and_try()
        finally:
            self._looking.set()
            self._looking = None

    async def _look_and_try(self) -> None:
        now = trio.current_time()
        candidate: str | None = None
        if now >= self._look_at:
            self._look_at = now + self._look_again_s
            candidate = await self._look()
        candidate = candidate or self._asked_of
        if candidate == self._asked_of and now < self._probe_at:
            return
        self._asked_of = candidate
        self._probe_at = now + PROBE_S
        if await self._is_ours(candidate):
            self._token = candidate
            self._is_refused = False
            self._renewals += 1
            log.warning("signed in again")
            self._on_signed_in()

    def statistics(self) -> RenewalStatistics:
        """A snapshot."""
        return RenewalStatistics(not self._is_refused, self._refusals, self._renewals)
