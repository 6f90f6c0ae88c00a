"""The file system without a kernel, on a fake clock, against the real server app in this process."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from cxfs.server.administration import add_user, issue_token, open_store
from cxfs.server.app import make_app
from cxfs.server.calls import InPlace
from cxfs.verbs import MountVerbs, ObjectVerbs
from tests.fs.cloud import Cloud, Wire, session_over
from tests.fs.recording import RecordingKernel
from tests.fs.worlds import mounts_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from trio.testing import MockClock

    from cxfs.server.store import Store
    from tests.fs.desk import Desk, Mounts


@pytest.fixture
def clock(autojump_clock: MockClock) -> MockClock:
    """Time passes only when everybody waits. A test takes it itself: that is how pytest-trio finds it."""
    return autojump_clock


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """In memory where the machine has such a place: what a disk takes to sync is not what these tests are about."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="cxfs-test-") as path:
        yield Path(path)


@pytest.fixture
def store(folder: Path) -> Iterator[Store]:
    with open_store(folder / "server") as opened:
        yield opened


@pytest.fixture
def token(store: Store) -> str:
    add_user(store, "ann", password=None)
    return issue_token(store, "ann")


@pytest.fixture
def app(store: Store) -> httpx.ASGITransport:
    return httpx.ASGITransport(make_app(store, offload=InPlace()))


@pytest.fixture
def wire(app: httpx.ASGITransport) -> Wire:
    return Wire(app)


@pytest.fixture
async def cloud(app: httpx.ASGITransport, token: str) -> AsyncIterator[Cloud]:
    async with session_over(app, token) as session:
        yield Cloud(session)


@pytest.fixture
def kernel() -> RecordingKernel:
    return RecordingKernel()


@pytest.fixture
def mounts(wire: Wire, token: str, folder: Path, kernel: RecordingKernel) -> Mounts:
    """`async with mounts() as desk:` is one run of the daemon; what is not sent at its end is a crash's leftover."""
    return mounts_of(wire, token, folder, kernel)


@pytest.fixture
def verbs(desk: Desk, folder: Path) -> MountVerbs:
    """What a command can ask of the mount."""
    volume = desk.volume
    return MountVerbs(
        volume.waiting,
        volume.uploader,
        volume.blocks,
        connection=desk.watch.status,
        reading=volume.counters,
        condition=lambda: {"tasks": [], "loop": {"blocked_s": 0.25, "stalls": 0}},
        space=volume.filesystem.space,
        slowest=list,
        profile="home",
        mountpoint=folder,
        root="/",
    )


@pytest.fixture
def objects(desk: Desk) -> ObjectVerbs:
    """What a command can ask of one file or folder in the mount."""
    volume = desk.volume
    return ObjectVerbs(volume.tree, history=volume.history, copying=volume.copying, refreshing=volume.refreshing)


@pytest.fixture
async def desk(mounts: Mounts) -> AsyncIterator[Desk]:
    async with mounts() as opened:
        yield opened
