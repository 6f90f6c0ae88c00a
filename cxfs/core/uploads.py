"""The life of a change on its way to CX, as a table. Sends nothing and writes nothing down.

WRITING    a program has it open for writing
WAITING    closed and journalled: to be sent
SENDING    its bytes are going out; a write now abandons the attempt, so that no mixture is sent
SEALED     every byte was handed over; the answer will come, whatever happens here
OVERTAKEN  written again while SEALED: the answer gives the new base, then there is more to send
PARKED     refused for a reason that does not go away by itself; kept, shown, retried only when asked or rewritten
DONE       the server has it, and said so with the right size and checksum
"""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import Final

from cxfs.core.entries import NAME_CHARACTERS_MAX, EntryName


class State(Enum):
    """Where a change stands."""

    WRITING = auto()
    WAITING = auto()
    SENDING = auto()
    SEALED = auto()
    OVERTAKEN = auto()
    PARKED = auto()
    DONE = auto()

    __hash__ = object.__hash__  # Enum's own is written in Python, and every write looks into the table twice


class Event(Enum):
    """What happens to a change."""

    WRITTEN = auto()
    CLOSED = auto()
    STARTED = auto()
    HANDED_OVER = auto()
    ACCEPTED = auto()
    FAILED = auto()
    REFUSED = auto()
    RETRIED = auto()

    __hash__ = object.__hash__


class IllegalStep(Exception):
    """A step that the table does not have: a bug in the caller."""


NEXT: Final = {
    (State.WRITING, Event.WRITTEN): State.WRITING,
    (State.WRITING, Event.CLOSED): State.WAITING,
    (State.WAITING, Event.WRITTEN): State.WRITING,
    (State.WAITING, Event.CLOSED): State.WAITING,
    (State.WAITING, Event.STARTED): State.SENDING,
    (State.WAITING, Event.REFUSED): State.PARKED,
    (State.SENDING, Event.WRITTEN): State.WRITING,
    (State.SENDING, Event.CLOSED): State.SENDING,
    (State.SENDING, Event.HANDED_OVER): State.SEALED,
    (State.SENDING, Event.ACCEPTED): State.DONE,  # the server turned out to hold this very content already
    (State.SENDING, Event.FAILED): State.WAITING,
    (State.SENDING, Event.REFUSED): State.PARKED,
    (State.SEALED, Event.WRITTEN): State.OVERTAKEN,
    (State.SEALED, Event.CLOSED): State.SEALED,
    (State.SEALED, Event.ACCEPTED): State.DONE,
    (State.SEALED, Event.FAILED): State.WAITING,
    (State.SEALED, Event.REFUSED): State.PARKED,
    (State.OVERTAKEN, Event.WRITTEN): State.OVERTAKEN,
    (State.OVERTAKEN, Event.CLOSED): State.OVERTAKEN,
    (State.OVERTAKEN, Event.ACCEPTED): State.WRITING,
    (State.OVERTAKEN, Event.FAILED): State.WRITING,
    (State.OVERTAKEN, Event.REFUSED): State.WRITING,
    (State.PARKED, Event.WRITTEN): State.WRITING,
    (State.PARKED, Event.CLOSED): State.PARKED,
    (State.PARKED, Event.RETRIED): State.WAITING,
}

IN_FLIGHT: Final = frozenset({State.SENDING, State.SEALED, State.OVERTAKEN})
"""An attempt runs, and its task will take the next step."""


def step(state: State, event: Event) -> State:
    """The state after `event`; raises IllegalStep where the table has none."""
    try:
        return NEXT[state, event]
    except KeyError:
        raise IllegalStep(f"{event.name} while {state.name}") from None


def conflict_name(name: EntryName, *, host: str, date: str, attempt: int) -> EntryName:
    """What our side of a conflict is called beside the server's: `NAME (conflict HOST YYYY-MM-DD).EXT`.

    `attempt` counts from 1; a later one adds its number, for when the name is taken as well.
    """
    stem, dot, extension = name.rpartition(".")
    if not stem:
        stem, dot, extension = name, "", ""
    mark = f" (conflict {host} {date}{f' {attempt}' if attempt > 1 else ''})"
    room = NAME_CHARACTERS_MAX - len(mark) - len(dot) - len(extension)
    if room < 1:  # an extension of over 200 characters is none
        stem, dot, extension, room = name, "", "", NAME_CHARACTERS_MAX - len(mark)
    return EntryName(stem[:room] + mark + dot + extension)


_CONFLICT: Final = re.compile(r" \(conflict .+ \d{4}-\d{2}-\d{2}(?: \d+)?\)(?:\.[^.]*)?\Z", re.ASCII | re.DOTALL)


def is_conflict_name(name: EntryName) -> bool:
    """Whether `conflict_name` makes such names."""
    return "(conflict " in name and _CONFLICT.search(name) is not None


LARGE_BYTES: Final = 64 << 20
LARGE_SETTLE_S: Final = 0.2
"""A file of such a size is neither one of many nor rewritten at once, and takes its time on the way."""


def is_large(size: int) -> bool:
    """Whether a file of so many bytes is worth a request of its own at once, whatever else comes."""
    return size >= LARGE_BYTES


BACKUP_SETTLE_S: Final = 2.0
"""For a new file by the name of one that was just set aside: an editor deletes its backup before, or keeps it."""


def settling_s(size: int, usual_s: float, *, has_backup: bool = False) -> float:
    """How long after its last close a file of so many bytes is sent, where others are after `usual_s`."""
    if has_backup:
        return max(usual_s, BACKUP_SETTLE_S)
    return min(usual_s, LARGE_SETTLE_S) if is_large(size) else usual_s
