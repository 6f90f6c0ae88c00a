"""Gives a part of a file back to the disk, by a hole, also while somebody has it open. Knows no file of ours."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cxfs.core.ranges import ByteRange

_KEEP_SIZE: Final = 0x01
_PUNCH_HOLE: Final = 0x02
"""FALLOC_FL_* of fallocate(2); the system knows one only with the other."""


def _fallocate() -> ctypes._NamedFuncPointer | None:
    library = ctypes.CDLL(None)
    found = getattr(library, "fallocate64", None) or getattr(library, "fallocate", None)
    if found is not None:
        found.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
        found.restype = ctypes.c_int
    return found


_CALL: Final = _fallocate()


def punch(descriptor: int, stretch: ByteRange) -> bool:
    """Whether these bytes, and no others, are zeros now that take no room; False where the file system cannot."""
    return _CALL is not None and _CALL(descriptor, _KEEP_SIZE | _PUNCH_HOLE, stretch.start, stretch.length) == 0
