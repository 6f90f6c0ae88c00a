"""`cxfs log-level`: how much a running mount logs, changed as it runs. The log itself is a file beside its journal."""

from __future__ import annotations

import json

import click

from cxfs.cli import arguments, logs, which


@click.command("log-level", short_help="Change how much a running mount logs.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.argument("level", type=click.Choice(logs.LEVELS, case_sensitive=False))
@arguments.mount_argument
def command(level: str, mount: str | None, *, as_json: bool) -> None:
    """Have a mount (the only one, or that of a path or profile) log from LEVEL on, until it ends.

    At no level does the access token stand in the log.
    """
    chosen = which.named(mount) if mount is not None else which.chosen([], None)[0]
    with chosen.connect() as control:
        told = control.ask("log-level", level=level)
    if as_json:
        click.echo(json.dumps({"profile": chosen.profile, **told}))
    else:
        click.echo(f"{chosen.profile} logs {told['level']} now, before {told['before']}", err=True)
