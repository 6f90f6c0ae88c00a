"""Connections to PostgreSQL, and how long anybody waits for one or on one. Knows no statement of the server's.

Where the other end goes without a word (a cable, a firewall that forgets, a machine that hangs), nobody is ever told.
So each end gives up by itself: this one a statement, PostgreSQL a transaction of which it hears nothing, and both a
line on which nothing is received.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import ConnectionPool, PoolTimeout

from cxfs.server.errors import Unavailable
from cxfs.server.limits import (
    CONNECTION_WAIT_S,
    CONNECTIONS_MAX,
    LINE_DEAD_S,
    LOCK_WAIT_S,
    SILENT_TRANSACTION_S_MAX,
    STATEMENT_S_MAX,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

R = TypeVar("R")

_AWAY_WAIT_S: Final = 0.25
"""For a connection, while the last who waited got none: or each of a long queue would wait its full time in turn."""

_SETTLING_S: Final = 5
"""PostgreSQL ends a statement by itself; only when it has said nothing so long after that nobody is there."""


@dataclass(frozen=True, slots=True)
class Patience:
    """In seconds: for a connection, for another's lock, for a statement, and PostgreSQL's for a silent transaction."""

    connection_s: float = CONNECTION_WAIT_S
    lock_s: float = LOCK_WAIT_S
    statement_s: float = STATEMENT_S_MAX
    transaction_s: float = SILENT_TRANSACTION_S_MAX
    settling_s: float = _SETTLING_S

    @property
    def settings(self) -> dict[str, str]:
        """What PostgreSQL is to do about it."""
        milliseconds = {
            "lock_timeout": self.lock_s,
            "statement_timeout": self.statement_s,
            "idle_in_transaction_session_timeout": self.transaction_s,
            "tcp_user_timeout": LINE_DEAD_S,
        }
        return {name: f"{round(1_000 * seconds)}ms" for name, seconds in milliseconds.items()}


_LINE: Final = {
    "keepalives_idle": LINE_DEAD_S // 2,
    "keepalives_interval": LINE_DEAD_S // 4,
    "keepalives_count": 2,
    "tcp_user_timeout": LINE_DEAD_S * 1_000,
}


class _Impatient(psycopg.Connection[Any]):
    """Closed, with OperationalError for whoever waits, when an answer takes longer than `answer_s`."""

    answer_s: float = inf

    def wait(self, gen: Generator[Any, Any, R], *arguments: Any, **options: Any) -> R:
        """All that blocks after the connection is made comes through here."""
        return super().wait(self._bounded(gen), *arguments, **options)

    def _bounded(self, gen: Generator[Any, Any, R]) -> Generator[Any, Any, R]:
        until = monotonic() + self.answer_s
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if not ready and monotonic() > until:  # psycopg looks up some times a second
                    self.close()
                    raise psycopg.OperationalError(f"no answer within {self.answer_s:g} seconds")
                wanted = gen.send(ready)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


class Connections:
    """A pool of them. `url` is what libpq takes; what it says of lines that are dead goes before our own."""

    def __init__(
        self, url: str, patience: Patience, settings: dict[str, str], configure: Callable[[psycopg.Connection], None]
    ) -> None:
        """Raises psycopg.Error for a URL that is none. Connects to nothing yet but in the background."""
        self._patience = patience
        self._answer_s = patience.statement_s + patience.settling_s
        self._configure = configure
        self._parameters: dict[str, Any] = {
            **_LINE,
            **conninfo_to_dict(url),
            "connect_timeout": max(1, round(patience.connection_s)),
        }
        options = " ".join(f"-c {name}={value}" for name, value in {**patience.settings, **settings}.items())
        self.wait_s = patience.connection_s
        """How long whoever comes next waits for one."""
        self._pool: ConnectionPool[_Impatient] = ConnectionPool(
            kwargs={**self._parameters, "autocommit": True, "options": options},
            connection_class=_Impatient,
            configure=self._prepare,
            min_size=1,
            max_size=CONNECTIONS_MAX,
            reconnect_timeout=patience.connection_s,
            open=False,
        )

    def open(self) -> None:
        """From now on there is a pool."""
        self._pool.open()

    def apart(self, *, answer_s: float = inf) -> psycopg.Connection:
        """One of its own, the caller's to close. Raises psycopg.Error."""
        connection = _Impatient.connect(**self._parameters)
        connection.answer_s = answer_s
        return connection

    @staticmethod
    def without_haste(connection: psycopg.Connection) -> None:
        """Nothing of the rest of its transaction is given up, however long it takes, here or there."""
        assert isinstance(connection, _Impatient)
        connection.execute("SET LOCAL statement_timeout = 0")
        connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        connection.answer_s = inf

    @contextmanager
    def lent(self) -> Iterator[psycopg.Connection]:
        """One of the pool. Raises Unavailable where none can be had, and for what is no statement's fault."""
        connection = self._taken()
        try:
            yield connection
        except psycopg.Error as error:
            if connection.closed:
                self._pool.drain()  # where one has gone, the others of that time have too
            elif not isinstance(error, psycopg.OperationalError):
                raise
            raise Unavailable("the database does not answer") from error
        finally:
            connection.answer_s = self._answer_s
            self._pool.putconn(connection)

    def close(self) -> None:
        """Waits for nobody."""
        self._pool.close()

    def _taken(self) -> _Impatient:
        try:
            connection = self._pool.getconn(self.wait_s)
        except psycopg.OperationalError as error:
            if isinstance(error, PoolTimeout):
                self.wait_s = min(_AWAY_WAIT_S, self._patience.connection_s)
            raise Unavailable("the database does not answer") from error
        self.wait_s = self._patience.connection_s
        return connection

    def _prepare(self, connection: _Impatient) -> None:
        connection.answer_s = self._answer_s
        self._configure(connection)
