"""What a volume stands on in a real daemon: the server's calls, what is kept on this machine, threads and clocks.

Builds each part and hands it out; who uses them, and for how long, is the daemon's matter.
"""

from __future__ import annotations

import datetime as dt
import random
import socket
import time
from typing import TYPE_CHECKING, Final

from cxfs.fs.offload import HereWhileQuick, to_threads
from cxfs.fs.surroundings import Machine, Memory, Service, Surroundings
from cxfs.fuse.session import Kernel
from cxfs.local.metadata import MetadataCache
from cxfs.remote.bundles import Bundles
from cxfs.remote.files import Files
from cxfs.remote.transport import Transport
from cxfs.remote.user import User

if TYPE_CHECKING:
    from cxfs.fs.supervisor import Supervisor
    from cxfs.introduction import Acquaintance
    from cxfs.local.blocks import BlockStore
    from cxfs.local.outbox import Outbox
    from cxfs.mount_options import MountOptions
    from cxfs.remote.session import Session
    from cxfs.remote.watch import ConnectionWatch

ENTRIES_MAX: Final = 200_000
"""Listed entries kept in memory: about 100 MB at the most, and four times the largest folders people browse."""

DISK_THREADS_MAX: Final = 8
"""Drafts being written or read at a time: more only queue in the kernel."""


def equipment(
    options: MountOptions,
    session: Session,
    connection: ConnectionWatch,
    who: Acquaintance,
    kept: tuple[BlockStore, Outbox],
    tasks: Supervisor,
) -> Surroundings:
    """All of it. `kept` are the stores on this machine's disk; what runs beside the calls runs in `tasks`."""
    return Surroundings(
        service=_service(session, connection, who.capabilities),
        memory=Memory(_metadata(options), *kept),
        machine=_machine(tasks),
        options=options.of_the_volume,
        nursery=tasks,
    )


def _service(session: Session, connection: ConnectionWatch, capabilities: frozenset[str]) -> Service:
    return Service(
        files=Files(session),
        background=Files(session, in_background=True),
        transport=Transport(session),
        bundles=Bundles(session, in_background=True),
        user=User(session),
        capabilities=capabilities,
        connection=connection,
    )


def _metadata(options: MountOptions) -> MetadataCache:
    return MetadataCache(
        entries_max=ENTRIES_MAX,
        ttl_s=options.metadata_ttl_s,
        negative_ttl_s=options.negative_ttl_s,
        feed_ttl_s=options.feed_ttl_s,
        timer=time.monotonic,
    )


def _machine(tasks: Supervisor) -> Machine:
    disk = to_threads(DISK_THREADS_MAX)
    journal = HereWhileQuick(to_threads(1))
    return Machine(
        journal=journal,
        journal_synced=journal.slow,
        disk=disk,
        quick=HereWhileQuick(disk),
        wall_ms=lambda: time.time_ns() // 1_000_000,
        today=lambda: dt.datetime.now().astimezone().date().isoformat(),
        jitter=random.random,
        host=socket.gethostname(),
        kernel=Kernel(tasks),
    )
