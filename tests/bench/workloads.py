"""The work that is done through every mount, a function for each kind; those that only read. Knows no peer by name.

Each takes the trial and the number of the repetition, begins with a cold mount, and gives the rows that it measured.
"""

from __future__ import annotations

import json
import random
import re
import shutil
import sys
from dataclasses import asdict, dataclass
from shlex import quote
from typing import TYPE_CHECKING, Final

import msgspec

from tests.bench import writing
from tests.bench.dataset import SEED, fingerprint_of
from tests.bench.measuring import lines, measured, run
from tests.bench.peers import SEARCHED
from tests.bench.processes import PROJECT
from tests.bench.readers import read_by_eight
from tests.bench.results import Measure

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bench.trial import Trial, Usage

Rows = dict[str, Measure]

_QUICK_S: Final = 15.0
"""A second read of 1 GiB that is quicker than this is followed by a third one, which compares it."""


@dataclass(frozen=True)
class Workload:
    """One kind of work, and about how long a peer of average speed takes for it."""

    rows: Callable[[Trial, int], Rows]
    about_s: float
    round_trips: float = 0
    """That one after another come on top."""
    programs: tuple[str, ...] = ()
    is_repeated: bool = True

    def about(self, rtt_ms: float, cap_s: float) -> float:
        """Seconds for one repetition over such a line."""
        return min(self.about_s + self.round_trips * rtt_ms / 1000, 2.5 * cap_s)


def used(measure: Measure, usage: Usage) -> Measure:
    """The same row with what the mount's processes used."""
    return msgspec.structs.replace(measure, **asdict(usage))


def _checked(measure: Measure) -> Measure:
    """Right when all of it was done; a stopped one is not wrong."""
    if measure.error:
        return measure
    return msgspec.structs.replace(measure, right=measure.capped or measure.done == measure.total)


# ---------------------------------------------------------------- names


def _twice(trial: Trial, name: str, command: str, counted: Callable[[str], int]) -> Rows:
    total = len(trial.dataset.manifest.tree())
    trial.cold()
    cold = measured(run(command, trial.options.cap_s), counted=counted, total=total)
    rows = {f"{name} cold": used(_checked(cold), trial.usage())}
    if not cold.capped:  # else the second time would not be warm
        warm = measured(run(command, trial.options.cap_s), counted=counted, total=total)
        rows[f"{name} warm"] = _checked(warm)
    return rows


def _find(trial: Trial, _: int) -> Rows:
    return _twice(trial, "find", f"find {quote(str(trial.path / 'tree'))} -type f", lines)


def _ls(trial: Trial, _: int) -> Rows:
    def files(said: str) -> int:
        return sum(line.startswith("-") for line in said.splitlines())

    return _twice(trial, "ls -lR", f"ls -lR {quote(str(trial.path / 'tree'))}", files)


def _status(trial: Trial, _: int) -> Rows:
    """A work tree that was on the server before."""
    rows: Rows = {}
    trial.cold()
    for name in ("status cold", "status warm"):
        rows[name] = writing.status(trial.path / "wc", trial.options.cap_s)
        if name == "status cold":
            rows[name] = used(rows[name], trial.usage())
        if rows[name].capped:
            break
    return rows


# ---------------------------------------------------------------- one large file


def _cat(trial: Trial, repetition: int) -> Rows:
    path, (size, digest) = trial.path / "big.bin", trial.dataset.manifest.root["big.bin"]
    command = f"dd if={quote(str(path))} of=/dev/null bs=128k status=progress 2>&1"

    def bytes_read(said: str) -> int:
        return int(([0, *re.findall(r"(\d+) bytes", said)])[-1])

    trial.cold()
    cold = measured(run(command, trial.options.cap_s), counted=bytes_read, total=size)
    cold = used(cold, trial.usage())
    if cold.capped:
        return {"cat 1GiB cold": cold}
    warm = measured(run(command, trial.options.cap_s), counted=bytes_read, total=size)
    if repetition == 0 and warm.seconds is not None and warm.seconds < _QUICK_S and not warm.capped:
        cold = msgspec.structs.replace(cold, right=fingerprint_of(path) == digest)
    return {"cat 1GiB cold": cold, "cat 1GiB warm": warm}


def _first(trial: Trial, _: int) -> Rows:
    rows: Rows = {}
    for name, command in (("first byte", "head -c 1"), ("last byte", "tail -c 1")):
        trial.cold()
        rows[name] = measured(run(f"{command} {quote(str(trial.path / 'big.bin'))}", trial.options.cap_s))
    return rows


def _seek(trial: Trial, _: int) -> Rows:
    """The first random reads of a cold file: what they wait for, before a peer has fetched all of it."""
    shown, original = (quote(str(folder / "big.bin")) for folder in (trial.path, trial.dataset.root))
    trial.cold()
    ran = run(f"{quote(sys.executable)} -m tests.bench.seeking {shown} {original} 64", trial.options.cap_s, PROJECT)
    measure = measured(ran, counted=lines, total=64)
    if measure.seconds is not None and not ran.capped:
        measure = msgspec.structs.replace(measure, seconds=float(ran.said.split()[-1]), right=True)
    return {"64 random 4k": used(measure, trial.usage())}


def _fio(trial: Trial, _: int) -> Rows:
    """Random reads as fio makes them, what the kernel answers by itself included. Not compared with the data set."""
    rows: Rows = {}
    for size in ("4k", "128k"):
        trial.cold()
        ran = run(
            f"{shutil.which('fio', path=SEARCHED)} --name=r --filename={quote(str(trial.path / 'big.bin'))} "
            f"--rw=randread --bs={size} --size=1G --runtime={trial.options.random_s} --time_based --ioengine=psync "
            "--numjobs=1 --readonly --norandommap --randseed=7 --thread --output-format=json",
            trial.options.cap_s + trial.options.random_s,
        )
        measure = measured(ran)
        if measure.seconds is not None:
            measure = Measure(measure.seconds, per_second=_operations_per_second(ran.said, measure.seconds))
        rows[f"rand {size}"] = used(measure, trial.usage())
    return rows


def _operations_per_second(said: str, seconds: float) -> float:
    """fio takes half a second to start; what is more than a second is the mount's open(), and counts."""
    reads = json.loads(said[said.index("{") :])["jobs"][0]["read"]
    return float(reads["total_ios"] / max(reads["runtime"] / 1000, seconds - 1.0))


# ---------------------------------------------------------------- many small files


def _small(trial: Trial, _: int) -> Rows:
    picked = random.Random(SEED + 1).sample(trial.dataset.manifest.tree(), 1000)
    trial.cold()
    measure = read_by_eight(trial.path, trial.dataset.manifest.root, picked, trial.options.cap_s)
    return {"1000 small x8": used(measure, trial.usage())}


def _grep(trial: Trial, _: int) -> Rows:
    command = f"grep -rc --line-buffered no-such-needle-anywhere {quote(str(trial.path / 'tree'))}"
    total = len(trial.dataset.manifest.tree())
    trial.cold()
    measure = measured(run(command, trial.options.cap_s), counted=lines, total=total, accepted=(0, 1))
    return {"grep -r": used(_checked(measure), trial.usage())}


WORKLOADS: Final = {
    "find": Workload(_find, 2, 230),
    "ls": Workload(_ls, 3, 230),
    "cat": Workload(_cat, 6, 100),
    "fio": Workload(_fio, 28, 10, ("fio",), is_repeated=False),
    "seek": Workload(_seek, 3, 64),
    "first": Workload(_first, 3, 10),
    "small": Workload(_small, 2, 300),
    "grep": Workload(_grep, 20, 10_000),
    "status": Workload(_status, 3, 4_000, ("git",)),
    "cp": Workload(writing.cp, 10, 50),
    "tar": Workload(writing.tar, 12, 1_000),
    "rm": Workload(writing.rm, 4, 2_000),
    "clone": Workload(writing.clone, 12, 1_000, ("git",)),
}
"""In the order in which they are run."""
