"""How a process learns that somebody has committed: itself, another, a command beside it. Knows no owner's log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from anyio import Event, move_on_after

if TYPE_CHECKING:
    import sqlite3

LOOK_S: Final = 0.1
"""SQLite tells nobody of a commit: it is asked so often, at some microseconds each, and only while somebody waits."""


class Commits(Protocol):
    """One task at a time calls `next`, which may be cancelled; between two calls nothing is lost."""

    async def next(self) -> frozenset[int] | None:
        """Returns when somebody may have committed since the last call.

        The numbers of the owners whose log has grown, where that is known; None: anybody's, or anybody's rights.
        """
        ...

    def ring(self) -> None:
        """This process has just committed something."""
        ...


class SqliteCommits:
    """The database's own count of commits by others than the connection that asks."""

    def __init__(self, reader: sqlite3.Connection, *, look_s: float = LOOK_S) -> None:
        self._reader = reader
        self._look_s = look_s
        self._version = -1
        self._rung: Event | None = None

    async def next(self) -> None:
        """None always: SQLite does not say who."""
        while not self._has_moved():
            self._rung = Event()
            with move_on_after(self._look_s):
                await self._rung.wait()

    def ring(self) -> None:
        """The next look is now."""
        if self._rung is not None:
            self._rung.set()

    def _has_moved(self) -> bool:
        before = self._version
        (self._version,) = self._reader.execute("PRAGMA data_version").fetchone()
        return self._version != before
