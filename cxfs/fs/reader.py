"""Content of the server's versions: from the block store, else fetched, each byte in flight at most once.

A stream is one open file's view of one version. Fetches belong to the version, not to the stream: whoever asks waits
for the same flight, a caller that gives up takes nothing from the others, and read-ahead is abandoned when the last
stream of a version is closed.
"""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

import trio

from cxfs.core.errors import BadReply, CxfsError, DiskFull, Stale
from cxfs.core.pace import LONG_BYTES, Pace
from cxfs.core.ranges import ByteRange
from cxfs.core.readahead import Line, piece_bytes
from cxfs.core.resuming import Resumption
from cxfs.fs.pages import Pages
from cxfs.fs.streams import ReadStream
from cxfs.fs.versions import Flight, Version, waiting_for
from cxfs.local.blocks import BlockKey, BlockStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractAsyncContextManager

    from cxfs.core.entries import Entry, UuidPath
    from cxfs.fs.offload import Offload
    from cxfs.fs.supervisor import Nursery

log = logging.getLogger(__name__)

BUFFER_BYTES_MAX: Final = 128 << 20
"""On its way or ahead of readers, of all files together."""

CACHE_PARTS: Final = 4
"""More than such a part of the cache ahead of readers would push out what they have not come to yet."""


class Download(Protocol):
    """A body on its way: what it covers, and its bytes in order."""

    @property
    def range(self) -> ByteRange:
        """The bytes of the file that the body covers."""
        ...

    @property
    def etag(self) -> str | None:
        """What names the version, where the server says so."""
        ...

    @property
    def waited_s(self) -> float:
        """Seconds from the request to the answer."""
        ...

    async def pour(self, keep: Callable[[int, memoryview], None], landed: Callable[[ByteRange], None]) -> None:
        """All bytes of `range`, in order: each piece to `keep`, perhaps in a thread, then its range to `landed`."""
        ...


class ContentSource(Protocol):
    """The part of the Transport API that reads."""

    def download(
        self,
        path: UuidPath,
        wanted: ByteRange,
        *,
        version: int,
        size: int,
        pin_version: bool,
        etag: str | None,
        patience_s: float,
    ) -> AbstractAsyncContextManager[Download]:
        """A body for (at least) the bytes wanted; TimedOut when nothing comes for `patience_s`."""
        ...


@dataclass(frozen=True, slots=True)
class ReaderStatistics:
    """A snapshot: fetches and bytes since the start, streams and what is under way now.

    `ahead_bytes` came before a program asked for them; `wasted_bytes` of those were not read before the last close.
    """

    streams: int
    fetches: int
    fetched_bytes: int
    asked_bytes: int
    ahead_bytes: int
    wasted_bytes: int
    failures: int
    under_way_bytes: int


class Reader:
    """All reading of one mount. `pin_versions`: the server gives old versions; `require` raises where it is away."""

    def __init__(
        self,
        source: ContentSource,
        blocks: BlockStore,
        *,
        nursery: Nursery,
        disk: Offload,
        pin_versions: bool,
        stall_s: float,
        buffer_bytes_max: int,
        jitter: Callable[[], float],
        require: Callable[[], None],
    ) -> None:
        self._source = source
        self._blocks = blocks
        self._nursery = nursery
        self._pin_versions = pin_versions
        self._stall_s = stall_s
        self._jitter = jitter
        self.require = require
        self._disk = disk
        self._ahead_bytes_max = min(buffer_bytes_max, blocks.statistics().bytes_max // CACHE_PARTS)
        self.pace = Pace()
        self.pages = Pages()
        self._looking_ahead: set[ReadStream] = set()
        self._under_way_bytes = 0
        self._versions: dict[BlockKey, Version] = {}
        self._fetches = self._failures = 0
        self._fetched_bytes = self._asked_bytes = self._ahead_bytes = self._wasted_bytes = 0

    def open(self, entry: Entry) -> ReadStream:
        """A stream over the version that `entry` describes; close it."""
        key = BlockKey(entry.id, entry.version)
        version = self._versions.get(key)
        if version is None:
            version = self._versions[key] = Version(entry, self._blocks.open(key, entry.size, entry.sha1))
        version.streams += 1
        return ReadStream(self, version)

    def holds(self, entry: Entry) -> bool:
        """Whether all of the version is here, so that reading it asks nobody."""
        return self._blocks.holds(BlockKey(entry.id, entry.version), entry.size)

    def looks_ahead(self, stream: ReadStream, is_open: bool) -> None:  # noqa: FBT001
        """Whether something is fetched ahead of this stream now."""
        if is_open:
            self._looking_ahead.add(stream)
        else:
            self._looking_ahead.discard(stream)

    def leave(self, stream: ReadStream, version: Version) -> None:
        """A stream is closed; with the last one of a version all its fetching ends."""
        self._looking_ahead.discard(stream)
        version.abandon(stream)
        version.streams -= 1
        if version.streams == 0:
            version.cancel()
            self._close_unused(version)

    def _close_unused(self, version: Version) -> None:
        # Not before its last flight has ended: a thread may be writing to the file.
        if not version.streams and not version.flights and not version.reading:
            del self._versions[version.blocks.key]
            self._wasted_bytes += version.unread.length
            version.blocks.close()

    def statistics(self) -> ReaderStatistics:
        """What was fetched, and for how many bytes asked."""
        streams = sum(version.streams for version in self._versions.values())
        return ReaderStatistics(
            streams=streams,
            fetches=self._fetches,
            fetched_bytes=self._fetched_bytes,
            asked_bytes=self._asked_bytes,
            ahead_bytes=self._ahead_bytes,
            wasted_bytes=self._wasted_bytes,
            failures=self._failures,
            under_way_bytes=self._under_way_bytes,
        )

    def line(self, stream: ReadStream) -> Line:
        """What this stream may use of it. One that looks ahead shares the buffers with all that do."""
        sharing = len(self._looking_ahead) + (stream not in self._looking_ahead)
        return Line(self.pace.carried_bytes, self._ahead_bytes_max // sharing, self._under_way_bytes)

    def start(
        self, version: Version, wanted: ByteRange, ahead_of: ReadStream | None = None, *, for_good: bool = False
    ) -> None:
        """Starts fetching what of `wanted` is not here and not on its way. No await: nobody comes in between.

        `ahead_of` will come to want it: as far as there is room for what nobody waits for yet.
        """
        size = piece_bytes(wanted.length)
        for gap in version.uncovered(wanted):
            for piece in gap.pieces(size):
                if ahead_of is not None and self._under_way_bytes + piece.length > self._ahead_bytes_max:
                    return
                flight = Flight(piece, ahead_of, for_good=for_good)
                version.flights.append(flight)
                self._under_way_bytes += flight.left_bytes
                self._nursery.start_soon(self._fly, version, flight)

    async def bring(self, version: Version, wanted: ByteRange) -> None:
        """Returns when `wanted` is held; raises what made its flight fail."""
        self._asked_bytes += wanted.length
        while version.streams and not version.blocks.held.covers(wanted):
            self.start(version, wanted)
            watched = version.bringing(wanted)
            with waiting_for(watched):
                await version.landing.park()
            for flight in watched:
                if flight.error is not None and not version.blocks.held.covers(wanted):
                    raise flight.error

    async def from_disk(self, version: Version, wanted: ByteRange) -> bytes:
        """The bytes of `wanted`, which are held; by a thread where the disk has to be waited for. ContentLost."""
        at_once = self.pages.read(version.blocks.descriptor, wanted)
        if at_once is not None:
            return bytes(at_once)
        version.reading += 1
        try:
            content = await self._disk(os.pread, version.blocks.descriptor, wanted.length, wanted.start)
            return content if len(content) == wanted.length else version.blocks.read(wanted)
        finally:
            version.reading -= 1
            self._close_unused(version)

    async def _fly(self, version: Version, flight: Flight) -> None:
        try:
            with flight.scope:
                await self._fetch(version, flight)
        except CxfsError as error:
            self._failures += 1
            flight.error = error
        except Exception:
            log.exception("a bug while fetching")
            flight.error = BadReply("the fetch failed for a reason that is in the log")
        finally:
            version.flights.remove(flight)
            self._under_way_bytes -= flight.left_bytes
            version.landing.unpark_all()
            self._close_unused(version)

    async def _fetch(self, version: Version, flight: Flight) -> None:
        """All of the flight's stretch, going on where a connection broke, until nothing comes for `stall_s` seconds."""
        at = flight.reach.start
        transfer = Resumption(self._stall_s, now_s=trio.current_time())
        while at < flight.reach.stop:
            before = at
            try:
                at = await self._receive(version, flight, at, transfer.patience_s)
            except CxfsError as error:
                at = self._held_from(version, before)
                pause_s = transfer.pause_s(error, got_on=at > before, now_s=trio.current_time(), jitter=self._jitter())
                if pause_s is None:
                    raise
                await trio.sleep(pause_s)

    def _held_from(self, version: Version, start: int) -> int:
        gaps = version.blocks.held.missing(ByteRange(start, version.entry.size))
        return gaps[0].start if gaps else version.entry.size

    async def _receive(self, version: Version, flight: Flight, start: int, patience_s: float) -> int:
        """One request; returns where its bytes end. A server that ignores ranges sends the whole: it is kept."""
        entry = version.entry
        self._fetches += 1
        alone = self._under_way_bytes == flight.left_bytes
        async with self._source.download(
            entry.path,
            ByteRange(start, flight.reach.stop),
            version=entry.version,
            size=entry.size,
            pin_version=self._pin_versions,
            etag=version.etag,
            patience_s=patience_s,
        ) as download:
            if version.etag is None:
                version.etag = download.etag
            elif download.etag not in {None, version.etag}:  # asked for before the first answer told its tag
                raise Stale("the server holds another version of the file")
            self._reaches(flight, download.range.stop)
            self.pace.answered(download.waited_s, alone=alone)
            with version.blocks.coming(download.range), self._measured(download.range.length) as arrived:
                await download.pour(
                    partial(_put, version.blocks.descriptor), partial(self._landed, version, flight, arrived)
                )
            return download.range.stop

    def _reaches(self, flight: Flight, stop: int) -> None:
        """A server that ignores ranges sends more than was asked for."""
        if stop > flight.reach.stop:
            added = stop - flight.reach.stop
            flight.reach = ByteRange(flight.reach.start, stop)
            flight.left_bytes += added
            self._under_way_bytes += added

    @contextmanager
    def _measured(self, length: int) -> Iterator[Callable[[int], None]]:
        """Gives what is to be told of bytes that arrive.

        The rate is that from the first of them on: what came before was the way to a thread.
        """
        pace, begun = self.pace, False

        def arrived(count: int) -> None:
            nonlocal begun
            if begun:
                pace.arrived(count, trio.current_time())
            elif length >= LONG_BYTES:
                begun = True
                pace.begins(trio.current_time())

        try:
            yield arrived
        finally:
            if begun:
                pace.ended(trio.current_time())

    def _landed(self, version: Version, flight: Flight, arrived: Callable[[int], None], part: ByteRange) -> None:
        version.blocks.landed(part)
        arrived(part.length)
        self._fetched_bytes += part.length
        if flight.ahead_of:
            self._ahead_bytes += part.length
            version.unread.add(part)
        self._under_way_bytes -= min(part.length, flight.left_bytes)
        flight.left_bytes -= min(part.length, flight.left_bytes)
        version.landing.unpark_all()


def _put(descriptor: int, offset: int, content: memoryview) -> None:
    """Into the cache file, by whichever thread has received it. Raises DiskFull."""
    try:
        while content:
            written = os.pwrite(descriptor, content, offset)
            offset, content = offset + written, content[written:]
    except OSError as error:
        raise DiskFull(f"the cache folder cannot take more: {error.strerror}") from error
