"""The help pages: what a person reads first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cxfs.cli.exits import MEANINGS, Exit
from cxfs.cli.root import COMMANDS, OVERVIEW

if TYPE_CHECKING:
    from tests.cli.terminal import QuickTerminal, Terminal

PAGES = [
    [],
    *([name] for name in COMMANDS),
    *(
        ["serve", "there", name]
        for name in (
            "user",
            "group",
            "app",
            "token",
            "grants",
            "revoke",
            "audit",
            "import",
            "export",
            "migrate",
            "restored",
        )
    ),
    *(["serve", "there", "user", name] for name in ("add", "password", "list", "suspend", "unsuspend", "quota")),
    *(["serve", "there", "app", name] for name in ("add", "list", "remove")),
    *(["config", name] for name in ("show", "set", "unset")),
    *(["uploads", name] for name in ("retry", "export", "discard")),
    ["cache", "clear"],
]


@pytest.mark.parametrize("command", PAGES, ids=lambda words: " ".join(words) or "cxfs")
def test_a_help_page_fits_a_small_screen(quick: QuickTerminal, command: list[str]) -> None:
    """80 columns, 40 lines: nothing is wrapped, nothing scrolls away unread."""
    page = quick.but(COLUMNS="80").cxfs(*command, "--help").lines

    assert len(page) <= 40
    assert [line for line in page if len(line) > 80] == []
    assert page[0].startswith("Usage: cxfs")


def test_the_first_page_fits_the_smallest_screen(quick: QuickTerminal) -> None:
    """80 columns, 24 lines, with the prompt after it; and every command is on it, once."""
    page = quick.but(COLUMNS="80").cxfs("--help").lines

    assert len(page) < 24
    assert [line for line in page if len(line) > 80] == []
    assert sorted(name for names, _ in OVERVIEW for name in names.split()) == sorted(COMMANDS)
    for names, _ in OVERVIEW:
        assert [line for line in page if line.startswith(f"  {', '.join(names.split())}  ")], names


def test_help_of_a_command_is_its_page(terminal: Terminal) -> None:
    """People type either."""
    assert terminal.cxfs("help", "umount").lines == terminal.cxfs("umount", "--help").lines


@pytest.mark.parametrize("command", [[], ["serve", "there", "user"]])
def test_a_group_without_a_command_shows_its_help(terminal: Terminal, command: list[str]) -> None:
    """On stderr, and the status says that nothing was done."""
    said = terminal.cxfs(*command)

    assert (said.status, said.out) == (Exit.USAGE, "")
    assert said.err == terminal.cxfs(*command, "--help").out


def test_every_exit_status_is_documented(terminal: Terminal) -> None:
    """Service units and scripts rely on them."""
    page = terminal.cxfs("help", "exit-codes").lines

    assert [line.split(maxsplit=1) for line in page] == [[str(code.value), MEANINGS[code]] for code in Exit]


def test_an_exit_status_keeps_its_number() -> None:
    """A number once given is never given another meaning."""
    assert {code.name: code.value for code in Exit} == {
        "OK": 0,
        "FAILED": 1,
        "USAGE": 2,
        "CONFIG": 3,
        "SIGNED_OUT": 4,
        "UNREACHABLE": 5,
        "NO_FUSE": 6,
        "MOUNT_POINT": 7,
        "UPLOADS_LEFT": 8,
        "NO_SERVER": 9,
        "ALREADY_MOUNTED": 10,
        "NOT_SYNCED": 11,
        "SET_APART": 12,
        "NOT_MOUNTED": 13,
        "BUG": 70,
        "INTERRUPTED": 130,
    }
