"""The capability `bundle`: many small objects in one request, each as if it had come alone. No rule lives here.

What is independent of each other shares a transaction all the same, so that one sync makes it durable; what is refused
is undone by itself.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import msgspec
from starlette.responses import Response, StreamingResponse

from cxfs.server import changes
from cxfs.server.attributes import attributes_of
from cxfs.server.bundle_parts import Parts, item_error
from cxfs.server.calls import afterwards, answer, whole
from cxfs.server.contents import Known, keep_known, know_contents
from cxfs.server.errors import InvalidRequest, Refusal, RequestTooLarge
from cxfs.server.forms import BundleReader, boundary_of
from cxfs.server.limits import (
    BUNDLE_BODY_BYTES_MAX,
    BUNDLE_ITEM_BYTES_MAX,
    BUNDLE_ITEMS_MAX,
    BUNDLE_LIST_BYTES_MAX,
    NUMBER_MAX,
    PIECE_BYTES,
)
from cxfs.server.listings import Listings, Together
from cxfs.server.receiving import Receiving
from cxfs.server.transport import upload_of
from cxfs.server.wire import File, parse_path

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cxfs.server.arrivals import Arrival
    from cxfs.server.calls import Call, Offload
    from cxfs.server.database import Connection
    from cxfs.server.store import Store

Number = Annotated[int, msgspec.Meta(ge=0, le=NUMBER_MAX)]
T = TypeVar("T")


class _Wanted(msgspec.Struct):
    path: str
    version: Number | None = None


class _Brought(msgspec.Struct):
    path: str
    modified: str | None = None
    mode: str | None = None
    link: str | None = None
    xattrs: msgspec.Raw = msgspec.Raw()
    if_version: Number | None = msgspec.field(name="ifVersion", default=None)
    if_parent: str | None = msgspec.field(name="ifParent", default=None)
    size: Number | None = None
    file_content_type: str = ""


class _Unwanted(msgspec.Struct):
    path: str
    if_version: Number | None = msgspec.field(name="ifVersion", default=None)


_Some = msgspec.Meta(max_length=BUNDLE_ITEMS_MAX)


class _WantedFiles(msgspec.Struct):
    items: Annotated[list[_Wanted], _Some]


class _UnwantedObjects(msgspec.Struct):
    items: Annotated[list[_Unwanted], _Some]


_WANTED: Final = msgspec.json.Decoder(_WantedFiles)
_UNWANTED: Final = msgspec.json.Decoder(_UnwantedObjects)
_BROUGHT: Final = msgspec.json.Decoder(Annotated[list[_Brought], _Some])


class Bundles:
    """The calls `/1/bundle/…`."""

    def __init__(self, store: Store, offload: Offload) -> None:
        self._store = store
        self._offload = offload
        self._carry = offload.far if store.contents.is_far else offload.content

    async def get(self, call: Call) -> Response:
        """The bytes of many files, or for each the reason why not, in the order asked."""
        items = _understood(_WANTED, await whole(call.body, BUNDLE_LIST_BYTES_MAX)).items
        boundary = secrets.token_hex(16)
        parts = Parts(self._store, self._offload, call.caller, items, boundary)
        return StreamingResponse(parts, media_type=f"multipart/mixed; boundary={boundary}")

    async def put(self, call: Call) -> Response:
        """Many new files or versions."""
        if (call.body.declared_bytes or 0) > BUNDLE_BODY_BYTES_MAX:
            raise RequestTooLarge(f"a bundle has at most {BUNDLE_BODY_BYTES_MAX} bytes")
        reader = BundleReader(boundary_of(call.request.headers.get("content-type", "")))
        async with Receiving(self._store.contents, self._offload) as receiving:
            arrivals = await self._receive(call, reader, receiving)
            items = _understood(_BROUGHT, reader.items)
            if len(items) != len(arrivals):
                raise InvalidRequest(f"{len(items)} items, but {len(arrivals)} files")
            if any(arrival.is_left_over for arrival in arrivals):
                await self._carry(_complete, arrivals)
            results = await self._offload.change(self._put_all, call, items, arrivals)
        return answer({"results": results})

    async def _receive(self, call: Call, reader: BundleReader, receiving: Receiving) -> list[Arrival]:
        """One for each file, hashed and written a piece's worth at a time, in memory or on the disk; not yet synced."""
        arrivals: list[Arrival] = []
        waiting: list[bytes] = []
        size = 0

        def take() -> None:
            for content in waiting:
                arrival = receiving.arrival()
                arrival.write(content)
                arrivals.append(arrival)

        async for chunk in call.body:
            for content in reader.feed(chunk):
                waiting.append(content)
                size += len(content)
            if size >= PIECE_BYTES:
                await self._offload.content(take)
                waiting, size = [], 0
        reader.finish()
        if waiting:
            await self._offload.content(take)
        return arrivals

    def _put_all(self, call: Call, items: Sequence[_Brought], arrivals: Sequence[Arrival]) -> list[Any]:
        """In this order: bytes durable, rows, names durable, commit; once for all."""
        _complete(arrivals)

        def put(connection: Connection, known: Known, item: _Brought, arrival: Arrival, listings: Listings) -> File:
            if arrival.size > BUNDLE_ITEM_BYTES_MAX:
                raise RequestTooLarge(f"over {BUNDLE_ITEM_BYTES_MAX} bytes in a bundle")
            if item.size is not None and item.size != arrival.size:
                raise InvalidRequest(f"{arrival.size} bytes came, not {item.size}")
            attributes = attributes_of(item.modified, item.mode, bytes(item.xattrs) or None)
            upload = upload_of(item.file_content_type, attributes, item.if_version, item.if_parent, item.link)
            path, content = parse_path(item.path), arrival.content
            now, number = self._store.clock(), known.numbers[content.sha256]
            return changes.put(
                connection, call.caller, path, content, upload, now=now, number=number, listings=listings
            ).file

        contents = [arrival.content for arrival in arrivals]
        with self._store.transaction(_owners(call, items)) as connection:
            known = know_contents(self._store.database, connection, contents)
            all_of_them = [partial(put, connection, known, *each) for each in zip(items, arrivals, strict=True)]
            results = _together(connection, all_of_them)
            kept = [arrival for arrival, result in zip(arrivals, results, strict=True) if isinstance(result, File)]
            keep_known(self._store.contents, connection, known, kept)
        return results

    async def delete(self, call: Call) -> Response:
        """Many files, or folders that are empty."""
        items = _understood(_UNWANTED, await whole(call.body, BUNDLE_LIST_BYTES_MAX)).items
        response = answer({"results": await self._offload.change(self._remove_all, call, items)})
        afterwards(response, self._offload, self._store.sweep_if_due)
        return response

    def _remove_all(self, call: Call, items: Sequence[_Unwanted]) -> list[Any]:
        def remove(connection: Connection, item: _Unwanted, listings: Listings) -> dict[str, str]:
            path, now, version = parse_path(item.path), self._store.clock(), item.if_version
            changes.remove(
                connection, call.caller, path, recursive=False, if_version=version, now=now, listings=listings
            )
            return {"status": "ok"}

        with self._store.transaction(_owners(call, items)) as connection:
            return _together(connection, [partial(remove, connection, item) for item in items])


def _complete(arrivals: Sequence[Arrival]) -> None:
    """They are all there. May be called twice."""
    for arrival in arrivals:
        arrival.sync()
        arrival.close()


def _owners(call: Call, items: Sequence[_Brought] | Sequence[_Unwanted]) -> set[str]:
    """Whose trees it is about; what is no path is refused when its turn comes."""
    owners: set[str] = set()
    for item in items:
        with suppress(Refusal):
            owners |= call.owners(parse_path(item.path))
    return owners


def _together(connection: Connection, items: Sequence[Callable[[Listings], T]]) -> list[T | dict[str, Any]]:
    """What each comes to, in order.

    Mostly none is refused: so all are tried as one, and only when one was each anew by itself. To make each of them one
    that can be undone costs two statements more, and PostgreSQL dear beyond 64 of them in one transaction.
    """
    results: list[T | dict[str, Any]]
    listings = Together()
    connection.execute("SAVEPOINT bundle")
    try:
        results = [item(listings) for item in items]
    except Refusal:
        connection.execute("ROLLBACK TO bundle")
        listings = Together()
        results = [_by_itself(connection, partial(item, listings)) for item in items]
    connection.execute("RELEASE bundle")
    listings.settle(connection)
    return results


def _by_itself(connection: Connection, change: Callable[[], T]) -> T | dict[str, Any]:
    """What a change comes to, or the error of one that is undone without the others."""
    connection.execute("SAVEPOINT item")
    try:
        return change()
    except Refusal as refused:
        connection.execute("ROLLBACK TO item")
        return item_error(refused)
    finally:
        connection.execute("RELEASE item")


def _understood(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"not a list of items for a bundle: {error}") from error
