"""How the processes over one PostgreSQL tell each other of commits: NOTIFY, and LISTEN. Knows no owner's log.

Told after the commit, not in it: PostgreSQL lets only one transaction at a time commit with a notification. What a
process that dies in between does not tell is noticed by the look that is due anyway.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

import psycopg
from anyio import CapacityLimiter, to_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

CHANNEL: Final = "cxfs_commits"

GATHER_S: Final = 0.005
"""Commits of one process within this are told together."""

OWNERS_TOLD_MAX: Final = 300
"""In one notification, which has at most 8,000 bytes. More are told as `anybody`."""

LOOK_S: Final = 30
"""Whoever listens looks so often without having been told."""

_PATIENCE_S: Final = 1
"""A thread that listens looks up so often: whether it has been long enough, or its server is about to stop."""


class Bell:
    """Tells of commits, from a thread of its own that begins with the first."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._lock = threading.Lock()  # holds apart: adding to what is to be told, and taking it
        self._owners: set[int] | None = set()
        self._rung = threading.Event()
        self._thread: threading.Thread | None = None
        self._is_over = False

    def ring(self, owners: Collection[int] | None) -> None:
        """Something of these owners' was committed; None: anybody's, or somebody's rights."""
        with self._lock:
            self._owners = None if owners is None or self._owners is None else self._owners | set(owners)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="telling of commits", daemon=True)
                self._thread.start()
        self._rung.set()

    def close(self) -> None:
        """Tells what is left."""
        self._is_over = True
        self._rung.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while True:
            self._rung.wait()
            if not self._is_over:
                time.sleep(GATHER_S)
            self._rung.clear()
            with self._lock:
                owners, self._owners = self._owners, set()
            if owners is None or owners:
                self._tell(_written(owners))
            if self._is_over and not self._rung.is_set():
                return


class PostgresCommits:
    """What the others, and this process itself, tell."""

    def __init__(self, connect: Callable[[], psycopg.Connection], *, look_s: float = LOOK_S) -> None:
        self._connect = connect
        self._look_s = look_s
        self._is_doubtful = False
        self._connection: psycopg.Connection | None = None
        self._turn = threading.Lock()  # holds apart: a thread that was given up, and the next one
        self._heard: set[int] | None = None
        self._is_over = False
        self._one = CapacityLimiter(1)

    async def next(self) -> frozenset[int] | None:
        """None where it is not known whose, and the first time, and after the connection was lost."""
        await to_thread.run_sync(self._listen, abandon_on_cancel=True, limiter=self._one)
        heard, self._heard = self._heard, set()
        return None if heard is None else frozenset(heard)

    def ring(self) -> None:
        """Nothing: what this process commits is told to it as to all."""

    def close(self) -> None:
        """Waits for a thread that still listens, which is over soon; nobody asks for another."""
        self._is_over = True
        with self._turn:
            if self._connection is not None:
                self._connection.close()

    def _listen(self) -> None:
        """Until something was heard. A thread that was given up leaves what it hears to the next."""
        with self._turn:
            until = time.monotonic() + self._look_s
            try:
                connection = self._listening()
                while self._heard is not None and not self._heard and not self._is_over:
                    told = connection.notifies(timeout=min(_PATIENCE_S, self._look_s), stop_after=1)
                    self._heard = _together([self._heard, *(_read(each.payload) for each in told)])
                    if time.monotonic() >= until:
                        self._heard = None
                        self._is_doubtful = True
            except psycopg.OperationalError:
                self._connection = self._heard = None
                time.sleep(_PATIENCE_S)  # whoever looks now finds the database as it is

    def _listening(self) -> psycopg.Connection:
        if self._connection is not None and self._is_doubtful:  # nobody has anything to tell, or nothing comes through
            self._connection.execute("SELECT 1")
        self._is_doubtful = False
        if self._connection is None:
            connection = self._connect()
            connection.autocommit = True
            connection.execute(f"LISTEN {CHANNEL}")  # type: ignore[call-overload,unused-ignore]
            self._connection, self._heard = connection, None  # what was committed before nobody has told
        return self._connection


def _written(owners: set[int] | None) -> str:
    return "" if owners is None or len(owners) > OWNERS_TOLD_MAX else ",".join(map(str, sorted(owners)))


def _together(told: list[set[int] | None]) -> set[int] | None:
    return None if None in told else set().union(*filter(None, told))


def _read(payload: str) -> set[int] | None:
    return set(map(int, payload.split(","))) if payload else None
