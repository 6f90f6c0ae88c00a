"""A server whose certificate this machine does not know: shows the authority it offers, and pins it on consent.

Verification is never switched off; what a person agrees to is added to what is verified against.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from cxfs import config
from cxfs.cli import profiles
from cxfs.cli.exits import Exit, Refusal
from cxfs.core.errors import CxfsError, Untrusted
from cxfs.local.replacing import replace as replace_file

if TYPE_CHECKING:
    from pathlib import Path

    from cxfs.config import Profile
    from cxfs.signin import Authority


def agreed(profile: Profile, fingerprint: str | None) -> Path | None:
    """The file of an authority that the person agreed to, where the profile needs one; None when it trusts its server.

    `fingerprint` is one that was agreed to beforehand. Raises Refusal, CxfsError.
    """
    from cxfs import signin

    try:
        with profiles.absence_explained(profile):
            signin.greet(profile)
    except Untrusted as error:
        if profile.ca_file is not None:
            raise Refusal(
                Exit.UNREACHABLE,
                f"{error}: is {profile.ca_file}, the profile's ca_file, still that server's authority?",
            ) from error
        authority = _offered(profile, error)
        _agree(profile, authority, fingerprint)
        return _pinned(profile, authority)
    return None


def _offered(profile: Profile, reason: Untrusted) -> Authority:
    from cxfs import signin

    try:
        return signin.offered_authority(profile)
    except CxfsError as error:
        raise Refusal(
            Exit.UNREACHABLE,
            f"{reason}; if it is a private one, set ca_file in [profiles.{profile.name}] to its authority",
        ) from error


def _agree(profile: Profile, authority: Authority, agreed_fingerprint: str | None) -> None:
    """Returns when the person has compared it; raises Refusal."""
    if agreed_fingerprint is not None:
        if _plain(agreed_fingerprint) == _plain(authority.fingerprint):
            return
        raise Refusal(Exit.UNREACHABLE, f"the server's authority has another fingerprint: {authority.fingerprint}")
    if sys.stdin is None or not sys.stdin.isatty():
        raise Refusal(
            Exit.UNREACHABLE,
            f"this machine does not know the authority of {profile.api_url}: compare its fingerprint with the server's "
            f"host and give --ca-fingerprint {authority.fingerprint}",
        )
    click.echo(
        f"{profile.api_url} has a certificate by an authority of its own. The SHA-256 fingerprint of that is\n\n"
        f"  {authority.fingerprint}\n\nand the server's host sees the same when starting it (`cxfs serve`).",
        err=True,
    )
    if not click.confirm("Is it the same, and shall this profile trust it?", default=False, err=True):
        raise Refusal(Exit.UNREACHABLE, "the server's authority is not trusted, so nothing is sent to it")


def _plain(fingerprint: str) -> str:
    return fingerprint.replace(":", "").replace(" ", "").upper()


def _pinned(profile: Profile, authority: Authority) -> Path:
    """Kept beside the configuration, once it has proved good."""
    from cxfs import signin

    file = config.config_file().parent / "ca" / f"{profile.name}.pem"
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    replace_file(file, authority.pem, mode=0o644)
    try:
        signin.greet(replace(profile, ca_file=file))
    except CxfsError:
        file.unlink()
        raise
    return file
