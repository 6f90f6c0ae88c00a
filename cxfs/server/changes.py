"""What becomes of a tree: every change, each one step inside the caller's transaction. Sends and receives no bytes.

A file's `version` counts its contents. A folder's counts the changes of its listing: an entry added, removed, renamed,
or with new content or attributes (not what happens deeper); its `modified` moves only when the set of names does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cxfs.server.attributes import AS_IT_IS, Attributes
from cxfs.server.conditions import check_place, require_seen
from cxfs.server.contents import know_content
from cxfs.server.errors import (
    AlreadyExists,
    InvalidPath,
    InvalidRequest,
    IsADirectory,
    NotADirectory,
    NotEmpty,
)
from cxfs.server.feed import note, note_deleted, note_moved, path_of
from cxfs.server.history import keep_version
from cxfs.server.kept_attributes import copy_attributes, set_attributes, set_link
from cxfs.server.limits import PATH_NAMES_MAX, SUBTREE_OBJECTS_MAX
from cxfs.server.listings import AtOnce, Listings
from cxfs.server.quota import charge, room
from cxfs.server.subtrees import below, change_owner, depth_of, erase
from cxfs.server.trees import Node, Place, by_number, children, find, find_place
from cxfs.server.wire import TreePath, UuidPath, new_uuid

if TYPE_CHECKING:
    from cxfs.server.accounts import Caller
    from cxfs.server.arrivals import Content
    from cxfs.server.database import Connection

Path = TreePath | UuidPath

_AT_ONCE: Final = AtOnce()


@dataclass(frozen=True, slots=True)
class Upload:
    """What an upload asks for beside its bytes. Without a time: now. `if_version` 0: a new file only.

    `if_parent` is the folder that it is meant for, whatever stands in its place by now. `link` is where it leads if it
    is a symbolic link, whatever its bytes are.
    """

    content_type: str
    if_version: int | None = None
    attributes: Attributes = AS_IT_IS
    link: str | None = None
    if_parent: str | None = None


def make_folder(
    connection: Connection, caller: Caller, path: Path, *, now: int, attributes: Attributes = AS_IT_IS
) -> Node:
    """A new, empty folder. Raises AlreadyExists, also for the root."""
    if isinstance(path, TreePath) and not path.names:
        find(connection, caller, path, write=True)
        raise AlreadyExists("the root of a tree is always there")
    place = find_place(connection, caller, path)
    if place.node is not None:
        raise AlreadyExists(f"there is already {place.name!r}")
    return make_folder_at(connection, place.folder, place.name, now=now, attributes=attributes)


def make_folder_at(
    connection: Connection, folder: Node, name: str, *, now: int, attributes: Attributes = AS_IT_IS
) -> Node:
    """The same where the name is known to be free."""
    number = _insert(connection, folder, name, now=now)
    set_attributes(connection, number, attributes)
    made = by_number(connection, number)
    _AT_ONCE.touch(connection, folder.number, now=now, entry=(made.id, "created"))
    return made


def remove(
    connection: Connection,
    caller: Caller,
    path: Path,
    *,
    recursive: bool,
    now: int,
    if_version: int | None = None,
    listings: Listings = _AT_ONCE,
) -> None:
    """The object and all below it. Raises NotEmpty for a folder that is not, unless `recursive`."""
    node = find(connection, caller, path, write=True)
    if node.parent is None:
        raise InvalidPath("the root of a tree cannot be deleted")
    require_seen(node, None, if_version)
    if not recursive and _has_children(connection, node):
        raise NotEmpty(f"{node.name!r} still holds something")
    note_deleted(connection, node)
    erase(connection, node.owner, node.number)
    listings.touch(connection, node.parent, now=now)


def move(
    connection: Connection,
    caller: Caller,
    path: Path,
    to: Path,
    *,
    overwrite: bool,
    now: int,
    if_target: str | None = None,
    if_version: int | None = None,
) -> Node:
    """Another name, folder or owner for the same object; history and UUID stay with it.

    Raises VersionConflict where it would replace another object than `if_target`, or that at another version.
    """
    node = find(connection, caller, path, write=True)
    if node.parent is None:
        raise InvalidPath("the root of a tree cannot be moved")
    place = find_place(connection, caller, to)
    if place.node is not None and place.node.number == node.number:
        return node
    if place.node is not None and overwrite:
        require_seen(place.node, if_target, if_version)
    _clear_place(connection, node, place, overwrite=overwrite)
    previous_path = path_of(connection, node)
    connection.execute(
        "UPDATE nodes SET parent = ?, name = ? WHERE number = ?", (place.folder.number, place.name, node.number)
    )
    if place.folder.owner != node.owner:
        change_owner(connection, node.owner, node.number, place.folder.owner)
    moved = by_number(connection, node.number)
    note_moved(connection, moved, node.owner, previous_path)
    for folder in {node.parent, place.folder.number}:
        _AT_ONCE.touch(connection, folder, now=now)
    return moved


def copy(connection: Connection, caller: Caller, path: Path, to: Path, *, overwrite: bool, now: int) -> Node:
    """The object and all below it once more, with new UUIDs and no history; modification times are kept."""
    node = find(connection, caller, path)
    place = find_place(connection, caller, to)
    if place.node is not None and place.node.number == node.number:
        raise AlreadyExists("a copy cannot take the place of its original")
    _clear_place(connection, node, place, overwrite=overwrite)
    made = by_number(connection, _copy_tree(connection, node, place, now=now))
    _AT_ONCE.touch(connection, place.folder.number, now=now, entry=(made.id, "created"))
    return made


def update(
    connection: Connection, caller: Caller, path: Path, *, attributes: Attributes, description: str | None
) -> Node:
    """New attributes; None leaves one as it is. The object's own version stays: its content is the same."""
    node = find(connection, caller, path, write=True)
    set_attributes(connection, node.number, attributes)
    if description is not None:
        connection.execute("UPDATE nodes SET description = ? WHERE number = ?", (description, node.number))
    if node.parent is None:
        note(connection, node.owner, node.id, "updated")
    else:
        _AT_ONCE.touch(connection, node.parent, now=None, entry=(node.id, "updated"))
    return by_number(connection, node.number)


def upload_place(connection: Connection, caller: Caller, path: Path, listings: Listings = _AT_ONCE) -> Place:
    """Where an upload would go; raises what the upload would raise before it has a byte."""
    if isinstance(path, TreePath) and not path.names:
        find(connection, caller, path, write=True)
        raise IsADirectory("the root of a tree is a folder")
    place = find_place(connection, caller, path, listings)
    if place.node is not None and place.node.is_folder:
        raise IsADirectory(f"{place.name!r} is a folder")
    return place


def room_at(connection: Connection, place: Place) -> int:
    """The largest file that fits there."""
    return room(connection, place.folder.owner, 0 if place.node is None else place.node.size)


def put(
    connection: Connection,
    caller: Caller,
    path: Path,
    content: Content,
    upload: Upload,
    *,
    now: int,
    number: int | None = None,
    listings: Listings = _AT_ONCE,
) -> Node:
    """The content becomes the file's next version, or a new file. The caller places the bytes before it commits.

    `number` is the content's, where the caller knows it (`know_contents`).
    """
    place = upload_place(connection, caller, path, listings)
    check_place(place, upload.if_version, upload.if_parent)
    return put_at(connection, place, content, upload, now=now, number=number, listings=listings)


def put_at(
    connection: Connection,
    place: Place,
    content: Content,
    upload: Upload,
    *,
    now: int,
    number: int | None = None,
    listings: Listings = _AT_ONCE,
) -> Node:
    """The same where the place is known to hold no folder."""
    number = know_content(connection, content) if number is None else number
    if place.node is None:
        kind = upload.content_type
        file = _insert(connection, place.folder, place.name, now=now, content=number, content_type=kind)
        replaced = kept = 0
    else:
        file, replaced = place.node.number, place.node.size
        kept = keep_version(connection, place.node, now=now)
        connection.execute(
            "UPDATE nodes SET version = version + 1, content = ?, content_type = ?, modified_ms = ?,"
            " modified_rest_ns = 0, link = NULL WHERE number = ?",
            (number, upload.content_type, now, file),
        )
    set_attributes(connection, file, upload.attributes, replacing_xattrs=True)
    if upload.link is not None:
        set_link(connection, file, upload.link)
    charge(connection, place.folder.owner, current=content.size - replaced, before=kept)
    node = by_number(connection, file)
    if place.node is None:
        listings.touch(connection, place.folder.number, now=now, entry=(node.id, "created"))
    else:
        listings.touch(connection, place.folder.number, now=None, entry=(node.id, "updated"))
    return node


def dress_folder(connection: Connection, node: Node, attributes: Attributes) -> None:
    """It gets these attributes; the listing that it stands in is known to have changed anyway."""
    set_attributes(connection, node.number, attributes)
    note(connection, node.owner, node.id, "updated")


def _insert(
    connection: Connection,
    folder: Node,
    name: str,
    *,
    now: int,
    modified_ms: int | None = None,
    content: int | None = None,
    content_type: str = "",
    description: str = "",
) -> int:
    """A new node's number: a folder, or with `content` a file. Touches nothing else."""
    (number,) = connection.execute(
        "INSERT INTO nodes (id, owner, parent, name, is_folder, version, created_ms, modified_ms, content,"
        " content_type, description) VALUES (?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?) RETURNING number",
        (
            new_uuid(),
            folder.owner,
            folder.number,
            name,
            content is None,
            now,
            now if modified_ms is None else modified_ms,
            content,
            content_type,
            description,
        ),
    ).fetchone()
    return int(number)


def _clear_place(connection: Connection, node: Node, place: Place, *, overwrite: bool) -> None:
    """Makes sure that `node` can stand there, removing what stands there now if it may be."""
    if node.is_folder:
        _check_depth(connection, node, place)
    if place.node is None:
        return
    if not overwrite:
        raise AlreadyExists(f"there is already {place.name!r}")
    if place.node.is_folder and not node.is_folder:
        raise IsADirectory(f"{place.name!r} is a folder")
    if node.is_folder and not place.node.is_folder:
        raise NotADirectory(f"{place.name!r} is a file")
    if _has_children(connection, place.node):
        raise NotEmpty(f"{place.name!r} still holds something")
    note_deleted(connection, place.node)
    erase(connection, place.node.owner, place.node.number)


def _check_depth(connection: Connection, node: Node, place: Place) -> None:
    """Raises InvalidPath for a folder below itself, or too deep. Looks below it only where it would lie deeper."""
    depth = depth_of(connection, place.folder.number, outside=node.number)
    if node.parent is not None and depth <= depth_of(connection, node.parent, outside=node.number):
        return
    if depth + 1 + max(each.depth for each in below(connection, node.number)) > PATH_NAMES_MAX:
        raise InvalidPath(f"a path has at most {PATH_NAMES_MAX} names")


def _has_children(connection: Connection, node: Node) -> bool:
    return connection.execute("SELECT 1 FROM nodes WHERE parent = ? LIMIT 1", (node.number,)).fetchone() is not None


def _copy_tree(connection: Connection, node: Node, place: Place, *, now: int) -> int:
    """Breadth first. The copy's number."""
    top: int | None = None
    made, size = 0, 0
    waiting = [(node, place.folder, place.name)]
    while waiting:
        source, folder, name = waiting.pop()
        made += 1
        if made > SUBTREE_OBJECTS_MAX:
            raise InvalidRequest(
                f"one copy makes at most {SUBTREE_OBJECTS_MAX} objects; copy the folders in it one by one"
            )
        number = _insert(
            connection,
            folder,
            name,
            now=now,
            modified_ms=source.modified_ms,
            content=source.content,
            content_type=source.content_type,
            description=source.description,
        )
        copy_attributes(connection, source, number)
        top = number if top is None else top
        size += source.size
        if source.is_folder:
            into = by_number(connection, number)
            waiting.extend((child, into, child.name) for child in children(connection, source.number))
    charge(connection, place.folder.owner, current=size)
    assert top is not None
    return top
