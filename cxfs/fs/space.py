"""How much room the account has, for `df`: always answered from memory, kept fresh beside it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import trio

from cxfs.core.errors import CxfsError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

REFRESH_S: Final = 60.0
"""`df` is at most this old; every desktop asks it of every mount, all the time."""

UNKNOWN_BYTES: Final = 1 << 50
"""What is shown as free while, or where, the server tells no quota."""


@dataclass(frozen=True, slots=True)
class Space:
    """Bytes of the account's quota."""

    total_bytes: int
    used_bytes: int

    @property
    def free_bytes(self) -> int:
        """Never negative, though an account can be over its quota."""
        return max(0, self.total_bytes - self.used_bytes)

    @property
    def is_known(self) -> bool:
        """Whether the server has told a quota."""
        return self.total_bytes != UNKNOWN_BYTES


class Quota(Protocol):
    """What the account says of its quota, in bytes; None where the server does not tell."""

    @property
    def capacity_bytes(self) -> int | None:
        """All of it."""
        ...

    @property
    def consumed_bytes(self) -> int | None:
        """What is used of it."""
        ...


class SpaceWatch:
    """The last known quota; `ask` fetches it. `may_differ`: whether it may be another one since that was asked."""

    def __init__(self, ask: Callable[[], Awaitable[Quota]], may_differ: Callable[[], bool] = lambda: True) -> None:
        self._ask = ask
        self._may_differ = may_differ
        self._space = Space(UNKNOWN_BYTES, 0)

    @property
    def now(self) -> Space:
        """The last known quota; waits for nothing."""
        return self._space

    def took(self, added_bytes: int) -> None:
        """So many bytes were just filled (or, negative, freed); the next answer of the server counts them itself."""
        self._space = Space(self._space.total_bytes, max(0, self._space.used_bytes + added_bytes))

    async def refresh(self) -> None:
        """Asks once. A failure leaves what was known."""
        try:
            quota = await self._ask()
        except CxfsError as error:
            log.debug("the quota could not be read: %s", error)
            return
        total_bytes = UNKNOWN_BYTES if quota.capacity_bytes is None else quota.capacity_bytes
        self._space = Space(total_bytes, quota.consumed_bytes or 0)

    async def run(self) -> None:
        """Keeps it fresh, until cancelled."""
        while True:
            await trio.sleep(REFRESH_S)
            if self._may_differ():
                await self.refresh()
