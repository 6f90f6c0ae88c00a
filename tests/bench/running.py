"""The run: every peer over every line, workload by workload, each row kept as soon as it is there. Draws no table."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from tests.bench import wire
from tests.bench.measuring import yardstick
from tests.bench.peers import CXFS, PEERS, WIRE, how_to_get, missing
from tests.bench.processes import PROJECT, Trouble
from tests.bench.results import Measure, Taken, figure_of
from tests.bench.rows import YARDSTICK
from tests.bench.trial import Trial
from tests.bench.workloads import WORKLOADS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tests.bench.dataset import Dataset
    from tests.bench.results import Line
    from tests.bench.trial import Options

DATASET_S: Final = 40.0
_COLD_S: Final = 2.0
_SERVED_S: Final = 5.0
_IMPORTED_S: Final = 45.0
_WIRE_S: Final = 40.0


@dataclass(frozen=True)
class Plan:
    """What will be run, in this order, and how long it takes about."""

    peers: tuple[str, ...]
    lines: tuple[Line, ...]
    workloads: tuple[str, ...]
    options: Options

    def trials(self) -> Iterator[tuple[Line, str]]:
        """Every peer over every line; what has no network, or no TLS, only where that does not matter."""
        for line in self.lines:
            for name in self.peers:
                peer = PEERS[name]
                if peer.serve is None and line.rtt_ms:
                    continue
                if line.tls and not peer.has_tls:
                    continue
                yield line, name

    def workloads_of(self, name: str) -> list[str]:
        """Those that the peer can do."""
        return [load for load in self.workloads if load not in PEERS[name].without]

    def about_s(self) -> float:
        """A guess for a peer of average speed; none is far slower, because of the cap."""
        return sum(self._trial_s(line, name) for line, name in self.trials())

    def _trial_s(self, line: Line, name: str) -> float:
        if name == WIRE:
            return _WIRE_S
        seconds = _IMPORTED_S if name == CXFS else _SERVED_S
        for workload in (WORKLOADS[load] for load in self.workloads_of(name)):
            once = workload.about(line.rtt_ms, self.options.cap_s)
            is_repeated = workload.is_repeated and once <= self.options.repeated_below_s
            seconds += (once + _COLD_S) * (self.options.repetitions if is_repeated else 1)
        return seconds


def possible(peers: Sequence[str], workloads: Sequence[str], say: Callable[[str], None]) -> tuple[list[str], list[str]]:
    """Those whose programs are installed; says how to get the others."""
    needs = {name: PEERS[name].programs for name in peers} | {load: WORKLOADS[load].programs for load in workloads}
    lacking = {name: found for name, programs in needs.items() if (found := missing(programs))}
    for name, programs in lacking.items():
        say(f"left out: {name}, which needs {', '.join(programs)}: {how_to_get(programs)}")
    return [name for name in peers if name not in lacking], [load for load in workloads if load not in lacking]


class Run:
    """Goes through a plan. `keep` is given what was taken, row by row; `say` a line for whoever watches."""

    def __init__(
        self, plan: Plan, dataset: Dataset, scratch: Path, *, keep: Callable[[Taken], None], say: Callable[[str], None]
    ) -> None:
        self._plan = plan
        self._dataset = dataset
        self._scratch = scratch
        self._keep = keep
        self._say = say

    def go(self) -> None:
        """To the end of the plan. A peer that cannot be served or mounted is told of and left; the others are run."""
        with contextlib.ExitStack() as keeping:
            is_kept = False
            for line, name in self._plan.trials():
                self._dataset.restore()
                if is_kept != (PEERS[name].serve is not None):
                    keeping.close()
                    is_kept = not is_kept
                    if is_kept:
                        keeping.enter_context(_kept(self._dataset.root))
                try:
                    with Trial(name, PEERS[name], line, self._dataset, self._plan.options, self._scratch) as trial:
                        own_copy = PEERS[name].own_copy
                        with contextlib.nullcontext() if own_copy is None else _kept(own_copy(trial.place)):
                            self._take_all(trial)
                except (Trouble, OSError, subprocess.SubprocessError) as trouble:
                    self._say(f"{name} over {line} left out: {trouble}")
        self._dataset.restore()

    def _take_all(self, trial: Trial) -> None:
        self._tell(trial, YARDSTICK, {YARDSTICK: [yardstick() for _ in range(3)]})
        if trial.name == WIRE:
            self._tell(trial, "limits", wire.limits(trial))
            return
        for load in self._plan.workloads_of(trial.name):
            self._tell(trial, load, self._taken(trial, load))

    def _taken(self, trial: Trial, load: str) -> dict[str, list[Measure]]:
        workload, options, found = WORKLOADS[load], self._plan.options, dict[str, list[Measure]]()
        for repetition in range(options.repetitions):
            try:
                rows = workload.rows(trial, repetition)
            except (Trouble, OSError, ValueError, subprocess.SubprocessError) as trouble:
                trial.abort()
                rows = {f"{load} failed": Measure(error=str(trouble)[:300])}
            for row, measure in rows.items():
                found.setdefault(row, []).append(measure)
            seconds = [measure.seconds for measure in rows.values()]
            if not workload.is_repeated or any(each is None or each > options.repeated_below_s for each in seconds):
                break
        return found

    def _tell(self, trial: Trial, load: str, rows: dict[str, list[Measure]]) -> None:
        self._keep(Taken(trial.name, trial.line.rtt_ms, load, rows, tls=trial.line.tls))
        for row, measures in rows.items():
            self._say(f"{time.strftime('%H:%M:%S')} {trial.line!s:<6} {trial.name:<14} {row:<16} {in_words(measures)}")


def in_words(measures: Sequence[Measure]) -> str:
    """A row for whoever watches: the median, and whatever else is known of the first repetition."""
    figure, first = figure_of(measures), measures[0]
    value = figure.words if figure.value is None else f"{figure.mark}{figure.value:.3f}"
    known = msgspec.structs.asdict(first)
    told = ("done", "right", "cpu_s", "memory_mb", "error")
    more = "  ".join(f"{name} {known[name]}" for name in told if known[name] not in {None, ""})
    return f"{value:<9} n={len(measures)}  {more}"


@contextlib.contextmanager
def _kept(folder: Path) -> Iterator[None]:
    """The files of the folder stay in the page cache for the block."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.bench.keeping", folder],
        stdout=subprocess.PIPE,
        cwd=PROJECT,
        start_new_session=True,
    ) as keeper:
        try:
            assert keeper.stdout is not None
            if not keeper.stdout.readline():
                raise Trouble("cannot keep the data set in memory; is the limit of open files too low (ulimit -n)?")
            yield
        finally:
            keeper.kill()
