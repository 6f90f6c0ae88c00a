"""Whether a program goes through a folder in order, which order that is, and how far to go ahead of it. Pure.

Programs go through a folder as it was listed (find, grep, tar), by name (ls, git) or by inode number (cp, which hopes
that the disk likes it). One that does so goes on with what comes next, as far as anybody can tell.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cxfs.core.entries import Entry, Uuid

SKIPPED_MAX: Final = 3
"""Members that one who goes in order may leave out between two: empty files are not read, others are held already."""

ESTABLISHED: Final = 3
"""Steps in a row after which a program goes in order. Of a tenth of the files, read at random, some in a hundred are
third in a row by chance, in one order or another; hardly any is fourth.
"""

RECENT_VISITS: Final = 16
"""A step leads on from one of the last visits to the folder: several readers share one procession."""

NUMBERED_MAX: Final = 2_000
"""Members up to which the order of inode numbers is looked at: taking the numbers takes a microsecond each."""


class Order(Enum):
    """How the members of a folder may be gone through."""

    LISTED = "listed"
    NAMED = "named"
    NUMBERED = "numbered"


class Row(NamedTuple):
    """The members of one kind in one order, and where each of them stands."""

    entries: list[Entry]
    places: dict[Uuid, int]


class Members:
    """What is in a folder at one moment, in each order. Arranged when somebody asks for it."""

    def __init__(self, by_shown: Mapping[str, Entry]) -> None:
        self._named = list(by_shown.items())
        self._arranged: dict[Order, list[Entry]] = {}
        self._rows: dict[tuple[Order, bool], Row] = {}
        self._places: dict[Order, dict[Uuid, int]] = {}

    def arranged(self, order: Order) -> list[Entry]:
        """Files and folders, mixed as they are."""
        found = self._arranged.get(order)
        if found is None:
            found = self._arranged[order] = self._arrange(order)
        return found

    def _arrange(self, order: Order) -> list[Entry]:
        if order is Order.LISTED:
            return [entry for _, entry in self._named]
        if order is Order.NAMED:  # code points sort as their UTF-8 bytes do
            return [entry for _, entry in sorted(self._named, key=_path)]
        return sorted(self.arranged(Order.LISTED), key=lambda entry: entry.id.number)

    def row(self, order: Order, *, folders: bool) -> Row:
        """Those of one kind."""
        row = self._rows.get((order, folders))
        if row is None:
            entries = [entry for entry in self.arranged(order) if entry.is_folder is folders]
            row = self._rows[order, folders] = Row(entries, {entry.id: at for at, entry in enumerate(entries)})
        return row

    def place(self, member: Uuid, order: Order) -> int:
        """Where a file or folder stands among all; after the last when it is not here."""
        places = self._places.get(order)
        if places is None:
            places = self._places[order] = {entry.id: at for at, entry in enumerate(self.arranged(order))}
        return places.get(member, len(places))

    def orders(self) -> Iterator[Order]:
        """Those worth looking at."""
        yield Order.LISTED
        yield Order.NAMED
        if len(self._named) <= NUMBERED_MAX:
            yield Order.NUMBERED


def _path(named: tuple[str, Entry]) -> str:
    """What git sorts by: a folder's name with a slash."""
    shown, entry = named
    return f"{shown}/" if entry.is_folder else shown


class Step(NamedTuple):
    """How many members in a row, each the next of the one before in `order`, led to a visit; 0 for a jump."""

    order: Order
    steps: int


class _Visit(NamedTuple):
    number: int
    step: Step


class Trail:
    """The visits to the members of one kind of one folder."""

    def __init__(self, *, folders: bool) -> None:
        self._folders = folders
        self._visits: dict[Uuid, _Visit] = {}
        self._count = 0
        self._order = Order.LISTED

    def visit(self, member: Uuid, members: Members, *, begins: bool = False) -> Step:
        """A program visits this member. `begins`: it has just looked through the folder, so the first is a step too."""
        self._count += 1
        step = self._step(member, members, self._order, begins=begins)
        if not step.steps:
            steps = [self._step(member, members, order, begins=begins) for order in members.orders()]
            step = max(steps, key=lambda step: step.steps)
        self._order = step.order
        self._visits[member] = _Visit(self._count, step)
        return step

    def _step(self, member: Uuid, members: Members, order: Order, *, begins: bool) -> Step:
        row = members.row(order, folders=self._folders)
        at = row.places.get(member)
        if at is None:
            return Step(order, 0)
        steps = 1 if begins and at == 0 else 0
        for before in range(max(0, at - 1 - SKIPPED_MAX), at):
            steps = max(steps, self._steps_from(row.entries[before].id, order, is_next=before == at - 1))
        return Step(order, steps)

    def _steps_from(self, member: Uuid, order: Order, *, is_next: bool) -> int:
        visit = self._visits.get(member)
        if visit is None or self._count - visit.number > RECENT_VISITS:
            return 0
        steps = visit.step.steps if visit.step.order is order else 0
        return steps + 1 if is_next or steps >= ESTABLISHED else 0


class Window:
    """How many are fetched ahead: doubles with each that was wanted, halves with each that proved useless."""

    def __init__(self, *, least: int, most: int) -> None:
        self._least = least
        self._most = most
        self.size = least

    def grow(self) -> None:
        """One was wanted."""
        self.size = min(self._most, 2 * self.size)

    def shrink(self) -> None:
        """One was fetched for nothing."""
        self.size = max(self._least, self.size // 2)
