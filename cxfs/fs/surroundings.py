"""What a volume is put into: the server, what this machine remembers, the machine itself, and what was asked for.

The daemon and the tests fill it in each in their own way; nothing here does anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cxfs.core.freshness import PATIENCE_MOST_S
from cxfs.core.local_names import DEFAULT_PATTERNS
from cxfs.fs.continuing import CONTINUED_BYTES_MAX
from cxfs.fs.reader import BUFFER_BYTES_MAX
from cxfs.fs.uploader import SETTLE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cxfs.fs.freshness import Connection
    from cxfs.fs.kernel import KernelCache
    from cxfs.fs.offload import Offload
    from cxfs.fs.supervisor import Nursery
    from cxfs.local.blocks import BlockStore
    from cxfs.local.metadata import MetadataCache
    from cxfs.local.outbox import Outbox
    from cxfs.remote.bundles import Bundles
    from cxfs.remote.files import Files
    from cxfs.remote.transport import Transport
    from cxfs.remote.user import User


@dataclass(frozen=True, slots=True)
class Service:
    """The server's side: its APIs and capabilities, and whether it answers.

    Nobody waits for what `background` asks and `bundles` bring.
    """

    files: Files
    background: Files
    transport: Transport
    bundles: Bundles
    user: User
    capabilities: frozenset[str]
    connection: Connection


@dataclass(frozen=True, slots=True)
class Memory:
    """What this machine remembers of the account."""

    metadata: MetadataCache
    blocks: BlockStore
    outbox: Outbox


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine it runs on: ways to the journal (one call at a time) and to drafts, clocks, chance, the kernel.

    `quick` is for what mostly takes microseconds, such as a small write into the page cache. So does the journal,
    except for what waits for the disk and goes by `journal_synced`; both keep one order.
    """

    journal: Offload
    journal_synced: Offload
    disk: Offload
    quick: Offload
    wall_ms: Callable[[], int]
    today: Callable[[], str]
    jitter: Callable[[], float]
    host: str
    kernel: KernelCache


@dataclass(frozen=True, slots=True)
class VolumeOptions:
    """Sizes in bytes, times in seconds. `groups`: a mount of the whole account shows them.

    `follows`: what a server tells of changes is listened to; nothing is asked for as long as `feed_ttl_s` then.

    `local_only`: patterns of names of new files that stay on this machine. `versions`: every folder has `.versions`.
    """

    uid: int
    gid: int
    umask: int = 0o022
    read_only: bool = False
    draft_bytes_max: int = 100 << 30
    uploads_max: int = 8
    settle_s: float = SETTLE_S
    stall_s: float = 60.0
    patience_s: float = PATIENCE_MOST_S
    buffer_bytes_max: int = BUFFER_BYTES_MAX
    groups: bool = True
    groups_refresh_s: float = 30.0
    follows: bool = True
    feed_ttl_s: float = 600.0
    continued_bytes_max: int = CONTINUED_BYTES_MAX
    sync_remote: bool = False
    local_only: Sequence[str] = DEFAULT_PATTERNS
    versions: bool = False


@dataclass(frozen=True, slots=True)
class Surroundings:
    """All of it. What runs beside the calls runs in `nursery`."""

    service: Service
    memory: Memory
    machine: Machine
    options: VolumeOptions
    nursery: Nursery

    def offers(self, capability: str) -> bool:
        """Whether the server has it."""
        return capability in self.service.capabilities
