"""`cxfs status`: how mounts stand: connection, uploads, quota, cache. Asks their daemons; touches no mount itself."""

from __future__ import annotations

import json
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import click

from cxfs.cli import arguments, status_page, tables, which
from cxfs.cli.exits import Exit
from cxfs.cli.status_page import Standing
from cxfs.control.client import ControlRefused, ControlUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import NoReturn

ANSWER_S: Final = 5.0
"""For a daemon to say how it stands: it takes milliseconds. One that hangs is told of, and the others are shown."""

WATCH_S: Final = 1.0
LINES_S: Final = 5.0
"""Between two looks, on a terminal and elsewhere."""


@click.command("status", short_help="Show how mounts stand: connection, uploads, quota, cache.")
@click.option("-w", "--watch", is_flag=True, help="Look again and again, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="For programs: a list of mounts; sizes in bytes, times in s.")
@arguments.mount_argument
def command(mount: str | None, *, watch: bool, as_json: bool) -> int:
    """Show the mount that a path or a profile names, or all of them.

    The status is 0 when each of them answers, and 13 otherwise: also where there is none.
    """
    if watch and as_json:
        raise click.UsageError("--json tells of one moment: without --watch", click.get_current_context())

    def look() -> list[Standing]:
        return [standing_of(each) for each in ([which.named(mount)] if mount is not None else which.running())]

    if watch:
        return _watched(look)
    found = look()
    if as_json:
        click.echo(json.dumps([each.as_json() for each in found], indent=2))
    else:
        _print(found)
    return Exit.OK if found and all(each.answer is not None for each in found) else Exit.NOT_MOUNTED


def standing_of(mount: which.ChosenMount) -> Standing:
    """How it stands, as its daemon tells it; without one that is told."""
    try:
        with mount.connect(silence_s=ANSWER_S) as control:
            return Standing(mount.profile, mount.shown(""), control.ask("status"))
    except (ControlUnavailable, ControlRefused) as error:
        return Standing(mount.profile, mount.shown("") or "-", None, str(error))


def _print(found: list[Standing]) -> None:
    for number, each in enumerate(found):
        click.echo("\n".join(["", *_page(each)] if number else _page(each)))
    if not found:
        click.echo("nothing is mounted", err=True)


def _page(standing: Standing) -> list[str]:
    return status_page.page(standing, now_s=time.time())


# ------------------------------------------------------------------------------------------------ watching


def _watched(look: Callable[[], list[Standing]]) -> int:
    try:
        if tables.is_shown():
            with _screen() as draw:
                watch(look, draw, lambda: time.sleep(WATCH_S))
        watch(look, _print_lines, lambda: time.sleep(LINES_S))
    except KeyboardInterrupt:
        return Exit.OK


def watch(
    look: Callable[[], list[Standing]], show: Callable[[list[Standing]], None], pause: Callable[[], None]
) -> NoReturn:
    """Shows what there is, again and again, until a pause is interrupted."""
    while True:
        show(look())
        pause()


def _print_lines(found: list[Standing]) -> None:
    for each in found:
        click.echo(status_page.line(each))
    if not found:
        click.echo("nothing is mounted")
    sys.stdout.flush()


@contextmanager
def _screen() -> Iterator[Callable[[list[Standing]], None]]:
    from rich.live import Live
    from rich.text import Text

    with Live(console=tables.console(), auto_refresh=False, transient=False) as live:

        def draw(found: list[Standing]) -> None:
            lines = [line for each in found for line in (*_page(each), "")]
            live.update(Text.from_ansi("\n".join(lines) or "nothing is mounted"), refresh=True)

        yield draw
