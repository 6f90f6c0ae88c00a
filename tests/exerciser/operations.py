"""What is done to one file, an operation each, and the buffer that it is compared with. Touches no file.

A seed and a number of operations are a run; its operations are plain values, so that a part of them can be done anew.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FILE_BYTES_MAX: Final = 2_500_000
"""More than a part of the cache, and than a tiny cache holds."""

SIZES: Final = (1, 7, 100, 4_096, 5_000, 65_536, 200_000)
PAGE_BYTES: Final = 4_096


class Kind(StrEnum):
    """One way to the content, or something that happens to it."""

    READ = "read"
    WRITE = "write"
    APPEND = "append"
    TRUNCATE = "truncate"
    DIRECT_READ = "direct read"
    DIRECT_WRITE = "direct write"
    MAP_READ = "map read"
    MAP_WRITE = "map write"
    PRIVATE_WRITE = "private write"
    """Into a map of its own, which changes nothing in the file."""
    HOLD = "hold"
    """Maps the file as long as it is, and keeps that."""
    HELD_READ = "held read"
    HELD_WRITE = "held write"
    COPY = "copy"
    """Within the file, by the system."""
    WHOLE = "whole"
    """All of it, by a descriptor of its own; and its size."""
    REOPEN = "reopen"
    RENAME = "rename"
    FSYNC = "fsync"
    FORGET = "forget"
    """The system's pages go."""
    SETTLE = "settle"
    """The server has it when this returns."""
    EVICT = "evict"
    REMOUNT = "remount"


OFTEN: Final = {
    Kind.READ: 200,
    Kind.WRITE: 200,
    Kind.APPEND: 30,
    Kind.TRUNCATE: 60,
    Kind.DIRECT_READ: 30,
    Kind.DIRECT_WRITE: 30,
    Kind.MAP_READ: 100,
    Kind.MAP_WRITE: 100,
    Kind.PRIVATE_WRITE: 20,
    Kind.HOLD: 20,
    Kind.HELD_READ: 60,
    Kind.HELD_WRITE: 60,
    Kind.COPY: 30,
    Kind.WHOLE: 10,
    Kind.REOPEN: 20,
    Kind.RENAME: 5,
    Kind.FSYNC: 10,
    Kind.FORGET: 10,
    Kind.SETTLE: 8,
    Kind.EVICT: 8,
}
"""Shares of a run, in which what takes long is rare. Remounts come at even distances."""


@dataclass(frozen=True)
class Operation:
    """`at`, `size` and `to` in bytes; `number` is what its content goes by."""

    kind: Kind
    at: int = 0
    size: int = 0
    to: int = 0
    number: int = 0

    def __repr__(self) -> str:
        numbers = {"at": self.at, "size": self.size, "to": self.to, "number": self.number}
        told = "".join(f", {name}={value}" for name, value in numbers.items() if value)
        return f"Operation(Kind.{self.kind.name}{told})"

    @property
    def content(self) -> bytes:
        """What it writes: nothing that another one does."""
        return random.Random(self.number).randbytes(self.size)


class Shadow:
    """What the file holds, as the operations so far have it."""

    def __init__(self, content: bytes = b"") -> None:
        self.content = bytearray(content)
        self.held = 0
        """Bytes of the map that is kept."""

    def after(self, operation: Operation) -> bytes | None:
        """What it reads, None where it reads nothing; the buffer is as it is then."""
        at, size = operation.at, operation.size
        match operation.kind:
            case Kind.READ | Kind.DIRECT_READ | Kind.MAP_READ:
                return bytes(self.content[at : at + size])
            case Kind.HELD_READ:
                return bytes(self.content[at : min(at + size, self.held)])
            case Kind.WHOLE | Kind.REOPEN | Kind.REMOUNT:
                self.held = 0 if operation.kind is Kind.REMOUNT else self.held
                return bytes(self.content)
            case Kind.PRIVATE_WRITE:
                private = bytearray(self.content)
                private[at : at + size] = operation.content[: len(private) - at]
                return bytes(private[at : at + size])
            case Kind.HOLD:
                self.held = len(self.content)
            case _:
                self._change(operation)
        return None

    def _change(self, operation: Operation) -> None:
        at, content = operation.at, operation.content if operation.kind in _WRITES else b""
        match operation.kind:
            case Kind.TRUNCATE:
                del self.content[at:]
                self.content.extend(bytes(at - len(self.content)))
            case Kind.APPEND:
                self.content += content
            case Kind.COPY:
                self._put(operation.to, bytes(self.content[at : at + operation.size]))
            case Kind.MAP_WRITE:
                self._put(at, content[: len(self.content) - at])
            case Kind.HELD_WRITE:
                self._put(at, content[: min(len(self.content), self.held) - at])
            case Kind.WRITE | Kind.DIRECT_WRITE:
                self._put(at, content)

    def _put(self, at: int, content: bytes) -> None:
        if content:
            self.content.extend(bytes(max(0, at - len(self.content))))
            self.content[at : at + len(content)] = content


_WRITES: Final = {Kind.WRITE, Kind.DIRECT_WRITE, Kind.APPEND, Kind.MAP_WRITE, Kind.HELD_WRITE}
_WITHIN: Final = {Kind.MAP_READ, Kind.MAP_WRITE, Kind.PRIVATE_WRITE}


def run_of(seed: int, count: int, shadow: Shadow, *, remount_every: int) -> Iterator[Operation]:
    """So many operations, each made for what the file holds by then: whoever takes one applies it to the shadow."""
    chance = random.Random(seed)
    kinds, weights = list(OFTEN), list(OFTEN.values())
    for number in range(1, count + 1):
        kind = Kind.REMOUNT if number % remount_every == 0 else chance.choices(kinds, weights)[0]
        yield made(kind, number, chance, shadow)


def made(kind: Kind, number: int, chance: random.Random, shadow: Shadow) -> Operation:
    """One of this kind that makes sense for the file, or a read where none would."""
    length = len(shadow.content)
    most = min(length, shadow.held) if kind in {Kind.HELD_READ, Kind.HELD_WRITE} else length
    size = min(chance.choice(SIZES), chance.randint(1, SIZES[-1]))
    if kind in _WITHIN or kind in {Kind.HELD_READ, Kind.HELD_WRITE}:
        if not most:
            return Operation(Kind.READ, size=size)
        at = chance.randrange(most)
        return Operation(kind, at, min(size, most - at), number=number)
    at = _place(chance, length)
    if kind is Kind.COPY:
        to = _place(chance, length)
        return Operation(kind, at, min(size, abs(to - at), FILE_BYTES_MAX - to), to)
    if kind is Kind.APPEND and length + size > FILE_BYTES_MAX:
        return Operation(Kind.TRUNCATE, at // 2)
    return Operation(kind, at, min(size, FILE_BYTES_MAX - at), number=number)


def _place(chance: random.Random, length: int) -> int:
    """Mostly within the file, else past its end; often at the beginning of a page."""
    at = chance.randrange(length + 1) if chance.random() < 0.8 else chance.randrange(FILE_BYTES_MAX)
    return at - at % PAGE_BYTES if chance.random() < 0.3 else at


def content_after(operations: Iterable[Operation]) -> bytes:
    """What a new file holds after these."""
    shadow = Shadow()
    for operation in operations:
        shadow.after(operation)
    return bytes(shadow.content)
