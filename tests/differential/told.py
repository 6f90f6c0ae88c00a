"""What is said of files so that two can be compared: short, and only what a mount promises."""

from __future__ import annotations

import hashlib
import stat
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import os

RECENT_S: Final = 365 * 86400
"""Times of the last year are those of calls: they differ by what the calls took. What a program sets is older."""


def told(status: os.stat_result) -> str:
    """What is promised of it. Of folders neither size nor number of names is."""
    size = "" if stat.S_ISDIR(status.st_mode) else f" {status.st_size} bytes {status.st_nlink} names"
    when = "now" if status.st_mtime > time.time() - RECENT_S else f"{status.st_mtime_ns}"
    return f"{stat.filemode(status.st_mode)} {status.st_uid}:{status.st_gid}{size} of {when}"


def summary(content: bytes) -> str:
    """Short, and its own."""
    return f"{len(content)} bytes {hashlib.sha256(content).hexdigest()[:8]}" if content else "nothing"
