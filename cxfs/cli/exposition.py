"""What mounts count, as Prometheus reads it: from their answers to `status` and `cache` to text. Asks nobody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure of a mount: where it stands in the answers, and what it is called for others."""

    name: str
    kind: str
    help: str
    path: tuple[str, ...]


GAUGE: Final = "gauge"
COUNTER: Final = "counter"

METRICS: Final = (
    Metric("cxfs_uploads_files", GAUGE, "Files that wait for the server or go there.", ("remaining", "files")),
    Metric("cxfs_uploads_bytes", GAUGE, "Bytes of those that are not handed over.", ("remaining", "bytes")),
    Metric("cxfs_uploads_parked", GAUGE, "Changes that the server refused for good.", ("remaining", "parked")),
    Metric("cxfs_uploads_conflicts", GAUGE, "Files that go beside another one.", ("remaining", "conflicts")),
    Metric("cxfs_deletions", GAUGE, "Deletions that the server was not told of.", ("remaining", "deletions")),
    Metric("cxfs_uploads_rate_bytes", GAUGE, "Bytes a second of late.", ("uploads", "bytes_per_s")),
    Metric("cxfs_uploads_failures_total", COUNTER, "Attempts that failed.", ("uploads", "failures")),
    Metric("cxfs_quota_bytes", GAUGE, "What the account may hold.", ("quota", "total_bytes")),
    Metric("cxfs_quota_used_bytes", GAUGE, "What the account holds.", ("quota", "used_bytes")),
    Metric("cxfs_cache_bytes", GAUGE, "Content that is kept here.", ("cache", "bytes_held")),
    Metric("cxfs_cache_limit_bytes", GAUGE, "How much may be kept.", ("cache", "bytes_max")),
    Metric("cxfs_cache_hits_total", COUNTER, "Reads of which all was here.", ("cache", "hits")),
    Metric("cxfs_cache_misses_total", COUNTER, "Reads that asked the server.", ("cache", "misses")),
    Metric("cxfs_cache_evicted_files_total", COUNTER, "Files that went for others.", ("cache", "evicted_files")),
    Metric("cxfs_names_hits_total", COUNTER, "Names and sizes that were known here.", ("names", "hits")),
    Metric("cxfs_names_misses_total", COUNTER, "Those that the server was asked for.", ("names", "misses")),
)

REQUESTS: Final = (
    Metric("cxfs_requests_total", COUNTER, "Requests to the server, by kind.", ("count",)),
    Metric("cxfs_request_mean_seconds", GAUGE, "What they took, on average.", ("mean_s",)),
    Metric("cxfs_request_longest_seconds", GAUGE, "What the slowest took.", ("longest_s",)),
)

UP: Final = Metric("cxfs_up", GAUGE, "Whether the mount's daemon answers.", ())
ONLINE: Final = Metric("cxfs_online", GAUGE, "Whether the server is reached.", ())


@dataclass(frozen=True, slots=True)
class Sample:
    """One mount's answer to `status`; None where it gave none. `online` as the status tells it."""

    profile: str
    mountpoint: str
    online: bool
    answer: Mapping[str, Any] | None


def text(samples: Sequence[Sample]) -> str:
    """All of it; empty without a mount."""
    lines: list[str] = []
    for metric in (UP, ONLINE, *METRICS):
        told = [(_labels(sample), _value(metric, sample)) for sample in samples]
        lines += _told(metric, [(labels, value) for labels, value in told if value is not None])
    for metric in REQUESTS:
        lines += _told(metric, list(_requests(metric, samples)))
    return "".join(f"{line}\n" for line in lines)


def _told(metric: Metric, values: list[tuple[str, float]]) -> list[str]:
    if not values:
        return []
    return [
        f"# HELP {metric.name} {metric.help}",
        f"# TYPE {metric.name} {metric.kind}",
        *(f"{metric.name}{{{labels}}} {value:g}" if value % 1 else f"{metric.name}{{{labels}}} {int(value)}"
          for labels, value in values),
    ]  # fmt: skip


def _value(metric: Metric, sample: Sample) -> float | None:
    if metric is UP:
        return float(sample.answer is not None)
    if sample.answer is None:
        return None
    return float(sample.online) if metric is ONLINE else _number(sample.answer, metric.path)


def _number(told: Mapping[str, Any], path: tuple[str, ...]) -> float | None:
    value: Any = told
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return None if value is None else float(value)


def _requests(metric: Metric, samples: Sequence[Sample]) -> Iterator[tuple[str, float]]:
    for sample in samples:
        for row in [] if sample.answer is None else sample.answer["slowest"]:
            value = _number(row, metric.path)
            if value is not None:
                yield f'{_labels(sample)},kind="{_escaped(row["kind"])}"', value


def _labels(sample: Sample) -> str:
    return f'profile="{_escaped(sample.profile)}",mountpoint="{_escaped(sample.mountpoint)}"'


def _escaped(value: str) -> str:
    plain = value.encode(errors="replace").decode()
    return plain.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
