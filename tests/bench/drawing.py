"""A picture of the figures: a panel for each line, a bar per row and peer on a logarithmic scale. Takes no figure.

Legible on light and on dark paper, which it brings along; rows that count operations are drawn as seconds for 1,000.
"""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING, Final, NamedTuple

from tests.bench.goals import GOALS
from tests.bench.report import figure, title
from tests.bench.rows import COUNTED, in_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.bench.report import OfPeers
    from tests.bench.results import Line, Results

COLOURS: Final = {
    "cxfs": "#0f6fde", "rclone-webdav": "#d9601a", "rclone-s3": "#d9a21a", "davfs2": "#2f9e6e", "s3fs": "#b86aa8",
    "sshfs": "#8a8f98",
}  # fmt: skip
"""Of those that are drawn: cxfs and what a user could take instead."""

LABELS: Final = 232
PANEL: Final = 330
GAP: Final = 62
HEAD: Final = 92
BAR: Final = 9
BETWEEN: Final = 9
FOOT: Final = 34

TITLE: Final = "Seconds for the same work through each mount: shorter is better, each upright line is ten times more"
NAMESPACE: Final = "http://www.w3.org/2000/svg"

STYLE: Final = """
text { font: 11px system-ui, sans-serif; fill: #24292f }
.paper { fill: #ffffff } .rule { stroke: #d0d7de } .title { font-size: 16px; font-weight: 600 }
.head { font-weight: 600 } .value { font-size: 8px; fill: #57606a } .tick { font-size: 9px; fill: #57606a }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .paper { fill: #0d1117 } .rule { stroke: #30363d } .value, .tick { fill: #9da7b3 }
}
"""


class Scale(NamedTuple):
    """Seconds on a logarithmic axis, in pixels from its left end; both ends are whole powers of ten."""

    least: int
    most: int

    def at(self, seconds: float) -> float:
        """Where that many seconds end; what is beyond an end of the axis ends there."""
        share = (math.log10(max(seconds, 1e-9)) - self.least) / (self.most - self.least)
        return PANEL * min(1.0, max(0.0, share))

    @property
    def ticks(self) -> list[float]:
        """Every power of ten on it."""
        return [10.0**power for power in range(self.least, self.most + 1)]


class Bar(NamedTuple):
    """One figure: None for what was stopped without telling how far it was."""

    peer: str
    seconds: float | None
    mark: str = ""


def drawn(results: Results) -> str:
    """The whole picture; a frame without bars when nothing was taken."""
    panels = [(line, taken) for line in results.lines() if (taken := results.over(line))]
    peers = [name for name in COLOURS if any(name in taken for _, taken in panels)]
    rows = in_order({row for _, taken in panels for name in peers for row in taken.get(name, ()) if row in GOALS})
    scale = fitting([bar for _, taken in panels for row in rows for bar in bars(taken, peers, row)])
    pitch = max(1, len(peers)) * BAR + BETWEEN
    width, height = LABELS + len(panels) * (PANEL + GAP), HEAD + len(rows) * pitch + FOOT
    parts = [
        f'<svg xmlns="{NAMESPACE}" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">',
        f"<title>{TITLE}</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="paper" width="{width}" height="{height}"/>',
        text(16, 26, TITLE, "title"),
        *_legend(peers),
    ]
    for at, row in enumerate(rows):
        parts.append(text(LABELS - 12, HEAD + at * pitch + (pitch - BETWEEN) / 2 + 4, _label(row), anchor="end"))
    for at, (line, taken) in enumerate(panels):
        parts += _panel(LABELS + at * (PANEL + GAP), line, scale, [bars(taken, peers, row) for row in rows], pitch)
    return "\n".join([*parts, "</svg>", ""])


def bars(taken: OfPeers, peers: Sequence[str], row: str) -> list[Bar]:
    """A bar for each of those peers that the row was taken of, in their order."""
    found = []
    for name in peers:
        shown = figure(taken, name, row)
        if shown.value is not None:
            seconds = 1000 / shown.value if row in COUNTED and shown.value else shown.value
            found.append(Bar(name, seconds, shown.mark))
        elif shown.words:
            found.append(Bar(name, None, shown.words))
    return found


def fitting(shown: Sequence[Bar]) -> Scale:
    """An axis with room for all of them."""
    values = [bar.seconds for bar in shown if bar.seconds]
    if not values:
        return Scale(-2, 2)
    least, most = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return Scale(least, max(most, least + 1))


def text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    """One line of words."""
    of_kind = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{of_kind} text-anchor="{anchor}">{escape(words)}</text>'


def _label(row: str) -> str:
    return {"rand 4k": "1,000 random reads of 4 KiB", "rand 128k": "1,000 random reads of 128 KiB"}.get(row, title(row))


def _legend(peers: Sequence[str]) -> list[str]:
    parts = []
    for x, name in ((16 + at * 150, name) for at, name in enumerate(peers)):
        parts += [
            f'<rect x="{x}" y="38" width="12" height="12" fill="{COLOURS[name]}"/>',
            text(x + 18, 48, name),
        ]
    return parts


def _panel(left: float, line: Line, scale: Scale, rows: Sequence[Sequence[Bar]], pitch: int) -> list[str]:
    bottom = HEAD + len(rows) * pitch
    parts = [text(left, HEAD - 22, f"round trip of {line}", "head")]
    for seconds in scale.ticks:
        x = left + scale.at(seconds)
        parts += [
            f'<line class="rule" x1="{x:.1f}" x2="{x:.1f}" y1="{HEAD - 6}" y2="{bottom}"/>',
            text(x, HEAD - 9, f"{seconds:g} s", "tick", "middle"),
            text(x, bottom + 14, f"{seconds:g} s", "tick", "middle"),
        ]
    for at, shown in enumerate(rows):
        for below, bar in enumerate(shown):
            parts += _bar(left, HEAD + at * pitch + below * BAR, scale, bar)
    return parts


def _bar(left: float, top: float, scale: Scale, bar: Bar) -> list[str]:
    width = PANEL if bar.seconds is None else max(1.0, scale.at(bar.seconds))
    words = bar.mark if bar.seconds is None else f"{bar.mark}{bar.seconds:.3g}"
    faint = ' opacity="0.35"' if bar.seconds is None else ""
    return [
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{BAR - 1}" fill="{COLOURS[bar.peer]}"{faint}>',
        f"<title>{escape(f'{bar.peer}: {words}')}</title></rect>",
        text(left + width + 3, top + BAR - 1, words, "value"),
    ]
