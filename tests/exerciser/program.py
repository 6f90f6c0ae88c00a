"""The program that exercises a file: a process of its own, so that a mount that hangs or ends takes no test along.

Run as `program.main FILE SEED OPERATIONS REMOUNT_EVERY`. It says `evict` or `remount` in a line, and goes on when it is
given one; its last line is JSON.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.exerciser.exercising import difference, shortest
from tests.exerciser.operations import Operation, Shadow, run_of

if TYPE_CHECKING:
    from collections.abc import Iterator

SHOWN: Final = 20
"""Operations before a difference that comes but once."""


class Run:
    """One, with what was done so far."""

    def __init__(self, seed: int, count: int, *, remount_every: int) -> None:
        self.done: list[Operation] = []
        self.shadow = Shadow()
        self._operations = run_of(seed, count, self.shadow, remount_every=remount_every)

    def __iter__(self) -> Iterator[Operation]:
        for operation in self._operations:
            self.done.append(operation)
            yield operation


def beside(what: str) -> None:
    """Whoever started the program does it."""
    _say(what)
    assert sys.stdin.readline(), "nobody is there any more"


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(file: str, seed: str, count: str, remount_every: str) -> None:
    """Exercises until a difference is found, or to the end; then tells."""
    run, path = Run(int(seed), int(count), remount_every=int(remount_every)), Path(file)
    found = difference(run, run.shadow, path, beside)
    told: dict[str, Any] = {"done": Counter(str(operation.kind) for operation in run.done), "wrong": ""}
    if found is not None:
        told["wrong"] = (
            f"seed {seed}, operation {found.number}: {found.operation} {found.what}\n{_way_to_it(run, path)}"
        )
    _say(json.dumps(told))


def _way_to_it(run: Run, path: Path) -> str:
    found = shortest(run.done, path, beside)
    if found is None:
        return "\n".join(["it came once; the last operations were", *map(repr, run.done[-SHOWN:])])
    begun, tail = found
    return "\n".join([f"a file of {len(begun)} bytes, and then", *map(repr, tail)])
