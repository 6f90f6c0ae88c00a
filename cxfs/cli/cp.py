"""`cxfs cp`: the server makes a copy within a mount; no content travels. What is there already is not replaced."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from cxfs.cli import bars, which
from cxfs.cli.sync import teller
from cxfs.cli.words import PLACE

if TYPE_CHECKING:
    from pathlib import Path


@click.command("cp", short_help="Copy within a mount, by the server.")
@click.option("-r", "-R", "--recursive", is_flag=True, help="Copy a folder with all below it.")
@click.option("--json", "as_json", is_flag=True, help="For programs: where the copy is, and its UUID.")
@click.option("-q", "--quiet", is_flag=True, help="No bar and no lines but errors.")
@click.argument("source", type=PLACE)
@click.argument("target", type=PLACE)
def command(source: Path, target: Path, *, recursive: bool, as_json: bool, quiet: bool) -> None:
    """Copy SOURCE to TARGET, or into it where that is a folder. Both are in one mount.

    However large it is, that takes one request. What the server does not have yet of SOURCE is sent first. Nothing is
    overwritten: cp(1) makes a new version of a file that is there.
    """
    (mount, place), (other, to) = which.mount_of(source), which.mount_of(target)
    if mount != other:
        raise which.NoSuchMount(f"{target} is in another mount: use cp for that")
    with bars.watching(quiet=quiet) as watch, mount.connect() as control:
        copied = control.ask("copy", path=place, to=to, recursive=recursive, on_progress=teller(watch))
    if as_json:
        click.echo(json.dumps({**copied, "path": mount.shown(copied["path"])}))
