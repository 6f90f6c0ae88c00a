"""How a mount's answer to `status` reads: as lines for a person, as one for a log. Asks nobody and prints nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cxfs.cli import tables
from cxfs.cli.bars import left_in_words

if TYPE_CHECKING:
    from collections.abc import Mapping

NOTICES_SHOWN: Final = 3
NOTICES_AGE_MS: Final = 24 * 3_600_000
"""Of the last day; all are in `--json` and in the log."""

SLOWEST_SHOWN: Final = 3

FORESEEN_S: Final = 24 * 3_600
"""An end that is further away is a rate that has only begun."""

AWAY: Final = ("degraded", "offline", "signed-out")
"""States of which one wants to know how long that has been so."""

SILENT: Final = "silent"
"""The state of a mount whose daemon runs and does not answer."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One mount at one moment. `answer` is what its daemon said (None: nothing, for the `reason`)."""

    profile: str
    mountpoint: str
    answer: Mapping[str, Any] | None
    reason: str | None = None

    @property
    def state(self) -> str:
        """In a word: that of the connection, while there is a mount."""
        if self.answer is None:
            return SILENT
        if self.answer["phase"] != "mounted":
            return str(self.answer["phase"])
        return str(self.answer["connection"]["state"])

    @property
    def why(self) -> str | None:
        """Why that is so, where it is not as it should be."""
        if self.answer is None:
            return self.reason
        told: str | None = self.answer["connection"]["reason"] or self.answer["remaining"]["trouble"]
        return told

    @property
    def since(self) -> float | None:
        """Since when the connection is so, in seconds since the epoch."""
        return None if self.answer is None else float(self.answer["connection"]["since"])

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        told = {"profile": self.profile, "mountpoint": self.mountpoint, **(self.answer or {})}
        return {**told, "state": self.state, "reason": self.why, "since": self.since}


def page(standing: Standing, *, now_s: float) -> list[str]:
    """Its lines. `now_s` is the time of day, since the epoch."""
    lines = [f"{tables.bold(standing.mountpoint)}  {standing.profile}  {_state(standing, now_s)}"]
    for name, values in ({} if standing.answer is None else _facts(standing.answer, now_s)).items():
        labels = [name] + [""] * len(values)
        lines += [f"  {label:<10} {tables.printable(value)}" for label, value in zip(labels, values, strict=False)]
    return lines


def line(standing: Standing) -> str:
    """The same in one line, of what changes."""
    told = [f"{standing.mountpoint}: {standing.state}"]
    if standing.answer is not None:
        told.append(_waiting(standing.answer) or "all is at the server")
        parked = standing.answer["remaining"]["parked"]
        told += [f"{parked} parked"] if parked else []
    told += [tables.printable(standing.why)] if standing.why else []
    return "; ".join(told)


def _state(standing: Standing, now_s: float) -> str:
    lasting = ""
    if standing.since is not None and standing.state in AWAY:
        lasting = f" for {tables.age(max(0.0, now_s - standing.since))}"
    why = f" ({tables.printable(standing.why)})" if standing.why else ""
    return f"{standing.state}{lasting}{why}"


def _facts(answer: Mapping[str, Any], now_s: float) -> dict[str, list[str]]:
    """By name, a line each."""
    return {
        **{name: [value] for name, value in _single_facts(answer).items()},
        "slowest": _slowest(answer),
        "faults": _faults(answer),
        "notices": _notices(answer, now_s),
    }


def _single_facts(answer: Mapping[str, Any]) -> dict[str, str]:
    remaining, quota, cache = answer["remaining"], answer["quota"], answer["cache"]
    facts = {"uploads": _waiting(answer) or "all is at the server"}
    if remaining["parked"]:
        counted = tables.counted(remaining["parked"], "change")
        facts["parked"] = f"{counted}, {tables.size(remaining['parked_bytes'])}: cxfs uploads tells why"
    if remaining["conflicts"]:
        facts["conflicts"] = f"{tables.counted(remaining['conflicts'], 'file')} to go beside another one"
    used, total = quota["used_bytes"], quota["total_bytes"]
    if total is not None:
        facts["quota"] = f"{tables.fill(used, total)}{tables.size(used)} of {tables.size(total)} used"
    held, limit = cache["bytes_held"], cache["bytes_max"]
    facts["cache"] = f"{tables.fill(held, limit)}{tables.size(held)} of {tables.size(limit)}"
    if (feed := answer.get("feed")) is not None:
        is_live = 0 < feed["live"] == feed["followed"]
        facts["changes"] = "told by the server" if is_live else "not told at the moment: asked for as they get old"
    return facts | _shares(answer)


def _waiting(answer: Mapping[str, Any]) -> str:
    """`3 files, 1.5 MiB left, 2.0 MiB/s, about 5 s`; empty when nothing waits."""
    remaining = answer["remaining"]
    if not (remaining["files"] or remaining["deletions"] or remaining["folders"]):
        return ""
    left = left_in_words(remaining["files"], remaining["bytes"], remaining["deletions"])
    if not remaining["files"] and not remaining["deletions"]:
        left = f"{tables.counted(remaining['folders'], 'folder')} left"
    rate = answer["uploads"].get("bytes_per_s") or 0.0
    if rate < 1 or not remaining["bytes"]:
        return left
    seconds = math.ceil(remaining["bytes"] / rate)
    end = f", about {tables.age(seconds)}" if seconds <= FORESEEN_S else ""
    return f"{left}, {tables.size(int(rate))}/s{end}"


def _shares(answer: Mapping[str, Any]) -> dict[str, str]:
    told = []
    for name, counters in (("reads", answer["cache"]), ("names", answer["names"])):
        hits, misses = counters.get("hits", 0), counters.get("misses", 0)
        if hits + misses:
            told.append(f"{tables.share(hits, hits + misses)} of {hits + misses} {name}")
    return {"from here": ", ".join(told)} if told else {}


def _slowest(answer: Mapping[str, Any]) -> list[str]:
    return [
        f"{row['longest_s']:.2f} s  {row['kind']} ({row['count']}, {row['mean_s']:.2f} s on average)"
        for row in answer["slowest"][:SLOWEST_SHOWN]
    ]


def _faults(answer: Mapping[str, Any]) -> list[str]:
    """Of cxfs itself: tasks that began anew after a bug, and a loop that stood still."""
    stalls = answer["loop"]["stalls"]
    still = [f"it stood still {tables.counted(stalls, 'time')}, the log says where"] if stalls else []
    return [
        f"{row['task']}: {row['kind']} at {row['place']}, {tables.counted(row['faults'], 'time')}, "
        f"{tables.age(row['ago_s'])} ago"
        for row in answer["tasks"]
    ] + still


def _notices(answer: Mapping[str, Any], now_s: float) -> list[str]:
    recent = [each for each in answer["notices"] if each["at_ms"] >= now_s * 1_000 - NOTICES_AGE_MS]
    return [
        f"{tables.age(max(0.0, now_s - each['at_ms'] / 1_000))} ago: {each['path']}: {each['text']}"
        for each in reversed(recent[-NOTICES_SHOWN:])
    ]
