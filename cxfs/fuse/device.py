"""The kernel's device as pyfuse3 waits for it: that there is something to read, and whether anybody reads it."""

from __future__ import annotations

import select
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class Device:
    """Of one mount: pyfuse3's workers wait for its requests by `wait_readable`."""

    def __init__(self, wait: Callable[[int], Awaitable[None]] = trio.lowlevel.wait_readable) -> None:
        self._wait = wait
        self._descriptor: int | None = None
        self._reads = 0
        self._reads_seen = -1

    async def wait_readable(self, descriptor: int) -> None:
        """Returns when there is something to read, and not only was when the wait returned.

        Looking first spares a busy mount the way through epoll; pyfuse3's lock around this gives others their turn.
        """
        self._descriptor = descriptor
        while not _has_request(descriptor):
            await self._wait(descriptor)
        self._reads += 1

    def is_attended(self) -> bool:
        """Whether no request lies there unread, or some were read since the last time that this was asked.

        True while there is no mount. It asks the device, never the mount: that would wait for ourselves.
        """
        before, self._reads_seen = self._reads_seen, self._reads
        return self._descriptor is None or self._reads != before or not _has_request(self._descriptor)

    def closed(self) -> None:
        """The mount is over: its descriptor is none any more, or another file's."""
        self._descriptor = None


def _has_request(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))
