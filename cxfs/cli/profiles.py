"""Which account a command speaks for: the profile, its token, and what to add when its server is not there."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import click

from cxfs import config, credentials
from cxfs.core.errors import Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator

option = click.option("-p", "--profile", "profile_name", metavar="NAME", help="Profile of the configuration file.")


def chosen(name: str | None) -> config.Profile:
    """The profile of that name, or the default one."""
    return config.load().profile(name)


def token_of(profile: config.Profile) -> credentials.AccessToken:
    """Its access token, from where the profile says."""
    return credentials.find_token(token_file=profile.token_file, token_command=profile.token_command)


@contextlib.contextmanager
def absence_explained(profile: config.Profile) -> Iterator[None]:
    """Says what to configure when the documented service is the one that does not answer."""
    try:
        yield
    except Unreachable as error:
        if not profile.is_of_the_documented_service:
            raise
        raise Unreachable(
            f"{error}; the service at cx.com is gone: "
            f"set api_url in [profiles.{profile.name}] of {config.config_file()}"
        ) from error
