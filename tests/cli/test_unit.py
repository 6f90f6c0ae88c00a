"""The unit that runs a mount in a user's session: what it calls is there."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest

from cxfs import units

if TYPE_CHECKING:
    from tests.cli.terminal import Terminal


@pytest.mark.parametrize("key", ["ExecStart", "ExecStopPost"])
def test_every_option_of_its_commands_is_one_of_ours(key: str, terminal: Terminal) -> None:
    """A unit that is wrong is found at the worst of times."""
    [line] = [line for line in units.text_of(units.FOR_A_PERSON).splitlines() if line.startswith(f"{key}=")]
    program, command, *rest = shlex.split(line.partition("=")[2].removeprefix("-"))

    known = terminal.cxfs(command, "--help").out

    assert program == "cxfs"
    assert [each for each in rest if each.startswith("--") and each not in known] == []
