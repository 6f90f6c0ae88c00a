"""The local side of a comparison."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def local() -> Iterator[Path]:
    """A folder in memory, where that keeps extended attributes (Linux 6.6)."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if _keeps_attributes("/dev/shm") else None) as folder:
        yield Path(folder)


def _keeps_attributes(folder: str) -> bool:
    try:
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            os.setxattr(file.name, "user.kept", b"")
    except OSError:
        return False
    return True
