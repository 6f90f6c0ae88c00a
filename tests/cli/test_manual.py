"""Man pages: one for each command, of the words of its help page, and without a complaint of roff's."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import click
import pytest

from cxfs.cli.exits import MEANINGS
from cxfs.cli.manual import pages, write
from cxfs.cli.root import COMMANDS

if TYPE_CHECKING:
    from pathlib import Path

PAGES = dict(pages())


def plain(roff: str) -> str:
    """The words of a page, joined."""
    for escape, letter in (("\\-", "-"), ("\\(aq", "'"), ("\\(ga", "`"), ("\\(ti", "~"), ("\\(dq", '"'), ("\\&", "")):
        roff = roff.replace(escape, letter)
    return " ".join(roff.split())


def test_every_command_has_a_page(tmp_path: Path) -> None:
    """And the program itself, which leads to them."""
    made = write(tmp_path / "man")

    assert {file.name for file in made} == {"cxfs.1", *(f"cxfs-{name}.1" for name in COMMANDS)}
    assert {file.name: file.read_text(encoding="utf-8") for file in made} == PAGES
    for name in COMMANDS:
        assert f"cxfs-{name}" in plain(PAGES["cxfs.1"])


@pytest.mark.parametrize("name", COMMANDS)
def test_a_page_says_what_the_help_page_says(name: str) -> None:
    """Every paragraph and every option, those of the commands in it as well."""
    from cxfs.cli.root import cxfs

    root = click.Context(cxfs, info_name="cxfs")
    command = cxfs.get_command(root, name)
    assert command is not None
    page = plain(PAGES[f"cxfs-{name}.1"])
    said: list[str] = []

    def collect(each: click.Command, context: click.Context) -> None:
        said.extend(
            " ".join(part.replace("\b", "").replace("…", "...").split()) for part in (each.help or "").split("\n\n")
        )
        said.extend(opt for param in each.params if isinstance(param, click.Option) for opt in param.opts)
        for below in each.commands.values() if isinstance(each, click.Group) else ():
            if not below.hidden:
                collect(below, context)

    collect(command, root)
    missing = [part for part in said if part not in page.replace(" .fi", "").replace(" .nf", "")]
    assert missing == []


def test_the_exit_statuses_are_in_the_page_of_the_program() -> None:
    """Scripts rely on them."""
    page = plain(PAGES["cxfs.1"])

    assert [meaning for meaning in MEANINGS.values() if meaning not in page] == []


@pytest.mark.parametrize("name", sorted(PAGES))
def test_roff_has_nothing_to_complain_of(name: str) -> None:
    """With every warning that it has."""
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-Kutf8", "-ww", "-z"],
        input=PAGES[name],
        text=True,
        capture_output=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_words_are_not_taken_for_requests() -> None:
    """A path that begins with a dot, a backslash: as they are."""
    from cxfs.cli.manual import _text

    assert _text(".hidden \\n 'quoted'") == "\\&.hidden \\en \\(aqquoted\\(aq"
