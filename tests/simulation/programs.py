"""Programs of a story: what each does to the mount, and what it may conclude. A program that fails concludes little.

Those that use one name at the same time take turns, as by flock; what goes on behind them does not.
"""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Final

import trio

from cxfs.core.errors import CxfsError, NotFound, Stale
from cxfs.fs.filesystem import Wanted
from tests.fs.desk import NoSuchName
from tests.simulation.steps import FOLDERS, NAMES
from tests.simulation.truth import content_of, is_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from cxfs.fs.file_handle import FileHandle
    from tests.fs.desk import Desk
    from tests.simulation.steps import Here
    from tests.simulation.stormy_wire import Storm
    from tests.simulation.truth import Truth

PERUSED_S: Final = 4.0
"""From the first half of a file to the other, for who reads slowly."""

FAILURES: Final = (CxfsError, trio.TooSlowError, NoSuchName)


class Programs:
    """Of one daemon's life."""

    def __init__(self, desk: Desk, truth: Truth, storm: Storm) -> None:
        self._desk = desk
        self._truth = truth
        self._storm = storm
        self._turns: dict[str, trio.Lock] = {place: trio.Lock() for place in (*NAMES, *FOLDERS)}
        self._written: set[object] = set()
        self._plain: dict[str, Callable[[str], Awaitable[object]]] = {
            "patch": self._patch,
            "read": self._read,
            "delete": self._delete,
            "mkdir": desk.makes_folder,
            "rmdir": desk.removes_folder,
            "list": desk.names,
        }

    async def run(self, deed: Here) -> None:
        """One of them, to its end; failing is no failure of the story."""
        places = [deed.name, deed.to] if deed.to else [deed.name]
        try:
            if deed.what == "peruse":
                await self._peruse(deed.name)
                return
            async with self._in_turn(places):
                await self._do(deed)
        except FAILURES:
            pass
        finally:
            if deed.what not in {"read", "peruse", "list"}:
                self._truth.is_over(*places)

    @asynccontextmanager
    async def _in_turn(self, places: list[str]) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for place in sorted(self._turns):
                if any(place == each or place.startswith(f"{each}/") for each in places):
                    await stack.enter_async_context(self._turns[place])
            yield

    async def _do(self, deed: Here) -> None:
        match deed.what:
            case "write" | "sync":
                await self._write(deed.name, deed.size, synced=deed.what == "sync")
            case "append":
                await self._append(deed.name, deed.size)
            case "save":
                await self._save(deed.name, deed.size)
            case "rename":
                await self._rename(deed.name, deed.to)
            case what:
                await self._plain[what](deed.name)

    # ------------------------------------------------------------ reading

    async def _read(self, name: str) -> bytes | None:
        opened_at = trio.current_time()
        try:
            content = await self._desk.reads(name)
        except (NoSuchName, NotFound):
            self._saw(name, None, opened_at)
            raise
        self._saw(name, content, opened_at)
        return content

    def _saw(self, name: str, content: bytes | None, opened_at: float) -> None:
        self._truth.saw(name, content, opened_at=opened_at, last_trouble=self._storm.last_trouble)

    async def _peruse(self, name: str) -> None:
        """Slowly: whatever happens meanwhile, it is one version; what is written here may be seen."""
        handle = await self._desk.opens(name)
        node = handle.node
        try:
            size = node.size
            first = await self._desk.fs.read(handle, 0, size // 2)
            await self._desk.waits(PERUSED_S)
            try:
                second = await self._desk.fs.read(handle, len(first), 1 << 30)
            except Stale:
                return
            is_written = not self._written.isdisjoint({node, handle.node})  # it goes along into a conflict copy
            if not is_written and handle.change is None and handle.node.change is None:
                self._truth.saw_parts(name, first, second)
        finally:
            await self._close(handle)

    async def _close(self, handle: FileHandle) -> None:
        try:
            await self._desk.fs.flush(handle)
        finally:
            await self._desk.fs.close(handle)

    # ------------------------------------------------------------ writing

    @asynccontextmanager
    async def _writing(self, name: str) -> AsyncIterator[tuple[FileHandle, bytes]]:
        """The file, open, and what it holds, which may be nothing new."""
        if await self._desk.has(name):
            handle = await self._desk.opens(name, writable=True)
        else:
            handle = await self._desk.creates(name)
        self._written.add(handle.node)
        try:
            yield handle, await self._desk.all_of(handle)
        except FAILURES:
            await self._desk.fs.close(handle)
            raise
        await self._close(handle)

    async def _write(self, name: str, size: int, *, synced: bool = False) -> bytes:
        """What `printf … > name` does."""
        token = self._truth.token("here")
        content = self._truth.may_exist(content_of(token, size))
        self._truth.begins(name)
        async with self._writing(name) as (handle, seen):
            self._truth.replaced_knowingly(seen)
            await self._desk.fs.set_attributes(handle.node, Wanted(size=0), handle)
            await self._in_pieces(handle, content, synced=synced)
        self._accepted(name, token, content)
        return content

    async def _in_pieces(self, handle: FileHandle, content: bytes, *, synced: bool) -> None:
        # In one: what is between two pieces would be a content of its own for whoever looks.
        await self._desk.fs.write(handle, 0, content)
        if synced:
            await self._desk.fs.fsync(handle)

    async def _append(self, name: str, size: int) -> None:
        token = self._truth.token("here")
        self._truth.begins(name)
        async with self._writing(name) as (handle, seen):
            content = self._truth.may_exist(seen + content_of(token, size))
            await self._desk.fs.write(handle, len(seen), content[len(seen) :])
        self._accepted(name, token, content)

    async def _patch(self, name: str) -> None:
        """What `dd conv=notrunc` does, at the end: the rest of the content is not touched, nor even read here."""
        token = self._truth.token("here")
        self._truth.begins(name)
        async with self._writing(name) as (handle, seen):
            kept = seen[: -len(token)] if len(seen) > len(token) else b""
            content = self._truth.may_exist(kept + token + seen[len(kept) + len(token) :])
            self._truth.replaced_knowingly(seen)
            await self._desk.fs.write(handle, len(kept), token)
        self._accepted(name, token, content)

    async def _save(self, name: str, size: int) -> None:
        """As an editor does: a temporary file, renamed over the name."""
        token = self._truth.token("here")
        content = self._truth.may_exist(content_of(token, size))
        self._truth.begins(name)
        handle = await self._desk.creates(f"{name}.tmp")
        try:
            await self._desk.fs.write(handle, 0, content)
        finally:
            await self._close(handle)
        self._truth.due.add(token)
        replaced = await self._seen_at(name)
        self._truth.replaced_knowingly(replaced)
        await self._desk.renames(f"{name}.tmp", name)
        self._accepted(name, token, content)

    def _accepted(self, name: str, token: bytes, content: bytes) -> None:
        self._truth.due.add(token)
        self._truth.shows(name, content)

    # ------------------------------------------------------------ names

    async def _seen_at(self, name: str) -> bytes:
        """What a program sees there that looks before it replaces it; nothing, of a folder and of nothing."""
        if not await self._desk.has(name) or (await self._desk.node(name)).is_folder:
            return b""
        return await self._desk.reads(name)

    async def _delete(self, name: str) -> None:
        seen = await self._read(name)
        self._truth.begins(name)
        self._truth.replaced_knowingly(seen or b"")
        await self._desk.removes(name)
        self._truth.shows(name, None)

    async def _rename(self, name: str, to: str) -> None:
        replaced = b"" if to == name else await self._seen_at(to)
        known = self._truth.begins(name, to)
        self._truth.replaced_knowingly(replaced)
        self._truth.mingled(name, to)
        await self._desk.renames(name, to)
        self._truth.mingled(name, to)
        if name == to:
            self._truth.knows(known)
            return
        moved = {to + path.removeprefix(name): content for path, content in known.items() if is_in(path, name)}
        for path in known:
            if is_in(path, name):
                self._truth.shows(path, None)
        self._truth.knows(moved)
