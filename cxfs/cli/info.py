"""`cxfs info`: everything that is known of a file or folder in a mount. Asks its daemon, and that the server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cxfs.cli import tables, which
from cxfs.cli.words import PLACE

if TYPE_CHECKING:
    from collections.abc import Mapping


@click.command("info", short_help="Show a file's UUID, version, owner, checksum and state.")
@click.option("--json", "as_json", is_flag=True, help="For programs; sizes in bytes, times in ms since the epoch.")
@click.argument("path", type=PLACE)
def command(path: Path, *, as_json: bool) -> None:
    """Show what is known of PATH in a mount: here and at the server.

    The state is that of `user.cx.status`: synced, pending, uploading, parked or conflict.
    """
    mount, place = which.mount_of(path)
    with mount.connect() as control:
        told = control.ask("info", path=place)
    if as_json:
        click.echo(json.dumps({**told, "path": mount.shown(place)}, indent=2))
        return
    tables.print_facts({name: tables.printable(value) for name, value in _facts(mount.shown(place), told).items()})
    if told["as_last_known"]:
        click.echo("the server does not answer: this is what was last known", err=True)


def _facts(shown: str, told: Mapping[str, Any]) -> dict[str, str]:
    reason = f": {told['reason']}" if told["reason"] else ""
    facts = {"path": shown, "kind": told["kind"], "state": f"{told['status']}{reason}"}
    if told["kind"] == "file":
        facts["size"] = f"{told['size']} bytes" + (f" ({tables.size(told['size'])})" if told["size"] >= 1024 else "")
    for name, key in (("modified", "modified_ms"), ("created", "created_ms")):
        if told[key]:
            facts[name] = tables.moment(told[key])
    if told["uuid"] is None:
        return {**facts, "uuid": "none yet: the server does not have it"}
    name_there = {"name there": told["name"]} if told["name"] != Path(shown).name and told["path"] else {}
    facts |= {"uuid": told["uuid"], "owner": told["owner"], "version": str(told["version"]), **name_there}
    facts |= {method: told[method] for method in ("sha1", "md5") if told[method]}
    if told["versions"] is not None:
        facts["versions"] = str(len(told["versions"]))
    return facts
