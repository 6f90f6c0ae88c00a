"""What the rest of a mount asks of the feeds, whether or not the server has any. Follows nothing; `following` does."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import trio

from cxfs.core.entries import SELF

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cxfs.core.entries import Owner
    from cxfs.fs.following import FeedStatistics, Following


class Feeds:
    """Of one mount. Without `following` nothing is ever told of."""

    def __init__(self) -> None:
        self.following: Following | None = None
        self.on_groups: Callable[[], Awaitable[object]] | None = None

    def want(self, owner: Owner) -> None:
        """Somebody looks at this owner's tree."""
        if self.following is not None:
            self.following.want(owner)

    async def groups_changed(self) -> None:
        """The account is in other groups than it was."""
        if self.on_groups is not None:
            await self.on_groups()

    def tell_groups(self) -> bool:
        """Whether other groups would be told of."""
        return self.following is not None and self.following.tells_groups

    def interrupt(self) -> None:
        """The connection is not what it was."""
        if self.following is not None:
            self.following.interrupt()

    def wake(self) -> None:
        """The server is there again."""
        if self.following is not None:
            self.following.wake()

    def statistics(self) -> FeedStatistics | None:
        """A snapshot; None where nothing is followed."""
        return None if self.following is None else self.following.statistics()

    def news(self, longest_s: float) -> Callable[[], bool]:
        """Tells whether anything may have come about since it was last asked; after `longest_s` it always may."""
        asked_s, heard = -math.inf, -1

        def may_have() -> bool:
            nonlocal asked_s, heard
            now_s, following = trio.current_time(), self.following
            changes = -1 if following is None else following.statistics().changes
            if following is not None and following.is_live(SELF) and changes == heard and now_s < asked_s + longest_s:
                return False
            asked_s, heard = now_s, changes
            return True

        return may_have
