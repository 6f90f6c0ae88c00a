"""The daemon of one mount: builds every part and hands each what it needs. Downward the start, upward the stop.

Nothing is decided here. What waits is resumed before the mount answers, and drained after it is gone.
"""

from __future__ import annotations

import logging
import os
import random
import resource
import signal
from contextlib import AbstractAsyncContextManager, AsyncExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import trio

from cxfs.control.place import listening, socket_path
from cxfs.control.server import ControlServer
from cxfs.core.connection import State, Thresholds
from cxfs.core.entries import SELF, TreePath
from cxfs.core.errors import CxfsError, cause_of
from cxfs.core.pending import Status
from cxfs.equipment import equipment
from cxfs.fs.draining import drain
from cxfs.fs.supervisor import Supervisor
from cxfs.fs.volume import Volume, assemble
from cxfs.fuse.callers import Callers
from cxfs.fuse.operations import Operations
from cxfs.fuse.session import mounted
from cxfs.introduction import Acquaintance, introduced
from cxfs.local.blocks import FOLDER, BlockStore
from cxfs.local.outbox import Outbox
from cxfs.mounts import HeldLock, Leftovers, hold_lock
from cxfs.remote.redaction import KnownSecrets
from cxfs.remote.watch import ConnectionWatch
from cxfs.service import MountedAccount, connected, renewing
from cxfs.tending import Upkeep, keep_desktop_told, sleep_watch, tell_of_connection, tell_of_draining
from cxfs.upkeep.service_manager import ServiceManager
from cxfs.upkeep.vigil import vigil
from cxfs.verbs import MountVerbs, ObjectVerbs, Phase

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from pathlib import Path

    from cxfs.config import Profile
    from cxfs.core.pending import Pending
    from cxfs.credentials import AccessToken, TokenSource
    from cxfs.fs.waiting import Remaining
    from cxfs.mount_options import MountOptions
    from cxfs.remote.renewal import RenewingToken
    from cxfs.remote.request_times import RequestTimes
    from cxfs.remote.session import Session
    from cxfs.upkeep.vigil import Vigil

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MountSettings:
    """One mount: whose account, where, and which folders of this machine are its own.

    `source` is where a newer token would be found; what is found is added to the secrets that the log hides.
    """

    profile: Profile
    token: AccessToken
    mountpoint: Path
    cache_folder: Path
    state_folder: Path
    options: MountOptions
    source: TokenSource | None = None
    client_id: str | None = None
    known_secrets: KnownSecrets = field(default_factory=KnownSecrets)


@dataclass(frozen=True, slots=True)
class _Surroundings:
    """What a mount's life is seen by: its lock, control socket, service manager and connection, and who started it."""

    lock: HeldLock
    listener: socket.socket
    manager: ServiceManager
    connection: ConnectionWatch
    on_ready: Callable[[], None]
    on_drain: Callable[[Remaining], None] | None


def run(
    settings: MountSettings, *, on_ready: Callable[[], None], on_drain: Callable[[Remaining], None] | None = None
) -> Leftovers:
    """Mounts, calls `on_ready` when the mount answers, and returns when it is unmounted and drained.

    While it drains `on_drain` hears what remains, several times a second; without it the log does, every few seconds.
    Returns what is left for the next mount. SIGINT and SIGTERM unmount; a second one leaves without waiting for
    uploads. Raises CxfsError for a start that is refused.
    """
    control = socket_path(settings.state_folder)
    connection = ConnectionWatch(Thresholds.within(settings.options.metadata_deadline_s), jitter=random.random)
    with hold_lock(settings.state_folder, settings.mountpoint, root=settings.options.root) as lock:
        allow_descriptors()
        with listening(control) as listener, closing(ServiceManager.of(os.environ)) as manager:
            lock.note_control(control)
            try:
                left = trio.run(_run, settings, _Surroundings(lock, listener, manager, connection, on_ready, on_drain))
            except BaseExceptionGroup as group:
                raise cause_of(group) from None
        lock.note_left(left)
        return left


def allow_descriptors() -> None:
    """As many open files as the system lets us have: each draft that waits is one, and 1,024 is the usual limit."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def _run(settings: MountSettings, surroundings: _Surroundings) -> Leftovers:
    outbox = Outbox(settings.state_folder)
    try:
        with vigil(settings.state_folder, hide=settings.known_secrets.hide) as watch:
            rows = await _live(settings, outbox, watch, surroundings)
    finally:
        outbox.close()
    parked = sum(1 for row in rows if row.status is Status.PARKED)
    return Leftovers.of([row.path for row in rows], parked=parked)


async def _live(
    settings: MountSettings, outbox: Outbox, watch: Vigil, surroundings: _Surroundings
) -> Sequence[Pending]:
    """All of the mount's life; gives what is left of it."""
    account = MountedAccount(settings.profile)
    connection = surroundings.connection
    tokens = _tokens(settings, account, connection)
    root = TreePath.parse(f"{SELF}:{settings.options.root}")
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(_session(settings, tokens, connection))
        who = await introduced(session, outbox, root, on_absence=connection.begin_offline)
        account.is_that(who.account)
        blocks = await trio.to_thread.run_sync(_blocks, settings, who)
        stack.push_async_callback(trio.to_thread.run_sync, blocks.close)  # when nobody uses it any more
        nursery = await stack.enter_async_context(trio.open_nursery())
        tasks = Supervisor(nursery)
        kept = equipment(settings.options, session, connection, who, (blocks, outbox), tasks)
        volume = assemble(who.root, root, kept)
        _claim(settings, outbox, who, volume.left)
        connection.on_change(volume.connection_changed)
        tasks.start_soon(session.warm)
        tasks.keep("stacks", watch.write_stacks_when_asked)
        probe = partial(session.probe, account.require)
        tasks.keep("connection", partial(connection.run, probe, session.signs_of_life))
        tasks.keep("token", partial(tokens.watch, volume.uploader.wake))
        wanted, is_signed_in = settings.options.notifications, lambda: tokens.statistics().signed_in
        keep_desktop_told(tasks, volume, settings.profile.name, is_signed_in, wanted=wanted)
        callers = Callers(is_offline=lambda: connection.state is State.OFFLINE)
        await _serve(settings, volume, Upkeep(tasks, watch, callers), surroundings, slowest=session.slowest)
        nursery.cancel_scope.cancel()
    return volume.waiting.rows()


def _tokens(settings: MountSettings, account: MountedAccount, connection: ConnectionWatch) -> RenewingToken:
    return renewing(
        settings.profile,
        settings.token,
        settings.source,
        account,
        learnt=settings.known_secrets.add,
        watch=connection,
    )


def _session(
    settings: MountSettings, tokens: RenewingToken, connection: ConnectionWatch
) -> AbstractAsyncContextManager[Session]:
    return connected(
        settings.profile,
        tokens,
        limits=settings.options.session_limits,
        client_id=settings.client_id,
        on_refused=tokens.refused,
        watch=connection,
    )


def _blocks(settings: MountSettings, who: Acquaintance) -> BlockStore:
    """The content of former mounts, of this account's."""
    return BlockStore(settings.cache_folder / FOLDER, bytes_max=settings.options.cache_bytes_max, owner=who.account)


def _claim(settings: MountSettings, outbox: Outbox, who: Acquaintance, waiting: int) -> None:
    """The state folder is this account's from now on; refused while something waits in it for another one."""
    former = outbox.account
    if former is not None and former != who.account and waiting:
        raise CxfsError(
            f"{waiting} changes made through {settings.profile.name} wait for the account {former}, and the token is "
            f"{who.username or who.account}'s: cxfs login --profile {settings.profile.name} as the former, or mount "
            "the other account by a profile of its own"
        )
    if former != who.account:
        outbox.account = who.account


async def _serve(
    settings: MountSettings,
    volume: Volume,
    upkeep: Upkeep,
    surroundings: _Surroundings,
    *,
    slowest: Callable[[], Sequence[RequestTimes]],
) -> None:
    """From the mount to the last upload, or to the second signal."""
    verbs = _verbs(settings, volume, upkeep, surroundings, slowest)
    objects = ObjectVerbs(volume.tree, history=volume.history, copying=volume.copying, refreshing=volume.refreshing)
    control = ControlServer({**verbs.table, **objects.table})
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        second_signal = partial(_next_signal, signals)
        volume.uploader.resume()
        upkeep.tasks.start_soon(volume.space.refresh)
        upkeep.tasks.keep("control socket", partial(control.serve, surroundings.listener))
        upkeep.tasks.keep("watchdog", partial(surroundings.manager.reassure, upkeep.device.is_attended))
        upkeep.tasks.keep("sleep", sleep_watch(volume, upkeep).run)
        for name, run in volume.standing_tasks().items():
            upkeep.tasks.keep(name, run)
        await _answer_the_kernel(settings, volume, upkeep, second_signal, surroundings)
        verbs.phase = Phase.DRAINING
        await _first(*_draining(settings, volume, upkeep, surroundings), second_signal)
    for left in (*volume.changes, *volume.errands):
        log.warning("not sent yet, the next mount goes on: %s", left.path)


def _verbs(
    settings: MountSettings,
    volume: Volume,
    upkeep: Upkeep,
    surroundings: _Surroundings,
    slowest: Callable[[], Sequence[RequestTimes]],
) -> MountVerbs:
    return MountVerbs(
        volume.waiting,
        volume.uploader,
        volume.blocks,
        connection=surroundings.connection.status,
        reading=volume.counters,
        condition=upkeep.condition,
        space=volume.filesystem.space,
        slowest=slowest,
        profile=settings.profile.name,
        mountpoint=settings.mountpoint,
        root=settings.options.root,
    )


def _draining(
    settings: MountSettings, volume: Volume, upkeep: Upkeep, surroundings: _Surroundings
) -> tuple[Callable[[], Awaitable[object]], ...]:
    """The sending of what is left, and whoever wants to hear how far it is."""
    timeout_s, tell = settings.options.drain_timeout_s, surroundings.on_drain
    told = partial(tell_of_draining, surroundings.manager, volume.waiting)
    return (
        partial(drain, volume.uploader, volume.waiting, timeout_s=timeout_s, tell=tell),
        partial(upkeep.tasks.kept, "news of draining", told),
    )


async def _answer_the_kernel(
    settings: MountSettings,
    volume: Volume,
    upkeep: Upkeep,
    next_signal: Callable[[], Awaitable[None]],
    surroundings: _Surroundings,
) -> None:
    """From the mount to its end, by a signal or from outside; what programs left open is closed."""
    operations = Operations(
        volume.filesystem,
        callers=upkeep.callers,
        metadata_deadline_s=settings.options.metadata_deadline_s,
        data_deadline_s=settings.options.data_deadline_s,
    )
    volume.filesystem.expect_a_first_look()
    watches = [partial(upkeep.tasks.kept, "callers", upkeep.callers.run)]
    if volume.groups is not None:
        await volume.groups.first()
        # For as long as there is a kernel to tell its news.
        watches.append(partial(upkeep.tasks.kept, "groups", volume.groups.run))
    if volume.feeds.following is not None:
        watches.append(partial(upkeep.tasks.kept, "changes", volume.feeds.following.run))
    async with mounted(
        operations,
        settings.mountpoint,
        source=settings.options.source or f"cxfs:{settings.profile.name}",
        allow_other=settings.options.allow_other,
        read_only=settings.options.read_only,
        no_exec=settings.options.no_exec,
        device=upkeep.device,
    ) as unmounted:
        _tell_that_it_answers(settings, surroundings)
        await _first(unmounted.wait, next_signal, *watches)
        surroundings.manager.stopping()
    surroundings.lock.note_draining()
    log.info("%s is unmounted, %d changes wait", settings.mountpoint, volume.left)
    await operations.close_all()


def _tell_that_it_answers(settings: MountSettings, surroundings: _Surroundings) -> None:
    said = f"{settings.profile.name} is mounted at {settings.mountpoint}"
    log.info("%s", said)
    surroundings.on_ready()
    surroundings.manager.ready()
    told = partial(tell_of_connection, surroundings.manager, said)
    told(surroundings.connection.status())
    surroundings.connection.on_change(told)


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
