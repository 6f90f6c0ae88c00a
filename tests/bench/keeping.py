"""Keeps the files of a folder in the page cache by mapping them: a cold mount shall not time the server's disk."""

from __future__ import annotations

import mmap
import os
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

PASSING: Final = ("doomed", "work")
"""What the write workloads remove and make."""


def mapped(folder: Path) -> list[mmap.mmap]:
    """Mappings of all files below the folder, each page of them read once."""
    maps = []
    for base, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(PASSING)]
        for path in (Path(base, name) for name in names):
            with suppress(FileNotFoundError):  # a server at work may have passing files
                if path.stat().st_size:
                    with path.open("rb") as file:
                        maps.append(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ))
                    _ = maps[-1][:: mmap.PAGESIZE]
    return maps


def main(folder: Path) -> None:
    """Says `kept` when it has them, and holds them until the process is ended."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # each mapping keeps a descriptor
    maps = mapped(folder)
    sys.stdout.write(f"kept {len(maps)}\n")
    sys.stdout.flush()
    signal.pause()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
