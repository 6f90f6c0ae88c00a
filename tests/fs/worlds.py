"""Accounts and mounts for tests that live through many of them; each life is a run of trio on a clock that jumps."""

from __future__ import annotations

import secrets
import shutil
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import httpx
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from cxfs.core.connection import Thresholds
from cxfs.core.entries import SELF, TreePath
from cxfs.fs.offload import in_turn, inline
from cxfs.fs.surroundings import Machine, Memory, Service, Surroundings, VolumeOptions
from cxfs.fs.volume import assemble
from cxfs.local.blocks import BlockStore
from cxfs.local.metadata import MetadataCache
from cxfs.local.outbox import Outbox
from cxfs.remote.bundles import Bundles
from cxfs.remote.files import Files
from cxfs.remote.transport import Transport
from cxfs.remote.user import User
from cxfs.remote.watch import ConnectionWatch
from cxfs.server.administration import add_user, issue_token
from cxfs.server.app import make_app
from cxfs.server.calls import InPlace
from tests.fs.cloud import Cloud, Wire, session_over
from tests.fs.desk import Desk
from tests.fs.recording import RecordingKernel

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from cxfs.fs.offload import Offload
    from cxfs.remote.renewal import RenewingToken
    from cxfs.server.store import Store
    from tests.fs.desk import Mounts

TTL_S: Final = 30.0
NEGATIVE_TTL_S: Final = 5.0
FEED_TTL_S: Final = 600.0
NOW_MS: Final = 1_700_000_000_000

T = TypeVar("T")


@dataclass(frozen=True)
class World:
    """An account, the way to it, and the mounts of one machine."""

    cloud: Cloud
    wire: Wire
    mounts: Mounts


def live(story: Callable[[World], Awaitable[T]], store: Store, folder: Path) -> T:
    """What a story gives, lived through with a new account of `store` and a machine of its own below `folder`.

    Nothing is left of that machine: thousands of them would fill the memory that the folder is in.
    """
    name = secrets.token_hex(8)

    async def life() -> T:
        add_user(store, name, password=None)
        token = issue_token(store, name)
        app = httpx.ASGITransport(make_app(store, offload=InPlace()))
        async with session_over(app, token) as session:
            wire = Wire(app)
            return await story(World(Cloud(session), wire, mounts_of(wire, token, folder / name, RecordingKernel())))

    try:
        return trio.run(life, clock=MockClock(autojump_threshold=0))
    finally:
        shutil.rmtree(folder / name, ignore_errors=True)


def mounts_of(
    wire: Wire,
    token: str,
    folder: Path,
    kernel: RecordingKernel,
    *,
    renewing: Callable[[], RenewingToken] | None = None,
) -> Mounts:
    """`async with mounts() as desk:` is one run of the daemon; what is not sent at its end is a crash's leftover.

    With `follows` the server's feed is listened to, if it has one. `through` may stand between the file system and what
    it asks of this machine's journal and drafts; `renewing` makes what takes up another token, where the first may be
    refused.
    """

    @asynccontextmanager
    async def mount(
        *,
        capabilities: frozenset[str] | None = None,
        cache_bytes_max: int = 1 << 30,
        root: str = "/",
        free_bytes: Callable[[Path], int] = lambda _: 1 << 40,
        through: Callable[[Offload], Offload] = lambda offload: offload,
        time_of_day_is_off_ms: Callable[[], int] = lambda: 0,
        follows: bool = False,
        **options: Any,
    ) -> AsyncIterator[Desk]:
        async with AsyncExitStack() as stack:
            watch = ConnectionWatch(Thresholds(), jitter=lambda: 0.5)
            tokens = renewing() if renewing is not None else None
            session = await stack.enter_async_context(session_over(wire, tokens or token, watch))
            outbox = Outbox(folder / "state", free_bytes=free_bytes)
            stack.callback(outbox.close)
            blocks = BlockStore(folder / "cache", bytes_max=cache_bytes_max)
            stack.callback(blocks.close)
            nursery = await stack.enter_async_context(trio.open_nursery())
            user, files = User(session), Files(session)
            if capabilities is None:
                capabilities = await user.capabilities()
            root_path = TreePath.parse(f"{SELF}:{root}")
            metadata = MetadataCache(
                entries_max=10_000,
                ttl_s=TTL_S,
                negative_ttl_s=NEGATIVE_TTL_S,
                feed_ttl_s=FEED_TTL_S,
                timer=trio.current_time,
            )
            journal = through(in_turn())
            volume = assemble(
                await files.entry(root_path),
                root_path,
                Surroundings(
                    service=Service(
                        files,
                        Files(session, in_background=True),
                        Transport(session),
                        Bundles(session, in_background=True),
                        user,
                        capabilities,
                        watch,
                    ),
                    memory=Memory(metadata, blocks, outbox),
                    machine=Machine(
                        journal=journal,
                        journal_synced=journal,
                        disk=through(inline),
                        quick=through(inline),
                        wall_ms=lambda: NOW_MS + int(trio.current_time() * 1_000) + time_of_day_is_off_ms(),
                        today=lambda: "2026-05-01",
                        jitter=lambda: 0.5,
                        host="laptop",
                        kernel=kernel,
                    ),
                    options=VolumeOptions(uid=1000, gid=1000, follows=follows, feed_ttl_s=FEED_TTL_S, **options),
                    nursery=nursery,
                ),
            )
            if volume.groups is not None:
                await volume.groups.first()
            volume.uploader.resume()
            nursery.start_soon(volume.uploader.run)
            watch.on_change(volume.connection_changed)
            nursery.start_soon(watch.run, session.probe, session.signs_of_life)
            if tokens is not None:
                nursery.start_soon(tokens.watch, volume.uploader.wake)
            if volume.feeds.following is not None:
                nursery.start_soon(volume.feeds.following.run)
                await wait_all_tasks_blocked()
            wire.requests.clear()
            yield Desk(volume, outbox, watch)
            nursery.cancel_scope.cancel()

    return mount
