"""A real server process over TLS for tests: starts it, waits until it accepts, ends it by its process id."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self, TypedDict

from cxfs.server import administration

if TYPE_CHECKING:
    from types import TracebackType

READY_TIMEOUT_S: Final = 30
STOP_TIMEOUT_S: Final = 20

_PROGRAM: Final = """
import json, sys
from pathlib import Path
from cxfs.server.serving import serve

directory, host, port, insecure, *rest = sys.argv[1:]
say = lambda url: print(url, flush=True)
storage = json.loads(rest[0]) if rest else {}
serve(Path(directory), host=host, port=int(port), insecure=insecure == "True", on_ready=say, **storage)
"""


class Storage(TypedDict, total=False):
    """Where the tables and the large contents are; without, in the directory."""

    database: str | None
    content: str | None


class ServerProcess:
    """`with ServerProcess(directory) as server:` serves the directory until the block ends.

    Accounts are made directly in the directory, before or while it runs. `kill` is a crash; `start` may follow.
    `program` is another Python program for the process; it gets the same arguments and prints a line when it is ready.
    """

    def __init__(
        self,
        directory: Path,
        *,
        insecure: bool = False,
        port: int | None = None,
        program: str = _PROGRAM,
        storage: Storage | None = None,
    ) -> None:
        self.directory = directory
        self.storage = storage or Storage()
        self.insecure = insecure
        self.port = free_port() if port is None else port
        self.url = f"{'http' if insecure else 'https'}://127.0.0.1:{self.port}"
        self._program = program
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def ca_file(self) -> Path:
        """What a client has to trust."""
        return self.directory / "tls" / "ca.pem"

    @property
    def pid(self) -> int:
        """Of the process that watches over the workers."""
        assert self._process is not None
        return self._process.pid

    @property
    def worker_pid(self) -> int:
        """Of the process that answers requests: the one whose memory counts."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text(encoding="ascii").split()
        return int(children[0])

    @property
    def memory_peak_bytes(self) -> int:
        """The most that the answering process has had resident (VmHWM)."""
        status = Path(f"/proc/{self.worker_pid}/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))

    def start(self) -> None:
        """Returns when connections are accepted; fails with the process's last words when it ends before that."""
        assert self._process is None
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-c", self._program, str(self.directory), "127.0.0.1", str(self.port)),
                *(str(self.insecure), *([json.dumps(self.storage)] if self.storage else [])),
            ],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            cwd=Path(__file__).parent.parent,
        )
        assert self._process.stdout is not None
        if not self._process.stdout.readline():
            raise RuntimeError(f"the server ended with status {self._process.wait()}")

    def stop(self) -> int:
        """Ends it as systemd would; the exit status. Does nothing when it is not running."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Ends it as a power cut would, workers included."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(number)
        try:
            status = process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
        finally:
            assert process.stdout is not None
            process.stdout.close()
        return status

    def add_user(self, name: str, *, quota_bytes: int = 100 << 30) -> str:
        """A new account; its access token."""
        with administration.open_store(self.directory, **self.storage) as store:
            administration.add_user(store, name, password=None, quota_bytes=quota_bytes)
            return administration.issue_token(store, name)

    def issue_token(self, user: str) -> str:
        """Another access token of that account."""
        with administration.open_store(self.directory, **self.storage) as store:
            return administration.issue_token(store, user)


def free_port() -> int:
    """A loopback port that nothing listens at; another process could take it before it is used."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
