"""`cxfs help`: the help of a command, and the topics of no single one. Holds no text of its own."""

from __future__ import annotations

import click

from cxfs.cli.exits import MEANINGS


@click.command("help", short_help="Show the help of a command, or a topic (exit-codes).")
@click.argument("topic", required=False)
@click.pass_context
def command(ctx: click.Context, topic: str | None) -> None:
    """Show the help of the command TOPIC, or one of the topics: exit-codes."""
    root = ctx.find_root()
    assert isinstance(root.command, click.Group)
    if topic is None:
        click.echo(root.get_help())
        return
    if topic == "exit-codes":
        click.echo("\n".join(f"{code.value:>4}  {meaning}" for code, meaning in MEANINGS.items()))
        return
    found = root.command.get_command(root, topic)
    if found is None:
        raise click.UsageError(f"No such command or topic {topic!r}", ctx)
    with click.Context(found, info_name=topic, parent=root) as its_own:
        click.echo(found.get_help(its_own))
