"""The end of a mount: sends what waits, within a time, and says how far it is. Decides nothing about what is left."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import trio

if TYPE_CHECKING:
    from collections.abc import Callable

    from cxfs.fs.uploader import Uploader
    from cxfs.fs.waiting import Remaining, Waiting

log = logging.getLogger(__name__)

LOOK_S: Final = 0.2
"""Between two looks for whoever watches: often enough for a bar that moves."""

LINES_S: Final = 5.0
"""Between two lines of the log."""


async def drain(
    uploader: Uploader, waiting: Waiting, *, timeout_s: float, tell: Callable[[Remaining], None] | None
) -> None:
    """Returns when nothing waits that time alone will settle, or after `timeout_s` seconds.

    `tell` hears what remains, several times a second; without it the log does, every few seconds.
    """
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_watch, waiting, _to_the_log if tell is None else tell, LINES_S if tell is None else LOOK_S)
        await uploader.drain(timeout_s)
        nursery.cancel_scope.cancel()


async def _watch(waiting: Waiting, tell: Callable[[Remaining], None], pause_s: float) -> None:
    try:
        while True:
            await trio.sleep(pause_s)
            tell(waiting.remaining())
    except OSError as error:  # its terminal is gone: the uploads go on
        log.info("nobody watches any more: %s", error)


def _to_the_log(remaining: Remaining) -> None:
    log.info(
        "uploading: %d files with %d bytes and %d deletions are left%s",
        remaining.files,
        remaining.bytes,
        remaining.deletions,
        f"; {remaining.trouble}" if remaining.trouble else "",
    )
