"""Content of the server's versions: from the block store, else fetched, each byte in flight at most once.

A stream is one open file's view of one version. Fetches belong to the version, not to the stream: whoever asks waits
for the same flight, a caller that gives up takes nothing from the others, and read-ahead is abandoned when the last
stream of a version is closed.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

import trio

from cxfs.core.errors import BadReply, ContentLost, CxfsError, RateLimited, Stale
from cxfs.core.ranges import ByteRange
from cxfs.core.readahead import PIECE_BYTES_MAX, ReadAhead
from cxfs.core.retry import RetryPolicy
from cxfs.local.blocks import BlockFile, BlockKey, BlockStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    from cxfs.core.entries import Entry, Owner, UuidPath

log = logging.getLogger(__name__)

_POLICY: Final = RetryPolicy(tries_max=None)
"""A fetch that makes progress is tried again without end; one that makes none ends by its stall time."""


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

    def pieces(self) -> AsyncIterator[bytes]:
        """All bytes of `range`, in order."""
        ...


class ContentSource(Protocol):
    """The part of the Transport API that reads."""

    def download(
        self, path: UuidPath, wanted: ByteRange, *, version: int, size: int, pin_version: bool, etag: str | None = None
    ) -> AbstractAsyncContextManager[Download]:
        """A body for (at least) the bytes wanted."""
        ...


@dataclass(frozen=True, slots=True)
class ReaderStatistics:
    """A snapshot: fetches and bytes since the start, streams now."""

    streams: int
    fetches: int
    fetched_bytes: int
    asked_bytes: int
    failures: int


class Flight:
    """One fetch of a stretch of a version. `reach` grows when the server sends more than was asked."""

    def __init__(self, reach: ByteRange) -> None:
        self.reach = reach
        self.scope = trio.CancelScope()
        self.error: CxfsError | None = None


class Version:
    """One version being read: its block file, its flights, and whom to wake when bytes land."""

    def __init__(self, entry: Entry, blocks: BlockFile) -> None:
        self.entry = entry
        self.blocks = blocks
        self.flights: list[Flight] = []
        self.landing = trio.lowlevel.ParkingLot()
        self.etag: str | None = None
        self.streams = 0

    def uncovered(self, wanted: ByteRange) -> list[ByteRange]:
        """What of `wanted` is neither here nor on its way."""
        gaps = self.blocks.held.missing(wanted)
        for flight in self.flights:
            gaps = [part for gap in gaps for part in _without(gap, flight.reach)]
        return gaps


class Reader:
    """All reading of one mount. `pin_versions`: the server keeps old versions and gives them when asked."""

    def __init__(
        self,
        source: ContentSource,
        blocks: BlockStore,
        *,
        nursery: trio.Nursery,
        pin_versions: bool,
        stall_s: float,
        jitter: Callable[[], float],
    ) -> None:
        self._source = source
        self._blocks = blocks
        self._nursery = nursery
        self._pin_versions = pin_versions
        self._stall_s = stall_s
        self._jitter = jitter
        self._versions: dict[BlockKey, Version] = {}
        self._fetches = 0
        self._fetched_bytes = 0
        self._asked_bytes = 0
        self._failures = 0

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

    def leave(self, version: Version) -> None:
        """A stream is closed; with the last one of a version its read-ahead ends."""
        version.streams -= 1
        if version.streams == 0:
            del self._versions[version.blocks.key]
            for flight in version.flights:
                flight.scope.cancel()
            version.blocks.close()

    def statistics(self) -> ReaderStatistics:
        """What was fetched, and for how many bytes asked."""
        streams = sum(version.streams for version in self._versions.values())
        return ReaderStatistics(streams, self._fetches, self._fetched_bytes, self._asked_bytes, self._failures)

    def start(self, version: Version, wanted: ByteRange) -> None:
        """Starts fetching what of `wanted` is not here and not on its way. No await: nobody comes in between."""
        for gap in version.uncovered(wanted):
            for piece in gap.pieces(PIECE_BYTES_MAX):
                flight = Flight(piece)
                version.flights.append(flight)
                self._nursery.start_soon(self._fly, version, flight)

    async def bring(self, version: Version, wanted: ByteRange) -> None:
        """Returns when `wanted` is held; raises what made its flight fail."""
        self._asked_bytes += wanted.length
        while version.streams and not version.blocks.held.covers(wanted):
            self.start(version, wanted)
            watched = [flight for flight in version.flights if _meet(flight.reach, wanted)]
            await version.landing.park()
            for flight in watched:
                if flight.error is not None and not version.blocks.held.covers(wanted):
                    raise flight.error

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
            version.landing.unpark_all()

    async def _fetch(self, version: Version, flight: Flight) -> None:
        """All of the flight's stretch, going on where a connection broke, until nothing comes for `stall_s` seconds."""
        at = flight.reach.start
        failures = 0
        stalled_at = trio.current_time() + self._stall_s
        while at < flight.reach.stop:
            before = at
            try:
                at = await self._receive(version, flight, at)
            except CxfsError as error:
                if not error.transient:
                    raise
                at = self._held_from(version, before)
                if at > before:
                    failures, stalled_at = 0, trio.current_time() + self._stall_s
                failures += 1
                pause_s = _POLICY.pause_s(
                    failures=failures,
                    jitter=self._jitter(),
                    left_s=stalled_at - trio.current_time(),
                    retry_after_s=error.retry_after_s if isinstance(error, RateLimited) else None,
                )
                if pause_s is None:
                    raise
                await trio.sleep(pause_s)

    def _held_from(self, version: Version, start: int) -> int:
        gaps = version.blocks.held.missing(ByteRange(start, version.entry.size))
        return gaps[0].start if gaps else version.entry.size

    async def _receive(self, version: Version, flight: Flight, start: int) -> int:
        """One request; returns where its bytes end. A server that ignores ranges sends the whole: it is kept."""
        entry = version.entry
        self._fetches += 1
        async with self._source.download(
            entry.path,
            ByteRange(start, flight.reach.stop),
            version=entry.version,
            size=entry.size,
            pin_version=self._pin_versions,
            etag=version.etag,
        ) as download:
            if version.etag is None:
                version.etag = download.etag
            at = download.range.start
            if download.range.stop > flight.reach.stop:
                flight.reach = ByteRange(flight.reach.start, download.range.stop)
            async for piece in download.pieces():
                if not version.streams:
                    break  # closed while this piece was being handed over
                version.blocks.write(at, piece)
                at += len(piece)
                self._fetched_bytes += len(piece)
                version.landing.unpark_all()
        return at


class ReadStream:
    """One open file's reading of one version: bytes, and a read-ahead of its own."""

    def __init__(self, reader: Reader, version: Version) -> None:
        self._reader = reader
        self._version = version
        self._readahead = ReadAhead(version.entry.size)
        self._closed = False

    async def read(self, wanted: ByteRange) -> bytes:
        """The bytes of `wanted`, clipped to the file; never fewer for a reason of the network.

        Raises Stale when this version is gone from the server, Unreachable or TimedOut when it cannot be had now.
        """
        wanted = wanted.clipped(ByteRange(0, self._version.entry.size))
        if not wanted.length:
            return b""
        if self._closed:
            raise Stale("the file was closed")
        blocks = self._version.blocks
        with blocks.keeping(wanted):
            plan = self._readahead.on_read(wanted)
            self._reader.start(self._version, plan.need)
            self._reader.start(self._version, plan.want)
            while True:
                if not blocks.held.covers(wanted):
                    await self._reader.bring(self._version, wanted)
                if self._closed:
                    raise Stale("the file was closed")
                with suppress(ContentLost):  # somebody has cut the cache's file: fetched again
                    return blocks.read(wanted)

    def settled(self, owner: Owner) -> None:
        """The file stands in another owner's tree now."""
        self._version.entry = replace(self._version.entry, owner=owner)

    def close(self) -> None:
        """Ends the stream; closing twice is allowed."""
        if not self._closed:
            self._closed = True
            self._reader.leave(self._version)


def _without(gap: ByteRange, taken: ByteRange) -> list[ByteRange]:
    parts = [ByteRange(gap.start, min(gap.stop, taken.start)), ByteRange(max(gap.start, taken.stop), gap.stop)]
    return [part for part in parts if part.start < part.stop]


def _meet(one: ByteRange, other: ByteRange) -> bool:
    return one.start < other.stop and other.start < one.stop
