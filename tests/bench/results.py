"""What was measured, kept in a file of JSON: added to run by run, and read again for a report. Runs nothing."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path


class Measure(msgspec.Struct, omit_defaults=True):
    """One row of one repetition.

    `seconds` is None where nothing can be said: the command failed (`error`), or was stopped (`capped`) and did not
    tell how far it was. Stopped ones that did (`done` of `total`) are extrapolated. `right` tells whether what was read
    or written was compared with the data set and found the same; None: not compared.
    """

    seconds: float | None = None
    per_second: float | None = None
    """Operations per second, in the rows that count instead of time."""
    capped: bool = False
    done: int | None = None
    total: int | None = None
    right: bool | None = None
    cpu_s: float | None = None
    """User and system time of the mount's processes since the mount."""
    memory_mb: float | None = None
    """Sum of the largest resident sizes of the mount's processes, in MiB."""
    known_by: str = ""
    """What showed that a write was on the server."""
    error: str = ""


class Line(NamedTuple):
    """What lies between the mount and its server."""

    rtt_ms: float
    tls: bool = False

    def __str__(self) -> str:
        return f"{self.rtt_ms:g} ms" + (", TLS" if self.tls else "")


class Taken(msgspec.Struct):
    """One workload of one peer over one line: the repetitions of each of its rows."""

    peer: str
    rtt_ms: float
    workload: str
    rows: dict[str, list[Measure]]
    tls: bool = False

    @property
    def line(self) -> Line:
        """Over which it was taken."""
        return Line(self.rtt_ms, self.tls)


class Results(msgspec.Struct):
    """All that was taken, and a few words on the machine and the versions of the last run."""

    machine: dict[str, str] = {}
    taken: list[Taken] = []

    def add(self, new: Taken) -> None:
        """In place of what was taken of the same workload, peer and line before."""
        key = (new.peer, new.line, new.workload)
        self.taken = [old for old in self.taken if (old.peer, old.line, old.workload) != key] + [new]

    def lines(self) -> list[Line]:
        """Those that anything was taken over."""
        return sorted({taken.line for taken in self.taken}, key=lambda line: (line.tls, line.rtt_ms))

    def over(self, line: Line) -> dict[str, dict[str, list[Measure]]]:
        """The rows of each peer over that line."""
        found: dict[str, dict[str, list[Measure]]] = {}
        for taken in self.taken:
            if taken.line == line:
                found.setdefault(taken.peer, {}).update(taken.rows)
        return found


class Figure(NamedTuple):
    """The median of the repetitions of a row. `mark`: `~` extrapolated, `!` wrong data was seen."""

    value: float | None
    mark: str = ""
    words: str = ""
    """In place of a value."""


def figure_of(measures: Sequence[Measure]) -> Figure:
    """Of seconds, or of operations per second where those were counted."""
    values = [
        value
        for measure in measures
        if (value := measure.seconds if measure.per_second is None else measure.per_second) is not None
    ]
    capped = any(measure.capped for measure in measures)
    mark = ("~" if capped else "") + ("!" if any(measure.right is False for measure in measures) else "")
    if not values:
        return Figure(None, mark, ">cap" if capped else "failed")
    return Figure(statistics.median(values), mark)


def read(paths: Iterable[Path]) -> Results:
    """What those files hold together; of what was taken twice the later file counts. One that is not there is empty."""
    together = Results()
    for path in paths:
        if path.exists():
            results = msgspec.json.decode(path.read_bytes(), type=Results)
            together.machine.update(results.machine)
            for taken in results.taken:
                together.add(taken)
    return together


def write(results: Results, path: Path) -> None:
    """Replaces the file in one step, so that a run that is ended loses at most the row that it was at."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.new")
    draft.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")
    draft.replace(path)
