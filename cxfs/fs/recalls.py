"""Taking a change back from the way it is on, for whoever renames or replaces its file. Plans nothing anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from cxfs.core.errors import CxfsError
from cxfs.core.patience import RECALL_S

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cxfs.fs.changes import Change, Changes
    from cxfs.fs.sending import Sending


class Recalls:
    """Those of one mount."""

    def __init__(self, sending: Sending, changes: Changes) -> None:
        self._sending = sending
        self._changes = changes

    async def recall(self, *changes: Change) -> None:
        """As `stop`; and what is in doubt of them the server was asked, which does not take long either.

        Raises DiskFull where what it said cannot be written down.
        """
        await self.stop(*changes)
        errors: list[CxfsError] = []
        with trio.move_on_after(RECALL_S):
            async with trio.open_nursery() as nursery:
                for change in changes:
                    if change in self._changes:
                        nursery.start_soon(self._ask, change, errors)
        if errors:
            raise errors[0]

    async def _ask(self, change: Change, errors: list[CxfsError]) -> None:
        try:
            await self._sending.clear_doubt(change)
        except CxfsError as error:
            errors.append(error)

    async def stop(self, *changes: Change) -> None:
        """Returns when no attempt at any of them will change it.

        What is going out is abandoned. The answer to what is all out is waited for a moment, and then disowned, so that
        no program waits longer for it. The server may still carry that out: it refuses what meets a newer version, and
        what else may come of it is the caller's matter (see `Change.settled`). A server that does not compare versions
        would take it as the newest: of such a one each answer is waited for.
        """
        for change in changes:
            change.abandon()
        with trio.move_on_after(RECALL_S):
            await _out_of_the_way(changes)
        if self._sending.conditional:
            for change in changes:
                change.disown_the_attempt()
        await _out_of_the_way(changes)


async def _out_of_the_way(changes: Iterable[Change]) -> None:
    for change in changes:
        if not change.attempt.is_out_of_the_way:
            await change.attempt.ended.wait()
