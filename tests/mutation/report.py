"""The tables that docs/reliability.md shows of mutation testing. Runs nothing."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.mutation.explained import Explanation
    from tests.mutation.results import Mutant

SCORE_MIN: Final = 90.0
"""In percent, of all mutants of `core`. Of the journal the case of SQL is a tenth, which nobody can notice."""


def score(mutants: Sequence[Mutant]) -> float:
    """The share that a test notices, in percent."""
    return 100 * sum(each.is_noticed for each in mutants) / len(mutants)


def room_of(mutant: Mutant) -> str:
    """`core`, or the one module that is looked at beside it."""
    room, _, _ = mutant.module.partition("/")
    return room if room == "core" else mutant.module


def rooms(mutants: Iterable[Mutant]) -> dict[str, list[Mutant]]:
    """The mutants of each."""
    found: dict[str, list[Mutant]] = {}
    for each in mutants:
        found.setdefault(room_of(each), []).append(each)
    return found


def score_table(mutants: Sequence[Mutant], reasons: Sequence[Explanation]) -> str:
    """A row for each module, and one for each room."""
    modules: dict[str, list[Mutant]] = {}
    for each in mutants:
        modules.setdefault(each.module, []).append(each)
    rows = [_row(f"`{name}`", of_it, reasons) for name, of_it in modules.items()]
    rows += [_row(f"**{name}**", of_it, reasons) for name, of_it in rooms(mutants).items()]
    head = "| module | mutants | noticed | score | survive for a reason | survive |\n|---|--:|--:|--:|--:|--:|"
    return "\n".join([head, *rows])


def _row(name: str, mutants: Sequence[Mutant], reasons: Sequence[Explanation]) -> str:
    kinds = Counter(
        "noticed" if each.is_noticed else "explained" if any(reason.covers(each) for reason in reasons) else "survives"
        for each in mutants
    )
    return (
        f"| {name} | {len(mutants)} | {kinds['noticed']} | {score(mutants):.1f} % | {kinds['explained']} |"
        f" {kinds['survives']} |"
    )


def survivors_table(reasons: Iterable[Explanation]) -> str:
    """Each function, with what survives in it and why."""
    rows = [f"| `{each.where}` | {'<br>'.join(_code(line) for line in each.lines)} | {each.why} |" for each in reasons]
    return "\n".join(["| where | reads then | why nobody notices |", "|---|---|---|", *rows])


def _code(line: str) -> str:
    return line.strip("*") if line.startswith("*") else f"`{line.replace('|', chr(92) + '|')}`"
