"""`cxfs versions` and `cxfs restore`: what a file was before, and how it becomes that again. The server keeps them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from cxfs.cli import bars, tables, which
from cxfs.cli.words import PLACE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@click.command("versions", short_help="List the former versions of a file.")
@click.option("--json", "as_json", is_flag=True, help="For programs; sizes in bytes, times in ms since the epoch.")
@click.argument("path", type=PLACE)
def command(path: Path, *, as_json: bool) -> None:
    """List the versions of the file PATH that the server keeps, the current one first."""
    mount, place = which.mount_of(path)
    with mount.connect() as control:
        versions = control.ask("versions", path=place)["versions"]
    if as_json:
        click.echo(json.dumps(versions, indent=2))
        return
    tables.print_rows(
        ("version", "modified", "size", "sha1"),
        [
            (str(each["version"]), tables.moment(each["modified_ms"]), tables.size(each["size"]), each["sha1"] or "-")
            for each in versions
        ],
    )


@click.command("restore", short_help="Make a former version of a file the current one.")
@click.option("-n", "--version", "version", type=click.IntRange(min=0), required=True, metavar="N", help="Which one.")
@click.option("--json", "as_json", is_flag=True, help="For programs: the version that it is now, and its size.")
@click.option("-q", "--quiet", is_flag=True, help="No bar and no lines but errors.")
@click.argument("path", type=PLACE)
def restore(path: Path, version: int, *, as_json: bool, quiet: bool) -> None:
    """Make version N of the file PATH (see cxfs versions) its next one; return when the server has it.

    The version of now is kept as the former ones are. A file with changes that the server does not have is refused, and
    so is one that somebody else changes meanwhile.
    """
    mount, place = which.mount_of(path)
    with bars.watching(quiet=quiet) as watch, mount.connect() as control:

        def tell(news: Mapping[str, Any]) -> None:
            watch.tell(files=1, left_bytes=news["bytes_left"])

        result = control.ask("restore", path=place, version=version, on_progress=tell)
    if as_json:
        click.echo(json.dumps({"path": mount.shown(place), **result}))
    elif not quiet:
        click.echo(f"version {version} is the current one now, as version {result['version']}", err=True)
