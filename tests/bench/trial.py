"""One peer over one line: its server, the relay before it, its mount. Measures nothing by itself.

However a trial ends, `close` leaves neither mount nor process behind.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from shlex import quote
from typing import TYPE_CHECKING, Final, Self

from tests.bench.peers import SEARCHED, Place
from tests.bench.processes import Marked, Trouble, drop_kernel_caches, free_port, is_mounted, listens, wait_for

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from tests.bench.dataset import Dataset
    from tests.bench.peers import Peer
    from tests.bench.results import Line

_SERVER_S: Final = 300.0
"""cxfs first imports the data set."""
_MOUNT_S: Final = 60.0
_SETTLED_S: Final = 0.3
"""After a mount: what a client begins by itself then is not part of the first workload."""
_UNMOUNT_S: Final = 20.0


@dataclass(frozen=True)
class Options:
    """How long and how often, for every trial of a run."""

    cap_s: float = 60.0
    """Of one command; what takes longer is stopped and extrapolated."""
    repetitions: int = 3
    repeated_below_s: float = 5.0
    """What takes longer is done once."""
    random_s: int = 10
    """Of random reads."""
    cxfs: str = "cxfs"


@dataclass(frozen=True)
class Usage:
    """What the mount's processes have used since it was made."""

    cpu_s: float
    memory_mb: float


class Trial:
    """`with Trial(…) as trial:` serves the data set; `trial.cold()` mounts it."""

    def __init__(self, name: str, peer: Peer, line: Line, dataset: Dataset, options: Options, folder: Path) -> None:
        self.name = name
        self.peer = peer
        self.line = line
        self.dataset = dataset
        self.options = options
        self.folder = folder / name
        shutil.rmtree(self.folder, ignore_errors=True)
        mount_point, state = self.folder / "mnt", self.folder / "state"
        mount_point.mkdir(parents=True)
        state.mkdir()
        port = free_port()
        self.place = Place(
            tree=dataset.root, mount_point=mount_point, cache=self.folder / "cache", state=state, port=port,
            line_port=free_port() if line.rtt_ms and peer.serve else port, cxfs=options.cxfs,
            certificate=_certificate(folder) if line.tls and peer.has_tls else None,
        )  # fmt: skip
        log = folder / f"{name}.log"
        mark = f"{name}-{os.getpid()}"
        self._server, self._relay, self._mount = (
            Marked(f"{mark}-{part}", log) for part in ("server", "relay", "mount")
        )
        self._cpu_before_s = 0.0

    def __enter__(self) -> Self:
        try:
            self._serve()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def path(self) -> Path:
        """Where it is mounted."""
        return self.place.mount_point

    def _serve(self) -> None:
        if self.peer.folders_beforehand:
            for folder in (
                f"work-{kind}" for number in range(self.options.repetitions) for kind in self._folders(number)
            ):
                (self.place.tree / folder).mkdir(parents=True)
                (self.place.tree / folder / ".keep").touch()
        if self.peer.serve is None:
            return
        self._server.start(_found(self.peer.serve(self.place)))
        wait_for(lambda: listens(self.place.port), _SERVER_S, f"the server of {self.name}", of=self._server)
        if self.place.line_port != self.place.port:
            ports = f"{self.place.line_port} {self.place.port}"
            self._relay.start(f"exec {quote(sys.executable)} -m tests.bench.relay {ports} {self.line.rtt_ms:g}")
            wait_for(lambda: listens(self.place.line_port), 10, "the relay", of=self._relay)

    @staticmethod
    def _folders(number: int) -> list[str]:
        return [f"cp-{number}", *(f"tar-{number}/p{folder:02}" for folder in range(40))]

    def make_folder(self, name: str) -> None:
        """In the mount, unless the peer has it from its server."""
        if not self.peer.folders_beforehand:
            (self.path / name).mkdir()

    def cold(self) -> None:
        """A new mount, an empty cache, and nothing in the kernel's."""
        if is_mounted(self.path):
            self.unmount(_UNMOUNT_S)
        shutil.rmtree(self.place.cache, ignore_errors=True)
        self.place.cache.mkdir()
        drop_kernel_caches()
        self._mount.start(_found(self.peer.mount(self.place)))
        wait_for(lambda: is_mounted(self.path), _MOUNT_S, f"the mount of {self.name}", of=self._mount)
        self.path.stat()
        if self.peer.serve is not None:
            time.sleep(_SETTLED_S)
        self._mount.reset_memory()
        self._cpu_before_s = self._mount.cpu_s()

    def usage(self) -> Usage:
        """Since the last `cold`."""
        return Usage(round(self._mount.cpu_s() - self._cpu_before_s, 2), round(self._mount.memory_mb(), 1))

    def is_flushed(self, patience_s: float) -> bool:
        """Asks the peer itself until every write is on its server; whether it was in time."""
        assert self.peer.flush is not None
        end = time.monotonic() + patience_s
        command = _found(self.peer.flush(self.place))
        while time.monotonic() < end:
            with contextlib.suppress(subprocess.TimeoutExpired):
                done = subprocess.run(
                    command, shell=True, capture_output=True, timeout=max(0.1, end - time.monotonic()), check=False
                )
                if done.returncode == 0:
                    return True
                time.sleep(0.05)
        return False

    def unmount(self, patience_s: float) -> None:
        """As a user would; whoever has not ended by then is killed."""
        end = time.monotonic() + patience_s
        while is_mounted(self.path) and time.monotonic() < end:
            with contextlib.suppress(subprocess.TimeoutExpired):
                command = [*self.peer.unmount.split(), str(self.path)]
                subprocess.run(command, capture_output=True, timeout=max(1.0, end - time.monotonic()), check=False)
            if is_mounted(self.path):
                time.sleep(0.2)
        with contextlib.suppress(Trouble):
            wait_for(lambda: not self._mount.pids(), end - time.monotonic(), "the end of the mount", step_s=0.02)
        self.abort()

    def abort(self) -> None:
        """Ends the mount at once, with whatever still waits to be sent."""
        self._mount.send(signal.SIGKILL)
        while is_mounted(self.path):
            subprocess.run(["umount", "-l", "-i", str(self.path)], capture_output=True, check=False)
        self._mount.stop()

    def close(self) -> None:
        """Leaves nothing running, mounted or on the disk."""
        try:
            self.unmount(_UNMOUNT_S / 2)
        finally:
            for part in (self._mount, self._relay, self._server):
                part.stop()
        if not is_mounted(self.path):
            shutil.rmtree(self.folder, ignore_errors=True)


def _found(command: str) -> str:
    """The command, with programs looked for where `peers.missing` does."""
    return f"PATH={quote(SEARCHED)}; export PATH; {command}"


def _certificate(folder: Path) -> Path:
    path = folder / "certificate.pem"
    if not path.exists():
        subprocess.run(
            [
                "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-days", "30", "-subj", "/CN=127.0.0.1",
                "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", path, "-out", path,
            ],
            check=True, capture_output=True,
        )  # fmt: skip
    return path
