"""The file system without a kernel, on a fake clock, against the real server app in this process."""

from __future__ import annotations

import os
import tempfile
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import trio

from cxfs.core.entries import SELF, TreePath
from cxfs.fs.offload import in_turn, inline
from cxfs.fs.volume import Machine, Memory, Service, VolumeOptions, assemble
from cxfs.local.blocks import BlockStore
from cxfs.local.metadata import MetadataCache
from cxfs.local.outbox import Outbox
from cxfs.remote.files import Files
from cxfs.remote.transport import Transport
from cxfs.remote.user import User
from cxfs.server.administration import add_user, issue_token, open_store
from cxfs.server.app import make_app
from cxfs.server.calls import InPlace
from tests.fs.cloud import Cloud, Wire, session_over
from tests.fs.desk import Desk, Mounts
from tests.fs.recording import RecordingKernel

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from trio.testing import MockClock

    from cxfs.server.store import Store


TTL_S = 30.0
NEGATIVE_TTL_S = 5.0
NOW_MS = 1_700_000_000_000


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

    @asynccontextmanager
    async def mount(
        *, capabilities: frozenset[str] | None = None, cache_bytes_max: int = 1 << 30, **options: Any
    ) -> AsyncIterator[Desk]:
        async with AsyncExitStack() as stack:
            session = await stack.enter_async_context(session_over(wire, token))
            nursery = await stack.enter_async_context(trio.open_nursery())
            user, files = User(session), Files(session)
            if capabilities is None:
                capabilities = await user.capabilities()
            root_path = TreePath(SELF, ())
            outbox = Outbox(folder / "state")
            stack.callback(outbox.close)
            blocks = BlockStore(folder / "cache", bytes_max=cache_bytes_max)
            stack.callback(blocks.close)
            metadata = MetadataCache(
                entries_max=10_000, ttl_s=TTL_S, negative_ttl_s=NEGATIVE_TTL_S, timer=trio.current_time
            )
            volume = assemble(
                await files.entry(root_path),
                root_path,
                service=Service(files, Files(session, in_background=True), Transport(session), user, capabilities),
                memory=Memory(metadata, blocks, outbox),
                machine=Machine(
                    journal=in_turn(),
                    disk=inline,
                    wall_ms=lambda: NOW_MS + int(trio.current_time() * 1_000),
                    today=lambda: "2026-05-01",
                    jitter=lambda: 0.5,
                    host="laptop",
                    kernel=kernel,
                ),
                options=VolumeOptions(uid=1000, gid=1000, **options),
                nursery=nursery,
            )
            volume.uploader.resume()
            nursery.start_soon(volume.uploader.run)
            wire.requests.clear()
            yield Desk(volume, outbox)
            nursery.cancel_scope.cancel()

    return mount


@pytest.fixture
async def desk(mounts: Mounts) -> AsyncIterator[Desk]:
    async with mounts() as opened:
        yield opened
