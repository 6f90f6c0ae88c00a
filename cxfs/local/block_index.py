"""What the cache's folder says of itself to the next mount: a log of records with checksums. Judges no content.

Losing it, or any part of it, costs time only: a block is believed when its content has the checksum in its record. So
nothing here is synced, a record that is damaged is left out, and an index that cannot be read is an empty one.
"""

from __future__ import annotations

import contextlib
import os
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from zlib import crc32

from cxfs.local import extents

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

NAME: Final = "index"

NEW_NAME: Final = "index.new"

STALE_RECORDS_MAX: Final = 10_000
"""Records that later ones replaced: with more than so many, and than there are others, the log is written anew."""

_FORMAT: Final = "cxfs block index 1"
_HEAD: Final = struct.Struct("<HI")
_END: Final = _HEAD.pack(0, 0)
"""Written by a cache that was closed in order: what is on disk is what the index says."""


@dataclass(slots=True)
class Loaded:
    """What is known of each place, the least recently used first, and the sizes of files of more than one extent.

    `is_whole`: the last daemon ended in order, and nothing of what it said is damaged.
    """

    records: dict[str, bytes] = field(default_factory=dict)
    large: dict[str, int] = field(default_factory=dict)
    is_whole: bool = False


class BlockIndex:
    """The log in `folder`. One thread at a time; every failure to write is silent, and means a loss of time."""

    def __init__(self, folder: Path, *, owner: str, stale_records_max: int = STALE_RECORDS_MAX) -> None:
        self._file = folder / NAME
        self._stale_records_max = stale_records_max
        self._header = f"{_FORMAT} {owner}\n".encode()
        self._lines = 0
        self._live = 0

    def load(self) -> Loaded:
        """What it says; nothing where it is another account's, of another format, or damaged at its beginning."""
        raw = self._raw()
        loaded = Loaded(is_whole=raw.endswith(_END))
        self._lines = 0
        for said in _said_in(raw, len(self._header)):
            self._lines += 1
            if said is None:
                loaded.is_whole = False
                continue
            name, extent, size, each = said
            place = extents.place_of(name, extent)
            loaded.records.pop(place, None)
            if not extents.is_gone(each):
                loaded.records[place] = extents.resting_of(each)
                if size > extents.EXTENT_BYTES:
                    loaded.large[name] = size
        self._live = len(loaded.records)
        if raw.endswith(_END):
            self._reopen(len(raw) - len(_END))
        return loaded

    def _raw(self) -> bytes:
        with contextlib.suppress(OSError):
            raw = self._file.read_bytes()
            if raw.startswith(self._header):
                return raw
        return b""

    def _reopen(self, length: int) -> None:
        """It is not closed in order any more."""
        with contextlib.suppress(OSError):
            os.truncate(self._file, length)

    def append(self, records: Iterable[bytes]) -> None:
        """Adds to the log, which begins anew where somebody removed it, and is cleaned when most of it is stale."""
        lines = [_HEAD.pack(len(each), crc32(each)) + each for each in records]
        with contextlib.suppress(OSError):
            descriptor = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                head = [] if os.fstat(descriptor).st_size else [self._header]
                os.write(descriptor, b"".join([*head, *lines]))
            finally:
                os.close(descriptor)
        self._lines += len(lines)
        if self._lines > 2 * self._live + self._stale_records_max:
            self._clean()

    def _clean(self) -> None:
        latest: dict[str, bytes] = {}
        for said in _said_in(self._raw(), len(self._header)):
            if said is not None:
                place = extents.place_of(said[0], said[1])
                latest.pop(place, None)
                latest[place] = said[-1]
        self._write([each for each in latest.values() if not extents.is_gone(each)], end=b"")

    def write(self, records: Iterable[bytes]) -> None:
        """All of it, in the order in which they were used; the cache is closed in order."""
        self._write(records, end=_END)

    def _write(self, records: Iterable[bytes], *, end: bytes) -> None:
        lines = [_HEAD.pack(len(each), crc32(each)) + each for each in records]
        self._lines = self._live = len(lines)
        new = self._file.with_name(NEW_NAME)
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as written:
                written.write(b"".join([self._header, *lines, end]))
            new.replace(self._file)


def _said_in(raw: bytes, at: int) -> Iterator[tuple[str, int, int, bytes] | None]:
    """Name, extent, size of the file and the record, up to where the log was torn; None for one that is damaged."""
    while at + _HEAD.size <= len(raw):
        length, expected = _HEAD.unpack_from(raw, at)
        at += _HEAD.size
        found = raw[at : at + length]
        at += length
        if length:
            yield _said(found) if crc32(found) == expected else None


def _said(found: bytes) -> tuple[str, int, int, bytes] | None:
    try:
        return *extents.place_and_size(found), found
    except ValueError:
        return None
