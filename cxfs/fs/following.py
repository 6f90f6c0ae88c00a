"""Follows the feeds of the owners whose trees are looked at, one task each, and has what they tell taken in.

While a feed is live what is known of its tree is believed for long. It is given up at the first failure: from then on
the ordinary time to live counts, until it is known what was missed.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

import trio

from cxfs.core.entries import SELF, UuidPath
from cxfs.core.errors import CxfsError, NotFound, RateLimited
from cxfs.core.feed import Feed
from cxfs.core.retry import RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cxfs.core.entries import Entry, Owner, Path
    from cxfs.core.feed import Change, News
    from cxfs.fs.foreign_changes import ForeignChanges
    from cxfs.fs.kernel import KernelCache
    from cxfs.local.metadata import MetadataCache

log = logging.getLogger(__name__)

_POLICY: Final = RetryPolicy(first_pause_s=2.0, longest_pause_s=60.0, tries_max=None)
"""A server that has just stopped is not asked by all its clients at the moment of its return."""

FOLLOWED_MAX: Final = 60
"""Trees at a time: each holds a connection, here and at the server, for as long as the mount."""

PAUSE_LEAST_S: Final = 0.1
"""Between two attempts that fail, whatever the lot."""


class NewsSource(Protocol):
    """The part of the File API that tells of changes."""

    async def news(self, owner: Owner, cursor: str | None, wait_s: float) -> News:
        """What has come about behind the cursor."""
        ...

    async def entry(self, path: Path) -> Entry:
        """One object."""
        ...


@dataclass(frozen=True, slots=True)
class FeedStatistics:
    """A snapshot: owners that are followed and of how many the feed is live; changes and resets heard so far."""

    followed: int
    live: int
    changes: int
    resets: int
    failures: int


class Followed:
    """One owner's feed. `scope` is around what is asked of the server, and around the pause after a failure."""

    def __init__(self) -> None:
        self.feed = Feed()
        self.failures = 0
        self.groups: int | None = None
        self.scope = trio.CancelScope()
        self.is_pausing = False
        self.asked_s = -math.inf


class Following:
    """Of one mount. `forget` makes all that is believed of an owner's tree old, for the kernel too.

    `on_groups` is called when the account's groups may have changed; `jitter` gives a lot from 0 up to 1.
    """

    def __init__(
        self,
        source: NewsSource,
        foreign: ForeignChanges,
        metadata: MetadataCache,
        kernel: KernelCache,
        *,
        forget: Callable[[Owner], Awaitable[object]],
        on_groups: Callable[[], Awaitable[object]],
        jitter: Callable[[], float],
    ) -> None:
        self._source = source
        self._foreign = foreign
        self._metadata = metadata
        self._kernel = kernel
        self._forget = forget
        self._on_groups = on_groups
        self._jitter = jitter
        self._wanted: set[Owner] = {SELF}
        self._followed: dict[Owner, Followed] = {}
        self._nursery: trio.Nursery | None = None
        self._changes = 0
        self._resets = 0
        self._failures = 0

    async def run(self) -> None:
        """Follows until cancelled."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                for owner in self._wanted:
                    nursery.start_soon(self._follow, owner)
                await trio.sleep_forever()
        finally:
            self._nursery = None
            for owner in self._followed:
                self._metadata.cover(owner, None)
            self._followed.clear()

    def want(self, owner: Owner) -> None:
        """Somebody looks at this owner's tree. Of more than FOLLOWED_MAX the further ones are asked for as ever."""
        if owner in self._wanted or len(self._wanted) >= FOLLOWED_MAX:
            return
        self._wanted.add(owner)
        if self._nursery is not None:
            self._nursery.start_soon(self._follow, owner)

    def interrupt(self) -> None:
        """The connection is not what it was: whatever is being waited for will not come. Asks anew, at once."""
        for followed in self._followed.values():
            followed.scope.cancel()

    def wake(self) -> None:
        """The server is there again: nobody pauses any longer."""
        for followed in self._followed.values():
            if followed.is_pausing:
                followed.scope.cancel()

    def is_live(self, owner: Owner) -> bool:
        """Whether everything that happens in this owner's tree is told of at this moment."""
        followed = self._followed.get(owner)
        return followed is not None and followed.feed.is_live

    @property
    def tells_groups(self) -> bool:
        """Whether other groups would be told of."""
        return self.is_live(SELF) and self._followed[SELF].groups is not None

    def statistics(self) -> FeedStatistics:
        """A snapshot."""
        live = sum(1 for each in self._followed.values() if each.feed.is_live)
        return FeedStatistics(len(self._followed), live, self._changes, self._resets, self._failures)

    # ------------------------------------------------------------ one owner

    async def _follow(self, owner: Owner) -> None:
        followed = self._followed[owner] = Followed()
        try:
            while True:
                await self._ask(owner, followed)
        except NotFound:  # a group that the account is in no more
            log.debug("the tree of %s is not followed any more", owner)
            self._wanted.discard(owner)
        finally:
            self._metadata.cover(owner, None)
            self._followed.pop(owner, None)

    async def _ask(self, owner: Owner, followed: Followed) -> None:
        """One question and what it brings, or a pause after it failed. Raises NotFound for a group that is lost."""
        news = None
        error: CxfsError | None = None
        with trio.CancelScope() as followed.scope:
            try:
                news = await self._news(owner, followed)
            except CxfsError as failure:
                if isinstance(failure, NotFound) and owner != SELF:
                    raise
                error = failure
        if news is not None:
            await self._take(owner, followed, *news)
            return
        self._break(owner, followed, error)
        if error is not None:
            await self._pause(followed, error)

    async def _news(self, owner: Owner, followed: Followed) -> tuple[News, float]:
        """With what each object is now, and when the server said so."""
        followed.asked_s = trio.current_time()
        news = await self._source.news(owner, followed.feed.cursor, followed.feed.wait_s)
        heard_s = self._metadata.now_s
        changes = [await self._described(owner, change) for change in news.changes]
        return replace(news, changes=tuple(changes)), heard_s

    def _break(self, owner: Owner, followed: Followed, error: CxfsError | None) -> None:
        if followed.feed.is_live:
            log.info("changes are not heard of: %s", error or "the connection was given up")
        self._failures += 1
        followed.failures += 1
        followed.feed = followed.feed.broken()
        self._cover(owner, followed)

    async def _pause(self, followed: Followed, error: CxfsError) -> None:
        retry_after_s = error.retry_after_s if isinstance(error, RateLimited) else None
        pause_s = _POLICY.pause_s(
            failures=followed.failures, jitter=self._jitter(), left_s=math.inf, retry_after_s=retry_after_s
        )
        with trio.CancelScope() as followed.scope:
            followed.is_pausing = True
            await trio.sleep(max(PAUSE_LEAST_S, pause_s or 0.0))
        followed.is_pausing = False

    async def _take(self, owner: Owner, followed: Followed, news: News, heard_s: float) -> None:
        """First what was told, then the cursor behind it: who is cut off in between hears it again."""
        was_live = followed.feed.is_live
        take = partial(self._foreign.take, owner, asked_s=followed.asked_s)
        inodes = [inode for change in news.changes if (inode := take(change)) is not None]
        self._changes += len(news.changes)
        followed.failures = 0
        followed.feed = followed.feed.heard(news, heard_s)
        self._cover(owner, followed)
        assert self._nursery is not None
        if inodes:  # beside it: the kernel may wait for a handler, and that for the server
            self._nursery.start_soon(self._kernel.forget, inodes, [])
        if news.reset:
            self._resets += 1
            log.info("what was known of the tree of %s may be old", owner)
            self._nursery.start_soon(self._forget, owner)
        if followed.feed.is_live and not was_live:
            log.info("changes are heard of")
        if news.groups != followed.groups:
            followed.groups = news.groups
            await self._on_groups()

    async def _described(self, owner: Owner, change: Change) -> Change:
        """With what the object is now, where the server did not tell it. Raises what the server says to that."""
        if change.is_described:
            return change
        try:
            return replace(change, entry=await self._source.entry(UuidPath(owner, change.object)), is_described=True)
        except NotFound:
            return replace(change, is_described=True)

    def _cover(self, owner: Owner, followed: Followed) -> None:
        self._metadata.cover(owner, followed.feed.coverage if followed.feed.cursor is not None else None)
