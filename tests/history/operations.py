"""What programs and another client did to a few names, as it was seen from outside: values only.

A name holds a value or nothing. A value is written once in a history, so that whoever reads it tells whose it is.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Kind(StrEnum):
    """What is done to a name."""

    READ = "read"
    SAVE = "save"
    """The value takes the name, whether or not it was there."""
    OVERWRITE = "overwrite"
    """The value takes the place of the one that is there."""
    DELETE = "delete"
    RENAME = "rename"


class Result(StrEnum):
    """How it ended."""

    DONE = "done"
    ABSENT = "absent"
    """There was nothing of that name."""
    UNKNOWN = "unknown"
    """It failed: whether it happened, and whether it still will, nobody can tell."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One call, from `start` to `end` in seconds of a clock that all share. `value` is what was read or written.

    `is_ours`: by a program in the mount; else by another client of the account.
    """

    kind: Kind
    name: str
    start: float
    end: float
    value: str = ""
    to: str = ""
    result: Result = Result.DONE
    is_ours: bool = True

    @property
    def over_by(self) -> float:
        """When it has surely happened, if it has."""
        return math.inf if self.result is Result.UNKNOWN else self.end

    def line(self) -> str:
        """As a program notes it."""
        return json.dumps([self.kind, self.name, self.start, self.end, self.value, self.to, self.result, self.is_ours])


def parsed(lines: Iterable[str]) -> list[Operation]:
    """What was noted."""
    found = []
    for line in lines:
        kind, name, start, end, value, to, result, is_ours = json.loads(line)
        found.append(Operation(Kind(kind), name, start, end, value, to, Result(result), is_ours))
    return found
