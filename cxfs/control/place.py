"""Where a mount's control socket is, and that nobody else can put another one there. Says nothing over it.

The folder is opened once, checked by its descriptor, and the socket is reached through that (`/proc/self/fd/N/NAME`):
whoever swaps the path afterwards gains nothing, and the 108 bytes of sockaddr_un hold a path of any length.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import stat
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from cxfs.core.errors import CxfsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BACKLOG: Final = 16
"""Clients that may wait to be accepted; the daemon accepts within milliseconds."""

_CREDENTIALS: Final = struct.Struct("3i")
"""struct ucred of socket(7): pid, uid, gid."""


class ControlPlaceTrouble(CxfsError):
    """There is no safe place for the socket, or what is there cannot be trusted."""


def socket_path(state_folder: Path, environ: Mapping[str, str] = os.environ) -> Path:
    """Where the daemon of this state folder listens: below `$XDG_RUNTIME_DIR/cxfs`, else in the state folder itself.

    The name tells profiles of one name in different homes apart, so it belongs to whoever holds the folder's lock.
    """
    runtime = Path(environ.get("XDG_RUNTIME_DIR") or "")
    if not runtime.is_absolute() or not _is_private(runtime):
        return state_folder / "control.sock"
    tag = hashlib.sha256(os.fsencode(state_folder.absolute())).hexdigest()[:12]
    return runtime / "cxfs" / f"{state_folder.name}-{tag}.sock"


def _is_private(folder: Path) -> bool:
    """As the XDG specification wants its runtime folder: ours, and nobody else's. `sudo` hands on that of another."""
    try:
        found = folder.stat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077


@contextlib.contextmanager
def listening(path: Path) -> Iterator[socket.socket]:
    """A listening socket there for the block; the caller must hold the lock that makes the name its own.

    What a dead daemon left under the name is replaced. Raises ControlPlaceTrouble.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _listen(listener, path)
        yield listener
    finally:
        listener.close()
        with contextlib.suppress(OSError):
            path.unlink()


def _listen(listener: socket.socket, path: Path) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _opened(path.parent) as folder:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path.name, dir_fd=folder)
            listener.bind(_address(folder, path.name))
            listener.listen(BACKLOG)
    except OSError as error:
        raise ControlPlaceTrouble(f"the control socket {path} cannot be made: {error.strerror}") from error


def connect(path: Path, *, timeout_s: float) -> socket.socket:
    """A connection to the daemon that listens there, which must be this user's own.

    Raises OSError where nobody listens, and ControlPlaceTrouble where somebody else does.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout_s)
        with _opened(path.parent) as folder:
            connection.connect(_address(folder, path.name))
        _require_own(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _require_own(connection: socket.socket, path: Path) -> None:
    if peer_uid(connection) != os.geteuid():
        raise ControlPlaceTrouble(f"{path} is served by another user's program")


class HasOptions(Protocol):
    """A socket of this language or of trio."""

    def getsockopt(self, level: int, option: int, length: int, /) -> bytes:
        """The option's raw bytes."""
        ...


def peer_uid(connection: HasOptions) -> int:
    """The user id of the program at the other end, as the kernel noted it at connect(2) or listen(2)."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(raw)[1])


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        found = os.fstat(descriptor)
        if found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise ControlPlaceTrouble(f"{folder} must belong to you alone: chmod 700 it, or remove it")
        yield descriptor
    finally:
        os.close(descriptor)


def _address(folder: int, name: str) -> str:
    return f"/proc/self/fd/{folder}/{name}"
