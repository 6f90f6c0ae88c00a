"""`cxfs cache`: how much of what was read is kept here, and how often that sufficed; `clear` empties it.

Of a mount that runs by its control socket; of one that does not, what its folder holds.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cxfs import config
from cxfs.cli import arguments, tables, which
from cxfs.cli.listing import ListingGroup

if TYPE_CHECKING:
    from collections.abc import Mapping

some_path = click.argument("path", required=False, type=click.Path(path_type=Path))


@click.group("cache", cls=ListingGroup, short_help="Show what is kept of what was read; clear it.")
def command() -> None:
    """Show how much of what was read is kept on this machine: cxfs cache [--json] [PATH].

    Of the mount that PATH is in, of the profile, or of the only mount there is; it need not run.
    """


@command.command("list", hidden=True)
@arguments.profile_option
@click.option("--json", "as_json", is_flag=True, help="For programs; sizes in bytes.")
@some_path
def show(path: Path | None, profile_name: str | None, *, as_json: bool) -> None:
    """Show the cache of one mount: its size, its limit, and what came of it since the mount began."""
    mount = _chosen(path, profile_name)
    told = _told(mount)
    if as_json:
        click.echo(json.dumps({"profile": mount.profile, **told}, indent=2))
        return
    tables.print_facts(_facts(mount, told))


@command.command("clear")
@arguments.profile_option
@some_path
def clear(path: Path | None, profile_name: str | None) -> None:
    """Free what is kept; what a program has open stays until it is closed.

    What is not uploaded yet is no part of the cache, and is left alone.
    """
    mount = _chosen(path, profile_name)
    if mount.is_running:
        with mount.connect() as control:
            freed = control.ask("clear-cache")
    else:
        from cxfs.leftovers import StoppedCache

        freed = StoppedCache(_folder(mount), mount.state_folder).clear()
    click.echo(f"{tables.counted(freed['files'], 'file')} freed, {tables.size(freed['bytes'])}", err=True)


def _chosen(path: Path | None, profile_name: str | None) -> which.ChosenMount:
    mount, _ = which.chosen([] if path is None else [path], profile_name)
    return mount


def _folder(mount: which.ChosenMount) -> Path:
    return config.cache_folder(config.load().profile(mount.profile))


def _told(mount: which.ChosenMount) -> dict[str, Any]:
    """`mounted`, `folder`, and `counters` by what they count."""
    if mount.is_running:
        with mount.connect() as control:
            return {"mounted": True, **control.ask("cache")}
    from cxfs.leftovers import StoppedCache

    stopped = StoppedCache(_folder(mount), mount.state_folder)
    return {"mounted": False, "folder": str(stopped.folder), "counters": {"cache": stopped.counters()}}


def _facts(mount: which.ChosenMount, told: Mapping[str, Any]) -> dict[str, str]:
    """What people ask for first in words, then all other counters by what they are of and their names."""
    counters = {name: dict(group) for name, group in told["counters"].items()}
    cache = counters["cache"]
    held, limit = cache.pop("bytes_held"), cache.pop("bytes_max", None)
    files, is_open = cache.pop("files"), cache.pop("files_in_use", 0)
    facts = {
        "held": tables.size(held) if limit is None else f"{tables.fill(held, limit)}{_of(held, limit)}",
        "files": f"{files}, {is_open} of them open" if is_open else str(files),
    }
    if "hits" in cache:
        hits, misses = cache.pop("hits"), cache.pop("misses")
        facts["reads"] = f"{hits + misses}{_share(hits, hits + misses)}"
    for about, group in counters.items():
        facts |= {_label(name, about): _value(name, value) for name, value in group.items()}
    profile = mount.profile if told["mounted"] else f"{mount.profile}, not mounted"
    return {**facts, "folder": told["folder"], "profile": profile}


def _of(held: int, limit: int) -> str:
    return f"{tables.size(held)} of {tables.size(limit)}"


def _share(part: int, whole: int) -> str:
    return f", {100 * part // whole} % from the cache" if whole else ""


def _label(name: str, about: str) -> str:
    label = name.removesuffix("_bytes").replace("_", " ")
    return label if about == "cache" else f"{about}: {label}"


def _value(name: str, value: object) -> str:
    return tables.size(value) if name.endswith("_bytes") and isinstance(value, int) else str(value)
