"""What several commands have on their command lines, and what a shell completes there. Loads nothing but names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cxfs import config
from cxfs.core.errors import CxfsError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


def completed(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """For the shell: names that begin so."""
    try:
        return [name for name in config.load().profiles if name.startswith(incomplete)]
    except CxfsError:
        return []


def _mounts_completed(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str] | list[CompletionItem]:
    from click.shell_completion import CompletionItem

    return completed(ctx, param, incomplete) or [CompletionItem(incomplete, type="file")]


mount_argument = click.argument("mount", required=False, metavar="[MOUNT|PROFILE]", shell_complete=_mounts_completed)
"""Whichever is at hand (see `which.named`)."""


profile_option = click.option(
    "-p",
    "--profile",
    "profile_name",
    metavar="NAME",
    help="Profile of the configuration file.",
    shell_complete=completed,
)
