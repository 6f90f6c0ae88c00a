"""The command `cxfs` itself: which commands there are and where each one lives. Runs none of them."""

from __future__ import annotations

import importlib
from typing import Final

import click

from cxfs import __version__

COMMANDS: Final = {
    "demo": "cxfs.cli.demo",
    "mount": "cxfs.cli.mount",
    "umount": "cxfs.cli.umount",
    "login": "cxfs.cli.login",
    "logout": "cxfs.cli.logout",
    "profiles": "cxfs.cli.profile_list",
    "config": "cxfs.cli.configuration",
    "status": "cxfs.cli.status",
    "sync": "cxfs.cli.sync",
    "info": "cxfs.cli.info",
    "versions": "cxfs.cli.versions",
    "restore": "cxfs.cli.versions:restore",
    "cp": "cxfs.cli.cp",
    "refresh": "cxfs.cli.refresh",
    "uploads": "cxfs.cli.uploads",
    "cache": "cxfs.cli.cache",
    "whoami": "cxfs.cli.whoami",
    "doctor": "cxfs.cli.doctor",
    "serve": "cxfs.cli.serve",
    "help": "cxfs.cli.help",
}
"""Each module holds a click command named `command`, or as it says behind a colon."""


class LateCommands(click.Group):
    """Imports a command's module when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, for the help page."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, or None."""
        place = COMMANDS.get(cmd_name)
        if place is None:
            return None
        module, _, name = place.partition(":")
        command = getattr(importlib.import_module(module), name or "command")
        assert isinstance(command, click.Command)
        return command


@click.group(
    cls=LateCommands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit statuses: cxfs help exit-codes. CXFS_DEBUG=1 shows where an error came from.",
)
@click.version_option(__version__, "-V", "--version", message="cxfs %(version)s")
def cxfs() -> None:
    """A CX account as a directory, and a CX server to host it on."""
