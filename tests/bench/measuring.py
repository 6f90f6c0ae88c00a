"""Times a command, stops it at its cap and says how long it would have taken. Knows no peer and no workload."""

from __future__ import annotations

import contextlib
import hashlib
import os
import select
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.bench.results import Measure

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_ENVIRONMENT: Final = {"LC_ALL": "C", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"}
_KILLED_S: Final = 20.0


@dataclass(frozen=True)
class Ran:
    """How a command went: `capped` when it was stopped, else its status; and all it said."""

    seconds: float
    capped: bool
    status: int | None
    said: str


def run(command: str, cap_s: float, folder: Path | None = None) -> Ran:
    """The command by the shell, killed with its children at the cap or when this process is told to end."""
    with tempfile.TemporaryFile(dir="/dev/shm") as output:
        started = time.monotonic()
        process = subprocess.Popen(
            command, shell=True, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            start_new_session=True, cwd=folder, env=os.environ | _ENVIRONMENT,
        )  # fmt: skip
        capped = True
        try:
            capped = not _ended(process.pid, cap_s)
            seconds = time.monotonic() - started
        finally:
            if capped:
                os.killpg(process.pid, signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_KILLED_S)
        output.seek(0)
        return Ran(seconds, capped, process.returncode, output.read().decode("utf-8", "replace"))


def _ended(pid: int, within_s: float) -> bool:
    """`Popen.wait` with a timeout looks every 50 ms; this is told at once."""
    descriptor = os.pidfd_open(pid)
    try:
        return bool(select.select([descriptor], [], [], within_s)[0])
    finally:
        os.close(descriptor)


def measured(
    ran: Ran, *, counted: Callable[[str], int] | None = None, total: int = 0, accepted: tuple[int, ...] = (0,)
) -> Measure:
    """The row of a command. `counted` reads from what it said how much of `total` was done."""
    if not ran.capped and ran.status not in accepted:
        return Measure(error=f"status {ran.status}: {ran.said[-300:].strip()}")
    if counted is None:
        return Measure(None if ran.capped else ran.seconds, capped=ran.capped)
    done = counted(ran.said)
    seconds = extrapolated(ran.seconds, done, total) if ran.capped else ran.seconds
    return Measure(seconds, capped=ran.capped, done=done, total=total)


def extrapolated(seconds: float, done: int, total: int) -> float | None:
    """How long all of it would take at the pace so far; None when nothing is done yet."""
    return seconds * total / done if done else None


def lines(said: str) -> int:
    """How many a program has printed."""
    return said.count("\n")


def yardstick() -> Measure:
    """Fixed work without a file system: 256 MiB hashed, 512 MiB through a socket. Shows how steady the machine is."""
    started, block = time.monotonic(), bytes(1 << 20)
    digest = hashlib.sha256()
    for _ in range(256):
        digest.update(block)
    near, far = socket.socketpair()
    with far:
        pid = os.fork()
        if not pid:
            far.close()
            with contextlib.suppress(OSError):
                for _ in range(512):
                    near.sendall(block)
            os._exit(0)
        near.close()
        while far.recv(1 << 20):
            pass
        os.waitpid(pid, 0)
    return Measure(time.monotonic() - started)
