"""What can be asked about one file or folder of a mount: what it is, what it was, a copy of it. Decides nothing."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, TypeVar

import trio

from cxfs.control.protocol import Kind, RequestError
from cxfs.core.errors import Invalid, NotFound, Unreachable, cause_of
from cxfs.fs.attributes import status_of
from cxfs.fs.places import node_at, place_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from cxfs.control.protocol import Arguments
    from cxfs.control.server import Tell, Verb
    from cxfs.core.entries import Entry
    from cxfs.fs.copying import Copying
    from cxfs.fs.history import History
    from cxfs.fs.node import Node
    from cxfs.fs.refreshing import Refreshing
    from cxfs.fs.syncing import SyncProgress
    from cxfs.fs.tree import Tree

TELL_S: Final = 0.25
"""Between two news of content that goes through."""

T = TypeVar("T")


class ObjectVerbs:
    """The verbs of one mount's files and folders. Times in milliseconds since the epoch, digests in hexadecimal."""

    def __init__(self, tree: Tree, *, history: History, copying: Copying, refreshing: Refreshing) -> None:
        self._tree = tree
        self._history = history
        self._copying = copying
        self._refreshing = refreshing

    @property
    def table(self) -> Mapping[str, Verb]:
        """By the name that a request has."""
        return {
            "info": self.info,
            "versions": self.versions,
            "restore": self.restore,
            "copy": self.copy,
            "refresh": self.refresh,
        }

    async def info(self, arguments: Arguments, _tell: Tell) -> Mapping[str, object]:
        """`info` with `path`: everything that is known of it, asked of the server where that answers."""
        node = await self._node(arguments, "path")
        arguments.end()
        with self._tree.nodes.pinned(node):
            as_known, versions = True, None
            try:
                await self._tree.ask_anew(node)
                if self._has_versions(node):
                    versions = [_version(each) for each in await self._history.versions(node)]
                as_known = False
            except (Unreachable, NotFound):  # gone there, or no answer: what is known here is still worth telling
                pass
            return {**_described(node), "versions": versions, "as_last_known": as_known}

    def _has_versions(self, node: Node) -> bool:
        return self._history.is_kept and not node.is_folder and node.entry is not None

    async def versions(self, arguments: Arguments, _tell: Tell) -> Mapping[str, object]:
        """`versions` with `path`: those that the server keeps, newest first."""
        node = await self._node(arguments, "path")
        arguments.end()
        with self._tree.nodes.pinned(node):
            return {"versions": [_version(each) for each in await self._history.versions(node)]}

    async def restore(self, arguments: Arguments, tell: Tell) -> Mapping[str, object]:
        """`restore` with `path` and `version`: the current one from now on, with news of the bytes that are left."""
        node, version = await self._node(arguments, "path"), arguments.number("version")
        arguments.end()
        if version is None:
            raise RequestError(Kind.ARGUMENTS, "version is missing")
        left = 0

        def note(through: int, size: int) -> None:
            nonlocal left
            left = size - through

        async def restored() -> Entry:
            return await self._history.restore(node, version, note)

        with self._tree.nodes.pinned(node):
            entry = await _telling(tell, lambda: {"bytes_left": left}, restored)
        return {"version": entry.version, "size": entry.size}

    async def copy(self, arguments: Arguments, tell: Tell) -> Mapping[str, object]:
        """`copy` of `path` `to` another place, `recursive` for folders, with the news of a sync of the original."""
        place, to = _place(arguments, "path"), _place(arguments, "to")
        recursive = arguments.flag("recursive")
        arguments.end()

        async def progress(news: SyncProgress) -> None:
            await tell(asdict(news))

        copied = await self._copying.copy(place, to, recursive=recursive, tell=progress)
        return {"path": copied.place, "uuid": copied.entry.id, "size": copied.entry.size}

    async def refresh(self, arguments: Arguments, _tell: Tell) -> Mapping[str, object]:
        """`refresh` with `path`: nothing of it and of what is below is believed any more. How much that was."""
        node = await self._node(arguments, "path")
        arguments.end()
        with self._tree.nodes.pinned(node):
            return {"count": await self._refreshing.refresh(node)}

    async def _node(self, arguments: Arguments, name: str) -> Node:
        return await node_at(self._tree, _place(arguments, name))


def _place(arguments: Arguments, name: str) -> bytes:
    return os.fsencode(arguments.text(name) or "")


def _described(node: Node) -> dict[str, object]:
    entry, change = node.entry, node.change
    if entry is None and change is None:
        raise Invalid(f"nothing is known of {node.shown!r}")
    return {
        "path": place_of(node),
        "kind": "folder" if node.is_folder else "file",
        "status": status_of(node),
        "reason": None if change is None else change.parked or change.last_error,
        "size": node.size,
        "modified_ms": change.modified_ms if change is not None else entry and entry.modified_ms,
        "owner": node.owner,
        **_of_the_server(entry),
    }


def _of_the_server(entry: Entry | None) -> dict[str, Any]:
    """What only it can know; None where it does not know the object yet."""
    return {
        "uuid": entry and entry.id,
        "name": entry and entry.name,
        "version": entry and entry.version,
        "created_ms": entry and entry.created_ms,
        "sha1": entry.sha1.hex() if entry is not None and entry.sha1 is not None else None,
        "md5": entry.md5.hex() if entry is not None and entry.md5 is not None else None,
    }


def _version(entry: Entry) -> dict[str, object]:
    return {
        "version": entry.version,
        "size": entry.size,
        "modified_ms": entry.modified_ms,
        "sha1": entry.sha1.hex() if entry.sha1 is not None else None,
    }


async def _telling(tell: Tell, news: Callable[[], Mapping[str, object]], work: Callable[[], Awaitable[T]]) -> T:
    """The result of `work`, with news at intervals while it goes on."""

    async def keep_telling() -> None:
        while True:
            await tell(news())
            await trio.sleep(TELL_S)

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keep_telling)
            result = await work()
            nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        raise cause_of(group) from None
    return result
