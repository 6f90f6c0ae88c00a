"""`cxfs profiles`: which accounts are configured here, and how each stands. Asks no server."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import click

from cxfs import config, mounts
from cxfs.cli import profiles, tables
from cxfs.core.errors import CxfsError

if TYPE_CHECKING:
    from cxfs.config import Profile


@dataclass(frozen=True, slots=True)
class _Line:
    """One profile. `account` and `token` are None where nobody is signed in, `mountpoint` where it is not mounted."""

    name: str
    default: bool
    server: str
    account: str | None
    token: str | None
    mountpoint: str | None


@click.command("profiles", short_help="List the profiles: server, account, token, mount.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(*, as_json: bool) -> None:
    """List the profiles of the configuration file."""
    found = config.load()
    lines = [_line(profile, default=profile.name == _default(found)) for profile in found.profiles.values()]
    if as_json:
        click.echo(json.dumps([asdict(line) for line in lines], indent=2, ensure_ascii=False))
        return
    if not lines:
        click.echo(f"no profiles in {found.file}: cxfs login --server URL makes one", err=True)
        return
    tables.print_rows(
        ("", "profile", "server", "account", "token", "mounted at"),
        [
            ("*" if line.default else "", line.name, line.server, line.account or "-", line.token or "-",
             line.mountpoint or "-")
            for line in lines
        ],
    )  # fmt: skip


def _default(found: config.Config) -> str | None:
    try:
        return found.name_of(None)
    except config.ConfigError:
        return None


def _line(profile: Profile, *, default: bool) -> _Line:
    account, token = _signed_in(profile)
    state = config.state_folder(profile)
    record = mounts.read_record(state) if mounts.is_held(state) else None
    mountpoint = None if record is None else str(record.mountpoint)
    return _Line(profile.name, default, profile.api_url, account, token, mountpoint)


def _signed_in(profile: Profile) -> tuple[str | None, str | None]:
    """Who, as far as that is known without asking the server, and where the token is."""
    if profile.token_file is not None:
        return None, str(profile.token_file)
    if profile.token_command is not None:
        return None, "token_command"
    try:
        found = profiles.stores().load(profile.name)
    except CxfsError as error:
        return None, str(error)
    if found is None:
        return None, None
    sign_in, place = found
    return sign_in.account_name or sign_in.account_id, place.label
