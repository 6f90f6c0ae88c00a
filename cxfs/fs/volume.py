"""One account's tree, assembled: every part of the file system, each handed what it needs. Decides nothing.

The daemon and the tests build it alike; what differs (threads, clocks, the kernel) comes in by `surroundings`. What the
parts stand on is `foundation`'s matter, the sending side `outbound`'s, the names are `naming`'s.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING

import trio

from cxfs.core.connection import State
from cxfs.core.entries import SELF, TreePath
from cxfs.fs.arrivals import arrive
from cxfs.fs.bringing import Bringing
from cxfs.fs.copying import Copying
from cxfs.fs.filesystem import FileSystem
from cxfs.fs.foundation import Foundation, lay_foundation
from cxfs.fs.group_watch import GroupWatch
from cxfs.fs.handles import Contents
from cxfs.fs.history import History
from cxfs.fs.naming import name_by
from cxfs.fs.outbound import Outbound, bring_out
from cxfs.fs.room import Room
from cxfs.fs.sealing import Sealing
from cxfs.fs.setting import Setting
from cxfs.fs.version_folders import VersionFolders
from cxfs.fs.waiting import Waiting

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cxfs.core.entries import Entry
    from cxfs.fs.ahead import FilesAhead
    from cxfs.fs.changes import Changes
    from cxfs.fs.errands import Errands
    from cxfs.fs.feeds import Feeds
    from cxfs.fs.listings import Listings
    from cxfs.fs.messenger import Messenger
    from cxfs.fs.namespace import Namespace
    from cxfs.fs.reader import Reader
    from cxfs.fs.refreshing import Refreshing
    from cxfs.fs.space import SpaceWatch
    from cxfs.fs.surroundings import Surroundings
    from cxfs.fs.tree import Tree
    from cxfs.fs.uploader import Uploader
    from cxfs.fs.version_folders import Names
    from cxfs.local.blocks import BlockStore
    from cxfs.local.metadata import MetadataCache
    from cxfs.remote.watch import ConnectionStatus


@dataclass(frozen=True, slots=True)
class Volume:
    """The assembled parts that somebody outside drives or asks."""

    filesystem: FileSystem
    uploader: Uploader
    reader: Reader
    listings: Listings
    ahead: FilesAhead
    space: SpaceWatch
    groups: GroupWatch | None
    changes: Changes
    errands: Errands
    messenger: Messenger
    blocks: BlockStore
    waiting: Waiting
    sealing: Sealing
    tree: Tree
    history: History
    copying: Copying
    refreshing: Refreshing
    metadata: MetadataCache
    feeds: Feeds

    def standing_tasks(self) -> dict[str, Callable[[], Awaitable[object]]]:
        """What runs for as long as the volume is in use, by a name for people."""
        return {
            "uploads": self.uploader.run,
            "quota": self.space.run,
            "spare drafts": self.filesystem.keep_drafts_ready,
            "cache checksums": self.sealing.run,
        }

    def counters(self) -> dict[str, dict[str, object]]:
        """What is counted of reading: by what it is of, and by its name."""
        return {
            "reading": asdict(self.reader.statistics()),
            "small files": asdict(self.ahead.statistics()),
            "folders": asdict(self.listings.statistics()),
            "names": asdict(self.metadata.statistics()),
            **self._feed_counters(),
        }

    def _feed_counters(self) -> dict[str, dict[str, object]]:
        told = self.feeds.statistics()
        return {} if told is None else {"feed": asdict(told)}

    def connection_changed(self, status: ConnectionStatus) -> None:
        """When the server is there again, what waits goes on by itself."""
        if status.state is State.ONLINE:
            self.uploader.wake()
            self.feeds.wake()
        elif status.state is not State.DEGRADED:
            self.feeds.interrupt()

    @property
    def left(self) -> int:
        """What was accepted and is not on the server: changes and errands."""
        return len(self.changes) + len(self.errands)


def assemble(root: Entry, root_path: TreePath, around: Surroundings) -> Volume:
    """The file system over the folder `root`. Changes of an earlier run are in it, and not yet planned."""
    base = lay_foundation(root, root_path, around)
    outbound = bring_out(base, around)
    waiting = _waiting(base, outbound, around)
    shows_groups = around.options.groups and root_path == TreePath(SELF, ())
    return Volume(
        filesystem=_filesystem(base, outbound, around, waiting),
        uploader=outbound.uploader,
        reader=base.reader,
        listings=base.listings,
        ahead=base.ahead,
        space=base.space,
        groups=_group_watch(root, base, around) if shows_groups else None,
        changes=base.changes,
        errands=base.errands,
        messenger=outbound.messenger,
        blocks=around.memory.blocks,
        waiting=waiting,
        sealing=Sealing(around.memory.blocks, base.tree, around.machine.kernel, around.machine.disk),
        tree=base.tree,
        history=_history(base, around),
        copying=Copying(
            base.tree,
            base.folders,
            waiting=waiting,
            permissions=base.permissions,
            space=base.space,
            kernel=around.machine.kernel,
        ),
        refreshing=base.refreshing,
        feeds=base.feeds,
        metadata=around.memory.metadata,
    )


def _waiting(base: Foundation, outbound: Outbound, around: Surroundings) -> Waiting:
    return Waiting(
        base.tree,
        changes=base.changes,
        errands=base.errands,
        journal=base.journal,
        uploader=outbound.uploader,
        messenger=outbound.messenger,
        reader=base.reader,
        kernel=around.machine.kernel,
    )


def _history(base: Foundation, around: Surroundings) -> History:
    return History(
        base.tree,
        around.service.files,
        around.service.transport,
        permissions=base.permissions,
        space=base.space,
        kernel=around.machine.kernel,
        now_ms=around.machine.wall_ms,
        is_kept=around.offers("versions"),
        conditional=around.offers("conditional-upload"),
    )


def _group_watch(root: Entry, base: Foundation, around: Surroundings) -> GroupWatch:
    user = around.service.user
    watch = GroupWatch(
        user.groups if around.offers("groups") else user.groups_by_quota,
        base.groups,
        root=root.id,
        metadata=around.memory.metadata,
        kernel=around.machine.kernel,
        wall_ms=around.machine.wall_ms,
        refresh_s=around.options.groups_refresh_s,
        is_told=base.feeds.tell_groups,
    )
    base.feeds.on_groups = watch.refresh
    return watch


def _filesystem(base: Foundation, outbound: Outbound, around: Surroundings, waiting: Waiting) -> FileSystem:
    contents = _contents(base, outbound, around)
    naming = name_by(base, outbound, around, contents)
    options = around.options
    arrival = partial(
        arrive,
        changes=base.changes,
        uploader=outbound.uploader,
        stall_s=options.stall_s,
        require=base.freshness.require,
    )
    bringing = Bringing(waiting, arrival, uploader=outbound.uploader, stall_s=options.stall_s)
    return FileSystem(
        base.tree,
        naming.namespace,
        naming.renaming,
        naming.backups,
        contents,
        base.journal,
        base.attributes,
        _setting(base, naming.namespace, around),
        base.space,
        base.permissions,
        names=_names(base, around),
        bring=bringing.bring,
        arrive=arrival if options.sync_remote else None,
    )


def _setting(base: Foundation, namespace: Namespace, around: Surroundings) -> Setting:
    return Setting(
        base.tree,
        namespace,
        base.journal,
        base.attributes,
        base.folders,
        keeps_times=around.offers("attributes"),
        keeps_posix=around.offers("posix"),
    )


def _names(base: Foundation, around: Surroundings) -> Names:
    if not around.options.versions or not around.offers("versions"):
        return base.tree
    ttl_s = around.memory.metadata.ttl_s
    return VersionFolders(
        base.tree, around.service.files, freshness=base.freshness, ttl_s=ttl_s, timer=trio.current_time
    )


def _contents(base: Foundation, outbound: Outbound, around: Surroundings) -> Contents:
    memory, machine = around.memory, around.machine
    return Contents(
        base.tree,
        reader=base.reader,
        ahead=base.ahead,
        uploader=outbound.uploader,
        messenger=outbound.messenger,
        errands=base.errands,
        outbox=memory.outbox,
        changes=base.changes,
        journal=base.journal,
        disk=machine.disk,
        quick=machine.quick,
        wall_ms=machine.wall_ms,
        room=Room(
            base.space,
            changes=base.changes,
            errands=base.errands,
            blocks=memory.blocks,
            outbox=memory.outbox,
            draft_bytes_max=around.options.draft_bytes_max,
        ),
        permissions=base.permissions,
    )
