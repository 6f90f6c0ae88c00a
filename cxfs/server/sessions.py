"""Browsers in which somebody is signed in: opened, found, ended. Knows neither cookies nor passwords.

A session is known by a secret, of which only the hash is kept. Functions that change take a connection inside a
transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from cxfs.server.accounts import Caller
from cxfs.server.hashes import hash_of, new_secret
from cxfs.server.limits import NUMBER_MAX, SESSION_IDLE_S, SESSION_LIFE_S, SESSIONS_MAX

if TYPE_CHECKING:
    from cxfs.server.database import Connection

_SEEN_STEP_MS: Final = 5 * 60_000
"""How exactly it is known when a session was last used: not every page costs a write."""


class Session(NamedTuple):
    """A browser that is signed in."""

    caller: Caller
    name: str
    seen_ms: int

    def is_seen_anew(self, now: int) -> bool:
        """Whether `note_seen` has something to note."""
        return now - self.seen_ms >= _SEEN_STEP_MS


def open_session(connection: Connection, user: int, now: int) -> str:
    """The secret of a new one. What has expired goes, and of too many the oldest."""
    secret = new_secret()
    connection.execute("DELETE FROM sessions WHERE created_ms <= ? OR seen_ms <= ?", _expired(now))
    connection.execute(
        "DELETE FROM sessions WHERE hash IN"
        ' (SELECT hash FROM sessions WHERE "user" = ? ORDER BY created_ms DESC LIMIT ? OFFSET ?)',
        (user, NUMBER_MAX, SESSIONS_MAX - 1),
    )
    connection.execute("INSERT INTO sessions VALUES (?, ?, ?, ?)", (hash_of(secret), user, now, now))
    return secret


def find_session(connection: Connection, secret: str, now: int) -> Session | None:
    """Who is signed in; nobody once the session is too old or was unused for too long, or the account is suspended."""
    row = connection.execute(
        'SELECT number, id, name, seen_ms FROM sessions JOIN users ON "user" = owner JOIN owners ON number = owner'
        " WHERE hash = ? AND created_ms > ? AND seen_ms > ? AND NOT suspended",
        (hash_of(secret), *_expired(now)),
    ).fetchone()
    return None if row is None else Session(Caller(row[0], row[1]), row[2], row[3])


def note_seen(connection: Connection, secret: str, now: int) -> None:
    """It was used just now."""
    connection.execute("UPDATE sessions SET seen_ms = ? WHERE hash = ?", (now, hash_of(secret)))


def end_session(connection: Connection, secret: str) -> None:
    """This one; no error when there is none."""
    connection.execute("DELETE FROM sessions WHERE hash = ?", (hash_of(secret),))


def end_sessions_of(connection: Connection, user: int) -> None:
    """In all browsers."""
    connection.execute('DELETE FROM sessions WHERE "user" = ?', (user,))


def _expired(now: int) -> tuple[int, int]:
    """Sessions made, or last seen, by then are over."""
    return now - SESSION_LIFE_S * 1_000, now - SESSION_IDLE_S * 1_000
