"""`cxfs serve DIR user …` and `group …`: who has an account, and who shares one. Holds no rule of either."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from cxfs.cli import tables
from cxfs.cli.server_folder import Place, opened
from cxfs.cli.words import SIZE

if TYPE_CHECKING:
    from cxfs.server.administration import Role

ROLES: Final[tuple[Role, ...]] = ("owner", "writer", "reader")


PASSWORD_FILE: Final = click.option(
    "--password-file",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    help="Take the password from this file's first line (-: standard input).",
)


@click.group()
def user() -> None:
    """Accounts."""


@user.command("add")
@click.option("--email", default="", help="Shown in the profile.")
@click.option("--quota", "quota_bytes", type=SIZE, default="10G", show_default=True)
@click.option("--password", "with_password", is_flag=True, help="Ask for a password, for signing in.")
@PASSWORD_FILE
@click.argument("name")
@click.pass_obj
def user_add(
    place: Place, name: str, email: str, quota_bytes: int, password_file: Path | None, *, with_password: bool
) -> None:
    """Make the account NAME."""
    password = _password(password_file) if with_password or password_file else None
    with opened(place) as store:
        from cxfs.server.administration import add_user

        click.echo(add_user(store, name, password=password, quota_bytes=quota_bytes, email=email))


@user.command("password")
@PASSWORD_FILE
@click.argument("name")
@click.pass_obj
def user_password(place: Place, name: str, password_file: Path | None) -> None:
    """Give NAME a password, for signing in in a browser.

    Every browser in which NAME is signed in is signed out. Applications keep
    their access: see revoke.
    """
    with opened(place) as store:
        from cxfs.server.administration import account_named, set_password

        account_named(store, name)  # before anybody types a password for nobody
        set_password(store, name, _password(password_file))


@user.command("list")
@click.pass_obj
def user_list(place: Place) -> None:
    """Show all accounts."""
    with opened(place) as store:
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
def user_suspend(place: Place, name: str) -> None:
    """Refuse NAME's tokens; nothing is deleted."""
    with opened(place) as store:
        from cxfs.server.administration import suspend_user

        suspend_user(store, name)


@user.command("unsuspend")
@click.argument("name")
@click.pass_obj
def user_unsuspend(place: Place, name: str) -> None:
    """Take NAME's tokens again."""
    with opened(place) as store:
        from cxfs.server.administration import unsuspend_user

        unsuspend_user(store, name)


@user.command("quota")
@click.argument("name")
@click.argument("quota_bytes", metavar="SIZE", type=SIZE)
@click.pass_obj
def user_quota(place: Place, name: str, quota_bytes: int) -> None:
    """Let NAME keep SIZE, such as 500M or 2T."""
    with opened(place) as store:
        from cxfs.server.administration import set_quota

        set_quota(store, name, quota_bytes)


@click.group()
def group() -> None:
    """Groups, whose files several users share."""


@group.command("add")
@click.option("--quota", "quota_bytes", type=SIZE, default="10G", show_default=True)
@click.argument("name")
@click.argument("owner")
@click.pass_obj
def group_add(place: Place, name: str, owner: str, quota_bytes: int) -> None:
    """Make the group NAME; the user OWNER is its first member."""
    with opened(place) as store:
        from cxfs.server.administration import add_group

        click.echo(add_group(store, name, owner=owner, quota_bytes=quota_bytes))


@group.command("member")
@click.option("--remove", is_flag=True, help="Take the user out of the group.")
@click.argument("name")
@click.argument("user_name", metavar="USER")
@click.argument("role", type=click.Choice(ROLES), default="writer")
@click.pass_obj
def group_member(place: Place, name: str, user_name: str, role: Role, *, remove: bool) -> None:
    """Give USER a ROLE in the group NAME: owner, writer (the default) or reader."""
    with opened(place) as store:
        from cxfs.server import administration

        if remove:
            administration.remove_member(store, name, user_name)
        else:
            administration.set_member(store, name, user_name, role)


def _password(file: Path | None) -> str:
    """From the file, or typed twice and unseen."""
    if file is None:
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
    text = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    return text.partition(b"\n")[0].removesuffix(b"\r").decode("utf-8", "surrogateescape")
