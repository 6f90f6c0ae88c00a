"""Who signed in and who was let in, for the host to look up: a table and a line of the log. Holds no secret.

The name that was typed in a failed sign-in is kept only where there is such an account: it may be a password.
"""

from __future__ import annotations

import logging
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from cxfs.server.limits import EVENTS_KEPT

if TYPE_CHECKING:
    from cxfs.server.database import Connection

log = logging.getLogger(__name__)


class Event(StrEnum):
    """What may have happened."""

    SIGNED_IN = "signed in"
    SIGN_IN_FAILED = "sign-in failed"
    SIGN_IN_SUSPENDED = "sign-in of a suspended account"
    SIGNED_OUT = "signed out"
    GRANTED = "granted"
    DENIED = "denied"
    TOKEN_ISSUED = "token issued"  # noqa: S105 - an event, no token
    CODE_REFUSED = "code refused"
    REVOKED = "revoked"
    PASSWORD_SET = "password set"  # noqa: S105 - an event, no password
    SUSPENDED = "suspended"
    UNSUSPENDED = "unsuspended"
    APP_ADDED = "application added"
    APP_REMOVED = "application removed"


_NOISE: Final = frozenset({Event.SIGN_IN_FAILED, Event.CODE_REFUSED})
"""What anybody can cause as often as they like."""


class Entry(NamedTuple):
    """One event. `address` is the other end of the connection; empty: the host at the command line."""

    at_ms: int
    event: str
    user: str
    app: str
    address: str


def note(connection: Connection, event: Event, *, now: int, user: str = "", app: str = "", address: str = "") -> None:
    """In a transaction. Beyond EVENTS_KEPT the oldest goes, apart for what is noise and what is not."""
    noise = event in _NOISE
    connection.execute(
        'INSERT INTO events (at_ms, event, is_noise, "user", app, address) VALUES (?, ?, ?, ?, ?, ?)',
        (now, event, noise, user, app, address),
    )
    connection.execute(
        "DELETE FROM events WHERE is_noise = ? AND number <="
        " (SELECT number FROM events WHERE is_noise = ? ORDER BY number DESC LIMIT 1 OFFSET ?)",
        (noise, noise, EVENTS_KEPT),
    )
    log.info("%s: user=%r application=%r address=%s", event, user, app, address or "host")


def entries(connection: Connection, user: str | None, limit: int) -> list[Entry]:
    """The last ones, oldest first; of one user, or of all."""
    condition, cells = ("", ()) if user is None else (' WHERE "user" = ?', (user,))
    rows = connection.execute(
        f'SELECT at_ms, event, "user", app, address FROM events{condition} ORDER BY number DESC LIMIT ?',  # noqa: S608 - our own words
        (*cells, limit),
    ).fetchall()
    return [Entry(*row) for row in reversed(rows)]
