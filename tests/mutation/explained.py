"""Mutants that survive for a reason: who says so, and whether there still is such a mutant. Finds no mutant itself."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.mutation.results import Mutant

FILE: Final = Path(__file__).with_name("explained.toml")

ANOTHER_CASE: Final = "*the same words in another case*"


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why these changed `lines` of a function (or a whole module) change nothing that matters."""

    where: str
    lines: tuple[str, ...]
    why: str

    def covers(self, mutant: Mutant) -> bool:
        """Whether it speaks of this one."""
        if self.where not in {mutant.where, mutant.module}:
            return False
        is_another_case = mutant.line.lower() == mutant.was.lower()
        return mutant.line in self.lines or (ANOTHER_CASE in self.lines and is_another_case)


def explanations(file: Path = FILE) -> list[Explanation]:
    """All that are written down."""
    document = tomllib.loads(file.read_text(encoding="utf-8"))
    return [Explanation(each["where"], tuple(each["lines"]), each["why"]) for each in document["explained"]]


def unexplained(mutants: Iterable[Mutant], reasons: Iterable[Explanation]) -> list[Mutant]:
    """Survivors of which nobody says why."""
    known = list(reasons)
    return [each for each in mutants if not each.is_noticed and not any(reason.covers(each) for reason in known)]


def idle(mutants: Iterable[Mutant], reasons: Iterable[Explanation]) -> list[Explanation]:
    """Explanations of what does not survive, or is not there any more."""
    survivors = [each for each in mutants if not each.is_noticed]
    return [reason for reason in reasons if not any(reason.covers(each) for each in survivors)]
