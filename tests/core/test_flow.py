"""How fast bytes pass of late."""

from __future__ import annotations

import pytest

from cxfs.core.flow import WINDOW_S, Flow


def test_nothing_passes_at_no_rate() -> None:
    """Nor does it divide by nothing."""
    assert (Flow().total, Flow().rate(5.0)) == (0, 0.0)


@pytest.mark.parametrize("steps_a_second", [1, 10])
def test_a_steady_stream_has_its_rate(steps_a_second: int) -> None:
    """However finely it is told of."""
    flow = Flow()
    for step in range(60 * steps_a_second):
        flow.passed(1_000 // steps_a_second, step / steps_a_second)

    assert flow.total == 60_000
    assert flow.rate(60.0) == pytest.approx(1_000, rel=0.12)


def test_what_was_long_ago_counts_no_more() -> None:
    """A stream that has ended is at rest after the window."""
    flow = Flow()
    flow.passed(1_000, 0.0)

    assert flow.rate(WINDOW_S - 0.001) > 0
    assert flow.rate(WINDOW_S) == 0.0


def test_a_first_moment_is_no_burst() -> None:
    """A megabyte in a millisecond would promise that all is over at once."""
    flow = Flow()
    flow.passed(1_000, 7.0)

    assert flow.rate(7.001) == 1_000


def test_every_second_of_the_window_counts_and_no_other_is_kept() -> None:
    """A stream that has run for a year takes no more memory than one of ten seconds."""
    flow = Flow()
    for second in range(1_000):
        flow.passed(1_000, float(second))

    assert flow.rate(999.999) == pytest.approx(1_000, rel=0.001)
    assert len(flow._seconds) == WINDOW_S + 1
