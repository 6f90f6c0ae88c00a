"""What the line carries, from what was seen of it. Pure arithmetic: times come in as values, in seconds.

Two figures: how long the first byte of an answer takes, and how many bytes come per second while bodies are on their
way, however many at a time. Their product is what must be under way at any moment for the line to be full.

A rate takes some milliseconds of arriving bytes to be seen, and what comes in less says nothing of it, except that more
would have come as unnoticed. So until a rate is seen, what is believed grows with each burst that took hardly any time.
"""

from __future__ import annotations

from typing import Final

UNKNOWN_BYTES: Final = 1 << 20
"""What one round trip is believed to carry before anything was seen."""

DELAY_S_MIN: Final = 0.005
"""A wait of so long is noticed by nobody: on a shorter line it may be used up."""

LONG_BYTES: Final = 256 << 10
"""A body is long from here on."""

MEASURED_S: Final = 0.02
"""Arriving content is judged when it has been coming for so long: within less, what was told of together looks as if it
had come together."""

GROWTH: Final = 4
"""How many times as much as came in a burst is believed to come in one round trip, where the burst took no more than
such a part of it."""

MEMORY: Final = 0.75
"""How much of the former figure is left in a new one."""

DELAY_RISE: Final = 1 / 16
"""How fast a longer delay is believed, where it was no wait behind others; a shorter one is at once."""


class Pace:
    """The figures of one mount."""

    def __init__(self) -> None:
        self._delay_s: float | None = None
        self._rate: float | None = None  # bytes a second
        self._bodies = 0
        self._since_s = 0.0
        self._busy_s = 0.0
        self._bytes = 0
        self._burst_since_s = 0.0
        self._burst_bytes = 0
        self._believed_rate = 0.0

    @property
    def carried_bytes(self) -> int:
        """What comes in during one round trip."""
        believed = int(self._trip_s * self._believed_rate)
        return max(believed, UNKNOWN_BYTES if self._rate is None else int(self._trip_s * self._rate))

    @property
    def delay_s(self) -> float | None:
        """From a request to the first byte of its answer; None before the first."""
        return self._delay_s

    @property
    def rate(self) -> float | None:
        """Bytes that come in a second; None while none was seen."""
        return self._rate

    @property
    def _trip_s(self) -> float:
        return max(self._delay_s or 0.0, DELAY_S_MIN)

    def answered(self, waited_s: float, *, alone: bool) -> None:
        """An answer took so long to begin. `alone`: nothing else was under way."""
        if self._delay_s is None or waited_s < self._delay_s:
            self._delay_s = waited_s
        elif alone:
            self._delay_s += (waited_s - self._delay_s) * DELAY_RISE

    def begins(self, at_s: float) -> None:
        """A long body comes from now on; one that came with its head tells nothing of the rate."""
        if not self._bodies:
            self._since_s = self._burst_since_s = at_s
            self._burst_bytes = 0
        self._bodies += 1

    def arrived(self, count: int, at_s: float) -> None:
        """So many bytes of long bodies have come."""
        self._bytes += count
        self._burst_bytes += count
        self._count_busy(at_s)

    def ended(self, at_s: float) -> None:
        """A long body comes no more."""
        self._count_busy(at_s)
        self._bodies -= 1
        if not self._bodies and 0 < at_s - self._burst_since_s <= self._trip_s / GROWTH:
            self._believed_rate = max(self._believed_rate, GROWTH * self._burst_bytes / self._trip_s)

    def _count_busy(self, at_s: float) -> None:
        self._busy_s += max(0.0, at_s - self._since_s)
        self._since_s = at_s
        if self._busy_s < MEASURED_S:
            return
        seen = self._bytes / self._busy_s
        self._rate = seen if self._rate is None else self._rate * MEMORY + seen * (1 - MEMORY)
        self._bytes, self._busy_s = 0, 0.0
        self._believed_rate = 0.0
