"""Errands on their way to the server, and which objects and names they concern. Sends nothing; the messenger does.

An errand is a small operation that a program was told is done: a folder to make, an object to remove, attributes to
stamp on one. A folder that is not on the server yet has a provisional UUID, made here; when the server's answer comes,
its UUID takes that one's place everywhere, in one step.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import trio

from cxfs.core.entries import SELF, Entry, EntryName, TreePath, Uuid, UuidPath
from cxfs.core.errands import Event, State, step
from cxfs.core.order import Kind, Step
from cxfs.core.posix import PLAIN
from cxfs.fs.attempts import AllOf, Attempt
from cxfs.fs.latecomers import Latecomers
from cxfs.local.rows import ErrandRow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cxfs.core.errors import CxfsError
    from cxfs.fs.attempts import Ending
    from cxfs.fs.node import Node
    from cxfs.fs.steps import Steps


class Errand:
    """One of them. `entry` is what is removed, as last known, or the folder to be made, as it is shown here.

    `attempts` counts those of this run, `last_error` is why the last one failed, in one line, and `refusal` why it was
    given up. `in_doubt`: an attempt, of this or an earlier run, may have been carried out. `after`: no attempt is made
    before that is over, and `is_awaited`: its planner waits for that; `node` is the file that is open while KEPT.
    `replaces` are those, taken back, whose rows go when its own is written.
    """

    def __init__(self, row: ErrandRow, entry: Entry | None = None, *, node: Node | None = None) -> None:
        self.id = row.id
        self.kind = row.kind
        self.object = row.object
        self.is_folder = row.is_folder
        self.inode = row.inode
        self.parent = row.parent
        self.path = row.path
        self.version = row.version
        self.sealed = row.sealed
        self.carrier = row.carrier
        self.modified_ms = row.modified_ms
        self.posix = row.posix
        self.accepted_ms = row.accepted_ms
        self.parked = self.last_error = row.parked
        self.state = State.KEPT if node is not None else State.WAITING if row.parked is None else State.PARKED
        self.entry = entry if entry is not None else self._entry()
        self.node = node
        self.attempts = 0
        self.in_doubt = False
        self.conflicts = 0
        self.turns = 0
        self.goes_alone = False
        self.contested_name = self.name
        self.refusal: CxfsError | None = None
        self.due = math.inf
        self.holds = 0
        self.attempt_ended = trio.Event()
        self.attempt_ended.set()
        self.after: Ending = self.attempt_ended
        self.is_awaited = False
        self.replaces: tuple[Errand, ...] = ()
        self.over = trio.Event()

    def __str__(self) -> str:
        if self.is_clearing:
            return f"the clearing of {self.path}"
        return {
            Kind.MAKE: f"the folder {self.path}",
            Kind.REMOVE: f"the deletion of {self.path}",
            Kind.STAMP: f"the attributes of {self.path}",
        }[self.kind]

    @property
    def name(self) -> EntryName:
        """What it is about is called."""
        return self.path.names[-1]

    @property
    def place(self) -> Uuid:
        """The folder that is made, or the object that is removed or stamped, where it is known."""
        return Uuid(self.id) if self.kind is Kind.MAKE or self.object is None else self.object

    @property
    def frees_bytes(self) -> int:
        """How much of the user's own quota it frees, as far as is known."""
        is_known = self.kind is Kind.REMOVE and self.path.owner == SELF
        return self.entry.size if is_known else 0

    @property
    def step(self) -> Step:
        """As the order of things sees it."""
        known = Uuid(self.id) if self.kind is Kind.MAKE else self.object
        return Step(self.id, self.kind, known, self.parent, self.name, self.carrier)

    @property
    def is_made(self) -> bool:
        """Whether the folder is on the server, as `entry`."""
        return self.kind is Kind.MAKE and self.entry.id != self.id

    @property
    def is_clearing(self) -> bool:
        """Whether it removes what of our own may have arrived at a place, which nobody has heard of."""
        return self.kind is Kind.REMOVE and self.object is None

    def looks_for(self, entry: Entry) -> bool:
        """Whether it clears a place, and this may be what it looks for there, as far as a checksum tells."""
        is_alike = entry.is_folder is self.is_folder and (entry.is_folder or entry.sha1 in self.sealed)
        return self.is_clearing and is_alike

    @property
    def can_be_continued(self) -> bool:
        """Whether it is a file's deletion that was not sent: a new file of the name can be its next version."""
        is_unsent = not self.in_doubt and self.state in {State.KEPT, State.WAITING}
        return self.object is not None and not self.is_folder and self.carrier is None and is_unsent

    def on(self, event: Event) -> None:
        """The next step of its life."""
        self.state = step(self.state, event)
        if event is Event.RETRIED:
            self.parked = None

    def starts(self) -> None:
        """An attempt is about to run."""
        self.on(Event.STARTED)
        self.attempts += 1
        self.in_doubt = True
        self.attempt_ended = trio.Event()

    def row(self) -> ErrandRow:
        """What the journal is to know of it, at this moment."""
        return ErrandRow(
            id=self.id,
            kind=self.kind,
            object=self.object,
            is_folder=self.is_folder,
            inode=self.inode,
            parent=self.parent,
            path=self.path,
            version=self.version,
            sealed=self.sealed,
            carrier=self.carrier,
            modified_ms=self.modified_ms,
            accepted_ms=self.accepted_ms,
            parked=self.parked,
            posix=self.posix,
        )

    @classmethod
    def recovered(cls, row: ErrandRow, *, was_sent: bool) -> Errand:
        """One that an earlier run of the daemon accepted, and perhaps sent: not while something had to come before."""
        errand = cls(row)
        errand.in_doubt = was_sent
        if errand.is_clearing or (errand.kind is Kind.REMOVE and errand.sealed and not errand.is_folder):
            errand.after = Attempt.of_an_earlier_run()  # what it clears, or stands in the way of, may still come
        return errand

    def _entry(self) -> Entry:
        modified_ms = self.modified_ms if self.modified_ms is not None else self.accepted_ms
        return Entry(
            owner=self.path.owner,
            id=self.place,
            name=self.name,
            is_folder=self.is_folder,
            size=0,
            version=self.version or 0,
            created_ms=self.accepted_ms,
            modified_ms=modified_ms,
            parent=self.parent,
            posix=self.posix.on(PLAIN) if self.kind is Kind.MAKE else PLAIN,
        )


class Errands:
    """Every errand that is not over, by what it concerns. Plain bookkeeping: no call here awaits."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self._all: dict[str, Errand] = {}
        self._about: dict[tuple[Kind, Uuid], Errand] = {}
        self._made_in: dict[Uuid, dict[EntryName, Errand]] = {}
        self._removed_at: dict[tuple[Uuid, EntryName], Errand] = {}
        self.latecomers = Latecomers()
        """What no errand looks for, as long as something has its name."""
        self.bytes_leaving = 0
        """That removals will free of the user's own quota."""

    def __iter__(self) -> Iterator[Errand]:
        return iter(list(self._all.values()))

    def __len__(self) -> int:
        return len(self._all)

    def __contains__(self, errand: Errand) -> bool:
        return self._all.get(errand.id) is errand

    def get(self, errand_id: str) -> Errand | None:
        """The errand of this id."""
        return self._all.get(errand_id)

    def making(self, folder: Uuid) -> Errand | None:
        """The errand that makes the folder of this provisional UUID; None for one that the server knows."""
        return self._about.get((Kind.MAKE, folder)) if self._about else None  # asked for every line of a listing

    def made_in(self, folder: Uuid) -> dict[EntryName, Errand]:
        """Folders in this folder that the server does not know yet, by name."""
        return self._made_in.get(folder, {})

    def removal_of(self, object_id: Uuid) -> Errand | None:
        """The errand that removes this object."""
        return self._about.get((Kind.REMOVE, object_id)) if self._about else None

    def removal_at(self, folder: Uuid, name: EntryName) -> Errand | None:
        """The errand that removes what stood under this name, the last one where there are several."""
        return self._removed_at.get((folder, name)) if self._removed_at else None

    def stamp_of(self, object_id: Uuid) -> Errand | None:
        """The errand that sets attributes of this object."""
        return self._about.get((Kind.STAMP, object_id)) if self._about else None

    def removals_in(self, folder: Uuid) -> list[Errand]:
        """What was removed from this folder here, and is still there on the server."""
        return [errand for errand in self if errand.kind is Kind.REMOVE and errand.parent == folder]

    def add(self, errand: Errand) -> None:
        """From now on it shows in the tree and will be sent."""
        self._all[errand.id] = errand
        self.bytes_leaving += errand.frees_bytes
        self._index(errand)

    def taken(self, folder: Uuid, name: EntryName) -> tuple[Errand, ...]:
        """Something known has this name, so that nothing can be cleared there: taken back, as the journal is to hear.

        What may still come there is looked for no more, but expected (see `latecomers`), as over anything known.
        """
        clearing = self.removal_at(folder, name)
        if clearing is None or not clearing.is_clearing or clearing.is_folder:
            return ()
        self.latecomers.expect(folder, name, clearing.sealed, clearing.after)
        clearing.on(Event.TAKEN_BACK)
        self.remove(clearing)
        return (clearing,)

    def stays_in_the_way(self, removal: Errand) -> None:
        """It is not to be removed before nothing can arrive under its name any more, which the server refuses so long.

        To be called before it is accepted.
        """
        removal.replaces = self.taken(removal.parent, removal.name)
        late = self.latecomers.at(removal.parent, removal.name)
        if late is not None:
            removal.after = AllOf(removal.after, late.until)
            removal.sealed = (*late.sealed, *removal.sealed) if not removal.is_folder else removal.sealed

    def remove(self, errand: Errand) -> None:
        """It is done, or was taken back."""
        if self._all.pop(errand.id, None) is not None:
            self.bytes_leaving -= errand.frees_bytes
            self._unindex(errand)
            errand.over.set()

    def moved(self, errand: Errand, parent: Uuid, path: TreePath) -> None:
        """What it is about has another name or folder now."""
        self._unindex(errand)
        errand.parent, errand.path = parent, path
        errand.entry = replace(errand.entry, owner=path.owner, name=errand.name, parent=parent)
        self._index(errand)

    def below(self, folder: TreePath) -> list[Errand]:
        """Whatever is to be done somewhere in this folder or deeper."""
        depth = len(folder.names)
        return [
            errand
            for errand in self
            if errand.path.owner == folder.owner
            and len(errand.path.names) > depth
            and errand.path.names[:depth] == folder.names
        ]

    def folder_moved(self, before: TreePath, after: TreePath) -> list[Errand]:
        """A folder was renamed: the paths below it follow. The errands that were touched, to be journalled."""
        touched = self.below(before)
        for errand in touched:
            errand.path = TreePath(after.owner, after.names + errand.path.names[len(before.names) :])
            errand.entry = replace(errand.entry, owner=after.owner)
        return touched

    def made(self, errand: Errand, entry: Entry) -> None:
        """The folder is on the server as `entry`: what is in it or about it follows."""
        provisional, folder = errand.place, entry.id
        self.remove(errand)
        errand.entry = entry
        for each in self:
            if provisional in {each.parent, each.object}:
                self._unindex(each)
                each.parent = folder if each.parent == provisional else each.parent
                each.object = folder if each.object == provisional else each.object
                self._index(each)

    def _index(self, errand: Errand) -> None:
        if errand.kind is Kind.MAKE or errand.object is not None:
            self._about[errand.kind, errand.place] = errand
        if errand.kind is Kind.MAKE:
            self._made_in.setdefault(errand.parent, {})[errand.name] = errand
        elif errand.kind is Kind.REMOVE:
            self._removed_at[errand.parent, errand.name] = errand
        self._steps.add(errand.step)

    def _unindex(self, errand: Errand) -> None:
        if self._about.get((errand.kind, errand.place)) is errand:
            del self._about[errand.kind, errand.place]
        if self._removed_at.get((errand.parent, errand.name)) is errand:
            del self._removed_at[errand.parent, errand.name]
        siblings = self._made_in.get(errand.parent, {})
        if siblings.get(errand.name) is errand:
            del siblings[errand.name]
            if not siblings:
                del self._made_in[errand.parent]
        self._steps.over(errand.step)


def address(errand: Errand) -> UuidPath:
    """Where requests about the object of an errand go, which must be known."""
    assert errand.object is not None
    return UuidPath(errand.path.owner, errand.object)
