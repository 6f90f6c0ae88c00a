"""`cxfs service`: puts units in place, for mounts at login, for fstab, and for a server. Mounts nothing itself."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import click

from cxfs import config, units
from cxfs.cli import arguments, profiles
from cxfs.cli.exits import Exit, Refusal
from cxfs.cli.words import PLACE

if TYPE_CHECKING:
    from pathlib import Path

SYSTEM = click.option("--system", "is_system", is_flag=True, help="For the whole machine: fstab, and a server (root).")


@click.group("service", short_help="Mount at login, by fstab; run a server.")
def command() -> None:
    """Mount accounts at login, let fstab name them, run a server: by systemd."""


@command.command()
@arguments.profile_option
@SYSTEM
@click.option("--no-start", is_flag=True, help="Mount at the next login, not now.")
@click.argument("mountpoint", type=PLACE, required=False)
def install(profile_name: str | None, mountpoint: Path | None, *, is_system: bool, no_start: bool) -> None:
    """Mount the profile's account at MOUNTPOINT whenever you are logged in, beginning now.

    MOUNTPOINT is noted in the profile; without it the one that is there is used. With --system, as root: `mount -t
    cxfs` and fstab know cxfs from then on, and units are there to be enabled: cxfs-server, and cxfs-server@PORT.
    """
    if is_system:
        _install_for_the_machine()
        return
    profile = profiles.chosen(profile_name)
    if mountpoint is not None:
        edited = config.edited(config.load(), profile.name, {"mountpoint": os.fspath(mountpoint.absolute())})
        edited.write()
        profile = edited.profile
    if profile.mountpoint is None:
        raise click.UsageError(f"Missing argument 'MOUNTPOINT': where is {profile.name} to be mounted?")
    folder = units.folder_of_a_person()
    units.write(folder / units.FOR_A_PERSON, units.text_of(units.FOR_A_PERSON, program=units.program()))
    units.run("systemctl", "--user", "daemon-reload")
    units.run("systemctl", "--user", "enable", *([] if no_start else ["--now"]), _unit(profile.name))
    when = "at every login" if no_start else "now and at every login"
    click.echo(f"{profile.name} is mounted at {profile.mountpoint} {when}")
    click.echo(f"How it is: systemctl --user status {_unit(profile.name)}", err=True)
    click.echo("To have it mounted from boot on, without a login: loginctl enable-linger", err=True)


@command.command()
@arguments.profile_option
@SYSTEM
def uninstall(profile_name: str | None, *, is_system: bool) -> None:
    """Unmount the profile's account, and mount it at login no more. Nothing else of it is touched."""
    if is_system:
        _uninstall_for_the_machine()
        return
    name = config.load().name_of(profile_name)
    folder = units.folder_of_a_person()
    if name not in units.enabled(folder):
        raise Refusal(Exit.FAILED, f"{name} is no service: cxfs service install makes it one")
    units.run("systemctl", "--user", "disable", "--now", _unit(name))
    if not units.enabled(folder):
        units.remove(folder / units.FOR_A_PERSON)
    units.run("systemctl", "--user", "daemon-reload")
    click.echo(f"{name} is unmounted and no service any more")


def _unit(profile: str) -> str:
    return f"cxfs@{profile}.service"


def _install_for_the_machine() -> None:
    _require_root()
    for name in units.HELPERS:
        units.link(name, units.program(name))
    for name, place in units.FOR_THE_MACHINE.items():
        units.write(place, units.text_of(name, program=units.program()))
        click.echo(f"{place} is in place")
    click.echo("mount -t cxfs and fstab know cxfs; profiles are read from /etc/cxfs/config.toml")
    for command in (["systemd-sysusers"], ["systemd-tmpfiles", "--create"], ["systemctl", "daemon-reload"]):
        with contextlib.suppress(units.ServiceTrouble):  # no systemd here: mount(8) works all the same
            units.run(*command)


def _uninstall_for_the_machine() -> None:
    _require_root()
    gone = [place for place in units.FOR_THE_MACHINE.values() if units.remove(place)]
    gone += [place for place in (units.HELPERS_FOLDER / name for name in units.HELPERS) if units.remove(place)]
    for place in gone:
        click.echo(f"{place} is removed")
    with contextlib.suppress(units.ServiceTrouble):
        units.run("systemctl", "daemon-reload")


def _require_root() -> None:
    if os.geteuid() != 0:
        raise Refusal(Exit.FAILED, "the machine's services are for root: sudo cxfs service … --system")
