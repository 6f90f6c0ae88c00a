"""The two sides of a comparison: programs at work in a mount, and as many in a folder of this machine.

Plays stories on both and tells what came out differently. Between two steps the mount may get another daemon, or have
its cache emptied; the local side has nothing of that.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack, contextmanager
from itertools import count, groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cxfs.control.client import ControlClient
from cxfs.control.place import socket_path
from tests.conformance.report import Row
from tests.differential.steps import Story, line_of
from tests.shortening import shortened

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.mounting import Mount

ROOT: Final = Path(__file__).parent.parent.parent
START: Final = (
    f"import sys; sys.path.insert(0, {str(ROOT)!r}); from tests.differential.performer import main; main(*sys.argv[1:])"
)
TRIALS_MAX: Final = 100
APART: Final = {"remount", "evict"}
"""Steps that are done to the mount, and not by a program in it."""


class Program:
    """A performer that is told what to do."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._input, self._output = process.stdin, process.stdout

    def ask(self, command: str, argument: Any = None) -> Any:
        """What it answers."""
        self.tell(command, argument)
        return self.answer()

    def tell(self, command: str, argument: Any = None) -> None:
        """It begins with that."""
        self._input.write(json.dumps([command, argument]) + "\n")
        self._input.flush()

    def answer(self) -> Any:
        """To the command that it was told before."""
        line = self._output.readline()
        assert line, "a program broke off"
        return json.loads(line)


class Sides:
    """A mount and a local folder, with as many programs in each."""

    def __init__(self, mount: Mount, local: Sequence[Program], mounted: Sequence[Program]) -> None:
        self._mount = mount
        self._local = local
        self._mounted = mounted
        self._numbers = count(1)
        self.folders: list[str] = []
        """Of the stories so far."""
        self._steps = 0

    def row(self, chapter: str) -> Row:
        """Of the steps since it was last asked for: those that ended as a local folder has it by itself have passed."""
        ruled: Counter[str] = Counter()
        for program in self._local:
            ruled.update(program.ask("counts"))
        steps, self._steps = self._steps, 0
        explained = [sentence for sentence, count in ruled.items() if count]
        return Row(chapter, steps, steps - ruled.total(), sorted(explained))

    def differences(self, *stories: Story, folder: str = "") -> list[str]:
        """Between what came of the steps, and of the folder in the end; those after the first follow from it.

        A story for each program, all at the same time in one folder: a new one, or one in which others were played.
        """
        folder = folder or f"story-{next(self._numbers)}"
        self.folders += [] if folder in self.folders else [folder]
        for programs in (self._local, self._mounted):
            for program in programs[: len(stories)]:
                program.ask("begin", folder)
        try:
            return self._played(stories) or self.tree_differences(folder)
        finally:
            self._close_all()

    def difference(self, story: Story, *, folder: str = "") -> str:
        """What is different, and the shortest way found that leads there; nothing where both sides are the same."""
        found = self.differences(story, folder=folder)
        if not found:
            return ""
        shortest = shortened(story, lambda less: _kinds(self.differences(less)) == _kinds(found), trials_max=TRIALS_MAX)
        return "\n".join([*found, "by", *map(repr, shortest)])

    def _played(self, stories: Sequence[Story]) -> list[str]:
        if len(stories) == 1:
            for is_apart, group in groupby(stories[0], key=lambda step: step.what in APART):
                steps = list(group)
                if is_apart:
                    for step in steps:
                        getattr(self, step.what)()
                elif found := self._compared([steps]):
                    return found
            return []
        return self._compared(stories)

    def _compared(self, stories: Sequence[Story]) -> list[str]:
        self._steps += sum(map(len, stories))
        local, mounted = self._outcomes(self._local, stories), self._outcomes(self._mounted, stories)
        return [
            f"{step}: {expected} locally, {found} in the mount"
            for story, *outcomes in zip(stories, local, mounted, strict=True)
            for step, expected, found in zip(story, *outcomes, strict=True)
            if expected != found
        ][:1]

    @staticmethod
    def _outcomes(programs: Sequence[Program], stories: Sequence[Story]) -> list[list[str]]:
        for program, story in zip(programs, stories, strict=False):
            program.tell("perform", line_of(story))
        return [program.answer() for program in programs[: len(stories)]]

    def tree_differences(self, *folders: str) -> list[str]:
        """In what stories left."""
        found = []
        for folder in folders:
            local, mounted = self._local[0].ask("tree", folder), self._mounted[0].ask("tree", folder)
            found += [
                f"{folder}/{path} is {local.get(path, 'absent')} locally, {mounted.get(path, 'absent')} in the mount"
                for path in sorted(local.keys() | mounted.keys())
                if local.get(path) != mounted.get(path)
            ]
        return found

    def _close_all(self) -> None:
        for program in (*self._local, *self._mounted):
            program.ask("end")

    def remount(self) -> None:
        """Another daemon, which knows what the server and its state folder tell. Nothing is open afterwards."""
        self._close_all()
        self._mount.remount()

    def evict(self) -> None:
        """The cache of content is emptied, of what nobody has open."""
        with ControlClient(socket_path(self._mount.state_folder)) as control:
            control.ask("clear-cache")


def _kinds(differences: Sequence[str]) -> list[str]:
    """What differs, without numbers."""
    return [re.sub(r"[0-9a-f]*\d[0-9a-f]*", "", each) for each in differences[:1]]


@contextmanager
def beside(mount: Mount, local: Path, *, programs: int = 1) -> Iterator[Sides]:
    """The mount, and this folder, with so many programs in each."""
    with ExitStack() as stack:
        there = [stack.enter_context(mount.spawn(START, mount.path, "mount")) for _ in range(programs)]
        here = [stack.enter_context(_local_program(local)) for _ in range(programs)]
        yield Sides(mount, [Program(each) for each in here], [Program(each) for each in there])


def _local_program(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", START, str(folder), "local"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
