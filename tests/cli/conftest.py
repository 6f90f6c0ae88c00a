"""The nouns of the command line's tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.daemons import SpokenDaemon
from tests.cli.terminal import QuickTerminal, Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Empty."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def terminal(home: Path) -> Terminal:
    """A terminal in an empty home."""
    return Terminal(home)


@pytest.fixture
def quick(home: Path) -> QuickTerminal:
    """The same one, in this process."""
    return QuickTerminal(home)


@pytest.fixture
def daemon(quick: QuickTerminal) -> Iterator[SpokenDaemon]:
    """The daemon of the only profile, `home`, mounted at ~/mnt: a folder like any other."""
    quick.configure('[profiles.home]\napi_url = "https://127.0.0.1:1"\n')
    mountpoint = quick.home / "mnt"
    mountpoint.mkdir()
    with SpokenDaemon(quick.home / ".local/state/cxfs/home", mountpoint) as daemon:
        yield daemon
