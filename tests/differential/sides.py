"""The two sides of a comparison, each a program at work: one in a mount, one in a folder of this machine.

Plays stories on both and tells what came out differently. Between two steps the mount may get another daemon, or have
its cache emptied; the local side has nothing of that.
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from itertools import count, groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cxfs.control.client import ControlClient
from cxfs.control.place import socket_path
from tests.differential.steps import Step, Story, line_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.mounting import Mount

ROOT: Final = Path(__file__).parent.parent.parent
START: Final = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from tests.differential.performer import main; "
APART: Final = {"remount", "evict"}
"""Steps that are done to the mount, and not by a program in it."""


class Side:
    """A performer that is told what to do."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, command: str, argument: Any = None) -> Any:
        """What it answers."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([command, argument]) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, f"a program broke off at {command} {argument}"
        return json.loads(answer)


class Sides:
    """A mount and a local folder, side by side."""

    def __init__(self, mount: Mount, here: Side, there: Side) -> None:
        self._mount = mount
        self._local = here
        self._mounted = there
        self._sides = (here, there)
        self._numbers = count(1)
        self.stories: list[str] = []
        self.steps = 0

    def differences(self, story: Story) -> list[str]:
        """Between what came of the steps, and of the folder in the end; those after the first follow from it."""
        folder = f"story-{next(self._numbers)}"
        for side in self._sides:
            side.ask("begin", folder)
        self.stories.append(folder)
        try:
            return self._played(story) or self.tree_differences(folder)
        finally:
            for side in self._sides:
                side.ask("end")

    def _played(self, story: Story) -> list[str]:
        for is_apart, group in groupby(story, key=lambda step: step.what in APART):
            steps = list(group)
            self.steps += len(steps)
            if is_apart:
                for step in steps:
                    getattr(self, step.what)()
                continue
            import os, time

            if os.environ.get("SLOW"):
                local, mounted = [], []
                for step in steps:
                    local += self._local.ask("perform", line_of([step]))
                    began = time.monotonic()
                    mounted += self._mounted.ask("perform", line_of([step]))
                    if time.monotonic() - began > 0.1:
                        print(f"{time.monotonic() - began:.2f}", step, mounted[-1])
            else:
                local, mounted = [side.ask("perform", line_of(steps)) for side in self._sides]
            for step, expected, found in zip(steps, local, mounted, strict=True):
                if expected != found:
                    return [f"{step}: {expected} locally, {found} in the mount"]
        return []

    def tree_differences(self, folder: str) -> list[str]:
        """In what a story left."""
        local, mounted = [side.ask("tree", folder) for side in self._sides]
        return [
            f"{path} is {local.get(path, 'absent')} locally, {mounted.get(path, 'absent')} in the mount"
            for path in sorted(local.keys() | mounted.keys())
            if local.get(path) != mounted.get(path)
        ]

    def remount(self) -> None:
        """Another daemon, which knows what the server and its state folder tell. Nothing is open afterwards."""
        for side in self._sides:
            side.ask("end")
        self._mount.remount()
        for side in self._sides:
            side.ask("remounted")

    def evict(self) -> None:
        """The cache of content is emptied, of what nobody has open."""
        with ControlClient(socket_path(self._mount.state_folder)) as control:
            control.ask("clear-cache")


@contextmanager
def beside(mount: Mount, local: Path) -> Iterator[Sides]:
    """The mount, and this folder."""
    start = START + "main(*sys.argv[1:])"
    with mount.spawn(start, mount.path, "mount") as there, local_program(start, local) as here:
        yield Sides(mount, Side(here), Side(there))


def local_program(program: str, folder: Path) -> subprocess.Popen[str]:
    """A program whose input and output are piped."""
    return subprocess.Popen(
        [sys.executable, "-c", program, str(folder), "local"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
