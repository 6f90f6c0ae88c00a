"""Contents, each as a row or, above a size, as a file; durable no later than what refers to it. Knows no user or path.

    the table `small`    up to SMALL_BYTES_MAX: written, kept and committed with the rows that refer to it
    content/ab/cdef…     whole and synced; the name is the hash, never anything that a request said
    incoming/SESSION/…   arriving; one folder a process, locked while that process lives

A crash leaves at most files that nothing refers to. A session folder whose lock nobody holds is the mark of one; the
next server start removes it (`clear_abandoned`).
"""

from __future__ import annotations

import fcntl
import os
import shutil
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from cxfs.server.digests import Digests, places
from cxfs.server.limits import SMALL_BYTES_MAX
from cxfs.server.wire import new_uuid, unpadded

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path
    from threading import BoundedSemaphore
    from types import TracebackType

_LOCK: Final = "lock"
_KEEP: Final = "INSERT OR IGNORE INTO small SELECT number, ? FROM contents WHERE sha256 = ?"

SYNC_BEHIND_BYTES: Final = 64 << 20
"""So much of a large content is on its way to the disk before the rest has come: what the last sync finds to do."""


class Content(NamedTuple):
    """What is known of some bytes: their name here, their length, and the checksums that the contract shows."""

    sha256: bytes
    size: int
    sha1: str
    md5: str


class Arrival:
    """One content on its way in. Leaving the block removes what was not placed; nothing of it is visible before.

    While it is small it is in memory, and has no file.
    """

    def __init__(self, path: Path, places: BoundedSemaphore) -> None:
        self._path = path
        self._descriptor = -1
        self._in_memory = bytearray()
        self._digests = Digests(places)
        self._syncing: Thread | None = None
        self._unsynced_bytes = 0
        self._has_file = False
        self.size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._digests.close()  # of one that failed nobody wants to know
        self.close()
        if self._has_file:
            self._path.unlink(missing_ok=True)

    def write(self, piece: bytes | memoryview) -> None:
        """Appends. Blocks on the disk and, unless it is large, on three hashes: for a thread, not for an event loop."""
        self._digests.update(piece)
        self.size += len(piece)
        if self.is_small:
            self._in_memory += piece
            return
        if self._descriptor < 0:
            self._begin_file()
        self._append(memoryview(piece))
        self._unsynced_bytes += len(piece)
        if self._unsynced_bytes >= SYNC_BEHIND_BYTES and (self._syncing is None or not self._syncing.is_alive()):
            self._unsynced_bytes = 0
            self._syncing = Thread(target=_sync_behind, args=(self._path,), daemon=True)
            self._syncing.start()

    def _begin_file(self) -> None:
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._has_file = True
        self._append(memoryview(bytes(self._in_memory)))
        self._in_memory.clear()

    def _append(self, rest: memoryview) -> None:
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    @property
    def is_small(self) -> bool:
        """Whether it is kept as a row."""
        return self.size <= SMALL_BYTES_MAX

    @property
    def bytes(self) -> bytes:
        """Of a small one, so far."""
        return bytes(self._in_memory)

    def sync(self) -> None:
        """Returns when a file's bytes would survive a power cut; a small one's do when its row is committed."""
        if self._descriptor >= 0:
            os.fsync(self._descriptor)

    def close(self) -> None:
        """The bytes are complete. May be called twice."""
        self._digests.settle()
        self._digests.close()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    @property
    def content(self) -> Content:
        """Of all bytes, once they are complete."""
        digests = self._digests
        return Content(digests.sha256, self.size, unpadded(digests.sha1), unpadded(digests.md5))

    def place(self, target: Path) -> None:
        """Under its final name, over an equal content if there is one. Durable once the folder is synced too."""
        self._path.rename(target)
        self._has_file = False


class Contents:
    """The two folders. Everything here blocks and may be called from any thread."""

    def __init__(self, directory: Path) -> None:
        self._content = directory / "content"
        self._incoming = directory / "incoming"
        self._prepare()
        self._session = self._incoming / new_uuid()
        self._session.mkdir(0o700)
        self._lock = _locked(self._session)
        self._places = places()

    def _prepare(self) -> None:
        """All 256 folders at once, so that no upload has to sync their parent."""
        self._incoming.mkdir(mode=0o700, exist_ok=True)
        if (self._content / "ff").is_dir():
            return
        self._content.mkdir(mode=0o700, exist_ok=True)
        for byte in range(256):
            (self._content / f"{byte:02x}").mkdir(mode=0o700, exist_ok=True)
        for folder in (self._content, self._content.parent):
            sync_folder(folder)

    def close(self) -> None:
        """Takes the session's folder away: the sign of a clean end."""
        if self._lock >= 0:
            shutil.rmtree(self._session, ignore_errors=True)
            os.close(self._lock)
            self._lock = -1

    def arrival(self) -> Arrival:
        """Room for new bytes."""
        return Arrival(self._session / new_uuid(), self._places)

    def keep(self, connection: sqlite3.Connection, *arrivals: Arrival) -> None:
        """Makes synced arrivals, whose contents the tables know, last as the commit of the caller's transaction does.

        Inside it, so that `remove` cannot come in between. Each folder is synced once.
        """
        folders: set[Path] = set()
        for arrival in arrivals:
            sha256 = arrival.content.sha256
            if arrival.is_small:
                connection.execute(_KEEP, (arrival.bytes, sha256))
            else:
                target = self._path(sha256)
                arrival.place(target)
                folders.add(target.parent)
        for folder in folders:
            sync_folder(folder)

    def open(self, sha256: bytes) -> int:
        """A descriptor to read a file from, the caller's to close; it outlives `remove`. Raises FileNotFoundError."""
        return os.open(self._path(sha256), os.O_RDONLY | os.O_CLOEXEC)

    def remove(self, sha256: bytes) -> None:
        """Forgets the bytes, if they are there."""
        self._path(sha256).unlink(missing_ok=True)

    def hashes(self, first_byte: int) -> Iterator[bytes]:
        """Every content whose hash begins with that byte."""
        folder = self._content / f"{first_byte:02x}"
        for path in folder.iterdir():
            with suppress(ValueError):
                yield bytes.fromhex(folder.name + path.name)

    def clear_abandoned(self) -> int:
        """Removes sessions whose process is dead; how many there were. Not 0: something may have ended half-way."""
        abandoned = 0
        for session in self._incoming.iterdir():
            if session == self._session:
                continue
            try:
                lock = _locked(session)
            except BlockingIOError:
                continue
            shutil.rmtree(session)
            os.close(lock)
            abandoned += 1
        return abandoned

    def _path(self, sha256: bytes) -> Path:
        name = sha256.hex()
        return self._content / name[:2] / name[2:]


def _sync_behind(path: Path) -> None:
    """By an opening of its own, or an error told here would not be told to who syncs in the end."""
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Makes names in it durable: a renamed file may otherwise have its old name after a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _locked(session: Path) -> int:
    """A descriptor that holds the session's lock; BlockingIOError when a living process has it."""
    descriptor = os.open(session / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise
    return descriptor
