"""Reads random 4 KiB blocks of a file, compares each with the original, and prints the seconds so far after each."""

from __future__ import annotations

import os
import random
import sys
import time
from pathlib import Path
from typing import Final

from tests.bench.dataset import SEED

BLOCK_BYTES: Final = 4096


def main(path: Path, original: Path, count: int) -> None:
    """Ends with status 1 at the first wrong block. The clock starts before the file is opened."""
    chance = random.Random(SEED + 2)
    blocks = original.stat().st_size // BLOCK_BYTES
    started = time.monotonic()
    with path.open("rb", buffering=0) as shown, original.open("rb", buffering=0) as right:
        os.posix_fadvise(shown.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
        for _ in range(count):
            offset = chance.randrange(blocks) * BLOCK_BYTES
            read = os.pread(shown.fileno(), BLOCK_BYTES, offset)
            sys.stdout.write(f"{time.monotonic() - started:.6f}\n")
            sys.stdout.flush()
            if read != os.pread(right.fileno(), BLOCK_BYTES, offset):
                sys.exit(f"wrong bytes at {offset}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
