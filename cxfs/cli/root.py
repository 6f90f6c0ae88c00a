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
    "open": "cxfs.cli.reveal",
    "metrics": "cxfs.cli.metrics",
    "log-level": "cxfs.cli.log_level",
    "completion": "cxfs.cli.completion",
    "whoami": "cxfs.cli.whoami",
    "service": "cxfs.cli.service",
    "doctor": "cxfs.cli.doctor",
    "serve": "cxfs.cli.serve",
    "help": "cxfs.cli.help",
}
"""Each module holds a click command named `command`, or as it says behind a colon."""

OVERVIEW: Final = (
    ("demo", "a sample account, on a server of its own"),
    ("login logout whoami profiles", "sign in, sign out, whose account it is"),
    ("config", "show the configuration, change it"),
    ("mount umount open service", "mount, unmount, show; at every login"),
    ("status doctor", "how mounts stand; what is wrong"),
    ("sync uploads", "wait for uploads; what waits, and why"),
    ("info versions restore", "what a file is and was; go back to it"),
    ("cp refresh cache", "copy there; look anew; what is kept here"),
    ("metrics log-level completion", "for Prometheus, the log, your shell"),
    ("serve", "host a CX server in a folder"),
    ("help", "help of a command, or on exit-codes"),
)
"""The help page: every command, by what it is for, on one small screen. `cxfs COMMAND --help` tells the rest."""


class LateCommands(click.Group):
    """Imports a command's module when it is asked for."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The overview, which loads none of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(names.replace(" ", ", "), about) for names, about in OVERVIEW], col_max=32)

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
    epilog="cxfs COMMAND --help tells more; CXFS_DEBUG=1 where an error came from.",
)
@click.version_option(__version__, "-V", "--version", message="cxfs %(version)s")
def cxfs() -> None:
    """A CX account as a directory, and a CX server to host it on."""
