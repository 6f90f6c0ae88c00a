"""The life of an errand on its way to CX, as a table: a folder to make, an object to remove, attributes to stamp.

KEPT      the file was deleted while a program has it open: it is removed after the last close
WAITING   journalled: to be sent as soon as nothing has to come before it
SENDING   the request is on its way
PARKED    refused for a reason that does not go away by itself; kept, shown, retried only when asked
OVER      done; or taken back, given up, or replaced by another errand
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from cxfs.core.uploads import IllegalStep


class State(Enum):
    """Where an errand stands."""

    KEPT = auto()
    WAITING = auto()
    SENDING = auto()
    PARKED = auto()
    OVER = auto()


class Event(Enum):
    """What happens to an errand."""

    CLOSED = auto()
    STARTED = auto()
    DONE = auto()
    FAILED = auto()
    REFUSED = auto()
    RETRIED = auto()
    TAKEN_BACK = auto()


NEXT: Final = {
    (State.KEPT, Event.CLOSED): State.WAITING,
    (State.KEPT, Event.TAKEN_BACK): State.OVER,
    (State.WAITING, Event.CLOSED): State.WAITING,
    (State.WAITING, Event.STARTED): State.SENDING,
    (State.WAITING, Event.TAKEN_BACK): State.OVER,
    (State.SENDING, Event.CLOSED): State.SENDING,
    (State.SENDING, Event.DONE): State.OVER,
    (State.SENDING, Event.FAILED): State.WAITING,
    (State.SENDING, Event.REFUSED): State.PARKED,
    (State.SENDING, Event.TAKEN_BACK): State.OVER,  # whoever replaces it waits for the answer
    (State.PARKED, Event.CLOSED): State.PARKED,
    (State.PARKED, Event.RETRIED): State.WAITING,
    (State.PARKED, Event.TAKEN_BACK): State.OVER,
}


def step(state: State, event: Event) -> State:
    """The state after `event`; raises IllegalStep where the table has none."""
    try:
        return NEXT[state, event]
    except KeyError:
        raise IllegalStep(f"{event.name} while {state.name}") from None
