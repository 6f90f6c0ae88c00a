"""What there is: finding and listing nodes, and who may. Changes nothing.

Existence is private: whoever has no role in a tree gets NotFound for all of it, its root included.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeVar

import msgspec
from msgspec import UNSET

from cxfs.server.accounts import Caller, Role, role_in
from cxfs.server.attributes import show_mode
from cxfs.server.errors import AccessDenied, InvalidPath, IsADirectory, NotADirectory, NotFound
from cxfs.server.limits import PAGE_XATTR_BYTES
from cxfs.server.wire import File, TreePath, UuidPath, show_fine_time, show_time

if TYPE_CHECKING:
    from cxfs.server.database import Connection, Rows

Found = TypeVar("Found")


class Node(NamedTuple):
    """A file or folder. `content` and the digests belong to files; `parent` is None for a root."""

    number: int
    id: str
    owner: int
    parent: int | None
    parent_id: str | None
    name: str
    is_folder: bool
    version: int
    created_ms: int
    modified_ms: int
    description: str
    content_type: str
    content: int | None
    size: int
    sha1: str
    md5: str
    sha256: bytes
    modified_rest_ns: int
    mode: int | None
    link: str | None
    xattrs: str

    @property
    def file(self) -> File:
        """As the contract shows it."""
        return File(
            id=self.id,
            version=self.version,
            name=self.name,
            description=self.description,
            size=self.size,
            created=show_time(self.created_ms),
            modified=show_time(self.modified_ms),
            is_dir=bool(self.is_folder),
            checksum=self.sha1,
            md5checksum=self.md5,
            parent=self.parent_id or UNSET,
            modified_ns=show_fine_time(self.modified_ms, self.modified_rest_ns) if self.modified_rest_ns else UNSET,
            mode=UNSET if self.mode is None else show_mode(self.mode),
            link=UNSET if self.link is None else self.link,
            xattrs=msgspec.Raw(self.xattrs) if self.xattrs else UNSET,
        )


class Place(NamedTuple):
    """Where something is or could be: a name in a folder, and what has that name now."""

    folder: Node
    name: str
    node: Node | None


class KnownFolders(Protocol):
    """Folders that several changes of one transaction have in common."""

    def folder(self, owner: int, names: tuple[str, ...]) -> Node | None:
        """One that was found before."""
        ...

    def know(self, owner: int, names: tuple[str, ...], folder: Node) -> None:
        """For those that follow."""
        ...


class Page(NamedTuple):
    """Some entries of a folder, and how many it has."""

    folder: Node
    entries: list[Node]
    total: int


SORT_KEYS: Final = frozenset({"name", "size", "created", "modified"})
_OF_VERSION: Final = (
    "version", "modified_ms", "content_type", "content", "size", "sha1", "md5", "sha256", "modified_rest_ns", "link"
)  # fmt: skip
_COLUMN: Final = {"name": "name", "size": "size", "created": "created_ms", "modified": "modified_ms"}


def owner_number(connection: Connection, caller: Caller, owner: str) -> tuple[int, Role]:
    """The owner that a path names, and the caller's role there; NotFound for a stranger as for no such owner."""
    if owner in {"self", caller.id}:
        return caller.number, "owner"
    row = connection.execute("SELECT number FROM owners WHERE id = ?", (owner,)).fetchone()
    role = None if row is None else role_in(connection, caller, row[0])
    if role is None:
        raise NotFound("Group or Share not found")
    return int(row[0]), role


def find(connection: Connection, caller: Caller, path: TreePath | UuidPath, *, write: bool = False) -> Node:
    """The node at the path. Raises NotFound, NotADirectory, and AccessDenied for a reader who means to write."""
    owner, role = owner_number(connection, caller, path.owner)
    node = (
        _by_uuid(connection, owner, path.object) if isinstance(path, UuidPath) else _walk(connection, owner, path.names)
    )
    if write:
        _may_write(role)
    return node


def find_place(
    connection: Connection, caller: Caller, path: TreePath | UuidPath, known: KnownFolders | None = None
) -> Place:
    """Where a change would put something. A UUID path is the place of the object that has it. Raises as `find` does."""
    owner, role = owner_number(connection, caller, path.owner)
    if isinstance(path, UuidPath):
        node = _by_uuid(connection, owner, path.object)
        _may_write(role)
        if node.parent is None:
            raise InvalidPath("the root of a tree cannot be replaced")
        return Place(by_number(connection, node.parent), node.name, node)
    if not path.names:
        raise InvalidPath("the root of a tree cannot be replaced")
    above = path.names[:-1]
    folder = known.folder(owner, above) if known else None
    if folder is None:
        folder = _walk(connection, owner, above)
        if known:
            known.know(owner, above, folder)
    _may_write(role)
    if not folder.is_folder:
        raise NotADirectory(f"{folder.name!r} is a file")
    return Place(folder, path.names[-1], child(connection, folder.number, path.names[-1]))


def by_number(connection: Connection, number: int) -> Node:
    """A node that is known to exist."""
    return Node(*connection.execute("SELECT * FROM objects WHERE number = ?", (number,)).fetchone())


def ancestors(connection: Connection, node: Node) -> list[Node]:
    """The folders above it, the root first."""
    found: list[Node] = []
    above = node.parent
    while above is not None:
        found.append(by_number(connection, above))
        above = found[-1].parent
    return found[::-1]


def root_of(connection: Connection, owner: int) -> Node:
    """The folder that every owner has."""
    return Node(*connection.execute("SELECT * FROM objects WHERE owner = ? AND parent IS NULL", (owner,)).fetchone())


def child(connection: Connection, folder: int, name: str) -> Node | None:
    """What has that name in the folder, byte for byte."""
    row = connection.execute("SELECT * FROM objects WHERE parent = ? AND name = ?", (folder, name)).fetchone()
    return None if row is None else Node(*row)


def children(connection: Connection, folder: int) -> list[Node]:
    """Everything in the folder, by name."""
    return [Node(*row) for row in connection.execute("SELECT * FROM objects WHERE parent = ? ORDER BY name", (folder,))]


def page_of(connection: Connection, folder: Node, *, offset: int, limit: int, sort_by: str, descending: bool) -> Page:
    """Entries in the order of the key, equal ones by name; names compare by their UTF-8 bytes. Raises NotADirectory.

    Fewer than `limit` where extended attributes make the page long.
    """
    if not folder.is_folder:
        raise NotADirectory(f"{folder.name!r} is a file")
    rows = _rows_of(connection, folder.number, offset, limit, _COLUMN[sort_by], "DESC" if descending else "ASC")
    entries: list[Node] = []
    length = 0
    for row in rows:
        entries.append(Node(*row))
        length += len(entries[-1].xattrs)
        if length > PAGE_XATTR_BYTES:
            break
    else:
        if len(entries) < limit and (entries or not offset):  # the last page says how many there are
            return Page(folder, entries, offset + len(entries))
    (total,) = connection.execute("SELECT count(*) FROM nodes WHERE parent = ?", (folder.number,)).fetchone()
    return Page(folder, entries, total)


def _rows_of(connection: Connection, folder: int, offset: int, limit: int, column: str, direction: str) -> Rows:
    """In a folder of a million, what comes before a page by name is passed over in the index alone."""
    if column != "name":
        order = f"{column} {direction}, name"
        statement = f"SELECT * FROM objects WHERE parent = ? ORDER BY {order} LIMIT ? OFFSET ?"  # noqa: S608 - from our own words
        return connection.execute(statement, (folder, limit, offset))
    beyond = ">=" if direction == "ASC" else "<="
    first = f"SELECT name FROM nodes WHERE parent = ? ORDER BY name {direction} LIMIT 1 OFFSET ?"  # noqa: S608
    statement = f"SELECT * FROM objects WHERE parent = ? AND name {beyond} ({first}) ORDER BY name {direction} LIMIT ?"  # noqa: S608
    if offset == 0:
        statement = f"SELECT * FROM objects WHERE parent = ? ORDER BY name {direction} LIMIT ?"  # noqa: S608
        return connection.execute(statement, (folder, limit))
    return connection.execute(statement, (folder, folder, offset, limit))


def versions_of(connection: Connection, node: Node) -> list[Node]:
    """The file as it is and as it was, newest first. Raises IsADirectory."""
    if node.is_folder:
        raise IsADirectory(f"{node.name!r} is a folder and has no versions")
    rows = connection.execute(
        "SELECT v.version, v.modified_ms, v.content_type, v.content, c.size, c.sha1, c.md5, c.sha256,"
        " v.modified_rest_ns, v.link"
        " FROM versions v JOIN contents c ON c.number = v.content WHERE v.node = ? ORDER BY v.version DESC",
        (node.number,),
    )
    return [node, *(node._replace(**dict(zip(_OF_VERSION, row, strict=True))) for row in rows)]


def at_version(connection: Connection, node: Node, version: int) -> Node:
    """The file at one version; raises NotFound when that is gone or never was."""
    if version == node.version and not node.is_folder:
        return node
    for candidate in versions_of(connection, node):
        if candidate.version == version:
            return candidate
    raise NotFound(f"{node.name!r} has no version {version} (any more)")


def _by_uuid(connection: Connection, owner: int, uuid: str) -> Node:
    row = connection.execute("SELECT * FROM objects WHERE id = ? AND owner = ?", (uuid, owner)).fetchone()
    if row is None:
        raise NotFound("no object with that UUID in this tree")
    return Node(*row)


def _walk(connection: Connection, owner: int, names: tuple[str, ...]) -> Node:
    """One look-up a name, and one for the root; only the last one fetches all that is known."""
    if not names:
        return root_of(connection, owner)
    *above, last = names
    (number,) = connection.execute("SELECT number FROM nodes WHERE owner = ? AND parent IS NULL", (owner,)).fetchone()
    is_folder = True
    for name in above:
        row = connection.execute(
            "SELECT number, is_folder FROM nodes WHERE parent = ? AND name = ?", (number, name)
        ).fetchone()
        number, is_folder = _there(row, name, is_folder=is_folder)
    return _there(child(connection, number, last), last, is_folder=is_folder)


def _there(found: Found | None, name: str, *, is_folder: bool) -> Found:
    """What has that name. Raises NotADirectory where what should hold it is a file, NotFound."""
    if not is_folder:
        raise NotADirectory(f"a file stands above {name!r}")
    if found is None:
        raise NotFound(f"there is no {name!r}")
    return found


def _may_write(role: Role) -> None:
    if role == "reader":
        raise AccessDenied("this account may read here but not write")
