"""The log of changes, owner by owner, that the capability `changes` tells of. Knows no waiting, no rights, no request.

It is written in the transaction of what it tells of. A position is taken by counting up the owner's row, which is
locked from then until the commit: whoever sees a position sees all before it, however many write at once. There is one
row an object, which its next change moves to the end: the log says what has come about, not how.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import msgspec

from cxfs.server.limits import CHANGES_KEPT, CHANGES_PER_ANSWER_MAX, RESTORED_STEP
from cxfs.server.trees import Node
from cxfs.server.wire import File

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxfs.server.database import Connection

Kind = Literal["created", "updated", "moved", "deleted"]

_FORGET_STEP: Final = 250
"""Old changes are dropped so many at a time: dropping one for each that comes would cost as much as writing it."""

_ASKED_AT_ONCE: Final = 500
"""Parameters of one statement; databases have a limit for them."""

_CELLS: Final = "(?, ?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT: Final = """
INSERT INTO feed (owner, object, position, created, moved, gone, version, path, previous_path)
VALUES {}
ON CONFLICT (owner, object) DO UPDATE SET
    position = excluded.position,
    created = CASE WHEN excluded.created > 0 THEN excluded.created ELSE feed.created END,
    moved = CASE WHEN excluded.moved > 0 THEN excluded.moved ELSE feed.moved END,
    gone = excluded.gone,
    version = excluded.version,
    path = excluded.path,
    previous_path = coalesce(excluded.previous_path, feed.previous_path)
"""
_NOTE: Final = _INSERT.format(_CELLS)
_NOTE_TWO: Final = _INSERT.format(f"{_CELLS}, {_CELLS}")
_A_FEW: Final = 2
"""An object and its folder, the usual case: in PostgreSQL cheaper in one statement than in two that travel together."""


class Change(msgspec.Struct, rename="camel", frozen=True):
    """One object's, as the contract shows it. `file` is missing for what is gone."""

    id: str
    version: int
    path: str
    kind: Kind
    previous_path: str | msgspec.UnsetType = msgspec.UNSET
    file: File | msgspec.UnsetType = msgspec.UNSET


class News(msgspec.Struct, frozen=True):
    """What has come about behind a cursor, in order, and the cursor behind that. `reset`: the log does not go back.

    `groups`: of a user's tree, another number when the groups that the user is in have changed.
    """

    cursor: str
    changes: list[Change]
    reset: bool = False
    groups: int | msgspec.UnsetType = msgspec.UNSET


class _Row(NamedTuple):
    """The last change of an object; `created` and `moved` are the positions at which that last happened, or 0."""

    object: str
    position: int
    created: int
    moved: int
    gone: int
    version: int
    path: str | None
    previous_path: str | None

    def kind(self, after: int) -> Kind:
        """What it comes to for whoever has read up to that position."""
        if self.gone:
            return "deleted"
        return "created" if self.created > after else "moved" if self.moved > after else "updated"


class Paths:
    """File paths at one moment; what many have in common is looked up once."""

    def __init__(self, connection: Connection, owner: int) -> None:
        self._connection = connection
        (self._root,) = connection.execute("SELECT id FROM owners WHERE number = ?", (owner,)).fetchone()
        self._known: dict[int, str] = {}

    def of(self, node: Node) -> str:
        """`OWNER:/a/b`."""
        return f"{self._root}:/" if node.parent is None else f"{self._folder(node.parent)}/{node.name}"

    def _folder(self, number: int) -> str:
        """Without the slash at its end."""
        below: list[tuple[int, str]] = []
        while number not in self._known:
            parent, name = self._connection.execute(
                "SELECT parent, name FROM nodes WHERE number = ?", (number,)
            ).fetchone()
            if parent is None:
                self._known[number] = f"{self._root}:"
            else:
                below.append((number, name))
                number = parent
        path = self._known[number]
        for number, name in reversed(below):
            path = f"{path}/{name}"
            self._known[number] = path
        return path


def path_of(connection: Connection, node: Node) -> str:
    """Where it is."""
    return Paths(connection, node.owner).of(node)


def note(
    connection: Connection,
    owner: int,
    uuid: str,
    kind: Kind,
    *,
    version: int = 0,
    path: str | None = None,
    previous_path: str | None = None,
) -> None:
    """Adds a change. `version` and `path` are those of what is gone; what is there is asked when the log is read."""
    last = _count_up(connection, owner, 1)
    connection.execute(_NOTE, _row(owner, uuid, kind, last, version=version, path=path, previous_path=previous_path))
    _forget_old(connection, owner, last, 1)


def note_all(connection: Connection, owner: int, happened: Sequence[tuple[str, Kind]]) -> None:
    """Of objects that are there, in this order: as few statements as one has."""
    last = _count_up(connection, owner, len(happened))
    rows = [
        _row(owner, uuid, kind, position) for position, (uuid, kind) in enumerate(happened, last - len(happened) + 1)
    ]
    if len(rows) == _A_FEW and rows[0][1] != rows[1][1]:
        connection.execute(_NOTE_TWO, rows[0] + rows[1])
    else:
        connection.executemany(_NOTE, rows)
    _forget_old(connection, owner, last, len(happened))


def note_deleted(connection: Connection, node: Node) -> None:
    """It and all below it are about to go."""
    note(connection, node.owner, node.id, "deleted", version=node.version, path=path_of(connection, node))


def note_moved(connection: Connection, node: Node, owner: int, previous_path: str) -> None:
    """It has come to its place from `previous_path`, which may have been another owner's tree."""
    if owner == node.owner:
        note(connection, owner, node.id, "moved", previous_path=previous_path)
        return
    note(connection, owner, node.id, "deleted", version=node.version, path=previous_path)
    if connection.execute("SELECT 1 FROM feed WHERE owner = ? AND object = ?", (node.owner, node.id)).fetchone():
        forget(connection, node.owner)
    note(connection, node.owner, node.id, "created")


def forget(connection: Connection, owner: int) -> None:
    """Every cursor given out until now is answered with a reset.

    For what has been another's meanwhile: what happened below it there is in no log that a follower of this one reads.
    """
    connection.execute(
        "UPDATE owners SET changes = changes + 1, changes_since = changes + 1 WHERE number = ?", (owner,)
    )


def forget_all(connection: Connection) -> None:
    """As `forget`, of all owners, also for cursors that were given out in a future which a backup knows nothing of."""
    connection.execute(
        "UPDATE owners SET changes = changes + ?, changes_since = changes + ?, groups_changed = groups_changed + ?",
        (RESTORED_STEP, RESTORED_STEP, RESTORED_STEP),
    )


def note_groups(connection: Connection, user: int) -> None:
    """The user is in other groups now, or has another role in one: whoever follows the user's tree hears of it."""
    connection.execute(
        "UPDATE owners SET changes = changes + 1, groups_changed = changes + 1 WHERE number = ?", (user,)
    )


def position_of(cursor: str) -> int | None:
    """None for what is no cursor of ours."""
    return int(cursor) if cursor.isascii() and cursor.isdigit() and len(cursor) <= len(str(1 << 62)) else None


def news(connection: Connection, owner: int, cursor: str | None) -> News:
    """Behind that cursor, as much as fits one answer; without one, where the log ends now. Ask it in a snapshot."""
    last, since, kind, groups_changed = connection.execute(
        "SELECT changes, changes_since, kind, groups_changed FROM owners WHERE number = ?", (owner,)
    ).fetchone()
    groups = groups_changed if kind == "user" else msgspec.UNSET
    position = last if cursor is None else position_of(cursor)
    if position is None or not max(since, last - CHANGES_KEPT) <= position <= last:
        return News(str(last), [], reset=True, groups=groups)
    if position == last:
        return News(str(last), [], groups=groups)
    rows = [
        _Row(*row)
        for row in connection.execute(
            "SELECT object, position, created, moved, gone, version, path, previous_path FROM feed"
            " WHERE owner = ? AND position > ? ORDER BY position LIMIT ?",
            (owner, position, CHANGES_PER_ANSWER_MAX),
        )
    ]
    until = rows[-1].position if len(rows) == CHANGES_PER_ANSWER_MAX else last
    return News(str(until), _shown(connection, owner, rows, after=position, until=until), groups=groups)


def positions(connection: Connection, owners: Sequence[int]) -> list[tuple[int, int]]:
    """How far the log of each of these owners goes."""
    found: list[tuple[int, int]] = []
    for start in range(0, len(owners), _ASKED_AT_ONCE):
        some = owners[start : start + _ASKED_AT_ONCE]
        marks = ", ".join("?" * len(some))
        found += connection.execute(f"SELECT number, changes FROM owners WHERE number IN ({marks})", some).fetchall()  # noqa: S608 - our own words
    return found


def _shown(connection: Connection, owner: int, rows: list[_Row], *, after: int, until: int) -> list[Change]:
    """What lay in a folder that is gone is left out: the folder's own change, further on, stands for it."""
    there = map(
        Node._make,
        connection.execute(
            "SELECT * FROM objects WHERE owner = ? AND id IN"
            " (SELECT object FROM feed WHERE owner = ? AND position > ? AND position <= ?)",
            (owner, owner, after, until),
        ),
    )
    nodes = {node.id: node for node in there}
    paths, changes = Paths(connection, owner), []
    for row in rows:
        node, kind = nodes.get(row.object), row.kind(after)
        if node is not None:
            previous_path = (kind == "moved" and row.previous_path) or msgspec.UNSET
            changes.append(Change(node.id, node.version, paths.of(node), kind, previous_path, node.file))
        elif kind == "deleted":
            changes.append(Change(row.object, row.version, row.path or "", kind))
    return changes


def _count_up(connection: Connection, owner: int, count: int) -> int:
    """The last of so many next positions; the owner's row is locked until the transaction is over."""
    (position,) = connection.execute(
        "UPDATE owners SET changes = changes + ? WHERE number = ? RETURNING changes", (count, owner)
    ).fetchone()
    return int(position)


def _row(
    owner: int,
    uuid: str,
    kind: Kind,
    position: int,
    *,
    version: int = 0,
    path: str | None = None,
    previous_path: str | None = None,
) -> tuple[int | str | None, ...]:
    created, moved = position * (kind == "created"), position * (kind == "moved")
    return owner, uuid, position, created, moved, int(kind == "deleted"), version, path, previous_path


def _forget_old(connection: Connection, owner: int, last: int, count: int) -> None:
    """When one of the last `count` positions is a round one."""
    if last % _FORGET_STEP < count:
        connection.execute("DELETE FROM feed WHERE owner = ? AND position <= ?", (owner, last - CHANGES_KEPT))
