"""Whole trees in and out without the network, for moving house. Keeps the rules of `changes`; asks nobody's leave.

Import takes many files a transaction and syncs once for all of them, so that 10,000 small files take seconds. What it
has committed stays if it is broken off; running it again makes new versions of the files that it brought already.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cxfs.server import changes
from cxfs.server.accounts import Caller, account_named
from cxfs.server.attributes import AS_IT_IS, Attributes, parse_link
from cxfs.server.changes import Upload
from cxfs.server.contents import Known, keep_known, know_contents
from cxfs.server.errors import NotFound, Refusal, ServerError, Unavailable
from cxfs.server.limits import PIECE_BYTES
from cxfs.server.local_attributes import attributes_at, attributes_of_link, marked, set_attributes_at
from cxfs.server.sources import opened
from cxfs.server.trees import Node, Place, child, children, find, root_of
from cxfs.server.wire import TreePath, check_name

if TYPE_CHECKING:
    from cxfs.server.arrivals import Arrival
    from cxfs.server.database import Connection
    from cxfs.server.store import Store

BATCH_FILES: Final = 1_000
BATCH_BYTES: Final = 256 << 20
LINUX_NAME_BYTES_MAX: Final = 255

Progress = Callable[[int, int], None]
"""Told after each file: how many so far, and their bytes."""

Stages = Callable[[str, int], Progress]
"""Told when a stage begins: its name, and the bytes in it. Gives what is told of each file there."""


@dataclass(slots=True)
class Carried:
    """What came over, and what did not with the reason, one line each."""

    files: int = 0
    folders: int = 0
    bytes: int = 0
    skipped: list[str] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class _Folder:
    """A folder of the import. `node` is None until the batch that makes it is committed."""

    above: _Folder | None
    name: str
    attributes: Attributes
    node: Node | None = None


@dataclass(slots=True)
class _File:
    folder: _Folder
    name: str
    attributes: Attributes
    arrival: Arrival
    link: str | None = None


class Import:
    """One run of an import into the folder `top`."""

    def __init__(self, store: Store, caller: Caller, top: Node, progress: Progress) -> None:
        self.carried = Carried()
        self._store = store
        self._trees = [caller.id]
        self._top = _Folder(None, top.name, AS_IT_IS, top)
        self._progress = progress
        self._waiting: list[_Folder | _File] = []
        self._waiting_bytes = 0
        self._made: list[_Folder] = []

    def run(self, folder: Path) -> Carried:
        """Everything below the folder. Raises ServerError when the quota is full; what was committed before stays."""
        with ExitStack() as arrivals:
            self._enter(folder, self._top, arrivals)
            self._commit()
        with self._store.transaction(self._trees) as connection:  # last: each entry that came touched its folder
            for made in self._made:
                if made.node is not None:
                    changes.dress_folder(connection, made.node, made.attributes)
        return self.carried

    def _enter(self, folder: Path, into: _Folder, arrivals: ExitStack) -> None:
        """Depth first, without recursion; a folder is queued before what it holds."""
        pending = [(folder, into)]
        while pending:
            path, into = pending.pop()
            for entry in self._entries(path):
                try:
                    name = _cx_name(entry.name)
                    found = entry.stat(follow_symlinks=False)
                    if stat.S_ISDIR(found.st_mode):
                        below = _Folder(into, name, attributes_at(entry.path))
                        self._waiting.append(below)
                        pending.append((Path(entry.path), below))
                    elif stat.S_ISREG(found.st_mode):
                        self._take(entry.path, into, name, arrivals)
                    elif stat.S_ISLNK(found.st_mode):
                        self._take_link(entry.path, into, name, arrivals)
                    else:
                        self._skip(entry.path, "neither a file nor a folder nor a link")
                except Unavailable as error:
                    raise ServerError(f"stopped after {self.carried.files} files: {error}") from error
                except (OSError, ValueError, Refusal) as error:
                    self._skip(entry.path, str(error))

    def _entries(self, path: Path) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(path) as entries:
                return sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            self._skip(str(path), str(error))
            return []

    def _take(self, path: str, into: _Folder, name: str, arrivals: ExitStack) -> None:
        """Reads the file into `incoming`."""
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as source:
            attributes = attributes_at(source.fileno())
            arrival = arrivals.enter_context(self._store.contents.arrival())
            while piece := source.read(PIECE_BYTES):
                arrival.write(piece)
        self._queue(_File(into, name, attributes, arrival), arrivals)

    def _take_link(self, path: str, into: _Folder, name: str, arrivals: ExitStack) -> None:
        """A marked file that says where it leads. Raises ValueError for a target that CX cannot hold."""
        target = os.readlink(path)  # noqa: PTH115 - a Path would tidy it
        content, link = marked(target), parse_link(target)
        arrival = arrivals.enter_context(self._store.contents.arrival())
        arrival.write(content)
        self._queue(_File(into, name, attributes_of_link(path), arrival, link), arrivals)

    def _queue(self, file: _File, arrivals: ExitStack) -> None:
        """Commits when that is enough for one batch."""
        file.arrival.close()
        self._waiting.append(file)
        self._waiting_bytes += file.arrival.size
        if len(self._waiting) >= BATCH_FILES or self._waiting_bytes >= BATCH_BYTES:
            self._commit()
            arrivals.close()

    def _commit(self) -> None:
        """Bytes durable, rows, names durable, commit: the order of a single upload, once for the batch."""
        arrivals = [each.arrival for each in self._waiting if isinstance(each, _File)]
        self._store.contents.sync(*arrivals)
        try:
            with self._store.transaction(self._trees) as connection:
                known = know_contents(self._store.database, connection, [arrival.content for arrival in arrivals])
                placed = [
                    each.arrival
                    for each in self._waiting
                    if (
                        self._make(connection, each)
                        if isinstance(each, _Folder)
                        else self._put(connection, each, known)
                    )
                    and isinstance(each, _File)
                ]
                keep_known(self._store.contents, connection, known, placed)
        except Refusal as error:
            raise ServerError(f"stopped after {self.carried.files} files: {error}") from error
        for arrival in placed:
            self.carried.files += 1
            self.carried.bytes += arrival.size
            self._progress(self.carried.files, self.carried.bytes)
        self._waiting, self._waiting_bytes = [], 0

    def _make(self, connection: Connection, folder: _Folder) -> bool:
        """Whether there is now such a folder."""
        above = folder.above.node if folder.above else None
        found = child(connection, above.number, folder.name) if above else None
        if above is None or (found is not None and not found.is_folder):
            return self._skip(folder.name, "a file of this name, or of a folder above it, is there already")
        if found is None:
            found = changes.make_folder_at(connection, above, folder.name, now=self._store.clock())
            self.carried.folders += 1
            self._made.append(folder)
        folder.node = found
        return True

    def _put(self, connection: Connection, file: _File, known: Known) -> bool:
        """Whether the file is in."""
        folder = file.folder.node
        found = child(connection, folder.number, file.name) if folder else None
        if folder is None or (found is not None and found.is_folder):
            return self._skip(file.name, "a folder of this name, or a file in place of one above it, is there already")
        changes.put_at(
            connection,
            Place(folder, file.name, found),
            file.arrival.content,
            Upload("", attributes=file.attributes, link=file.link),
            now=self._store.clock(),
            number=known.numbers[file.arrival.content.sha256],
        )
        return True

    def _skip(self, path: str, reason: str) -> bool:
        shown = path.encode("utf-8", "backslashreplace").decode("utf-8")
        self.carried.skipped.append(f"{shown}: {reason}")
        return False


def _cx_name(name: str) -> str:
    """Raises Refusal for a name that is not UTF-8: CX's names are text."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError as error:
        raise Refusal("the name is not UTF-8") from error
    return check_name(name)


def target_folder(store: Store, caller: Caller, to: str) -> Node:
    """The folder at that path below the user's root, made where it is missing. Raises ServerError."""
    try:
        names = [check_name(name) for name in to.strip("/").split("/")] if to.strip("/") else []
        with store.transaction([caller.id]) as connection:
            folder = root_of(connection, caller.number)
            for depth, name in enumerate(names, start=1):
                found = child(connection, folder.number, name)
                path = TreePath("self", tuple(names[:depth]))
                folder = found or changes.make_folder(connection, caller, path, now=store.clock())
                if not folder.is_folder:
                    raise ServerError(f"{to!r}: {name!r} is a file")
    except Refusal as error:
        raise ServerError(f"{to!r}: {error}") from error
    return folder


def export_tree(store: Store, top: Node, folder: Path, progress: Progress) -> Carried:
    """The file, or all that is in the folder, into `folder`, which is made or empty. Raises ServerError."""
    carried = Carried()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise ServerError(f"{folder} is not empty")
        for node, path in _walk(store, top, folder):
            if node.is_folder:
                carried.folders += 1
            elif _write(store, node, path, carried):
                carried.files += 1
                carried.bytes += node.size
                progress(carried.files, carried.bytes)
    except OSError as error:
        raise ServerError(f"stopped after {carried.files} files: {error}") from error
    return carried


def _walk(store: Store, top: Node, folder: Path) -> Iterator[tuple[Node, Path]]:
    """Each object with its path here. Folders are made first and get their times after all they hold."""
    if not top.is_folder:
        yield top, folder / _linux_name(top)
        return
    made: list[tuple[Node, Path]] = []
    pending = [(top, folder)]
    while pending:
        above, path = pending.pop()
        for node in store.look(partial(children, folder=above.number)):
            here = path / _linux_name(node)
            if node.is_folder:
                here.mkdir()
                made.append((node, here))
                pending.append((node, here))
            yield node, here
    for node, path in reversed(made):
        set_attributes_at(path, node)


def _write(store: Store, node: Node, path: Path, carried: Carried) -> bool:
    """Whether the content was there to be written."""
    if node.link is not None:
        path.symlink_to(node.link)
        set_attributes_at(path, node)
        return True
    try:
        source = store.look(partial(opened, contents=store.contents, node=node))
    except NotFound:
        carried.skipped.append(f"{path}: deleted meanwhile")
        return False
    try:
        source.begin(0, node.size)
        with path.open("xb") as target:
            offset = 0
            while offset < node.size:
                offset += target.write(source.read(offset, min(PIECE_BYTES, node.size - offset)))
    finally:
        source.close()
    set_attributes_at(path, node)
    return True


def _linux_name(node: Node) -> str:
    """The name, or for one over 255 bytes as much of it as fits and the object's UUID, which keeps it unique."""
    encoded = node.name.encode("utf-8")
    if len(encoded) <= LINUX_NAME_BYTES_MAX:
        return node.name
    tail = f"~{node.id}"
    return encoded[: LINUX_NAME_BYTES_MAX - len(tail)].decode("utf-8", "ignore") + tail


def found_at(store: Store, caller: Caller, path: str) -> Node:
    """The object at a path below the user's root; raises ServerError."""
    try:
        names = tuple(check_name(name) for name in path.strip("/").split("/")) if path.strip("/") else ()
        return store.look(partial(find, caller=caller, path=TreePath("self", names)))
    except (NotFound, Refusal) as error:
        raise ServerError(f"{path!r}: {error}") from error


def caller_named(store: Store, user: str) -> Caller:
    """The user, as if signed in; raises ServerError."""
    account = store.look(partial(account_named, name=user))
    return Caller(account.number, account.id)
