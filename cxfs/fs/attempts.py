"""One attempt to bring a change to the server, and until when it may still take effect there. Sends nothing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

import trio

from cxfs.core.errors import CxfsError
from cxfs.core.patience import LATE_S
from cxfs.remote.calls import may_have_been_done

if TYPE_CHECKING:
    from cxfs.core.entries import Entry


class Ending(Protocol):
    """Something that will be over, as an event tells it."""

    def is_set(self) -> bool:
        """Whether it is."""
        ...

    async def wait(self) -> None:
        """Returns when it is."""
        ...


class AllOf:
    """Over when all of these are."""

    def __init__(self, *endings: Ending) -> None:
        leaves = (leaf for each in endings for leaf in (each.open if isinstance(each, AllOf) else (each,)))
        self.open: tuple[Ending, ...] = tuple(dict.fromkeys(leaf for leaf in leaves if not leaf.is_set()))
        """Those that are to come, each once and in no other: a file may be sent, and renamed, any number of times."""

    def is_set(self) -> bool:
        """Whether they are."""
        return all(each.is_set() for each in self.open)

    async def wait(self) -> None:
        """Returns when they are."""
        for each in self.open:
            await each.wait()


class Attempt:
    """One of them, while its task runs and a while longer; alone, or as its part of a bundle.

    `scope` may be cancelled while bytes are going out. `awaits_answer`: all of them are out. `is_disowned`: nobody here
    waits for the answer any more, and what it says is not believed of the change. `ended`: its task has no more to do.

    As an event it is set when it cannot take effect on the server any more.
    """

    def __init__(self) -> None:
        self.scope = trio.CancelScope()
        self.awaits_answer = self.is_disowned = False
        self.ended = trio.Event()
        self._is_in_doubt = False
        self._settled_at = math.inf

    @classmethod
    def never_made(cls) -> Attempt:
        """Of a change that was not sent yet: nothing is to come of it."""
        attempt = cls()
        attempt.ended.set()
        attempt._settled_at = -math.inf
        return attempt

    @classmethod
    def of_an_earlier_run(cls) -> Attempt:
        """One that the daemon did not live to see the end of."""
        attempt = cls()
        attempt.handed_over()
        attempt.ends()
        return attempt

    @property
    def is_out_of_the_way(self) -> bool:
        """Whether the next may begin."""
        return self.is_disowned or self.ended.is_set()

    def handed_over(self) -> None:
        """From now on the server can carry it out."""
        self.awaits_answer = self._is_in_doubt = True

    def answered(self, outcome: Entry | CxfsError) -> None:
        """The server has said what came of it, or nothing that tells."""
        self.awaits_answer = False
        self._is_in_doubt &= isinstance(outcome, CxfsError) and may_have_been_done(outcome)

    def ends(self) -> None:
        """Its task is about to."""
        if not self.ended.is_set():
            self._settled_at = trio.current_time() + (LATE_S if self._is_in_doubt else 0)
            self.ended.set()

    def is_set(self) -> bool:
        """Whether all of it is over, on the server as well."""
        return self.ended.is_set() and trio.current_time() >= self._settled_at

    async def wait(self) -> None:
        """Returns when that is so."""
        await self.ended.wait()
        if trio.current_time() < self._settled_at:
            await trio.sleep_until(self._settled_at)
