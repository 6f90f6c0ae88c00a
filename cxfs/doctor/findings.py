"""What a look came to: in order, worth knowing, or a problem with its remedy. Looks at nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    NOTE = "note"
    """It works; something could be better, or could not be looked at."""
    PROBLEM = "problem"
    """Something does not work, or soon will not."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line. `check` is what was looked at, in a word; `remedy` what to do, where there is something to do."""

    check: str
    level: Level
    text: str
    remedy: str | None = None


def ok(check: str, text: str) -> Finding:
    """All is well."""
    return Finding(check, Level.OK, text)


def note(check: str, text: str, remedy: str | None = None) -> Finding:
    """Worth knowing."""
    return Finding(check, Level.NOTE, text, remedy)


def problem(check: str, text: str, remedy: str) -> Finding:
    """Never without a remedy."""
    return Finding(check, Level.PROBLEM, text, remedy)


def problem_of(check: str, message: str, remedy: str) -> Finding:
    """Of an error that says itself what to do, behind a colon; `remedy` for one that does not."""
    text, colon, told = message.rpartition(": ")
    return problem(check, text, told) if colon else problem(check, message, remedy)
