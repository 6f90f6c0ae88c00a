"""The answer to a bundle of downloads: many files, each a part of its own, read while it is sent. Changes nothing."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, Self, cast

import msgspec

from cxfs.server.calls import error_object
from cxfs.server.errors import Refusal, RequestTooLarge
from cxfs.server.limits import BUNDLE_BYTES_MAX, BUNDLE_ITEM_BYTES_MAX, PIECE_BYTES
from cxfs.server.ranges import etag_of
from cxfs.server.sources import Source, file_at, opened, whole
from cxfs.server.wire import parse_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxfs.server.accounts import Caller
    from cxfs.server.calls import Offload
    from cxfs.server.database import Connection
    from cxfs.server.store import Store

_AT_ONCE: Final = 64
"""Items looked up in one go: some two milliseconds during which nobody else is answered."""

_encode = msgspec.json.Encoder().encode


class Wanted(Protocol):
    """One file: its current version, or this one."""

    path: str
    version: int | None


def item_error(refused: Refusal) -> dict[str, Any]:
    """An item's error, with the status that it would have had alone."""
    return {**error_object(refused), "status": refused.status}


class _Unread(NamedTuple):
    """Bytes of an answer that have still to be read, and what precedes them."""

    head: bytes
    source: Source
    size: int


class Parts:
    """The body of an answer to `get`. No generator: it may be left half-way. Between two pieces it holds no file."""

    def __init__(self, store: Store, offload: Offload, caller: Caller, items: Sequence[Wanted], boundary: str) -> None:
        self._store = store
        self._carry = offload.far if store.contents.is_far else offload.content
        self._caller = caller
        self._items = items
        self._at = 0
        self._bytes_left = BUNDLE_BYTES_MAX
        self._delimiter = f"--{boundary}"
        self._is_over = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """Some parts, whole."""
        if self._is_over:
            raise StopAsyncIteration
        with ExitStack() as files:
            pieces = await self._store.ask(partial(self._some, files=files), at_one_moment=True)
            if any(isinstance(piece, _Unread) for piece in pieces):
                read = await self._carry(self._read, pieces)
            else:
                read = cast("list[bytes]", pieces)
        if self._at == len(self._items):
            self._is_over = True
            read.append(f"{self._delimiter}--\r\n".encode())
        return b"".join(read)

    def _some(self, connection: Connection, files: ExitStack) -> list[bytes | _Unread]:
        """The next parts."""
        pieces: list[bytes | _Unread] = []
        enough = max(0, self._bytes_left - PIECE_BYTES)
        for item in self._items[self._at : self._at + _AT_ONCE]:
            self._at += 1
            try:
                pieces += self._part(connection, item, files)
            except Refusal as refused:
                pieces += self._refused(refused)
            if self._bytes_left < enough:
                break
        return pieces

    def _part(self, connection: Connection, item: Wanted, files: ExitStack) -> tuple[bytes | _Unread, ...]:
        node = file_at(connection, self._caller, parse_path(item.path), item.version)
        if node.size > min(BUNDLE_ITEM_BYTES_MAX, self._bytes_left):
            raise RequestTooLarge(f"{node.name!r} is too large for this bundle")
        source = opened(connection, self._store.contents, node)
        files.callback(source.close)
        self._bytes_left -= node.size
        content = source.at_once(0, memoryview(bytearray(node.size)))
        head = (
            f"{self._delimiter}\r\nContent-Type: application/octet-stream\r\nContent-Length: {node.size}\r\n"
            f"ETag: {etag_of(node.version)}\r\n\r\n"
        ).encode()
        if content is None or len(content) != node.size:
            return (_Unread(head, source, node.size),)
        return head, content, b"\r\n"

    def _refused(self, refused: Refusal) -> tuple[bytes, ...]:
        said = _encode(item_error(refused))
        head = f"{self._delimiter}\r\nContent-Type: application/json\r\nContent-Length: {len(said)}\r\n\r\n"
        return head.encode(), said, b"\r\n"

    def _read(self, pieces: list[bytes | _Unread]) -> list[bytes]:
        """All of them as bytes. Blocks on the disk."""
        read: list[bytes] = []
        for piece in pieces:
            if isinstance(piece, bytes):
                read.append(piece)
                continue
            try:
                read += (piece.head, whole(piece.source, piece.size), b"\r\n")
            except Refusal as refused:
                read += self._refused(refused)
        return read
