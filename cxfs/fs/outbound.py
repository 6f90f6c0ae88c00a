"""The sending side of a volume, assembled: what brings accepted changes and errands to the server. Decides nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cxfs.core.entries import EntryName
from cxfs.core.uploads import conflict_name
from cxfs.fs.convoy import Convoy
from cxfs.fs.delivery import Delivery
from cxfs.fs.due import Burst, Pulse, ServerPause
from cxfs.fs.homes import Homes
from cxfs.fs.messenger import Messenger
from cxfs.fs.outcomes import Outcomes
from cxfs.fs.sending import Sending
from cxfs.fs.uploader import Uploader

if TYPE_CHECKING:
    from cxfs.fs.foundation import Foundation
    from cxfs.fs.surroundings import Machine, Surroundings
    from cxfs.remote.bundles import Bundles

ConflictName = Callable[[EntryName, int], EntryName]


@dataclass(frozen=True, slots=True)
class Outbound:
    """The parts that the naming side hands things to."""

    uploader: Uploader
    messenger: Messenger
    homes: Homes


def bring_out(base: Foundation, around: Surroundings) -> Outbound:
    """The sending side upon `base`."""
    name_of_ours = _conflict_names(around.machine)
    settle_s = around.options.settle_s
    pause, burst, pulse = ServerPause(around.machine.jitter), Burst(quiet_s=settle_s), Pulse()
    homes = _homes(base, around, name_of_ours)
    messenger = Messenger(
        _delivery(base, around, homes, name_of_ours),
        errands=base.errands,
        steps=base.steps,
        journal=base.journal,
        pause=pause,
        burst=burst,
        pulse=pulse,
        freshness=base.freshness,
        settle_s=settle_s,
        nursery=around.nursery,
    )
    outcomes = _outcomes(base, around, name_of_ours)
    sending, bundles = _sending(base, around, homes, outcomes), _bundles(around)
    uploader = Uploader(
        sending,
        messenger,
        changes=base.changes,
        steps=base.steps,
        journal=base.journal,
        pause=pause,
        burst=burst,
        pulse=pulse,
        convoy=None if bundles is None else Convoy(sending, bundles, outcomes=outcomes, journal=base.journal),
        uploads_max=around.options.uploads_max,
        settle_s=settle_s,
        nursery=around.nursery,
    )
    return Outbound(uploader, messenger, homes)


def _conflict_names(machine: Machine) -> ConflictName:
    def name_of_ours(name: EntryName, attempt: int) -> EntryName:
        return conflict_name(name, host=machine.host.replace("/", "_"), date=machine.today(), attempt=attempt)

    return name_of_ours


def _homes(base: Foundation, around: Surroundings, name_of_ours: ConflictName) -> Homes:
    return Homes(
        base.background,
        base.tree,
        changes=base.changes,
        errands=base.errands,
        journal=base.journal,
        kernel=around.machine.kernel,
        conflict_name=name_of_ours,
    )


def _delivery(base: Foundation, around: Surroundings, homes: Homes, name_of_ours: ConflictName) -> Delivery:
    return Delivery(
        base.background,
        base.tree,
        changes=base.changes,
        errands=base.errands,
        homes=homes,
        space=base.space,
        journal=base.journal,
        kernel=around.machine.kernel,
        conflict_name=name_of_ours,
        bundles=_bundles(around),
    )


def _bundles(around: Surroundings) -> Bundles | None:
    return around.service.bundles if around.offers("bundle") else None


def _outcomes(base: Foundation, around: Surroundings, name_of_ours: ConflictName) -> Outcomes:
    return Outcomes(
        base.tree,
        changes=base.changes,
        errands=base.errands,
        blocks=around.memory.blocks,
        space=base.space,
        journal=base.journal,
        attributes=base.attributes,
        kernel=around.machine.kernel,
        conflict_name=name_of_ours,
    )


def _sending(base: Foundation, around: Surroundings, homes: Homes, outcomes: Outcomes) -> Sending:
    return Sending(
        around.service.transport,
        base.background,
        outcomes=outcomes,
        homes=homes,
        reader=base.reader,
        journal=base.journal,
        disk=around.machine.disk,
        quick=around.machine.quick,
        conditional=around.offers("conditional-upload"),
        keeps_times=around.offers("attributes"),
        keeps_posix=around.offers("posix"),
    )
