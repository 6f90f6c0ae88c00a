"""One open file's reading of one version, with a read-ahead of its own. Fetches nothing itself."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from cxfs.core.errors import ContentLost, Stale
from cxfs.core.ranges import ByteRange
from cxfs.core.readahead import Line, ReadAhead

if TYPE_CHECKING:
    from cxfs.core.entries import Owner
    from cxfs.fs.pages import Pages
    from cxfs.fs.versions import Version


class Fetcher(Protocol):
    """The part of the reader that a stream needs."""

    @property
    def pages(self) -> Pages:
        """Reads what is in memory."""
        ...

    def require(self) -> None:
        """Raises Offline or SignedOut where waiting for the server would be for nothing."""
        ...

    def line(self, stream: ReadStream) -> Line:
        """What the stream may use of it."""
        ...

    def looks_ahead(self, stream: ReadStream, is_open: bool) -> None:  # noqa: FBT001
        """Whether something is fetched ahead of the stream now."""
        ...

    def start(
        self, version: Version, wanted: ByteRange, ahead_of: ReadStream | None = None, *, for_good: bool = False
    ) -> None:
        """Starts fetching."""
        ...

    async def bring(self, version: Version, wanted: ByteRange) -> None:
        """Returns when it is held."""
        ...

    async def from_disk(self, version: Version, wanted: ByteRange) -> bytes:
        """What is held."""
        ...

    def leave(self, stream: ReadStream, version: Version) -> None:
        """The stream is closed."""
        ...


class ReadStream:
    """One open file's reading of one version: bytes, and a read-ahead of its own."""

    def __init__(self, reader: Fetcher, version: Version) -> None:
        self._reader = reader
        self._version = version
        self._readahead = ReadAhead(version.entry.size)
        self._whole = ByteRange(0, version.entry.size)
        self._closed = False

    def ready(self, wanted: ByteRange) -> memoryview | None:
        """The bytes of `wanted`, clipped to the file, if they are in memory; else None, and `read` waits for them.

        What it returns is good until the next call: it is to be used before anything else happens.
        """
        wanted = wanted.clipped(self._whole)
        blocks = self._version.blocks
        if self._closed or not wanted.length or not blocks.held.covers(wanted):
            return None
        with blocks.keeping(wanted):
            content = self._reader.pages.read(blocks.descriptor, wanted) if blocks.held.covers(wanted) else None
        if content is not None:
            self._version.unread.remove(wanted)
            self._look_ahead(wanted, is_here=True)
        return content

    async def read(self, wanted: ByteRange) -> bytes:
        """The bytes of `wanted`, clipped to the file; never fewer for a reason of the network.

        Raises Stale when this version is gone from the server, Unreachable or TimedOut when it cannot be had now.
        """
        wanted = wanted.clipped(self._whole)
        if not wanted.length:
            return b""
        self._check_open()
        blocks = self._version.blocks
        if not blocks.held.covers(wanted):
            self._reader.require()  # also where it is on its way: since before the connection was lost
        with blocks.keeping(wanted):
            self._look_ahead(wanted, is_here=blocks.held.covers(wanted))
            while True:
                if not blocks.held.covers(wanted):
                    await self._reader.bring(self._version, wanted)
                self._check_open()
                with suppress(ContentLost):  # and so it is not held any more
                    content = await self._reader.from_disk(self._version, wanted)
                    self._version.unread.remove(wanted)
                    return content

    def _check_open(self) -> None:
        if self._closed:
            raise Stale("the file was closed")

    def _look_ahead(self, wanted: ByteRange, *, is_here: bool) -> None:
        """Starts what is needed now, and what will be."""
        plan = self._readahead.on_read(wanted, self._reader.line(self), is_here=is_here)
        if plan.leaves:
            self._version.abandon(self)
        need, want = plan.need, plan.want
        if want and want[0].start == need.stop and not is_here:  # one request for both
            need, want = ByteRange(need.start, want[0].stop), want[1:]
        if not is_here:
            self._reader.start(self._version, need, for_good=True)
        for stretch in want:
            self._reader.start(self._version, stretch, self, for_good=plan.for_good)
        self._reader.looks_ahead(self, self._readahead.is_open)

    def settled(self, owner: Owner) -> None:
        """The file stands in another owner's tree now."""
        self._version.entry = replace(self._version.entry, owner=owner)

    def close(self) -> None:
        """Ends the stream; closing twice is allowed."""
        if not self._closed:
            self._closed = True
            self._reader.leave(self, self._version)
