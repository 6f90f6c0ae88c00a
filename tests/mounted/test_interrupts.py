"""Programs that wait for a server which says nothing any more, and are told to end."""

from __future__ import annotations

import signal
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.faults import Faults, behind, proxy_beside
from tests.mounting import Mount, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.mounting import Account, CountingServer

OPTIONS: Final = ("--metadata-deadline", "60", "--data-deadline", "60", "--sync", "remote")
"""Deadlines far beyond what freeing a program may take, on however busy a machine."""

FREED_S: Final = 20.0

BEGIN: Final = "import os, sys\nmount = sys.argv[1]\nprint('ready', flush=True)\nsys.stdin.readline()\n"

CALLS: Final = {
    "a listing": "os.listdir(mount + '/listed')",
    "a name": "os.stat(mount + '/searched/file')",
    "a buffered read": "open(mount + '/buffered', 'rb').read(1)",
    "a direct read": "os.read(os.open(mount + '/direct', os.O_RDONLY | os.O_DIRECT), 4096)",
    "a close that waits for the server": "file = open(mount + '/closed', 'w'); file.write('x'); file.close()",
    "an fsync that waits for the server": "os.fsync(os.open(mount + '/synced', os.O_CREAT | os.O_WRONLY))",
}


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def listed_mount(
    running_server: CountingServer, own_account: Account, faults: Faults, tmp_path: Path
) -> Iterator[Mount]:
    """A mount of which the root is known, and nothing in it."""
    for name in ("/listed", "/searched"):
        own_account.make_folder(name)
    for name in ("/buffered", "/direct"):
        own_account.put(name, b"x" * (4 << 20))
    with (
        proxy_beside(faults, running_server) as proxy,
        Mount(behind(proxy, own_account), tmp_path / "home", *OPTIONS) as mount,
    ):
        mount.run("ls", mount.path)
        yield mount
        faults.opens()


def is_waiting(process: subprocess.Popen[str]) -> bool:
    """Whether it does nothing, and has not for a while."""
    states = []
    for _ in range(5):
        time.sleep(0.05)
        states.append(Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0])
    return set(states) <= {"S", "D"}


@pytest.mark.promise
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill"])
def test_a_program_that_waits_for_the_network_can_be_ended(
    listed_mount: Mount, faults: Faults, number: signal.Signals
) -> None:
    """Ctrl-C or a kill frees a program that waits for the server within two seconds, whatever the deadlines are."""
    with ExitStack() as stack:
        programs = [stack.enter_context(listed_mount.spawn(BEGIN + call, listed_mount.path)) for call in CALLS.values()]
        for program in programs:
            assert program.stdout is not None
            assert program.stdout.readline() == "ready\n"
        faults.goes_silent()
        for program in programs:
            assert program.stdin is not None
            program.stdin.write("\n")
            program.stdin.flush()
        for program in programs:
            wait_until(lambda program=program: is_waiting(program))  # type: ignore[misc]
            program.send_signal(number)
        endings = [ending_of(program, listed_mount) for program in programs]

    assert dict(zip(CALLS, endings, strict=True)) == dict.fromkeys(CALLS, -number)


def ending_of(program: subprocess.Popen[str], mount: Mount) -> int | str:
    """The exit status; one that hangs is ended with its mount."""
    try:
        return program.wait(FREED_S)
    except subprocess.TimeoutExpired:
        mount.kill()
        program.kill()
        return "hung"
