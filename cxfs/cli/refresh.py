"""`cxfs refresh`: the next look at a place asks the server, whatever is believed of it. Looks at nothing itself."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

import click

from cxfs.cli import tables, which
from cxfs.cli.words import PLACE


@click.command("refresh", short_help="Ask the server anew what is in a folder.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.argument("path", type=PLACE)
def command(path: Path, *, as_json: bool) -> None:
    """Forget what is believed of PATH in a mount and of all below it: names, sizes and times.

    The next look asks the server, and sees at once what others changed there. Content is kept: it goes by version.
    """
    mount, place = which.mount_of(path)
    shown = mount.shown(place)
    with mount.connect() as control:
        inhabited = working_folders(Path(shown))
        told = control.ask("refresh", path=place)
    for each in (shown, *inhabited):
        with contextlib.suppress(OSError):
            os.lstat(each)
    if as_json:
        click.echo(json.dumps({"path": shown, "forgotten": told["count"]}))
    else:
        click.echo(f"{tables.counted(told['count'], 'name')} forgotten", err=True)


def working_folders(place: Path, proc: Path = Path("/proc")) -> set[str]:
    """Those of programs at and below a place, as far as this user may see: read from links, which asks no file system.

    Of a folder whose name the kernel has forgotten, `pwd` fails until somebody has looked it up by name again.
    """
    found = set()
    for process in proc.iterdir():
        if process.name.isdigit():
            with contextlib.suppress(OSError):
                found.add(str((process / "cwd").readlink()))
    return {folder for folder in found if Path(folder).is_relative_to(place)}
