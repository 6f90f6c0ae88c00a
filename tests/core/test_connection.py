"""Four states, and the signs that lead from one to another."""

from __future__ import annotations

import itertools
from typing import Final

import pytest
from hypothesis import given, strategies as st

from cxfs.core.connection import FAILING_S, NEXT, Connection, Sign, State, Thresholds

LIMITS: Final = Thresholds()
BAD: Final = [Sign.SICK, Sign.NOTHING]


def told(*signs: Sign, every_s: float = 1.0, begin: Connection | None = None, at_s: float = 0.0) -> Connection:
    """What is held after these signs, one every so many seconds."""
    connection = begin or Connection()
    for number, sign in enumerate(signs):
        connection = connection.after(sign, at_s + number * every_s, f"sign {number}")
    return connection


ONLINE: Final = Connection()
DEGRADED: Final = told(*[Sign.SICK] * 4)
OFFLINE: Final = told(*[Sign.NOTHING] * 8)
SIGNED_OUT: Final = told(Sign.REFUSED)
IN: Final = {State.ONLINE: ONLINE, State.DEGRADED: DEGRADED, State.OFFLINE: OFFLINE, State.SIGNED_OUT: SIGNED_OUT}


def test_each_state_is_what_it_is_called() -> None:
    """What the other tests begin from."""
    assert {state: connection.state for state, connection in IN.items()} == {state: state for state in State}


@pytest.mark.parametrize(
    ("state", "sign", "then"),
    [
        (State.ONLINE, Sign.WELL, State.ONLINE),
        (State.ONLINE, Sign.SICK, State.ONLINE),
        (State.ONLINE, Sign.NOTHING, State.ONLINE),
        (State.ONLINE, Sign.REFUSED, State.SIGNED_OUT),
        (State.ONLINE, Sign.TAKEN, State.ONLINE),
        (State.DEGRADED, Sign.WELL, State.ONLINE),
        (State.DEGRADED, Sign.SICK, State.DEGRADED),
        (State.DEGRADED, Sign.NOTHING, State.DEGRADED),
        (State.DEGRADED, Sign.REFUSED, State.SIGNED_OUT),
        (State.DEGRADED, Sign.TAKEN, State.DEGRADED),
        (State.OFFLINE, Sign.WELL, State.ONLINE),
        (State.OFFLINE, Sign.SICK, State.DEGRADED),
        (State.OFFLINE, Sign.NOTHING, State.OFFLINE),
        (State.OFFLINE, Sign.REFUSED, State.SIGNED_OUT),
        (State.OFFLINE, Sign.TAKEN, State.OFFLINE),
        (State.SIGNED_OUT, Sign.WELL, State.SIGNED_OUT),
        (State.SIGNED_OUT, Sign.SICK, State.SIGNED_OUT),
        (State.SIGNED_OUT, Sign.NOTHING, State.SIGNED_OUT),
        (State.SIGNED_OUT, Sign.REFUSED, State.SIGNED_OUT),
        (State.SIGNED_OUT, Sign.TAKEN, State.ONLINE),
    ],
)
def test_one_sign_in_each_state(state: State, sign: Sign, then: State) -> None:
    """One failure proves nothing; one good answer proves that all is well."""
    assert IN[state].after(sign, 100.0).state is then


def test_every_row_of_the_table_is_reached_by_some_signs() -> None:
    """A row that nothing leads to would be a promise of nobody's."""
    reached = set()
    for begin, signs in itertools.product(IN.values(), itertools.product(Sign, repeat=4)):
        held = begin
        for number, sign in enumerate(signs):
            state, held = held.state, held.after(sign, 100.0 + number * 4)
            reached.add((state, held.meaning_of(sign, 100.0 + number * 4)))

    assert reached >= NEXT.keys()


def test_the_server_that_answers_with_failures_alone_is_sick() -> None:
    """It is there: to ask it goes on being of use."""
    assert DEGRADED.state is State.DEGRADED
    assert DEGRADED.reason == "sign 3"


def test_nothing_at_all_for_a_while_is_no_connection() -> None:
    """First old answers are better than none; after some more seconds waiting longer helps no program."""
    states = [told(*[Sign.NOTHING] * count).state for count in range(1, 10)]

    assert states == [State.ONLINE] * 3 + [State.DEGRADED] * 4 + [State.OFFLINE] * 2


@pytest.mark.parametrize("bad", BAD)
def test_many_failures_at_once_are_one_moment(bad: Sign) -> None:
    """A server that is restarted throws off everybody in the same second, and is back in the next."""
    assert told(*[bad] * 500, every_s=0.004).state is State.ONLINE


@pytest.mark.parametrize("bad", BAD)
def test_two_failures_are_too_few_however_long_they_took(bad: Sign) -> None:
    """Both may have been of the same stuck connection."""
    assert told(bad, bad, every_s=60).state is State.ONLINE


@pytest.mark.parametrize("bad", BAD)
def test_one_good_answer_ends_all_doubt(bad: Sign) -> None:
    """What failed before it counts no longer."""
    assert told(*[bad] * 3, Sign.WELL, *[bad] * 3).state is State.ONLINE


def test_a_failure_that_was_answered_is_no_silence() -> None:
    """Of four failures one came from the server: there is a connection."""
    assert told(Sign.NOTHING, Sign.NOTHING, Sign.SICK, Sign.NOTHING).state is State.DEGRADED


def test_a_sick_server_that_falls_silent_is_offline() -> None:
    """Its silence counts from its last word."""
    silent = [told(*[Sign.NOTHING] * count, begin=DEGRADED, at_s=10).state for count in (1, 7, 8)]

    assert silent == [State.DEGRADED, State.DEGRADED, State.OFFLINE]


def test_a_state_remembers_when_and_why_it_began() -> None:
    """For people: later failures are of no news."""
    later = told(*[Sign.NOTHING] * 5, begin=OFFLINE, at_s=50)

    assert (later.since_s, later.reason) == (7.0, "sign 7")


def test_all_is_well_for_no_reason() -> None:
    """The reason of the former state is not the present one's."""
    assert OFFLINE.after(Sign.WELL, 60.0, "").reason == ""


@pytest.mark.parametrize(("deadline_s", "settled_s"), [(10, 4), (60, 4), (2, 0.8)])
def test_doubt_is_settled_before_half_a_deadline_is_over(deadline_s: float, settled_s: float) -> None:
    """Those who wait for what is cached are answered in time; longer deadlines do not make it slower."""
    limits = Thresholds.within(deadline_s)

    assert limits.quiet_s + limits.failing_s == pytest.approx(settled_s)
    assert limits.quiet_s + limits.silent_s == pytest.approx(2 * settled_s)
    assert limits.probe_s <= deadline_s / 2


# ------------------------------------------------------------------------------------------------ probes


def test_only_doubt_and_trouble_are_probed() -> None:
    """A server that is well is asked nothing extra; who is signed out is looked after by whoever keeps the token."""
    probed = {state: connection.is_probed for state, connection in IN.items()}

    assert probed == {State.ONLINE: False, State.DEGRADED: True, State.OFFLINE: True, State.SIGNED_OUT: False}
    assert ONLINE.after(Sign.NOTHING, 1.0).is_probed


def test_in_doubt_probes_follow_closely() -> None:
    """Calls wait for what comes out."""
    doubt = ONLINE.after(Sign.NOTHING, 1.0)

    assert [doubt.probe_pause_s(jitter) for jitter in (0, 0.5, 1)] == [LIMITS.quiet_s] * 3


def test_while_it_may_be_offline_probes_follow_closely_as_well() -> None:
    """Degraded by silence, which either ends or is certainty some seconds later; by failures, it may last all night."""
    silent = told(*[Sign.NOTHING] * 4).probed().probed()

    assert (silent.state, silent.probe_pause_s(1.0)) == (State.DEGRADED, LIMITS.quiet_s)
    assert DEGRADED.probed().probe_pause_s(1.0) == 2


def test_pauses_between_probes_grow_up_to_a_cap() -> None:
    """A server that is away for long is not asked every second, and its return is still noticed soon."""
    pauses, connection = [], OFFLINE
    for _ in range(7):
        pauses.append(connection.probe_pause_s(1.0))
        connection = connection.probed()

    assert pauses == [1, 2, 4, 8, 15, 15, 15]


@given(jitter=st.floats(-1, 2), probes=st.integers(0, 10_000))
def test_pauses_are_drawn_from_their_upper_half(jitter: float, probes: int) -> None:
    """So that a thousand clients do not ask in step, and none of them asks at once."""
    connection = Connection(state=State.OFFLINE, probes=probes)

    pause_s, most_s = connection.probe_pause_s(jitter), connection.probe_pause_s(1.0)

    assert most_s / 2 <= pause_s <= most_s <= 15


def test_a_new_state_begins_with_short_pauses() -> None:
    """A server that is heard again is probably back in a moment."""
    long_offline = Connection(state=State.OFFLINE, probes=50)

    assert long_offline.after(Sign.SICK, 9.0).probe_pause_s(1.0) == 1


# ------------------------------------------------------------------------------------------------ the life of one


def test_three_failures_over_time_are_enough() -> None:
    """Whatever they are."""
    for bad in BAD:
        assert told(*[bad] * 3, every_s=FAILING_S / 2).state is State.DEGRADED
        assert told(*[bad] * 3, every_s=FAILING_S / 2 - 0.01).state is State.ONLINE


def test_a_change_is_told_with_its_moment_and_its_reason() -> None:
    """And a change for the better with its moment alone."""
    signed_out = Connection().after(Sign.REFUSED, 5.0, "the token is not taken")
    back = signed_out.after(Sign.TAKEN, 8.0, "a new token")

    assert (signed_out.since_s, signed_out.reason) == (5.0, "the token is not taken")
    assert (back.since_s, back.reason) == (8.0, "")
    assert Connection().after(Sign.REFUSED, 5.0).reason == ""


def test_no_sign_of_life_is_no_sign_of_life() -> None:
    """Whoever was offline does not come back by one more failure to reach it."""
    offline = Connection(state=State.OFFLINE)

    assert offline.after(Sign.NOTHING, 1.0).state is State.OFFLINE
    assert offline.after(Sign.SICK, 1.0).state is State.DEGRADED


def test_half_of_each_pause_is_waited_and_the_rest_is_a_lot() -> None:
    """Drawn evenly."""
    offline = Connection(state=State.OFFLINE)

    assert [offline.probe_pause_s(jitter) for jitter in (0.0, 0.5, 1.0)] == [0.5, 0.75, 1.0]
