"""The naming side of a volume, assembled: what makes, removes and renames. Decides nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cxfs.fs.backups import Backups
from cxfs.fs.continuing import Continuing
from cxfs.fs.moves import Moves
from cxfs.fs.namespace import Namespace
from cxfs.fs.origins import Origins
from cxfs.fs.renaming import Renaming
from cxfs.fs.resettling import Resettling

if TYPE_CHECKING:
    from cxfs.fs.foundation import Foundation
    from cxfs.fs.handles import Contents
    from cxfs.fs.outbound import Outbound
    from cxfs.fs.surroundings import Surroundings


@dataclass(frozen=True, slots=True)
class Naming:
    """The parts that programs' calls go to."""

    namespace: Namespace
    renaming: Renaming
    backups: Backups


def name_by(base: Foundation, outbound: Outbound, around: Surroundings, contents: Contents) -> Naming:
    """The naming side upon `base`, which hands over to `outbound`."""
    namespace = _namespace(base, outbound, around)
    continuing = _continuing(base, outbound, around, namespace, contents)
    moves = _moves(base, outbound, around, namespace)
    origins = Origins()
    renaming = _renaming(base, outbound, around, namespace, continuing, moves, origins)
    return Naming(namespace, renaming, _backups(base, outbound, namespace, moves, continuing, origins))


def _namespace(base: Foundation, outbound: Outbound, around: Surroundings) -> Namespace:
    return Namespace(
        base.tree,
        uploader=outbound.uploader,
        messenger=outbound.messenger,
        changes=base.changes,
        errands=base.errands,
        steps=base.steps,
        journal=base.journal,
        attributes=base.attributes,
        permissions=base.permissions,
        conditional=around.offers("conditional-upload"),
    )


def _continuing(
    base: Foundation, outbound: Outbound, around: Surroundings, namespace: Namespace, contents: Contents
) -> Continuing:
    return Continuing(
        base.tree,
        namespace=namespace,
        contents=contents,
        uploader=outbound.uploader,
        messenger=outbound.messenger,
        changes=base.changes,
        errands=base.errands,
        journal=base.journal,
        attributes=base.attributes,
        bytes_max=around.options.continued_bytes_max,
    )


def _backups(
    base: Foundation,
    outbound: Outbound,
    namespace: Namespace,
    moves: Moves,
    continuing: Continuing,
    origins: Origins,
) -> Backups:
    return Backups(
        base.tree,
        files=base.folders,
        namespace=namespace,
        moves=moves,
        continuing=continuing,
        uploader=outbound.uploader,
        changes=base.changes,
        journal=base.journal,
        origins=origins,
    )


def _moves(base: Foundation, outbound: Outbound, around: Surroundings, namespace: Namespace) -> Moves:
    return Moves(
        base.tree,
        files=base.folders,
        namespace=namespace,
        messenger=outbound.messenger,
        changes=base.changes,
        errands=base.errands,
        journal=base.journal,
        kernel=around.machine.kernel,
    )


def _renaming(
    base: Foundation,
    outbound: Outbound,
    around: Surroundings,
    namespace: Namespace,
    continuing: Continuing,
    moves: Moves,
    origins: Origins,
) -> Renaming:
    return Renaming(
        base.tree,
        moves=moves,
        namespace=namespace,
        uploader=outbound.uploader,
        messenger=outbound.messenger,
        changes=base.changes,
        errands=base.errands,
        homes=outbound.homes,
        journal=base.journal,
        continuing=continuing,
        permissions=base.permissions,
        resettling=Resettling(base.tree, around.memory.metadata),
        origins=origins,
    )
