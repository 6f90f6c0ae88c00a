"""The parts of an answer that holds many files: found, checked and handed on as they arrive. Sends nothing.

Content is delivered only when it has the length, the version and, where that is known, the checksum of what was asked
for.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from cxfs.core.errors import BadReply, CxfsError, NotFound, Stale, Unreachable
from cxfs.remote.failures import failure_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from cxfs.core.entries import UuidPath
    from cxfs.remote.lanes import Answer

BYTES_MAX: Final = 8 << 20
"""Of the contents in one bundle [ours]; a server may take less, and refuses what it does not take."""

HEAD_BYTES_MAX: Final = 4 << 10
"""Of what stands before one part's content: a hundred bytes of three headers."""

_BOUNDARY: Final = re.compile(r'multipart/mixed\s*;\s*boundary="?([0-9A-Za-z\'()+_,./:=?-]{1,70})"?', re.IGNORECASE)
_ETAG: Final = re.compile(rb'"(\d{1,19})"')
_LENGTH: Final = re.compile(rb"\d{1,9}")


class BundleItem(NamedTuple):
    """A version of a file as its entry tells of it: `size` in bytes, `sha1` raw where it is known."""

    path: UuidPath
    version: int
    size: int
    sha1: bytes | None = None


@dataclass(frozen=True, slots=True)
class BundlePart:
    """What became of the item at `index`: all its bytes, or why there are none."""

    index: int
    content: bytes | CxfsError


class BundleParts:
    """The parts of an answer, each once. Ends only after the last, and after the end of the answer."""

    def __init__(self, incoming: Answer, items: Sequence[BundleItem]) -> None:
        found = _BOUNDARY.match(incoming.headers.get("content-type", ""))
        if found is None:
            raise BadReply("the server sent something else than the parts of a bundle")
        self._incoming = incoming
        self._items = items
        self._index = 0
        self._delimiter = b"--" + found[1].encode()
        self._buffer = bytearray()
        self._at = 0
        self._bytes_left = BYTES_MAX

    def __aiter__(self) -> AsyncIterator[BundlePart]:
        return self

    async def __anext__(self) -> BundlePart:
        if self._index == len(self._items):
            await self._end()
            raise StopAsyncIteration
        while (head_end := self._buffer.find(b"\r\n\r\n", self._at, self._at + HEAD_BYTES_MAX)) < 0:
            if len(self._buffer) - self._at >= HEAD_BYTES_MAX:
                raise BadReply("a part of the bundle has no end to its headers")
            await self._more()
        tag, length = self._head(bytes(self._buffer[self._at : head_end]))
        self._bytes_left -= length
        if self._bytes_left < 0:
            raise BadReply(f"the server sent more than {BYTES_MAX} bytes in one bundle")
        self._at = head_end + 4
        content = await self._take(length)
        if await self._take(2) != b"\r\n":
            raise BadReply("a part of the bundle is longer than it says")
        index = self._index
        self._index += 1
        return BundlePart(index, _checked(self._items[index], tag, content))

    def _head(self, head: bytes) -> tuple[bytes | None, int]:
        """The ETag, which only content has, and the length."""
        delimiter, *lines = head.split(b"\r\n")
        if delimiter != self._delimiter:
            raise BadReply("the parts of the bundle are not those that were asked for")
        tag: bytes | None = None
        kind = length = b""
        for line in lines:
            name, _, value = line.partition(b":")
            name = name.lower()
            if name == b"etag":
                tag = value.strip()
            elif name == b"content-length":
                length = value.strip()
            elif name == b"content-type":
                kind = value.strip().lower()
        if _LENGTH.fullmatch(length) is None or (tag is None and not kind.startswith(b"application/json")):
            raise BadReply("a part of the bundle does not say what it is")
        return tag, int(length)

    async def _take(self, length: int) -> bytes:
        """So many bytes, moved past."""
        while len(self._buffer) - self._at < length:
            await self._more()
        start, self._at = self._at, self._at + length
        return bytes(memoryview(self._buffer)[start : self._at])

    async def _more(self) -> None:
        """What comes next, behind what is still to be read."""
        piece = await self._incoming.piece()
        if not piece:
            raise Unreachable(f"the bundle broke off after {self._index} of {len(self._items)} files")
        del self._buffer[: self._at]
        self._at = 0
        self._buffer += piece

    async def _end(self) -> None:
        """Raises BadReply when there is more than was asked for."""
        if await self._take(len(self._delimiter) + 4) != self._delimiter + b"--\r\n" or await self._is_more():
            raise BadReply("the bundle did not end after its last file")

    async def _is_more(self) -> bool:
        return len(self._buffer) > self._at or bool(await self._incoming.piece())


def _checked(item: BundleItem, tag: bytes | None, content: bytes) -> bytes | CxfsError:
    """The content, if it is that of the version that was asked for."""
    if tag is None:
        error = failure_in(content) or BadReply("a part of the bundle is neither content nor an error")
        return Stale("this version of the file is gone from the server") if isinstance(error, NotFound) else error
    numeric = _ETAG.fullmatch(tag)
    if (numeric is not None and int(numeric[1]) != item.version) or len(content) != item.size:
        return Stale("the server holds another version of the file")
    if item.sha1 is not None and hashlib.sha1(content, usedforsecurity=False).digest() != item.sha1:
        return BadReply("the content is not that of the file's checksum")
    return content
