"""What a change of an entry means for the folder it is in, and what the log of changes hears of both. Knows no request.

At once, or for many changes of one transaction together at its end: a folder's row is then written once, and not once
for each of two hundred files that came into it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from cxfs.server.feed import Kind, note_all
from cxfs.server.trees import KnownFolders, Node

if TYPE_CHECKING:
    from cxfs.server.database import Connection

Entry = tuple[str, Kind]
"""A UUID, and what became of it."""


class Listings(KnownFolders, Protocol):
    """Where changes say which folders they are about."""

    def touch(self, connection: Connection, folder: int, *, now: int | None, entry: Entry | None = None) -> None:
        """The folder's listing changed, for what became of the entry; with `now`, its set of names did."""
        ...


class AtOnce:
    """For a change that is alone."""

    def touch(self, connection: Connection, folder: int, *, now: int | None, entry: Entry | None = None) -> None:
        """In three statements, or nothing where the folder is gone."""
        counted = _counted(connection, folder, now)
        if counted is not None:
            owner, uuid = counted
            note_all(connection, owner, [*([entry] if entry else []), (uuid, "updated")])

    def folder(self, _owner: int, _names: tuple[str, ...]) -> None:
        """None is."""

    def know(self, owner: int, names: tuple[str, ...], folder: Node) -> None:
        """Not needed."""


class Together:
    """For changes that follow each other in one transaction, none of which makes, moves or removes a folder of others.

    `settle` ends them.
    """

    def __init__(self) -> None:
        self._touched: dict[int, int | None] = {}
        self._entries: dict[int, list[Entry]] = {}
        self._folders: dict[tuple[int, tuple[str, ...]], Node] = {}

    def touch(self, _connection: Connection, folder: int, *, now: int | None, entry: Entry | None = None) -> None:
        """Not yet."""
        self._touched[folder] = self._touched.get(folder) if now is None else now
        self._entries.setdefault(folder, []).extend([entry] if entry else [])

    def folder(self, owner: int, names: tuple[str, ...]) -> Node | None:
        """Found once."""
        return self._folders.get((owner, names))

    def know(self, owner: int, names: tuple[str, ...], folder: Node) -> None:
        """Of as many as there are items."""
        self._folders[owner, names] = folder

    def settle(self, connection: Connection) -> None:
        """One version more for each folder, and all entries in the log, each owner's in their order."""
        noted: dict[int, list[Entry]] = {}
        for folder, now in self._touched.items():
            counted = _counted(connection, folder, now)
            if counted is not None:  # else it was removed after what it held
                noted.setdefault(counted[0], []).extend([*self._entries[folder], (counted[1], "updated")])
        for owner, entries in noted.items():
            note_all(connection, owner, entries)


def _counted(connection: Connection, folder: int, now: int | None) -> tuple[int, str] | None:
    """Its owner and UUID; None where it is not there any more."""
    with_time, cells = ("", ()) if now is None else (", modified_ms = ?, modified_rest_ns = 0", (now,))
    row = connection.execute(
        f"UPDATE nodes SET version = version + 1{with_time} WHERE number = ? RETURNING owner, id",  # noqa: S608 - our own words
        (*cells, folder),
    ).fetchone()
    return None if row is None else (int(row[0]), str(row[1]))
