"""`cxfs uploads`: what the server does not have yet and why, and what to do about what it does not take.

Of a mount that runs by its control socket; of one that does not, its journal is read, which takes no decision away from
the next mount.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from cxfs.cli import arguments, tables, which
from cxfs.cli.exits import Exit, Refusal
from cxfs.cli.listing import ListingGroup
from cxfs.cli.words import PLACE
from cxfs.control.client import ControlClient, ControlRefused
from cxfs.core.errors import NotFound
from cxfs.core.pending import Kind, Pending, Status, lies_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cxfs.leftovers import StoppedMount

EXPORT_SILENCE_S: Final = 120.0
"""What is missing of a file is fetched from the server first, in pieces that each have a deadline of a minute."""

json_option = click.option("--json", "as_json", is_flag=True, help="For programs; sizes in bytes, ages in seconds.")
some_paths = click.argument("paths", nargs=-1, type=PLACE)


@click.group("uploads", cls=ListingGroup, short_help="Show what is not at the server yet; retry, export, discard.")
def command() -> None:
    """Show what the server does not have yet, and why: cxfs uploads [--json] [PATH…].

    Of the mount that PATHs are in, of the profile, or of the only mount there is; it need not run.
    """


@command.command("list", hidden=True)
@arguments.profile_option
@json_option
@some_paths
def show(paths: tuple[Path, ...], profile_name: str | None, *, as_json: bool) -> None:
    """Show what is at or below PATHs (all, without any) and not at the server yet."""
    mount, places = which.chosen(paths, profile_name)
    rows = _at(_rows_of(mount), places)
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], indent=2))
        return
    for row in rows:
        click.echo(_line(row))
        if row.reason:
            click.echo(f"           {tables.printable(row.reason)}")
    if not rows:
        click.echo(f"everything of {mount.profile} is at the server", err=True)
    elif not mount.is_running:
        click.echo(f"{mount.profile} is not mounted: the next mount goes on with these", err=True)


@command.command("retry")
@arguments.profile_option
@some_paths
def retry(paths: tuple[Path, ...], profile_name: str | None) -> None:
    """Try again now: what is parked at or below PATHs, and what waits for a pause to end (all, without any)."""
    mount, places = which.chosen(paths, profile_name)
    with _running(mount) as control:
        ids = [row.id for row in _chosen(_asked(control), places, paths)] if places else None
        count = control.ask("retry", ids=ids)["count"]
    click.echo(f"{count} tried again; cxfs sync waits for the end", err=True)


@command.command("export")
@arguments.profile_option
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@some_paths
def export(folder: Path, paths: tuple[Path, ...], profile_name: str | None) -> None:
    """Copy the content of what waits or is parked into FOLDER, under its paths; nothing is overwritten.

    Where a part of a file is at the server only and cannot be fetched, the copy's name ends in .incomplete.
    """
    mount, places = which.chosen(paths, profile_name)
    rows = [row for row in _chosen(_rows_of(mount), places, paths) if row.kind is Kind.UPLOAD]
    failures = 0
    with _stopped(mount) as stopped:
        for row in rows:
            if row.status is Status.SET_ASIDE:
                failures += 1
                told = f"{tables.printable(row.path)}: its journal row cannot be read: {row.reason}"
                click.echo(f"cxfs: {told}", err=True)
            else:
                failures += not _exported(mount, stopped, row, folder)
    if failures:
        raise Refusal(Exit.FAILED, f"{failures} of {len(rows)} files were not exported whole")


@command.command("discard")
@arguments.profile_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.argument("paths", nargs=-1, required=True, type=PLACE)
def discard(paths: tuple[Path, ...], profile_name: str | None, *, yes: bool) -> None:
    """Drop the parked uploads at or below PATHs for good: those files are again what the server has, or gone."""
    mount, places = which.chosen(paths, profile_name)
    with _running(mount) as control:
        parked = [row for row in _chosen(_asked(control), places, paths) if row.status is Status.PARKED]
        if not parked:
            raise Refusal(Exit.FAILED, f"nothing is parked at {paths[0]}: cxfs uploads shows what waits")
        for row in parked:
            click.echo(_line(row), err=True)
        if not yes:
            click.confirm(f"Discard {tables.counted(len(parked), 'change')} for good?", abort=True, err=True)
        for row in parked:
            control.ask("discard", id=row.id)
    click.echo(f"{tables.counted(len(parked), 'change')} discarded", err=True)


# ------------------------------------------------------------------------------------------------ rows


def _running(mount: which.ChosenMount) -> ControlClient:
    if not mount.is_running:
        raise which.NoSuchMount(f"{mount.profile} is not mounted: mount it first, then decide")
    return mount.connect()


def _rows_of(mount: which.ChosenMount) -> list[Pending]:
    if mount.is_running:
        with mount.connect() as control:
            return _asked(control)
    with _stopped(mount) as stopped:
        return stopped.rows()


def _stopped(mount: which.ChosenMount) -> contextlib.closing[StoppedMount]:
    """The mount as its journal shows it while no daemon runs; nothing is read before it is asked."""
    from cxfs.leftovers import StoppedMount

    root = mount.record.root if mount.record is not None else "/"
    return contextlib.closing(StoppedMount(mount.state_folder, root=root))


def _asked(control: ControlClient) -> list[Pending]:
    rows: list[Pending] = []

    def take(news: Mapping[str, Any]) -> None:
        rows.extend(_row(raw) for raw in news["rows"])

    control.ask("uploads", on_progress=take)
    return rows


def _row(raw: Mapping[str, Any]) -> Pending:
    return Pending(**{**raw, "kind": Kind(raw["kind"]), "status": Status(raw["status"])})


def _at(rows: Iterable[Pending], places: Sequence[str]) -> list[Pending]:
    return [row for row in rows if not places or any(lies_in(row.path, place) for place in places)]


def _chosen(rows: list[Pending], places: Sequence[str], paths: Sequence[Path]) -> list[Pending]:
    """Those at or below the places; raises Refusal for a place where nothing waits."""
    for path, place in zip(paths, places, strict=True):
        if not _at(rows, [place]):
            raise Refusal(Exit.FAILED, f"{path}: nothing waits there; it is at the server, or is not there")
    return _at(rows, places)


def _line(row: Pending) -> str:
    what = "" if row.kind is Kind.UPLOAD else f"({row.kind}) "
    tries = f"{row.attempts}x" if row.attempts else ""
    size = tables.size(row.size) if row.kind is Kind.UPLOAD else ""
    return f"{row.status:<9} {tables.age(row.age_s):>6} {tries:>4} {size:>9}  {what}{tables.printable(row.path)}"


# ------------------------------------------------------------------------------------------------ content


def _exported(mount: which.ChosenMount, stopped: StoppedMount, row: Pending, folder: Path) -> bool:
    """Whether it is there whole; what was sent meanwhile is safe, and counts as such."""
    from cxfs.cli import exporting

    def ask() -> Mapping[str, Any]:
        return _content(mount, stopped, row.id)

    try:
        target = exporting.export(ask, folder)
    except NotFound:
        return True
    except exporting.ExportTrouble as error:
        click.echo(f"cxfs: {tables.printable(str(error))}", err=True)
        return False
    click.echo(tables.printable(str(target)))
    return target.suffix != exporting.INCOMPLETE


def _content(mount: which.ChosenMount, stopped: StoppedMount, change_id: str) -> Mapping[str, Any]:
    if mount.is_running:
        with mount.connect(silence_s=EXPORT_SILENCE_S) as control:
            try:
                return control.ask("export", id=change_id)
            except ControlRefused as error:
                raise NotFound(str(error)) from error
    return stopped.content(change_id)
