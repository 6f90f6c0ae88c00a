"""What a feed vouches for, from answer to answer."""

from __future__ import annotations

import math

import pytest

from cxfs.core.entries import Uuid
from cxfs.core.feed import POLL_S, Change, Coverage, Feed, News

TTL_S = 30.0
FEED_TTL_S = 600.0
SOMETHING = (Change(Uuid("A" * 22), None),)


def believed_until(coverage: Coverage, asked_s: float) -> float:
    """With the times to live of these tests."""
    return coverage.believed_until(asked_s, ttl_s=TTL_S, feed_ttl_s=FEED_TTL_S)


def live(cursor: str = "1", at_s: float = 100.0) -> Feed:
    """After the first answer."""
    return Feed().heard(News(cursor, ()), at_s)


def test_while_it_is_live_what_was_asked_since_is_believed_for_long() -> None:
    """It would be told if that were not true any more; the end is for what nobody has thought of."""
    assert believed_until(live(at_s=100).coverage, 100) == 100 + FEED_TTL_S
    assert believed_until(live(at_s=100).coverage, 500) == 500 + FEED_TTL_S


def test_what_was_asked_before_it_began_is_none_of_its_business() -> None:
    """Who changed it in between is not told."""
    assert believed_until(live(at_s=100).coverage, 99.9) == -math.inf


def test_once_it_is_broken_the_time_to_live_counts_from_the_last_answer() -> None:
    """Until then everything was told; of what was asked later it knows nothing, as if there were no feed."""
    broken = live(at_s=100).heard(News("2", ()), 150).broken()

    assert believed_until(broken.coverage, 100) == 150 + TTL_S
    assert believed_until(broken.coverage, 170) == 170 + TTL_S


def test_a_short_feed_ttl_is_kept_to() -> None:
    """It bounds what is believed at all."""
    assert Coverage(0, math.inf).believed_until(5, ttl_s=TTL_S, feed_ttl_s=10) == 15


def test_the_server_waits_only_while_nothing_is_missing() -> None:
    """To catch up one asks, and has an answer at once."""
    assert [Feed().wait_s, live().wait_s, live().broken().wait_s] == [0, POLL_S, 0]


def test_it_is_live_again_when_nothing_more_is_told() -> None:
    """An answer with changes may have more behind it."""
    broken = live(at_s=100).broken()

    catching_up = broken.heard(News("5", SOMETHING), 200)
    caught_up = catching_up.heard(News("5", ()), 201)

    assert (catching_up.is_live, caught_up.is_live) == (False, True)
    assert catching_up.coverage.until_s == 100
    assert believed_until(caught_up.coverage, 100) == 100 + FEED_TTL_S


def test_a_live_one_stays_so_over_news() -> None:
    """What comes behind a full answer comes at once."""
    assert live().heard(News("5", SOMETHING), 120).is_live


def test_a_reset_vouches_for_nothing_before_it() -> None:
    """The server cannot tell what was missed."""
    reset = live(at_s=100).broken().heard(News("9", (), reset=True), 300)

    assert (reset.is_live, reset.cursor) == (True, "9")
    assert believed_until(reset.coverage, 299) == -math.inf
    assert believed_until(reset.coverage, 300) == 300 + FEED_TTL_S


@pytest.mark.parametrize("feed", [live(), live().broken()])
def test_it_goes_on_from_the_last_cursor(feed: Feed) -> None:
    """However often it breaks."""
    assert feed.broken().cursor == "1"
    assert feed.broken().is_live is False
    assert feed.heard(News("7", SOMETHING), 110).broken().cursor == "7"
