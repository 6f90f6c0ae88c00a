"""Processes that a trial starts: found by a mark in their environment, counted, and ended with all their children.

The mark is what makes sure of the end: a daemon that has left its parent still carries it.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MARK: Final = "CXFS_BENCH_MARK"
PROJECT: Final = Path(__file__).parent.parent.parent

_TICKS_A_SECOND: Final = os.sysconf("SC_CLK_TCK")
_GRACE_S: Final = 5.0
_KILLED_S: Final = 10.0


class Trouble(Exception):
    """A server, a mount or a command did not do what it should; the text is one line for a person."""


class Marked:
    """One started command with everything that comes of it. `log` takes what it says."""

    def __init__(self, mark: str, log: Path) -> None:
        self.mark = mark
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, command: str) -> None:
        """By the shell, in a session of its own: a Ctrl-C here does not reach it."""
        with self._log.open("ab") as log:
            log.write(f"\n$ {command}\n".encode())
            log.flush()
            self._process = subprocess.Popen(
                command, shell=True, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=PROJECT,
                start_new_session=True, env=os.environ | {MARK: self.mark},
            )  # fmt: skip

    def pids(self) -> set[int]:
        """Those that live. sshd overwrites its environment, so the first one counts without a mark."""
        first = self._process
        found = set(_pids_of(f"{MARK}={self.mark}".encode()))
        return found | ({first.pid} if first is not None and first.poll() is None else set())

    def failed(self) -> bool:
        """Whether the command itself has ended badly."""
        return self._process is not None and bool(self._process.poll())

    def last_words(self) -> str:
        """The last line of the log."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").split("\n")
        return next((line.strip()[:200] for line in reversed(lines) if line.strip()), "")

    def stop(self) -> None:
        """Asks, then kills; returns when none is left."""
        for number, patience_s in ((signal.SIGTERM, _GRACE_S), (signal.SIGKILL, _KILLED_S)):
            self.send(number)
            with contextlib.suppress(Trouble):
                wait_for(lambda: not self.pids(), patience_s, self.mark)
                return

    def send(self, number: signal.Signals) -> None:
        """The signal to each of them."""
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def cpu_s(self) -> float:
        """User and system time of those that live."""
        return sum(_cpu_ticks(pid) for pid in self.pids()) / _TICKS_A_SECOND

    def memory_mb(self) -> float:
        """Sum of their largest resident sizes since the last reset, in MiB."""
        return sum(_memory_peak_kib(pid) for pid in self.pids()) / 1024

    def reset_memory(self) -> None:
        """Lets the largest resident size begin anew."""
        for pid in self.pids():
            with contextlib.suppress(OSError):
                Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")


def _pids_of(mark: bytes) -> Iterator[int]:
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            with contextlib.suppress(OSError):
                if mark in (process / "environ").read_bytes().split(b"\0"):
                    yield int(process.name)


def _cpu_ticks(pid: int) -> int:
    with contextlib.suppress(OSError):
        after_name = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return int(after_name[11]) + int(after_name[12])
    return 0


def _memory_peak_kib(pid: int) -> int:
    with contextlib.suppress(OSError):
        found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace"))
        return int(found[1]) if found else 0
    return 0


def wait_for(
    reached: Callable[[], bool], seconds: float, what: str, *, of: Marked | None = None, step_s: float = 0.05
) -> None:
    """Returns when `reached` says so; Trouble when it does not in time, or when the command `of` failed first."""
    end = time.monotonic() + seconds
    while not reached():
        if of is not None and of.failed():
            raise Trouble(f"{what} failed: {of.last_words()}")
        if time.monotonic() > end:
            raise Trouble(f"{what}: not within {seconds:g} s")
        time.sleep(step_s)


def listens(port: int) -> bool:
    """Whether something accepts connections at that loopback port."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def free_port() -> int:
    """A loopback port that nothing listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_mounted(path: Path) -> bool:
    """Whether something is mounted there."""
    table = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    return any(line.split()[4] == str(path) for line in table)


def drop_kernel_caches() -> None:
    """Pages, names and inodes that are not in use or mapped."""
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3", encoding="ascii")
