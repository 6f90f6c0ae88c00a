"""Which accepted step has to wait for which, on its way to the server: rules over names and identities. Sends nothing.

A step is something that a program was told is done and the server has not heard of yet. Most are independent of each
other. The rules, each a pair of "later waits for earlier":

    UPLOAD, MAKE in a folder                    for the MAKE of that folder
    UPLOAD of a new file, MAKE, under a name    for the REMOVE of what stood under that name
    REMOVE, STAMP of a folder                   for the MAKE of that folder, and for every step in it
    REMOVE of what another change carries on    for the UPLOAD of that change
    UPLOAD of a new version of an object        for the STAMP of that object, whose time is older

Else an UPLOAD that is a new version of an object goes by identity and waits for nothing. There is no circle: a name is
given, and a folder filled, only after the step that the wait is for was accepted.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Generic, TypeVar

from cxfs.core.entries import EntryName, Uuid

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

K = TypeVar("K")


class Kind(Enum):
    """What a step does on the server."""

    UPLOAD = "upload"
    """A new file, where `object` is None, or a new version of one."""
    MAKE = "make"
    """A new folder; `object` is its provisional UUID."""
    REMOVE = "remove"
    """A file or an empty folder goes; `object` None where only its place is known."""
    STAMP = "stamp"
    """Attributes of `object` are set: its time, and what else there is."""


@dataclass(frozen=True, slots=True)
class Step:
    """`folder` and `name` are the place it is about; `carrier` the id of the step that carries the content on."""

    id: str
    kind: Kind
    object: Uuid | None
    folder: Uuid
    name: EntryName
    carrier: str | None = None

    @property
    def place(self) -> tuple[Uuid, EntryName]:
        """The folder and the name in it."""
        return self.folder, self.name


def must_wait(later: Step, earlier: Step) -> bool:
    """Whether `later` may be sent only when `earlier` is over."""
    if earlier.kind is Kind.STAMP:
        return later.kind is Kind.UPLOAD and later.object is not None and later.object == earlier.object
    if later.kind in {Kind.UPLOAD, Kind.MAKE}:
        return (later.kind is Kind.MAKE or later.object is None) and _is_in_the_way(earlier, later)
    is_carrier = later.carrier is not None and later.carrier == earlier.id
    return is_carrier or (later.object is not None and _leads_into(earlier, later.object))


def _is_in_the_way(earlier: Step, newcomer: Step) -> bool:
    if earlier.kind is Kind.MAKE:
        return earlier.object == newcomer.folder
    return earlier.kind is Kind.REMOVE and earlier.place == newcomer.place


def _leads_into(earlier: Step, folder: Uuid) -> bool:
    return earlier.folder == folder or (earlier.kind is Kind.MAKE and earlier.object == folder)


class Order:
    """Every step that is not over, and what it waits for: what `must_wait` says of all pairs, without the pairs."""

    def __init__(self) -> None:
        self._steps: dict[str, Step] = {}
        self._in_folder = _Groups[Uuid]()
        self._at = _Groups[tuple[Uuid, EntryName]]()
        self._about = _Groups[Uuid | None]()
        self._carried_by = _Groups[str | None]()

    def __len__(self) -> int:
        return len(self._steps)

    def add(self, step: Step) -> None:
        """Accepted; a step of the same id is replaced by it."""
        self.discard(step.id)
        self._steps[step.id] = step
        self._in_folder.add(step.folder, step)
        self._at.add(step.place, step)
        self._about.add(step.object, step)
        self._carried_by.add(step.carrier, step)

    def discard(self, step_id: str) -> None:
        """Over, or taken back."""
        step = self._steps.pop(step_id, None)
        if step is not None:
            self._in_folder.discard(step.folder, step)
            self._at.discard(step.place, step)
            self._about.discard(step.object, step)
            self._carried_by.discard(step.carrier, step)

    def is_waiting(self, step_id: str) -> bool:
        """Whether anything has to come before it. False for a step that is not known here."""
        step = self._steps.get(step_id)
        return step is not None and any(must_wait(step, earlier) for earlier in self._candidates(step))

    def _candidates(self, step: Step) -> Iterator[Step]:
        if step.kind in {Kind.UPLOAD, Kind.MAKE}:
            yield from self._about[step.folder]
            yield from self._at[step.place]
            if step.object is not None:
                yield from self._about[step.object]
            return
        if step.carrier in self._steps:
            yield self._steps[step.carrier]
        if step.object is not None:
            yield from self._in_folder[step.object]
            yield from self._about[step.object]

    def behind(self, step: Step) -> list[Step]:
        """What waited for `step`, which is over: to be looked at again, since each may wait for others as well."""
        followers = {*self._at[step.place], *self._about[step.folder], *self._carried_by[step.id]}
        if step.object is not None:
            followers |= {*self._in_folder[step.object], *self._about[step.object]}
        return [each for each in followers if must_wait(each, step)]

    def lead_into(self, folder: Uuid) -> bool:
        """Whether a STAMP of this folder would have to wait."""
        makes = (step.kind is Kind.MAKE for step in self._about[folder])
        return any(makes) or any(step.kind is not Kind.STAMP for step in self._in_folder[folder])


class _Groups(Generic[K]):
    """Steps by a key that several share."""

    def __init__(self) -> None:
        self._steps: dict[K, dict[str, Step]] = {}

    def __getitem__(self, key: K) -> Collection[Step]:
        return self._steps.get(key, {}).values()

    def add(self, key: K, step: Step) -> None:
        """One more; those without a key are not kept."""
        if key is not None:
            self._steps.setdefault(key, {})[step.id] = step

    def discard(self, key: K, step: Step) -> None:
        """One less."""
        steps = self._steps.get(key)
        if steps is not None:
            del steps[step.id]
            if not steps:
                del self._steps[key]
