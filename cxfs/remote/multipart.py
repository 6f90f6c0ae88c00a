"""The body of an upload: multipart/form-data, streamed, and hashed on its way. Sends nothing itself.

The optional fields stand before the file [ours], so that a server knows them when the first byte of content arrives.
"""

from __future__ import annotations

import hashlib
import mimetypes
import posixpath
import secrets
from contextlib import aclosing
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import quote

from cxfs.core.errors import Invalid
from cxfs.remote.endpoints import FILE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping

PIECE_BYTES_MAX: Final = 256 << 10
"""Hashed, encrypted and sent at a time: some hundred microseconds during which nothing else runs. Eight uploads at once
make several of it, and a program's write waits for them all."""

UNKNOWN_TYPE: Final = "application/octet-stream"

_TYPES: Final = mimetypes.MimeTypes()
"""Python's own table, not the machine's: the same name gives the same type everywhere."""


class Content(Protocol):
    """What is to be uploaded. `pieces` begins anew each time it is called, and gives exactly `size` bytes."""

    @property
    def size(self) -> int:
        """In bytes."""

    def pieces(self) -> AsyncIterator[bytes | memoryview]:
        """The bytes from the first to the last, in pieces of any length."""


def content_type_of(name: str) -> str:
    """Guessed from the extension alone: the rest of a name may look like a URL to `mimetypes`."""
    kind, coding = _TYPES.guess_type("x" + posixpath.splitext(name)[1])
    return UNKNOWN_TYPE if kind is None or coding is not None else kind


class UploadBody:
    """The parts of one upload. `sha1` and, where it is wanted, `md5` are the digests of what was handed over so far."""

    def __init__(
        self,
        content: Content,
        *,
        fields: Mapping[str, str],
        file_name: str,
        file_type: str,
        on_sealed: Callable[[bytes], Awaitable[None]] | None,
        with_md5: bool,
    ) -> None:
        self._content = content
        self._on_sealed = on_sealed
        boundary = secrets.token_hex(16)
        self.content_type = f"multipart/form-data; boundary={boundary}"
        self._head = _head(boundary, fields, file_name, file_type)
        self._tail = f"\r\n--{boundary}--\r\n".encode()
        self.length = len(self._head) + content.size + len(self._tail)
        self.is_sealed = False
        self._sha1 = hashlib.sha1(usedforsecurity=False)
        self._md5 = hashlib.md5(usedforsecurity=False) if with_md5 else None

    @property
    def sha1(self) -> bytes:
        """Raw."""
        return self._sha1.digest()

    @property
    def md5(self) -> bytes | None:
        """Raw."""
        return self._md5.digest() if self._md5 is not None else None

    async def parts(self) -> AsyncGenerator[bytes, None]:
        """Everything that goes out, once. Raises Invalid when the content has not got the size it told."""
        head = self._head  # goes with the first content: a small file is one packet less
        left = self._content.size
        async with aclosing(_generator(self._content.pieces())) as pieces:
            async for piece in pieces:
                for part in _cut(piece):
                    left -= len(part)
                    if left < 0:
                        raise Invalid("the content grew while it was being uploaded")
                    self._sha1.update(part)
                    if self._md5 is not None:
                        self._md5.update(part)
                    yield head + part
                    head = b""
        if left:
            raise Invalid("the content shrank while it was being uploaded")
        if head:
            yield head
        self.is_sealed = True
        if self._on_sealed is not None:
            await self._on_sealed(self.sha1)
        yield self._tail


async def md5_of(content: Content) -> bytes:
    """Raw, by reading it once more."""
    digest = hashlib.md5(usedforsecurity=False)
    async with aclosing(_generator(content.pieces())) as pieces:
        async for piece in pieces:
            digest.update(piece)
    return digest.digest()


async def _generator(pieces: AsyncIterator[bytes | memoryview]) -> AsyncGenerator[bytes | memoryview, None]:
    """Any iterator as one that can be closed; a generator inside is closed with it."""
    try:
        async for piece in pieces:
            yield piece
    finally:
        close = getattr(pieces, "aclose", None)
        if close is not None:
            await close()


def _cut(piece: bytes | memoryview) -> Iterator[bytes]:
    """Bytes that stay as they are, whatever the owner of the buffer does next."""
    if isinstance(piece, bytes) and len(piece) <= PIECE_BYTES_MAX:
        yield piece
        return
    view = memoryview(piece).cast("B")
    for start in range(0, len(view), PIECE_BYTES_MAX):
        yield bytes(view[start : start + PIECE_BYTES_MAX])


def _head(boundary: str, fields: Mapping[str, str], file_name: str, file_type: str) -> bytes:
    """All that goes before the content. A name is percent-encoded, so no character of it can end the header."""
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    quoted = quote(file_name, safe=" ")
    parts.append(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{FILE}"; filename="{quoted}"\r\n'
        f"Content-Type: {file_type}\r\n\r\n"
    )
    return "".join(parts).encode()
