"""What a desktop is told of a mount, and how often: one notice of each kind at a time. Shows nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

QUIET_S: Final = 300.0
"""After a notice, for others of its kind: what comes meanwhile is told together."""

NAMED_MAX: Final = 3
NAME_CHARACTERS_MAX: Final = 60


class Kind(StrEnum):
    """What a notice is about. One of them takes the place of the one before it on the screen."""

    PARKED = "parked"
    REPORTED = "reported"
    SIGNED_OUT = "signed-out"


@dataclass(frozen=True, slots=True)
class Notice:
    """What is shown: plain text."""

    kind: Kind
    summary: str
    body: str


@dataclass(frozen=True, slots=True)
class Condition:
    """How a mount stands.

    `parked`: the names of what is parked now, by ids; `reported`: path and text of what went another way than a program
    was told (conflicts among them), since the last look.
    """

    parked: Mapping[str, str]
    reported: Sequence[tuple[str, str]]
    is_signed_out: bool


class Notices:
    """Those of one mount, which people know by `profile`."""

    def __init__(self, profile: str, *, quiet_s: float = QUIET_S) -> None:
        self._profile = profile
        self._quiet_s = quiet_s
        self._quiet_until = dict.fromkeys(Kind, -math.inf)
        self._parked: frozenset[str] = frozenset()
        self._untold: list[tuple[str, str]] = []
        self._was_signed_out = False

    def due(self, condition: Condition, now_s: float) -> list[Notice]:
        """What is to be shown for it, at this moment."""
        self._untold += condition.reported
        self._parked &= condition.parked.keys()  # what is parked once more is news again
        self._was_signed_out &= condition.is_signed_out
        new = [name for each, name in condition.parked.items() if each not in self._parked]
        notices = []
        if new and self._may_speak(Kind.PARKED, now_s):
            self._parked = frozenset(condition.parked)
            notices.append(self._of_parked(new, len(condition.parked)))
        if self._untold and self._may_speak(Kind.REPORTED, now_s):
            untold, self._untold = self._untold, []
            notices.append(self._of_reports(untold))
        if condition.is_signed_out and not self._was_signed_out and self._may_speak(Kind.SIGNED_OUT, now_s):
            self._was_signed_out = True
            notices.append(self._of_sign_out())
        return notices

    def _may_speak(self, kind: Kind, now_s: float) -> bool:
        if now_s < self._quiet_until[kind]:
            return False
        self._quiet_until[kind] = now_s + self._quiet_s
        return True

    def _of_parked(self, names: Sequence[str], count: int) -> Notice:
        summary = f"{_counted(count, 'change')} cannot be sent"
        return self._notice(Kind.PARKED, summary, [*_named(names), "`cxfs uploads` tells why, and what can be done."])

    def _of_reports(self, reports: Sequence[tuple[str, str]]) -> Notice:
        lines = [f"{_short(path)}: {text}" for path, text in reports[:NAMED_MAX]]
        return self._notice(Kind.REPORTED, "Something changed on both sides", [*lines, *_more(len(reports))])

    def _of_sign_out(self) -> Notice:
        remedy = f"What is written waits. `cxfs login --profile {self._profile}` signs in again."
        return self._notice(Kind.SIGNED_OUT, "Signed out", [remedy])

    def _notice(self, kind: Kind, summary: str, lines: Sequence[str]) -> Notice:
        return Notice(kind, f"{self._profile}: {summary}", "\n".join(lines))


def _named(names: Sequence[str]) -> list[str]:
    return [*map(_short, names[:NAMED_MAX]), *_more(len(names))]


def _more(count: int) -> list[str]:
    return [f"and {count - NAMED_MAX} more"] if count > NAMED_MAX else []


def _short(path: str) -> str:
    name = "".join(each if each.isprintable() else "?" for each in path.rsplit("/", 1)[-1])
    return name if len(name) <= NAME_CHARACTERS_MAX else f"{name[:NAME_CHARACTERS_MAX]}…"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
