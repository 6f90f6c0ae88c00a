"""What goes together in one request, and what became of it when the request as a whole failed. Sends nothing itself."""

from __future__ import annotations

import copy
import logging
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from cxfs.core.errors import CxfsError, RateLimited, ServerTrouble, SignedOut, Unreachable
from cxfs.fs.due import HasDueTime

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from cxfs.core.entries import Entry
    from cxfs.fs.due import DueQueue
    from cxfs.remote.bundles import BundleRemoval, BundleUpload

log = logging.getLogger(__name__)

UPLOAD_BYTES_MAX: Final = 256 << 10
"""Of a file that goes with others: above it a request of its own costs little, and it is held in memory whole."""

BUNDLE_BYTES_MAX: Final = 4 << 20
"""Of the contents in one bundle: so much memory for each that is under way."""

ITEMS_MAX: Final = 256
"""In one bundle."""

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")
T = TypeVar("T", bound=HasDueTime)


class BundleSender(Protocol):
    """The bundle calls that change something."""

    async def put(self, uploads: Sequence[BundleUpload]) -> list[Entry | CxfsError]:
        """Of each upload the object as the server has it now, or why not."""
        ...

    async def delete(self, removals: Sequence[BundleRemoval]) -> list[CxfsError | None]:
        """Of each removal None, or why the object is still there."""
        ...


class NotTogether(ServerTrouble):
    """The server did not take the bundle as a whole: one of its items may be to blame, and the others do well alone."""


def with_company(
    first: T, queue: DueQueue[T], *, may_start: Callable[[T], bool], joins: Callable[[T], bool]
) -> list[T]:
    """`first`, and what is due as well and `joins` it; the rest that may start stays due."""
    together = [first]
    others: list[T] = []
    while len(together) < ITEMS_MAX > len(others) and (thing := queue.also()) is not None:
        if may_start(thing):
            (together if joins(thing) else others).append(thing)
    for thing in others:
        queue.put_back(thing)
    return together


async def outcomes_of(
    send: Callable[[list[Item]], Awaitable[Sequence[Outcome | CxfsError]]], items: list[Item]
) -> Sequence[Outcome | CxfsError]:
    """What became of each item. Raises nothing: what was wrong with the request is shared out."""
    try:
        return await send(items) if items else []
    except (Unreachable, SignedOut, RateLimited) as error:
        return [copy.copy(error) for _ in items]  # each may be raised by itself
    except CxfsError as error:
        log.warning("%d objects go one by one, since together they were not taken: %s", len(items), error)
        return [NotTogether(str(error)) for _ in items]
    except Exception:
        log.exception("a bug while sending %d objects together", len(items))
        return [NotTogether("a bug, see the log") for _ in items]
