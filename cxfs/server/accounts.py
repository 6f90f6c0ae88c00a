"""Who there is: users, groups and their members, applications, codes and tokens. Knows nothing of files but their sum.

Secrets are kept as hashes only. A token or client secret is 256 random bits, so SHA-256 is enough; a password is what a
person can remember, so argon2. Functions that change take a connection inside a transaction.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import sqlite3
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from cxfs.server.errors import BadAuthToken, InvalidClient, ServerError, SuspendedAccount
from cxfs.server.limits import CODE_LIFE_S, NAME_CHARACTERS_MAX
from cxfs.server.wire import new_uuid

if TYPE_CHECKING:
    from collections.abc import Sequence

Role = Literal["owner", "writer", "reader"]
ROLES: Final[tuple[Role, ...]] = ("owner", "writer", "reader")

_TOKEN_CHARACTERS_MAX: Final = 128


class Caller(NamedTuple):
    """The user whose token a request carries."""

    number: int
    id: str


class Account(NamedTuple):
    """What is known of a user."""

    number: int
    id: str
    name: str
    email: str
    suspended: bool
    capacity: int
    consumed: int
    consumed_before: int


class Membership(NamedTuple):
    """A group as one of its members sees it."""

    id: str
    name: str
    role: Role
    capacity: int
    consumed: int
    consumed_before: int


def add_owner(
    connection: sqlite3.Connection, kind: Literal["user", "group"], name: str, *, capacity: int, now: int
) -> int:
    """A new tree with an empty root; its owner's number. Raises ServerError for a name that is taken or no name."""
    if not name.strip() or len(name) > NAME_CHARACTERS_MAX or not name.isprintable():
        raise ServerError(f"not a name for a {kind}: {name!r}")
    if capacity < 0:
        raise ServerError("a quota is a number of bytes, 0 or more")
    try:
        cursor = connection.execute(
            "INSERT INTO owners (id, kind, name, capacity) VALUES (?, ?, ?, ?)", (new_uuid(), kind, name, capacity)
        )
    except sqlite3.IntegrityError as error:
        raise ServerError(f"there is already a {kind} {name!r}") from error
    number = cursor.lastrowid
    assert number is not None
    connection.execute(
        "INSERT INTO nodes (id, owner, parent, name, is_folder, version, created_ms, modified_ms)"
        " VALUES (?, ?, NULL, '', 1, 1, ?, ?)",
        (new_uuid(), number, now, now),
    )
    return number


def add_user(connection: sqlite3.Connection, number: int, *, email: str, password: str | None) -> None:
    """Makes the owner with this number a person."""
    hashed = None if password is None else PasswordHasher().hash(password)
    connection.execute("INSERT INTO users (owner, email, password) VALUES (?, ?, ?)", (number, email, hashed))


def password_is(connection: sqlite3.Connection, name: str, password: str) -> bool:
    """Whether this user has this password; takes as long for a user that does not exist."""
    row = connection.execute(
        "SELECT password FROM users JOIN owners ON number = owner WHERE kind = 'user' AND name = ?", (name,)
    ).fetchone()
    known = row is not None and row[0] is not None
    try:
        PasswordHasher().verify(row[0] if known else PasswordHasher().hash(""), password)
    except VerifyMismatchError:
        return False
    return known


def accounts(connection: sqlite3.Connection) -> list[Account]:
    """Every user, by name."""
    return [Account(*row) for row in connection.execute("SELECT * FROM accounts ORDER BY name")]


def account_named(connection: sqlite3.Connection, name: str) -> Account:
    """The user of that name; raises ServerError."""
    row = connection.execute("SELECT * FROM accounts WHERE name = ?", (name,)).fetchone()
    if row is None:
        raise ServerError(f"there is no user {name!r}")
    return Account(*row)


def account_of(connection: sqlite3.Connection, caller: Caller) -> Account:
    """The caller's own."""
    return Account(*connection.execute("SELECT * FROM accounts WHERE number = ?", (caller.number,)).fetchone())


def group_named(connection: sqlite3.Connection, name: str) -> int:
    """The owner number of the group of that name; raises ServerError."""
    row = connection.execute("SELECT number FROM owners WHERE kind = 'group' AND name = ?", (name,)).fetchone()
    if row is None:
        raise ServerError(f"there is no group {name!r}")
    return int(row[0])


def memberships(connection: sqlite3.Connection, user: int) -> list[Membership]:
    """The user's groups, by name."""
    rows = connection.execute(
        "SELECT id, name, role, capacity, consumed, consumed_before FROM members JOIN owners ON number = team"
        " WHERE user = ? ORDER BY name",
        (user,),
    )
    return [Membership(*row) for row in rows]


def role_in(connection: sqlite3.Connection, caller: Caller, owner: int) -> Role | None:
    """What the caller may do in that owner's tree; None: not even know of it."""
    if owner == caller.number:
        return "owner"
    row = connection.execute("SELECT role FROM members WHERE user = ? AND team = ?", (caller.number, owner)).fetchone()
    return None if row is None else row[0]


def add_app(connection: sqlite3.Connection, name: str, redirect_uris: Sequence[str]) -> tuple[str, str]:
    """A client id and its secret, which is not kept and cannot be shown again."""
    client_id, secret = new_uuid(), secrets.token_urlsafe(32)
    connection.execute(
        "INSERT INTO apps (client_id, secret_hash, name, redirect_uris) VALUES (?, ?, ?, ?)",
        (client_id, _hash(secret), name, json.dumps(list(redirect_uris))),
    )
    return client_id, secret


def app_with_secret(connection: sqlite3.Connection, client_id: str, secret: str) -> int:
    """The application's number; raises InvalidClient."""
    row = connection.execute("SELECT number, secret_hash FROM apps WHERE client_id = ?", (client_id,)).fetchone()
    if row is None or not hmac.compare_digest(row[1], _hash(secret)):
        raise InvalidClient("unknown application, or not its secret", headers={"WWW-Authenticate": 'Basic realm="CX"'})
    return int(row[0])


def app_of(connection: sqlite3.Connection, client_id: str) -> tuple[int, list[str]]:
    """The application's number and redirect URIs; raises ServerError."""
    row = connection.execute("SELECT number, redirect_uris FROM apps WHERE client_id = ?", (client_id,)).fetchone()
    if row is None:
        raise ServerError(f"there is no application {client_id!r}")
    return int(row[0]), json.loads(row[1])


def add_code(connection: sqlite3.Connection, *, app: int, user: int, redirect_uri: str, now: int) -> str:
    """An authorization code: good once, for this application and URI, for CODE_LIFE_S seconds."""
    code = secrets.token_urlsafe(32)
    connection.execute("DELETE FROM codes WHERE expires_ms <= ?", (now,))
    connection.execute(
        "INSERT INTO codes VALUES (?, ?, ?, ?, ?)", (_hash(code), app, user, redirect_uri, now + CODE_LIFE_S * 1_000)
    )
    return code


def use_code(connection: sqlite3.Connection, code: str, *, app: int, redirect_uri: str, now: int) -> int | None:
    """The user who gave it, or None for a code that is not good. A wrong try uses it up too: commit either way."""
    row = connection.execute(
        "DELETE FROM codes WHERE hash = ? RETURNING app, user, redirect_uri, expires_ms", (_hash(code),)
    ).fetchone()
    if row is None or row[0] != app or row[2] != redirect_uri or row[3] <= now:
        return None
    return int(row[1])


def add_token(connection: sqlite3.Connection, *, user: int, app: int | None, now: int) -> str:
    """An access token, which is not kept and cannot be shown again."""
    token = secrets.token_urlsafe(32)
    connection.execute("INSERT INTO tokens VALUES (?, ?, ?, ?)", (_hash(token), user, app, now))
    return token


def caller_with_token(connection: sqlite3.Connection, token: str) -> Caller:
    """Whose token it is; raises BadAuthToken or SuspendedAccount."""
    row = None
    if 0 < len(token) <= _TOKEN_CHARACTERS_MAX:
        row = connection.execute(
            "SELECT number, id, suspended FROM tokens JOIN users ON user = owner JOIN owners ON number = owner"
            " WHERE hash = ?",
            (_hash(token),),
        ).fetchone()
    if row is None:
        raise BadAuthToken("the access token is missing or not (any more) valid")
    if row[2]:
        raise SuspendedAccount("this account is suspended")
    return Caller(row[0], row[1])


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
