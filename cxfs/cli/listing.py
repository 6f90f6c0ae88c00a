"""Groups of commands that show something when none is named. Holds none."""

from __future__ import annotations

import click


class ListingGroup(click.Group):
    """A group whose command `list` need not be named: anything else than a command's name is for it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does, with `list` put in front where no command is named."""
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = ["list", *args]
        return super().parse_args(ctx, args)
