"""The checkers themselves: histories that keep the rule are accepted, those that break it are not."""

from __future__ import annotations

import math
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings, strategies as st

from tests.history.close_to_open import stale
from tests.history.files import Held, Step, after, steps_of
from tests.history.linearizable import unexplained
from tests.history.operations import Kind, Operation, Result, parsed

if TYPE_CHECKING:
    from collections.abc import Sequence


def read(name: str, value: str | None, start: float, end: float) -> Operation:
    """Somebody read this, or (None) found nothing."""
    result = Result.ABSENT if value is None else Result.DONE
    return Operation(Kind.READ, name, start, end, value or "", result=result)


def save(name: str, value: str, start: float, end: float, result: Result = Result.DONE) -> Operation:
    """Somebody wrote this."""
    return Operation(Kind.SAVE, name, start, end, value, result=result)


def overwrite(name: str, value: str, start: float, end: float) -> Operation:
    """Somebody opened what was there, and wrote this into it."""
    return Operation(Kind.OVERWRITE, name, start, end, value)


def rename(name: str, to: str, start: float, end: float) -> Operation:
    """Somebody gave it another name."""
    return Operation(Kind.RENAME, name, start, end, to=to)


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
    "what is open is overwritten under its next name": [
        save("x", "1", 0, 1),
        rename("x", "y", 2, 6),
        overwrite("x", "2", 3, 9),
        read("y", "1", 4, 7),
        read("x", None, 6, 7),
        read("y", "2", 10, 11),
    ],
    "and read": [
        save("x", "1", 0, 1),
        rename("x", "y", 2, 3),
        read("x", "2", 2, 9),
        overwrite("y", "2", 4, 5),
    ],
    "what is open is read though it was replaced": [
        save("x", "1", 0, 1),
        save("x", "2", 3, 4),
        read("x", "2", 5, 6),
        read("x", "1", 2, 9),
    ],
    "and overwritten, which nobody sees": [
        save("x", "1", 0, 1),
        overwrite("x", "9", 2, 9),
        save("x", "2", 3, 4),
        read("x", "2", 10, 11),
    ],
    "and deleted": [
        save("x", "1", 0, 1),
        Operation(Kind.DELETE, "x", 3, 4),
        read("x", None, 5, 6),
        read("x", "1", 2, 9),
    ],
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
    "what was overwritten before the rename is as before": [
        save("x", "1", 0, 1),
        overwrite("x", "2", 2, 3),
        rename("x", "y", 4, 5),
        read("y", "1", 6, 7),
    ],
    "a read follows a file that it cannot have opened": [
        save("x", "1", 0, 1),
        rename("x", "y", 2, 3),
        overwrite("y", "2", 4, 5),
        save("x", "3", 4, 5),
        read("x", "2", 6, 7),
    ],
    "what is overwritten while open is at once what it was": [
        save("x", "1", 0, 1),
        overwrite("x", "2", 2, 3),
        read("x", "2", 4, 5),
        read("x", "1", 5, 6),
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


class Living:
    """Calls of four programs, of which each step really happens at a moment; the calls begin before and end after."""

    def __init__(self, seed: int) -> None:
        self.history: list[Operation] = []
        self._chance = Random(seed)
        self._held: Held = ()
        self._moment = 0.0
        self._free_at = [0.0] * 4
        self._open: dict[int, tuple[Operation, int]] = {}

    def goes_on(self, number: int) -> None:
        """One program does what it does next."""
        self._moment += self._chance.uniform(0.1, 1)
        program = self._chance.randrange(4)
        if program in self._open:
            self._works(program)
        elif self._free_at[program] < self._moment:
            self._begins(program, number)

    def ends(self) -> None:
        """Whoever has something open is done with it."""
        for program in list(self._open):
            self._works(program)

    def _begins(self, program: int, number: int) -> None:
        kind, name = self._chance.choice(list(Kind)), self._chance.choice("xy")
        is_absent = kind is not Kind.SAVE and all(file.name != name for file in self._held)
        start = max(self._free_at[program], self._moment - self._chance.uniform(0, 3))
        result = Result.ABSENT if is_absent else Result.DONE
        call = Operation(kind, name, start, math.inf, f"{number}", "y" if name == "x" else "x", result)
        first, *rest = steps_of(call, number)
        self._take(first)
        if rest:
            self._open[program] = call, number
        else:
            self._over(program, call)

    def _works(self, program: int) -> None:
        call, number = self._open.pop(program)
        if call.kind is Kind.READ:
            value = next(file.value for file in self._held if number in file.opened)
            call = replace(call, value=value)
        self._take(steps_of(call, number)[1])
        self._over(program, call)

    def _take(self, step: Step) -> None:
        now = after(self._held, step)
        assert now is not None
        self._held = now

    def _over(self, program: int, call: Operation) -> None:
        end = self._free_at[program] = self._moment + self._chance.uniform(0, 3)
        unknown = call.kind is not Kind.READ and call.result is Result.DONE and self._chance.random() < 0.1
        self.history.append(replace(call, end=end, result=Result.UNKNOWN if unknown else call.result))


def lived(seed: int, count: int) -> list[Operation]:
    """What was noted of so many steps."""
    living = Living(seed)
    for number in range(count):
        living.goes_on(number)
    living.ends()
    return living.history


@given(seed=st.integers(0, 1 << 32))
@settings(max_examples=60, deadline=None)
def test_what_really_happened_in_an_order_is_accepted(seed: int) -> None:
    """Generated: two hundred steps and their true moments, which the checker is not told."""
    assert unexplained(lived(seed, 200)) is None


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
