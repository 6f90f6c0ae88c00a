"""Where everything is: tasks, threads, and what a signal writes."""

from __future__ import annotations

import os
import signal
import stat
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import trio
import trio.testing

from cxfs.upkeep.stacks import FILE_BYTES_MAX, LINE_FRAMES_MAX, StackFile, all_stacks, stack_line
from cxfs.upkeep.vigil import vigil
from tests.mounting import wait_until

if TYPE_CHECKING:
    from pathlib import Path


async def waits_for_nothing() -> None:
    """A task that a test looks for."""
    await trio.sleep_forever()


async def test_every_task_and_thread_is_told_where_it_is() -> None:
    """The task that waits, the test that asks, and the thread that runs both."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(waits_for_nothing)
        await trio.testing.wait_all_tasks_blocked()
        told = all_stacks()
        nursery.cancel_scope.cancel()

    assert "waits_for_nothing\n" in told
    assert "await trio.sleep_forever()" in told
    assert "thread MainThread" in told


async def test_no_value_is_told() -> None:
    """Lines of the program only: what is in its variables may be a secret."""
    token = "s3cr" + "3t"

    told = all_stacks()

    assert token not in told


def test_a_line_of_a_stack_is_bounded() -> None:
    """A recursion would fill the log."""

    def deep(left: int) -> str:
        return deep(left - 1) if left else stack_line(sys._getframe())

    line = deep(100)

    assert line.count(" < ") == LINE_FRAMES_MAX - 1
    assert line.startswith("upkeep/test_stacks.py:")


async def test_the_signal_writes_all_stacks_into_a_private_file(tmp_path: Path) -> None:
    """Threads by the interpreter itself, tasks by the loop; what is known for a secret is hidden."""
    file = tmp_path / "state" / "stacks.log"

    with vigil(tmp_path / "state", hide=lambda text: text.replace("waits_for_nothing", "***")) as watch:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch.write_stacks_when_asked)
            nursery.start_soon(waits_for_nothing)
            await trio.testing.wait_all_tasks_blocked()
            os.kill(os.getpid(), signal.SIGUSR1)
            await trio.to_thread.run_sync(wait_until, lambda: "thread MainThread" in file.read_text())
            nursery.cancel_scope.cancel()

    told = file.read_text()
    assert "Current thread" in told
    assert "await trio.sleep_forever()" in told
    assert "waits_for_nothing" not in told.partition("====")[2]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_a_loop_that_stands_still_is_told_of_too(tmp_path: Path) -> None:
    """That is when it is wanted most."""
    file = tmp_path / "stacks.log"
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # for after

    with closing(StackFile(file)) as stacks, trio.open_signal_receiver(signal.SIGUSR1), stacks.on_signal():
        os.kill(os.getpid(), signal.SIGUSR1)
        wait_until(lambda: "test_a_loop_that_stands_still" in file.read_text())  # the loop does not run meanwhile


async def test_before_and_after_the_signal_harms_nobody(tmp_path: Path) -> None:
    """By itself it ends a process."""
    with vigil(tmp_path, hide=str):
        os.kill(os.getpid(), signal.SIGUSR1)
    os.kill(os.getpid(), signal.SIGUSR1)

    assert (tmp_path / "stacks.log").read_text() == ""


async def test_the_file_begins_anew_when_it_is_large(tmp_path: Path) -> None:
    """A signal a second fills no disk."""
    file = tmp_path / "stacks.log"
    file.write_bytes(bytes(FILE_BYTES_MAX + 1))

    with closing(StackFile(file)) as stacks:
        stacks.write()

    assert 0 < file.stat().st_size < FILE_BYTES_MAX
