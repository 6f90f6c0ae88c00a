"""An account on a CX server, as the client sees it: the words that tests against servers speak in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cxfs.core.entries import TreePath
from cxfs.core.ranges import ByteRange
from cxfs.remote.files import Files
from cxfs.remote.transport import Transport
from cxfs.remote.user import User

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from cxfs.core.entries import Entry
    from cxfs.remote.session import Session

QUOTA_BYTES: Final = 1_000_000
CONTENT: Final = bytes(range(256)) * 10


class Bytes:
    """Content in one piece."""

    def __init__(self, content: bytes) -> None:
        self.size = len(content)
        self._content = content

    async def pieces(self) -> AsyncIterator[bytes]:
        yield self._content


class Account:
    """An account on a server, as the client sees it."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.files = Files(session)
        self.transport = Transport(session)
        self.user = User(session)

    async def puts(self, path: str, content: bytes = CONTENT, *, if_version: int | None = None) -> Entry:
        return await self.transport.upload(
            TreePath.parse(path), Bytes(content), modified_ms=1_350_941_207_700, if_version=if_version
        )

    async def makes(self, path: str) -> Entry:
        return await self.files.make_folder(TreePath.parse(path))

    async def names(self, path: str = "self:/") -> list[str]:
        return sorted(entry.name for entry in (await self.files.listing(TreePath.parse(path))).entries)

    async def reads(self, entry: Entry, wanted: ByteRange | None = None, *, pin_version: bool = False) -> bytes:
        """The bytes of a range, cut from whatever the server gave."""
        wanted = wanted or ByteRange(0, entry.size)
        async with self.transport.download(
            entry.path, wanted, version=entry.version, size=entry.size, pin_version=pin_version
        ) as download:
            content = b"".join([piece async for piece in download.pieces()])
        return content[wanted.start - download.range.start : wanted.stop - download.range.start]
