"""Whether there is room for a write: in the account, in the draft area, on this machine's disk. Accepts nothing itself.

A program is told at the write, when it can still do something about it, and never at the close of what was accepted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cxfs.core.entries import SELF
from cxfs.core.errors import DiskFull, NoSpace

if TYPE_CHECKING:
    from cxfs.fs.changes import Change, Changes
    from cxfs.fs.errands import Errands
    from cxfs.fs.space import SpaceWatch
    from cxfs.local.blocks import BlockStore
    from cxfs.local.outbox import Outbox

DRAFTS_FREE_BYTES_FLOOR: Final = 64 << 20
"""Of the disk that drafts leave to others: a full disk breaks more than this mount. The cache gives way before, at four
times as much."""

LOOK_AHEAD_BYTES: Final = 16 << 20
"""Written at most between two looks at the disk, which cost as much as a small write itself. Nearer to the floor than
four times as much, every write looks."""


class Room:
    """The room of one mount."""

    def __init__(
        self,
        space: SpaceWatch,
        *,
        changes: Changes,
        errands: Errands,
        blocks: BlockStore,
        outbox: Outbox,
        draft_bytes_max: int,
    ) -> None:
        self._space = space
        self._changes = changes
        self._errands = errands
        self._blocks = blocks
        self._outbox = outbox
        self._draft_bytes_max = draft_bytes_max
        self._look_after_bytes = 0

    def require(self, change: Change, *, size: int, added_bytes: int) -> None:
        """The file of `change` may have `size` bytes, of which `added_bytes` are written now.

        Raises NoSpace past the account's quota, counting what waits; DiskFull past the limits of this machine.
        """
        grows_bytes = max(change.draft.size, size) - max(change.draft.size, change.base_size)
        if change.path.owner == SELF and not change.stays_here and grows_bytes > 0:
            self._require_quota(grows_bytes)
        if added_bytes:
            self._require_disk(added_bytes)

    def _require_quota(self, grows_bytes: int) -> None:
        free_bytes = self._space.now.free_bytes + self._errands.bytes_leaving - self._changes.bytes_coming
        if grows_bytes > free_bytes:
            raise NoSpace("the account has no room for it")

    def _require_disk(self, added_bytes: int) -> None:
        if self._changes.bytes_held + added_bytes > self._draft_bytes_max:
            raise DiskFull("the drafts waiting to be uploaded have reached their limit")
        self._look_after_bytes -= added_bytes
        if self._look_after_bytes < 0:
            self._look_at_disk(added_bytes)
        if not self._outbox.keep_reserve():
            raise DiskFull("this machine's disk is full")

    def _look_at_disk(self, added_bytes: int) -> None:
        lacking_bytes = self._lacking(added_bytes)
        if lacking_bytes > 0:
            self._blocks.give_way(lacking_bytes)
            lacking_bytes = self._lacking(added_bytes)
        if lacking_bytes > 0:
            raise DiskFull("this machine's disk is full")
        self._look_after_bytes = LOOK_AHEAD_BYTES if -lacking_bytes > 4 * LOOK_AHEAD_BYTES else 0

    def _lacking(self, added_bytes: int) -> int:
        return DRAFTS_FREE_BYTES_FLOOR + added_bytes - self._outbox.free_bytes()
