"""Whether what is known is answered with, or the server asked first. Reads no clock and asks nobody.

While the server answers, nothing is believed beyond its time to live. While it does not, what is known is the answer,
however old it is: a listing of yesterday is of more use than an error after ten seconds.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from cxfs.core.connection import State
from cxfs.core.errors import CxfsError, SignedOut

STALE_S: Final = 1.0
"""For how long something old may be believed that was answered while the server could not be asked: the kernel need not
ask again for each of ten thousand names, and what changed meanwhile is seen soon after the server's return."""

PATIENCE_MOST_S: Final = 5.0


class Course(Enum):
    """How a question is answered."""

    BELIEVE = auto()
    """With what is known. The server is not asked."""
    CHECK = auto()
    """By the server; with what is known, where it does not answer in time."""
    ASK = auto()
    """By the server: nothing is known."""


def course(state: State, *, is_known: bool) -> Course:
    """How to answer what is not known freshly; `is_known`: an older answer is here."""
    if not is_known:
        return Course.ASK
    return Course.CHECK if state is State.ONLINE else Course.BELIEVE


def leaves_open(error: CxfsError) -> bool:
    """Whether the failure says nothing of what was asked for, so that what was known of it still holds."""
    return error.transient or isinstance(error, SignedOut)


def patience_s(deadline_s: float) -> float:
    """How long the server is waited for where something older is known: a call with this deadline is still answered."""
    return min(PATIENCE_MOST_S, deadline_s / 2)
