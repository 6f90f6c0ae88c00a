"""What a download reads: one version of a file, found, opened, and given in pieces. Knows no request and no answer."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from cxfs.server.errors import IsADirectory, NotFound
from cxfs.server.limits import PIECE_BYTES
from cxfs.server.trees import Node, at_version, find

if TYPE_CHECKING:
    import sqlite3

    from cxfs.server.accounts import Caller
    from cxfs.server.calls import Offload
    from cxfs.server.contents import Contents
    from cxfs.server.ranges import Span
    from cxfs.server.wire import TreePath, UuidPath


def file_at(connection: sqlite3.Connection, caller: Caller, path: TreePath | UuidPath, version: int | None) -> Node:
    """The file as it is, or as it was at that version. Raises IsADirectory, and NotFound as `find` does."""
    node = find(connection, caller, path)
    if node.is_folder:
        raise IsADirectory(f"{node.name!r} is a folder")
    return node if version is None else at_version(connection, node, version)


def opened(contents: Contents, node: Node) -> int:
    """A descriptor, the caller's to close: from here on neither a delete nor a new version changes what it reads."""
    try:
        return contents.open(node.sha256)
    except FileNotFoundError as error:  # deleted and swept since the look at the tables
        raise NotFound(f"{node.name!r} has just been deleted") from error


class Pieces:
    """The bytes of a span, piece by piece. What the page cache has is copied at once; only a disk gets a thread."""

    def __init__(self, descriptor: int, span: Span, offload: Offload) -> None:
        self._descriptor = descriptor
        self._offset, self._stop = span
        self._offload = offload
        self._buffer = bytearray(min(PIECE_BYTES, span.stop - span.start))  # one for all pieces: fresh memory is dear

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        length = min(PIECE_BYTES, self._stop - self._offset)
        if not length:
            raise StopAsyncIteration
        piece = cached(self._descriptor, memoryview(self._buffer)[:length], self._offset)
        if piece is None:
            piece = await self._offload.content(os.pread, self._descriptor, length, self._offset)
        if not piece:
            raise EOFError("a content file is shorter than its record")
        self._offset += len(piece)
        return piece


def cached(descriptor: int, room: memoryview, offset: int) -> bytes | None:
    """What can be read without waiting for the disk; nothing where the file system cannot tell, as tmpfs cannot."""
    with suppress(OSError):
        return bytes(room[: os.preadv(descriptor, [room], offset, os.RWF_NOWAIT)])
    return None


def whole_file(descriptor: int, size: int) -> bytes:
    """All of its bytes. Blocks on the disk."""
    read = os.pread(descriptor, size, 0)
    while len(read) < size:
        more = os.pread(descriptor, size - len(read), len(read))
        if not more:
            raise EOFError("a content file is shorter than its record")
        read += more
    return read
