"""When to try again, and when not."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, strategies as st

from cxfs.core.retry import FOREVER, RetryPolicy

POLICY = RetryPolicy(first_pause_s=0.1, longest_pause_s=5.0, tries_max=8, retry_after_max_s=60.0)

lots = st.floats(min_value=0, max_value=1, exclude_max=True)
failures = st.integers(min_value=1, max_value=10_000)
seconds = st.floats(min_value=0, max_value=1e9)


@pytest.mark.parametrize(
    ("count", "ceiling_s"),
    [(1, 0.1), (2, 0.2), (3, 0.4), (4, 0.8), (5, 1.6), (6, 3.2), (7, 5.0), (8, 5.0), (1_000_000, 5.0)],
)
def test_the_ceiling_doubles_until_it_stays(count: int, ceiling_s: float) -> None:
    """A server that is back is noticed soon, one that is down is not hammered."""
    assert POLICY.ceiling_s(count) == pytest.approx(ceiling_s)


def test_the_lot_decides_between_nothing_and_the_ceiling() -> None:
    """Full jitter: clients that were thrown off together do not come back together."""
    assert POLICY.pause_s(failures=4, jitter=0.0) == 0
    assert POLICY.pause_s(failures=4, jitter=0.5) == pytest.approx(0.4)


def test_after_the_last_try_there_is_no_pause() -> None:
    """The caller gets the reason instead."""
    assert POLICY.pause_s(failures=7, jitter=0.5) is not None
    assert POLICY.pause_s(failures=8, jitter=0.5) is None


def test_without_a_number_of_tries_there_is_always_another() -> None:
    """What is kept in the outbox is tried until it is sent."""
    endless = RetryPolicy(tries_max=None)

    assert endless.pause_s(failures=1_000_000, jitter=0.5) is not None


def test_the_end_of_the_time_is_not_slept_away() -> None:
    """At most half of what is left goes into one pause."""
    assert POLICY.pause_s(failures=7, jitter=0.5, left_s=60) == pytest.approx(2.5)
    assert POLICY.pause_s(failures=7, jitter=0.5, left_s=2.0) == pytest.approx(0.5)


def test_a_pause_that_would_reach_the_deadline_is_not_begun() -> None:
    """Waiting only to say "timed out" would hide the reason that is known now."""
    assert POLICY.pause_s(failures=7, jitter=0.0, left_s=0.09) is None
    assert POLICY.pause_s(failures=1, jitter=0.0, left_s=2.0, retry_after_s=2.0) is None
    assert POLICY.pause_s(failures=1, jitter=0.0, left_s=2.0, retry_after_s=1.9) == pytest.approx(1.9)


def test_the_pause_that_the_server_asks_for_is_kept() -> None:
    """And jitter added: all its clients were told the same."""
    pause_s = POLICY.pause_s(failures=1, jitter=0.5, retry_after_s=7.0)

    assert pause_s == pytest.approx(7.05)


def test_a_server_cannot_ask_for_an_endless_pause() -> None:
    """A mistaken `Retry-After` of a year must not silence the client for a year."""
    pause_s = POLICY.pause_s(failures=1, jitter=0.0, retry_after_s=31_536_000.0)

    assert pause_s == pytest.approx(60.0)


def test_a_server_that_asks_for_more_than_is_left_is_not_asked_again() -> None:
    """It has said itself that it would refuse."""
    assert POLICY.pause_s(failures=1, jitter=0.0, retry_after_s=30.0, left_s=10.0) is None


@given(count=failures, jitter=lots, left_s=seconds, retry_after_s=st.none() | seconds)
def test_a_pause_is_finite_within_its_limits_and_ends_before_the_deadline(
    count: int, jitter: float, left_s: float, retry_after_s: float | None
) -> None:
    """Whatever the numbers."""
    policy = RetryPolicy(tries_max=None)
    pause_s = policy.pause_s(failures=count, jitter=jitter, left_s=left_s, retry_after_s=retry_after_s)

    asked_s = 0.0 if retry_after_s is None else min(retry_after_s, policy.retry_after_max_s)
    assert pause_s is None or (asked_s <= pause_s < left_s)
    assert pause_s is None or pause_s <= asked_s + policy.longest_pause_s


@given(count=failures, jitter=lots)
def test_without_a_deadline_only_the_number_of_tries_ends_it(count: int, jitter: float) -> None:
    """So that giving up has one reason at a time."""
    pause_s = POLICY.pause_s(failures=count, jitter=jitter, left_s=FOREVER)

    assert (pause_s is None) == (count >= 8)


@pytest.mark.parametrize("odd", [-1.0, 2.0, math.inf])
def test_a_lot_out_of_bounds_stays_within_the_pause(odd: float) -> None:
    """A wrong source of jitter must not become a wrong pause."""
    pause_s = POLICY.pause_s(failures=1, jitter=odd)

    assert pause_s is not None
    assert 0 <= pause_s <= 0.1


def test_a_try_needs_the_time_of_the_first_pause_and_no_more() -> None:
    """With less there is no time for an answer."""
    assert POLICY.pause_s(failures=1, jitter=0.0, left_s=POLICY.first_pause_s) == 0
