"""Waiting until what was written so far is at the server: what sync asks for. Sends nothing; it hurries the uploader.

A file may be open and written meanwhile: what counts is what had been written when the wait began, or anything newer.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Final

import trio

from cxfs.core.errors import CxfsError, TimedOut
from cxfs.core.uploads import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from cxfs.fs.changes import Change, Changes
    from cxfs.fs.uploader import Uploader

LOOK_S: Final = 0.25
"""Between two looks at what goes on, where no end of an upload makes for an earlier one."""

HURRIES_MAX: Final = 40
"""Times that a file is hurried which its writer changes again before it is sent: ten seconds of that are a program that
does nothing else, such as a recording."""


class Outcome(Enum):
    """How far it is."""

    UNDER_WAY = auto()
    ARRIVED = auto()
    """The server has this content, or it was taken back here and is not wanted there any more."""
    REFUSED = auto()
    """Parked."""
    RESTLESS = auto()
    """Written again and again while it should have been sent."""


class Arrival:
    """One change, as far as it was written when this was made."""

    def __init__(self, change: Change, changes: Changes) -> None:
        self.change = change
        self.path = change.path
        self.bytes = change.draft.size
        self._generation = change.generation
        self._conflicts = change.conflicts
        self._changes = changes
        self._hurries = 0

    @property
    def outcome(self) -> Outcome:
        """As of this moment."""
        if self.change not in self._changes or self.change.stays_here:
            return Outcome.ARRIVED  # or is none that ever will
        if self.change.sent_generation >= self._generation:
            return Outcome.ARRIVED
        if self.change.state is State.PARKED:
            return Outcome.REFUSED
        return Outcome.RESTLESS if self._hurries > HURRIES_MAX else Outcome.UNDER_WAY

    @property
    def bytes_left(self) -> int:
        """What is still to be handed over."""
        if self.outcome is not Outcome.UNDER_WAY:
            return 0
        return max(0, self.bytes - self.change.sent_bytes)

    @property
    def met_a_conflict(self) -> bool:
        """Whether it went beside what somebody else had put there meanwhile."""
        return self.change.conflicts > self._conflicts

    async def hurry(self, uploader: Uploader) -> None:
        """Makes it due unless it is already; call it again whenever it may have been written since."""
        if self.outcome is Outcome.UNDER_WAY and (self.change.state is State.WRITING or not self._hurries):
            self._hurries += 1
            await uploader.hasten(self.change)


async def arrive(
    change: Change, *, changes: Changes, uploader: Uploader, stall_s: float, require: Callable[[], None]
) -> None:
    """Returns when the server has what had been written of the change. What is raised leaves it accepted and waiting.

    Raises the refusal of a change that was parked, and the trouble of a server that has taken nothing at all for
    `stall_s` seconds, of any file; at once what `require` raises where no server would take it.
    """
    arrival = Arrival(change, changes)
    if arrival.outcome is Outcome.UNDER_WAY:
        require()
    advance, since = uploader.advance, trio.current_time()
    while arrival.outcome is Outcome.UNDER_WAY:
        await arrival.hurry(uploader)
        with trio.move_on_after(LOOK_S):
            await uploader.ended()
        if uploader.trouble is None and uploader.advance != advance:
            advance, since = uploader.advance, trio.current_time()
        elif trio.current_time() - since >= stall_s:
            raise _again(uploader.trouble, f"the server has taken nothing for {stall_s:g} s; the file is sent later")
    if arrival.outcome is Outcome.REFUSED:
        raise _again(change.refusal, change.parked or "refused by the server")
    if arrival.outcome is Outcome.RESTLESS:
        raise TimedOut("the file is written faster than it can be sent; it is sent when it is closed")


def _again(error: CxfsError | None, message: str) -> CxfsError:
    """An error of that kind for another caller: one that was raised before would collect tracebacks."""
    return TimedOut(message) if error is None else type(error)(message)
