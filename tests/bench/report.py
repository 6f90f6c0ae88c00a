"""What was taken, as tables of markdown: goals, seconds, memory, the wire. Takes nothing itself, writes no file."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Final

from tests.bench.goals import BASELINE, GOALS, MEMORY_MAX_MB, goal_of, judged
from tests.bench.peers import CXFS, PEERS
from tests.bench.results import Figure, figure_of
from tests.bench.rows import COUNTED, ON_THE_WIRE, TITLES, YARDSTICK, in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.bench.results import Line, Measure, Results

OfPeers = dict[str, dict[str, "list[Measure]"]]
"""The rows of each peer over one line."""

NOTHING: Final = Figure(None)


def tables(results: Results) -> dict[str, str]:
    """All of them by name, each with a part for every line that anything was taken over."""
    makers: dict[str, Callable[[Line, OfPeers], str]] = {
        "goals": goals, "seconds": seconds, "ratios": ratios, "wire": on_the_wire, "memory": memory,
    }  # fmt: skip
    made = {
        name: "\n\n".join(part for line in results.lines() if (part := maker(line, results.over(line))))
        for name, maker in makers.items()
    }
    made["machine"] = "\n".join(f"- {name}: {value}" for name, value in sorted(results.machine.items()))
    return made


def goals(line: Line, taken: OfPeers) -> str:
    """cxfs beside the baseline and the best of all, with what was to be reached; nothing where cxfs was not run."""
    if CXFS not in taken:
        return ""
    rows = []
    for row in in_order(set(GOALS) & set(taken[CXFS])):
        goal = goal_of(row, line)
        ours, base = (figure(taken, name, row) for name in (CXFS, BASELINE))
        best = best_peer(taken, row)
        verdict = judged(goal, ours, base) if goal else None
        value = "" if verdict is None or verdict.value is None else short(verdict.value)
        rows.append([
            title(row), cell(ours), cell(base), value, str(goal or ""), verdict.word if verdict else "",
            f"{best} {cell(figure(taken, best, row))}" if best else "",
        ])  # fmt: skip
    heads = ["work", CXFS, BASELINE, "ratio", "goal", "", "best peer"]
    return f"#### {line}\n\n{grid(heads, rows)}\n\n{_memory_goal(taken)}".rstrip() if rows else ""


def _memory_goal(taken: OfPeers) -> str:
    peaks = [(peak, row) for row in taken[CXFS] if (peak := _peak_mb(taken, CXFS, row)) is not None]
    if not peaks:
        return ""
    peak, row = max(peaks)
    word = "reached" if peak <= MEMORY_MAX_MB else "**missed**"
    return f"Most memory of cxfs: {peak:.0f} MB ({title(row)}); goal ≤ {MEMORY_MAX_MB} MB: {word}."


def seconds(line: Line, taken: OfPeers) -> str:
    """All figures as they were taken."""
    peers = peers_in(taken)
    rows = [
        [title(row), *(cell(figure(taken, name, row)) for name in peers), best_peer(taken, row)]
        for row in rows_in(taken)
    ]
    return f"#### {line}\n\n{grid(['work', *peers, 'best peer'], rows)}"


def ratios(line: Line, taken: OfPeers) -> str:
    """The same as multiples of the baseline."""
    peers = [name for name in peers_in(taken) if name != BASELINE]
    rows = []
    for row in rows_in(taken):
        base = figure(taken, BASELINE, row).value
        if base and row != YARDSTICK:
            rows.append([title(row), *(multiple(figure(taken, name, row), base) for name in peers)])
    return f"#### {line}\n\n{grid(['work', *peers], rows)}" if rows and peers else ""


def on_the_wire(line: Line, taken: OfPeers) -> str:
    """What moves the most, as multiples of what curl takes for the same bytes."""
    peers, rows = [name for name in peers_in(taken) if name != "curl"], []
    for row, plain in ON_THE_WIRE.items():
        base = figure(taken, "curl", plain)
        if base.value and any(figure(taken, name, row).value for name in peers):
            rows.append([title(row), cell(base), *(multiple(figure(taken, name, row), base.value) for name in peers)])
    return f"#### {line}\n\n{grid(['work', 'curl, seconds', *peers], rows)}" if rows else ""


def memory(line: Line, taken: OfPeers) -> str:
    """Largest resident size in MB, and seconds of CPU, of the mount's processes."""
    peers = [name for name in peers_in(taken) if any(_peak_mb(taken, name, row) is not None for row in taken[name])]
    rows = [
        [title(row), *(_use(taken, name, row) for name in peers)]
        for row in rows_in(taken)
        if any(_peak_mb(taken, name, row) is not None for name in peers)
    ]
    return f"#### {line}\n\n{grid(['work', *peers], rows)}" if rows else ""


def _peak_mb(taken: OfPeers, name: str, row: str) -> float | None:
    return max((each.memory_mb for each in taken[name].get(row, ()) if each.memory_mb), default=None)


def _use(taken: OfPeers, name: str, row: str) -> str:
    peak = _peak_mb(taken, name, row)
    if peak is None:
        return ""
    return f"{peak:.0f} / {statistics.median(each.cpu_s or 0 for each in taken[name][row]):.1f}"


# ---------------------------------------------------------------- figures and cells


def figure(taken: Mapping[str, Mapping[str, Sequence[Measure]]], name: str, row: str) -> Figure:
    """Of that peer in that row; nothing where it was not taken."""
    measures = taken.get(name, {}).get(row)
    return figure_of(measures) if measures else NOTHING


def best_peer(taken: OfPeers, row: str) -> str:
    """The best of those that a user could take instead of cxfs; empty where none has a figure."""
    values = {
        name: value
        for name in taken
        if name != CXFS and not PEERS[name].is_bound and (value := figure(taken, name, row).value) is not None
    }
    if row == YARDSTICK or not values:
        return ""
    return (max if row in COUNTED else min)(values, key=lambda name: values[name])


def peers_in(taken: OfPeers) -> list[str]:
    """In the order of the tables."""
    return [name for name in PEERS if name in taken]


def rows_in(taken: OfPeers) -> list[str]:
    """All that any peer has, in the order of the tables."""
    return in_order({row for of_peer in taken.values() for row in of_peer})


def title(row: str) -> str:
    """As a person would say it; a repeated one names what it repeats."""
    words = TITLES.get(row, row)
    if words == "the same again":
        words = f"{row.removesuffix(' warm')} again"
    return f"{words} (operations/s)" if row in COUNTED else words


def cell(figure: Figure) -> str:
    """`~` extrapolated, `!` wrong data was seen."""
    return figure.words if figure.value is None else f"{figure.mark}{short(figure.value)}"


def multiple(figure: Figure, base: float) -> str:
    """Of the baseline's figure."""
    return figure.words if figure.value is None else f"{figure.mark}{short(figure.value / base)}"


def short(value: float) -> str:
    """Three digits at most behind a leading zero, two else."""
    decimals = 0 if value >= 99.5 else 1 if value >= 9.95 else 2 if value >= 0.0995 else 3
    return f"{value:.{decimals}f}"


def grid(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of markdown whose columns stand under each other in a terminal too."""
    widths = [max(3, *(len(row[at]) for row in (heads, *rows))) for at in range(len(heads))]

    def drawn(row: Sequence[str]) -> str:
        cells = (
            text.ljust(width) if not at else text.rjust(width)
            for at, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        return f"| {' | '.join(cells)} |"

    rule = "|".join("-" * (width + 2) if not at else "-" * (width + 1) + ":" for at, width in enumerate(widths))
    return "\n".join([drawn(heads), f"|{rule}|", *(drawn(row) for row in rows)])
