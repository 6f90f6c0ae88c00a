"""What people have agreed to: codes on their way to a token, tokens, and both together as a grant to an application.

Kept as hashes only. Functions that change take a connection inside a transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from cxfs.server.accounts import Caller
from cxfs.server.errors import BadAuthToken, SuspendedAccount
from cxfs.server.hashes import hash_of, new_secret
from cxfs.server.limits import CODE_LIFE_S

if TYPE_CHECKING:
    from cxfs.server.database import Connection

_TOKEN_CHARACTERS_MAX: Final = 128
_DAY_MS: Final = 86_400_000


class Bearer(NamedTuple):
    """Who sent a token that is good, and the day it was last seen (its first millisecond, UTC; 0: never)."""

    caller: Caller
    token_hash: bytes
    used_ms: int

    def is_first_on_its_day(self, now: int) -> bool:
        """Whether `note_use` has something to note."""
        return self.used_ms < now - now % _DAY_MS


class Grant(NamedTuple):
    """What one application may do for a user. An `app` of None stands for the tokens that the host has made."""

    app: int | None
    client_id: str
    name: str
    since_ms: int
    used_ms: int
    tokens: int


class Exchange(NamedTuple):
    """What became of a code: a token for `user`; or it was refused, and `user` is whose token was revoked with that."""

    user: int | None
    token: str | None


def add_code(connection: Connection, *, app: int, user: int, redirect_uri: str, now: int) -> str:
    """An authorization code: good once, for this application and URI, for CODE_LIFE_S seconds."""
    code = new_secret()
    for table in ("codes", "used_codes"):
        connection.execute(f"DELETE FROM {table} WHERE expires_ms <= ?", (now,))  # noqa: S608 - our own words
    connection.execute(
        "INSERT INTO codes VALUES (?, ?, ?, ?, ?)", (hash_of(code), app, user, redirect_uri, now + CODE_LIFE_S * 1_000)
    )
    return code


def exchange_code(connection: Connection, code: str, *, app: int, redirect_uri: str, now: int) -> Exchange:
    """A token for the code, once. A wrong try uses it up too, so commit either way.

    A second use revokes the token of the first: one of the two was a thief's (RFC 6749, 4.1.2).
    """
    key = hash_of(code)
    row = connection.execute(
        'DELETE FROM codes WHERE hash = ? RETURNING app, "user", redirect_uri, expires_ms', (key,)
    ).fetchone()
    if row is None:
        robbed = connection.execute(
            "DELETE FROM tokens WHERE app = ? AND hash = (SELECT token FROM used_codes WHERE code = ?)"
            ' RETURNING "user"',
            (app, key),
        ).fetchone()
        return Exchange(robbed and robbed[0], None)
    if row[0] != app or row[2] != redirect_uri or row[3] <= now:
        return Exchange(None, None)
    token = add_token(connection, user=row[1], app=app, now=now)
    connection.execute("INSERT INTO used_codes VALUES (?, ?, ?)", (key, hash_of(token), row[3]))
    return Exchange(row[1], token)


def add_token(connection: Connection, *, user: int, app: int | None, now: int) -> str:
    """An access token, which is not kept and cannot be shown again."""
    token = new_secret()
    connection.execute(
        'INSERT INTO tokens (hash, "user", app, created_ms) VALUES (?, ?, ?, ?)', (hash_of(token), user, app, now)
    )
    return token


def bearer_of(connection: Connection, token: str) -> Bearer:
    """Whose token it is; raises BadAuthToken or SuspendedAccount."""
    return bearer_with(connection, hash_of(token) if 0 < len(token) <= _TOKEN_CHARACTERS_MAX else b"")


def bearer_with(connection: Connection, token_hash: bytes) -> Bearer:
    """The same for a token that was seen before."""
    row = connection.execute(
        "SELECT number, id, suspended, hash, used_ms"
        ' FROM tokens JOIN users ON "user" = owner JOIN owners ON number = owner WHERE hash = ?',
        (token_hash,),
    ).fetchone()
    if row is None:
        raise BadAuthToken("the access token is missing or not (any more) valid")
    if row[2]:
        raise SuspendedAccount("this account is suspended")
    return Bearer(Caller(row[0], row[1]), row[3], row[4])


def note_use(connection: Connection, bearer: Bearer, now: int) -> None:
    """By the day only: nobody's habits are kept, and it costs one write a day."""
    connection.execute("UPDATE tokens SET used_ms = ? WHERE hash = ?", (now - now % _DAY_MS, bearer.token_hash))


def grants_of(connection: Connection, user: int) -> list[Grant]:
    """By the application's name; what the host has made stands last."""
    rows = connection.execute(
        "SELECT app, coalesce(client_id, ''), coalesce(name, ''), min(created_ms), max(used_ms), count(*)"
        ' FROM tokens LEFT JOIN apps ON number = app WHERE "user" = ? GROUP BY app, client_id, name'
        " ORDER BY app IS NULL, name, app",
        (user,),
    )
    return [Grant(*row) for row in rows]


def revoke(connection: Connection, user: int, app: int | None) -> int:
    """The application's tokens and codes of this user are worthless from now on; how many tokens there were."""
    if app is None:
        return connection.execute('DELETE FROM tokens WHERE "user" = ? AND app IS NULL', (user,)).rowcount
    connection.execute('DELETE FROM codes WHERE "user" = ? AND app = ?', (user, app))
    return connection.execute('DELETE FROM tokens WHERE "user" = ? AND app = ?', (user, app)).rowcount


def revoke_all(connection: Connection, user: int) -> int:
    """Every application's, and those that the host has made; how many tokens there were."""
    connection.execute('DELETE FROM codes WHERE "user" = ?', (user,))
    return connection.execute('DELETE FROM tokens WHERE "user" = ?', (user,)).rowcount
