"""What the line carries, from transcripts of answers and bytes. Times are in seconds."""

from __future__ import annotations

import pytest

from cxfs.core.pace import DELAY_S_MIN, GROWTH, MEASURED_S, UNKNOWN_BYTES, Pace

MIB = 1 << 20


def one_after_the_other(
    pace: Pace, count: int, *, delay_s: float, rate: float, size: int, start_s: float = 0.0
) -> float:
    """So many transfers on a line of that rate; when the last one ended."""
    now = start_s
    for _ in range(count):
        now += delay_s
        pace.answered(delay_s, alone=True)
        pace.begins(now)
        now += size / rate
        pace.arrived(size, now)
        pace.ended(now)
    return now


def test_before_anything_was_seen_a_guess_is_made() -> None:
    """The first reads of a mount are no slower for it."""
    assert Pace().carried_bytes == UNKNOWN_BYTES


@pytest.mark.parametrize(("delay_s", "rate"), [(0.02, 100e6), (0.1, 10e6), (0.006, 1e9)])
def test_what_comes_in_one_round_trip_is_known_after_some_transfers(delay_s: float, rate: float) -> None:
    """Also when each one waits for the one before it."""
    pace = Pace()

    one_after_the_other(pace, 20, delay_s=delay_s, rate=rate, size=2 * MIB)

    assert pace.carried_bytes == pytest.approx(delay_s * rate, rel=0.05)


def test_transfers_side_by_side_are_one_line() -> None:
    """Eight of them that share a line do not make it an eighth as wide."""
    pace, now = Pace(), 1.0
    for _ in range(8):
        pace.answered(0.02, alone=False)
        pace.begins(now)
    for _ in range(200):
        now += 0.01
        for _ in range(8):
            pace.arrived(MIB // 8, now)

    assert pace.carried_bytes == pytest.approx(0.02 * MIB / 0.01, rel=0.05)


def test_time_in_which_nothing_is_under_way_does_not_count() -> None:
    """A reader that thinks for a second has not made the line slower."""
    pace = Pace()

    now = one_after_the_other(pace, 10, delay_s=0.02, rate=100e6, size=MIB)
    one_after_the_other(pace, 10, delay_s=0.02, rate=100e6, size=MIB, start_s=now + 60)

    assert pace.carried_bytes == pytest.approx(2e6, rel=0.05)


def test_an_answer_that_waited_behind_others_does_not_make_the_line_longer() -> None:
    """Else a full line would ask for ever larger windows."""
    pace = Pace()
    one_after_the_other(pace, 10, delay_s=0.02, rate=100e6, size=MIB)
    before = pace.carried_bytes

    for _ in range(100):
        pace.answered(0.2, alone=False)

    assert pace.carried_bytes == before


def test_one_slow_answer_is_not_the_line() -> None:
    """The server had to look for the file."""
    pace = Pace()
    one_after_the_other(pace, 10, delay_s=0.02, rate=100e6, size=MIB)
    before = pace.carried_bytes

    pace.answered(0.2, alone=True)

    assert pace.carried_bytes < 2 * before


def test_a_line_that_became_another_is_learnt() -> None:
    """From the office to the train."""
    pace = Pace()
    now = one_after_the_other(pace, 50, delay_s=0.001, rate=1e9, size=MIB)

    one_after_the_other(pace, 100, delay_s=0.1, rate=1e6, size=MIB, start_s=now)

    assert pace.carried_bytes == pytest.approx(100_000, rel=0.2)


def test_bytes_without_any_time_say_nothing() -> None:
    """A clock that does not move is no infinite line."""
    pace = Pace()

    one_after_the_other(pace, 10, delay_s=0.0, rate=float("inf"), size=10 * MIB)

    assert pace.carried_bytes == UNKNOWN_BYTES


def test_on_a_line_without_delay_some_milliseconds_are_still_used() -> None:
    """Nobody notices them, and each request brings more."""
    pace = Pace()

    one_after_the_other(pace, 20, delay_s=0.0001, rate=1e9, size=2 * MIB)

    assert pace.carried_bytes == pytest.approx(DELAY_S_MIN * 1e9, rel=0.05)


def test_short_bodies_tell_only_of_the_delay() -> None:
    """They come in with their heads, in no time."""
    pace = Pace()
    one_after_the_other(pace, 10, delay_s=0.1, rate=100e6, size=MIB)

    for _ in range(100):
        pace.answered(0.02, alone=True)

    assert pace.carried_bytes == pytest.approx(0.02 * 100e6, rel=0.05)


def test_pieces_that_are_told_of_together_did_not_come_together() -> None:
    """A busy loop hears of many at once."""
    pace, now = Pace(), 1.0
    pace.answered(0.02, alone=True)
    pace.begins(now)
    for _ in range(20):
        now += 0.01
        for _ in range(8):
            pace.arrived(MIB // 8, now)
            now += 1e-6

    assert pace.carried_bytes == pytest.approx(0.02 * MIB / 0.01, rel=0.1)


def test_what_comes_in_no_time_is_multiplied_until_it_takes_time() -> None:
    """A long and wide line is filled after a few bursts, though none of them is long enough to see its rate."""
    pace, carried, now = Pace(), [], 0.0
    for _ in range(4):
        burst = pace.carried_bytes
        now = one_after_the_other(pace, 1, delay_s=0.1, rate=1e9, size=burst, start_s=now)
        carried.append(pace.carried_bytes // burst)

    assert carried[:2] == [GROWTH, GROWTH]
    assert pace.carried_bytes == pytest.approx(0.1 * 1e9, rel=0.05)


@pytest.mark.parametrize(("delay_s", "rate"), [(0.02, 12.5e6), (0.1, 12.5e6), (0.1, 1.25e6), (0.3, 100e3)])
def test_a_slow_line_is_known_after_the_first_burst(delay_s: float, rate: float) -> None:
    """100 Mbit/s and less: what is asked for at once never takes much longer than the wait for it."""
    pace, now, took_s = Pace(), 0.0, []
    for _ in range(20):
        burst = pace.carried_bytes
        before = now
        now = one_after_the_other(pace, 1, delay_s=delay_s, rate=rate, size=burst, start_s=now)
        took_s.append(now - before)

    assert max(took_s[1:]) < 2.5 * delay_s


def test_bursts_are_believed_only_until_a_rate_is_seen() -> None:
    """The line became slower: what it brought in no time is history."""
    pace = Pace()
    now = one_after_the_other(pace, 3, delay_s=0.1, rate=10e9, size=4 * MIB)
    assert pace.carried_bytes == GROWTH * 4 * MIB

    one_after_the_other(pace, 1, delay_s=0.1, rate=10e6, size=4 * MIB, start_s=now)

    assert pace.carried_bytes < 4 * MIB


def test_a_rate_is_what_came_in_the_time_that_it_took() -> None:
    """To the byte, as soon as there was enough time for it."""
    pace = Pace()
    pace.begins(5.0)

    pace.arrived(1_000, 5.5)
    assert pace.rate == 2_000
    pace.arrived(1_000, 6.0)
    assert pace.rate == 2_000


def test_a_rate_is_seen_after_so_long_and_no_sooner() -> None:
    """In less, what was told of together looks as if it had come together."""
    pace = Pace()
    pace.begins(0.0)

    pace.arrived(1_000, 0.75 * MEASURED_S)
    assert pace.rate is None
    pace.arrived(1_000, MEASURED_S)
    assert pace.rate == 2_000 / MEASURED_S


def test_a_new_rate_is_believed_by_a_quarter() -> None:
    """One odd moment is not the line."""
    pace = Pace()
    pace.begins(0.0)

    pace.arrived(1_000, 0.5)
    pace.arrived(2_000, 1.0)

    assert pace.rate == pytest.approx(0.75 * 2_000 + 0.25 * 4_000)


def test_a_burst_is_over_with_the_last_of_its_bodies_and_is_all_that_came_in_it() -> None:
    """However many there were side by side, in however many pieces."""
    pace = Pace()
    pace.answered(0.1, alone=True)
    pace.begins(1.0)
    pace.begins(1.0)
    for _ in range(4):
        pace.arrived(MIB, 1.001)

    pace.ended(1.001)
    assert pace.carried_bytes == UNKNOWN_BYTES
    pace.ended(1.001)
    assert pace.carried_bytes == GROWTH * 4 * MIB


def test_a_burst_may_take_a_certain_part_of_a_round_trip_and_no_more() -> None:
    """What took longer than that came at the rate of the line."""
    carried = []
    for took_s in (0.015625, 0.015626):
        pace = Pace()
        pace.answered(0.015625 * GROWTH, alone=True)
        pace.begins(0.0)
        pace.arrived(MIB, took_s)
        pace.ended(took_s)
        carried.append(pace.carried_bytes)

    assert carried == [GROWTH * MIB, UNKNOWN_BYTES]
