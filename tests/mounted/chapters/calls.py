"""Calls that Python has not, or not in one step, by names that the standard gives them. Proves nothing by itself."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RENAME_NOREPLACE: Final = 1
RENAME_EXCHANGE: Final = 2
RENAME_WHITEOUT: Final = 4

UTIME_NOW: Final = (1 << 30) - 1
UTIME_OMIT: Final = (1 << 30) - 2

_AT_FDCWD: Final = -100
_LIBRARY: Final = ctypes.CDLL(None, use_errno=True)


def renameat2(old: Path | str, new: Path | str, flags: int) -> None:
    """A rename with flags."""
    if _LIBRARY.renameat2(_AT_FDCWD, os.fsencode(old), _AT_FDCWD, os.fsencode(new), flags):
        raise _failure(old)


def utimensat(path: Path | str, *, accessed: int, modified: int) -> None:
    """Each time is UTIME_NOW or UTIME_OMIT."""
    times = (ctypes.c_long * 4)(0, accessed, 0, modified)
    if _LIBRARY.utimensat(_AT_FDCWD, os.fsencode(path), times, 0):
        raise _failure(path)


def fallocate(descriptor: int, mode: int, offset: int, length: int) -> None:
    """Reserves room, or gives it back, by the system call itself."""
    if _LIBRARY.fallocate(descriptor, mode, ctypes.c_long(offset), ctypes.c_long(length)):
        raise _failure(None)


def getxattr_into(path: Path | str, name: str, *, room: int) -> int:
    """The length of an extended attribute that fits into so many bytes; of any, where there is room for none."""
    length = int(_LIBRARY.getxattr(os.fsencode(path), name.encode(), ctypes.create_string_buffer(room + 1), room))
    if length < 0:
        raise _failure(path)
    return length


def creat(path: Path | str, content: bytes = b"", mode: int = 0o644) -> None:
    """A new file with this content; fails where something is there."""
    with opened(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode) as descriptor:
        os.write(descriptor, content)


def open_close(path: Path | str, flags: int, mode: int = 0o644) -> None:
    """Only whether it can be opened."""
    with opened(path, flags, mode):
        pass


def read_all(path: Path | str) -> bytes:
    """What a file holds."""
    with opened(path, os.O_RDONLY) as descriptor:
        return os.read(descriptor, 1 << 20)


def tree_in(folder: Path) -> dict[str, bytes | str]:
    """Every path below a folder with the content of the file, or what else it is."""
    return {path.relative_to(folder).as_posix(): _content_of(path) for path in folder.rglob("*")}


def _content_of(path: Path) -> bytes | str:
    if path.is_symlink():
        return f"link to {path.readlink()}"
    return "folder" if path.is_dir() else path.read_bytes()


def mode_of(path: Path | str) -> int:
    """The permission bits, of a link itself."""
    return os.lstat(path).st_mode & 0o7777


@contextlib.contextmanager
def opened(path: Path | str, flags: int, mode: int = 0o644) -> Iterator[int]:
    """A descriptor, closed at the end."""
    descriptor = os.open(path, flags, mode)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def fails(*expected: int) -> Iterator[None]:
    """What is done in the block fails with one of these errors; another one goes on."""
    try:
        yield
    except OSError as error:
        if error.errno not in expected:
            error.add_note(f"expected {' or '.join(errno.errorcode[each] for each in expected)}")
            raise
    else:
        pytest.fail(f"it succeeded, and not with {' or '.join(errno.errorcode[each] for each in expected)}")


def _failure(path: Path | str | None) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), None if path is None else str(path))


def write_into(path: Path | str, content: bytes) -> None:
    """The first bytes of a file that is there."""
    with opened(path, os.O_WRONLY) as descriptor:
        os.write(descriptor, content)
