"""What of a draft goes out: one generation of it, or nothing. Sends nothing itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxfs.core.errors import Invalid
from cxfs.core.ranges import ByteRange
from cxfs.local.drafts import PIECE_BYTES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from cxfs.fs.changes import Change
    from cxfs.fs.offload import Offload


class Abandoned(Exception):
    """What was being sent is no longer what the file holds."""


class DraftContent:
    """One generation of a draft, as the body of an upload; raises Abandoned rather than mix two.

    `sent` hears of the bytes that were handed over, `attempt` is the one that it goes out in.
    """

    def __init__(self, change: Change, disk: Offload, sent: Callable[[int], None]) -> None:
        self.size = change.draft.size
        self.generation = change.generation
        self.attempt = change.attempt
        self._change = change
        self._disk = disk
        self.sent = sent

    async def pieces(self) -> AsyncIterator[bytes]:
        """The bytes in order, a piece in memory at a time."""
        for wanted in ByteRange(0, self.size).pieces(PIECE_BYTES):
            piece = await self._disk(self._change.draft.read, wanted)
            self.check()
            yield piece
            self.sent(len(piece))

    async def whole(self) -> bytes:
        """All of a small one, none of it handed over yet."""
        content = await self._disk(self._change.draft.read, ByteRange(0, self.size))
        self.check()
        if len(content) != self.size:
            raise Invalid("the content shrank while it was being uploaded")
        return content

    @property
    def is_current(self) -> bool:
        """Whether the file was not written since."""
        return self._change.generation == self.generation

    def check(self) -> None:
        """Raises Abandoned when the file was written since."""
        if not self.is_current:
            raise Abandoned
