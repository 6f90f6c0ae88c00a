"""`cxfs whoami`: whose account a profile speaks for. Asks the server; keeps nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from cxfs.cli import arguments, profiles, tables
from cxfs.remote.redaction import printable

if TYPE_CHECKING:
    from cxfs.service import WhoAmI


@click.command("whoami", short_help="Show the account, its plan, its quota and its groups.")
@arguments.profile_option
@click.option("--json", "as_json", is_flag=True, help="For programs; sizes in bytes.")
def command(profile_name: str | None, *, as_json: bool) -> None:
    """Show the account that the profile's access token belongs to."""
    profile = profiles.chosen(profile_name)
    access = profiles.access_to(profile)
    from cxfs import service
    from cxfs.cli import logs

    logs.configure("warning", None, access.known_secrets)
    with profiles.absence_explained(profile), profiles.refusal_explained(access.source):
        found = service.whoami(profile, access.token, access.client_id)
    where = {
        "token": access.found_in,
        "server": profile.api_url,
        "ca": "this machine's own" if profile.ca_file is None else str(profile.ca_file),
        "profile": profile.name,
    }
    if as_json:
        click.echo(json.dumps(_as_json(found) | where, indent=2, ensure_ascii=False))
    else:
        tables.print_facts(_facts(found) | where)


def _facts(found: WhoAmI) -> dict[str, str]:
    account = found.account
    facts = {"user": account.username or account.id, "uuid": account.id}
    if account.email:
        facts["e-mail"] = account.email
    if account.plan:
        facts["plan"] = account.plan
    if account.capacity_bytes is not None:
        used, capacity = account.consumed_bytes or 0, account.capacity_bytes
        facts["quota"] = f"{tables.fill(used, capacity)}{tables.size(used)} of {tables.size(capacity)} used"
    groups = [f"{group.name} ({group.role})" if group.role else group.name for group in found.groups]
    facts["groups"] = printable(", ".join(groups)) or "none"
    return facts


def _as_json(found: WhoAmI) -> dict[str, object]:
    account = found.account
    return {
        "id": account.id,
        "username": account.username,
        "email": account.email,
        "plan": account.plan,
        "active": account.is_active,
        "capacity_bytes": account.capacity_bytes,
        "consumed_bytes": account.consumed_bytes,
        "groups": [{"id": group.id, "name": group.name, "role": group.role} for group in found.groups],
    }
