"""Server processes over one PostgreSQL, as they would run for a team, and what they, and it, take of the processor."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cxfs.server.store import open_store
from tests.capacity.filling import FILES_IN_A_FOLDER, filled_account
from tests.capacity.load import Load, load
from tests.server.engines import ObjectServer, Postgres
from tests.server_process import ServerProcess, Storage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

ACCOUNTS: Final = 64
"""Trees that are written to: changes of one tree follow each other, so one alone would be a queue."""
LINES_EACH: Final = 8
"""Connections to each process."""

_TICKS_A_SECOND: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Taken:
    """What a load brought, and processor seconds: of each server process, and of PostgreSQL."""

    load: Load
    servers_cpu_s: tuple[float, ...]
    postgres_cpu_s: float

    @property
    def server_ms(self) -> float:
        """Of processor time, a request."""
        return 1_000 * sum(self.servers_cpu_s) / self.load.requests

    @property
    def postgres_ms(self) -> float:
        """Of processor time, a request."""
        return 1_000 * self.postgres_cpu_s / self.load.requests


@dataclass(frozen=True, slots=True)
class Servers:
    """Processes that are all the same to a client, tokens of empty accounts, and that of one with a full folder."""

    postgres: Postgres
    database: str
    processes: tuple[ServerProcess, ...]
    tokens: tuple[str, ...]
    filled: str

    def loaded(self, processes: Sequence[ServerProcess], requests: Callable[[], bytes], seconds: float) -> Taken:
        """These processes, all connections asking one request after the other."""
        before = [cpu_s(each.worker_pid) for each in processes], self._postgres_cpu_s()
        done = load([each.port for each in processes], LINES_EACH, requests, seconds)
        after = [cpu_s(each.worker_pid) for each in processes], self._postgres_cpu_s()
        used = tuple(late - early for early, late in zip(before[0], after[0], strict=True))
        return Taken(done, used, after[1] - before[1])

    def _postgres_cpu_s(self) -> float:
        """Of all its processes that live, and those that have ended."""
        return sum(map(cpu_s, _family(self.postgres.pid)))


@contextmanager
def running_servers(count: int) -> Iterator[Servers]:
    """So many processes, over PostgreSQL and a bucket."""
    folder = Path(tempfile.mkdtemp(prefix="cxfs-capacity-"))
    try:
        with Postgres() as postgres, ObjectServer() as objects, ExitStack() as stack:
            os.environ.update(objects.environment)
            storage = Storage(database=postgres.new_database("team"), content=objects.url)
            with open_store(folder / "0", **storage) as store:
                filled = filled_account(store, "filled", FILES_IN_A_FOLDER + 1)
            processes = tuple(
                stack.enter_context(ServerProcess(folder / str(number), insecure=True, storage=storage))
                for number in range(count)
            )
            tokens = tuple(processes[0].add_user(f"user-{number}") for number in range(ACCOUNTS))
            yield Servers(postgres, "team", processes, tokens, filled)
    finally:
        shutil.rmtree(folder)


def cpu_s(pid: int) -> float:
    """User and system time so far, its ended children included; 0 for a process that is gone."""
    with suppress(OSError):
        cells = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return sum(map(int, cells[11:15])) / _TICKS_A_SECOND
    return 0.0


def _family(pid: int) -> Iterator[int]:
    yield pid
    with suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split():
            yield from _family(int(child))
