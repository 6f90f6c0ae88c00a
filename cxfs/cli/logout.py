"""`cxfs logout`: forgets the token that `cxfs login` kept. The service is not asked; there the grant goes on."""

from __future__ import annotations

import click

from cxfs import config
from cxfs.cli import arguments, profiles
from cxfs.cli.exits import Exit, Refusal


@click.command("logout", short_help="Forget the token of a profile.")
@arguments.profile_option
def command(profile_name: str | None) -> None:
    """Remove what `cxfs login` kept of the profile: token, client id and secret. A mount of it goes on until it ends.

    The service still honours the token; what has it elsewhere is ended at the service's own page of applications.
    """
    name = config.load().name_of(profile_name)
    places = profiles.stores().remove(name)
    if not places:
        raise Refusal(Exit.SIGNED_OUT, f"{name} was not signed in: nothing of it is kept here")
    click.echo(f"{name} is signed out: removed from {' and '.join(place.name for place in places)}")
