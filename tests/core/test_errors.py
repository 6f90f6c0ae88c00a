"""The words for failure."""

from __future__ import annotations

from cxfs.core.errors import RateLimited, ServerTrouble, cause_of


def test_a_pause_that_the_server_asks_for_is_told_with_its_words() -> None:
    """Both are wanted: the one for the next attempt, the other for a person."""
    asked = RateLimited("too many requests", retry_after_s=3.0)

    assert (str(asked), asked.retry_after_s) == ("too many requests", 3.0)


def test_one_failure_is_itself_through_any_number_of_nurseries() -> None:
    """No caller of ours has to know how many there were."""
    failure = ServerTrouble("no answer")
    group = BaseExceptionGroup("outer", [BaseExceptionGroup("inner", [failure])])

    assert cause_of(failure) is failure
    assert cause_of(group) is failure


def test_several_failures_stay_together() -> None:
    """None of them is the cause."""
    both = BaseExceptionGroup("both", [ServerTrouble("one"), ServerTrouble("other")])

    assert cause_of(BaseExceptionGroup("outer", [both])) is both
