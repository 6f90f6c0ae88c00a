"""The nouns of the command line's tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.terminal import Terminal

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """A terminal in an empty home."""
    home = tmp_path / "home"
    home.mkdir()
    return Terminal(home)
