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
    "status": "cxfs.cli.status",
    "sync": "cxfs.cli.sync",
    "uploads": "cxfs.cli.uploads",
    "cache": "cxfs.cli.cache",
    "whoami": "cxfs.cli.whoami",
    "serve": "cxfs.cli.serve",
    "help": "cxfs.cli.help",
}
"""Each module holds a click command named `command`."""


class LateCommands(click.Group):
    """Imports a command's module when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, for the help page."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, or None."""
        module = COMMANDS.get(cmd_name)
        if module is None:
            return None
        command = importlib.import_module(module).command
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
