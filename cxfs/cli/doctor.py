"""`cxfs doctor`: looks at this machine, its mounts and an account, and says what to do about what it finds."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import click

from cxfs import config
from cxfs.cli import arguments, profiles, tables
from cxfs.cli.exits import Exit
from cxfs.config import ConfigError

if TYPE_CHECKING:
    from cxfs.credentials import AccessToken
    from cxfs.doctor.account import Account
    from cxfs.doctor.findings import Finding

COLOURS: Final = {"ok": "green", "note": "yellow", "problem": "red"}


@click.command("doctor", short_help="Look for what is wrong, and say what to do.")
@arguments.profile_option
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--here", is_flag=True, help="Ask no server: look at this machine and its mounts alone.")
def command(profile_name: str | None, *, as_json: bool, here: bool) -> int:
    """Look at this machine, its mounts, and the account of a profile with its server.

    The status is 1 when there is a problem. Each finding that is not in order comes with what to do about it.
    """
    findings = [*_here(), *([] if here else _of_the_account(profile_name))]
    if as_json:
        click.echo(json.dumps([asdict(each) for each in findings], indent=2, ensure_ascii=False))
    else:
        for each in findings:
            click.echo("\n".join(_lines(each)))
    return Exit.FAILED if any(each.level == "problem" for each in findings) else Exit.OK


def _here() -> list[Finding]:
    from cxfs.doctor import machine, mountpoints

    this = machine.Machine()
    about_mounts, answering = mountpoints.examined(mountpoints.Mounts(config.state_home()))
    return [
        machine.device(this),
        machine.helper(this),
        machine.allow_other(this),
        machine.disk(this, "disk", config.state_home()),
        *about_mounts,
        *machine.indexers(this, answering),
    ]


def _of_the_account(profile_name: str | None) -> list[Finding]:
    from cxfs.doctor import account
    from cxfs.doctor.findings import ok, problem, problem_of

    try:
        found = config.load()
    except ConfigError as error:
        return [problem_of("config", str(error), "mend the file")]
    try:
        profile = found.profile(profile_name)
    except ConfigError as error:
        return [problem("config", str(error), "cxfs login --server URL adds a profile; --profile chooses one")]
    return [ok("config", f"{found.file}, profile {profile.name}"), *account.examined(_account(profile))]


def _account(profile: config.Profile) -> Account:
    from cxfs import service
    from cxfs.cli import logs
    from cxfs.doctor.account import Account
    from cxfs.remote.probing import probe

    client_id: str | None = None

    def token() -> AccessToken:
        nonlocal client_id
        access = profiles.access_to(profile)
        client_id = access.client_id
        logs.configure("warning", None, access.known_secrets)
        return access.token

    def who(speaks: AccessToken) -> str:
        account = service.whoami(profile, speaks, client_id).account
        return account.username or str(account.id)

    return Account(
        profile,
        token=token,
        probe=lambda: probe(service.urls_of(profile).api, ca_file=profile.ca_file),
        who=who,
        throughput=lambda speaks: service.throughput(profile, speaks, client_id),
    )


def _lines(finding: Finding) -> list[str]:
    level = tables.coloured(f"{finding.level:<7}", COLOURS[finding.level])
    lines = [f"{level}  {finding.check:<11}  {tables.printable(finding.text)}"]
    if finding.remedy is not None and finding.level != "ok":
        lines.append(f"{'':<7}  {'':<11}  -> {tables.printable(finding.remedy)}")
    return lines
