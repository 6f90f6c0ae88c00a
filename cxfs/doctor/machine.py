"""What a mount needs of this machine: the device, the helper, room on the disk, and indexers that leave it alone."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cxfs.doctor.findings import Finding, note, ok, problem
from cxfs.fuse import mounting
from cxfs.fuse.mounting import FILE_SYSTEM, FuseMissing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ROOM_BYTES: Final = 256 << 20
"""Less than this is left to others by the cache, and soon writes are refused."""

SPARE_BYTES: Final = 2 << 30
"""Less than this is soon used up by one film that waits for its upload."""

TRACKERS: Final = ("tracker-miner-f", "localsearch-3")
"""As /proc has them: cut after 15 characters."""
TRACKER_MARK: Final = ".trackerignore"
BALOO: Final = ("baloo_file",)


@dataclass(frozen=True, slots=True)
class Machine:
    """Where to look. `find` is as shutil.which, `free_bytes` tells of a folder's disk."""

    device: Path = mounting.DEVICE
    fuse_conf: Path = mounting.FUSE_CONF
    updatedb_conf: Path = Path("/etc/updatedb.conf")
    baloo_conf: Path = field(default_factory=lambda: Path.home() / ".config/baloofilerc")
    proc: Path = Path("/proc")
    is_root: bool = field(default_factory=lambda: os.geteuid() == 0)
    find: Callable[[str], str | None] = shutil.which
    free_bytes: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free


def device(machine: Machine) -> Finding:
    """/dev/fuse."""
    try:
        mounting.check_device(machine.device)
    except FuseMissing as error:
        text, _, remedy = str(error).partition(": ")
        return problem("device", text, remedy)
    return ok("device", f"{machine.device} is there")


def helper(machine: Machine) -> Finding:
    """fusermount3, which root does without."""
    found = machine.find("fusermount3")
    if found is not None:
        return ok("fusermount3", found)
    if machine.is_root:
        return note("fusermount3", "it is missing: only root can mount", "apt install fuse3")
    return problem("fusermount3", "it is missing, and mounts for ordinary users", "apt install fuse3")


def allow_other(machine: Machine) -> Finding:
    """Whether others can be let in."""
    if machine.is_root or mounting.lets_others_in(machine.fuse_conf):
        return ok("allow_other", "others can be let into a mount")
    return note(
        "allow_other",
        "mounts are for their own user alone: -o allow_other is refused",
        f"add a line user_allow_other to {machine.fuse_conf}, as root",
    )


def disk(machine: Machine, name: str, folder: Path) -> Finding:
    """Room for what waits or is kept in a folder, which need not be there yet."""
    there = next(each for each in (folder, *folder.parents) if each.is_dir())
    free = machine.free_bytes(there)
    text = f"{free >> 20} MiB are free for {folder}"
    if free < ROOM_BYTES:
        return problem(name, f"{text}: writing will be refused", "make room on that disk, or cxfs cache clear")
    if free < SPARE_BYTES:
        return note(name, text, "make room on that disk, or cxfs cache clear")
    return ok(name, text)


# ------------------------------------------------------------------------------------------------ indexers


def indexers(machine: Machine, mountpoints: Iterable[Path]) -> list[Finding]:
    """Programs that would read every file of a mount, to find it by its words."""
    places = list(mountpoints)
    found = [_updatedb(machine, places)]
    running = _running(machine.proc)
    if running & set(TRACKERS):
        found += [
            problem("indexer", f"the file index of the desktop looks into {place}", f"touch '{place}/{TRACKER_MARK}'")
            for place in places
            if _is_in_a_home(place) and not _is_marked(place)
        ]
    if running & set(BALOO):
        found += [
            problem("indexer", f"Baloo looks into {place}", f"balooctl6 config add excludeFolders '{place}'")
            for place in places
            if not _is_excluded(machine.baloo_conf, place)
        ]
    told = [each for each in found if each is not None]
    return told or [ok("indexer", "none looks into a mount")]


def _updatedb(machine: Machine, places: list[Path]) -> Finding | None:
    try:
        words = machine.updatedb_conf.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None  # no updatedb here
    pruned = _words_of(words, "PRUNEFS")
    paths = [Path(each) for each in _words_of(words, "PRUNEPATHS")]
    uncovered = [place for place in places if not any(place.is_relative_to(path) for path in paths)]
    if FILE_SYSTEM in {each.lower() for each in pruned} or (places and not uncovered):
        return None
    return problem(
        "indexer",
        "updatedb (locate) walks through every mount of cxfs each night",
        f"add {FILE_SYSTEM} to PRUNEFS in {machine.updatedb_conf}, as root",
    )


def _words_of(text: str, name: str) -> list[str]:
    found = re.search(rf'^\s*{name}\s*=\s*"?([^"\n]*)"?', text, re.MULTILINE)
    return found[1].split() if found else []


def _running(proc: Path) -> set[str]:
    names = set()
    for process in proc.iterdir():
        if process.name.isdigit():
            with contextlib.suppress(OSError):
                names.add((process / "comm").read_text(encoding="utf-8", errors="replace").strip())
    return names


def _is_in_a_home(place: Path) -> bool:
    return place.is_relative_to(Path.home())


def _is_marked(place: Path) -> bool:
    """Asks the mount's daemon, which was seen to answer."""
    return (place / TRACKER_MARK).exists()


def _is_excluded(baloo_conf: Path, place: Path) -> bool:
    try:
        text = baloo_conf.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    found = re.search(r"^exclude folders\[\$e\]=(.*)$", text, re.MULTILINE)
    excluded = [Path(each.strip().replace("$HOME", str(Path.home()))) for each in found[1].split(",")] if found else []
    return any(place.is_relative_to(each) for each in excluded if each.is_absolute())
