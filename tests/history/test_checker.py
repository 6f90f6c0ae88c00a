"""The checkers themselves: histories that keep the rule are accepted, those that break it are not."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings, strategies as st

from tests.history.close_to_open import stale
from tests.history.linearizable import unexplained
from tests.history.operations import Held, Kind, Operation, Result, after, parsed

if TYPE_CHECKING:
    from collections.abc import Sequence


def read(name: str, value: str | None, start: float, end: float) -> Operation:
    """Somebody read this, or (None) found nothing."""
    result = Result.ABSENT if value is None else Result.DONE
    return Operation(Kind.READ, name, start, end, value or "", result=result)


def save(name: str, value: str, start: float, end: float, result: Result = Result.DONE) -> Operation:
    """Somebody wrote this."""
    return Operation(Kind.SAVE, name, start, end, value, result=result)


def there(operation: Operation) -> Operation:
    """Another client did it."""
    return Operation(
        operation.kind,
        operation.name,
        operation.start,
        operation.end,
        operation.value,
        operation.to,
        operation.result,
        is_ours=False,
    )


KEPT: dict[str, list[Operation]] = {
    "nothing happens": [],
    "a read after a write": [save("x", "1", 0, 1), read("x", "1", 2, 3)],
    "a read during a write sees the old": [save("x", "1", 0, 1), save("x", "2", 2, 9), read("x", "1", 3, 4)],
    "or the new": [save("x", "1", 0, 1), save("x", "2", 2, 9), read("x", "2", 3, 4), read("x", "2", 5, 6)],
    "a write that failed is seen later": [
        save("x", "1", 0, 1),
        save("x", "2", 2, 3, Result.UNKNOWN),
        read("x", "1", 4, 5),
        read("x", "2", 6, 7),
    ],
    "or never": [save("x", "1", 0, 1), save("x", "2", 2, 3, Result.UNKNOWN), read("x", "1", 4, 5)],
    "a rename": [
        save("x", "1", 0, 1),
        Operation(Kind.RENAME, "x", 2, 3, to="y"),
        read("x", None, 4, 5),
        read("y", "1", 4, 5),
    ],
    "a deletion of what is not there": [Operation(Kind.DELETE, "x", 0, 1, result=Result.ABSENT), read("x", None, 2, 3)],
    "another client's write comes late": [
        save("x", "1", 0, 1),
        there(save("x", "2", 2, 3)),
        read("x", "1", 4, 5),
        read("x", "2", 6, 7),
    ],
    "and again, after a change that hid it": [
        there(save("x", "2", 2, 3)),
        read("x", "2", 4, 5),
        save("x", "3", 6, 7),
        read("x", "3", 8, 9),
        read("x", "2", 10, 11),
    ],
}

BROKEN: dict[str, list[Operation]] = {
    "an old value after a new one": [
        save("x", "1", 0, 1),
        save("x", "2", 2, 3),
        read("x", "1", 4, 5),
    ],
    "new, then old, during one write": [
        save("x", "1", 0, 1),
        save("x", "2", 2, 9),
        read("x", "2", 3, 4),
        read("x", "1", 5, 6),
    ],
    "a value before it was written": [read("x", "1", 0, 1), save("x", "1", 2, 3)],
    "a value that nobody wrote": [save("x", "1", 0, 1), read("x", "7", 2, 3)],
    "a write that was lost": [save("x", "1", 0, 1), read("x", None, 2, 3)],
    "a write that failed is taken back": [
        save("x", "1", 0, 1),
        save("x", "2", 2, 3, Result.UNKNOWN),
        read("x", "2", 4, 5),
        read("x", "1", 6, 7),
    ],
    "a rename that leaves its name": [
        save("x", "1", 0, 1),
        Operation(Kind.RENAME, "x", 2, 3, to="y"),
        read("x", "1", 4, 5),
    ],
    "a rename that loses what it moves": [
        save("x", "1", 0, 1),
        Operation(Kind.RENAME, "x", 2, 3, to="y"),
        read("y", None, 4, 5),
    ],
    "a deletion of what is there finds nothing": [
        save("x", "1", 0, 1),
        Operation(Kind.DELETE, "x", 2, 3, result=Result.ABSENT),
    ],
    "another client's write before it began": [
        save("x", "1", 0, 1),
        read("x", "2", 2, 3),
        there(save("x", "2", 4, 5)),
    ],
    "two programs that see two orders": [
        save("x", "1", 0, 9),
        save("x", "2", 0, 9),
        read("x", "1", 1, 2),
        read("x", "2", 3, 4),
        read("x", "1", 5, 6),
    ],
}


@pytest.mark.parametrize("history", KEPT.values(), ids=KEPT)
def test_what_one_order_explains_is_accepted(history: list[Operation]) -> None:
    """Whatever overlaps, there is a moment for each."""
    assert unexplained(history) is None


@pytest.mark.parametrize("history", BROKEN.values(), ids=BROKEN)
def test_what_no_order_explains_is_not_accepted(history: list[Operation]) -> None:
    """And a call is named that none explains."""
    assert unexplained(history) in history


def lived(seed: int, count: int) -> list[Operation]:
    """Calls of four programs, each of which really happened at a moment between its start and its end."""
    chance, held, history = Random(seed), Held(), []
    free_at = [0.0] * 4
    moment = 0.0
    for number in range(count):
        moment += chance.uniform(0.1, 1)
        program = chance.randrange(4)
        kind, name = chance.choice(list(Kind)), chance.choice("xy")
        start, end = max(free_at[program], moment - chance.uniform(0, 3)), moment + chance.uniform(0, 3)
        if start > moment:
            continue
        free_at[program] = end
        there_now = dict(held).get(name)
        absent = kind is not Kind.SAVE and there_now is None
        value = (there_now or "") if kind is Kind.READ else f"{number}"
        result = Result.ABSENT if absent else Result.DONE
        call = Operation(kind, name, start, end, value, "y" if name == "x" else "x", result)
        now = after(held, call)
        assert now is not None
        held = now
        unknown = kind is not Kind.READ and chance.random() < 0.1
        history.append(
            Operation(kind, name, start, end, value, call.to, Result.UNKNOWN if unknown and not absent else result)
        )
    return history


@given(seed=st.integers(0, 1 << 32))
@settings(max_examples=60, deadline=None)
def test_what_really_happened_in_an_order_is_accepted(seed: int) -> None:
    """Generated: a hundred calls and their true moments, which the checker is not told."""
    assert unexplained(lived(seed, 100)) is None


def made_stale(history: Sequence[Operation]) -> list[Operation] | None:
    """The history with one more read, long after all of it, of a value that was replaced; None where there is none."""
    certain = [each for each in history if each.kind is Kind.SAVE and each.result is Result.DONE]
    late = max((each.end for each in history), default=0.0) + 10
    for one in certain:
        for two in certain:
            if one.name == two.name and one.end < two.start:
                return [*history, save(one.name, "last", late, late + 1), read(one.name, one.value, late + 2, late + 3)]
    return None


@given(seed=st.integers(0, 1 << 32))
@settings(max_examples=40, deadline=None)
def test_one_old_value_in_a_long_history_is_found(seed: int) -> None:
    """Generated: the same, and a read of what was replaced before."""
    history = [each for each in lived(seed, 40) if each.result is not Result.UNKNOWN]
    assert unexplained(history[:0]) is None
    broken = made_stale(history)

    assert broken is None or unexplained(broken) is not None


def test_what_is_noted_is_read_back() -> None:
    """Programs note in lines."""
    history = [save("x", "1", 0.25, 1), Operation(Kind.RENAME, "x", 2, 3, to="y", result=Result.UNKNOWN, is_ours=False)]

    assert parsed(each.line() for each in history) == history


THEIRS = [there(save("x", "1", 0, 1)), there(save("x", "2", 10, 11)), there(save("x", "3", 20, 21))]


@pytest.mark.parametrize(
    ("value", "start", "is_stale"),
    [
        ("1", 5, False),
        ("1", 14, False),
        ("1", 18, True),
        ("2", 12, False),
        ("2", 9, True),
        ("3", 30, False),
        ("2", 30, True),
        (None, 3, False),
        (None, 8, True),
    ],
)
def test_what_was_replaced_for_longer_than_allowed_is_stale(value: str | None, start: float, is_stale: bool) -> None:  # noqa: FBT001
    """And so is what was not written yet."""
    assert bool(stale([*THEIRS, read("x", value, start, start + 0.5)], allowed_s=5)) is is_stale
