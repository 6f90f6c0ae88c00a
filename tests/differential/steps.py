"""What a program does with a few names and descriptors, a call each: plain values, printed as they are kept.

Does nothing; `performer` does it, in the mount and in a folder of this machine. Knows nothing of hypothesis, so that a
program that performs steps is soon there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Step:
    """One call. What each kind goes by is said where it is performed.

    `path` and `to` are below the folder; `slot` and `other` choose among the descriptors that are open at the moment;
    `flags` are names of the system's constants; `at` and `size` are in bytes, `when_ns` in nanoseconds since the epoch.
    """

    what: str
    path: str = ""
    to: str = ""
    slot: int = 0
    other: int = 0
    flags: tuple[str, ...] = ()
    mode: int = 0
    at: int = 0
    size: int = 0
    when_ns: int = 0

    def __repr__(self) -> str:
        told = [repr(self.what)]
        for field in fields(self)[1:]:
            value = getattr(self, field.name)
            if value != field.default:
                told.append(f"{field.name}={oct(value) if field.name == 'mode' else repr(value)}")
        return f"Step({', '.join(told)})"


Story = list[Step]


def line_of(steps: Iterable[Step]) -> str:
    """As a performer is told of them, in one line."""
    said = [{field.name: getattr(step, field.name) for field in fields(step)} for step in steps]
    return json.dumps(said)


def parsed(line: str) -> Story:
    """What was told."""
    return [_step(each) for each in json.loads(line)]


def _step(said: dict[str, Any]) -> Step:
    return Step(**{**said, "flags": tuple(said["flags"])})
