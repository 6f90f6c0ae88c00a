"""Which daemon serves which mount point on this machine: one locked file in each state folder. Mounts nothing itself.

The lock (flock) is held for the daemon's life, so it is gone with the process, however that ended; what the file says
is only trusted for its words. It is how `cxfs umount` waits for the last upload.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cxfs.core.errors import CxfsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOCK_FILE: Final = "daemon.lock"

RECORD_BYTES_MAX: Final = 64 << 10
"""A record is one path of at most 4 KiB and two numbers."""

GLANCE_S: Final = 1.0
"""How long a new daemon waits for the lock: `is_held` takes it for an instant to see whether it is free."""

POLL_S: Final = 0.05


class AlreadyMounted(CxfsError):
    """Another daemon holds this profile's state folder."""


@dataclass(frozen=True, slots=True)
class MountRecord:
    """What a daemon says of itself. `uploads_left` is None until it has ended in order."""

    pid: int
    mountpoint: Path
    uploads_left: int | None = None


class HeldLock:
    """The lock of one state folder, while this process holds it."""

    def __init__(self, descriptor: int, record: MountRecord) -> None:
        self._descriptor = descriptor
        self._record = record
        self._write()

    def note_uploads_left(self, count: int) -> None:
        """Leaves word for whoever waits for the lock."""
        self._record = replace(self._record, uploads_left=count)
        self._write()

    def _write(self) -> None:
        words = {
            "pid": self._record.pid,
            "mountpoint": os.fspath(self._record.mountpoint),
            "uploads_left": self._record.uploads_left,
        }
        content = json.dumps(words).encode()
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, content, 0)


@contextlib.contextmanager
def hold_lock(state_folder: Path, mountpoint: Path) -> Iterator[HeldLock]:
    """Makes the folder (0700) and holds its lock for the block; raises AlreadyMounted when another process has it."""
    state_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(state_folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not _taken_within(descriptor, GLANCE_S):
            raise AlreadyMounted(_who_has(state_folder))
        yield HeldLock(descriptor, MountRecord(os.getpid(), mountpoint.absolute()))
    finally:
        os.close(descriptor)


def read_record(state_folder: Path) -> MountRecord | None:
    """What the last daemon of this folder said, whether or not it still runs; None when nothing readable is there."""
    try:
        with (state_folder / LOCK_FILE).open("rb") as opened:
            words = json.loads(opened.read(RECORD_BYTES_MAX))
        return MountRecord(int(words["pid"]), Path(words["mountpoint"]), words.get("uploads_left"))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def is_held(state_folder: Path) -> bool:
    """Whether a daemon of this folder runs."""
    try:
        descriptor = os.open(state_folder / LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not _taken_within(descriptor, 0)
    finally:
        os.close(descriptor)


def state_folder_serving(state_home: Path, mountpoint: Path) -> Path | None:
    """The state folder whose running daemon serves this mount point."""
    for lock in sorted(state_home.glob(f"*/{LOCK_FILE}")):
        record = read_record(lock.parent)
        if record is not None and record.mountpoint == mountpoint and is_held(lock.parent):
            return lock.parent
    return None


def wait_until_released(state_folder: Path, *, deadline_s: float, on_wait: Callable[[], None]) -> bool:
    """True as soon as no daemon holds the folder, False after the deadline; calls `on_wait` while it waits."""
    deadline = time.monotonic() + deadline_s
    while is_held(state_folder):
        if time.monotonic() >= deadline:
            return False
        on_wait()
        time.sleep(POLL_S)
    return True


def _taken_within(descriptor: int, wait_s: float) -> bool:
    deadline = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL_S)
        else:
            return True


def _who_has(state_folder: Path) -> str:
    record = read_record(state_folder)
    if record is None:
        return f"{state_folder} is in use by another cxfs: one mount a profile"
    return (
        f"this profile is mounted already, at {record.mountpoint} (process {record.pid}): "
        "cxfs umount it first, or mount another profile"
    )
