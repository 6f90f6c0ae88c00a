"""Who waits for an owner's log to grow, and who wakes them: thousands in a process, and one of them listens for all.

No task of its own: among those who wait one listens for commits, and hands that on when it goes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from contextlib import contextmanager
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Final

from anyio import CancelScope, Event, current_time, move_on_at, sleep

from cxfs.server.errors import RateLimited
from cxfs.server.feed import positions
from cxfs.server.limits import WAITS_MAX, WAITS_OF_AN_ACCOUNT_MAX

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from cxfs.server.commits import Commits
    from cxfs.server.database import Database

BURST_S: Final = 0.01
"""Commits that come within this are looked at together: a look costs microseconds for each owner that is waited for."""

RIGHTS_S: Final = 2
"""A commit may have taken away a token or a membership. Everybody who waits looks to that so long after it, once for
all commits meanwhile; whoever is told something has looked to it anyway."""


class _Wait:
    __slots__ = ("event", "is_over", "owner", "position")

    def __init__(self, owner: int, position: int) -> None:
        self.owner = owner
        self.position = position
        self.event = Event()
        self.is_over = False

    def end(self) -> None:
        self.is_over = True
        self.event.set()


class Waits:
    """Of one process. Everything here happens on its event loop."""

    def __init__(self, database: Database, commits: Commits) -> None:
        self._database = database
        self._commits = commits
        self._waiting: defaultdict[int, set[_Wait]] = defaultdict(set)
        self._of_account: Counter[int] = Counter()
        self._listening: CancelScope | None = None
        self._rights_due = inf
        self.is_closed = False

    @contextmanager
    def room(self, account: int) -> Iterator[None]:
        """For one question of that account's, for as long as it waits. Raises RateLimited."""
        if self._of_account[account] >= WAITS_OF_AN_ACCOUNT_MAX or self._of_account.total() >= WAITS_MAX:
            raise RateLimited("too many questions for changes wait at once", wait_s=30)
        self._of_account[account] += 1
        try:
            yield
        finally:
            self._of_account[account] -= 1
            self._of_account += Counter()  # forgets accounts at zero

    async def turn(self, owner: int, position: int) -> None:
        """Returns when the owner's log has grown beyond the position, or it is time to look to rights, or to stop."""
        mine = _Wait(owner, position)
        self._waiting[owner].add(mine)
        try:
            await self._look_at([owner])  # it may have grown since it was read, and before anybody waited for it
            while not (mine.is_over or self.is_closed):
                if self._listening is None:
                    await self._listen(mine)
                else:
                    await mine.event.wait()
                    mine.event = Event()
        finally:
            self._waiting[owner].discard(mine)
            if not self._waiting[owner]:
                del self._waiting[owner]

    def close(self) -> None:
        """Nobody waits from now on: the server is about to stop."""
        self.is_closed = True
        if self._listening is not None:
            self._listening.cancel()
        self._end(self._waiting)

    async def _listen(self, mine: _Wait) -> None:
        """For all who wait, until this one has what it waits for, or is cancelled: then another does."""
        try:
            while not (mine.is_over or self.is_closed):
                with move_on_at(self._rights_due) as self._listening:
                    await self._look(await self._commits.next())
                    await sleep(BURST_S)
                if current_time() >= self._rights_due:
                    self._rights_due = inf
                    self._end(self._waiting)
        finally:
            self._listening = None
            others = (wait for waits in self._waiting.values() for wait in waits if wait is not mine)
            if (successor := next(others, None)) is not None:
                successor.event.set()

    async def _look(self, owners: frozenset[int] | None) -> None:
        """Somebody has committed something: ends the waits of those whose owner's log has grown."""
        if owners is None:
            self._rights_due = min(self._rights_due, current_time() + RIGHTS_S)
        asked = self._waiting.keys() if owners is None else owners & self._waiting.keys()
        await self._look_at(list(asked))

    async def _look_at(self, owners: list[int]) -> None:
        for owner, position in await self._database.ask(partial(positions, owners=owners)):
            for wait in self._waiting.get(owner, ()):
                if wait.position < position:
                    wait.end()

    def _end(self, owners: Collection[int]) -> None:
        for owner in owners:
            for wait in self._waiting[owner]:
                wait.end()
