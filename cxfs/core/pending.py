"""What the server does not have yet, as people and programs are shown it. Sends nothing and keeps nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cxfs.core import order


class Kind(StrEnum):
    """What is to be done on the server."""

    UPLOAD = "upload"
    DELETE = "delete"
    MKDIR = "mkdir"
    RMDIR = "rmdir"
    CLEAR = "clear"
    """What was sent by a name that its file no longer has, and may arrive there late, is removed again."""
    STAMP = "stamp"
    """An object gets its time, and what else there is of attributes."""


class Status(StrEnum):
    """Where it stands. The first three go on by themselves, the others wait for a person."""

    WRITING = "writing"
    WAITING = "waiting"
    SENDING = "sending"
    PARKED = "parked"
    SET_ASIDE = "set-aside"


_KINDS: Final = {order.Kind.UPLOAD: Kind.UPLOAD, order.Kind.MAKE: Kind.MKDIR, order.Kind.STAMP: Kind.STAMP}


def kind_of(step: order.Kind, *, is_folder: bool, is_known: bool) -> Kind:
    """What a step is called in a row; `is_known`: the object that it is about is."""
    if step is order.Kind.REMOVE:
        if not is_known:
            return Kind.CLEAR
        return Kind.RMDIR if is_folder else Kind.DELETE
    return _KINDS[step]


@dataclass(frozen=True, slots=True)
class Pending:
    """One row. `path` is below the mount, by shown names; `size` in bytes; `age_s` since it was accepted, if known.

    `id` names it in requests; `reason` says why it is parked, set aside, or was not taken at the last attempt.
    """

    id: str
    kind: Kind
    status: Status
    path: str
    size: int
    age_s: float | None
    attempts: int
    reason: str | None


def lies_in(path: str, place: str) -> bool:
    """Whether the path is this place or below it; the empty place holds all."""
    return not place or path == place or path.startswith(f"{place}/")
