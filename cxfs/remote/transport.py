"""The Transport API [doc]: content out of and into CX. One attempt each; resuming and repeating are the caller's.

Bytes are delivered only when the answer proves that they are those asked for: the range, the size, and the version as
far as the server names it.
"""

from __future__ import annotations

import re
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

from cxfs.core.entries import TreePath
from cxfs.core.errors import BadReply, NotFound, Stale, Unreachable, VersionConflict
from cxfs.core.patience import STALL_S
from cxfs.core.posix import NOTHING
from cxfs.core.ranges import ByteRange
from cxfs.remote import endpoints, replies
from cxfs.remote.calls import Call
from cxfs.remote.endpoints import at
from cxfs.remote.multipart import Content, UploadBody, content_type_of, md5_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from cxfs.core.entries import Entry, EntryName, Path, Uuid, UuidPath
    from cxfs.core.posix import PosixUpdate
    from cxfs.remote.lanes import Answer
    from cxfs.remote.session import Session

__all__ = ["Content", "Download", "Transport", "content_type_of"]

_CONTENT_RANGE: Final = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)", re.ASCII)
_NUMERIC_ETAG: Final = re.compile(r'"(\d{1,19})"', re.ASCII)


class _OtherSize(BadReply):
    """What came is not of the file's size: of another version, or of whatever stands between us and the server."""


_OTHER_CONTENT: Final = "the checksum of the upload is not that of what was sent"


class Download:
    """Bytes on their way. `range` is what the body covers: the range asked for, or all from 0.

    The answer began `waited_s` seconds after the request.
    """

    def __init__(self, incoming: Answer, covers: ByteRange) -> None:
        self.range = covers
        self.etag: str | None = incoming.headers.get("etag")
        self.waited_s = incoming.waited_s
        self._incoming = incoming
        self._left = covers.length

    def pieces(self) -> AsyncIterator[bytes]:
        """The bytes of `range` in order, once; ends only after the last. Unreachable when the body breaks off."""
        return self

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        piece = await self._incoming.piece()
        self._left -= len(piece)
        self._check_length()
        if piece:
            return piece
        self._check_end()
        raise StopAsyncIteration

    async def pour(self, keep: Callable[[int, memoryview], None], landed: Callable[[ByteRange], None]) -> None:
        """The same bytes, each piece to `keep` with its place in the file, then its range to `landed`.

        `keep` may be called in a thread and must be done with the piece when it returns; `landed` is called on the
        loop, in order. Returns after the last byte, or raises.
        """

        def put(piece: memoryview) -> ByteRange:
            part = ByteRange(self.range.stop - self._left, self.range.stop - self._left + len(piece))
            self._left -= len(piece)
            self._check_length()
            keep(part.start, piece)
            return part

        await self._incoming.pour(put, landed)
        self._check_end()

    def _check_length(self) -> None:
        if self._left < 0:
            raise BadReply(f"the content of {self.range.length} bytes did not end there")

    def _check_end(self) -> None:
        if self._left:
            raise Unreachable(f"the content broke off {self._left} bytes before its end")


@contextmanager
def _gone_is_stale(*, pin_version: bool) -> Iterator[None]:
    """Where a version was asked for, what the server has no more is that version."""
    try:
        yield
    except VersionConflict:
        raise Stale("the file has changed on the server") from None
    except NotFound:
        if not pin_version:
            raise
        raise Stale("this version of the file is gone from the server") from None


class Transport:
    """The Transport API over a session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._needs_md5 = False
        """It costs more than all else that an upload costs here: only for a server that tells nothing better."""
        self._names_versions = False
        """The server has done so: what comes without a name is not from it."""

    @asynccontextmanager
    async def download(
        self,
        path: UuidPath,
        wanted: ByteRange,
        *,
        version: int,
        size: int,
        pin_version: bool,
        etag: str | None = None,
        in_background: bool = False,
        patience_s: float = STALL_S,
    ) -> AsyncIterator[Download]:
        """The bytes `wanted`, at least one, of the given version, which has `size` bytes.

        `pin_version` asks for the version by number (capability `versions`); `etag` is that of an earlier part, and no
        other is accepted. `in_background`: nobody waits for it. TimedOut when nothing comes for `patience_s` seconds.
        Raises Stale when the server holds another version by now.
        """
        if not 0 <= wanted.start < wanted.stop <= size:
            raise ValueError(f"{wanted} of {size} bytes is no range to ask for")
        query = {endpoints.VERSION: str(version)} if pin_version else {}
        headers = {"Range": wanted.in_header}
        if etag is not None and not etag.startswith("W/"):  # a weak one never matches (RFC 9110, 13.1.1)
            headers["If-Match"] = etag
        answer = self._session.download(
            at(endpoints.DATA, path), query=query, headers=headers, in_background=in_background, patience_s=patience_s
        )
        async with AsyncExitStack() as stack:
            with _gone_is_stale(pin_version=pin_version):
                incoming = await stack.enter_async_context(answer)
            self._check_version(incoming.headers.get("etag"), version=version, pinned=etag)
            try:
                covered = _covered(incoming, wanted, size)
            except _OtherSize:
                await self._check_current(path, version=version, size=size)
                raise
            yield Download(incoming, covered)

    def _check_version(self, etag: str | None, *, version: int, pinned: str | None) -> None:
        """An ETag is the quoted version [ours]; one of another form says nothing but whether it changed."""
        if etag is None:
            if self._names_versions:
                raise BadReply("the content does not say of which version it is")
            return
        self._names_versions = True
        numeric = _NUMERIC_ETAG.fullmatch(etag)
        if (pinned is not None and etag != pinned) or (numeric is not None and int(numeric[1]) != version):
            raise Stale("the server holds another version of the file")

    async def _check_current(self, path: UuidPath, *, version: int, size: int) -> None:
        """Raises Stale when the server holds another version by now."""
        call = Call("GET", at(endpoints.INFO, path))
        current = await self._session.ask(call, partial(replies.entry, owner=path.owner))
        if (current.version, current.size) != (version, size):
            raise Stale(f"the file has {current.size} bytes on the server, not {size}")

    async def upload(
        self,
        path: Path,
        content: Content,
        *,
        modified_ms: int,
        if_version: int | None,
        if_parent: Uuid | None = None,
        name: EntryName | None = None,
        posix: PosixUpdate = NOTHING,
        on_sealed: Callable[[bytes], Awaitable[None]] | None = None,
    ) -> Entry:
        """Sends the content as the next version of `path`, and returns it as the server has it.

        `if_version` makes the server refuse (VersionConflict) any other current version, 0 any at all; capability
        `conditional-upload`. So does `if_parent` (NotFound) where the path leads into another folder by now.
        `on_sealed` gets the raw SHA-1 once every byte of content was handed over, before the request ends. `name` is
        for the type and file name where the path is a UUID. `posix` is dropped by a server without that capability. An
        answer that does not confirm size and checksum is a BadReply, never a success.
        Content of another length than it told is Invalid.
        """
        file_name = name or _last_name(path)
        file_type = content_type_of(file_name)
        body = UploadBody(
            content,
            fields=_fields(modified_ms, posix, if_version, if_parent, file_type),
            file_name=file_name,
            file_type=file_type,
            on_sealed=on_sealed,
            with_md5=self._needs_md5,
        )
        async with aclosing(body.parts()) as parts:
            parse, kind = partial(replies.entry, owner=path.owner), body.content_type
            resource = at(endpoints.DATA, path)
            entry = await self._session.upload(resource, parts, length=body.length, content_type=kind, parse=parse)
        _check_receipt(entry, body, content.size)
        self._needs_md5 = entry.sha1 is None and entry.md5 is not None
        if self._needs_md5 and entry.md5 != (body.md5 or await md5_of(content)):
            raise BadReply(_OTHER_CONTENT)
        return entry


def _last_name(path: Path) -> str:
    return path.names[-1] if isinstance(path, TreePath) and path.names else "file"


def _fields(
    modified_ms: int, posix: PosixUpdate, if_version: int | None, if_parent: Uuid | None, file_type: str
) -> dict[str, str]:
    condition = {} if if_version is None else {endpoints.IF_VERSION: str(if_version)}
    if if_parent is not None:
        condition[endpoints.IF_PARENT] = str(if_parent)
    modified = {endpoints.MODIFIED: replies.in_wire(modified_ms, posix.rest_ns)}
    return {**modified, **condition, endpoints.CONTENT_TYPE: file_type, **replies.posix_fields(posix)}


def _covered(incoming: Answer, wanted: ByteRange, size: int) -> ByteRange:
    """What the body covers, by its status and headers."""
    if incoming.status == 200:
        covers, total = ByteRange(0, size), incoming.headers.get("content-length", str(size))
    else:
        parsed = _CONTENT_RANGE.fullmatch(incoming.headers.get("content-range", "").strip())
        if parsed is None:
            raise BadReply("the server sent a part of the file without saying which")
        covers, total = ByteRange.from_inclusive(int(parsed[1]), int(parsed[2])), parsed[3]
    if total not in {"*", str(size)}:
        raise _OtherSize(f"content of {total[:20]} bytes came for a file of {size}")
    if incoming.status == 206 and covers != wanted:
        raise BadReply("the server sent another part of the file than was asked for")
    return covers


def _check_receipt(entry: Entry, body: UploadBody, size: int) -> None:
    if not body.is_sealed:
        raise BadReply("the server confirmed an upload before it had all of it")
    if entry.is_folder or entry.size != size:
        raise BadReply(f"of {size} bytes the server confirmed {entry.size}")
    if entry.sha1 is not None and entry.sha1 != body.sha1:
        raise BadReply(_OTHER_CONTENT)
