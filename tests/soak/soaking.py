"""A mount under a mixed load for as long as is wanted, while a share of all requests fails; then it is looked at.

In the end nothing waits, nothing is lost, no program was told of any failure, and the daemon has come back to where it
was after the first round: its memory, its descriptors, its tasks.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cxfs.control.client import ControlClient
from cxfs.control.place import socket_path
from tests.faults import TROUBLE, Faults, behind, proxy_beside
from tests.mounting import Mount, eventually
from tests.soak.worker import digest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.faults import Fault
    from tests.mounting import Account, CountingServer

HERE: Final = Path(__file__).parent
WORKERS: Final = 3
WARM_SHARE: Final = 0.2
"""Of the time: what a daemon takes once and keeps (threads, connections, caches) is taken then."""

SETTLED_S: Final = 120.0
"""By then all is at the server, however many requests fail on the way: an upload of 8 MB that stalls is begun anew."""

RESIDENT_MIB: Final = 48.0
DESCRIPTORS: Final = 64
TASKS: Final = 24
"""By so much the daemon may be above what it was. Idle connections are opened and closed as the traffic has it, some
fifty at the most, and memory is given back in large parts; what leaks goes far past that in any soak worth its name."""


@dataclass(frozen=True)
class Level:
    """What a daemon takes at a moment when nothing is asked of it."""

    resident_mib: float
    descriptors: int
    tasks: int


@dataclass
class Report:
    """What came of it. `wrong` is empty where all is well."""

    wrong: list[str] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    files: int = 0
    requests: int = 0
    befallen: int = 0
    before: Level | None = None
    after: Level | None = None
    settled_s: float = 0.0

    def table(self) -> str:
        """In Markdown, for a person."""
        rows = [("| | |", "|---|---:|")]
        lines = [f"| {name} | {count:,} |" for name, count in sorted(self.done.items())]
        lines += [
            f"| files compared in the end | {self.files:,} |",
            f"| requests | {self.requests:,} |",
            f"| requests that failed | {self.befallen:,} |",
            f"| seconds until all was sent | {self.settled_s:.1f} |",
        ]
        if self.before is not None and self.after is not None:
            lines += [
                f"| resident, first and last | {self.before.resident_mib:.0f}, {self.after.resident_mib:.0f} MiB |",
                f"| descriptors, first and last | {self.before.descriptors}, {self.after.descriptors} |",
                f"| tasks, first and last | {self.before.tasks}, {self.after.tasks} |",
            ]
        return "\n".join([*(line for row in rows for line in row), *lines, *self.wrong])


class Soak:
    """One account's mount, soaked."""

    def __init__(
        self, server: CountingServer, account: Account, home: Path, *, share: float, drawn: Sequence[Fault] = ()
    ) -> None:
        self._server = server
        self._account = account
        self._home = home
        self._share = share
        self._drawn = drawn or TROUBLE
        self._report = Report()
        self._rounds = 0

    def run(self, seconds: float, *, seed: int) -> Report:
        """So many seconds of load, and what it takes to settle twice."""
        faults = Faults(seed=seed)
        with ExitStack() as stack:
            proxy = stack.enter_context(proxy_beside(faults, self._server))
            through = behind(proxy, self._account)
            stack.callback(through.close)
            mount = stack.enter_context(Mount(through, self._home, life_s=3 * seconds + 600))
            faults.by_chance(self._share, *self._drawn)
            self._round(mount, seconds * WARM_SHARE, f"{seed}-warm")
            self._report.before = self._level(mount)
            self._round(mount, seconds * (1 - WARM_SHARE), f"{seed}-long")
            self._report.after = self._level(mount)
            self._compare_levels()
            self._report.requests, self._report.befallen = faults.count(), faults.hits()
            faults.mends()
            mount.unmount()
        return self._report

    def _round(self, mount: Mount, seconds: float, seed: str) -> None:
        self._rounds += 1
        program = (HERE / "worker.py").read_text(encoding="utf-8")
        folders = [f"round-{self._rounds}-{number}" for number in range(WORKERS)]
        workers = []
        for folder in folders:
            self._account.make_folder(f"/{folder}")
        for folder in folders:
            seen_here = eventually((mount.path / folder).is_dir, True, deadline_s=60)
            assert seen_here
            workers.append(mount.spawn(program, mount.path / folder, f"{seed}-{folder}", str(seconds)))
        told = [worker.communicate(timeout=seconds + 300)[0] for worker in workers]
        began = time.monotonic()
        left = eventually(lambda: _remaining(mount), 0, deadline_s=SETTLED_S)
        self._report.settled_s = time.monotonic() - began
        self._report.wrong += [f"{left} changes and errands are left"] if left else []
        for folder, lines in zip(folders, told, strict=True):
            self._judge(folder, json.loads(lines.splitlines()[-1]) if lines else {"wrong": ["a worker broke off"]})

    def _judge(self, folder: str, told: dict[str, Any]) -> None:
        self._report.wrong += [f"{folder}: {each}" for each in told["wrong"]]
        self._report.done.update(told.get("done", {}))
        held, found = told.get("held", {}), dict(self._found(f"/{folder}"))
        self._report.files += len(held)
        for name in sorted(held.keys() | found.keys()):
            if name not in told.get("doubtful", ()) and held.get(name) != found.get(name):
                self._report.wrong.append(f"{folder}/{name}: the server has {found.get(name)}, not {held.get(name)}")

    def _found(self, folder: str, below: str = "") -> Iterator[tuple[str, str]]:
        for entry in self._account.entries(folder):
            path = f"{folder}/{entry['name']}"
            if entry["isDir"]:
                yield from self._found(path, f"{below}{entry['name']}/")
            else:
                yield below + entry["name"], digest(self._account.content(path))

    def _level(self, mount: Mount) -> Level:
        process = Path("/proc", str(mount.daemon_pid))
        status = (process / "status").read_text(encoding="ascii").splitlines()
        resident = next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmRSS"))
        return Level(resident, len(list((process / "fd").iterdir())), _status(mount)["tasks_living"])

    def _compare_levels(self) -> None:
        before, after = self._report.before, self._report.after
        assert before is not None
        assert after is not None
        for what, least, most, room in (
            ("MiB are resident", before.resident_mib, after.resident_mib, RESIDENT_MIB),
            ("descriptors are open", before.descriptors, after.descriptors, DESCRIPTORS),
            ("tasks run", before.tasks, after.tasks, TASKS),
        ):
            if most > least + room:
                self._report.wrong.append(f"{most:.0f} {what}, {least:.0f} before")


def _status(mount: Mount) -> dict[str, Any]:
    with ControlClient(socket_path(mount.state_folder)) as client:
        return client.ask("status")


def _remaining(mount: Mount) -> int:
    remaining = _status(mount)["remaining"]
    return sum(count for name, count in remaining.items() if isinstance(count, int) and "bytes" not in name)
