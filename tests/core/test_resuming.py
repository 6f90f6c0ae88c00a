"""When a transfer that broke is tried again."""

from __future__ import annotations

import pytest

from cxfs.core.errors import NotFound, RateLimited, ServerTrouble, Stale, TimedOut, Unreachable
from cxfs.core.resuming import Resumption

STALL_S = 60.0


def test_what_makes_progress_is_tried_again_without_end() -> None:
    """A film over a line that breaks every megabyte arrives all the same."""
    transfer = Resumption(STALL_S, now_s=0.0)

    for number in range(1, 1_000):
        assert transfer.pause_s(Unreachable("broke"), got_on=True, now_s=50.0 * number, jitter=0.5) == pytest.approx(
            0.05
        )


def test_what_makes_none_ends_with_its_time() -> None:
    """The program is told, and not kept waiting for ever."""
    transfer = Resumption(STALL_S, now_s=0.0)
    now_s, tries = 0.0, 0

    while (pause_s := transfer.pause_s(Unreachable("broke"), got_on=False, now_s=now_s, jitter=0.5)) is not None:
        now_s += pause_s
        tries += 1

    assert now_s <= STALL_S
    assert tries > 10


def test_an_answer_that_will_not_change_is_taken() -> None:
    """A version that is gone does not come back."""
    for error in (Stale("gone"), NotFound("gone")):
        assert Resumption(STALL_S, now_s=0.0).pause_s(error, got_on=True, now_s=0.0, jitter=0.5) is None


def test_each_stall_is_waited_for_longer_until_something_comes() -> None:
    """A dead connection is left soon, a slow server is not left for ever."""
    transfer = Resumption(STALL_S, now_s=0.0)
    assert transfer.patience_s == 10.0

    transfer.pause_s(TimedOut("stalled"), got_on=False, now_s=10.0, jitter=0.5)
    transfer.pause_s(ServerTrouble("trouble"), got_on=False, now_s=11.0, jitter=0.5)
    assert transfer.patience_s == 20.0

    transfer.pause_s(TimedOut("stalled"), got_on=True, now_s=31.0, jitter=0.5)
    assert transfer.patience_s == 20.0
    transfer.pause_s(Unreachable("broke"), got_on=True, now_s=32.0, jitter=0.5)
    assert transfer.patience_s == 10.0


def test_the_pause_that_the_server_asks_for_is_kept_or_is_too_long() -> None:
    """Within the time there is."""
    transfer = Resumption(STALL_S, now_s=0.0)

    assert transfer.pause_s(RateLimited("busy", retry_after_s=7.0), got_on=False, now_s=0.0, jitter=0.0) == 7.0
    assert transfer.pause_s(RateLimited("busy", retry_after_s=7.0), got_on=False, now_s=55.0, jitter=0.0) is None


def test_the_pauses_of_one_that_makes_no_progress_grow() -> None:
    """And begin short: most breaks are mended by then."""
    transfer = Resumption(STALL_S, now_s=0.0)

    pauses = [transfer.pause_s(Unreachable("broke"), got_on=False, now_s=0.0, jitter=0.5) for _ in range(4)]

    assert pauses == pytest.approx([0.05, 0.1, 0.2, 0.4])
