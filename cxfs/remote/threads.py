"""A blocking call in a thread that a cancelled task can interrupt. Knows nothing of what is called."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

import trio

from cxfs.core.errors import CxfsError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


async def interruptible(work: Callable[[], T], *, interrupt: Callable[[], None]) -> T:
    """The result of `work()`, which ends soon after `interrupt()` was called.

    Cancelled, the call is interrupted and its end awaited all the same: when this returns or raises, no thread uses
    what `work` uses. trio's own calls to threads either wait to the end or leave the thread behind.
    """
    task = trio.lowlevel.current_task()
    token = trio.lowlevel.current_trio_token()

    def deliver(result: Any) -> None:  # trio's own: a value or an error
        with suppress(trio.RunFinishedError):
            token.run_sync_soon(trio.lowlevel.reschedule, task, result)

    def abort(_: object) -> trio.lowlevel.Abort:
        interrupt()
        return trio.lowlevel.Abort.FAILED

    trio.lowlevel.start_thread_soon(work, deliver)
    try:
        result: T = await trio.lowlevel.wait_task_rescheduled(abort)
    except CxfsError:
        await trio.lowlevel.checkpoint_if_cancelled()  # the failure of an interrupted call is our own doing
        raise
    return result
