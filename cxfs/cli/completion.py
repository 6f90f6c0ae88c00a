"""`cxfs completion`: what a shell needs to complete our command lines. The shell then asks `cxfs` itself."""

from __future__ import annotations

from typing import Final

import click
from click.shell_completion import get_completion_class

SHELLS: Final = ("bash", "zsh", "fish")


@click.command("completion", short_help="Print the completion for bash, zsh or fish.")
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print what makes SHELL complete commands, options, profiles and files.

    \b
    bash  eval "$(cxfs completion bash)" in ~/.bashrc
    zsh   eval "$(cxfs completion zsh)" in ~/.zshrc, after compinit
    fish  cxfs completion fish > ~/.config/fish/completions/cxfs.fish
    """  # noqa: D301 - click's mark for lines that it must not join
    made = get_completion_class(shell)
    assert made is not None
    click.echo(made(ctx.find_root().command, {}, "cxfs", "_CXFS_COMPLETE").source())
