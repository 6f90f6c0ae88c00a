"""One account's tree, assembled: every part of the file system, each handed what it needs. Decides nothing.

The daemon and the tests build it alike; what differs (threads, clocks, the kernel) comes in by `Machine`.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cxfs.core.errors import CxfsError
from cxfs.core.uploads import conflict_name
from cxfs.fs.attributes import AttributeRules
from cxfs.fs.changes import Change, Changes
from cxfs.fs.delivery import Delivery
from cxfs.fs.due import Burst, Pulse, ServerPause
from cxfs.fs.errands import Errand, Errands
from cxfs.fs.filesystem import FileSystem
from cxfs.fs.handles import Contents
from cxfs.fs.homes import Homes
from cxfs.fs.journal import Journal
from cxfs.fs.messenger import Messenger
from cxfs.fs.namespace import Namespace
from cxfs.fs.outcomes import Outcomes
from cxfs.fs.reader import Reader
from cxfs.fs.renaming import CONTINUED_BYTES_MAX, Renaming
from cxfs.fs.room import Room
from cxfs.fs.sending import Sending
from cxfs.fs.space import SpaceWatch
from cxfs.fs.steps import Steps
from cxfs.fs.tree import Tree
from cxfs.fs.uploader import SETTLE_S, Uploader

if TYPE_CHECKING:
    from collections.abc import Callable

    import trio

    from cxfs.core.entries import Entry, EntryName, TreePath
    from cxfs.fs.kernel import KernelCache
    from cxfs.fs.offload import Offload
    from cxfs.local.blocks import BlockStore
    from cxfs.local.metadata import MetadataCache
    from cxfs.local.outbox import Outbox
    from cxfs.remote.files import Files
    from cxfs.remote.transport import Transport
    from cxfs.remote.user import User

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Service:
    """The server's side: its three APIs (`background`: for calls that nobody waits for), and its capabilities."""

    files: Files
    background: Files
    transport: Transport
    user: User
    capabilities: frozenset[str]


@dataclass(frozen=True, slots=True)
class Memory:
    """What this machine remembers of the account."""

    metadata: MetadataCache
    blocks: BlockStore
    outbox: Outbox


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine it runs on: threads for the journal (one at a time) and for drafts, clocks, chance, the kernel."""

    journal: Offload
    disk: Offload
    wall_ms: Callable[[], int]
    today: Callable[[], str]
    jitter: Callable[[], float]
    host: str
    kernel: KernelCache


@dataclass(frozen=True, slots=True)
class VolumeOptions:
    """Sizes in bytes, times in seconds."""

    uid: int
    gid: int
    umask: int = 0o022
    read_only: bool = False
    draft_bytes_max: int = 100 << 30
    uploads_max: int = 8
    settle_s: float = SETTLE_S
    stall_s: float = 60.0
    continued_bytes_max: int = CONTINUED_BYTES_MAX


@dataclass(frozen=True, slots=True)
class Volume:
    """The assembled parts that somebody outside drives or asks."""

    filesystem: FileSystem
    uploader: Uploader
    reader: Reader
    space: SpaceWatch
    changes: Changes
    errands: Errands
    messenger: Messenger
    blocks: BlockStore

    @property
    def left(self) -> int:
        """What was accepted and is not on the server: changes and errands."""
        return len(self.changes) + len(self.errands)


@dataclass(frozen=True, slots=True)
class _Shared:
    """What both the writing and the naming side are built upon."""

    steps: Steps
    changes: Changes
    errands: Errands
    journal: Journal
    attributes: AttributeRules
    tree: Tree
    reader: Reader


def assemble(
    root: Entry,
    root_path: TreePath,
    *,
    service: Service,
    memory: Memory,
    machine: Machine,
    options: VolumeOptions,
    nursery: trio.Nursery,
) -> Volume:
    """The file system over the folder `root`. Changes of an earlier run are in it, and not yet planned."""
    steps = Steps()
    changes, errands = recovered(memory.outbox, steps), Errands(steps)
    for row in memory.outbox.recover_errands():
        errands.add(Errand.recovered(row))
    shared = _Shared(
        steps=steps,
        changes=changes,
        errands=errands,
        journal=Journal(memory.outbox, changes, machine.journal, machine.wall_ms),
        attributes=AttributeRules(uid=options.uid, gid=options.gid, umask=options.umask),
        tree=Tree(
            root,
            root_path,
            files=service.files,
            metadata=memory.metadata,
            changes=changes,
            errands=errands,
            inode_of=memory.outbox.inode_of,
            nursery=nursery,
        ),
        reader=Reader(
            service.transport,
            memory.blocks,
            nursery=nursery,
            pin_versions="versions" in service.capabilities,
            stall_s=options.stall_s,
            jitter=machine.jitter,
        ),
    )
    space = SpaceWatch(service.user.profile)
    sides = _sending_side(shared, service, memory, machine, options, space, nursery)
    filesystem = _filesystem(shared, service, memory, machine, options, sides, space)
    return Volume(filesystem, sides.uploader, shared.reader, space, changes, errands, sides.messenger, memory.blocks)


@dataclass(frozen=True, slots=True)
class _Sides:
    """What brings things to the server."""

    uploader: Uploader
    messenger: Messenger
    homes: Homes


def _sending_side(
    shared: _Shared,
    service: Service,
    memory: Memory,
    machine: Machine,
    options: VolumeOptions,
    space: SpaceWatch,
    nursery: trio.Nursery,
) -> _Sides:
    def name_of_ours(name: EntryName, attempt: int) -> EntryName:
        return conflict_name(name, host=machine.host.replace("/", "_"), date=machine.today(), attempt=attempt)

    pause, burst, pulse = ServerPause(machine.jitter), Burst(quiet_s=options.settle_s), Pulse()
    homes = Homes(
        service.background,
        shared.tree,
        changes=shared.changes,
        errands=shared.errands,
        journal=shared.journal,
        kernel=machine.kernel,
        conflict_name=name_of_ours,
    )
    delivery = Delivery(
        service.background,
        shared.tree,
        changes=shared.changes,
        errands=shared.errands,
        homes=homes,
        space=space,
        journal=shared.journal,
        kernel=machine.kernel,
        conflict_name=name_of_ours,
    )
    messenger = Messenger(
        delivery,
        errands=shared.errands,
        steps=shared.steps,
        journal=shared.journal,
        pause=pause,
        burst=burst,
        pulse=pulse,
        settle_s=options.settle_s,
        nursery=nursery,
    )
    outcomes = Outcomes(
        shared.tree,
        changes=shared.changes,
        errands=shared.errands,
        blocks=memory.blocks,
        space=space,
        journal=shared.journal,
        attributes=shared.attributes,
        kernel=machine.kernel,
        conflict_name=name_of_ours,
    )
    sending = Sending(
        service.transport,
        service.background,
        outcomes=outcomes,
        homes=homes,
        reader=shared.reader,
        journal=shared.journal,
        disk=machine.disk,
        conditional="conditional-upload" in service.capabilities,
        keeps_times="attributes" in service.capabilities,
    )
    uploader = Uploader(
        sending,
        messenger,
        changes=shared.changes,
        steps=shared.steps,
        journal=shared.journal,
        pause=pause,
        burst=burst,
        pulse=pulse,
        uploads_max=options.uploads_max,
        settle_s=options.settle_s,
        nursery=nursery,
    )
    return _Sides(uploader, messenger, homes)


def _filesystem(
    shared: _Shared,
    service: Service,
    memory: Memory,
    machine: Machine,
    options: VolumeOptions,
    sides: _Sides,
    space: SpaceWatch,
) -> FileSystem:
    contents = Contents(
        shared.tree,
        reader=shared.reader,
        uploader=sides.uploader,
        messenger=sides.messenger,
        errands=shared.errands,
        outbox=memory.outbox,
        changes=shared.changes,
        journal=shared.journal,
        disk=machine.disk,
        wall_ms=machine.wall_ms,
        room=Room(
            space,
            changes=shared.changes,
            errands=shared.errands,
            blocks=memory.blocks,
            outbox=memory.outbox,
            draft_bytes_max=options.draft_bytes_max,
        ),
        read_only=options.read_only,
    )
    namespace = Namespace(
        shared.tree,
        uploader=sides.uploader,
        messenger=sides.messenger,
        changes=shared.changes,
        errands=shared.errands,
        steps=shared.steps,
        journal=shared.journal,
        attributes=shared.attributes,
        read_only=options.read_only,
    )
    renaming = Renaming(
        shared.tree,
        files=service.files,
        namespace=namespace,
        contents=contents,
        uploader=sides.uploader,
        messenger=sides.messenger,
        changes=shared.changes,
        errands=shared.errands,
        homes=sides.homes,
        journal=shared.journal,
        attributes=shared.attributes,
        continued_bytes_max=options.continued_bytes_max,
    )
    return FileSystem(
        shared.tree,
        namespace,
        renaming,
        contents,
        shared.journal,
        shared.attributes,
        space,
        service.files,
        keeps_times="attributes" in service.capabilities,
    )


def recovered(outbox: Outbox, steps: Steps) -> Changes:
    """The changes that an earlier run accepted and did not bring to the server."""
    changes = Changes(steps)
    for row in outbox.recover():
        try:
            changes.add(Change.recovered(row, outbox.open_draft(row)))
        except CxfsError as error:
            log.error("%s waits for the next mount: %s", row.path, error)
    if len(changes):
        log.info("%d changes of an earlier mount wait to be sent", len(changes))
    return changes
