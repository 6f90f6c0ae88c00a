"""The daemon of one mount: builds every part and hands each what it needs. Downward the start, upward the stop.

Nothing is decided here. What waits is resumed before the mount answers, and drained after it is gone.
"""

from __future__ import annotations

import datetime as dt
import functools
import logging
import os
import random
import resource
import signal
import socket
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import trio

from cxfs import __version__
from cxfs.core.entries import SELF, TreePath
from cxfs.core.errors import NotADirectory
from cxfs.fs.offload import to_threads
from cxfs.fs.volume import Machine, Memory, Service, Volume, VolumeOptions, assemble
from cxfs.fuse.operations import Operations
from cxfs.fuse.session import Kernel, mounted
from cxfs.local.blocks import BlockStore
from cxfs.local.metadata import MetadataCache
from cxfs.local.outbox import Outbox
from cxfs.mounts import hold_lock
from cxfs.remote.files import Files
from cxfs.remote.session import Session, SessionLimits, open_session
from cxfs.remote.transport import Transport
from cxfs.remote.urls import ServiceUrls
from cxfs.remote.user import Group, Profile as Account, User

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from cxfs.config import Profile
    from cxfs.credentials import AccessToken

log = logging.getLogger(__name__)

ENTRIES_MAX: Final = 200_000
"""Listed entries kept in memory: about 100 MB at the most, and four times the largest folders people browse."""

DISK_THREADS_MAX: Final = 8
"""Drafts being written or read at a time: more only queue in the kernel."""


@dataclass(frozen=True, slots=True)
class MountOptions:
    """How an account is mounted. Times in seconds, sizes in bytes; `root` is the folder of the account to mount."""

    allow_other: bool = False
    read_only: bool = False
    uid: int | None = None
    gid: int | None = None
    umask: int = 0o022
    metadata_ttl_s: float = 30.0
    negative_ttl_s: float = 5.0
    metadata_deadline_s: float = 10.0
    data_deadline_s: float = 60.0
    cache_bytes_max: int = 10 << 30
    draft_bytes_max: int = 100 << 30
    uploads_max: int = 8
    drain_timeout_s: float = 60.0
    root: str = "/"


@dataclass(frozen=True, slots=True)
class MountSettings:
    """One mount: whose account, where, and which folders of this machine are its own."""

    profile: Profile
    token: AccessToken
    mountpoint: Path
    cache_folder: Path
    state_folder: Path
    options: MountOptions


@dataclass(frozen=True, slots=True)
class WhoAmI:
    """An account and its groups."""

    account: Account
    groups: tuple[Group, ...]


def whoami(profile: Profile, token: AccessToken) -> WhoAmI:
    """Asks the server who the token belongs to. Raises CxfsError."""

    async def ask() -> WhoAmI:
        async with _session(profile, token) as session:
            user = User(session)
            return WhoAmI(await user.profile(), await user.groups())

    return trio.run(ask)


def run(settings: MountSettings, *, on_ready: Callable[[], None]) -> int:
    """Mounts, calls `on_ready` when the mount answers, and returns when it is unmounted and drained.

    Returns the number of changes that are left for the next mount. SIGINT and SIGTERM unmount; a second one leaves
    without waiting for uploads. Raises CxfsError for a start that is refused.
    """
    with hold_lock(settings.state_folder, settings.mountpoint) as lock:
        allow_descriptors()
        try:
            left = trio.run(_run, settings, on_ready)
        except BaseExceptionGroup as group:
            raise _cause(group) from None
        lock.note_uploads_left(left)
        return left


def allow_descriptors() -> None:
    """As many open files as the system lets us have: each draft that waits is one, and 1,024 is the usual limit."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _cause(error: BaseException) -> BaseException:
    """The one failure in a group, however many nurseries it came through; several stay a group."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


async def _run(settings: MountSettings, on_ready: Callable[[], None]) -> int:
    outbox = Outbox(settings.state_folder)
    blocks = BlockStore(settings.cache_folder / "blocks", bytes_max=settings.options.cache_bytes_max)
    try:
        limits = _limits(settings.options)
        async with _session(settings.profile, settings.token, limits) as session, trio.open_nursery() as nursery:
            volume = await _volume(settings, session, outbox, blocks, nursery)
            await _serve(settings, volume, nursery, on_ready)
            nursery.cancel_scope.cancel()
    finally:
        blocks.close()
        outbox.close()
    return volume.left


@asynccontextmanager
async def _session(profile: Profile, token: AccessToken, limits: SessionLimits | None = None) -> AsyncIterator[Session]:
    urls = ServiceUrls.parse(
        api_url=profile.api_url, data_url=profile.data_url, auth_url=profile.auth_url, allow_http=profile.allow_http
    )
    async with open_session(
        urls,
        token.reveal,
        client_id=profile.client_id,
        ca_file=profile.ca_file,
        limits=limits,
        user_agent=f"cxfs/{__version__}",
    ) as session:
        yield session


def _limits(options: MountOptions) -> SessionLimits:
    """The session's, where the mount has a say: as many connections as uploads, and the deadlines of its calls."""
    return SessionLimits(
        upload_requests_max=options.uploads_max,
        metadata_deadline_s=options.metadata_deadline_s,
        no_progress_s=options.data_deadline_s,
    )


async def _volume(
    settings: MountSettings, session: Session, outbox: Outbox, blocks: BlockStore, nursery: trio.Nursery
) -> Volume:
    """The account's tree; asks the server what it can do and for the folder to mount."""
    options = settings.options
    user, files = User(session), Files(session)
    service = Service(files, Files(session, in_background=True), Transport(session), user, await user.capabilities())
    root_path = TreePath.parse(f"{SELF}:{options.root}")
    root = await files.entry(root_path)
    if not root.is_folder:
        raise NotADirectory(f"{options.root} is a file of the account; root= takes a folder")
    metadata = MetadataCache(
        entries_max=ENTRIES_MAX,
        ttl_s=options.metadata_ttl_s,
        negative_ttl_s=options.negative_ttl_s,
        timer=time.monotonic,
    )
    return assemble(
        root,
        root_path,
        service=service,
        memory=Memory(metadata, blocks, outbox),
        machine=_machine(nursery),
        options=VolumeOptions(
            uid=os.getuid() if options.uid is None else options.uid,
            gid=os.getgid() if options.gid is None else options.gid,
            umask=options.umask,
            read_only=options.read_only,
            draft_bytes_max=options.draft_bytes_max,
            uploads_max=options.uploads_max,
            stall_s=options.data_deadline_s,
        ),
        nursery=nursery,
    )


def _machine(nursery: trio.Nursery) -> Machine:
    return Machine(
        journal=to_threads(1),
        disk=to_threads(DISK_THREADS_MAX),
        wall_ms=lambda: time.time_ns() // 1_000_000,
        today=lambda: dt.datetime.now().astimezone().date().isoformat(),
        jitter=random.random,
        host=socket.gethostname(),
        kernel=Kernel(nursery),
    )


async def _serve(settings: MountSettings, volume: Volume, nursery: trio.Nursery, on_ready: Callable[[], None]) -> None:
    """From the mount to the last upload, or to the second signal."""
    operations = Operations(
        volume.filesystem,
        metadata_deadline_s=settings.options.metadata_deadline_s,
        data_deadline_s=settings.options.data_deadline_s,
    )
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        volume.uploader.resume()
        nursery.start_soon(volume.uploader.run)
        nursery.start_soon(volume.space.refresh)
        nursery.start_soon(volume.space.run)
        async with mounted(
            operations,
            settings.mountpoint,
            source=f"cxfs:{settings.profile.name}",
            allow_other=settings.options.allow_other,
            read_only=settings.options.read_only,
        ) as unmounted:
            log.info("%s is mounted at %s", settings.profile.name, settings.mountpoint)
            on_ready()
            await _first(unmounted.wait, functools.partial(_next_signal, signals))
        log.info("%s is unmounted, %d changes wait", settings.mountpoint, volume.left)
        await operations.close_all()
        drain = functools.partial(volume.uploader.drain, settings.options.drain_timeout_s)
        await _first(drain, functools.partial(_next_signal, signals))
    for left in (*volume.changes, *volume.errands):
        log.warning("not sent yet, the next mount goes on: %s", left.path)


async def _first(*calls: Callable[[], Awaitable[object]]) -> None:
    """Returns when the first of them does; the others are cancelled."""
    async with trio.open_nursery() as nursery:

        async def race(call: Callable[[], Awaitable[object]]) -> None:
            await call()
            nursery.cancel_scope.cancel()

        for call in calls:
            nursery.start_soon(race, call)


async def _next_signal(signals: AsyncIterator[int]) -> None:
    async for number in signals:
        log.info("%s", signal.Signals(number).name)
        return
