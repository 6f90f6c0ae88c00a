"""The File API [doc]: browse and manipulate a tree. Caches nothing; what a path means is the server's to say.

Each method is one endpoint. What may have been done by an attempt that seemed to fail is confirmed here, where it is
known what the request was for (docs/protocol.md, "Retrying").
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from cxfs.core.entries import Entry, TreePath, Uuid
from cxfs.core.errors import AlreadyExists, BadReply, NotADirectory, NotFound, TooLarge
from cxfs.core.feed import POLL_MARGIN_S
from cxfs.core.posix import NOTHING
from cxfs.remote import endpoints, replies
from cxfs.remote.calls import Attempts, Call
from cxfs.remote.endpoints import at

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cxfs.core.entries import Owner, Path
    from cxfs.core.feed import News
    from cxfs.core.posix import PosixUpdate
    from cxfs.remote.replies import ListingPage
    from cxfs.remote.session import Session

PAGE_ENTRIES: Final = 1_000
"""Asked for at a time: one request for most folders, and some 500 KiB of JSON."""

ENTRIES_MAX: Final = 1_000_000
"""Of one folder. Past this the mount would spend its memory on a single listing: TooLarge."""

LISTINGS_MAX: Final = 3
"""Begun anew when the folder changed between two pages; the last is taken as it is."""


@dataclass(frozen=True, slots=True)
class FolderListing:
    """A folder and all it holds, each object once, in the server's order of names."""

    folder: Entry
    entries: tuple[Entry, ...]


class Files:
    """The File API over a session. Every method may raise what `session` raises, and NotFound.

    `in_background`: nobody waits for its calls.
    """

    def __init__(self, session: Session, *, entries_max: int = ENTRIES_MAX, in_background: bool = False) -> None:
        self._session = session
        self._entries_max = entries_max
        self._call = partial(Call, in_background=in_background)

    async def listing(self, path: Path) -> FolderListing:
        """All pages of a folder. Raises NotADirectory for a file, BadReply when the pages lead nowhere."""
        try:
            listing, is_steady = await self._all_pages(path)
            for _ in range(LISTINGS_MAX - 1):
                if is_steady:
                    break
                listing, is_steady = await self._all_pages(path)
        except AlreadyExists:  # what 409 is without a type: for a listing it can only mean this
            raise NotADirectory(f"{path} is a file") from None
        return listing

    async def _all_pages(self, path: Path) -> tuple[FolderListing, bool]:
        """One pass, and whether the folder looked the same on every page of it."""
        page = first = await self._page(path, 0)
        by_id: dict[Uuid, Entry] = {}
        offset = 0
        is_steady = True
        while True:
            known = len(by_id)
            by_id.update((each.id, each) for each in page.entries)
            offset += len(page.entries)
            is_steady &= (page.total, page.folder.version) == (first.total, first.folder.version)
            if _is_last(page, offset=offset, news=len(by_id) - known, is_steady=is_steady):
                return FolderListing(page.folder, tuple(by_id.values())), is_steady
            if len(by_id) > self._entries_max:
                raise TooLarge(f"a folder of more than {self._entries_max} entries")
            page = await self._page(path, offset)

    async def _page(self, path: Path, offset: int) -> ListingPage:
        query = {endpoints.OFFSET: str(offset), endpoints.LIMIT: str(PAGE_ENTRIES), **endpoints.IN_ORDER}
        call = self._call("GET", at(endpoints.LIST, path), query=query)
        return await self._session.ask(call, partial(replies.listing_page, owner=path.owner))

    async def entry(self, path: Path) -> Entry:
        """The object as the server knows it now."""
        return await self._session.ask(
            self._call("GET", at(endpoints.INFO, path)), partial(replies.entry, owner=path.owner)
        )

    async def make_folder(self, path: TreePath, posix: PosixUpdate = NOTHING) -> Entry:
        """The new folder. Raises AlreadyExists, and NotFound when the parent is missing."""
        attempts = Attempts()
        call = self._call("POST", at(endpoints.MAKE_FOLDER, path), form=replies.posix_fields(posix))
        try:
            return await self._session.ask(call, partial(replies.entry, owner=path.owner), attempts=attempts)
        except AlreadyExists:
            if not attempts.earlier_in_doubt:
                raise
            return await self._folder_made_before(path)

    async def _folder_made_before(self, path: TreePath) -> Entry:
        """A repeated request found the name taken: by the folder that the first one made, or by a file."""
        found = await self.entry(path)
        if not found.is_folder:
            raise AlreadyExists(f"{path.names[-1]!r} is a file" if path.names else "the root exists")
        return found

    async def delete(self, path: Path, *, recursive: bool, if_version: int | None = None) -> None:
        """Deletes it, a folder with all it holds only if `recursive`, else NotEmpty.

        A server with capability `conditional-upload` refuses (VersionConflict) any other version than `if_version`.
        A server of the documented core knows no `recursive` and deletes all: whoever means an empty folder has looked
        at its listing first.
        """
        attempts = Attempts()
        form = {} if recursive else {endpoints.RECURSIVE: "false"}
        if if_version is not None:
            form[endpoints.IF_VERSION] = str(if_version)
        try:
            await self._session.ask(
                self._call("POST", at(endpoints.DELETE, path), form=form), replies.nothing, attempts=attempts
            )
        except NotFound:
            if not attempts.earlier_in_doubt:
                raise

    async def move(self, path: Path, to: TreePath, *, overwrite: bool, over: Entry | None = None) -> Entry:
        """Renames or moves; the object keeps its UUID. Raises AlreadyExists without `overwrite`.

        A server with capability `conditional-upload` refuses (VersionConflict) to replace anything else than `over`.
        """
        attempts = Attempts()
        condition = {} if over is None else _condition(over)
        call = self._call("POST", at(endpoints.MOVE, path), form={**_target(to, overwrite=overwrite), **condition})
        try:
            return await self._session.ask(call, partial(replies.entry, owner=to.owner), attempts=attempts)
        except (NotFound, AlreadyExists) as error:
            moved = await self._moved_before(path, to, error) if attempts.earlier_in_doubt else None
            if moved is None:
                raise
            return moved

    async def _moved_before(self, path: Path, to: TreePath, error: NotFound | AlreadyExists) -> Entry | None:
        """What stands at the target after a repeated move failed, if that shows that an earlier one succeeded.

        By UUID the object must be the one we moved. By name it can only be told from the source being gone, so there
        an occupied target is what it says.
        """
        if isinstance(path, TreePath) and isinstance(error, AlreadyExists):
            return None
        try:
            found = await self.entry(to)
        except NotFound:
            return None
        return found if isinstance(path, TreePath) or found.id == path.object else None

    async def copy(self, path: Path, to: TreePath, *, overwrite: bool) -> Entry:
        """The copy, under a new UUID. Repeated only while the server certainly did nothing: a copy has no trace."""
        call = self._call(
            "POST", at(endpoints.COPY, path), form=_target(to, overwrite=overwrite), may_be_done_twice=False
        )
        return await self._session.ask(call, partial(replies.entry, owner=to.owner))

    async def update(self, path: Path, modified_ms: int | None, posix: PosixUpdate = NOTHING) -> Entry:
        """Changes the time of modification (capability `attributes`), and what else there is of it (`posix`)."""
        time = {} if modified_ms is None else {endpoints.MODIFIED: replies.in_wire(modified_ms, posix.rest_ns)}
        call = self._call("POST", at(endpoints.UPDATE, path), form={**time, **replies.posix_fields(posix)})
        return await self._session.ask(call, partial(replies.entry, owner=path.owner))

    async def news(self, owner: Owner, cursor: str | None, wait_s: float) -> News:
        """What has come about in the owner's tree behind the cursor, after `wait_s` at the latest. One attempt.

        Without a cursor: where the log ends now. Capability `changes`.
        """
        query = {endpoints.TIMEOUT: str(int(wait_s))} | ({} if cursor is None else {endpoints.CURSOR: cursor})
        call = Call("GET", f"{endpoints.CHANGES}/{owner}", query=query)
        patience_s = wait_s + POLL_MARGIN_S
        return await self._session.linger(call, partial(replies.news, owner=owner), patience_s=patience_s)

    async def versions(self, path: Path) -> tuple[Entry, ...]:
        """The versions that the server keeps, newest first. Capability `versions`."""
        return await self._session.ask(
            self._call("GET", at(endpoints.VERSIONS, path)), partial(replies.versions, owner=path.owner)
        )


def _target(to: TreePath, *, overwrite: bool) -> Mapping[str, str]:
    return {endpoints.TO: str(to), endpoints.OVERWRITE: "true" if overwrite else "false"}


def _condition(over: Entry) -> Mapping[str, str]:
    return {endpoints.IF_TARGET: str(over.id), endpoints.IF_VERSION: str(over.version)}


def _is_last(page: ListingPage, *, offset: int, news: int, is_steady: bool) -> bool:
    """Whether `page`, which ends at `offset` and brought `news` entries, ends the listing.

    Without a total the first page without news does. With one, a page without news is a server that will never get
    there (it may ignore the offset and give the same again), unless the folder is changing meanwhile.
    """
    if page.total is None:
        return not news
    if offset >= page.total and (news or not page.entries or not is_steady):
        return True
    if not news:
        raise BadReply(f"the listing stops at {offset - len(page.entries)} of {page.total} entries")
    return False
