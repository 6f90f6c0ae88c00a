"""Random stories of programs that rename, while a slow server carries out some of their uploads long after.

A dict is the model: what each path holds, None for a folder. It is compared after every other step, and in the end with
what the server has. No step takes longer than a program may wait.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Final

import httpx
import pytest
import trio

from cxfs.core.patience import LATE_S
from cxfs.fs.renaming import Rename
from tests.fs.desk import shown_by
from tests.fs.worlds import live

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from cxfs.server.store import Store
    from tests.fs.cloud import Wire
    from tests.fs.desk import Desk
    from tests.fs.worlds import World

FILES: Final = "abc"
FOLDERS: Final = "de"
"""Names of their own: a folder that is made where an upload may still come waits for that, and so does what goes into
it; one that takes an emptied one's place waits until that is empty on the server."""

DEADLINE_S: Final = 10.0
LATE_BY_S: Final = (0.1, 1, 3, 5, 8, 12)
DEEDS: Final = (*["write"] * 3, *["rename"] * 3, "remove", "make", "exchange", *["pause"] * 5)


class SlowServer:
    """Some uploads are carried out so much later, whether or not anybody still waits for the answer."""

    def __init__(self, app: httpx.AsyncBaseTransport, chance: Random, nursery: trio.Nursery) -> None:
        self._app = app
        self._chance = chance
        self._nursery = nursery
        self._share = chance.choice([0.2, 0.5, 0.8])
        self.late = 0
        """So many were."""

    async def takes(self, request: httpx.Request) -> None:
        """On its way there."""
        is_upload = request.method == "POST" and request.url.host == "data.cx.test" and "/get" not in request.url.path
        if is_upload and self._chance.random() < self._share:
            body = await request.aread()
            kept = httpx.Request(request.method, request.url, headers=request.headers, content=body)
            self._nursery.start_soon(self._carries_out, kept, self._chance.choice(LATE_BY_S))
            await trio.sleep_forever()

    async def _carries_out(self, request: httpx.Request, after_s: float) -> None:
        await trio.sleep(after_s)
        await self._app.handle_async_request(request)
        self.late += 1


class Story:
    """One program's."""

    def __init__(self, desk: Desk, chance: Random) -> None:
        self.held: dict[str, bytes | None] = {}
        self.told: list[str] = []
        self._desk = desk
        self._chance = chance

    async def goes_on(self) -> None:
        """One step, and perhaps a look."""
        began = trio.current_time()
        deed = self._chance.choice(DEEDS)
        self.told.append(f"{began:.1f} {deed}")
        await getattr(self, f"_{deed}")()
        assert trio.current_time() - began < DEADLINE_S, self.told
        if self._chance.random() < 0.5:
            assert await shown_by(self._desk) == self.expected(), self.told

    def expected(self) -> dict[str, bytes]:
        """As `shown_by` and `Cloud.tree` tell it."""
        return {path + ("/" if content is None else ""): content or b"" for path, content in self.held.items()}

    def _paths(self, *, folders: bool) -> list[str]:
        return [path for path, content in self.held.items() if (content is None) is folders]

    def _place(self, names: str) -> str:
        folder, name = self._chance.choice(["", *self._paths(folders=True)]), self._chance.choice(names)
        return f"{folder}/{name}" if folder else name

    async def _pause(self) -> None:
        await self._desk.waits(self._chance.choice([0.1, 0.6, 1.1, 2.5, 6]))

    async def _write(self) -> None:
        path = self._place(FILES)
        content = self._chance.choice([b"same", b"", f"{len(self.told)}".encode()])
        self.told.append(f"{path}: {content!r}")
        await self._desk.writes(path, content)
        self.held[path] = content

    async def _remove(self) -> None:
        files = self._paths(folders=False)
        if files:
            path = self._chance.choice(files)
            self.told.append(path)
            await self._desk.removes(path)
            del self.held[path]

    async def _make(self) -> None:
        path = self._place(FOLDERS)
        if path not in self.held and path.count("/") < 2:
            self.told.append(path)
            await self._desk.makes_folder(path)
            self.held[path] = None

    async def _rename(self) -> None:
        if not self.held:
            return
        path = self._chance.choice(list(self.held))
        to = self._place(FOLDERS if self.held[path] is None else FILES)
        if not _are_nested(path, to) and self.held.get(to, b"") is not None:
            self.told.append(f"{path} -> {to}")
            await self._desk.renames(path, to)
            self.held.pop(to, None)
            self.held = {_moved(each, path, to): content for each, content in self.held.items()}

    async def _exchange(self) -> None:
        files = self._paths(folders=False)
        if len(files) > 1:
            path, to = self._chance.sample(files, 2)
            self.told.append(f"{path} <-> {to}")
            await self._desk.renames(path, to, Rename.EXCHANGE)
            self.held[path], self.held[to] = self.held[to], self.held[path]


def _are_nested(path: str, to: str) -> bool:
    return f"{to}/".startswith(f"{path}/") or f"{path}/".startswith(f"{to}/")


def _moved(each: str, path: str, to: str) -> str:
    return to + each[len(path) :] if each == path or each.startswith(f"{path}/") else each


@asynccontextmanager
async def slow(wire: Wire, chance: Random) -> AsyncIterator[SlowServer]:
    """The server is, while the block runs; then all that it kept is carried out."""
    async with trio.open_nursery() as nursery:
        server = SlowServer(wire.app, chance, nursery)
        before, wire.meanwhile = wire.meanwhile, server.takes
        yield server
        wire.meanwhile = before


async def lived(world: World, seed: int) -> int:
    """How many uploads came late in a story that went as it must."""
    chance = Random(seed)
    async with world.mounts() as desk:
        story = Story(desk, chance)
        async with slow(world.wire, chance) as server:
            for _ in range(chance.randint(20, 50)):
                await story.goes_on()
        await desk.settles()
        await desk.waits(2 * LATE_S)
        await desk.settles()

        assert await shown_by(desk) == story.expected(), story.told
        assert await world.cloud.tree() == story.expected(), story.told
        assert desk.reports() == []
        return server.late


def test_what_comes_late_changes_nothing(store: Store, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Neither what is seen nor what is kept, and nobody waits for it."""
    late = sum(live(partial(lived, seed=seed), store, folder) for seed in range(15))

    assert late > 15
    assert "a bug" not in caplog.text


@pytest.mark.long
@pytest.mark.parametrize("hundred", range(1, 21))
def test_what_comes_late_changes_nothing_in_many_stories(store: Store, folder: Path, hundred: int) -> None:
    """As above."""
    for seed in range(100 * hundred, 100 * hundred + 100):
        live(partial(lived, seed=seed), store, folder)
