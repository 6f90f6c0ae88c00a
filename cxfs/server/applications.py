"""The applications that may ask people for access. Knows nothing of who agreed.

Functions that change take a connection inside a transaction.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NamedTuple

from cxfs.server.errors import InvalidClient, ServerError
from cxfs.server.hashes import equal, hash_of, new_secret
from cxfs.server.limits import APP_NAME_CHARACTERS_MAX
from cxfs.server.wire import new_uuid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxfs.server.database import Connection, Rows

CHALLENGE: Final = {"WWW-Authenticate": 'Basic realm="CX"'}
_COLUMNS: Final = "number, client_id, name, redirect_uris"


class Application(NamedTuple):
    """A registered application; `name` is what its host called it."""

    number: int
    client_id: str
    name: str
    redirect_uris: tuple[str, ...]


def add_app(connection: Connection, name: str, redirect_uris: Sequence[str]) -> tuple[str, str]:
    """A client id and its secret, which is not kept and cannot be shown again. Raises ServerError for the name."""
    if not name.strip() or len(name) > APP_NAME_CHARACTERS_MAX or not name.isprintable():
        raise ServerError(f"not a name for an application: {name!r}")
    if connection.execute("SELECT 1 FROM apps WHERE name = ?", (name,)).fetchone() is not None:
        raise ServerError(f"there is already an application {name!r}")
    client_id, secret = new_uuid(), new_secret()
    connection.execute(
        "INSERT INTO apps (client_id, secret_hash, name, redirect_uris) VALUES (?, ?, ?, ?)",
        (client_id, hash_of(secret), name, json.dumps(list(redirect_uris))),
    )
    return client_id, secret


def app_with_secret(connection: Connection, client_id: str, secret: str) -> Application:
    """The application that proves to be itself; raises InvalidClient."""
    row = connection.execute("SELECT secret_hash FROM apps WHERE client_id = ?", (client_id,)).fetchone()
    if row is None or not equal(row[0], hash_of(secret)):
        raise InvalidClient("unknown application, or not its secret", headers=CHALLENGE)
    return app_of(connection, client_id)


def find_app(connection: Connection, client_id: str) -> Application | None:
    """The application with this client id."""
    found = _found(connection.execute(f"SELECT {_COLUMNS} FROM apps WHERE client_id = ?", (client_id,)))  # noqa: S608 - our own words
    return found[0] if found else None


def app_of(connection: Connection, client_id: str) -> Application:
    """The application with this client id; raises ServerError."""
    found = find_app(connection, client_id)
    if found is None:
        raise ServerError(f"there is no application {client_id!r}")
    return found


def app_named(connection: Connection, name: str) -> Application:
    """By its name, or by its client id where older entries share a name; raises ServerError."""
    query = f"SELECT {_COLUMNS} FROM apps WHERE name = ? OR client_id = ?"  # noqa: S608 - our own words
    found = _found(connection.execute(query, (name, name)))
    if not found:
        raise ServerError(f"there is no application {name!r}")
    if len(found) > 1:
        raise ServerError(f"{len(found)} applications are called {name!r}: say which by its client id")
    return found[0]


def apps(connection: Connection) -> list[Application]:
    """All of them, by name."""
    return _found(connection.execute(f"SELECT {_COLUMNS} FROM apps ORDER BY name, number"))  # noqa: S608 - our own words


def remove_app(connection: Connection, app: Application) -> None:
    """With all that was ever granted to it."""
    for table in ("codes", "tokens"):
        connection.execute(f"DELETE FROM {table} WHERE app = ?", (app.number,))  # noqa: S608 - our own words
    connection.execute("DELETE FROM apps WHERE number = ?", (app.number,))


def _found(rows: Rows) -> list[Application]:
    return [Application(number, client_id, name, tuple(json.loads(uris))) for number, client_id, name, uris in rows]
