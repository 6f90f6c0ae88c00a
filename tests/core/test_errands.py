"""The life of an errand, as a table."""

from __future__ import annotations

from itertools import accumulate, product

import pytest

from cxfs.core.errands import NEXT, Event, State, step
from cxfs.core.uploads import IllegalStep

LIVES = {
    "sent": ([Event.STARTED, Event.DONE], [State.SENDING, State.OVER]),
    "the server is away": (
        [Event.STARTED, Event.FAILED, Event.STARTED, Event.DONE],
        [State.SENDING, State.WAITING, State.SENDING, State.OVER],
    ),
    "refused, then retried on request": (
        [Event.STARTED, Event.REFUSED, Event.RETRIED],
        [State.SENDING, State.PARKED, State.WAITING],
    ),
    "undone before it was sent": ([Event.TAKEN_BACK], [State.OVER]),
}


@pytest.mark.parametrize(("state", "event"), [pair for pair in product(State, Event) if pair not in NEXT])
def test_an_errand_takes_no_step_outside_the_table(state: State, event: Event) -> None:
    """Such a step is a bug of the caller, and shows as one."""
    with pytest.raises(IllegalStep, match=f"{event.name} while {state.name}"):
        step(state, event)


@pytest.mark.parametrize("life", LIVES)
def test_a_life(life: str) -> None:
    """The stories that the table is made of, read from left to right."""
    events, expected = LIVES[life]

    assert list(accumulate(events, step, initial=State.WAITING))[1:] == expected


@pytest.mark.parametrize("state", [state for state in State if state is not State.OVER])
def test_an_errand_can_be_undone_at_any_time_before_its_end(state: State) -> None:
    """A program may change its mind whatever the network does."""
    assert step(state, Event.TAKEN_BACK) is State.OVER


def test_a_file_that_is_open_is_removed_after_its_last_close() -> None:
    """Until then it is readable."""
    assert (State.KEPT, Event.STARTED) not in NEXT
    assert step(State.KEPT, Event.CLOSED) is State.WAITING
