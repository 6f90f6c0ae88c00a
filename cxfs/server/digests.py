"""The three checksums of one content; of a large one taken by threads, each at its own pace. Writes and reads nothing.

MD5 alone takes longer than the rest together, and no hash can be shared among threads. So each of two threads takes its
own, while the bytes are written and the next ones come in.
"""

from __future__ import annotations

import hashlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from hashlib import _Hash

LARGE_BYTES: Final = 4 << 20
"""From here on threads pay; before, they would cost more than the hashes."""

PIECES_AHEAD_MAX: Final = 4
"""That wait for a thread, in memory: whoever brings more waits with them."""

LARGE_AT_ONCE_MAX: Final = 4
"""Contents with threads of their own; more would only wait for the same cores."""


def places() -> BoundedSemaphore:
    """For the large contents of one process."""
    return BoundedSemaphore(LARGE_AT_ONCE_MAX)


class Digests:
    """Of bytes that come piece by piece. `close` must follow; a piece must stay as it is.

    `places` are those for contents with threads of their own; where none is free it goes without.
    """

    def __init__(self, places: BoundedSemaphore) -> None:
        self._places = places
        self._sha256 = hashlib.sha256()
        self._sha1 = hashlib.sha1(usedforsecurity=False)
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._size = 0
        self._lanes: tuple[_Lane, _Lane] | None = None

    def update(self, piece: bytes | memoryview) -> None:
        """The next bytes."""
        self._size += len(piece)
        if self._lanes is None and self._size >= LARGE_BYTES and self._places.acquire(blocking=False):
            self._lanes = _Lane(self._md5), _Lane(self._sha256, self._sha1)
        if self._lanes is None:
            for digest in (self._sha256, self._sha1, self._md5):
                digest.update(piece)
        else:
            for lane in self._lanes:
                lane.put(piece)

    def settle(self) -> None:
        """Returns when all pieces were taken."""
        for lane in self._lanes or ():
            lane.settle()

    @property
    def sha256(self) -> bytes:
        """Raw, of what was settled."""
        return self._sha256.digest()

    @property
    def sha1(self) -> bytes:
        """Raw, of what was settled."""
        return self._sha1.digest()

    @property
    def md5(self) -> bytes:
        """Raw, of what was settled."""
        return self._md5.digest()

    def close(self) -> None:
        """Ends the threads. May be called twice."""
        lanes, self._lanes = self._lanes, None
        if lanes is not None:
            for lane in lanes:
                lane.close()
            self._places.release()


class _Lane:
    """One thread, and what it has still to take."""

    def __init__(self, *digests: _Hash) -> None:
        self._digests = digests
        self._thread = ThreadPoolExecutor(1, "hashing")
        self._waiting: deque[Future[None]] = deque()

    def put(self, piece: bytes | memoryview) -> None:
        if len(self._waiting) >= PIECES_AHEAD_MAX:
            self._waiting.popleft().result()
        self._waiting.append(self._thread.submit(self._take, piece))

    def _take(self, piece: bytes | memoryview) -> None:
        for digest in self._digests:
            digest.update(piece)

    def settle(self) -> None:
        while self._waiting:
            self._waiting.popleft().result()

    def close(self) -> None:
        self._thread.shutdown(cancel_futures=True)
