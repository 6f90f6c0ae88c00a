"""A program that works for a long time in a folder of its own and knows what is in it; it tells at the end.

Run as `worker.py FOLDER SEED SECONDS`. Its last line is JSON: what each of its files holds by now, how often it did
what, and what was otherwise than it knew. Files come back under the same names: their number has a limit.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import sys
import time
from collections import Counter
from pathlib import Path

FILES = 24
FOLDERS = ("", "f/", "f/g/")
SIZES = (0, 40, 4_000, 130_000, 130_000, 3_000_000)
LONGEST = 8_000_000
DEEDS = ("write", "write", "save", "append", "patch", "read", "read", "read", "walk", "rename", "delete")
PACE_S = 0.01


def content_of(token: str, size: int) -> bytes:
    """Like no other."""
    return (f"{token:>16}".encode() * (size // 16 + 1))[:size]


def digest(content: bytes) -> str:
    """To compare by."""
    return hashlib.sha256(content).hexdigest()[:16]


class Worker:
    """`held` is what it knows of its files; a name with which a call failed is in `doubtful` until it is written."""

    def __init__(self, folder: Path, seed: str) -> None:
        self._folder = folder
        self._seed = seed
        self._chance = random.Random(seed)
        self._names = [f"{self._chance.choice(FOLDERS)}file-{number}" for number in range(FILES)]
        self.held: dict[str, bytes] = {}
        self.doubtful: set[str] = set()
        self.wrong: list[str] = []
        self.done: Counter[str] = Counter()

    def work(self, until: float) -> None:
        """To the end of its time."""
        (self._folder / "f" / "g").mkdir(parents=True)
        while time.monotonic() < until:
            self._do(self._chance.choice(DEEDS))
            time.sleep(PACE_S)

    def _do(self, deed: str) -> None:
        name, to = self._chance.sample(self._names, 2)
        if deed in {"append", "patch", "rename", "delete"} and (name not in self.held or name in self.doubtful):
            deed = "write"  # of what a call that timed out left behind nothing can be foretold
        self.done[deed] += 1
        before = dict(self.held)
        touched = {name, to} if deed == "rename" else {name}
        try:
            getattr(self, f"_{deed}")(name, to)
        except OSError as error:
            self.done[f"failed: {os.strerror(error.errno or 0)}"] += 1
            self.wrong.append(f"{deed} of {name} failed: {error}")
            self.held = before
            if deed not in {"read", "walk"}:
                self.doubtful |= touched

    def _content(self) -> bytes:
        return content_of(f"{self._seed}-{self.done.total()}", self._chance.choice(SIZES))

    def _write(self, name: str, _to: str) -> None:
        content = self._content()
        self._folder.joinpath(name).write_bytes(content)
        self.held[name] = content
        self.doubtful.discard(name)

    def _save(self, name: str, _to: str) -> None:
        content, aside = self._content(), self._folder / f"{name}.tmp"
        with aside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.rename(self._folder / name)
        self.held[name] = content
        self.doubtful.discard(name)

    def _append(self, name: str, to: str) -> None:
        if len(self.held[name]) > LONGEST:
            self._delete(name, to)
            return
        content = self._content()
        with self._folder.joinpath(name).open("ab") as file:
            file.write(content)
        self.held[name] += content

    def _patch(self, name: str, _to: str) -> None:
        content, held = self._content()[:100], self.held[name]
        place = self._chance.randrange(len(held) + 1)
        with self._folder.joinpath(name).open("rb+") as file:
            file.seek(place)
            file.write(content)
        self.held[name] = held[:place] + content + held[place + len(content) :]

    def _read(self, name: str, _to: str) -> None:
        try:
            found = self._folder.joinpath(name).read_bytes()
        except FileNotFoundError:
            found = None
        if name not in self.doubtful and found != self.held.get(name):
            self.wrong.append(f"{name} is read as {_short(found)} instead of {_short(self.held.get(name))}")

    def _walk(self, _name: str, _to: str) -> None:
        found = {
            path.relative_to(self._folder).as_posix(): path.stat().st_size
            for path in self._folder.rglob("*")
            if not path.is_dir()
        }
        expected = {name: len(content) for name, content in self.held.items()}
        odd = {name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name)}
        self.wrong += [
            f"{name} is listed with {found.get(name)} bytes instead of {expected.get(name)}"
            for name in sorted(odd - self.doubtful)
        ]

    def _rename(self, name: str, to: str) -> None:
        self._folder.joinpath(name).rename(self._folder / to)
        self.held[to] = self.held.pop(name)
        self.doubtful.discard(to)

    def _delete(self, name: str, _to: str) -> None:
        self._folder.joinpath(name).unlink()
        del self.held[name]
        self.doubtful.discard(name)


def _short(content: bytes | None) -> str:
    return "nothing" if content is None else f"{content[:16]!r} ({len(content)} bytes, {digest(content)})"


if __name__ == "__main__":
    place, seed, seconds = sys.argv[1:]
    worker = Worker(Path(place), seed)
    worker.work(time.monotonic() + float(seconds))
    told = {
        "held": {name: digest(content) for name, content in worker.held.items() if name not in worker.doubtful},
        "doubtful": sorted(worker.doubtful),
        "wrong": worker.wrong[:20],
        "done": worker.done,
    }
    os.write(sys.stdout.fileno(), f"{json.dumps(told)}\n".encode())
