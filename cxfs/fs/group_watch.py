"""Keeps what is known of the account's groups fresh, beside everything else. No file operation waits for it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import trio

from cxfs.core.errors import CxfsError
from cxfs.fs.groups import GROUPS_ID, GROUPS_NAME
from cxfs.fs.nodes import ROOT_INODE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from cxfs.core.entries import Uuid
    from cxfs.fs.groups import Group, Groups
    from cxfs.fs.kernel import KernelCache
    from cxfs.local.metadata import MetadataCache

log = logging.getLogger(__name__)

FIRST_WAIT_S: Final = 3.0
"""How long a mount waits for its groups before it answers: a server that is unwell is no reason not to mount."""


class GroupWatch:
    """Asks for the groups every `refresh_s` seconds, and makes cache and kernel forget what is no longer true.

    `is_told`: whether the server tells of other groups by itself, so that nobody need ask.
    """

    def __init__(
        self,
        ask: Callable[[], Awaitable[Sequence[Group]]],
        groups: Groups,
        *,
        root: Uuid,
        metadata: MetadataCache,
        kernel: KernelCache,
        wall_ms: Callable[[], int],
        refresh_s: float,
        is_told: Callable[[], bool] = lambda: False,
    ) -> None:
        self._ask = ask
        self._groups = groups
        self._root = root
        self._metadata = metadata
        self._kernel = kernel
        self._wall_ms = wall_ms
        self._refresh_s = refresh_s
        self._is_told = is_told

    async def first(self) -> None:
        """Asks once, and for a while only: so that a mount shows its groups from the start where that is possible.

        To be called before the mount: nobody has been told anything yet that would have to be forgotten.
        """
        with trio.move_on_after(FIRST_WAIT_S):
            await self._learn()

    async def refresh(self) -> None:
        """Asks once. A failure leaves what was known."""
        before = self._groups.shown
        if await self._learn():
            self._forget(before, self._groups.shown)

    async def run(self) -> None:
        """Keeps it fresh, until cancelled."""
        while True:
            await trio.sleep(self._refresh_s)
            if not self._is_told():
                await self.refresh()

    async def _learn(self) -> bool:
        """Whether there is news."""
        try:
            groups = await self._ask()
        except CxfsError as error:
            log.debug("the groups could not be read: %s", error)
            return False
        return self._groups.learn(groups, now_ms=self._wall_ms())

    def _forget(self, before: dict[str, Uuid], after: dict[str, Uuid]) -> None:
        self._metadata.doubt(GROUPS_ID)
        for shown in before.keys() | after.keys():
            if before.get(shown) != after.get(shown):
                self._kernel.forget_name(GROUPS_ID.number, shown)
        if bool(before) != bool(after):
            self._metadata.doubt(self._root)
            self._kernel.forget_name(ROOT_INODE, GROUPS_NAME)
