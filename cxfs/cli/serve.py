"""`cxfs serve DIR`: the CX server, and what its host does to the accounts in it. Holds no rule of either."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from cxfs.cli import tables
from cxfs.cli.exits import Exit, Refusal, ServerExtraMissing
from cxfs.cli.words import COUNT, SIZE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cxfs.server.administration import Carried, Role, Store

PORT: Final = 8443
ROLES: Final[tuple[Role, ...]] = ("owner", "writer", "reader")


@contextlib.contextmanager
def opened(directory: Path, *, extra: str = "server") -> Iterator[Store]:
    """The server's folder, made at first use; what is wrong with it, or with what is asked of it, is one line."""
    with in_one_line(extra):
        from cxfs.server.administration import open_store

        with open_store(directory) as store:
            yield store


@contextlib.contextmanager
def in_one_line(extra: str = "server") -> Iterator[None]:
    """The server's own errors as the command line's; a package that is missing comes with `cxfs[extra]`."""
    try:
        from cxfs.server.errors import ServerError
    except ImportError as error:
        raise _extra_missing(error, extra) from error
    try:
        yield
    except ServerError as error:
        raise Refusal(Exit.FAILED, str(error)) from error
    except ImportError as error:
        raise _extra_missing(error, extra) from error


def _extra_missing(error: ImportError, extra: str) -> ServerExtraMissing:
    return ServerExtraMissing(f"the {extra}'s packages are not installed ({error.name}): pip install 'cxfs[{extra}]'")


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
@click.option("--insecure", is_flag=True, help="Plain HTTP, on a loopback address only.")
@click.argument("directory", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.pass_context
def command(
    ctx: click.Context, directory: Path, host: str, port: int, names: tuple[str, ...], workers: int, *, insecure: bool
) -> None:
    """Serve the accounts in the folder DIR, which is made at first use, until Ctrl-C.

    \b
    cxfs serve DIR user add ann         an account
    cxfs serve DIR token ann            an access token for it
    cxfs serve DIR import ann ~/files   its first files, without the network
    cxfs serve DIR                      the server itself, over TLS
    """  # noqa: D301 - click's mark for lines that it must not join
    ctx.obj = directory
    if ctx.invoked_subcommand is not None:
        return
    with in_one_line():
        from cxfs.server.serving import serve

        def on_ready(url: str) -> None:
            click.echo(f"{directory} is served at {url}")
            if not insecure:
                click.echo(f"its CA, for a profile's ca_file: {directory.absolute() / 'tls' / 'ca.pem'}")

        serve(directory, host=host, port=port, insecure=insecure, names=names, workers=workers, on_ready=on_ready)


# ---------------------------------------------------------------- users


@command.group()
def user() -> None:
    """Accounts."""


@user.command("add")
@click.option("--email", default="", help="Shown in the profile.")
@click.option("--quota", "quota_bytes", type=SIZE, default="10G", show_default=True)
@click.option("--password", "with_password", is_flag=True, help="Ask for a password, for signing in.")
@click.argument("name")
@click.pass_obj
def user_add(directory: Path, name: str, email: str, quota_bytes: int, *, with_password: bool) -> None:
    """Make the account NAME."""
    password = click.prompt("Password", hide_input=True, confirmation_prompt=True) if with_password else None
    with opened(directory) as store:
        from cxfs.server.administration import add_user

        click.echo(add_user(store, name, password=password, quota_bytes=quota_bytes, email=email))


@user.command("list")
@click.pass_obj
def user_list(directory: Path) -> None:
    """Show all accounts."""
    with opened(directory) as store:
        from cxfs.server.administration import list_users

        tables.print_rows(
            ("name", "uuid", "used", "quota", "state"),
            [
                (
                    account.name,
                    account.id,
                    tables.size(account.consumed),
                    tables.size(account.capacity),
                    "suspended" if account.suspended else "active",
                )
                for account in list_users(store)
            ],
        )


@user.command("suspend")
@click.argument("name")
@click.pass_obj
def user_suspend(directory: Path, name: str) -> None:
    """Refuse NAME's tokens; nothing is deleted."""
    with opened(directory) as store:
        from cxfs.server.administration import suspend_user

        suspend_user(store, name)


@user.command("unsuspend")
@click.argument("name")
@click.pass_obj
def user_unsuspend(directory: Path, name: str) -> None:
    """Take NAME's tokens again."""
    with opened(directory) as store:
        from cxfs.server.administration import unsuspend_user

        unsuspend_user(store, name)


@user.command("quota")
@click.argument("name")
@click.argument("quota_bytes", metavar="SIZE", type=SIZE)
@click.pass_obj
def user_quota(directory: Path, name: str, quota_bytes: int) -> None:
    """Let NAME keep SIZE, such as 500M or 2T."""
    with opened(directory) as store:
        from cxfs.server.administration import set_quota

        set_quota(store, name, quota_bytes)


# ---------------------------------------------------------------- groups and applications


@command.group()
def group() -> None:
    """Groups, whose files several users share."""


@group.command("add")
@click.option("--quota", "quota_bytes", type=SIZE, default="10G", show_default=True)
@click.argument("name")
@click.argument("owner")
@click.pass_obj
def group_add(directory: Path, name: str, owner: str, quota_bytes: int) -> None:
    """Make the group NAME; the user OWNER is its first member."""
    with opened(directory) as store:
        from cxfs.server.administration import add_group

        click.echo(add_group(store, name, owner=owner, quota_bytes=quota_bytes))


@group.command("member")
@click.option("--remove", is_flag=True, help="Take the user out of the group.")
@click.argument("name")
@click.argument("user_name", metavar="USER")
@click.argument("role", type=click.Choice(ROLES), default="writer")
@click.pass_obj
def group_member(directory: Path, name: str, user_name: str, role: Role, *, remove: bool) -> None:
    """Give USER a ROLE in the group NAME: owner, writer (the default) or reader."""
    with opened(directory) as store:
        from cxfs.server import administration

        if remove:
            administration.remove_member(store, name, user_name)
        else:
            administration.set_member(store, name, user_name, role)


@command.group()
def app() -> None:
    """Applications that may ask users for access."""


@app.command("add")
@click.argument("name")
@click.argument("redirect_uris", metavar="REDIRECT_URI", nargs=-1, required=True)
@click.pass_obj
def app_add(directory: Path, name: str, redirect_uris: tuple[str, ...]) -> None:
    """Register the application NAME; its secret is shown this once."""
    with opened(directory) as store:
        from cxfs.server.administration import add_app

        client_id, secret = add_app(store, name, redirect_uris)
    tables.print_facts({"client_id": client_id, "client_secret": secret})


@command.command()
@click.argument("name")
@click.pass_obj
def token(directory: Path, name: str) -> None:
    """Print a new access token for the user NAME; it is shown this once."""
    with opened(directory) as store:
        from cxfs.server.administration import issue_token

        click.echo(issue_token(store, name))


# ---------------------------------------------------------------- whole trees


@command.command("import")
@click.argument("name")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("to", metavar="[PATH]", default="/")
@click.pass_obj
def import_(directory: Path, name: str, folder: Path, to: str) -> None:
    """Carry everything below FOLDER into the account NAME, at PATH."""
    total_bytes = sum(file.lstat().st_size for file in folder.rglob("*") if file.is_file())
    with opened(directory) as store, tables.counting("importing", total_bytes=total_bytes) as progress:
        from cxfs.server.administration import import_tree

        carried = import_tree(store, name, folder, to, progress=progress)
    _report(carried)


@command.command()
@click.argument("name")
@click.argument("path")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.pass_obj
def export(directory: Path, name: str, path: str, folder: Path) -> None:
    """Carry PATH of the account NAME into FOLDER, which is made or is empty."""
    with opened(directory) as store, tables.counting("exporting") as progress:
        from cxfs.server.administration import export_tree

        carried = export_tree(store, name, path, folder, progress=progress)
    _report(carried)


def _report(carried: Carried) -> None:
    for line in carried.skipped:
        click.echo(f"left out: {line}", err=True)
    click.echo(f"{carried.files} files, {carried.folders} folders, {tables.size(carried.bytes)}")
