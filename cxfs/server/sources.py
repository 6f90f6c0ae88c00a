"""What a download reads: one version of a file, found, opened, and given in pieces. Knows no request and no answer."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol, Self

from cxfs.server.errors import IsADirectory, NotFound
from cxfs.server.limits import SENT_PIECE_BYTES
from cxfs.server.trees import Node, at_version, find

if TYPE_CHECKING:
    from cxfs.server.accounts import Caller
    from cxfs.server.calls import Offload
    from cxfs.server.contents import Contents
    from cxfs.server.database import Connection
    from cxfs.server.ranges import Span
    from cxfs.server.wire import TreePath, UuidPath


def file_at(connection: Connection, caller: Caller, path: TreePath | UuidPath, version: int | None) -> Node:
    """The file as it is, or as it was at that version. Raises IsADirectory, and NotFound as `find` does."""
    node = find(connection, caller, path)
    if node.is_folder:
        raise IsADirectory(f"{node.name!r} is a folder")
    return node if version is None else at_version(connection, node, version)


class Source(Protocol):
    """The bytes of one version, whatever becomes of the file meanwhile. The caller closes it."""

    @property
    def held(self) -> bytes | None:
        """All of a small content; None for one that is kept elsewhere."""
        ...

    @property
    def is_far(self) -> bool:
        """Whether `begin` has to be called, before anything is promised to who reads."""
        ...

    def begin(self, start: int, stop: int) -> None:
        """What will be read, in this order. Blocks. Raises Unavailable, NotFound."""
        ...

    def at_once(self, offset: int, room: memoryview) -> bytes | None:
        """What fits into the room and needs no waiting; None where that cannot be told."""
        ...

    def read(self, offset: int, length: int) -> bytes:
        """At most so many bytes. Blocks; raises EOFError where there are none."""
        ...

    def close(self) -> None:
        """May be called twice."""
        ...


class HeldSource:
    """A small content, in memory."""

    is_far = False

    def __init__(self, content: bytes) -> None:
        self.held: bytes | None = content
        self._content = content

    def begin(self, start: int, stop: int) -> None:
        """Nothing to do."""

    def at_once(self, offset: int, room: memoryview) -> bytes | None:
        """All that fits."""
        return self._content[offset : offset + len(room)]

    def read(self, offset: int, length: int) -> bytes:
        """Without waiting."""
        piece = self._content[offset : offset + length]
        if length and not piece:
            raise EOFError("a content is shorter than its record")
        return piece

    def close(self) -> None:
        """Nothing to do."""


class FileSource:
    """An open file, by its descriptor."""

    held: bytes | None = None
    is_far = False

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def begin(self, start: int, stop: int) -> None:
        """Nothing to do: the system reads ahead by itself."""

    def at_once(self, offset: int, room: memoryview) -> bytes | None:
        """What the page cache has; None where the file system cannot tell, as tmpfs cannot."""
        with suppress(OSError):
            return bytes(room[: os.preadv(self._descriptor, [room], offset, os.RWF_NOWAIT)])
        return None

    def read(self, offset: int, length: int) -> bytes:
        """Blocks on the disk."""
        piece = os.pread(self._descriptor, length, offset)
        if length and not piece:
            raise EOFError("a content is shorter than its record")
        return piece

    def close(self) -> None:
        """May be called twice."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def whole(source: Source, size: int) -> bytes:
    """All of it. Blocks."""
    source.begin(0, size)
    read = b""
    while len(read) < size:
        read += source.read(len(read), size - len(read))
    return read


def opened(connection: Connection, contents: Contents, node: Node) -> Source:
    """To be read from now on: neither a delete nor a new version changes what it gives."""
    assert node.content is not None
    row = connection.execute("SELECT bytes FROM small WHERE content = ?", (node.content,)).fetchone()
    if row is not None:
        return HeldSource(row[0])
    try:
        return contents.open(connection, node.content, node.sha256, node.size)
    except FileNotFoundError as error:  # deleted and swept since the tables were looked at
        raise NotFound(f"{node.name!r} has just been deleted") from error


class Pieces:
    """The bytes of a span, piece by piece. What the page cache has is copied at once; only a disk gets a thread."""

    def __init__(self, source: Source, span: Span, offload: Offload) -> None:
        self._source = source
        self._offset, self._stop = span
        self._carry = offload.far if source.is_far else offload.content
        self._buffer = bytearray(
            min(SENT_PIECE_BYTES, span.stop - span.start)
        )  # one for all pieces: fresh memory is dear

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        length = min(SENT_PIECE_BYTES, self._stop - self._offset)
        if not length:
            raise StopAsyncIteration
        piece = self._source.at_once(self._offset, memoryview(self._buffer)[:length])
        if not piece:
            piece = await self._carry(self._source.read, self._offset, length)
        self._offset += len(piece)
        return piece
