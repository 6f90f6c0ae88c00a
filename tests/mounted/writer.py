"""A program at work in a folder, which notes in a file elsewhere what it is about to do, and what was acknowledged.

Run as `writer.py FOLDER NOTES SEED DEEDS`; it ends at the first call that fails. `replay` tells from the notes what the
folder has to hold.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

Tree = dict[str, bytes | None]
"""By path: the content; None for a folder."""

KINDS = ("new", "new", "sync", "rewrite", "append", "rename", "replace", "save", "delete", "mkdir", "rmdir")


def content_of(number: int, size: int) -> bytes:
    """Like no other."""
    return (f"{number:08}".encode() * (size // 8 + 1))[:size]


class Writer:
    """Deeds by chance; `held` is what the folder holds after those that were done."""

    def __init__(self, folder: Path, notes: int, seed: int) -> None:
        self._folder = folder
        self._notes = notes
        self._chance = random.Random(seed)
        self._count = 0
        self.held: Tree = {}

    def work(self, deeds: int) -> None:
        """That many deeds; raises OSError when the mount is gone."""
        for _ in range(deeds):
            kind, *rest = self._next()
            self._note("begin", kind, *rest)
            getattr(self, f"_{kind}")(*rest)
            self.held = after(self.held, kind, *rest)
            self._note("done")

    def _note(self, *words: Any) -> None:
        os.write(self._notes, json.dumps(words).encode() + b"\n")

    def _next(self) -> tuple[Any, ...]:
        files = sorted(name for name, content in self.held.items() if content is not None)
        folders = sorted(name for name, content in self.held.items() if content is None)
        self._count += 1
        number, size = self._count, self._chance.choice((0, 10, 5_000, 150_000))
        kind = self._chance.choice(KINDS)
        place = self._chance.choice(["", "", *(f"{folder}/" for folder in folders)])
        if kind == "rmdir" and folders:
            return "rmdir", folders[0], [name for name in files if name.startswith(f"{folders[0]}/")]
        if kind == "mkdir":
            return "mkdir", f"folder-{number}"
        if len(files) < 2 or kind in {"new", "sync", "rmdir"}:
            return "sync" if kind == "sync" else "new", f"{place}file-{number}", number, size
        one, two = self._chance.sample(files, 2)
        if kind in {"rename", "replace"}:
            return "rename", one, two if kind == "replace" else f"{place}renamed-{number}"
        return (kind, one) if kind == "delete" else (kind, one, number, size)

    def _new(self, name: str, number: int, size: int) -> None:
        self._folder.joinpath(name).write_bytes(content_of(number, size))

    _rewrite = _new

    def _sync(self, name: str, number: int, size: int) -> None:
        with self._folder.joinpath(name).open("wb", buffering=0) as file:
            file.write(content_of(number, size))
            os.fsync(file.fileno())

    def _append(self, name: str, number: int, size: int) -> None:
        with self._folder.joinpath(name).open("ab", buffering=0) as file:
            file.write(content_of(number, size))

    def _save(self, name: str, number: int, size: int) -> None:
        temporary = self._folder.joinpath(f"{name}.tmp")
        temporary.write_bytes(content_of(number, size))
        temporary.rename(self._folder / name)

    def _rename(self, name: str, to: str) -> None:
        self._folder.joinpath(name).rename(self._folder / to)

    def _delete(self, name: str) -> None:
        self._folder.joinpath(name).unlink()

    def _mkdir(self, name: str) -> None:
        self._folder.joinpath(name).mkdir()

    def _rmdir(self, name: str, inside: list[str]) -> None:
        for each in inside:
            self._folder.joinpath(each).unlink()
        self._folder.joinpath(name).rmdir()


def after(held: Tree, kind: str, name: str, *rest: Any) -> Tree:
    """What a deed makes of a folder."""
    tree = dict(held)
    match kind:
        case "new" | "sync" | "rewrite" | "save":
            tree[name] = content_of(*rest)
        case "append":
            tree[name] = (tree[name] or b"") + content_of(*rest)
        case "rename":
            tree[rest[0]] = tree.pop(name)
        case "delete":
            del tree[name]
        case "mkdir":
            tree[name] = None
        case "rmdir":
            tree = {path: content for path, content in tree.items() if path != name and path not in rest[0]}
    return tree


@dataclass(frozen=True)
class Notes:
    """What was acknowledged, and how the folder would be after the deed that was under way, if any."""

    done: Tree
    next: Tree
    deed: str
    count: int

    def wrongs(self, found: Tree) -> list[str]:
        """What is not as it may be: all that was acknowledged holds, the deed under way may have come to any point."""
        both = self.done.keys() & self.next.keys()
        wrong = [
            f"{name} is {_short(found.get(name, b'missing'))} instead of {_short(self.done[name])}"
            for name in both
            if self.done[name] == self.next[name] and (name not in found or found[name] != self.done[name])
        ]
        wrong += [f"{name} is missing" for name in both if name not in found]
        passing = {f"{name}.tmp" for name in self.done}
        wrong += [f"{name} is there" for name in found.keys() - self.done.keys() - self.next.keys() - passing]
        kept = {content for content in self.done.values() if content in self.next.values()}
        wrong += [f"{_short(content)} is nowhere" for content in kept - set(found.values())]
        return [f"{each} ({self.deed})" for each in wrong]


def replay(lines: Iterable[str]) -> Notes:
    """From what a writer noted."""
    held: Tree = {}
    begun: list[Any] = []
    count = 0
    for line in lines:
        what, *words = json.loads(line)
        if what == "begin":
            begun = words
        else:
            held, begun, count = after(held, *begun), [], count + 1
    return Notes(held, after(held, *begun) if begun else held, str(begun), count)


def _short(content: bytes | None) -> str:
    return "a folder" if content is None else f"{content[:16]!r} ({len(content)} bytes)"


if __name__ == "__main__":
    place, notes_file, seed, deeds = sys.argv[1:]
    descriptor = os.open(notes_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with contextlib.suppress(OSError):
        Writer(Path(place), descriptor, int(seed)).work(int(deeds))
