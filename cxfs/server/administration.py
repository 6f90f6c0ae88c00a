"""The door for the command line: everything a host does to a directory, by name. Starts nothing; prints nothing.

Each function takes an opened store and raises ServerError with one line for the person who asked. A running server
notices all of it at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args
from urllib.parse import urlsplit

from cxfs.server import accounts
from cxfs.server.accounts import Account, Role
from cxfs.server.carrying import (
    Carried,
    Import,
    Progress,
    caller_named,
    export_tree as _export_tree,
    found_at,
    target_folder,
)
from cxfs.server.errors import ServerError
from cxfs.server.limits import QUOTA_BYTES_DEFAULT
from cxfs.server.store import Store, open_store

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = [
    "Account",
    "Carried",
    "Role",
    "ServerError",
    "Store",
    "add_app",
    "add_group",
    "add_user",
    "export_tree",
    "import_tree",
    "issue_code",
    "issue_token",
    "list_users",
    "open_store",
    "remove_member",
    "revoke_tokens",
    "set_member",
    "set_quota",
    "suspend_user",
    "unsuspend_user",
]


def add_user(
    store: Store, name: str, *, password: str | None = None, quota_bytes: int = QUOTA_BYTES_DEFAULT, email: str = ""
) -> str:
    """A new account's UUID. Without a password it can be used by tokens only."""
    with store.transaction() as connection:
        number = accounts.add_owner(connection, "user", name, capacity=quota_bytes, now=store.clock())
        accounts.add_user(connection, number, email=email, password=password)
        return accounts.account_named(connection, name).id


def list_users(store: Store) -> list[Account]:
    """Every account, by name."""
    return accounts.accounts(store.reader)


def suspend_user(store: Store, name: str) -> None:
    """The account's tokens are refused from now on; nothing is lost."""
    _set_suspended(store, name, suspended=True)


def unsuspend_user(store: Store, name: str) -> None:
    """The account's tokens are good again."""
    _set_suspended(store, name, suspended=False)


def set_quota(store: Store, name: str, quota_bytes: int) -> None:
    """What the user may keep; less than is kept already means: nothing more."""
    if quota_bytes < 0:
        raise ServerError("a quota is a number of bytes, 0 or more")
    with store.transaction() as connection:
        user = accounts.account_named(connection, name).number
        connection.execute("UPDATE owners SET capacity = ? WHERE number = ?", (quota_bytes, user))


def add_group(store: Store, name: str, *, owner: str, quota_bytes: int = QUOTA_BYTES_DEFAULT) -> str:
    """A new group's UUID; `owner` is the name of its first member."""
    with store.transaction() as connection:
        user = accounts.account_named(connection, owner).number
        number = accounts.add_owner(connection, "group", name, capacity=quota_bytes, now=store.clock())
        connection.execute("INSERT INTO members (user, team, role) VALUES (?, ?, 'owner')", (user, number))
        return str(connection.execute("SELECT id FROM owners WHERE number = ?", (number,)).fetchone()[0])


def set_member(store: Store, group: str, user: str, role: Role) -> None:
    """The user's role in the group, whatever it was."""
    if role not in get_args(Role):
        raise ServerError(f"a role is one of {', '.join(get_args(Role))}, not {role!r}")
    with store.transaction() as connection:
        connection.execute(
            "INSERT INTO members (user, team, role) VALUES (?, ?, ?)"
            " ON CONFLICT (user, team) DO UPDATE SET role = excluded.role",
            (accounts.account_named(connection, user).number, accounts.group_named(connection, group), role),
        )


def remove_member(store: Store, group: str, user: str) -> None:
    """The user no longer sees the group; no error when that was so."""
    with store.transaction() as connection:
        connection.execute(
            "DELETE FROM members WHERE user = ? AND team = ?",
            (accounts.account_named(connection, user).number, accounts.group_named(connection, group)),
        )


def add_app(store: Store, name: str, redirect_uris: Sequence[str]) -> tuple[str, str]:
    """An application's client id and secret; the secret is shown this once."""
    for uri in redirect_uris:
        parts = urlsplit(uri)
        if parts.scheme != "https" or not parts.hostname or parts.fragment:
            raise ServerError(f"a redirect URI is an https URL without a fragment, not {uri!r}")
    with store.transaction() as connection:
        return accounts.add_app(connection, name, redirect_uris)


def issue_token(store: Store, user: str, *, app: str | None = None) -> str:
    """An access token for the user, shown this once; `app` is the client id of the application it is for."""
    with store.transaction() as connection:
        return accounts.add_token(
            connection,
            user=accounts.account_named(connection, user).number,
            app=None if app is None else accounts.app_of(connection, app)[0],
            now=store.clock(),
        )


def revoke_tokens(store: Store, user: str) -> int:
    """All access tokens of the user are worthless from now on; how many there were."""
    with store.transaction() as connection:
        number = accounts.account_named(connection, user).number
        return connection.execute("DELETE FROM tokens WHERE user = ?", (number,)).rowcount


def issue_code(store: Store, user: str, *, app: str, redirect_uri: str) -> str:
    """An authorization code, as if the user had agreed in a browser; `app` is the client id."""
    with store.transaction() as connection:
        number, redirect_uris = accounts.app_of(connection, app)
        if redirect_uri not in redirect_uris:
            raise ServerError(f"the application has not registered the redirect URI {redirect_uri!r}")
        person = accounts.account_named(connection, user).number
        return accounts.add_code(connection, app=number, user=person, redirect_uri=redirect_uri, now=store.clock())


def import_tree(store: Store, user: str, folder: Path, to: str = "/", *, progress: Progress) -> Carried:
    """All files and folders below `folder` into the user's folder `to`, modification times kept.

    Links, sockets and the like are skipped and reported; a file that is there already gets a new version.
    """
    if not folder.is_dir():
        raise ServerError(f"{folder} is not a folder")
    return Import(store, target_folder(store, caller_named(store, user), to), progress).run(folder)


def export_tree(store: Store, user: str, path: str, folder: Path, *, progress: Progress) -> Carried:
    """The user's file or folder at `path` into `folder`, which is made or is empty, modification times kept."""
    return _export_tree(store, found_at(store, caller_named(store, user), path), folder, progress)


def _set_suspended(store: Store, name: str, *, suspended: bool) -> None:
    with store.transaction() as connection:
        user = accounts.account_named(connection, name).number
        connection.execute("UPDATE users SET suspended = ? WHERE owner = ?", (suspended, user))
