"""Setting `user.cx.sync`: a file or folder is brought to the server and waited for. Sends nothing itself.

A call in the kernel cannot be interrupted, so unlike `cxfs sync` this does not wait for a server that takes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from cxfs.core.errors import NotSynced, TimedOut
from cxfs.fs.places import place_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cxfs.fs.changes import Change
    from cxfs.fs.node import Node
    from cxfs.fs.syncing import SyncProgress
    from cxfs.fs.uploader import Uploader
    from cxfs.fs.waiting import Waiting


class Bringing:
    """That of one mount. `arrive` brings one change; `stall_s`: how long the server may take nothing at all."""

    def __init__(
        self, waiting: Waiting, arrive: Callable[[Change], Awaitable[None]], *, uploader: Uploader, stall_s: float
    ) -> None:
        self._waiting = waiting
        self._arrive = arrive
        self._uploader = uploader
        self._stall_s = stall_s

    async def bring(self, node: Node) -> None:
        """Returns when the server has what is at and below the node. What is raised leaves it accepted and waiting.

        Raises the refusal of a file, NotSynced for a folder of which something did not arrive as it is, and the trouble
        of a server that takes nothing, or TimedOut.
        """
        if node.change is not None:
            await self._arrive(node.change)
        elif node.is_folder and not node.gone:
            watch = _Watch(self._uploader, self._stall_s)
            synced = await self._waiting.sync(place_of(node).encode(errors="surrogateescape"), watch.look)
            if synced.failures:
                raise NotSynced(
                    f"{synced.failures} of {synced.files} files in {node.shown!r} did not arrive as they are"
                )


class _Watch:
    """Looks whether the server takes anything."""

    def __init__(self, uploader: Uploader, stall_s: float) -> None:
        self._uploader = uploader
        self._stall_s = stall_s
        self._advance, self._since = uploader.advance, trio.current_time()

    async def look(self, _: SyncProgress) -> None:
        """Raises TimedOut when it has taken nothing for too long."""
        if self._uploader.trouble is None and self._uploader.advance != self._advance:
            self._advance, self._since = self._uploader.advance, trio.current_time()
        elif trio.current_time() - self._since >= self._stall_s:
            raise TimedOut(f"the server has taken nothing for {self._stall_s:g} s; what waits is sent later")
