"""What is answered with what is known, and what the server is asked first."""

from __future__ import annotations

import inspect

import pytest

from cxfs.core import errors
from cxfs.core.connection import State, Thresholds
from cxfs.core.errors import CxfsError
from cxfs.core.freshness import Course, course, leaves_open, patience_s


@pytest.mark.parametrize(
    ("state", "known", "unknown"),
    [
        (State.ONLINE, Course.CHECK, Course.ASK),
        (State.DEGRADED, Course.BELIEVE, Course.ASK),
        (State.OFFLINE, Course.BELIEVE, Course.ASK),
        (State.SIGNED_OUT, Course.BELIEVE, Course.ASK),
    ],
)
def test_what_is_old_is_believed_only_while_nobody_can_tell_better(
    state: State, known: Course, unknown: Course
) -> None:
    """Close-to-open holds as long as the server answers."""
    assert (course(state, is_known=True), course(state, is_known=False)) == (known, unknown)


def test_a_failure_that_passes_leaves_open_what_was_asked() -> None:
    """That something is gone, or forbidden, is an answer."""
    open_after = {
        kind.__name__
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, CxfsError) and leaves_open(kind("x"))
    }

    assert open_after == {
        "BadReply", "ContentLost", "Offline", "RateLimited", "ServerTrouble", "SignedOut", "TimedOut", "Unreachable",
        "Untrusted",
    }  # fmt: skip


@pytest.mark.parametrize("deadline_s", [0.5, 2, 10, 60])
def test_patience_ends_after_doubt_and_before_the_deadline(deadline_s: float) -> None:
    """So that one who waits is answered from the cache, by whichever comes first."""
    limits = Thresholds.within(deadline_s)

    assert limits.quiet_s + limits.failing_s <= patience_s(deadline_s) <= deadline_s / 2
