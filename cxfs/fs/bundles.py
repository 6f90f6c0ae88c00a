"""Attempts that share one request: each goes its own way but for the moment of sending. Plans none of them.

A bundle leaves when each of its attempts has put its item into it or has ended without one. What comes back is shared
out: an attempt gets what it would have got from a request of its own.
"""

from __future__ import annotations

import copy
import logging
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

import trio

from cxfs.core.errors import CxfsError, RateLimited, ServerTrouble, SignedOut, Unreachable
from cxfs.fs.due import HasDueTime
from cxfs.remote.bundles import BundleUpload

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from cxfs.core.entries import Entry, EntryName, Path
    from cxfs.fs.due import DueQueue
    from cxfs.remote.bundles import BundleRemoval

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


class Place(Generic[Item, Outcome]):
    """One attempt's in a bundle."""

    def __init__(self, bundle: Bundle[Item, Outcome]) -> None:
        self._bundle = bundle
        self._is_decided = False
        self.item: Item | None = None
        self.outcome: Outcome | CxfsError | None = None
        self.back = trio.Event()

    async def send(self, item: Item) -> Outcome:
        """What comes of the item, sent with those of the others. Raises what went wrong with it."""
        if self._is_decided:
            raise ValueError("a place in a bundle holds one item")
        self.item = item
        self._decide()
        await self.back.wait()
        if isinstance(self.outcome, CxfsError):
            raise self.outcome
        return self.outcome  # type: ignore[return-value]  # it is back

    def leave(self) -> None:
        """The attempt has ended; if it put nothing in, the others need not wait for it."""
        if not self._is_decided:
            self._decide()

    def _decide(self) -> None:
        self._is_decided = True
        self._bundle.decided()


class Bundle(Generic[Item, Outcome]):
    """Places for `count` attempts. `run` sends what they put in, once, with `send`."""

    def __init__(self, count: int, send: Callable[[list[Item]], Awaitable[Sequence[Outcome | CxfsError]]]) -> None:
        self.places = [Place(self) for _ in range(count)]
        self._send = send
        self._undecided = count
        self._complete = trio.Event()

    def decided(self) -> None:
        """One more place is filled, or will stay empty."""
        self._undecided -= 1
        if not self._undecided:
            self._complete.set()

    async def run(self) -> None:
        """Returns when every item has its outcome. Raises nothing that came of sending."""
        await self._complete.wait()
        filled = [place for place in self.places if place.item is not None]
        if not filled:
            return
        outcomes = await self._outcomes([place.item for place in filled if place.item is not None])
        for place, outcome in zip(filled, outcomes, strict=True):
            place.outcome = outcome
            place.back.set()

    async def _outcomes(self, items: list[Item]) -> Sequence[Outcome | CxfsError]:
        try:
            return await self._send(items)
        except (Unreachable, SignedOut, RateLimited) as error:
            return [copy.copy(error) for _ in items]  # each is raised by itself
        except CxfsError as error:
            log.warning("%d objects go one by one, since together they were not taken: %s", len(items), error)
            return [NotTogether(str(error)) for _ in items]
        except Exception:
            log.exception("a bug while sending a bundle of %d", len(items))
            return [NotTogether("a bug, see the log") for _ in items]


class UploadPlace:
    """A place as an attempt at an upload sees it: something that sends, as a request of its own would."""

    def __init__(self, place: Place[BundleUpload, Entry]) -> None:
        self._place = place

    async def upload(
        self,
        path: Path,
        content: Content,
        *,
        modified_ms: int,
        if_version: int | None,
        name: EntryName | None = None,
        on_sealed: Callable[[bytes], Awaitable[None]] | None = None,
    ) -> Entry:
        """The object as the server has it now. The content is sealed when it is in the bundle."""
        upload = BundleUpload(path, await content.whole(), modified_ms, if_version, name or "file", content.sent)
        if on_sealed is not None:
            await on_sealed(upload.sha1)
        return await self._place.send(upload)


class Content(Protocol):
    """What is to be sent whole."""

    async def whole(self) -> bytes:
        """All of it."""
        ...

    def sent(self, count: int) -> None:
        """So many bytes were handed over."""
        ...
