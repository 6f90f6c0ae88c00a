"""Which daemon serves which mount point on this machine: one locked file in each state folder. Mounts nothing itself.

The lock (flock) is held for the daemon's life, so it is gone with the process, however that ended; what the file says
is only trusted for its words. It is how commands find the daemon of a path, and how `cxfs umount` waits for its end.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cxfs.core.errors import CxfsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

log = logging.getLogger(__name__)

LOCK_FILE: Final = "daemon.lock"

RECORD_BYTES_MAX: Final = 256 << 10
"""A record is two paths of at most 4 KiB, `NAMED_MAX` shorter ones, and some numbers."""

NAMED_MAX: Final = 10
"""What is left is named up to here, and counted beyond."""

NAMED_CHARACTERS_MAX: Final = 500
"""Of a path in a message: of a longer one the end, which tells more."""

LOOKS: Final = 3
"""At a record: it is written in place, and may be caught half-way."""

GLANCE_S: Final = 1.0
"""How long a new daemon waits for the lock: `is_held` takes it for an instant to see whether it is free."""

POLL_S: Final = 0.05

LOOK_S: Final = 0.01


class AlreadyMounted(CxfsError):
    """Another daemon holds this profile's state folder."""


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What a daemon could not send and the next one will: how many changes, how many of them parked, some by name."""

    count: int = 0
    parked: int = 0
    named: tuple[str, ...] = ()

    @classmethod
    def of(cls, paths: Sequence[str], *, parked: int) -> Leftovers:
        """All of these paths."""
        return cls(len(paths), parked, tuple(_shortened(path) for path in paths[:NAMED_MAX]))

    def __str__(self) -> str:
        """`3 uploads are left, 1 of them parked (a, b and 1 more)`, within a line."""
        more = f" and {self.count - len(self.named)} more" if self.count > len(self.named) else ""
        parked = (
            "" if not self.parked else ", parked" if self.parked == self.count else f", {self.parked} of them parked"
        )
        counted = "1 upload is left" if self.count == 1 else f"{self.count} uploads are left"
        return f"{counted}{parked} ({', '.join(self.named)}{more})"


@dataclass(frozen=True, slots=True)
class MountRecord:
    """What a daemon says of itself. `root` is the folder of the account that is mounted, `control` its socket.

    `draining`: it is unmounted, and still sends. `left` is None until it has ended in order.
    """

    pid: int
    mountpoint: Path
    root: str = "/"
    control: Path | None = None
    draining: bool = False
    left: Leftovers | None = None


class HeldLock:
    """The lock of one state folder, while this process holds it."""

    def __init__(self, descriptor: int, record: MountRecord) -> None:
        self._descriptor = descriptor
        self._record = record
        self._write()

    def note_control(self, path: Path) -> None:
        """Says where it can be asked."""
        self._note(replace(self._record, control=path))

    def note_draining(self) -> None:
        """Says that it only sends any more."""
        self._note(replace(self._record, draining=True))

    def note_left(self, left: Leftovers) -> None:
        """Leaves word for whoever waits for the lock."""
        self._note(replace(self._record, left=left))

    def _note(self, record: MountRecord) -> None:
        """Whoever asks learns less on a disk that takes no word; what the daemon does must not end for that."""
        self._record = record
        try:
            self._write()
        except OSError as error:
            log.warning("the record of the mount cannot be written: %s", error.strerror)

    def _write(self) -> None:
        """In place: what is cut off first would have to find room again, and others are quick on a full disk."""
        content = json.dumps(asdict(self._record), default=os.fspath).encode()
        os.pwrite(self._descriptor, content, 0)
        os.ftruncate(self._descriptor, len(content))


@contextlib.contextmanager
def hold_lock(state_folder: Path, mountpoint: Path, *, root: str = "/") -> Iterator[HeldLock]:
    """Makes the folder (0700) and holds its lock for the block; raises AlreadyMounted when another process has it."""
    state_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(state_folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not _taken_within(descriptor, GLANCE_S):
            raise AlreadyMounted(_who_has(state_folder))
        yield HeldLock(descriptor, MountRecord(os.getpid(), mountpoint.absolute(), root))
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def kept_unmounted(state_folder: Path) -> Iterator[None]:
    """No daemon of this folder starts during the block; raises AlreadyMounted when one runs. Says nothing of itself."""
    state_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(state_folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not _taken_within(descriptor, GLANCE_S):
            raise AlreadyMounted(_who_has(state_folder))
        yield
    finally:
        os.close(descriptor)


def read_record(state_folder: Path) -> MountRecord | None:
    """What the last daemon of this folder said, whether or not it still runs; None when nothing readable is there."""
    for look in range(LOOKS):
        try:
            with (state_folder / LOCK_FILE).open("rb") as opened:
                found = record_in(opened.read(RECORD_BYTES_MAX))
        except OSError:
            return None
        if found is not None:
            return found
        if look < LOOKS - 1:
            time.sleep(LOOK_S)
    return None


def record_in(raw: bytes) -> MountRecord | None:
    """What these bytes say; None where they are no record, or half of one."""
    try:
        return _parsed(json.loads(raw))
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return None


def _parsed(words: dict[str, Any]) -> MountRecord:
    control, left = words.get("control"), words.get("left")
    return MountRecord(
        pid=int(words["pid"]),
        mountpoint=Path(words["mountpoint"]),
        root=str(words.get("root", "/")),
        control=None if control is None else Path(control),
        draining=bool(words.get("draining")),
        left=None if left is None else Leftovers(int(left["count"]), int(left["parked"]), tuple(left["named"])),
    )


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


def known(*state_homes: Path) -> dict[Path, MountRecord]:
    """Every state folder in these with what its last daemon said of itself, whether or not that still runs."""
    locks = [lock for home in state_homes for lock in sorted(home.glob(f"*/{LOCK_FILE}"))]
    records = {lock.parent: read_record(lock.parent) for lock in locks}
    return {folder: record for folder, record in records.items() if record is not None}


def running(*state_homes: Path) -> dict[Path, MountRecord]:
    """Those whose daemon runs."""
    return {folder: record for folder, record in known(*state_homes).items() if is_held(folder)}


def state_folder_serving(mountpoint: Path, *state_homes: Path) -> Path | None:
    """The state folder whose running daemon serves this mount point."""
    served = (folder for folder, record in running(*state_homes).items() if record.mountpoint == mountpoint)
    return next(served, None)


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
    if record.draining:
        return (
            f"this profile's last mount, at {record.mountpoint}, is unmounted and still uploads what was written there "
            f"(process {record.pid}): wait for it, cxfs uploads shows what it does"
        )
    return (
        f"this profile is mounted already, at {record.mountpoint} (process {record.pid}): "
        "cxfs umount it first, or mount another profile"
    )


def _shortened(path: str) -> str:
    """Without what would break a line or a file: names may hold anything."""
    plain = "".join(letter if letter.isprintable() else "?" for letter in path)
    return plain if len(plain) <= NAMED_CHARACTERS_MAX else "…" + plain[-NAMED_CHARACTERS_MAX:]
