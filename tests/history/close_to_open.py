"""Whether programs here see in time what somebody else writes. Pure: operations in, findings out.

An open sees what was finished before it by more than what is allowed: the metadata TTL, and what an answer may be on
its way.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from tests.history.operations import Kind, Operation, Result

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NOTHING = None


def stale(operations: Iterable[Operation], *, allowed_s: float) -> list[str]:
    """Reads here of names that only another client writes, one write after the other, which show what is too old."""
    found = []
    for name, (writes, reads) in _by_name(operations).items():
        found += [
            f"{name}: {_said(read)} at {read.start:.3f} is none of the values of the time"
            for read in reads
            if not _may_be_seen(read, writes, allowed_s)
        ]
    return found


def _may_be_seen(read: Operation, writes: Sequence[Operation], allowed_s: float) -> bool:
    """Whether the value was there at some moment from the time allowed before the read's start up to its end."""
    seen = NOTHING if read.result is Result.ABSENT else read.value
    begun_at = float("-inf")
    values: list[tuple[float, float, str | None]] = []
    value: str | None = NOTHING
    for write in writes:
        values.append((begun_at, write.end, value))
        begun_at, value = write.start, NOTHING if write.kind is Kind.DELETE else write.value
    values.append((begun_at, float("inf"), value))
    return any(seen == each and since <= read.end and until >= read.start - allowed_s for since, until, each in values)


def _by_name(operations: Iterable[Operation]) -> dict[str, tuple[list[Operation], list[Operation]]]:
    """Writes of the other client and reads here, each by their start."""
    found: dict[str, tuple[list[Operation], list[Operation]]] = defaultdict(lambda: ([], []))
    for each in sorted(operations, key=lambda each: each.start):
        writes, reads = found[each.name]
        if each.kind is Kind.READ and each.is_ours and each.result is not Result.UNKNOWN:
            reads.append(each)
        elif each.kind is not Kind.READ and not each.is_ours:
            writes.append(each)
    return found


def _said(read: Operation) -> str:
    return "nothing" if read.result is Result.ABSENT else repr(read.value)
