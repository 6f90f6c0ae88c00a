"""The unit that runs a mount in a user's session: what it calls is there, and what it counts on is so."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from cxfs.cli.exits import Exit

if TYPE_CHECKING:
    from tests.cli.terminal import Terminal

UNIT: Final = Path(__file__).parents[2] / "systemd/cxfs@.service"

SETTLED: Final = {
    Exit.USAGE, Exit.CONFIG, Exit.SIGNED_OUT, Exit.NO_FUSE, Exit.MOUNT_POINT, Exit.ALREADY_MOUNTED,
}  # fmt: skip
"""What is the same after a restart; a server that does not answer is not."""


def words(key: str) -> list[str]:
    """What the unit says there."""
    [line] = [line for line in UNIT.read_text().splitlines() if line.startswith(f"{key}=")]
    return shlex.split(line.partition("=")[2])


@pytest.mark.parametrize("key", ["ExecStart", "ExecStopPost"])
def test_every_option_of_its_commands_is_one_of_ours(key: str, terminal: Terminal) -> None:
    """A unit that is wrong is found at the worst of times."""
    env, program, command, *rest = words(key)
    known = terminal.cxfs(command, "--help").out

    assert (env, program) == ("/usr/bin/env", "cxfs")
    assert [each for each in rest if each.startswith("--") and each not in known] == []


def test_it_does_not_restart_what_a_restart_does_not_mend() -> None:
    """A mount that is signed out would be restarted for ever."""
    assert {Exit(int(number)) for number in words("RestartPreventExitStatus")} == SETTLED
    assert words("SuccessExitStatus") == [str(int(Exit.UPLOADS_LEFT))]
    assert words("Type") == ["notify"]
