"""What cxfs is to reach, row by row, and whether it did. Measures nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from tests.bench.rows import COUNTED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.bench.results import Figure, Line

BASELINE: Final = "rclone-webdav"
"""The peer that the ratios are to: what a user would most likely take, tuned."""

MEMORY_MAX_MB: Final = 256
"""Of the daemon, in every workload."""


class Goal(NamedTuple):
    """A limit for the ratio to the baseline, or for seconds; at least that for operations, else at most."""

    limit: float
    in_seconds: bool = False
    at_least: bool = False

    def __str__(self) -> str:
        sign = "≥" if self.at_least else "≤"
        return f"{sign} {self.limit:g}{' s' if self.in_seconds else ''}"


def _ratios(limits: Mapping[str, tuple[float, float, float]]) -> dict[str, dict[float, Goal]]:
    return {
        row: {rtt: Goal(limit, at_least=row in COUNTED) for rtt, limit in zip((0, 20, 100), of_row, strict=True)}
        for row, of_row in limits.items()
    }


GOALS: Final = _ratios(
    {
        "find cold": (0.5, 0.15, 0.08),
        "find warm": (0.8, 0.8, 0.8),
        "ls -lR cold": (0.4, 0.15, 0.08),
        "ls -lR warm": (0.8, 0.8, 0.8),
        "cat 1GiB cold": (0.6, 0.8, 0.7),
        "cat 1GiB warm": (0.15, 0.15, 0.15),
        "first byte": (0.25, 0.35, 0.5),
        "last byte": (0.5, 0.5, 0.5),
        "1000 small x8": (0.5, 0.5, 0.5),
        "grep -r": (0.3, 0.04, 0.02),
        "rand 4k": (2, 1, 1),
        "rand 128k": (4, 4, 4),
        "cp 1GiB ret": (0.8, 0.9, 0.9),
        "cp 1GiB dur": (0.4, 0.6, 0.6),
        "tar 2000 ret": (0.2, 0.25, 0.15),
        "tar 2000 dur": (0.25, 0.2, 0.08),
        "rm 2000 ret": (0.35, 0.04, 0.02),
        "rm 2000 dur": (0.4, 0.06, 0.03),
        "git clone": (0.4, 0.35, 0.15),
        "git clone dur": (0.4, 0.25, 0.1),
    }
) | {"status cold": {0: Goal(0.4), 20: Goal(3, in_seconds=True), 100: Goal(6, in_seconds=True)}}
"""By row and round-trip time in milliseconds. A goal in seconds stands where no peer ended within any cap."""


AT_ONCE_OVER_TLS: Final = {"cat 1GiB cold": Goal(0.8)}
"""Without a round trip the encryption decides, which peers pay for as well; at any distance the goals are the same."""


def goal_of(row: str, line: Line) -> Goal | None:
    """What is to be reached in that row over that line; None where nothing is set."""
    if line.tls and not line.rtt_ms:
        return AT_ONCE_OVER_TLS.get(row)
    return GOALS.get(row, {}).get(line.rtt_ms)


class Verdict(NamedTuple):
    """How cxfs stands to a goal: `reached` is None where one of the two figures is missing."""

    value: float | None
    reached: bool | None

    @property
    def word(self) -> str:
        """For a table."""
        return {True: "reached", False: "**missed**", None: "not known"}[self.reached]


def judged(goal: Goal, ours: Figure, baseline: Figure) -> Verdict:
    """The ratio, or our seconds, beside the limit. Wrong data reaches no goal."""
    if goal.in_seconds:
        value = ours.value
    elif ours.value is None or not baseline.value:
        value = None
    else:
        value = ours.value / baseline.value
    if "!" in ours.mark:
        return Verdict(value, reached=False)
    if value is None:
        return Verdict(None, None if ours.value is not None or not ours.words else False)
    return Verdict(value, value >= goal.limit if goal.at_least else value <= goal.limit)
