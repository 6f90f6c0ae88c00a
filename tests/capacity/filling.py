"""Accounts with as many objects as one likes, by rows instead of requests. Knows the tables, and no call.

What is filled in is what as many uploads would have left: contents, names, the log of changes, the sums of the owner.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, Literal

from cxfs.server import administration
from cxfs.server.limits import CHANGES_KEPT
from cxfs.server.sqlite import SqliteDatabase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from cxfs.server.database import Connection, Database
    from cxfs.server.store import Store

Shape = Literal["folders", "one folder"]
"""How the files lie: a thousand in each folder, as people have them at most, or all in one."""

FILES_IN_A_FOLDER: Final = 1_000
FILE_BYTES: Final = 100
QUOTA_BYTES: Final = 1 << 50

NEIGHBOURS: Final = 1_000
"""Other accounts beside it, each with a token and an empty tree: else PostgreSQL reads such short tables whole."""

FILES_WITH_HISTORY: Final = 10
"""Of so many files one has a former version."""

FIRST: Final = 10_000
"""Number of the first object, beyond those of the neighbours."""

_Filling = tuple[str, tuple[str, ...], "Callable[[_Account], Iterator[Sequence[Any]]]"]


class _Account:
    """What is to be there: the neighbours, and `count` objects below a root, numbered from FIRST."""

    def __init__(self, connection: Connection, owner: int, count: int, shape: Shape) -> None:
        self.owner = owner
        self.count = count
        self.neighbours = range(owner + 1, owner + 1 + NEIGHBOURS)
        (self.root,) = connection.execute("SELECT number FROM nodes WHERE owner = ?", (owner,)).fetchone()
        self._in_each = count if shape == "one folder" else FILES_IN_A_FOLDER + 1

    def objects(self) -> Iterator[tuple[int, int, str, bool]]:
        """Number, the folder's number, name, and whether it is a folder: each folder before what is in it."""
        folder = self.root
        for each in range(self.count):
            number, place = FIRST + each, each % self._in_each
            if place == 0:
                folder = number
                yield number, self.root, folder_name(each // self._in_each), True
            else:
                yield number, folder, file_name(place - 1), False

    def files(self) -> Iterator[int]:
        """Their numbers, which are those of their contents too."""
        return (number for number, _, _, is_folder in self.objects() if not is_folder)

    @property
    def file_count(self) -> int:
        return self.count - -(-self.count // self._in_each)


def folder_name(number: int) -> str:
    """Of the so-manieth folder, from 0."""
    return f"folder {number:06}"


def file_name(number: int) -> str:
    """Of the so-manieth file in its folder, from 0."""
    return f"file {number:07}.txt"


def object_id(number: int) -> str:
    """A UUID as the contract has it, made of a node's number."""
    return f"{number:022}"


def filled_account(store: Store, name: str, count: int, shape: Shape = "folders") -> str:
    """The first account of a new server, with so many objects below its root; its token."""
    administration.add_user(store, name, quota_bytes=QUOTA_BYTES)
    token = administration.issue_token(store, name)
    with store.transaction() as connection:
        (owner,) = connection.execute("SELECT number FROM owners WHERE name = ?", (name,)).fetchone()
        account = _Account(connection, owner, count, shape)
        if not isinstance(store.database, SqliteDatabase):
            connection.execute("SET LOCAL session_replication_role = replica")  # looks up no reference
        for table, columns, rows in _FILLINGS:
            _fill(store.database, connection, table, columns, rows(account))
        connection.execute(
            "UPDATE owners SET consumed = ?, changes = ? WHERE number = ?",
            (account.file_count * FILE_BYTES, count, owner),
        )
        connection.execute(
            "UPDATE owners SET consumed_before = ? WHERE number = ?",
            (len(list(_versions(account))) * FILE_BYTES, owner),
        )
        if not isinstance(store.database, SqliteDatabase):
            store.database.go_on_counting(connection)  # type: ignore[attr-defined]
    return token


def _fill(
    database: Database, connection: Connection, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    if isinstance(database, SqliteDatabase):
        named, marks = ", ".join(f'"{column}"' for column in columns), ", ".join("?" * len(columns))
        connection.executemany(f"INSERT INTO {table} ({named}) VALUES ({marks})", rows)
    else:
        database.fill(connection, table, columns, rows)  # type: ignore[attr-defined]


def _owners(account: _Account) -> Iterator[Sequence[Any]]:
    for number in account.neighbours:
        yield number, object_id(number), "user", f"neighbour {number}", QUOTA_BYTES


def _users(account: _Account) -> Iterator[Sequence[Any]]:
    for number in account.neighbours:
        yield number, f"neighbour{number}@example.org"


def _tokens(account: _Account) -> Iterator[Sequence[Any]]:
    for number in account.neighbours:
        yield sha256(str(number).encode()).digest(), number, 0


def _roots(account: _Account) -> Iterator[Sequence[Any]]:
    for number in account.neighbours:
        yield FIRST - number, object_id(FIRST - number), number, "", True, 1, 0, 0


def _contents(account: _Account) -> Iterator[Sequence[Any]]:
    for number in account.files():
        digest = sha256(number.to_bytes(8)).digest()
        yield number, digest, FILE_BYTES, f"{number:027}", f"{number:022}"


def _small(account: _Account) -> Iterator[Sequence[Any]]:
    for number in account.files():
        yield number, number.to_bytes(FILE_BYTES)


def _nodes(account: _Account) -> Iterator[Sequence[Any]]:
    for number, parent, name, is_folder in account.objects():
        content, kind = (None, "") if is_folder else (number, "text/plain")
        made = 1_350_941_207_700 + number
        yield number, object_id(number), account.owner, parent, name, is_folder, 1, made, made, kind, content


def _versions(account: _Account) -> Iterator[Sequence[Any]]:
    """The content is that of another file: as if this one had been a copy of it."""
    for number in account.files():
        if number % FILES_WITH_HISTORY == 0:
            yield number, 0, FIRST + 1, "text/plain", 0, number


def _feed(account: _Account) -> Iterator[Sequence[Any]]:
    for position in range(max(0, account.count - CHANGES_KEPT), account.count):
        number = FIRST + position
        yield account.owner, object_id(number), position + 1, position + 1, 0, 0, 0


_FILLINGS: Final[tuple[_Filling, ...]] = (
    ("owners", ("number", "id", "kind", "name", "capacity"), _owners),
    ("users", ("owner", "email"), _users),
    ("tokens", ("hash", "user", "created_ms"), _tokens),
    ("nodes", ("number", "id", "owner", "name", "is_folder", "version", "created_ms", "modified_ms"), _roots),
    ("contents", ("number", "sha256", "size", "sha1", "md5"), _contents),
    ("small", ("content", "bytes"), _small),
    (
        "nodes",
        (
            "number", "id", "owner", "parent", "name", "is_folder", "version", "created_ms", "modified_ms",
            "content_type", "content",
        ),
        _nodes,
    ),
    ("versions", ("node", "version", "content", "content_type", "modified_ms", "replaced_ms"), _versions),
    ("feed", ("owner", "object", "position", "created", "moved", "gone", "version"), _feed),
)  # fmt: skip
