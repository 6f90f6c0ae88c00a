"""Files that only their owner can read: read with a look at who else could, written whole or not at all.

Knows nothing of what is in them.
"""

from __future__ import annotations

import os
import shlex
import stat
from typing import TYPE_CHECKING, Final

from cxfs.credentials.secret import CredentialsError
from cxfs.local.replacing import replace

if TYPE_CHECKING:
    from pathlib import Path

BYTES_MAX: Final = 64 << 10
"""What is read of a file in search of a secret."""


def is_there(path: Path) -> bool:
    """Whether something is at the path, or may be: what cannot be looked at, `read` says why."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def read(path: Path, *, guarded: bool = False) -> str:
    """The file's text, if nobody else can read it. Raises CredentialsError.

    Checked on the opened file, so that it cannot be swapped between. `guarded`: somebody else answers for who can reach
    it (systemd), so its mode says nothing.
    """
    try:
        # Not blocking: a FIFO put in its place must not hang the mount.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise CredentialsError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise CredentialsError(f"{path}: holds no secret: it is no regular file")
        if not guarded:
            _check_private(status, path)
        return os.read(descriptor, BYTES_MAX).decode("utf-8", errors="replace")
    except OSError as error:
        raise CredentialsError(f"{path}: cannot be read: {error.strerror}") from error
    finally:
        os.close(descriptor)


def _check_private(status: os.stat_result, path: Path) -> None:
    if status.st_uid not in {os.geteuid(), 0}:
        raise CredentialsError(f"{path}: belongs to another user: copy it and chmod 600 the copy")
    if status.st_mode & 0o077:
        mode = "700" if stat.S_ISDIR(status.st_mode) else "600"
        raise CredentialsError(f"{path}: others can reach what is secret: chmod {mode} {shlex.quote(str(path))}")


def check_folder(folder: Path) -> None:
    """Raises CredentialsError for a folder that others can enter; one that is not there yet passes."""
    try:
        status = folder.stat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise CredentialsError(f"{folder}: cannot be looked into: {error.strerror}") from error
    _check_private(status, folder)


def write(path: Path, text: str) -> None:
    """Replaces the file by one with this text (0600, its folder 0700), on stable storage when this returns.

    Raises CredentialsError.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        check_folder(path.parent)
        replace(path, text, mode=0o600)
    except OSError as error:
        raise CredentialsError(f"{path}: cannot be written: {error.strerror}") from error


def remove(path: Path) -> bool:
    """Whether there was something to remove. Raises CredentialsError."""
    try:
        path.unlink()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise CredentialsError(f"{path}: cannot be removed: {error.strerror}") from error
    return True
