"""Runs of the exerciser in a mount: starts the program, and does beside it what no program in a mount can do."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cxfs.control.client import ControlClient
from cxfs.control.place import socket_path

if TYPE_CHECKING:
    from tests.mounting import Mount

ROOT: Final = Path(__file__).parent.parent.parent
PROGRAM: Final = (
    f"import sys; sys.path.insert(0, {str(ROOT)!r}); from tests.exerciser.program import main; main(*sys.argv[1:])"
)


@dataclass(frozen=True)
class Exercised:
    """What came of a run: how often each kind of operation was done, and what was wrong, empty where nothing was."""

    done: Counter[str]
    wrong: str


def exercised(mount: Mount, *, seed: int, operations: int, remount_every: int) -> Exercised:
    """One run, on a new file in the mount."""
    with mount.spawn(PROGRAM, mount.path / "exercised", str(seed), str(operations), str(remount_every)) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        for line in program.stdout:
            if line.startswith("{"):
                told = json.loads(line)
                return Exercised(Counter(told["done"]), told["wrong"])
            beside(mount, line.strip())
            program.stdin.write("done\n")
            program.stdin.flush()
    return Exercised(Counter(), f"seed {seed}: the program broke off\n{mount.log()}")


def beside(mount: Mount, what: str) -> None:
    """`evict`: the cache of content is emptied. `remount`: another daemon."""
    if what == "remount":
        mount.remount()
        return
    with ControlClient(socket_path(mount.state_folder)) as control:
        control.ask("clear-cache")
