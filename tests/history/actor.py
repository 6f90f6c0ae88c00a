"""A program at work on a few names of a folder, which notes each call with its start, its end and its result.

Run as `actor.py FOLDER SEED SECONDS NAME…`; what it notes goes to its standard output, a line each. Every value has the
same length, and is written by one call: whoever looks sees one or another. The clock is the machine's.
"""

from __future__ import annotations

import os
import random
import sys
import time
from pathlib import Path

from tests.history.operations import Kind, Operation, Result

VALUE_BYTES = 32
PACE_S = 0.02
"""Between two calls: what waits for the server comes about between them, and some hundreds are checked in no time."""
KINDS = (Kind.READ, Kind.READ, Kind.READ, Kind.SAVE, Kind.SAVE, Kind.OVERWRITE, Kind.DELETE, Kind.RENAME)


class Actor:
    """One program; calls by chance."""

    def __init__(self, folder: Path, seed: str, names: list[str], *, only_reads: bool) -> None:
        self._folder = folder
        self._seed = seed
        self._names = names
        self._kinds = (Kind.READ,) if only_reads else KINDS
        self._chance = random.Random(seed)
        self._count = 0

    def act(self) -> Operation:
        """The next call."""
        self._count += 1
        kind, name = self._chance.choice(self._kinds), self._chance.choice(self._names)
        to = self._chance.choice([each for each in self._names if each != name] or [name])
        value = f"{self._seed}-{self._count}".ljust(VALUE_BYTES, ".")
        path, start, result = self._folder / name, time.monotonic(), Result.DONE
        try:
            value = self._do(kind, path, value, to)
        except FileNotFoundError:
            result = Result.ABSENT
        except OSError:
            result = Result.UNKNOWN
        return Operation(kind, name, start, time.monotonic(), value, to if kind is Kind.RENAME else "", result)

    def _do(self, kind: Kind, path: Path, value: str, to: str) -> str:
        match kind:
            case Kind.READ:
                return path.read_bytes().decode()
            case Kind.SAVE:
                aside = path.with_name(f".{self._seed}-{self._count}")
                aside.write_bytes(value.encode())
                aside.rename(path)
            case Kind.OVERWRITE:
                with path.open("rb+", buffering=0) as file:
                    file.write(value.encode())
            case Kind.DELETE:
                path.unlink()
            case Kind.RENAME:
                path.rename(self._folder / to)
        return value


if __name__ == "__main__":
    folder, seed, seconds, only_reads, *names = sys.argv[1:]
    actor, until = Actor(Path(folder), seed, names, only_reads=only_reads == "reads"), time.monotonic() + float(seconds)
    while time.monotonic() < until:
        time.sleep(PACE_S)
        os.write(sys.stdout.fileno(), f"{actor.act().line()}\n".encode())
