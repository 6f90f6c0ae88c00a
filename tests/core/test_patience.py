"""How long nothing may happen before it is tried anew."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from cxfs.core.patience import (
    ANSWER_S,
    LATE_S,
    RECALL_S,
    RECEIPT_S,
    STALL_S,
    AnswerPatience,
    for_download,
    for_upload,
)

DEADLINE_S = 10.0
MOST_S = 60.0

seconds = st.floats(min_value=0, max_value=1e6)


def attempts(patience: AnswerPatience) -> list[float]:
    """How long each attempt at a call waits, where none is answered."""
    left_s, waits = DEADLINE_S, list[float]()
    while left_s > 0:
        waits.append(patience.attempt_s(len(waits), left_s=left_s))
        left_s -= waits[-1]
    return waits


def upload_patience(sent_bytes: int, *, left: int) -> float:
    """When so much is out and so much is not."""
    return for_upload(sent_bytes, sent_bytes + left, receipt_s=RECEIPT_S, most_s=MOST_S)


def test_a_download_that_stalls_is_made_anew_soon_and_then_more_patiently() -> None:
    """A dead connection costs ten seconds; a server that needs half a minute is waited for all the same."""
    assert [for_download(stalls, most_s=MOST_S) for stalls in range(5)] == [10, 20, 40, 60, 60]
    assert for_download(1_000_000, most_s=MOST_S) == MOST_S


def test_the_more_was_sent_the_more_patience() -> None:
    """Nothing of an upload is kept where it breaks off."""
    assert upload_patience(30 << 20, left=1) == pytest.approx(30)
    assert upload_patience(30 << 20, left=0) == pytest.approx(15)
    assert upload_patience(1 << 40, left=0) == upload_patience(1 << 40, left=1) == MOST_S


def test_only_what_is_still_going_out_is_waited_for_like_content() -> None:
    """Once all is out, the answer alone is due."""
    assert upload_patience(0, left=1) == upload_patience(5 << 20, left=1) == STALL_S
    assert upload_patience(0, left=0) == upload_patience(3 << 20, left=0) == RECEIPT_S


def test_nobody_is_more_patient_than_allowed() -> None:
    """A deadline of two seconds is one."""
    assert for_download(0, most_s=2.0) == for_upload(0, 1, receipt_s=RECEIPT_S, most_s=2.0) == 2.0
    assert for_upload(1, 1, receipt_s=RECEIPT_S, most_s=2.0) == 2.0
    assert AnswerPatience(2.0).attempt_s(0, left_s=2.0) == 2.0


def test_a_call_is_tried_three_times_within_its_deadline() -> None:
    """Two dead connections in a row are survived, and the last attempt wastes nothing."""
    assert attempts(AnswerPatience(DEADLINE_S)) == [2.0, 3.0, 5.0]


def test_a_server_that_never_answers_in_time_gets_more_of_it() -> None:
    """Up to all there is: what is slow is not made slower by asking again and again."""
    patience = AnswerPatience(DEADLINE_S)

    patience.ended_without()
    assert attempts(patience) == [4.0, 6.0]
    patience.ended_without()
    patience.ended_without()
    assert attempts(patience) == [DEADLINE_S]


def test_a_slow_answer_is_remembered_and_forgotten_in_time() -> None:
    """By a call of the same kind that was fast."""
    patience = AnswerPatience(DEADLINE_S)

    patience.answered(3.0)
    assert patience.attempt_s(0, left_s=100.0) == 6.0
    patience.answered(0.1)
    assert patience.attempt_s(0, left_s=100.0) == 4.5
    for _ in range(10):
        patience.answered(0.1)
    assert patience.attempt_s(0, left_s=100.0) == ANSWER_S


def test_some_calls_are_given_more_from_the_start() -> None:
    """And never less, however fast they are answered."""
    patience = AnswerPatience(MOST_S, least_s=RECEIPT_S)

    for _ in range(10):
        patience.answered(0.1)

    assert patience.attempt_s(0, left_s=MOST_S) == RECEIPT_S
    patience.ended_without()
    assert patience.attempt_s(0, left_s=MOST_S) == 2 * RECEIPT_S


@given(st.lists(st.one_of(st.none(), seconds), max_size=20), st.floats(min_value=0.01, max_value=100))
def test_the_attempts_fill_the_deadline_and_are_few(seen: list[float | None], deadline_s: float) -> None:
    """Whatever was seen before."""
    patience = AnswerPatience(deadline_s)
    for waited_s in seen:
        if waited_s is None:
            patience.ended_without()
        else:
            patience.answered(waited_s)

    left_s, count = deadline_s, 0
    while left_s > 0:
        left_s -= patience.attempt_s(count, left_s=left_s)
        count += 1

    assert left_s == pytest.approx(0.0, abs=1e-9)
    assert count <= 10


def test_a_program_waits_for_an_upload_no_longer_than_for_any_small_answer() -> None:
    """Less than for one that nobody waits for: asking, and moving what is there, must fit into its deadline too."""
    assert RECALL_S == ANSWER_S < RECEIPT_S


def test_what_comes_late_comes_within_the_time_that_a_transfer_may_stand_still() -> None:
    """Twice and more what an answer may take before it is given up."""
    assert LATE_S == STALL_S > 2 * RECEIPT_S
