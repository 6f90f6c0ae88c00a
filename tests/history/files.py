"""Names and files, as POSIX has them, and the steps that programs take on them. Pure: a state in, the next one out.

A program that reads or overwrites a file opens it first. From then on it is at work on that file, whatever becomes of
the name meanwhile: a step for the open, and one for the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from tests.history.operations import Kind, Operation, Result


class File(NamedTuple):
    """`name` is empty once it has none; `opened` are the calls that have it open, by their numbers."""

    name: str
    value: str
    opened: tuple[int, ...] = ()


Held = tuple[File, ...]
"""Every file that has a name or is open, sorted: two states are the same where they are equal."""


@dataclass(frozen=True, slots=True)
class Step:
    """One moment of a call, or all there is of it. `number` is the call's in its history.

    `opens`: only its open; `is_at_work`: what comes after that.
    """

    call: Operation
    number: int
    opens: bool = False
    is_at_work: bool = False


def steps_of(call: Operation, number: int) -> list[Step]:
    """All of a call's, in their order."""
    if call.kind not in {Kind.READ, Kind.OVERWRITE} or call.result is Result.ABSENT:
        return [Step(call, number)]
    return [Step(call, number, opens=True), Step(call, number, is_at_work=True)]


def after(held: Held, step: Step) -> Held | None:
    """What there is after the step, None where it cannot have gone as it did."""
    if step.is_at_work:
        return _worked(held, step)
    there = next((file for file in held if file.name == step.call.name), None)
    if there is None:
        return _without_a_file(held, step.call)
    return None if step.call.result is Result.ABSENT else _with_a_file(held, there, step)


def _without_a_file(held: Held, call: Operation) -> Held | None:
    if call.kind is Kind.SAVE:
        return _with(held, None, File(call.name, call.value))
    return held if call.result is Result.ABSENT else None


def _with_a_file(held: Held, there: File, step: Step) -> Held | None:
    call = step.call
    if step.opens:
        return _with(held, there, there._replace(opened=tuple(sorted((*there.opened, step.number)))))
    if call.kind is Kind.READ:
        return held if there.value == call.value else None
    if call.kind is Kind.RENAME:
        target = next((file for file in held if file.name == call.to), None)
        freed = held if target is None else _with(held, target, target._replace(name=""))
        return _with(freed, there, there._replace(name=call.to))
    if call.kind is Kind.OVERWRITE or (
        call.kind is Kind.SAVE and not call.is_ours
    ):  # the next version of the same file
        return _with(held, there, there._replace(value=call.value))
    unnamed = _with(held, there, there._replace(name=""))
    return unnamed if call.kind is Kind.DELETE else _with(unnamed, None, File(call.name, call.value))


def _worked(held: Held, step: Step) -> Held | None:
    """Reading or writing what is open, and closing it."""
    file = next((file for file in held if step.number in file.opened), None)
    if file is None or (step.call.kind is Kind.READ and file.value != step.call.value):
        return None
    left = tuple(each for each in file.opened if each != step.number)
    value = file.value if step.call.kind is Kind.READ else step.call.value
    return _with(held, file, File(file.name, value, left))


def _with(held: Held, before: File | None, now: File) -> Held:
    """One file is otherwise, or new; one that has no name and is not open is no more."""
    others = [file for file in held if file is not before]
    return tuple(sorted([*others, now] if now.name or now.opened else others))
