"""The door for the command line: everything a host does to a directory, by name. Starts nothing; prints nothing.

Each function takes an opened store and raises ServerError with one line for the person who asked. A running server
notices all of it at once.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, get_args

from cxfs.server import accounts, applications, audit, grants
from cxfs.server.accounts import Account, Role
from cxfs.server.applications import Application
from cxfs.server.audit import Entry, Event
from cxfs.server.carrying import (
    Carried,
    Import,
    Progress,
    Stages,
    caller_named,
    export_tree as _export_tree,
    found_at,
    target_folder,
)
from cxfs.server.errors import ServerError
from cxfs.server.feed import forget_all, note_groups
from cxfs.server.grants import Grant
from cxfs.server.hashes import Passwords, check_password
from cxfs.server.limits import QUOTA_BYTES_DEFAULT
from cxfs.server.redirects import LOOPBACK_URIS, check_redirect_uri, is_registered
from cxfs.server.sessions import end_sessions_of
from cxfs.server.store import MOVED, Store, open_store

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cxfs.server.migrating import Migrated

__all__ = [
    "LOOPBACK_URIS",
    "Account",
    "Application",
    "Carried",
    "Entry",
    "Grant",
    "Role",
    "ServerError",
    "Store",
    "account_named",
    "add_app",
    "add_group",
    "add_user",
    "export_tree",
    "import_tree",
    "issue_code",
    "issue_token",
    "list_apps",
    "list_events",
    "list_grants",
    "list_users",
    "migrate",
    "open_store",
    "remove_app",
    "remove_member",
    "revoke_app",
    "revoke_tokens",
    "set_member",
    "set_password",
    "set_quota",
    "suspend_user",
    "unsuspend_user",
]


def add_user(
    store: Store, name: str, *, password: str | None = None, quota_bytes: int = QUOTA_BYTES_DEFAULT, email: str = ""
) -> str:
    """A new account's UUID. Without a password it can be used by tokens only."""
    hashed = None if password is None else _hash(password)
    with store.transaction() as connection:
        number = accounts.add_owner(connection, "user", name, capacity=quota_bytes, now=store.clock())
        accounts.add_user(connection, number, email=email, password_hash=hashed)
        return accounts.account_named(connection, name).id


def account_named(store: Store, name: str) -> Account:
    """The account of that name."""
    return store.look(partial(accounts.account_named, name=name))


def set_password(store: Store, name: str, password: str) -> None:
    """The user signs in with this one from now on, and anew in every browser; applications keep their access."""
    user = account_named(store, name).number
    hashed = _hash(password)
    with store.transaction() as connection:
        accounts.set_password_hash(connection, user, hashed)
        end_sessions_of(connection, user)
        audit.note(connection, Event.PASSWORD_SET, now=store.clock(), user=name)


def list_users(store: Store) -> list[Account]:
    """Every account, by name."""
    return store.look(accounts.accounts)


def suspend_user(store: Store, name: str) -> None:
    """The account's tokens are refused and its browsers signed out from now on; nothing is lost."""
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
        connection.execute('INSERT INTO members ("user", team, role) VALUES (?, ?, ?)', (user, number, "owner"))
        note_groups(connection, user)
        return str(connection.execute("SELECT id FROM owners WHERE number = ?", (number,)).fetchone()[0])


def set_member(store: Store, group: str, user: str, role: Role) -> None:
    """The user's role in the group, whatever it was."""
    if role not in get_args(Role):
        raise ServerError(f"a role is one of {', '.join(get_args(Role))}, not {role!r}")
    with store.transaction() as connection:
        member = accounts.account_named(connection, user).number
        connection.execute(
            'INSERT INTO members ("user", team, role) VALUES (?, ?, ?)'
            ' ON CONFLICT ("user", team) DO UPDATE SET role = excluded.role',
            (member, accounts.group_named(connection, group), role),
        )
        note_groups(connection, member)


def remove_member(store: Store, group: str, user: str) -> None:
    """The user no longer sees the group; no error when that was so."""
    with store.transaction() as connection:
        member = accounts.account_named(connection, user).number
        connection.execute(
            'DELETE FROM members WHERE "user" = ? AND team = ?', (member, accounts.group_named(connection, group))
        )
        note_groups(connection, member)


def add_app(store: Store, name: str, redirect_uris: Sequence[str] = LOOPBACK_URIS) -> tuple[str, str]:
    """An application's client id and secret; the secret is shown this once.

    Unless told otherwise it is a program that listens on the loopback address of the user's machine.
    """
    for uri in redirect_uris:
        check_redirect_uri(uri)
    with store.transaction() as connection:
        added = applications.add_app(connection, name, redirect_uris)
        audit.note(connection, Event.APP_ADDED, now=store.clock(), app=name)
        return added


def list_apps(store: Store) -> list[Application]:
    """Every application, by name."""
    return store.look(applications.apps)


def remove_app(store: Store, name: str) -> None:
    """The application, by its name or client id, with every access that people have granted it."""
    with store.transaction() as connection:
        app = applications.app_named(connection, name)
        applications.remove_app(connection, app)
        audit.note(connection, Event.APP_REMOVED, now=store.clock(), app=app.name)


def issue_token(store: Store, user: str, *, app: str | None = None) -> str:
    """An access token for the user, shown this once; `app` is the client id of the application it is for."""
    with store.transaction() as connection:
        return grants.add_token(
            connection,
            user=accounts.account_named(connection, user).number,
            app=None if app is None else applications.app_of(connection, app).number,
            now=store.clock(),
        )


def list_grants(store: Store, user: str) -> list[Grant]:
    """What has access to the user's account, and since when."""
    return store.look(partial(grants.grants_of, user=account_named(store, user).number))


def revoke_tokens(store: Store, user: str) -> int:
    """All access tokens of the user are worthless from now on; how many there were."""
    with store.transaction() as connection:
        count = grants.revoke_all(connection, accounts.account_named(connection, user).number)
        audit.note(connection, Event.REVOKED, now=store.clock(), user=user)
        return count


def revoke_app(store: Store, user: str, app: str) -> int:
    """The application's access to the user's account ends now; how many tokens it had."""
    with store.transaction() as connection:
        found = applications.app_named(connection, app)
        count = grants.revoke(connection, accounts.account_named(connection, user).number, found.number)
        audit.note(connection, Event.REVOKED, now=store.clock(), user=user, app=found.name)
        return count


def issue_code(store: Store, user: str, *, app: str, redirect_uri: str) -> str:
    """An authorization code, as if the user had agreed in a browser; `app` is the client id."""
    with store.transaction() as connection:
        found = applications.app_of(connection, app)
        if not is_registered(redirect_uri, found.redirect_uris):
            raise ServerError(f"the application has not registered the redirect URI {redirect_uri!r}")
        person = accounts.account_named(connection, user).number
        return grants.add_code(connection, app=found.number, user=person, redirect_uri=redirect_uri, now=store.clock())


def list_events(store: Store, user: str | None, limit: int) -> list[Entry]:
    """The end of the audit log, oldest first; of one user, or of all."""
    if user is not None:
        account_named(store, user)
    return store.look(partial(audit.entries, user=user, limit=limit))


def import_tree(store: Store, user: str, folder: Path, to: str = "/", *, progress: Progress) -> Carried:
    """All files and folders below `folder` into the user's folder `to`, modification times kept.

    Links, sockets and the like are skipped and reported; a file that is there already gets a new version.
    """
    if not folder.is_dir():
        raise ServerError(f"{folder} is not a folder")
    caller = caller_named(store, user)
    return Import(store, caller, target_folder(store, caller, to), progress).run(folder)


def export_tree(store: Store, user: str, path: str, folder: Path, *, progress: Progress) -> Carried:
    """The user's file or folder at `path` into `folder`, which is made or is empty, modification times kept."""
    return _export_tree(store, found_at(store, caller_named(store, user), path), folder, progress)


def migrate(directory: Path, to: str, content: str | None, *, begins: Stages) -> Migrated:
    """Everything in a server's directory goes to the database `to`, and its large contents to the bucket `content`.

    Without a bucket they stay where they are. Nobody may be serving it. Broken off, it goes on where it was.
    """
    from cxfs.server.migrating import Migration  # noqa: PLC0415 - a server in a folder needs none of this
    from cxfs.server.postgresql import PostgresDatabase  # noqa: PLC0415
    from cxfs.server.serving import alone  # noqa: PLC0415

    if not (directory / "cx.sqlite3").exists():
        raise ServerError(f"{directory} is no server's directory")
    with (
        alone(directory),
        open_store(directory) as source,
        open_store(directory, database=to, content=content) as target,
    ):
        assert isinstance(target.database, PostgresDatabase)
        migrated = Migration(source, target, target.database, begins).run()
    options = f"--database {_without_password(to)}" + (f" --content {content}" if content else "")
    (directory / MOVED).write_text(f"{options}\n", encoding="utf-8")
    return migrated


def note_restored(store: Store) -> None:
    """The tables were put back from a backup: whoever follows changes asks for everything anew."""
    with store.transaction() as connection:
        forget_all(connection)


def _without_password(url: str) -> str:
    return re.sub(r"//([^:/@]*):[^@/]*@", r"//\1@", url)


def _set_suspended(store: Store, name: str, *, suspended: bool) -> None:
    with store.transaction() as connection:
        user = accounts.account_named(connection, name).number
        connection.execute("UPDATE users SET suspended = ? WHERE owner = ?", (suspended, user))
        end_sessions_of(connection, user)
        audit.note(connection, Event.SUSPENDED if suspended else Event.UNSUSPENDED, now=store.clock(), user=name)


def _hash(password: str) -> str:
    check_password(password)
    return Passwords().hash(password)
