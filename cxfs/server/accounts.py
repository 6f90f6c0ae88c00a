"""Who there is: users, groups and their members. Knows nothing of files but their sum, and of passwords but hashes.

Functions that change take a connection inside a transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from cxfs.server.errors import ServerError
from cxfs.server.limits import NAME_CHARACTERS_MAX
from cxfs.server.wire import new_uuid

if TYPE_CHECKING:
    from cxfs.server.database import Connection

Role = Literal["owner", "writer", "reader"]
ROLES: Final[tuple[Role, ...]] = ("owner", "writer", "reader")


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


class Credentials(NamedTuple):
    """How a user proves to be one. Without a password hash: by tokens only."""

    number: int
    password_hash: str | None
    suspended: bool


class Membership(NamedTuple):
    """A group as one of its members sees it."""

    id: str
    name: str
    role: Role
    capacity: int
    consumed: int
    consumed_before: int


def add_owner(connection: Connection, kind: Literal["user", "group"], name: str, *, capacity: int, now: int) -> int:
    """A new tree with an empty root; its owner's number. Raises ServerError for a name that is taken or no name."""
    if not name.strip() or len(name) > NAME_CHARACTERS_MAX or not name.isprintable():
        raise ServerError(f"not a name for a {kind}: {name!r}")
    if capacity < 0:
        raise ServerError("a quota is a number of bytes, 0 or more")
    row = connection.execute(
        "INSERT INTO owners (id, kind, name, capacity) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING number",
        (new_uuid(), kind, name, capacity),
    ).fetchone()
    if row is None:
        raise ServerError(f"there is already a {kind} {name!r}")
    connection.execute(
        "INSERT INTO nodes (id, owner, parent, name, is_folder, version, created_ms, modified_ms)"
        " VALUES (?, ?, NULL, '', ?, 1, ?, ?)",
        (new_uuid(), row[0], True, now, now),
    )
    return int(row[0])


def add_user(connection: Connection, number: int, *, email: str, password_hash: str | None) -> None:
    """Makes the owner with this number a person."""
    connection.execute("INSERT INTO users (owner, email, password) VALUES (?, ?, ?)", (number, email, password_hash))


def set_password_hash(connection: Connection, user: int, password_hash: str) -> None:
    """Instead of what there was."""
    connection.execute("UPDATE users SET password = ? WHERE owner = ?", (password_hash, user))


def credentials_of(connection: Connection, name: str) -> Credentials | None:
    """What is needed to let a person in; None: no such account."""
    row = connection.execute(
        "SELECT number, password, suspended FROM users JOIN owners ON number = owner WHERE kind = 'user' AND name = ?",
        (name,),
    ).fetchone()
    return None if row is None else Credentials(row[0], row[1], bool(row[2]))


def accounts(connection: Connection) -> list[Account]:
    """Every user, by name."""
    return [Account(*row) for row in connection.execute("SELECT * FROM accounts ORDER BY name")]


def account_named(connection: Connection, name: str) -> Account:
    """The user of that name; raises ServerError."""
    row = connection.execute("SELECT * FROM accounts WHERE name = ?", (name,)).fetchone()
    if row is None:
        raise ServerError(f"there is no user {name!r}")
    return Account(*row)


def name_of(connection: Connection, user: int) -> str:
    """What a user that exists is called."""
    return str(connection.execute("SELECT name FROM owners WHERE number = ?", (user,)).fetchone()[0])


def account_of(connection: Connection, caller: Caller) -> Account:
    """The caller's own."""
    return Account(*connection.execute("SELECT * FROM accounts WHERE number = ?", (caller.number,)).fetchone())


def group_named(connection: Connection, name: str) -> int:
    """The owner number of the group of that name; raises ServerError."""
    row = connection.execute("SELECT number FROM owners WHERE kind = 'group' AND name = ?", (name,)).fetchone()
    if row is None:
        raise ServerError(f"there is no group {name!r}")
    return int(row[0])


def memberships(connection: Connection, user: int) -> list[Membership]:
    """The user's groups, by name."""
    rows = connection.execute(
        "SELECT id, name, role, capacity, consumed, consumed_before FROM members JOIN owners ON number = team"
        ' WHERE "user" = ? ORDER BY name',
        (user,),
    )
    return [Membership(*row) for row in rows]


def role_in(connection: Connection, caller: Caller, owner: int) -> Role | None:
    """What the caller may do in that owner's tree; None: not even know of it."""
    if owner == caller.number:
        return "owner"
    row = connection.execute(
        'SELECT role FROM members WHERE "user" = ? AND team = ?', (caller.number, owner)
    ).fetchone()
    return None if row is None else row[0]
