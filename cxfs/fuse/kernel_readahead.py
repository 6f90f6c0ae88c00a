"""How far the kernel reads ahead in a mount, raised where this process may. What is fetched ahead is not its matter.

128 KiB at a time is what a mount gets. Only root may ask for more, through a file of the system; who is not stays with
that, and pays some 15 % more processor time for reading a large file.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cxfs.fuse.mounting import MOUNT_TABLE, mounted_at

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

READ_AHEAD_KIB: Final = 512
"""A quarter of the requests. With more, one who jumps about in a mapped file is given too much around each page."""

SETTINGS: Final = Path("/sys/class/bdi")
"""Where the kernel shows what each device reads ahead."""


def read_further(
    mountpoint: Path,
    *,
    table: Path = MOUNT_TABLE,
    settings: Path = SETTINGS,
    agreed: Callable[[Path], object] = os.statvfs,
) -> None:
    """Raises it. For a thread: it waits until the mount answers, since only then the kernel has set it, for itself.

    The daemon answers statvfs(2) from memory, whatever the network is like.
    """
    try:
        agreed(mountpoint)
        mounted = mounted_at(mountpoint, table)
        if mounted is None or not mounted.is_ours:
            return
        setting = settings / mounted.device / "read_ahead_kb"
        if int(setting.read_text()) < READ_AHEAD_KIB:
            setting.write_text(f"{READ_AHEAD_KIB}\n")
    except OSError as error:
        log.debug("the kernel reads ahead as far as it does by itself: %s", error.strerror)
