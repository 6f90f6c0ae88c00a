"""Man pages of the same words as the help pages: `python -m cxfs.cli.manual FOLDER`. Writes roff, knows no viewer.

One page for `cxfs`, and one for each of its commands with the commands in it.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from cxfs import __version__
from cxfs.cli.exits import MEANINGS
from cxfs.cli.listing import ListingGroup
from cxfs.cli.root import COMMANDS, cxfs

if TYPE_CHECKING:
    from collections.abc import Iterator

SECTION: Final = "1"

ENVIRONMENT: Final = {
    "CXFS_CONFIG": "The configuration file, instead of ~/.config/cxfs/config.toml.",
    "CXFS_ACCESS_TOKEN": "An access token, before every other place where one is looked for.",
    "CXFS_CLIENT_ID, CXFS_CLIENT_SECRET": "How this program is registered at the service, for cxfs login.",
    "CXFS_DEBUG": "Set to anything: an error comes with its traceback.",
    "NO_COLOR": "Set to anything: no colours.",
    "XDG_CONFIG_HOME, XDG_CACHE_HOME, XDG_STATE_HOME, XDG_DATA_HOME, XDG_RUNTIME_DIR": "Where files are, see below.",
}

FILES: Final = {
    "~/.config/cxfs/config.toml": "Profiles; beside it ca/, authorities that were agreed to.",
    "~/.local/share/cxfs/credentials": "Tokens, where there is no keyring.",
    "~/.cache/cxfs/PROFILE": "Content that was read: deletable at any moment.",
    "~/.local/state/cxfs/PROFILE": "Precious: the journal and the drafts of what is not uploaded yet. The log.",
    "$XDG_RUNTIME_DIR/cxfs": "The control socket of each mount.",
}


def pages() -> Iterator[tuple[str, str]]:
    """Every page: the name of its file, and its text."""
    root = click.Context(cxfs, info_name="cxfs")
    yield f"cxfs.{SECTION}", "".join(_overview(root))
    for name in COMMANDS:
        command = cxfs.get_command(root, name)
        assert command is not None
        context = click.Context(command, info_name=name, parent=root)
        yield f"cxfs-{name}.{SECTION}", "".join(_page(f"cxfs-{name}", context))


def _overview(root: click.Context) -> Iterator[str]:
    yield _head("cxfs")
    yield f".SH NAME\ncxfs \\- {_text(_first_line(root.command))}\n"
    yield f".SH SYNOPSIS\n.B cxfs\n{_text(_usage(root))}\n"
    yield f".SH DESCRIPTION\n{_paragraphs(root.command.help or '')}"
    yield ".SH COMMANDS\n"
    for name in COMMANDS:
        command = cxfs.get_command(root, name)
        assert command is not None
        yield f".TP\n.BR {_text(f'cxfs-{name}')} ({SECTION})\n{_text(command.get_short_help_str(200))}\n"
    yield _options(root)
    yield _table("EXIT STATUS", {str(code.value): meaning for code, meaning in MEANINGS.items()})
    yield _table("ENVIRONMENT", ENVIRONMENT)
    yield _table("FILES", FILES)


def _page(title: str, context: click.Context) -> Iterator[str]:
    command = context.command
    yield _head(title)
    yield f".SH NAME\n{_text(title)} \\- {_text(command.get_short_help_str(200).rstrip('.'))}\n"
    yield f".SH SYNOPSIS\n.B {_text(context.command_path)}\n{_text(_usage(context))}\n"
    yield f".SH DESCRIPTION\n{_paragraphs(command.help or '')}"
    yield _options(context)
    below = list(_commands(context))
    if below:
        yield ".SH COMMANDS\n"
        yield from below
    yield f".SH SEE ALSO\n.BR cxfs ({SECTION})\n"


def _commands(context: click.Context) -> Iterator[str]:
    """Those in a group, and those in them."""
    if not isinstance(context.command, click.Group):
        return
    for name in context.command.list_commands(context):
        command = context.command.get_command(context, name)
        if command is None or command.hidden:
            continue
        inner = click.Context(command, info_name=name, parent=context)
        yield f".SS {_text(inner.command_path)} {_text(_usage(inner))}\n{_paragraphs(command.help or '')}"
        yield _options(inner, heading="")
        yield from _commands(inner)


def _options(context: click.Context, heading: str = ".SH OPTIONS\n") -> str:
    shown = _records(context)
    if isinstance(context.command, ListingGroup):  # which lists when no command is named
        shown += _records(click.Context(context.command.commands["list"], parent=context))
    if not shown:
        return ""
    return heading + "".join(f".TP\n.B {_text(names)}\n{_text(about)}\n" for names, about in shown)


def _records(context: click.Context) -> list[tuple[str, str]]:
    options = [param for param in context.command.params if isinstance(param, click.Option)]
    records = [option.get_help_record(context) for option in options]
    return [record for record in records if record is not None]


def _table(heading: str, rows: dict[str, str]) -> str:
    return f".SH {heading}\n" + "".join(f".TP\n.B {_text(name)}\n{_text(about)}\n" for name, about in rows.items())


def _head(title: str) -> str:
    """Without a date: the same source makes the same page."""
    return f'.TH {_text(title.upper())} {SECTION} "" "cxfs {_text(__version__)}" "User Commands"\n.nh\n.ad l\n'


def _usage(context: click.Context) -> str:
    return " ".join(context.command.collect_usage_pieces(context))


def _first_line(command: click.Command) -> str:
    return (command.help or "").strip().splitlines()[0].rstrip(".")


def _paragraphs(text: str) -> str:
    """A block that begins with click's mark stays as it is laid out; others are filled."""
    made = []
    for block in re.split(r"\n\s*\n", re.sub(r"^ {4}", "", text.strip(), flags=re.MULTILINE)):
        if block.startswith("\b"):
            lines = block.lstrip("\b\n").splitlines()
            made.append(".PP\n.nf\n" + "".join(f"{_text(line)}\n" for line in lines) + ".fi\n")
        else:
            made.append(f".PP\n{_text(' '.join(block.split()))}\n")
    return "".join(made)


def _text(text: str) -> str:
    """Nothing in it is taken for a request or an escape of roff."""
    plain = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    plain = plain.replace("~", "\\(ti").replace("^", "\\(ha").replace('"', "\\(dq").replace("…", "...")
    return f"\\&{plain}" if plain.startswith(".") else plain


def write(folder: Path) -> list[Path]:
    """Makes all pages in the folder; those."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for name, text in pages():
        (folder / name).write_text(text, encoding="utf-8")
        made.append(folder / name)
    return made


if __name__ == "__main__":
    print(f"{len(write(Path(sys.argv[1])))} pages in {sys.argv[1]}")  # noqa: T201 - for make
