"""The capability `bundle`: many small objects in one request, each as if it had come alone. No rule lives here."""

from __future__ import annotations

import os
import secrets
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple, Self, TypeVar, cast

import msgspec
from starlette.responses import Response, StreamingResponse

from cxfs.server.calls import error_object, whole
from cxfs.server.errors import InvalidRequest, Refusal, RequestTooLarge
from cxfs.server.limits import (
    BUNDLE_BYTES_MAX,
    BUNDLE_ITEM_BYTES_MAX,
    BUNDLE_ITEMS_MAX,
    BUNDLE_LIST_BYTES_MAX,
    NUMBER_MAX,
    PIECE_BYTES,
)
from cxfs.server.ranges import etag_of
from cxfs.server.sources import cached, file_at, opened, whole_file
from cxfs.server.wire import parse_path

if TYPE_CHECKING:
    import sqlite3

    from cxfs.server.accounts import Caller
    from cxfs.server.calls import Call, Offload
    from cxfs.server.store import Store

_AT_ONCE: Final = 64
"""Items looked up in one go: some two milliseconds during which nobody else is answered."""

Number = Annotated[int, msgspec.Meta(ge=0, le=NUMBER_MAX)]
T = TypeVar("T")


class _Wanted(msgspec.Struct):
    """One file of a `get`: its current version, or this one."""

    path: str
    version: Number | None = None


class _WantedFiles(msgspec.Struct):
    items: Annotated[list[_Wanted], msgspec.Meta(max_length=BUNDLE_ITEMS_MAX)]


_WANTED: Final = msgspec.json.Decoder(_WantedFiles)
_encode = msgspec.json.Encoder().encode


class Bundles:
    """The calls `/1/bundle/…`."""

    def __init__(self, store: Store, offload: Offload) -> None:
        self._store = store
        self._offload = offload

    async def get(self, call: Call) -> Response:
        """The bytes of many files, or for each the reason why not, in the order asked."""
        items = _understood(_WANTED, await whole(call.body, BUNDLE_LIST_BYTES_MAX)).items
        boundary = secrets.token_hex(16)
        parts = _Parts(self._store, self._offload, call.caller, items, boundary)
        return StreamingResponse(parts, media_type=f"multipart/mixed; boundary={boundary}")


class _Unread(NamedTuple):
    """Bytes of an answer that are still on the disk."""

    descriptor: int
    size: int


class _Parts:
    """The body of an answer to `get`. No generator: it may be left half-way. Between two pieces it holds no file."""

    def __init__(self, store: Store, offload: Offload, caller: Caller, items: list[_Wanted], boundary: str) -> None:
        self._store = store
        self._offload = offload
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
            pieces = self._some(files)
            if any(isinstance(piece, _Unread) for piece in pieces):
                read = await self._offload.content(_read, pieces)
            else:
                read = cast("list[bytes]", pieces)
        if self._at == len(self._items):
            self._is_over = True
            read.append(f"{self._delimiter}--\r\n".encode())
        return b"".join(read)

    def _some(self, files: ExitStack) -> list[bytes | _Unread]:
        """The next parts, of one moment. No await: the tables have one reader at a time."""
        pieces: list[bytes | _Unread] = []
        enough = max(0, self._bytes_left - PIECE_BYTES)
        with self._store.snapshot() as connection:
            for item in self._items[self._at : self._at + _AT_ONCE]:
                self._at += 1
                try:
                    pieces += self._part(connection, item, files)
                except Refusal as refused:
                    pieces += self._refused(refused)
                if self._bytes_left < enough:
                    break
        return pieces

    def _part(self, connection: sqlite3.Connection, item: _Wanted, files: ExitStack) -> tuple[bytes | _Unread, ...]:
        node = file_at(connection, self._caller, parse_path(item.path), item.version)
        if node.size > min(BUNDLE_ITEM_BYTES_MAX, self._bytes_left):
            raise RequestTooLarge(f"{node.name!r} is too large for this bundle")
        descriptor = opened(self._store.contents, node)
        files.callback(os.close, descriptor)
        self._bytes_left -= node.size
        content = cached(descriptor, memoryview(bytearray(node.size)), 0)
        is_whole = content is not None and len(content) == node.size
        return (
            f"{self._delimiter}\r\nContent-Type: application/octet-stream\r\nContent-Length: {node.size}\r\n"
            f"ETag: {etag_of(node.version)}\r\n\r\n".encode(),
            content if is_whole and content is not None else _Unread(descriptor, node.size),
            b"\r\n",
        )

    def _refused(self, refused: Refusal) -> tuple[bytes, ...]:
        said = _encode(_error(refused))
        head = f"{self._delimiter}\r\nContent-Type: application/json\r\nContent-Length: {len(said)}\r\n\r\n"
        return head.encode(), said, b"\r\n"


def _read(pieces: list[bytes | _Unread]) -> list[bytes]:
    """All of them as bytes. Blocks on the disk."""
    return [whole_file(*piece) if isinstance(piece, _Unread) else piece for piece in pieces]


def _error(refused: Refusal) -> dict[str, Any]:
    """An item's error, with the status that it would have had alone."""
    return {**error_object(refused), "status": refused.status}


def _understood(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"not a list of items for a bundle: {error}") from error
