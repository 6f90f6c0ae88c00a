"""Where everything is at this moment: the stacks of all tasks and threads, as text. No values, so no secrets.

A stuck loop cannot tell: then the interpreter itself writes down the threads, from within the signal.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import threading
import time
import traceback
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import trio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

SIGNAL: Final = signal.SIGUSR1

FILE_BYTES_MAX: Final = 4 << 20
"""The file begins anew beyond that: some hundred times all stacks."""

LINE_FRAMES_MAX: Final = 16


def stack_line(frame: FrameType | None) -> str:
    """A stack in one line, the innermost call first: `fs/reader.py:12 read < fs/streams.py:40 fill`."""
    frames: list[str] = []
    while frame is not None and len(frames) < LINE_FRAMES_MAX:
        place = "/".join(Path(frame.f_code.co_filename).parts[-2:])
        frames.append(f"{place}:{frame.f_lineno} {frame.f_code.co_name}")
        frame = frame.f_back
    return " < ".join(frames)


def all_stacks() -> str:
    """Of every task of the loop that this is called in, as a tree, and of every thread."""
    root = trio.lowlevel.current_root_task()
    tasks = [] if root is None else list(_tree(root, 0))
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    threads = [
        f"thread {names.get(ident, ident)}\n" + "".join(traceback.format_stack(frame))
        for ident, frame in sys._current_frames().items()  # noqa: SLF001 - documented, and the only way
    ]
    return "\n".join([*tasks, *threads])


def _tree(task: trio.lowlevel.Task, depth: int) -> Iterator[str]:
    margin = "  " * depth
    frames = traceback.StackSummary.extract(task.iter_await_frames())
    yield f"{margin}task {task.name}\n" + "".join(margin + line for line in frames.format())
    for nursery in task.child_nurseries:
        for child in nursery.child_tasks:
            yield from _tree(child, depth + 1)


class StackFile:
    """The file, of mode 0600, that stacks are written to; kept open. `hide` takes secrets out of a text."""

    def __init__(self, path: Path, *, hide: Callable[[str], str] = str) -> None:
        self.path = path
        self._hide = hide
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    @contextmanager
    def on_signal(self) -> Iterator[None]:
        """For the block, SIGUSR1 writes the threads at once, whatever the loop does.

        Whoever else takes the signal at the beginning of the block is told of it too.
        """
        faulthandler.register(SIGNAL, file=self._descriptor, all_threads=True, chain=True)
        try:
            yield
        finally:
            faulthandler.unregister(SIGNAL)

    def write(self) -> None:
        """Adds all stacks. Call it in the loop. Raises OSError."""
        if os.fstat(self._descriptor).st_size > FILE_BYTES_MAX:
            os.ftruncate(self._descriptor, 0)
        when = time.strftime("%Y-%m-%d %H:%M:%S")
        os.write(self._descriptor, self._hide(f"\n==== {when}, process {os.getpid()}\n{all_stacks()}\n").encode())

    def close(self) -> None:
        """The file stays."""
        os.close(self._descriptor)
