"""How facts, tables and progress look on a terminal, and plainly elsewhere. Knows nothing of what they say."""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rich.console import Console
    from rich.progress import Progress

BAR_CELLS: Final = 20

UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def size(count: int) -> str:
    """Bytes for people: `1.5 GiB`."""
    amount = float(count)
    for unit in UNITS:
        if amount < 1024 or unit == UNITS[-1]:
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 100 else f"{amount:.1f} {unit}"
        amount /= 1024
    raise AssertionError("the last unit takes whatever is left")


def fill(part: int, whole: int) -> str:
    """How full something is, in front of its figures; nothing where nobody watches."""
    if not is_shown():
        return ""
    full = BAR_CELLS if part >= whole else BAR_CELLS * part // whole
    return f"{'█' * full}{'░' * (BAR_CELLS - full)} "


def is_shown() -> bool:
    """Whether somebody watches what is printed."""
    return sys.stdout.isatty()


def bold(text: str) -> str:
    """For a terminal that wants it; rich, which does more, takes as long to load as a whole answer may."""
    return _dressed(text, "1")


COLOURS: Final = {"red": "31", "green": "32", "yellow": "33"}


def coloured(text: str, colour: str) -> str:
    """The same, in one of `COLOURS`."""
    return _dressed(text, COLOURS[colour])


def _dressed(text: str, how: str) -> str:
    plain = not is_shown() or os.environ.get("NO_COLOR")
    return text if plain else f"\033[{how}m{text}\033[0m"


def console(*, stderr: bool = False) -> Console:
    """Colours on a terminal only, and none with NO_COLOR: both are rich's rules."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, soft_wrap=True)


def print_facts(facts: Mapping[str, str]) -> None:
    """One `name  value` a line, the names in bold."""
    from rich.text import Text

    width = max(map(len, facts))
    screen = console()
    for name, value in facts.items():
        screen.print(Text(f"{name:<{width}}  ", style="bold"), Text(value), sep="", end="\n")


def print_rows(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as they need to be."""
    from rich.table import Table

    table = Table(*heads, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*row)
    console().print(table)


@contextmanager
def counting(what: str, *, total_bytes: int | None = None) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr that counts files and bytes while the block runs; nothing where nobody watches.

    Without a total it only shows that something moves.
    """
    with counting_stages() as begins:
        yield begins(what, total_bytes)


@contextmanager
def counting_stages() -> Iterator[Callable[[str, int | None], Callable[[int, int], None]]]:
    """As `counting`, for what begins while the block runs: a bar each, of that name and so many bytes."""
    with bar() as progress:

        def begins(what: str, total_bytes: int | None) -> Callable[[int, int], None]:
            task = progress.add_task(what, total=total_bytes, so_far="")

            def tell(files: int, count: int) -> None:
                progress.update(task, completed=count, so_far=f"{files} files, {size(count)}")

            return tell

        yield begins


def bar() -> Progress:
    """On stderr, gone at its end, and not there where nobody watches. Its tasks have a field `so_far`, for counts."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    screen = console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[so_far]}"),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=screen,
        transient=True,
        disable=not screen.is_terminal,
    )


def printable(text: str) -> str:
    """Without what would move the cursor or break the line: names may hold anything."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def counted(count: int, noun: str) -> str:
    """`1 file`, `2 files`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def share(part: int, whole: int) -> str:
    """`75 %`; nothing of nothing."""
    return f"{100 * part // whole} %" if whole else ""


def moment(time_ms: int) -> str:
    """A time since the epoch for people, of this machine's zone: `2026-05-01 14:03:07`."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time_ms / 1_000))


def age(seconds: float | None) -> str:
    """Time for people, in its largest unit: `5 min`."""
    if seconds is None:
        return ""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit}"
    return f"{seconds:.0f} s"
