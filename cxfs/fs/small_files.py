"""How whole small files are brought here: many to a request where the server offers bundles, else side by side.

Nobody waits for what is brought, so each is tried once; what is not brought is fetched when somebody wants it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, Protocol

import trio

from cxfs.core.errors import BadReply, CxfsError
from cxfs.core.ranges import ByteRange
from cxfs.remote.bundles import BundleItem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from contextlib import AbstractAsyncContextManager

    from cxfs.core.entries import Entry, UuidPath
    from cxfs.remote.bundles import BundlePart

log = logging.getLogger(__name__)

AT_A_TIME_MAX: Final = 16
"""Single requests on their way."""

BUNDLE_FILES_MAX: Final = 64
BUNDLE_BYTES_MAX: Final = 2 << 20
"""Of one bundle: several on their way keep a slow line busy, and the first file of each comes soon."""


class BundleSource(Protocol):
    """The part of the bundle calls that reads."""

    def get(self, items: Sequence[BundleItem]) -> AbstractAsyncContextManager[AsyncIterator[BundlePart]]:
        """The contents, in the order asked."""
        ...


class Body(Protocol):
    """Bytes on their way."""

    def pieces(self) -> AsyncIterator[bytes]:
        """All of them, in order."""
        ...


class BackgroundContent(Protocol):
    """The part of the Transport API that reads what nobody waits for."""

    def download(
        self, path: UuidPath, wanted: ByteRange, *, version: int, size: int, pin_version: bool, in_background: bool
    ) -> AbstractAsyncContextManager[Body]:
        """A body for (at least) the bytes wanted."""
        ...


class Bundled:
    """By bundles."""

    def __init__(self, source: BundleSource) -> None:
        self._source = source

    async def bring(self, entries: Sequence[Entry], land: Callable[[Entry, bytes], None]) -> None:
        """As many requests as it takes, side by side."""
        async with trio.open_nursery() as nursery:
            for bundle in _bundles(entries):
                nursery.start_soon(self._bring, bundle, land)

    async def _bring(self, bundle: Sequence[Entry], land: Callable[[Entry, bytes], None]) -> None:
        try:
            items = [BundleItem(entry.path, entry.version, entry.size, entry.sha1) for entry in bundle]
            async with self._source.get(items) as parts:
                async for part in parts:
                    if isinstance(part.content, bytes):
                        land(bundle[part.index], part.content)
        except CxfsError as error:
            log.debug("a bundle could not be fetched ahead: %s", error)


def _bundles(entries: Sequence[Entry]) -> list[list[Entry]]:
    bundles: list[list[Entry]] = [[]]
    left = BUNDLE_BYTES_MAX
    for entry in entries:
        if bundles[-1] and (len(bundles[-1]) == BUNDLE_FILES_MAX or entry.size > left):
            bundles.append([])
            left = BUNDLE_BYTES_MAX
        bundles[-1].append(entry)
        left -= entry.size
    return bundles


class OneByOne:
    """By single requests."""

    def __init__(self, source: BackgroundContent, *, pin_versions: bool) -> None:
        self._source = source
        self._pin_versions = pin_versions
        self._limiter = trio.CapacityLimiter(AT_A_TIME_MAX)

    async def bring(self, entries: Sequence[Entry], land: Callable[[Entry, bytes], None]) -> None:
        """Side by side, as far as the limit goes."""
        async with trio.open_nursery() as nursery:
            for entry in entries:
                nursery.start_soon(self._bring, entry, land)

    async def _bring(self, entry: Entry, land: Callable[[Entry, bytes], None]) -> None:
        try:
            async with self._limiter:
                land(entry, await self._content(entry))
        except CxfsError as error:
            log.debug("a file could not be fetched ahead: %s", error)

    async def _content(self, entry: Entry) -> bytes:
        async with self._source.download(
            entry.path,
            ByteRange(0, entry.size),
            version=entry.version,
            size=entry.size,
            pin_version=self._pin_versions,
            in_background=True,
        ) as download:
            content = b"".join([piece async for piece in download.pieces()])
        if len(content) != entry.size:
            raise BadReply(f"{len(content)} bytes came of a file of {entry.size}")
        return content
