"""A mount that goes on whatever happens in its daemon, and lets others see how it is."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import pytest

from cxfs.control.client import ControlClient
from cxfs.control.place import socket_path
from tests.mounted.faulty import FAULT, FAULTS, SECRET
from tests.mounting import Account, Mount, eventually, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE: Final = Path(__file__).parent

STANDING: Final = {
    "uploads", "quota", "spare drafts", "cache checksums", "groups", "changes", "token", "control socket",
    "watchdog", "sleep",
}  # fmt: skip

EVERY_CALL: Final = """
import errno, json, os, sys
top, name = sys.argv[1:]
file = os.open(f"{top}/open", os.O_RDWR)
calls = {
    "lookup": lambda: os.stat(f"{top}/{name}"),
    "opendir": lambda: os.listdir(top),
    "open": lambda: os.open(f"{top}/other", os.O_RDONLY),
    "read": lambda: os.pread(file, 10, 0),
    "write": lambda: os.pwrite(file, b"x", 0),
    "fsync": lambda: os.fsync(file),
    "truncate": lambda: os.ftruncate(file, 1),
    "utime": lambda: os.utime(f"{top}/open"),
    "mkdir": lambda: os.mkdir(f"{top}/{name}-a"),
    "create": lambda: os.open(f"{top}/{name}-b", os.O_CREAT | os.O_WRONLY),
    "unlink": lambda: os.unlink(f"{top}/other"),
    "rmdir": lambda: os.rmdir(f"{top}/folder"),
    "rename": lambda: os.rename(f"{top}/other", f"{top}/{name}-c"),
    "statfs": lambda: os.statvfs(top),
    "getxattr": lambda: os.getxattr(f"{top}/open", "user.cx.uuid"),
    "close": lambda: os.close(file),
}
print("ready", flush=True)
sys.stdin.readline()
said = {}
for name_of_call, call in calls.items():
    try:
        call()
    except OSError as error:
        said[name_of_call] = errno.errorcode[error.errno]
    else:
        said[name_of_call] = "none"
print(json.dumps(said))
"""

TOLD: Final = {
    "ENOSPC": "ENOSPC", "EROFS": "EROFS", "EMFILE": "ENFILE", "ENOENT": "EIO", "Denied": "EACCES", "sqlite3": "EIO",
    "ValueError": "EIO", "RecursionError": "EIO", "MemoryError": "ENOMEM", "SystemExit": "EIO",
    "ExceptionGroup": "EIO", "TooSlowError": "ETIMEDOUT",
}  # fmt: skip


class Systemd:
    """A service manager's socket, and what it heard."""

    def __init__(self) -> None:
        self.address = f"@cxfs-test-{secrets.token_hex(8)}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(f"\0{self.address[1:]}")
        self.heard: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def count(self, message: str) -> int:
        """How many of those that begin so it has heard."""
        try:
            while True:
                self.heard.append(self._socket.recv(4096).decode())
        except BlockingIOError:
            return sum(1 for each in self.heard if each.startswith(message))


class FaultyMount(Mount):
    """A mount of a daemon with faults, in the foreground or not."""

    extra: dict[str, str] = {}  # noqa: RUF012 - replaced, not changed
    process: subprocess.Popen[bytes]

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | {FAULT: str(self.fault)} | self.extra

    @property
    def fault(self) -> Path:
        """While it is there, calls fail as it says."""
        return self.home / "fault"

    def cxfs(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.attempt(sys.executable, HERE / "faulty.py", *arguments)

    def status(self) -> dict[str, Any]:
        """As it is told over the control socket."""
        with ControlClient(socket_path(self.state_folder, self.environment)) as client:
            return dict(client.ask("status"))

    def answers(self, fault: str) -> dict[str, str]:
        """What a program is told by each call while they fail in this way."""
        with self.spawn(EVERY_CALL, self.path, secrets.token_hex(4)) as program:
            assert program.stdin is not None
            assert program.stdout is not None
            assert program.stdout.readline() == "ready\n"
            self.fault.write_text(fault)
            try:
                said, _ = program.communicate("\n", timeout=60)
            finally:
                self.fault.unlink()
        return dict(json.loads(said))


@pytest.fixture
def faulty(own_account: Account, tmp_path: Path) -> Iterator[FaultyMount]:
    with FaultyMount(own_account, tmp_path / "home", "--metadata-ttl", "0") as mount:
        yield mount


@pytest.mark.promise
def test_a_mount_goes_on_when_every_task_of_it_fails(faulty: FaultyMount, own_account: Account) -> None:
    """No exception in what a mount does beside its calls (sending, refreshing, answering `cxfs`) ends it: a traceback
    is logged, its status tells of it, and the task begins anew, after a pause that grows to a minute."""
    (faulty.path / "file").write_bytes(b"written")

    assert eventually(lambda: own_account.names() & {"file"}, {"file"}) == {"file"}
    tasks = {each["task"]: each for each in faulty.status()["tasks"]}
    assert set(tasks) == STANDING
    assert all(each["place"].startswith("faulty.py:") for each in tasks.values())
    log = faulty.log_file.read_text(encoding="utf-8")
    assert all(f"a bug in the task {name}; it begins anew" in log for name in STANDING)
    assert log.count("Traceback") >= len(STANDING)
    assert SECRET.partition("=")[2] not in log


def test_whatever_a_handler_raises_the_mount_answers_and_lives(faulty: FaultyMount, own_account: Account) -> None:
    """Through the real kernel, call by call and kind by kind; afterwards all is as it was."""
    (faulty.path / "folder").mkdir()
    for name in ("open", "other"):
        (faulty.path / name).write_bytes(b"as it was")
    assert set(TOLD) == set(FAULTS)

    answers = {fault: faulty.answers(fault) for fault in FAULTS}

    told = {
        fault: {call: error for call, error in said.items() if error != TOLD[fault]} for fault, said in answers.items()
    }
    assert told == {fault: {} for fault in FAULTS}
    assert {name: (faulty.path / name).read_bytes() for name in ("open", "other")} == dict.fromkeys(
        ("open", "other"), b"as it was"
    )
    assert SECRET.partition("=")[2] not in faulty.log_file.read_text(encoding="utf-8")
    (faulty.path / "more").write_bytes(b"written after")
    faulty.unmount()
    assert own_account.content("/more") == b"written after"


@pytest.fixture
def systemd() -> Iterator[Systemd]:
    with Systemd() as listening:
        yield listening


@pytest.fixture
def served(own_account: Account, tmp_path: Path, systemd: Systemd) -> Iterator[FaultyMount]:
    """A mount of a unit with Type=notify and WatchdogSec=, in its foreground."""
    mount = FaultyMount(own_account, tmp_path / "home")
    mount.extra = {"NOTIFY_SOCKET": systemd.address, "WATCHDOG_USEC": "200000"}
    mount.log_file = mount.home / "log"
    program = [sys.executable, HERE / "faulty.py", "mount", "--foreground"]
    command = list(map(str, [*program, "--log-file", mount.log_file, mount.path]))
    with subprocess.Popen(command, env=mount.environment) as process:
        mount.process = process
        yield mount
        mount.end()


@pytest.mark.promise
def test_a_service_manager_is_told_all_of_a_life(served: FaultyMount, systemd: Systemd) -> None:
    """systemd is told (`Type=notify`) when the mount answers, that it lives for as long as the kernel's requests are
    read, and that it needs time while it drains."""
    wait_until(lambda: systemd.count("READY=1") == 1)
    mounted_when_ready = served.is_mounted
    wait_until(lambda: systemd.count("WATCHDOG=1") > 3)

    os.kill(served.daemon_pid, signal.SIGTERM)

    assert served.process.wait(60) == 0
    assert mounted_when_ready
    assert systemd.count(f"READY=1\nMAINPID={served.process.pid}") == 1
    assert systemd.count(f"STATUS=test is mounted at {served.path}") == 1
    assert systemd.count("EXTEND_TIMEOUT_USEC=") >= 1
    kinds = [each.partition("=")[0] for each in systemd.heard]
    assert kinds.count("STOPPING") == 1
    assert kinds.index("STOPPING") < kinds.index("EXTEND_TIMEOUT_USEC")


def test_a_watchdog_is_not_told_that_a_deaf_mount_lives(served: FaultyMount, systemd: Systemd) -> None:
    """The loop runs, but nobody reads what the kernel asks: a restart is what helps."""
    wait_until(lambda: systemd.count("READY=1") == 1)
    wait_until(lambda: systemd.count("WATCHDOG=1") > 1)
    (served.home / "deaf").touch()
    hanging = served.spawn("import os, sys; os.listdir(sys.argv[1])", served.path)

    wait_until(lambda: "requests are not answered" in served.log_file.read_text())
    alive = systemd.count("WATCHDOG=1")
    wait_until(lambda: served.log_file.read_text().count("requests are not answered") > 4)

    assert systemd.count("WATCHDOG=1") == alive
    served.kill()
    assert served.ending_of(hanging) != 0


@pytest.mark.promise
def test_a_signal_writes_all_stacks_and_the_mount_goes_on(own_mount: Mount) -> None:
    """SIGUSR1 writes the stacks of all tasks and threads to `stacks.log` beside the log, also while the loop stands
    still; no value stands in them."""
    file = own_mount.state_folder / "stacks.log"

    os.kill(own_mount.daemon_pid, signal.SIGUSR1)

    wait_until(lambda: "all stacks are in" in own_mount.log())
    told = file.read_text()
    assert "thread MainThread" in told
    assert "uploader.py" in told
    assert own_mount.account.token not in told
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(own_mount.path.iterdir()) == []


def test_what_blocks_the_loop_is_in_the_log_and_counted(faulty: FaultyMount) -> None:
    """A planted call that should have gone to a thread."""
    busy = faulty.home / "busy"
    busy.touch()
    program = faulty.spawn("import os, sys; os.statvfs(sys.argv[1])", faulty.path)

    wait_until(lambda: "nothing is served for" in faulty.log_file.read_text())
    busy.unlink()

    assert faulty.ending_of(program) == 0
    line = next(each for each in faulty.log_file.read_text().splitlines() if "nothing is served for" in each)
    assert "mounted/faulty.py" in line
    assert faulty.status()["loop"]["stalls"] >= 1
