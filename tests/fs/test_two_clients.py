"""Random stories of a mount and of somebody else who changes the same account behind its back.

Whatever they do, in whatever order: at the end each content that one side had accepted, and nobody who could have known
of it replaced or deleted, is on the server; and the mount shows what the server has.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
import trio
from hypothesis import HealthCheck, example, given, settings, strategies as st

from cxfs.core.errors import CxfsError
from cxfs.core.ranges import ByteRange
from cxfs.server.administration import open_store
from tests.fs.cloud import at
from tests.fs.desk import Desk, NoSuchName, shown_by
from tests.fs.worlds import TTL_S, World, live

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cxfs.server.store import Store

NAMES: Final = ("a", "b", "d/a", "d/b")
FOLDERS: Final = ("d", "e")
STORY_MAX: Final = 14
"""Deeds: enough for a conflict, its copy, and a conflict of that."""


@dataclass(frozen=True)
class Deed:
    """One step of a story. `who` is `here` (a program in the mount) or `there` (somebody else, past it)."""

    who: str
    what: str
    name: str = ""
    to: str = ""
    seconds: float = 0


deeds = st.one_of(
    st.builds(Deed, st.sampled_from(["here", "there"]), st.sampled_from(["write", "delete"]), st.sampled_from(NAMES)),
    st.builds(Deed, st.just("here"), st.sampled_from(["write", "append", "write"]), st.sampled_from(NAMES)),
    st.builds(
        Deed,
        st.sampled_from(["here", "there"]),
        st.just("rename"),
        st.sampled_from((*NAMES, *FOLDERS)),
        st.sampled_from((*NAMES, *FOLDERS)),
    ),
    st.builds(Deed, st.sampled_from(["here", "there"]), st.sampled_from(["mkdir", "delete"]), st.sampled_from(FOLDERS)),
    st.builds(Deed, st.just("here"), st.just("wait"), seconds=st.sampled_from([0.6, 1.1, 6.0, TTL_S + 1])),
    st.builds(Deed, st.just("here"), st.sampled_from(["settle", "crash", "offline", "online"])),
)
stories = st.lists(deeds, min_size=2, max_size=STORY_MAX)


class Story:
    """What happens, deed by deed; a deed that is refused (nothing is there, a name is taken) changes nothing.

    `there` is the truth in the dumbest words: tokens, each in one content only, that must be somewhere in the end. One
    that somebody replaced or deleted who saw it need not be there any more.
    """

    def __init__(self, world: World, deeds: list[Deed]) -> None:
        self._world = world
        self._cloud = world.cloud
        self._deeds = deeds
        self._count = 0
        self.there: set[bytes] = set()

    async def told(self) -> list[str]:
        """Lives through all of it; what is wrong in the end."""
        rest = iter(self._deeds)
        for deed in rest:
            async with self._world.mounts() as desk:
                await self._until_crash(desk, chain([deed], rest))
            self._world.wire.comes_back()
        async with self._world.mounts() as desk:
            await desk.settles()
            await desk.waits(TTL_S + 1)
            await desk.settles()
            return await self._wrongs(desk)

    async def _until_crash(self, desk: Desk, rest: Iterable[Deed]) -> None:
        for deed in rest:
            if deed.what == "crash":
                return
            with suppress(CxfsError, NoSuchName):
                await (self._here(desk, deed) if deed.who == "here" else self._elsewhere(deed))

    # ------------------------------------------------------------ a program in the mount

    async def _here(self, desk: Desk, deed: Deed) -> None:
        match deed.what:
            case "write" | "append":
                await self._writes(desk, deed.name, append=deed.what == "append")
            case "delete" if deed.name in FOLDERS:
                await desk.removes_folder(deed.name)
            case "delete":
                seen = await desk.reads(deed.name)
                await desk.removes(deed.name)
                self._knew(seen)
            case "rename":
                replaced = b"" if deed.to == deed.name or not await desk.has(deed.to) else await seen_at(desk, deed.to)
                await desk.renames(deed.name, deed.to)
                self._knew(replaced)
            case "mkdir":
                await desk.makes_folder(deed.name)
            case "wait":
                await desk.waits(deed.seconds)
            case "settle":
                with trio.move_on_after(100):
                    await desk.settles()
            case "offline":
                self._world.wire.goes_offline()
            case "online":
                self._world.wire.comes_back()

    async def _writes(self, desk: Desk, name: str, *, append: bool) -> None:
        token = self._token("here")
        seen = await desk.edits(name, token, append=append)
        if not append:
            self._knew(seen)
        self.there.add(token)

    # ------------------------------------------------------------ somebody else

    async def _elsewhere(self, deed: Deed) -> None:
        # Nothing from here arrives between what they see and what they do: else it would be them who lose it, blindly.
        async with self._world.wire.stands_still():
            await self._does_elsewhere(deed)

    async def _does_elsewhere(self, deed: Deed) -> None:
        match deed.what:
            case "write":
                token, seen = self._token("there"), await self._held(deed.name)
                await self._cloud.puts(deed.name, token)
                self._knew(*seen)
                self.there.add(token)
            case "delete":
                seen = await self._held(deed.name)
                await self._cloud.deletes(deed.name)
                self._knew(*seen)
            case "rename":
                await self._cloud.renames(deed.name, deed.to)
            case "mkdir":
                await self._cloud.files.make_folder(at(deed.name))

    async def _held(self, name: str) -> list[bytes]:
        """What the server has under this name, in a folder all that is below."""
        tree = await self._cloud.tree()
        return [content for path, content in tree.items() if path == name or path.startswith(f"{name}/")]

    # ------------------------------------------------------------ the truth

    def _token(self, who: str) -> bytes:
        self._count += 1
        return f"<{who} {self._count}>".encode()

    def _knew(self, *contents: bytes) -> None:
        """Whoever replaced or deleted these had seen them."""
        self.there -= {token for token in self.there if any(token in content for content in contents)}

    async def _wrongs(self, desk: Desk) -> list[str]:
        tree = await self._cloud.tree()
        waiting = [change for change in desk.volume.changes if change.parked is None]
        parked = [change.draft.read(ByteRange(0, change.draft.size)) for change in desk.volume.changes if change.parked]
        found = [
            f"{token!r} is nowhere" for token in self.there if not any(token in c for c in (*tree.values(), *parked))
        ]
        found += [f"{change.path} still waits" for change in waiting]
        if not any(deed.who == "there" for deed in self._deeds):
            found += [f"{name} is a false conflict" for name in tree if "(conflict" in name]
            found += ["a change is parked"] if parked else []
        if not parked and (shown := await shown_by(desk)) != tree:
            found.append(f"the mount shows {shown} instead of {tree}")
        return found


async def seen_at(desk: Desk, name: str) -> bytes:
    """What a program that looks sees under this name."""
    return b"" if (await desk.node(name)).is_folder else await desk.reads(name)


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Store, Path]]:
    """One for all stories; each has an account and a machine of its own."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with (
        tempfile.TemporaryDirectory(dir=place, prefix="cxfs-test-") as folder,
        open_store(Path(folder, "server")) as store,
    ):
        yield store, Path(folder)


def wrongs_of(story: list[Deed], server: tuple[Store, Path]) -> list[str]:
    """What is wrong at its end."""
    return live(lambda world: Story(world, story).told(), *server)


def here(what: str, name: str = "", to: str = "") -> Deed:
    """A program's deed in the mount."""
    return Deed("here", what, name, to)


def there(what: str, name: str, to: str = "") -> Deed:
    """Somebody else's deed."""
    return Deed("there", what, name, to)


SEEN: Final = [there("write", "a"), there("write", "b"), here("append", "a"), here("settle")]
"""Both sides know both files."""


@example(story=[*SEEN, here("offline"), here("delete", "b"), there("write", "b")])
@example(story=[*SEEN, here("offline"), here("write", "b"), there("delete", "b")])
@example(story=[*SEEN, here("offline"), here("delete", "b"), there("rename", "a", "e")])
@example(story=[*SEEN, there("write", "b"), here("rename", "a", "b")])
@example(story=[*SEEN, there("write", "b"), here("append", "a"), here("rename", "a", "b")])
@example(story=[*SEEN, there("write", "b"), here("write", "d"), here("rename", "d", "b")])
@example(story=[here("mkdir", "d"), here("offline"), here("write", "d/a"), there("delete", "d")])
@example(story=[here("offline"), here("mkdir", "d"), here("write", "d/a"), there("mkdir", "d"), there("write", "d/a")])
@example(story=[here("write", "b"), here("crash"), here("write", "a"), here("write", "b")])
@example(story=[here("crash"), here("write", "a"), here("crash"), here("mkdir", "d"), there("write", "a")])
@given(story=stories)
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_accepted_is_missing_whatever_two_clients_do(story: list[Deed], server: tuple[Store, Path]) -> None:
    """Each content is on the server that nobody replaced or deleted who could know of it."""
    assert wrongs_of(story, server) == []


@pytest.mark.long
@given(story=stories)
@settings(max_examples=5_000, deadline=None, suppress_health_check=list(HealthCheck))
def test_nothing_accepted_is_missing_in_thousands_of_stories(story: list[Deed], server: tuple[Store, Path]) -> None:
    """As above, for longer."""
    assert wrongs_of(story, server) == []
