"""One content on its way in, wherever it will be kept. Knows no user or path, and not what becomes of it.

While it is small it is in memory. What is larger goes on to a sink as it comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

from cxfs.server.digests import Digests
from cxfs.server.limits import SMALL_BYTES_MAX
from cxfs.server.wire import unpadded

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import BoundedSemaphore
    from types import TracebackType


class Content(NamedTuple):
    """What is known of some bytes: their name here, their length, and the checksums that the contract shows."""

    sha256: bytes
    size: int
    sha1: str
    md5: str


class Sink(Protocol):
    """Where the bytes of a large content go while they arrive. Blocks."""

    is_kept: bool
    """Whether there is nothing to discard."""

    def write(self, piece: memoryview) -> None:
        """Appends. The piece stays as it is."""
        ...

    def sync(self) -> None:
        """Returns when the bytes, which are all there, would survive a power cut."""
        ...

    def close(self) -> None:
        """Lets go of what is open. May be called twice."""
        ...

    def discard(self) -> None:
        """Removes what was not kept."""
        ...


class Arrival:
    """Leaving the block removes what was not kept; nothing of it is visible before."""

    def __init__(self, open_sink: Callable[[], Sink], places: BoundedSemaphore) -> None:
        self._open_sink = open_sink
        self._in_memory = bytearray()
        self._digests = Digests(places)
        self.sink: Sink | None = None
        self.size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._digests.close()  # of one that failed nobody wants to know
        self.close()
        if self.sink is not None:
            self.sink.discard()

    def write(self, piece: bytes | memoryview) -> None:
        """Appends. Blocks on the sink and, unless it is large, on three hashes: for a thread, not for an event loop."""
        self._digests.update(piece)
        self.size += len(piece)
        if self.is_small:
            self._in_memory += piece
            return
        if self.sink is None:
            self.sink = self._open_sink()
            self.sink.write(memoryview(bytes(self._in_memory)))
            self._in_memory.clear()
        self.sink.write(memoryview(piece))

    @property
    def is_small(self) -> bool:
        """Whether it is kept as a row."""
        return self.size <= SMALL_BYTES_MAX

    @property
    def is_left_over(self) -> bool:
        """Whether leaving the block has something to remove."""
        return self.sink is not None and not self.sink.is_kept

    @property
    def bytes(self) -> bytes:
        """Of a small one, so far."""
        return bytes(self._in_memory)

    def sync(self) -> None:
        """Returns when a large one's bytes would survive a power cut; a small one's do when its row is committed."""
        if self.sink is not None:
            self.sink.sync()

    def close(self) -> None:
        """The bytes are complete. May be called twice."""
        self._digests.settle()
        self._digests.close()
        if self.sink is not None:
            self.sink.close()

    @property
    def content(self) -> Content:
        """Of all bytes, once they are complete."""
        digests = self._digests
        return Content(digests.sha256, self.size, unpadded(digests.sha1), unpadded(digests.md5))
