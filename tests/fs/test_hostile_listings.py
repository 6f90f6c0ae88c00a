"""A folder whose listing is made up by somebody who means no good: the mount shows what can be shown, and lives on.

Generated listings are valid JSON of the right types, or they would be refused whole; what they say is what is wrong:
names that are paths or no text, one UUID in many places, a folder that is its own ancestor, sizes that nobody has.
"""

from __future__ import annotations

import json
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings, strategies as st

from cxfs.core.errors import CxfsError, Stale
from tests.fs.desk import NoSuchName
from tests.fs.worlds import live

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hypothesis.strategies import SearchStrategy

    from cxfs.server.store import Store
    from tests.fs.cloud import Cloud, Wire
    from tests.fs.desk import Desk
    from tests.fs.worlds import World

DEPTH: Final = 4
"""So far a program walks into a folder that holds itself; the kernel itself refuses to go on at the first step."""

STRANGERS: Final = ["A" * 22, "B" * 22, "-" * 22, "_________________________"[:22]]
KNOWN: Final = ["root", "bad", "good", "good/a"]
"""In a made-up listing: the UUIDs of what there is."""

NAMES: Final = [
    "", ".", "..", "/", "a/b", "../../../etc/passwd", "\0", "a\0b", "\n", "\x1b[31mred", "\u202egpj.exe", "é" * 255,
    "x" * 256, "x" * 5_000, "same", "same", "Groups", "%cx2F", "%cx~" + "A" * 22, "plain",
]  # fmt: skip
SIZES: Final = [0, 1, 5, 1 << 40, (1 << 63) - 1]
ids = st.sampled_from([*STRANGERS, *KNOWN])

entries: SearchStrategy[list[dict[str, Any]]] = st.lists(
    st.fixed_dictionaries(
        {
            "id": ids,
            "name": st.sampled_from(NAMES),
            "isDir": st.booleans(),
            "size": st.sampled_from(SIZES),
            "version": st.sampled_from([0, 1]),
        },
        optional={
            "parent": ids,
            "modified": st.sampled_from(["0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z", "never"]),
            "checksum": st.sampled_from(["", "x", "A" * 27]),
        },
    ),
    max_size=6,
)


async def page_of(cloud: Cloud, made_up: list[dict[str, Any]]) -> bytes:
    """The listing of the folder `bad`, as its maker has it."""
    known = {name: (await cloud.entry("" if name == "root" else name)).id for name in KNOWN}
    listed = [{field: known.get(value, value) if field in {"id", "parent"} else value for field, value in each.items()}
              for each in made_up]  # fmt: skip
    folder = {"id": known["bad"], "name": "bad", "isDir": True, "version": 1}
    return json.dumps({"directory": folder, "entries": listed, "offset": 0, "total": len(listed)}).encode()


def lying(wire: Wire, bad: str, page: bytes) -> Callable[[httpx.Request], httpx.Response | None]:
    """Answers for the folder `bad` alone."""

    def answer(request: httpx.Request) -> httpx.Response | None:
        is_asked = request.url.path.startswith("/1/files/list/") and bad in request.url.path
        return httpx.Response(200, stream=httpx.ByteStream(page)) if is_asked else None

    return answer


async def looks_around(desk: Desk, name: str, depth: int) -> None:
    """What `find` and `cat` do with everything in a folder. Our own errors may come, and no others."""
    for shown in await desk.names(name):
        assert shown not in {"", ".", ".."}
        assert "/" not in shown
        assert "\0" not in shown
        path = f"{name}/{shown}"
        try:
            found = await desk.stat(path)
            if not found.is_folder and found.size <= 1 << 20:
                await desk.reads(path)
            elif found.is_folder and depth:
                await looks_around(desk, path, depth - 1)
        except (CxfsError, NoSuchName):
            continue


async def story(world: World, made_up: list[dict[str, Any]]) -> None:
    """Somebody looks at the bad folder, and works in the good one."""
    await world.cloud.holds({"good/a": b"fine", "bad/": b""})
    page = await page_of(world.cloud, made_up)
    async with world.mounts(stall_s=5.0) as desk:
        assert await desk.reads("good/a") == b"fine"
        world.wire.before = lying(world.wire, (await world.cloud.entry("bad")).id, page)

        await looks_around(desk, "bad", DEPTH)
        await desk.waits(100)
        await looks_around(desk, "bad", DEPTH)

        world.wire.before = lambda _: None
        await desk.waits(100)
        assert await desk.names() == {"good", "bad"}
        assert await desk.names("bad") == set()
        with suppress(Stale):  # who believed a version that there never was finds that out, once
            await desk.reads("good/a")
        await desk.waits(100)
        assert await desk.reads("good/a") == b"fine"
        await desk.writes("good/b", b"new")
        await desk.renames("good/b", "bad/c")
        await desk.settles()
    assert await world.cloud.tree() == {"good/": b"", "good/a": b"fine", "bad/": b"", "bad/c": b"new"}


SETTINGS: Final = settings(
    deadline=None, database=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate]
)


@pytest.mark.promise
def test_a_made_up_listing_harms_nothing_else(store: Store, folder: Path) -> None:
    """A listing that is wrong (names that are paths, a folder that holds itself, one UUID in many places, sizes that
    nobody has) is shown as far as it can be, and everything else is served as ever."""

    @settings(SETTINGS, max_examples=50)
    @given(entries)
    def looked_at(made_up: list[dict[str, Any]]) -> None:
        live(partial(story, made_up=made_up), store, folder)

    looked_at()


@pytest.mark.long
def test_a_thousand_made_up_listings_harm_nothing_else(store: Store, folder: Path) -> None:
    """The same, for longer."""

    @settings(SETTINGS, max_examples=1_000)
    @given(entries)
    def looked_at(made_up: list[dict[str, Any]]) -> None:
        live(partial(story, made_up=made_up), store, folder)

    looked_at()
