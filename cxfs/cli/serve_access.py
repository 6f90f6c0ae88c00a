"""`cxfs serve DIR app …`, `token`, `grants`, `revoke`, `audit`: what has access to accounts. Holds no rule of it."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import click

from cxfs.cli import tables
from cxfs.cli.exits import Exit, Refusal
from cxfs.cli.server_folder import Place, opened
from cxfs.cli.words import COUNT


@click.group()
def app() -> None:
    """Applications that may ask users for access."""


@app.command("add")
@click.option("--to", "file", type=click.Path(dir_okay=False, path_type=Path), help="Write both into this new file.")
@click.argument("name")
@click.argument("redirect_uris", metavar="[REDIRECT_URI]...", nargs=-1)
@click.pass_obj
def app_add(place: Place, file: Path | None, name: str, redirect_uris: tuple[str, ...]) -> None:
    """Register the application NAME; its secret is shown this once.

    REDIRECT_URI is where it wants answers sent. Without one it is a program on
    the user's machine, such as cxfs itself, which listens on the loopback
    address.
    """
    with opened(place) as store:
        from cxfs.server.administration import LOOPBACK_URIS, add_app

        if file is None:
            client_id, secret = add_app(store, name, redirect_uris or LOOPBACK_URIS)
            tables.print_facts({"client_id": client_id, "client_secret": secret})
            return
        # The file first: a secret that could not be written down could not be shown again either.
        descriptor = _new_file(file)
        try:
            client_id, secret = add_app(store, name, redirect_uris or LOOPBACK_URIS)
            os.write(descriptor, f'client_id = "{client_id}"\nclient_secret = "{secret}"\n'.encode())
        except BaseException:
            file.unlink()
            raise
        finally:
            os.close(descriptor)
        click.echo(client_id)


@app.command("list")
@click.pass_obj
def app_list(place: Place) -> None:
    """Show all applications, a line for each redirect URI."""
    with opened(place) as store:
        from cxfs.server.administration import list_apps

        tables.print_rows(
            ("name", "client_id", "redirect URI"),
            [(each.name, each.client_id, uri) for each in list_apps(store) for uri in each.redirect_uris or ("",)],
        )


@app.command("remove")
@click.argument("name")
@click.pass_obj
def app_remove(place: Place, name: str) -> None:
    """Forget the application NAME, and all access that it was given."""
    with opened(place) as store:
        from cxfs.server.administration import remove_app

        remove_app(store, name)


@click.command()
@click.argument("name")
@click.pass_obj
def token(place: Place, name: str) -> None:
    """Print a new access token for the user NAME; it is shown this once."""
    with opened(place) as store:
        from cxfs.server.administration import issue_token

        click.echo(issue_token(store, name))


@click.command()
@click.argument("name")
@click.pass_obj
def grants(place: Place, name: str) -> None:
    """Show what has access to the account NAME."""
    with opened(place) as store:
        from cxfs.server.administration import list_grants

        tables.print_rows(
            ("application", "client_id", "tokens", "since", "last used"),
            [
                (
                    each.name or "(made by the host)",
                    each.client_id,
                    str(each.tokens),
                    _moment(each.since_ms)[:10],
                    _moment(each.used_ms)[:10] if each.used_ms else "never",
                )
                for each in list_grants(store, name)
            ],
        )


@click.command()
@click.argument("name")
@click.argument("app_name", metavar="[APP]", required=False)
@click.pass_obj
def revoke(place: Place, name: str, app_name: str | None) -> None:
    """End the access of APP to the account NAME, or of everything."""
    with opened(place) as store:
        from cxfs.server.administration import revoke_app, revoke_tokens

        count = revoke_tokens(store, name) if app_name is None else revoke_app(store, name, app_name)
        click.echo(f"{count} {'token' if count == 1 else 'tokens'} revoked")


@click.command()
@click.option("--limit", type=COUNT, default="100", show_default=True, help="So many events, the last ones.")
@click.argument("name", required=False)
@click.pass_obj
def audit(place: Place, limit: int, name: str | None) -> None:
    """Show who signed in and what was granted: to NAME, or to all."""
    with opened(place) as store:
        from cxfs.server.administration import list_events

        tables.print_rows(
            ("when (UTC)", "what", "account", "application", "from"),
            [
                (_moment(each.at_ms), each.event, each.user, each.app, each.address or "the host")
                for each in list_events(store, name, limit)
            ],
        )


def _new_file(path: Path) -> int:
    """A descriptor of a file that only its owner may read, and that was not there before."""
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError as error:
        raise Refusal(Exit.FAILED, f"{path} exists already, and nothing is overwritten") from error


def _moment(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds // 1_000, UTC).strftime("%Y-%m-%d %H:%M:%S")
