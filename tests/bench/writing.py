"""The work that writes and removes, each taken twice: until the command returned, and until it was on the server.

The first alone says how well a mount hides its uploads, not how fast they are. What arrived is compared byte for byte.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from dataclasses import asdict, dataclass
from shlex import quote
from typing import TYPE_CHECKING

import msgspec

from tests.bench.dataset import wrong
from tests.bench.measuring import extrapolated, measured, run
from tests.bench.results import Measure

if TYPE_CHECKING:
    from pathlib import Path

    from tests.bench.dataset import Expected
    from tests.bench.trial import Trial, Usage

Rows = dict[str, Measure]


@dataclass(frozen=True)
class Arrival:
    """When a write was on the server, and what the mount's processes had used by then."""

    measure: Measure
    usage: Usage


def arrived(
    trial: Trial, name: str, expected: Expected, started: float, cap_s: float, *, gone: bool = False
) -> Arrival:
    """Waits until what was written to (or with `gone`: removed from) the folder `name` is so on the server."""
    if trial.peer.keeps_files:
        return _seen_in_files(trial, trial.place.tree / name, expected, started, cap_s, gone=gone)
    known_by = "nothing behind it"
    if trial.peer.flush is not None:
        known_by = "cxfs sync, read back by a new mount"
        if not trial.is_flushed(cap_s - (time.monotonic() - started)):
            return Arrival(Measure(capped=True, known_by=known_by), trial.usage())
    seconds, usage = time.monotonic() - started, trial.usage()
    if trial.peer.flush is not None:
        trial.cold()
    folder = trial.path / name
    right = not folder.exists() if gone else not wrong(folder, expected, contents=True)
    return Arrival(Measure(seconds, right=right, known_by=known_by), usage)


def _seen_in_files(
    trial: Trial, folder: Path, expected: Expected, started: float, cap_s: float, *, gone: bool
) -> Arrival:
    total, known_by = max(1, len(expected)), "the server's files"
    while True:
        left = _left_in(folder) if gone else wrong(folder, expected, contents=False)
        seconds = time.monotonic() - started
        if not left and (gone or not wrong(folder, expected, contents=True)):
            return Arrival(Measure(seconds, right=True, known_by=known_by), trial.usage())
        if seconds > cap_s:
            done = total - min(left, total)
            whole = extrapolated(seconds, done, total)
            return Arrival(Measure(whole, capped=True, done=done, total=total, known_by=known_by), trial.usage())
        time.sleep(0.1 if total > 100 else 0.02)


def _left_in(folder: Path) -> int:
    files = sum(len(names) for _, _, names in os.walk(folder))
    return files or folder.exists()


def _rows(trial: Trial, name: str, returned: Measure, arrival: Arrival | None, started: float) -> Rows:
    """The two rows of a write; a copy on this machine is there when it is synced."""
    usage = trial.usage() if arrival is None else arrival.usage
    rows = {f"{name} ret": msgspec.structs.replace(returned, **asdict(usage))}
    if arrival is None:
        rows[f"{name} dur"] = Measure(capped=True)
        return rows
    rows[f"{name} dur"] = arrival.measure
    if trial.peer.serve is None and trial.peer.keeps_files and name != "rm 2000":
        subprocess.run(["sync"], check=True)
        rows[f"{name} dur"] = msgspec.structs.replace(arrival.measure, seconds=time.monotonic() - started)
    return rows


def _read_before(*paths: Path) -> None:
    """So that the disk which a source lies on is not timed."""
    for path in paths:
        with path.open("rb") as file:
            while file.read(1 << 20):
                pass


def cp(trial: Trial, repetition: int) -> Rows:
    """The large file of the data set, copied in."""
    name, source = f"work-cp-{repetition}", trial.dataset.root / "big.bin"
    expected = {"big.bin": trial.dataset.manifest.root["big.bin"]}
    trial.cold()
    trial.make_folder(name)
    _read_before(source)
    started = time.monotonic()
    target = trial.path / name / "big.bin"
    returned = measured(run(f"cp {quote(str(source))} {quote(str(target))}", trial.options.cap_s))
    if returned.error:
        return {"cp 1GiB ret": returned}
    arrival = None if returned.capped else arrived(trial, name, expected, started, 2 * trial.options.cap_s)
    return _rows(trial, "cp 1GiB", returned, arrival, started)


def tar(trial: Trial, repetition: int) -> Rows:
    """The archive of the data set, unpacked in the mount."""
    name, source, expected = f"work-tar-{repetition}", trial.dataset.archive, trial.dataset.manifest.small
    trial.cold()
    trial.make_folder(name)
    _read_before(source)
    files_only = " --wildcards '*.bin'" if trial.peer.folders_beforehand else ""
    command = f"tar xvf {quote(str(source))} -C {quote(str(trial.path / name))} --no-same-owner{files_only}"
    started = time.monotonic()
    ran = run(command, trial.options.cap_s)
    returned = measured(ran, counted=lambda said: said.count(".bin\n"), total=len(expected))
    if returned.error:
        return {"tar 2000 ret": returned}
    arrival = None
    if not returned.capped or trial.peer.keeps_files:
        cap_s = 0 if returned.capped else 2 * trial.options.cap_s
        arrival = arrived(trial, name, expected, started, cap_s)
    rows = _rows(trial, "tar 2000", returned, arrival, started)
    if any(measure.capped for measure in rows.values()):
        trial.abort()
    return rows


def rm(trial: Trial, repetition: int) -> Rows:
    """The 2,000 files that waited for it, removed."""
    name, expected = f"doomed{repetition}", trial.dataset.manifest.small

    def removed(said: str) -> int:
        return sum(line.startswith("removed") and ".bin" in line for line in said.splitlines())

    trial.cold()
    started = time.monotonic()
    returned = measured(
        run(f"rm -rv {quote(str(trial.path / name))}", trial.options.cap_s), counted=removed, total=len(expected)
    )
    if returned.error:
        return {"rm 2000 ret": returned}
    usage = trial.usage()
    if returned.capped:
        arrival = Arrival(msgspec.structs.replace(returned), usage)
    else:
        waited = arrived(trial, name, expected, started, 2 * trial.options.cap_s, gone=True)
        arrival = Arrival(waited.measure, usage)
    return _rows(trial, "rm 2000", returned, arrival, started)


def clone(trial: Trial, repetition: int) -> Rows:
    """The repository of the data set, cloned into the mount, and `git status` there at once."""
    name, source = f"work-clone-{repetition}", trial.dataset.repository
    target = trial.path / name / "c"

    def updated(said: str) -> int:
        return int(([0, *re.findall(r"Updating files:\s+\d+% \((\d+)/", said)])[-1])

    trial.cold()
    trial.make_folder(name)
    _read_before(*(source / "objects" / "pack").iterdir())
    # Without the delay git tells its progress from the first file on.
    command = f"GIT_PROGRESS_DELAY=0 git clone --progress --no-hardlinks {quote(str(source))} {quote(str(target))}"
    started = time.monotonic()
    returned = measured(run(command, trial.options.cap_s), counted=updated, total=len(trial.dataset.manifest.repo))
    rows = {"git clone": msgspec.structs.replace(returned, **asdict(trial.usage()))}
    if returned.capped or returned.error:
        trial.abort()
        return rows
    for number in (1, 2):
        rows[f"clone+status {number}"] = status(target, trial.options.cap_s)
    arrival = arrived(trial, f"{name}/c", trial.dataset.manifest.repo, started, 2 * trial.options.cap_s)
    rows["git clone dur"] = arrival.measure
    return rows


def status(work_tree: Path, cap_s: float) -> Measure:
    """`git status`; right when it finds nothing changed."""
    ran = run("git -c safe.directory='*' status --porcelain", cap_s, work_tree)
    measure = measured(ran)
    return measure if measure.error else msgspec.structs.replace(measure, right=ran.capped or not ran.said)
