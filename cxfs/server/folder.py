"""Contents as files in the server's directory. Knows no user or path.

    content/ab/cdef…     whole and synced; the name is the hash, never anything that a request said
    incoming/SESSION/…   arriving; one folder a process, locked while that process lives

A crash leaves at most files that nothing refers to. A session folder whose lock nobody holds is the mark of one; the
next server start removes it (`recover`).
"""

from __future__ import annotations

import fcntl
import os
import shutil
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING, Final

from cxfs.server.arrivals import Arrival
from cxfs.server.contents import keep_small
from cxfs.server.digests import places
from cxfs.server.sources import FileSource
from cxfs.server.wire import new_uuid

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cxfs.server.database import Connection, Database

_LOCK: Final = "lock"

SYNC_BEHIND_BYTES: Final = 64 << 20
"""So much of a large content is on its way to the disk before the rest has come: what the last sync finds to do."""


class FileSink:
    """A new file at that path."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._syncing: Thread | None = None
        self._unsynced_bytes = 0
        self.is_kept = False

    def write(self, piece: memoryview) -> None:
        """Appends, and has the disk take what has gathered."""
        self._unsynced_bytes += len(piece)
        while piece:
            piece = piece[os.write(self._descriptor, piece) :]
        if self._unsynced_bytes >= SYNC_BEHIND_BYTES and (self._syncing is None or not self._syncing.is_alive()):
            self._unsynced_bytes = 0
            self._syncing = Thread(target=_sync_behind, args=(self._path,), daemon=True)
            self._syncing.start()

    def sync(self) -> None:
        """Returns when the file's bytes would survive a power cut."""
        if self._descriptor >= 0:
            os.fsync(self._descriptor)

    def close(self) -> None:
        """May be called twice."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def place(self, target: Path) -> None:
        """Under its final name, over an equal content if there is one. Durable once the folder is synced too."""
        self._path.rename(target)
        self.is_kept = True

    def discard(self) -> None:
        """Nothing when it was placed."""
        if not self.is_kept:
            self._path.unlink(missing_ok=True)


class Folder:
    """The two folders. Everything here blocks and may be called from any thread."""

    is_far = False

    def __init__(self, directory: Path, database: Database) -> None:
        self._database = database
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
        return Arrival(self._sink, self._places)

    def _sink(self) -> FileSink:
        return FileSink(self._session / new_uuid())

    def sync(self, *arrivals: Arrival) -> None:
        """The system writes all that it has to the disk, which is less than each file by itself."""
        if not all(arrival.is_small for arrival in arrivals):
            os.sync()

    def keep(self, connection: Connection, *arrivals: Arrival) -> None:
        """Inside the caller's transaction. Each folder is synced once."""
        folders: set[Path] = set()
        for arrival in keep_small(connection, arrivals):
            assert isinstance(arrival.sink, FileSink)
            target = self._path(arrival.content.sha256)
            arrival.sink.place(target)
            folders.add(target.parent)
        for folder in folders:
            sync_folder(folder)

    def open(self, _connection: Connection, _content: int, sha256: bytes, _size: int) -> FileSource:
        """The open file outlives `remove`. Raises FileNotFoundError."""
        return FileSource(os.open(self._path(sha256), os.O_RDONLY | os.O_CLOEXEC))

    def remove(self, _connection: Connection, sha256: bytes, _stored_as: str) -> None:
        """Now: whoever brings the same bytes again waits for the caller's commit, and brings a file of its own."""
        self._path(sha256).unlink(missing_ok=True)

    def recover(self) -> bool:
        """Looks only when somebody has died: going through all files takes a while."""
        if not self._clear_abandoned():
            return False
        for first_byte in range(256):
            with self._database.standstill() as connection:  # or a file may be about to be referred to
                for sha256 in self._hashes(first_byte):
                    if connection.execute("SELECT 1 FROM contents WHERE sha256 = ?", (sha256,)).fetchone() is None:
                        self._path(sha256).unlink(missing_ok=True)
        return True

    def collect(self) -> int:
        """Nothing: what is removed is removed at once."""
        return 0

    def _hashes(self, first_byte: int) -> Iterator[bytes]:
        """Every content whose hash begins with that byte."""
        folder = self._content / f"{first_byte:02x}"
        for path in folder.iterdir():
            with suppress(ValueError):
                yield bytes.fromhex(folder.name + path.name)

    def _clear_abandoned(self) -> int:
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
