"""How long requests took, by kind: a small table of the slowest. Holds no address: a kind is a method and a resource.

What is in a path, and the token in a query, are no part of a kind; there are as many kinds as the contract has calls.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import trio

if TYPE_CHECKING:
    from collections.abc import Iterator

KINDS_MAX: Final = 32
"""More than the contract has; a kind beyond is not noted."""


@dataclass(frozen=True, slots=True)
class RequestTimes:
    """Of one kind since the start, failed ones included; seconds. `longest_ago_s` is when the longest one ended."""

    kind: str
    count: int
    mean_s: float
    longest_s: float
    longest_ago_s: float


class _Times:
    def __init__(self) -> None:
        self.count = 0
        self.total_s = 0.0
        self.longest_s = 0.0
        self.longest_at = 0.0


class SlowestRequests:
    """The table of one session. Times are those of trio's clock."""

    def __init__(self) -> None:
        self._kinds: dict[str, _Times] = {}

    @contextmanager
    def noting(self, method: str, resource: str) -> Iterator[None]:
        """Notes how long the block took, whichever way it ends."""
        began = trio.current_time()
        try:
            yield
        finally:
            self._note(f"{method} {_without_path(resource)}", trio.current_time() - began)

    def _note(self, kind: str, seconds: float) -> None:
        times = self._kinds.get(kind)
        if times is None:
            if len(self._kinds) >= KINDS_MAX:
                return
            times = self._kinds[kind] = _Times()
        times.count += 1
        times.total_s += seconds
        if seconds >= times.longest_s:
            times.longest_s, times.longest_at = seconds, trio.current_time()

    def table(self) -> list[RequestTimes]:
        """Every kind that there was, the one with the slowest request first."""
        now = trio.current_time()
        rows = [
            RequestTimes(kind, each.count, each.total_s / each.count, each.longest_s, now - each.longest_at)
            for kind, each in self._kinds.items()
        ]
        return sorted(rows, key=lambda row: -row.longest_s)


def _without_path(resource: str) -> str:
    """`files/list/self:%2Fa` is a `files/list`: a path, which is the last segment, has a colon, and no call has."""
    call, _, last = resource.rpartition("/")
    return call if ":" in last else resource
