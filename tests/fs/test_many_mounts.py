"""Random stories of several mounts of one account, each of which hears what the others do.

Whatever they do, in whatever order: a second after all is sent every mount shows what the server has, with a metadata
TTL that nobody waits for; and each content is there that nobody replaced or deleted who had seen it.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx
import pytest
import trio
from hypothesis import HealthCheck, example, given, settings, strategies as st
from trio.testing import MockClock

from cxfs.core.errors import CxfsError
from cxfs.core.ranges import ByteRange
from cxfs.server.administration import add_user, issue_token, open_store
from cxfs.server.app import make_app
from cxfs.server.calls import InPlace
from tests.fs.cloud import Cloud, Wire, session_over
from tests.fs.desk import Desk, NoSuchName, shown_by
from tests.fs.recording import RecordingKernel
from tests.fs.worlds import mounts_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cxfs.server.store import Store

NAMES: Final = ("a", "b", "d/a", "d/b")
FOLDERS: Final = ("d", "e")
MOUNTS_MOST: Final = 5
SEEN_WITHIN_S: Final = 1.0


@dataclass(frozen=True)
class Deed:
    """One step of a story, by the mount of this number."""

    who: int
    what: str
    name: str = ""
    to: str = ""


whose = st.integers(0, MOUNTS_MOST - 1)
places = st.sampled_from((*NAMES, *FOLDERS))
deeds = st.one_of(
    st.builds(Deed, whose, st.sampled_from(["write", "append", "write", "look"]), st.sampled_from(NAMES)),
    st.builds(Deed, whose, st.sampled_from(["delete", "rename"]), st.sampled_from(NAMES), st.sampled_from(NAMES)),
    st.builds(Deed, whose, st.just("rename"), places, places),
    st.builds(Deed, whose, st.sampled_from(["mkdir", "rmdir"]), st.sampled_from(FOLDERS)),
    st.builds(Deed, whose, st.sampled_from(["settle", "settle", "moment", "deaf", "hearing"])),
)
stories = st.lists(deeds, min_size=2, max_size=20)


class Story:
    """`there` are tokens, each in one content only, that must be somewhere in the end. `folder` has its machines."""

    def __init__(self, store: Store, folder: Path, deeds: list[Deed]) -> None:
        self._store = store
        self.folder = folder / secrets.token_hex(8)
        self._deeds = deeds
        self._count = 0
        self._wires: list[Wire] = []
        self._desks: list[Desk] = []
        self.there: set[bytes] = set()

    async def told(self) -> list[str]:
        """Lives through all of it; what is wrong in the end."""
        add_user(self._store, self.folder.name, password=None)
        token = issue_token(self._store, self.folder.name)
        app = httpx.ASGITransport(make_app(self._store, offload=InPlace()))
        async with AsyncExitStack() as stack:
            cloud = Cloud(await stack.enter_async_context(session_over(app, token)))
            for number in range(1 + max(deed.who for deed in self._deeds)):
                wire = Wire(app)
                mounts = mounts_of(wire, token, self.folder / str(number), RecordingKernel())
                self._wires.append(wire)
                self._desks.append(await stack.enter_async_context(mounts(follows=True)))
            for deed in self._deeds:
                with suppress(CxfsError, NoSuchName):
                    await self._does(deed, self._desks[deed.who])
            for number in range(len(self._desks)):
                self._hears(number, well=True)
            await self._all_settle()
            return await self._wrongs(cloud)

    async def _all_settle(self) -> None:
        for _ in range(3):  # what one sends may make another one send: a conflict, an edit that brings back a name
            for desk in self._desks:
                await desk.settles()
                await trio.sleep(SEEN_WITHIN_S)

    async def _does(self, deed: Deed, desk: Desk) -> None:
        match deed.what:
            case "write" | "append":
                await self._writes(desk, deed.name, append=deed.what == "append")
            case "look":
                await desk.reads(deed.name)
            case "delete":
                seen = await desk.reads(deed.name)
                await desk.removes(deed.name)
                self._knew(seen)
            case "rename":
                await self._renames(desk, deed.name, deed.to)
            case "mkdir":
                await desk.makes_folder(deed.name)
            case "rmdir":
                await desk.removes_folder(deed.name)
            case "settle":
                with trio.move_on_after(100):
                    await desk.settles()
                await trio.sleep(SEEN_WITHIN_S)
            case "moment":
                await trio.sleep(0.3)
            case "deaf" | "hearing":
                self._hears(deed.who, well=deed.what == "hearing")

    def _hears(self, number: int, *, well: bool) -> None:
        """Its feed is cut, or mended; everything else goes on."""
        wire, following = self._wires[number], self._desks[number].volume.feeds.following
        assert following is not None
        if well:
            wire.comes_back()
            following.wake()
        else:
            wire.before = lambda request: (
                httpx.ConnectError("cut", request=request) if "/files/changes/" in request.url.path else None
            )
            following.interrupt()

    async def _writes(self, desk: Desk, name: str, *, append: bool) -> None:
        self._count += 1
        token = f"<{self._count}>".encode()
        seen = await desk.edits(name, token, append=append)
        if not append:
            self._knew(seen)
        self.there.add(token)

    async def _renames(self, desk: Desk, name: str, to: str) -> None:
        replaced = b""
        if to != name and await desk.has(to) and not (await desk.node(to)).is_folder:
            replaced = await desk.reads(to)
        await desk.renames(name, to)
        self._knew(replaced)

    def _knew(self, content: bytes) -> None:
        """Whoever replaced or deleted it had seen it."""
        self.there -= {token for token in self.there if token in content}

    async def _wrongs(self, cloud: Cloud) -> list[str]:
        tree = await cloud.tree()
        changes = [change for desk in self._desks for change in desk.volume.changes]
        parked = [change.draft.read(ByteRange(0, change.draft.size)) for change in changes if change.parked]
        kept = (*tree.values(), *parked)
        found = [f"{token!r} is nowhere" for token in self.there if not any(token in each for each in kept)]
        if not parked:
            for number, desk in enumerate(self._desks):
                shown = await shown_by(desk)
                found += [] if shown == tree else [f"mount {number} shows {shown} instead of {tree}"]
        return found


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Store, Path]]:
    """One for all stories; each has an account and machines of its own."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with (
        tempfile.TemporaryDirectory(dir=place, prefix="cxfs-test-") as folder,
        open_store(Path(folder, "server")) as store,
    ):
        yield store, Path(folder)


def wrongs_of(story: list[Deed], server: tuple[Store, Path]) -> list[str]:
    """What is wrong at its end; nothing is left of its machines, since thousands of stories would fill the memory."""
    lived = Story(*server, story)
    try:
        return trio.run(lived.told, clock=MockClock(autojump_threshold=0))
    finally:
        shutil.rmtree(lived.folder, ignore_errors=True)


@example(story=[Deed(0, "write", "a"), Deed(0, "settle"), Deed(1, "look", "a"), Deed(0, "write", "a")])
@example(story=[Deed(0, "write", "a"), Deed(1, "write", "a"), Deed(2, "write", "a")])
@example(story=[Deed(0, "mkdir", "d"), Deed(0, "settle"), Deed(1, "write", "d/a"), Deed(0, "rename", "d", "e")])
@example(
    story=[Deed(0, "write", "a"), Deed(0, "settle"), Deed(1, "deaf"), Deed(0, "rename", "a", "b"), Deed(1, "look", "a")]
)
@example(
    story=[
        Deed(1, "write", "a"),
        Deed(0, "settle"),
        Deed(1, "settle"),
        Deed(3, "delete", "a"),
        Deed(1, "append", "a"),
        Deed(0, "settle"),
    ]
)
@given(story=stories)
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_mount_shows_what_the_server_has(story: list[Deed], server: tuple[Store, Path]) -> None:
    """A second after it has it, and no side of a conflict is lost."""
    assert wrongs_of(story, server) == []


@pytest.mark.long
@given(story=stories)
@settings(max_examples=3_000, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_mount_shows_what_the_server_has_in_thousands_of_stories(
    story: list[Deed], server: tuple[Store, Path]
) -> None:
    """As above, for longer."""
    assert wrongs_of(story, server) == []
