"""Many small objects in one request (capability `bundle`). One attempt each; what goes together is the caller's matter.

Each item has its own outcome: what it would have been alone.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import deque
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from cxfs.core.errors import BadReply, CxfsError, NotFound
from cxfs.core.posix import NOTHING
from cxfs.remote import endpoints, replies
from cxfs.remote.bundle_parts import BYTES_MAX, BundleItem, BundlePart, BundleParts
from cxfs.remote.calls import Attempts, Call
from cxfs.remote.failures import Misshapen, failure_in
from cxfs.remote.multipart import content_type_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from cxfs.core.entries import Entry, Path, Uuid
    from cxfs.core.posix import PosixUpdate
    from cxfs.remote.session import Session

__all__ = ["BYTES_MAX", "BundleItem", "BundlePart", "BundleParts", "BundleRemoval", "BundleUpload", "Bundles"]

ITEMS_MAX: Final = 256
"""Of one bundle [ours]."""

ITEM_BYTES_MAX: Final = 1 << 20
"""Of one object in a bundle [ours]."""

PIECE_BYTES: Final = 256 << 10
"""Sent at a time, about as much as the connection takes."""

_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class BundleUpload:
    """A whole content, for the next version of `path`, in the folder `if_parent` where that is told.

    `on_sent` hears of the bytes that were handed over.
    """

    path: Path
    content: bytes
    modified_ms: int
    if_version: int | None
    name: str
    on_sent: Callable[[int], None]
    posix: PosixUpdate = NOTHING
    if_parent: Uuid | None = None
    sha1: bytes = field(init=False)

    def __post_init__(self) -> None:
        self.sha1 = hashlib.sha1(self.content, usedforsecurity=False).digest()


@dataclass(frozen=True, slots=True)
class BundleRemoval:
    """An object that is to go: a file if it is at this version, a folder (None) if it is empty."""

    path: Path
    if_version: int | None


class _Results(msgspec.Struct):
    results: list[msgspec.Raw]


_RESULTS: Final = msgspec.json.Decoder(_Results)


class Bundles:
    """The bundle calls over a session. `in_background`: nobody waits for what they bring."""

    def __init__(self, session: Session, *, in_background: bool = False) -> None:
        self._session = session
        self._in_background = in_background

    @asynccontextmanager
    async def get(self, items: Sequence[BundleItem]) -> AsyncIterator[BundleParts]:
        """The contents of 1 to ITEMS_MAX files of together at most BYTES_MAX, as they arrive, in the order asked.

        Raises, here or between two parts, what `session` raises; what was delivered before is good all the same. An
        item's own error (Stale: the server has not got this version any more) takes the place of its content.
        """
        _check(len(items), sum(item.size for item in items))
        asked = {endpoints.ITEMS: [{endpoints.PATH: str(item.path), endpoints.VERSION: item.version} for item in items]}
        async with self._session.fetch(
            endpoints.BUNDLE_GET, _encode(asked), in_background=self._in_background
        ) as incoming:
            yield BundleParts(incoming, items)

    async def put(self, uploads: Sequence[BundleUpload]) -> list[Entry | CxfsError]:
        """Sends 1 to ITEMS_MAX contents of together at most BYTES_MAX; of each, what the server has now, or why not.

        An answer that does not confirm size and checksum is a BadReply, never a success. What `session` raises is
        raised of all: each may have arrived.
        """
        _check(len(uploads), sum(len(upload.content) for upload in uploads))
        boundary = secrets.token_hex(16)
        pieces = list(_pieces(uploads, boundary))
        body = _Outgoing(pieces)
        receipts = await self._session.upload(
            endpoints.BUNDLE_PUT,
            body,
            length=sum(len(piece) for piece, _ in pieces),
            content_type=f"multipart/form-data; boundary={boundary}",
            parse=partial(_receipts, uploads),
        )
        if not body.is_over:
            raise BadReply("the server confirmed a bundle before it had all of it")
        body.tell()
        return receipts

    async def delete(self, removals: Sequence[BundleRemoval]) -> list[CxfsError | None]:
        """Removes 1 to ITEMS_MAX objects, no folder with what it holds; of each None, or why it is still there."""
        _check(len(removals), 0)
        attempts = Attempts()
        items = [_removal(each) for each in removals]
        call = Call("POST", endpoints.BUNDLE_DELETE, question=_encode({endpoints.ITEMS: items}), in_background=True)
        outcomes = await self._session.ask(call, partial(_outcomes, len(removals)), attempts=attempts)
        # What an attempt of ours may have removed already, is gone as it should be.
        return [None if attempts.in_doubt and isinstance(each, NotFound) else each for each in outcomes]


def _check(count: int, size: int) -> None:
    if not 0 < count <= ITEMS_MAX or size > BYTES_MAX:
        raise ValueError(f"{count} objects of {size} bytes are no bundle")


def _removal(removal: BundleRemoval) -> dict[str, str | int]:
    version: dict[str, str | int] = {} if removal.if_version is None else {endpoints.IF_VERSION: removal.if_version}
    return {endpoints.PATH: str(removal.path), **version}


def _upload(upload: BundleUpload) -> dict[str, object]:
    fields = replies.posix_fields(upload.posix)
    item: dict[str, object] = {
        endpoints.PATH: str(upload.path),
        endpoints.MODIFIED: replies.in_wire(upload.modified_ms, upload.posix.rest_ns),
        endpoints.SIZE: len(upload.content),
        endpoints.CONTENT_TYPE: content_type_of(upload.name),
    }
    if upload.if_version is not None:
        item[endpoints.IF_VERSION] = upload.if_version
    if upload.if_parent is not None:
        item[endpoints.IF_PARENT] = str(upload.if_parent)
    if endpoints.XATTRS in fields:
        item[endpoints.XATTRS] = msgspec.Raw(fields.pop(endpoints.XATTRS))
    return item | fields


def _pieces(uploads: Sequence[BundleUpload], boundary: str) -> Iterator[tuple[bytes, list[BundleUpload]]]:
    """The body, and with each piece of it the uploads that end in it."""
    items = _encode([_upload(upload) for upload in uploads])
    begins = f'--{boundary}\r\nContent-Disposition: form-data; name="{endpoints.ITEMS}"\r\n\r\n'.encode()
    between = (
        f'\r\n--{boundary}\r\nContent-Disposition: form-data; name="{endpoints.FILE}"; filename="x"\r\n\r\n'.encode()
    )
    parts, size, ended = [begins, items], 0, list[BundleUpload]()
    for upload in uploads:
        parts += between, upload.content
        size += len(upload.content)
        ended.append(upload)
        if size >= PIECE_BYTES:
            yield b"".join(parts), ended
            parts, size, ended = [], 0, []
    parts.append(f"\r\n--{boundary}--\r\n".encode())
    yield b"".join(parts), ended


class _Outgoing:
    """A body that tells its uploads what was handed over. No generator: those outlive a cancelled request."""

    def __init__(self, pieces: list[tuple[bytes, list[BundleUpload]]]) -> None:
        self._pieces = deque(pieces)
        self._ended: list[BundleUpload] = []

    @property
    def is_over(self) -> bool:
        """Whether the last piece was handed over; the answer to it may come before anybody asks for another one."""
        return not self._pieces

    def __aiter__(self) -> _Outgoing:
        return self

    async def __anext__(self) -> bytes:
        self.tell()
        if self.is_over:
            raise StopAsyncIteration
        piece, self._ended = self._pieces.popleft()
        return piece

    def tell(self) -> None:
        """The uploads that ended in the last piece hear of it."""
        for upload in self._ended:
            upload.on_sent(len(upload.content))
        self._ended = []


def _results(count: int, body: bytes) -> list[msgspec.Raw]:
    """One for each item; Misshapen when it is not."""
    found = replies.decoded(_RESULTS, body).results
    if len(found) != count:
        raise Misshapen(f"the server answered {len(found)} of {count} items")
    return found


def _receipts(uploads: Sequence[BundleUpload], body: bytes) -> list[Entry | CxfsError]:
    return [_receipt(upload, bytes(each)) for upload, each in zip(uploads, _results(len(uploads), body), strict=True)]


def _receipt(upload: BundleUpload, result: bytes) -> Entry | CxfsError:
    """The object, if it is what was sent."""
    error = failure_in(result)
    if error is not None:
        return error
    try:
        entry = replies.entry(result, upload.path.owner)
    except BadReply as misshapen:
        return misshapen
    if entry.is_folder or entry.size != len(upload.content):
        return BadReply(f"of {len(upload.content)} bytes the server confirmed {entry.size}")
    if entry.sha1 is not None:
        is_sent = entry.sha1 == upload.sha1
    else:
        is_sent = entry.md5 in {None, hashlib.md5(upload.content, usedforsecurity=False).digest()}
    return entry if is_sent else BadReply("the checksum of the upload is not that of what was sent")


def _outcomes(count: int, body: bytes) -> list[CxfsError | None]:
    return [_outcome(bytes(each)) for each in _results(count, body)]


def _outcome(result: bytes) -> CxfsError | None:
    try:
        replies.nothing(result)
    except BadReply as misshapen:
        return misshapen
    return failure_in(result)
