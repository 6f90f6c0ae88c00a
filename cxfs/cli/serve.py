"""`cxfs serve DIR`: the CX server, and what its host does to the accounts in it. Holds no rule of either."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from cxfs.cli import tables
from cxfs.cli.serve_access import app, audit, grants, revoke, token
from cxfs.cli.serve_accounts import group, user
from cxfs.cli.server_folder import Place, in_one_line, opened
from cxfs.cli.words import COUNT

if TYPE_CHECKING:
    from cxfs.server.administration import Carried

PORT: Final = 8443


class OptionsOnEitherSide(click.Group):
    """`cxfs serve DIR --port 9000` means what `cxfs serve --port 9000 DIR` does."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """What follows DIR is a command or the rest of the options, never both."""
        if len(args) > 1 and args[1].startswith("-") and not args[0].startswith("-"):
            args = [*args[1:], args[0]]
        return super().parse_args(ctx, args)


@click.group("serve", cls=OptionsOnEitherSide, invoke_without_command=True, short_help="Host a CX server in a folder.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option("--port", type=click.IntRange(1, 65535), default=PORT, show_default=True)
@click.option("--name", "names", multiple=True, help="A further name for the certificate; may be repeated.")
@click.option("--workers", type=COUNT, default="1", show_default=True, help="Processes that answer.")
@click.option(
    "--database",
    metavar="URL",
    envvar="CXFS_SERVER_DATABASE",
    help="PostgreSQL for the tables instead of a file in DIR: postgresql://USER@HOST/NAME.",
)
@click.option(
    "--content",
    metavar="URL",
    envvar="CXFS_SERVER_CONTENT",
    help="A bucket for large contents instead of a folder in DIR: s3://BUCKET/PREFIX.",
)
@click.option("--insecure", is_flag=True, help="Plain HTTP, on a loopback address only.")
@click.argument("directory", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.pass_context
def command(
    ctx: click.Context,
    directory: Path,
    host: str,
    port: int,
    names: tuple[str, ...],
    workers: int,
    database: str | None,
    content: str | None,
    *,
    insecure: bool,
) -> None:
    """Serve the accounts in the folder DIR, which is made at first use, until Ctrl-C.

    \b
    cxfs serve DIR user add ann --password   an account
    cxfs serve DIR app add cxfs              an application, such as this one
    cxfs serve DIR import ann ~/files        first files, without the network
    cxfs serve DIR                           the server itself, over TLS
    """  # noqa: D301 - click's mark for lines that it must not join
    ctx.obj = Place(directory, database, content)
    if ctx.invoked_subcommand is not None:
        return
    with in_one_line():
        from cxfs.server.serving import serve

        serve(
            directory,
            host=host,
            port=port,
            insecure=insecure,
            names=names,
            workers=workers,
            database=database,
            content=content,
            on_ready=partial(_announce, directory, insecure),
        )


def _announce(directory: Path, insecure: bool, url: str) -> None:  # noqa: FBT001 - bound by position
    from cxfs.server.certificates import fingerprint_of

    click.echo(f"{directory} is served at {url}")
    if not insecure:
        authority = directory.absolute() / "tls" / "ca.pem"
        click.echo(f"its CA, for a profile's ca_file: {authority}")
        click.echo(f"its SHA-256 fingerprint: {fingerprint_of(authority)}")


for each in (user, group, app, token, grants, revoke, audit):
    command.add_command(each)


# ---------------------------------------------------------------- whole trees


@command.command("import")
@click.argument("name")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("to", metavar="[PATH]", default="/")
@click.pass_obj
def import_(place: Place, name: str, folder: Path, to: str) -> None:
    """Carry everything below FOLDER into the account NAME, at PATH."""
    total_bytes = sum(file.lstat().st_size for file in folder.rglob("*") if file.is_file())
    with opened(place) as store, tables.counting("importing", total_bytes=total_bytes) as progress:
        from cxfs.server.administration import import_tree

        carried = import_tree(store, name, folder, to, progress=progress)
    _report(carried)


@command.command()
@click.argument("name")
@click.argument("path")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.pass_obj
def export(place: Place, name: str, path: str, folder: Path) -> None:
    """Carry PATH of the account NAME into FOLDER, which is made or is empty."""
    with opened(place) as store, tables.counting("exporting") as progress:
        from cxfs.server.administration import export_tree

        carried = export_tree(store, name, path, folder, progress=progress)
    _report(carried)


@command.command()
@click.option("--to", metavar="URL", required=True, help="The database, which is empty: postgresql://USER@HOST/NAME.")
@click.option("--content", "to_content", metavar="URL", help="A bucket for large contents: s3://BUCKET/PREFIX.")
@click.pass_obj
def migrate(place: Place, to: str, to_content: str | None) -> None:
    """Carry everything in DIR over to PostgreSQL, and to a bucket.

    While it is not being served. Every byte and row is compared in the end.
    Broken off, it goes on where it was. DIR keeps what it has, and from then
    on is served with --database and --content only.
    """
    with in_one_line("team"), tables.counting_stages() as begins:
        from cxfs.server.administration import migrate as carry_over

        migrated = carry_over(place.directory, to, to_content, begins=begins)
    click.echo(
        f"{migrated.contents} contents, {tables.size(migrated.bytes)}, carried over; {migrated.rows} rows compared"
    )


@command.command()
@click.pass_obj
def restored(place: Place) -> None:
    """Say that DIR, or its database, was put back from a backup.

    Before it is served again: mounts then ask anew for what they were told
    after that backup was made.
    """
    with opened(place) as store:
        from cxfs.server.administration import note_restored

        note_restored(store)


def _report(carried: Carried) -> None:
    for line in carried.skipped:
        click.echo(f"left out: {line}", err=True)
    click.echo(f"{carried.files} files, {carried.folders} folders, {tables.size(carried.bytes)}")
