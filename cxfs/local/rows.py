"""Rows of the journal: what was accepted, as it is written down and read again. Opens no journal."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from cxfs.core.entries import EntryName, TreePath, Uuid
from cxfs.core.order import Kind
from cxfs.core.posix import NOTHING, PosixUpdate
from cxfs.core.ranges import ByteRange

Cells = tuple[object, ...]
"""One row, in the order of the table's columns."""

SHA1_BYTES: Final = 20


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One accepted change, as the journal holds it. Sizes in bytes, times in milliseconds since the epoch, UTC.

    `accepted_ms` is when the first of it was accepted; 0: not yet.
    """

    id: str
    generation: int
    inode: int
    parent: Uuid
    path: TreePath
    object: Uuid | None
    base_version: int | None
    base_size: int
    base_bytes: int
    size: int
    held: tuple[ByteRange, ...]
    modified_ms: int
    sealed: tuple[bytes, ...]
    parked: str | None
    accepted_ms: int
    posix: PosixUpdate = NOTHING

    @property
    def name(self) -> EntryName:
        """The last name of its path."""
        return self.path.names[-1]

    def cut(self, size: int) -> ChangeRow:
        """As it is when the draft has `size` bytes, which are fewer."""
        held = (each.clipped(ByteRange(0, size)) for each in self.held)
        return replace(
            self, size=size, base_bytes=min(self.base_bytes, size), held=tuple(each for each in held if each.length)
        )

    @property
    def values(self) -> Cells:
        """For the journal."""
        return (
            self.id, self.generation, self.inode, self.parent, str(self.path), self.object, self.base_version,
            self.base_size, self.base_bytes, self.size, json.dumps(self.held), self.modified_ms, b"".join(self.sealed),
            self.parked, self.accepted_ms, self.posix.text,
        )  # fmt: skip

    @classmethod
    def parse(cls, raw: Cells) -> ChangeRow:
        """Raises ValueError, TypeError or CxfsError for a row that is damaged."""
        (change_id, generation, inode, parent, path, object_id, base_version, base_size, base_bytes, size, held,
         modified_ms, sealed, parked, accepted_ms, posix) = raw  # fmt: skip
        return cls(
            id=str(change_id),
            generation=_number(generation),
            inode=_number(inode),
            parent=Uuid.parse(str(parent)),
            path=TreePath.parse(str(path)),
            object=_uuid_or_none(object_id),
            base_version=_number_or_none(base_version),
            base_size=_number(base_size),
            base_bytes=_number(base_bytes),
            size=_number(size),
            held=_ranges(held),
            modified_ms=_number(modified_ms),
            sealed=_digests(sealed),
            parked=_reason(parked),
            accepted_ms=_number(accepted_ms),
            posix=PosixUpdate.parse(str(posix)),
        )


@dataclass(frozen=True, slots=True)
class ErrandRow:
    """One accepted errand: a folder to make, an object to remove, attributes to stamp on one.

    `id` is the provisional UUID of a folder to be made. `version` is the one that was removed, and no other is meant
    but those with a digest in `sealed`; `carrier` is the change that has to arrive before.
    """

    id: str
    kind: Kind
    object: Uuid | None
    is_folder: bool
    inode: int
    parent: Uuid
    path: TreePath
    version: int | None
    sealed: tuple[bytes, ...]
    carrier: str | None
    modified_ms: int | None
    accepted_ms: int
    parked: str | None
    posix: PosixUpdate = NOTHING

    @property
    def values(self) -> Cells:
        """For the journal."""
        return (
            self.id, self.kind.value, self.object, int(self.is_folder), self.inode, self.parent, str(self.path),
            self.version, b"".join(self.sealed), self.carrier, self.modified_ms, self.accepted_ms, self.parked,
            self.posix.text,
        )  # fmt: skip

    @classmethod
    def parse(cls, raw: Cells) -> ErrandRow:
        """Raises ValueError, TypeError or CxfsError for a row that is damaged."""
        (errand_id, kind, object_id, is_folder, inode, parent, path, version, sealed, carrier, modified_ms,
         accepted_ms, parked, posix) = raw  # fmt: skip
        row = cls(
            id=str(errand_id),
            kind=Kind(kind),
            object=_uuid_or_none(object_id),
            is_folder=bool(_number(is_folder)),
            inode=_number(inode),
            parent=Uuid.parse(str(parent)),
            path=TreePath.parse(str(path)),
            version=_number_or_none(version),
            sealed=_digests(sealed),
            carrier=None if carrier is None else str(carrier),
            modified_ms=_number_or_none(modified_ms),
            accepted_ms=_number(accepted_ms),
            parked=_reason(parked),
            posix=PosixUpdate.parse(str(posix)),
        )
        if row.kind is Kind.MAKE:
            Uuid.parse(row.id)
        if row.kind is Kind.STAMP and (row.object is None or (row.modified_ms is None and row.posix == NOTHING)):
            raise ValueError("a stamp needs its object, and what it sets")
        return row


class SentRow(NamedTuple):
    """A generation of a change that the server has as `object`; `inode` where it is not what that UUID gives."""

    id: str
    generation: int
    object: Uuid
    inode: int | None


@dataclass(frozen=True, slots=True)
class Report:
    """Something that went another way than a program was told, for a person to read. `at_ms` since the epoch, UTC."""

    at_ms: int
    path: str
    text: str


def _number(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"expected a number, found {value!r}")
    return value


def _number_or_none(value: object) -> int | None:
    return None if value is None else _number(value)


def _uuid_or_none(value: object) -> Uuid | None:
    return None if value is None else Uuid.parse(str(value))


def _ranges(value: object) -> tuple[ByteRange, ...]:
    try:
        said = json.loads(str(value))
    except RecursionError:
        raise ValueError("expected ranges, found a nest") from None
    return tuple(ByteRange(_number(start), _number(stop)) for start, stop in said)


def _reason(value: object) -> str | None:
    """For people: damage to it is no reason to hold the row back."""
    return None if value is None else str(value).encode(errors="replace").decode()


def _digests(value: object) -> tuple[bytes, ...]:
    if not isinstance(value, bytes) or len(value) % SHA1_BYTES:
        raise TypeError(f"expected SHA-1 digests, found {value!r}")
    return tuple(value[at : at + SHA1_BYTES] for at in range(0, len(value), SHA1_BYTES))
