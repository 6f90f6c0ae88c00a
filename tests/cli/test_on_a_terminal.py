"""What is different where somebody watches: colours, bars, and a status that stays on the screen."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pexpect
import pytest

from cxfs.cli.exits import Exit
from tests.cli.daemons import STATUS, SpokenDaemon

if TYPE_CHECKING:
    from tests.cli.terminal import QuickTerminal

BOLD = "\x1b[1m"


def typed(quick: QuickTerminal, *arguments: str, **environment: str) -> Any:
    """`cxfs …` at a terminal of 80 columns."""
    return pexpect.spawn(
        sys.executable,
        ["-m", "cxfs", *arguments],
        cwd=str(quick.home),
        env={**quick.environment, "TERM": "xterm-256color", **environment},
        encoding="utf-8",
        dimensions=(24, 80),
        timeout=60,
    )


def test_a_status_is_drawn_for_eyes(quick: QuickTerminal, daemon: SpokenDaemon) -> None:
    """The mount in bold, how full it is as a bar."""
    shown = typed(quick, "status").read()

    assert f"{BOLD}{daemon.mountpoint}" in shown
    assert "██░░" in shown


def test_without_colours_there_are_none(quick: QuickTerminal, daemon: SpokenDaemon) -> None:
    """As https://no-color.org wants it; a bar is no colour."""
    shown = typed(quick, "status", NO_COLOR="1").read()

    assert "\x1b[" not in shown
    assert "██░░" in shown


@pytest.mark.parametrize("environment", [{}, {"NO_COLOR": "1"}])
def test_findings_have_the_colour_of_their_level(
    quick: QuickTerminal, daemon: SpokenDaemon, environment: dict[str, str]
) -> None:
    """Unless none is wanted."""
    shown = typed(quick, "doctor", "--here", **environment).read()

    assert ("\x1b[3" in shown) is not bool(environment)


def test_what_is_watched_is_drawn_anew(quick: QuickTerminal, daemon: SpokenDaemon) -> None:
    """Until Ctrl-C, which is how it ends."""
    watching = typed(quick, "status", "--watch")
    watching.expect_exact("all is at the server")

    daemon.answers["status"] = {**STATUS, "remaining": {**STATUS["remaining"], "files": 3, "bytes": 5 << 20}}
    watching.expect_exact("3 files, 5.0 MiB left")
    watching.sendintr()
    watching.expect(pexpect.EOF)
    watching.close()

    assert (watching.exitstatus, watching.signalstatus) == (Exit.OK, None)


def test_what_is_watched_by_a_program_is_lines(quick: QuickTerminal, daemon: SpokenDaemon) -> None:
    """The first at once; nothing in it moves a cursor."""
    watching = pexpect.spawn(
        "/bin/sh",
        ["-c", f"{sys.executable} -m cxfs status --watch | cat"],
        cwd=str(quick.home),
        env=quick.environment,
        encoding="utf-8",
        timeout=60,
    )

    watching.expect_exact(f"{daemon.mountpoint}: online; all is at the server\r\n")
    watching.sendintr()
    watching.expect(pexpect.EOF)

    assert "\x1b[" not in (watching.before or "")
