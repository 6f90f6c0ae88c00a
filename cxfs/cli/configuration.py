"""`cxfs config`: what the configuration file says and means, and one key of it changed; the rest of the file stays."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Final

import click

from cxfs import config
from cxfs.cli import arguments, tables
from cxfs.cli.words import parse_words

if TYPE_CHECKING:
    from cxfs.config import Config, Profile

DEFAULT: Final = "default_profile"
FLAGS: Final = ("allow_http",)
OPTIONS: Final = "options"
KEYS: Final = (DEFAULT, *config.PROFILE_KEYS)

WORDS: Final = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}

Value = str | bool | None

key = click.argument("key", type=click.Choice(KEYS), metavar="KEY")


@click.group("config", short_help="Show the configuration; change a key of it.")
def command() -> None:
    """Show what the configuration file says, or change one key: its comments, order and layout stay."""


@command.command("show")
@arguments.profile_option
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def show(profile_name: str | None, *, as_json: bool) -> None:
    """Show every profile, or one, with what is in force where the file says nothing."""
    found = config.load()
    shown = [found.profile(profile_name)] if profile_name is not None else list(found.profiles.values())
    if as_json:
        told = {"file": str(found.file), DEFAULT: found.default_profile}
        click.echo(json.dumps({**told, "profiles": {each.name: _values(each) for each in shown}}, indent=2))
        return
    tables.print_facts({"file": str(found.file), DEFAULT: found.default_profile or "-"})
    for each in shown:
        click.echo(f"\n{tables.bold(f'[profiles.{each.name}]')}")
        tables.print_facts({name: _shown(value) for name, value in _values(each).items()})
    if not shown:
        click.echo("no profiles: cxfs login --server URL makes one", err=True)


@command.command("set")
@arguments.profile_option
@key
@click.argument("value")
def change(profile_name: str | None, key: str, value: str) -> None:
    """Set KEY of a profile (the default one) to VALUE; `default_profile` is the file's own.

    A profile that is not there yet begins with its api_url. Keys: default_profile, api_url, data_url, auth_url,
    client_id, redirect_uri, ca_file, allow_http, token_file, token_command, mountpoint, options.
    """
    _changed(profile_name, key, _parsed(key, value))


@command.command("unset")
@arguments.profile_option
@key
def remove(profile_name: str | None, key: str) -> None:
    """Remove KEY of a profile: what is in force without it applies again."""
    _changed(profile_name, key, None)


def _changed(profile_name: str | None, key: str, value: Value) -> None:
    found = config.load()
    if key == DEFAULT:
        if profile_name is not None:
            raise click.UsageError(f"{DEFAULT} is no key of a profile: without --profile", click.get_current_context())
        config.with_default(found, None if value is None else str(value)).write()
        return
    name = _existing(found, profile_name) if key != "api_url" or value is None else found.name_of(profile_name)
    config.edited(found, name, {key: value}).write()


def _existing(found: Config, profile_name: str | None) -> str:
    """A profile that was misspelt is not to be added."""
    name = found.name_of(profile_name)
    if name not in found.profiles:
        raise config.ConfigError(
            f"no profile {name!r} in {found.file}: set its api_url first, or cxfs login --server URL"
        )
    return name


def _parsed(key: str, value: str) -> str | bool:
    if key == OPTIONS:
        parse_words([value])
    if key not in FLAGS:
        return value
    word = WORDS.get(value.lower())
    if word is None:
        raise click.UsageError(f"{key} is true or false, not {value!r}", click.get_current_context())
    return word


def _values(profile: Profile) -> dict[str, Value]:
    """By key, as they are in force."""
    values = {name: getattr(profile, name) for name in config.PROFILE_KEYS}
    return {name: os.fspath(value) if isinstance(value, os.PathLike) else value for name, value in values.items()}


def _shown(value: Value) -> str:
    if value is None:
        return "-"
    return str(value).lower() if isinstance(value, bool) else tables.printable(value)
