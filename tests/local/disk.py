"""What a disk may hold after the power went: every system call of a program, and the disks that they leave possible.

Written for the worst file system that POSIX allows: only what fsync named is there for certain. Of everything since,
each sector of each write, each new length and each name made or removed may have arrived or not, whatever its order.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from random import Random

SECTOR_BYTES: Final = 512
"""What a disk writes as one."""

_CHANGING: Final = (
    "open,openat,creat,mkdir,mkdirat,write,pwrite64,writev,pwritev,pwritev2,ftruncate,truncate,fallocate,"
    "fsync,fdatasync,sync_file_range,unlink,unlinkat,rename,renameat,renameat2,rmdir,copy_file_range,sendfile"
)
"""All calls that change a disk without a map."""

_CALL: Final = re.compile(
    r"(?P<process>\d+) +(?P<call>\w+)\((?P<arguments>.*)\) = (?P<result>\d+)(?:<(?P<opened>[^>]*)>)?"
)
_HEX: Final = re.compile(r"(?:\\x[0-9a-f]{2})+")
_SHARED_MEMORY: Final = "-shm"
"""SQLite's index of its log is rebuilt by whoever opens the database first: what a disk has of it never counts."""


@dataclass(frozen=True, slots=True)
class Said:
    """The program wrote this to its standard output."""

    line: bytes


@dataclass(frozen=True, slots=True)
class Made:
    """A name came to be."""

    path: Path
    is_folder: bool


@dataclass(frozen=True, slots=True)
class Removed:
    """A name is gone."""

    path: Path


@dataclass(frozen=True, slots=True)
class Wrote:
    """Bytes of a file."""

    path: Path
    offset: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Cut:
    """A file has this length now."""

    path: Path
    size: int


@dataclass(frozen=True, slots=True)
class Synced:
    """A file's or a folder's state is on stable storage."""

    path: Path


Step = Said | Made | Removed | Wrote | Cut | Synced


def steps_of(command: Sequence[str], folder: Path, *, cwd: Path, log_file: Path) -> list[Step]:
    """Runs a program of one thread; what it did below `folder`, which is its alone, and what it said, in order."""
    tracing = ("strace", "-f", "-y", "-xx", "-s", str(1 << 24), "-e", f"trace={_CHANGING}", "-o", str(log_file))
    subprocess.run([*tracing, *command], cwd=cwd, check=True, stdout=subprocess.DEVNULL, timeout=60)
    return list(_steps(log_file.read_text(encoding="ascii", errors="replace"), folder))


def _steps(log: str, folder: Path) -> Iterator[Step]:
    names = {folder}
    process = log.split(maxsplit=1)[0]  # and not those of programs that it calls while it starts
    for line in log.splitlines():
        found = _CALL.match(line)
        if found is None or found["process"] != process:
            continue
        step = _step(found["call"], found["arguments"], found["opened"], names)
        if isinstance(step, Said):
            yield step
        elif step is not None and step.path.is_relative_to(folder) and not step.path.name.endswith(_SHARED_MEMORY):
            yield step
            (names.discard if isinstance(step, Removed) else names.add)(step.path)


def _step(call: str, arguments: str, opened: str | None, names: set[Path]) -> Step | None:
    """What a call that succeeded did, if anything."""
    strings = [_text(each) for each in _HEX.findall(arguments)]
    target = Path(strings[0].decode(errors="replace")) if strings else Path()
    last = arguments.rsplit(", ", 1)[-1]
    step: Step | None = None
    match call:
        case "open" | "openat":
            path = Path(_text(opened or "").decode())
            step = Made(path, is_folder=False) if "O_CREAT" in arguments and path not in names else None
        case "mkdir":
            step = Made(target, is_folder=True)
        case "unlink":
            step = Removed(target)
        case "write" if arguments.startswith("1<"):
            step = Said(strings[-1])
        case "pwrite64":
            step = Wrote(target, int(last), strings[-1])
        case "ftruncate":
            step = Cut(target, int(last))
        case "fsync" | "fdatasync":
            step = Synced(target)
        case _:
            assert target not in names, f"{call} of {target}: a way to change the disk that is not followed here"
    return step


def _text(hexadecimal: str) -> bytes:
    return bytes.fromhex(hexadecimal.replace("\\x", ""))


@dataclass(slots=True)
class _File:
    """A file's bytes for certain, and what may have happened to them since."""

    is_folder: bool
    certain: bytearray = field(default_factory=bytearray)
    since: list[Wrote | Cut] = field(default_factory=list)


class Disk:
    """Follows a program step by step, and makes what a power cut at that moment may leave."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._now: dict[Path, _File] = {}
        self._certain: dict[Path, _File] = {}
        self._since: dict[Path, list[_File | None]] = {}

    def follow(self, step: Step) -> None:
        """The next thing that the program did."""
        match step:
            case Made(path, is_folder):
                self._name(path, _File(is_folder))
            case Removed(path):
                self._name(path, None)
            case Wrote(path) | Cut(path):
                self._now[path].since.append(step)
            case Synced(path):
                self._sync(path)
            case Said():
                pass

    def _name(self, path: Path, file: _File | None) -> None:
        self._since.setdefault(path, []).append(file)
        if file is None:
            del self._now[path]
        else:
            self._now[path] = file

    def _sync(self, path: Path) -> None:
        file = self._now.get(path)
        if file is not None and not file.is_folder:
            for step in file.since:
                _apply(file.certain, step)
            file.since.clear()
            return
        for name in [name for name in self._since if name.parent == path]:
            last = self._since.pop(name)[-1]
            if last is None:
                self._certain.pop(name, None)
            else:
                self._certain[name] = last

    def leave(self, target: Path, chance: Random, share: float) -> None:
        """Writes one possible disk to `target`: of what was not synced, about `share` has arrived."""
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        names: dict[Path, _File | None] = dict(self._certain)
        for name, ends in self._since.items():
            names[name] = chance.choice(ends) if chance.random() < share else self._certain.get(name)
        for name in sorted(name for name, file in names.items() if file is not None):
            file, place = names[name], target / name.relative_to(self._folder)
            assert file is not None
            if not place.parent.is_dir():
                continue  # a name in a folder that is not there
            if file.is_folder:
                place.mkdir()
            else:
                place.write_bytes(_perhaps(file, chance, share))


def _perhaps(file: _File, chance: Random, share: float) -> bytes:
    content = bytearray(file.certain)
    for step in file.since:
        for part in _parts(step):
            if chance.random() < share:
                _apply(content, part)
    return bytes(content)


def _parts(step: Wrote | Cut) -> Iterator[Wrote | Cut]:
    """What of a step can arrive by itself."""
    if isinstance(step, Cut):
        yield step
        return
    start, stop = step.offset, step.offset + len(step.content)
    while start < stop:
        end = min(stop, (start // SECTOR_BYTES + 1) * SECTOR_BYTES)
        yield Wrote(step.path, start, step.content[start - step.offset : end - step.offset])
        start = end


def _apply(content: bytearray, step: Wrote | Cut) -> None:
    size = step.size if isinstance(step, Cut) else step.offset + len(step.content)
    content.extend(bytes(max(0, size - len(content))))
    if isinstance(step, Cut):
        del content[step.size :]
    else:
        content[step.offset : size] = step.content
