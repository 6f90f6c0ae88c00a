"""Which account a command speaks for: the profile, its token, and what to add when its server is not there."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cxfs import config, credentials
from cxfs.core.errors import SignedOut, Unreachable
from cxfs.remote.redaction import KnownSecrets

if TYPE_CHECKING:
    from collections.abc import Iterator


def chosen(name: str | None) -> config.Profile:
    """The profile of that name, or the default one."""
    return config.load().profile(name)


def stores() -> credentials.Stores:
    """Where this machine keeps sign-ins, the keyring first."""
    return credentials.Stores(credentials.KeyringStore(), credentials.FileStore(config.credentials_folder()))


def source_of(profile: config.Profile) -> credentials.TokenSource:
    """Where its access token comes from, and a newer one later."""
    return credentials.TokenSource(
        profile.name,
        api_url=profile.api_url,
        token_file=profile.token_file,
        token_command=profile.token_command,
        stores=stores(),
    )


@dataclass(frozen=True, slots=True)
class Access:
    """What speaks for an account: the token of now, where a newer one is found, and what no log may show.

    `found_in` is where the token is kept, in words.
    """

    token: credentials.AccessToken
    found_in: str
    client_id: str | None
    source: credentials.TokenSource
    known_secrets: KnownSecrets


def access_to(profile: config.Profile) -> Access:
    """Raises CredentialsError."""
    source = source_of(profile)
    found = source.read()
    return Access(
        token=found.token,
        found_in=found.source,
        client_id=None if found.sign_in is None else found.sign_in.client_id,
        source=source,
        known_secrets=KnownSecrets(found.token.reveal()),
    )


@contextlib.contextmanager
def refusal_explained(source: credentials.TokenSource) -> Iterator[None]:
    """Says where the token is to be replaced that the server does not take."""
    try:
        yield
    except SignedOut as error:
        raise SignedOut(f"{error}; {source.remedy}") from error


@contextlib.contextmanager
def absence_explained(profile: config.Profile) -> Iterator[None]:
    """Says what to configure when the documented service is the one that does not answer."""
    try:
        yield
    except Unreachable as error:
        if not profile.is_of_the_documented_service:
            raise
        raise Unreachable(
            f"{error}; the service at cx.com is gone: cxfs login --server URL signs in elsewhere, "
            f"or set api_url in [profiles.{profile.name}] of {config.config_file()}"
        ) from error
