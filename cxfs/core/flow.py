"""Bytes that pass somewhere: how many so far, and how fast of late. Pure arithmetic: times are values, in seconds."""

from __future__ import annotations

from collections import deque
from typing import Final

WINDOW_S: Final = 10
"""The rate is that of the last so many seconds: long enough to be steady, and soon zero when nothing passes."""


class Flow:
    """One stream of bytes, in whole seconds of the last `WINDOW_S`."""

    def __init__(self) -> None:
        self.total = 0
        self._seconds: deque[tuple[int, int]] = deque(maxlen=WINDOW_S + 1)

    def passed(self, count: int, at_s: float) -> None:
        """So many bytes, at this moment, which is none before the last one."""
        self.total += count
        second = int(at_s)
        if self._seconds and self._seconds[-1][0] == second:
            count += self._seconds.pop()[1]
        self._seconds.append((second, count))

    def rate(self, now_s: float) -> float:
        """Bytes a second of late."""
        recent = [(second, count) for second, count in self._seconds if second > now_s - WINDOW_S]
        if not recent:
            return 0.0
        return sum(count for _, count in recent) / max(1.0, now_s - recent[0][0])
