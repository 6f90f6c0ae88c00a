"""Commands of a few lines: log-level, completion, open."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Final

import pytest

from cxfs.cli.completion import SHELLS
from cxfs.cli.exits import Exit
from cxfs.control.protocol import Failure
from cxfs.mounts import hold_lock

if TYPE_CHECKING:
    from tests.cli.daemons import SpokenDaemon
    from tests.cli.terminal import QuickTerminal, Terminal

# ------------------------------------------------------------------------------------------------ log-level


@pytest.mark.parametrize("arguments", [["debug"], ["DEBUG", "home"], ["debug", "mnt/a"]])
def test_a_running_mount_logs_more(quick: QuickTerminal, daemon: SpokenDaemon, arguments: list[str]) -> None:
    """By the only mount, its profile or a path in it."""
    daemon.answers["log-level"] = {"level": "debug", "before": "info"}

    said = quick.cxfs("log-level", *arguments)

    assert (said.status, said.err) == (Exit.OK, "home logs debug now, before info\n")
    assert daemon.asked == [("log-level", {"level": "debug"})]


def test_programs_get_the_level_in_json(quick: QuickTerminal, daemon: SpokenDaemon) -> None:
    """With what it was, to go back to."""
    daemon.answers["log-level"] = {"level": "debug", "before": "info"}

    told = json.loads(quick.cxfs("log-level", "--json", "debug").out)

    assert told == {"profile": "home", "level": "debug", "before": "info"}


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ([], Exit.USAGE),
        (["loud"], Exit.USAGE),
        (["debug", "/tmp"], Exit.NOT_MOUNTED),
        (["debug", "nobody"], Exit.CONFIG),
    ],
)
def test_a_level_that_there_is_not_is_refused(
    quick: QuickTerminal, daemon: SpokenDaemon, arguments: list[str], status: Exit
) -> None:
    """And a mount that there is not."""
    said = quick.cxfs("log-level", *arguments)

    assert (said.status, bool(said.line), daemon.asked) == (status, True, [])


def test_an_older_daemon_says_that_it_cannot(quick: QuickTerminal, daemon: SpokenDaemon) -> None:
    """Programs are updated under running mounts."""
    daemon.answers["log-level"] = Failure("unknown", "this mount does not know 'log-level'")

    said = quick.cxfs("log-level", "debug")

    assert (said.status, said.line) == (Exit.FAILED, "cxfs: this mount does not know 'log-level'")


# ------------------------------------------------------------------------------------------------ completion


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_gets_what_it_needs(quick: QuickTerminal, shell: str) -> None:
    """It asks `cxfs` for the words."""
    said = quick.cxfs("completion", shell)

    assert said.status == Exit.OK
    assert "_CXFS_COMPLETE" in said.out


@pytest.mark.parametrize("shell", [each for each in SHELLS if shutil.which(each)])
def test_the_shell_itself_takes_it(quick: QuickTerminal, shell: str) -> None:
    """Without a complaint."""
    done = subprocess.run(
        [shell, "-n"], input=quick.cxfs("completion", shell).out, text=True, capture_output=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("typed", "expected"),
    [("cxfs sta", {"status"}), ("cxfs status --wa", {"--watch"}), ("cxfs info --profile ", set()),
     ("cxfs whoami --profile ho", {"home"}), ("cxfs log-level w", {"warning"}),
     ("cxfs status h", {"home"})],
)  # fmt: skip
def test_words_are_completed(terminal: Terminal, typed: str, expected: set[str]) -> None:
    """Commands, options, profiles and choices; nothing where the configuration is broken or nothing fits."""
    terminal.configure('[profiles.home]\napi_url = "https://127.0.0.1:1"\n')
    asked = terminal.but(_CXFS_COMPLETE="bash_complete", COMP_WORDS=typed, COMP_CWORD=str(len(typed.split(" ")) - 1))

    words = {line.partition(",")[2] for line in asked.cxfs().out.splitlines() if line.startswith("plain,")}

    assert words == expected


@pytest.mark.parametrize("typed", ["cxfs info ~/C", "cxfs status ./m", "cxfs cp a b"])
def test_paths_are_left_to_the_shell(terminal: Terminal, typed: str) -> None:
    """It knows how: no mount is looked at by us."""
    asked = terminal.but(_CXFS_COMPLETE="bash_complete", COMP_WORDS=typed, COMP_CWORD=str(len(typed.split(" ")) - 1))

    assert asked.cxfs().out.splitlines() == [f"file,{typed.rsplit(' ', maxsplit=1)[-1]}"]


@pytest.mark.parametrize("arguments", [[], ["tcsh"], ["bash", "zsh"]])
def test_another_shell_is_refused(quick: QuickTerminal, arguments: list[str]) -> None:
    """With those that there are."""
    assert quick.cxfs("completion", *arguments).status == Exit.USAGE


# ------------------------------------------------------------------------------------------------ open

NOTES: Final = '#!/bin/sh\nprintf "%s\\n" "${0##*/}" "$@" > "$HOME/called"\nexit {status}\n'


def installs(quick: QuickTerminal, **programs: int) -> QuickTerminal:
    """A machine with just these programs, and the status that each ends with."""
    folder = quick.home / "bin"
    folder.mkdir()
    for name, status in programs.items():
        file = folder / name.replace("_", "-")
        file.write_text(NOTES.replace("{status}", str(status)))
        file.chmod(0o755)
    (folder / "sh").symlink_to(shutil.which("sh") or "/bin/sh")
    return quick.but(PATH=str(folder), DBUS_SESSION_BUS_ADDRESS="unix:path=/nowhere")


def called(quick: QuickTerminal) -> list[str]:
    return (quick.home / "called").read_text().splitlines()


def test_the_mount_is_shown_by_the_file_manager_that_listens(quick: QuickTerminal, daemon: SpokenDaemon) -> None:
    """As a folder."""
    there = installs(quick, dbus_send=0, xdg_open=0)

    said = there.cxfs("open")

    assert (said.status, said.out, said.err) == (Exit.OK, "", "")
    assert called(there)[0] == "dbus-send"
    assert called(there)[5:] == [
        "org.freedesktop.FileManager1.ShowFolders", f"array:string:file://{daemon.mountpoint}", "string:"
    ]  # fmt: skip


def test_a_file_is_shown_selected(quick: QuickTerminal, daemon: SpokenDaemon) -> None:
    """Whatever it is called: a comma would part the array."""
    (daemon.mountpoint / "a, b é").touch()
    there = installs(quick, dbus_send=0)

    there.cxfs("open", "mnt/a, b é")

    assert called(there)[5:7] == [
        "org.freedesktop.FileManager1.ShowItems", f"array:string:file://{daemon.mountpoint}/a%2C%20b%20%C3%A9"
    ]  # fmt: skip


def test_where_none_listens_the_folder_is_opened(quick: QuickTerminal, daemon: SpokenDaemon) -> None:
    """That of a file."""
    (daemon.mountpoint / "a").touch()
    there = installs(quick, dbus_send=1, xdg_open=0)

    there.cxfs("open", "mnt/a")

    assert called(there) == ["xdg-open", str(daemon.mountpoint)]


def test_without_a_file_manager_it_says_what_to_do(quick: QuickTerminal, daemon: SpokenDaemon) -> None:
    """On a server, say."""
    said = installs(quick).cxfs("open")

    assert (said.status, "xdg-utils" in said.line) == (Exit.FAILED, True)


def test_what_is_not_there_is_not_opened(quick: QuickTerminal, daemon: SpokenDaemon) -> None:
    """By its name."""
    there = installs(quick, xdg_open=0)

    absent, elsewhere = there.cxfs("open", "mnt/absent"), there.cxfs("open", "/tmp")

    assert (absent.status, "absent: No such file" in absent.line) == (Exit.FAILED, True)
    assert (elsewhere.status, elsewhere.line) == (Exit.NOT_MOUNTED, "cxfs: /tmp is in no mount of yours")
    assert not (quick.home / "called").exists()


def test_a_mount_that_does_not_run_is_not_opened(quick: QuickTerminal) -> None:
    """The folder under it would be shown."""
    with hold_lock(quick.home / ".local/state/cxfs/home", quick.home / "mnt"):
        pass

    said = installs(quick, xdg_open=0).cxfs("open", "mnt")

    assert (said.status, said.line) == (Exit.NOT_MOUNTED, "cxfs: home is not mounted")
