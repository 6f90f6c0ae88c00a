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

_AT_FDCWD: Final = -100
_LIBRARY: Final = ctypes.CDLL(None, use_errno=True)


def renameat2(old: Path | str, new: Path | str, flags: int) -> None:
    """A rename with flags."""
    if _LIBRARY.renameat2(_AT_FDCWD, os.fsencode(old), _AT_FDCWD, os.fsencode(new), flags):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(old), None, str(new))


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
    """What is done in the block fails with one of these errors."""
    with pytest.raises(OSError) as failed:  # noqa: PT011 - which one it is, is what is looked at
        yield
    number = failed.value.errno or 0
    names = " or ".join(errno.errorcode[each] for each in expected)
    assert number in expected, f"failed with {errno.errorcode[number]}, not {names}: {failed.value}"
