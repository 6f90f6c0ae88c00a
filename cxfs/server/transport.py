"""The data host: bytes out and in, in pieces, however large the file. What a path or version means is said elsewhere.

Memory for a transfer is a piece or two, whoever is slow: the next piece is read when the last one has been taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse

from cxfs.server import changes
from cxfs.server.attributes import attributes_of, parse_link
from cxfs.server.calls import Call, Offload, Parameters, answer
from cxfs.server.changes import Upload
from cxfs.server.conditions import check_place
from cxfs.server.errors import InvalidRequest, QuotaExceeded
from cxfs.server.forms import FormReader, boundary_of
from cxfs.server.limits import CONTENT_TYPE_CHARACTERS_MAX, FORM_ENVELOPE_BYTES, PIECE_BYTES, SMALL_BYTES_MAX
from cxfs.server.ranges import Span, check_if_match, etag_of, if_range_holds, last_modified, requested_span
from cxfs.server.receiving import Receiving
from cxfs.server.sources import Pieces, Source, file_at, opened

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from cxfs.server.arrivals import Arrival
    from cxfs.server.attributes import Attributes
    from cxfs.server.database import Connection
    from cxfs.server.store import Store
    from cxfs.server.trees import Node
    from cxfs.server.wire import TreePath, UuidPath

_ANY_TYPE: Final = "application/octet-stream"
_HARMLESS: Final = {
    # Content is whatever a user uploaded: a browser that is shown it must not run it as this host.
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Content-Type-Options": "nosniff",
}
_FOR_ONE_PERSON: Final = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}


class _Download(StreamingResponse):
    """Ends when the client goes away, and closes the file however it ends."""

    def __init__(self, source: Source, pieces: Pieces, status: int, headers: dict[str, str], kind: str) -> None:
        super().__init__(pieces, status, headers, kind)
        self._source = source

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._source.close()


class Transport:
    """The calls `GET` and `POST /1/data/PATH`."""

    def __init__(self, store: Store, offload: Offload) -> None:
        self._store = store
        self._offload = offload
        self._carry = offload.far if store.contents.is_far else offload.content

    async def download(self, call: Call) -> Response:
        """The bytes of one version, or a range of them."""
        return (await self._download(call))[1]

    async def attachment(self, call: Call) -> Response:
        """The same for a browser, which is to keep it under its name and not to show it."""
        node, response = await self._download(call)
        response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(node.name, safe='')}"
        response.headers.update(_FOR_ONE_PERSON)
        return response

    async def _download(self, call: Call) -> tuple[Node, Response]:
        node, source = await self._open(call)
        try:
            response = await self._respond(call, node, source)
        except BaseException:
            source.close()
            raise
        return node, response

    async def _open(self, call: Call) -> tuple[Node, Source]:
        """What to send."""
        path, version = call.path, Parameters(call.query).number("version")

        def question(connection: Connection) -> tuple[Node, Source]:
            node = file_at(connection, call.caller, path, version)
            return node, opened(connection, self._store.contents, node)

        return await self._store.ask(question, at_one_moment=True)

    async def _respond(self, call: Call, node: Node, source: Source) -> Response:
        asked, etag, modified = call.request.headers, etag_of(node.version), last_modified(node.modified_ms)
        check_if_match(asked.get("if-match"), etag)
        span = (
            requested_span(asked.get("range"), node.size)
            if if_range_holds(asked.get("if-range"), etag, modified)
            else None
        )
        sent = span or Span(0, node.size)
        headers = {
            "Accept-Ranges": "bytes",
            "Content-Length": str(sent.stop - sent.start),
            "ETag": etag,
            "Last-Modified": modified,
            **_HARMLESS,
        }
        if span is not None:
            headers["Content-Range"] = span.content_range(node.size)
        status = 206 if span is not None else 200
        wanted = Span(0, 0) if call.request.method == "HEAD" else sent
        kind, held = node.content_type or _ANY_TYPE, source.held
        if held is not None:  # a stream costs a small file's answer as much again: a task that listens, and its end
            return Response(held[wanted.start : wanted.stop], status, headers, kind)
        if source.is_far and wanted.start < wanted.stop:
            await self._offload.far(source.begin, wanted.start, wanted.stop)
        return _Download(source, Pieces(source, wanted, self._offload), status, headers, kind)

    async def upload(self, call: Call) -> Response:
        """A new file, or the next version of one: nothing of it before all of it, and then for good."""
        path = call.path
        if not _is_short(call):
            room = await self._check(call, path, None, None)
            if (call.body.declared_bytes or 0) > room + FORM_ENVELOPE_BYTES:
                raise QuotaExceeded(f"only {room} bytes more fit")
        reader = FormReader(boundary_of(call.request.headers.get("content-type", "")), with_file=True)
        async with Receiving(self._store.contents, self._offload) as receiving:
            arrival = receiving.arrival()
            rest = await self._receive(call, path, reader, arrival)
            reader.finish()
            if not reader.file_seen:
                raise InvalidRequest("the field 'file' is missing")
            upload = _asked(reader)
            if self._store.contents.is_far and arrival.size + sum(map(len, rest)) > SMALL_BYTES_MAX:
                await self._carry(_complete, arrival, rest)
                rest = []
            node = await self._offload.change(self._commit, call, path, arrival, rest, upload)
        return answer(node.file)

    async def _check(self, call: Call, path: TreePath | UuidPath, if_version: int | None, if_parent: str | None) -> int:
        """Refuses early what would be refused in the end. The largest size that fits."""

        def question(connection: Connection) -> int:
            place = changes.upload_place(connection, call.caller, path)
            check_place(place, if_version, if_parent)
            return changes.room_at(connection, place)

        return await self._store.ask(question, at_one_moment=True)

    async def _receive(
        self, call: Call, path: TreePath | UuidPath, reader: FormReader, arrival: Arrival
    ) -> list[bytes]:
        """Writes pieces as they fill up and returns the rest, less than a piece: a small file needs one thread only."""
        waiting: list[bytes] = []
        size, room = 0, -1
        async for chunk in call.body:
            for piece in reader.feed(chunk):
                if room < 0 and not _is_short(call):
                    room = await self._check(call, path, _if_version(reader), reader.fields.get("ifParent"))
                waiting.append(piece)
                size += len(piece)
            if size > room >= 0:
                raise QuotaExceeded(f"only {room} bytes more fit")
            if sum(map(len, waiting)) >= PIECE_BYTES:
                await self._carry(_write, arrival, waiting)
                waiting = []
        return waiting

    def _commit(
        self, call: Call, path: TreePath | UuidPath, arrival: Arrival, rest: list[bytes], upload: Upload
    ) -> Node:
        """In this order: bytes durable, rows, name durable, commit. A crash in between leaves the old version."""
        _complete(arrival, rest)
        with self._store.transaction(call.owners(path)) as connection:
            node = changes.put(connection, call.caller, path, arrival.content, upload, now=self._store.clock())
            self._store.contents.keep(connection, arrival)
        return node


def _is_short(call: Call) -> bool:
    """What is here at once is looked at when it is kept. To look before would cost as much again, and save nothing."""
    return call.body.declared_bytes is not None and call.body.declared_bytes <= SMALL_BYTES_MAX


def _write(arrival: Arrival, pieces: list[bytes]) -> None:
    for piece in pieces:
        arrival.write(piece)


def _complete(arrival: Arrival, rest: list[bytes]) -> None:
    """They are all there. May be called twice, the second time with nothing."""
    _write(arrival, rest)
    arrival.sync()
    arrival.close()


def _if_version(reader: FormReader) -> int | None:
    return Parameters(reader.fields).number("ifVersion")


def _asked(reader: FormReader) -> Upload:
    sent = reader.fields
    kind = sent.get("file_content_type") or reader.file_type
    attributes = attributes_of(sent.get("modified"), sent.get("mode"), sent.get("xattrs"))
    return upload_of(kind, attributes, _if_version(reader), sent.get("ifParent"), sent.get("link"))


def upload_of(
    kind: str, attributes: Attributes, if_version: int | None, if_parent: str | None, link: str | None
) -> Upload:
    """What was sent beside the bytes of one file; raises InvalidRequest."""
    if not (kind.isascii() and kind.isprintable() and len(kind) <= CONTENT_TYPE_CHARACTERS_MAX):
        kind = ""
    return Upload(kind, if_version, attributes, parse_link(link), if_parent)
