"""What both the naming and the sending side of a volume are built upon, with all that an earlier run accepted in it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cxfs.core.entries import SELF, Uuid
from cxfs.core.errors import CxfsError
from cxfs.core.local_names import LocalNames
from cxfs.fs.ahead import FilesAhead
from cxfs.fs.attributes import AttributeRules
from cxfs.fs.changes import Change, Changes
from cxfs.fs.errands import Errand, Errands
from cxfs.fs.feeds import Feeds
from cxfs.fs.following import Following
from cxfs.fs.foreign_changes import ForeignChanges
from cxfs.fs.freshness import Freshness
from cxfs.fs.group_folders import GroupFolders
from cxfs.fs.groups import Groups
from cxfs.fs.journal import Journal
from cxfs.fs.listings import Listings
from cxfs.fs.marked_links import MarkedLinks, Targets
from cxfs.fs.permissions import Permissions
from cxfs.fs.reader import Reader
from cxfs.fs.refreshing import Refreshing
from cxfs.fs.small_files import Bundled, OneByOne
from cxfs.fs.space import SpaceWatch
from cxfs.fs.steps import Steps
from cxfs.fs.tree import Tree
from cxfs.fs.walks import Walks
from cxfs.local.schema import LOCAL_NAMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxfs.core.entries import Entry, Owner, TreePath
    from cxfs.fs.ahead import SmallFiles
    from cxfs.fs.surroundings import Surroundings
    from cxfs.local.outbox import Outbox

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Foundation:
    """One volume's. `background`: `folders` for calls that nobody waits for."""

    steps: Steps
    changes: Changes
    errands: Errands
    journal: Journal
    groups: Groups
    permissions: Permissions
    attributes: AttributeRules
    folders: GroupFolders
    background: GroupFolders
    tree: Tree
    reader: Reader
    ahead: FilesAhead
    listings: Listings
    freshness: Freshness
    space: SpaceWatch
    refreshing: Refreshing
    feeds: Feeds


def lay_foundation(root: Entry, root_path: TreePath, around: Surroundings) -> Foundation:
    """Of the volume over the folder `root`."""
    service, memory, machine, options = around.service, around.memory, around.machine, around.options
    steps, feeds, walks = Steps(), Feeds(), Walks(memory.metadata)
    groups = Groups(feeds.want)
    freshness = Freshness(service.connection, patience_s=options.patience_s)
    reader = _reader(around, freshness)
    changes, errands = _recovered(memory.outbox, steps, options.local_only)
    permissions = Permissions(groups, read_only=options.read_only)
    folders, background = _folders(root, groups, around)

    def goes_on() -> bool:
        return ahead.goes_on()  # which stands on the tree, as the tree stands on the listings

    listings = Listings(folders, background, memory.metadata, walks, around.nursery, on_ahead=goes_on)
    tree = _tree(root, root_path, folders, listings, freshness, (changes, errands), around)
    ahead = _files_ahead(walks, tree, reader, around)
    refreshing = Refreshing(tree, memory.metadata, machine.kernel)
    attributes = _attributes(permissions, errands, around)
    foreign = ForeignChanges(tree, listings, memory.metadata, groups, machine.kernel, attributes)
    feeds.following = _following(feeds, foreign, tree, refreshing, around) if _follows(around) else None
    return Foundation(
        steps=steps,
        changes=changes,
        errands=errands,
        journal=Journal(memory.outbox, changes, machine.journal, machine.journal_synced, machine.wall_ms),
        groups=groups,
        permissions=permissions,
        attributes=attributes,
        folders=folders,
        background=background,
        tree=tree,
        reader=reader,
        ahead=ahead,
        listings=listings,
        freshness=freshness,
        space=SpaceWatch(service.user.profile, feeds.news(options.feed_ttl_s)),
        refreshing=refreshing,
        feeds=feeds,
    )


def _folders(root: Entry, groups: Groups, around: Surroundings) -> tuple[GroupFolders, GroupFolders]:
    """For those who wait, and for what nobody waits for."""
    targets = Targets(_small_files(around))
    files, background = (MarkedLinks(each, targets) for each in (around.service.files, around.service.background))
    return GroupFolders(files, groups, root=root.id), GroupFolders(background, groups, root=root.id)


def _follows(around: Surroundings) -> bool:
    return around.offers("changes") and around.options.follows


def _attributes(permissions: Permissions, errands: Errands, around: Surroundings) -> AttributeRules:
    wanted = around.options
    return AttributeRules(
        permissions, errands, uid=wanted.uid, gid=wanted.gid, umask=wanted.umask, hears_others=_follows(around)
    )


def _following(
    feeds: Feeds, foreign: ForeignChanges, tree: Tree, refreshing: Refreshing, around: Surroundings
) -> Following:
    async def forget(owner: Owner) -> None:
        node = tree.root if owner == SELF else tree.nodes.folder_of(Uuid(owner))
        if node is not None:
            await refreshing.refresh(node)

    return Following(
        around.service.background,
        foreign,
        around.memory.metadata,
        around.machine.kernel,
        forget=forget,
        on_groups=feeds.groups_changed,
        jitter=around.machine.jitter,
    )


def _tree(
    root: Entry,
    root_path: TreePath,
    folders: GroupFolders,
    listings: Listings,
    freshness: Freshness,
    accepted: tuple[Changes, Errands],
    around: Surroundings,
) -> Tree:
    changes, errands = accepted
    return Tree(
        root,
        root_path,
        files=folders,
        listings=listings,
        metadata=around.memory.metadata,
        changes=changes,
        errands=errands,
        inode_of=around.memory.outbox.inode_of,
        freshness=freshness,
        nursery=around.nursery,
    )


def _files_ahead(walks: Walks, tree: Tree, reader: Reader, around: Surroundings) -> FilesAhead:
    return FilesAhead(
        _small_files(around),
        walks,
        around.nursery,
        is_here=lambda entry: tree.nodes.is_passed(entry) or reader.holds(entry),
        kernel_has=tree.nodes.kernel_has,
        round_trip_s=lambda: reader.pace.delay_s,
        in_bundles=around.offers("bundle"),
    )


def _reader(around: Surroundings, freshness: Freshness) -> Reader:
    return Reader(
        around.service.transport,
        around.memory.blocks,
        nursery=around.nursery,
        disk=around.machine.disk,
        pin_versions=around.offers("versions"),
        stall_s=around.options.stall_s,
        buffer_bytes_max=around.options.buffer_bytes_max,
        jitter=around.machine.jitter,
        require=freshness.require,
    )


def _small_files(around: Surroundings) -> SmallFiles:
    if around.offers("bundle"):
        return Bundled(around.service.bundles)
    return OneByOne(around.service.transport, pin_versions=around.offers("versions"))


def _recovered(outbox: Outbox, steps: Steps, local_only: Sequence[str]) -> tuple[Changes, Errands]:
    changes = recovered(outbox, steps, local_only)
    return changes, recovered_errands(outbox, steps, changes)


def recovered_errands(outbox: Outbox, steps: Steps, changes: Changes) -> Errands:
    """The errands that an earlier run accepted and did not do."""
    errands = Errands(steps)
    for row in outbox.recover_errands():
        is_behind = row.carrier is not None and changes.get(row.carrier) is not None
        errands.add(Errand.recovered(row, was_sent=not is_behind))
    return errands


def recovered(outbox: Outbox, steps: Steps, local_only: Sequence[str]) -> Changes:
    """The changes that an earlier run accepted and did not bring to the server."""
    changes = Changes(steps, LocalNames(local_only))
    outbox.write_fact(LOCAL_NAMES, ":".join(local_only))
    for row in outbox.recover():
        try:
            changes.add(Change.recovered(row, outbox.open_draft(row)))
        except CxfsError as error:
            log.error("%s waits for the next mount: %s", row.path, error)
    if len(changes):
        log.info("%d changes of an earlier mount wait to be sent", len(changes))
    return changes
