"""Commands about one file or folder: info, versions, restore, cp, refresh. The daemon's words are given."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from cxfs.cli.exits import Exit
from cxfs.cli.refresh import working_folders
from cxfs.control.protocol import Failure
from cxfs.mounts import hold_lock

if TYPE_CHECKING:
    from tests.cli.daemons import SpokenDaemon
    from tests.cli.terminal import QuickTerminal

INFO: Final[dict[str, Any]] = {
    "path": "folder/a",
    "kind": "file",
    "status": "synced",
    "reason": None,
    "size": 123_456,
    "modified_ms": 1_700_000_000_000,
    "owner": "self",
    "uuid": "ZdvTGn0mEeG34xIFOBql1A",
    "name": "a",
    "version": 3,
    "created_ms": 1_600_000_000_000,
    "sha1": "8cb2237d0679ca88db6464eac60da96345513964",
    "md5": None,
    "versions": [
        {"version": 3, "size": 123_456, "modified_ms": 1_700_000_000_000, "sha1": None},
        {"version": 2, "size": 5, "modified_ms": 1_650_000_000_000, "sha1": "8cb2237d0679ca88db6464eac60da96345513964"},
    ],
    "as_last_known": False,
}

UTC: Final = {"TZ": "UTC"}

COMMANDS: Final = (
    ["info", "mnt/a"],
    ["versions", "mnt/a"],
    ["restore", "-n", "2", "mnt/a"],
    ["cp", "mnt/a", "mnt/b"],
    ["refresh", "mnt/a"],
)


@pytest.fixture
def daemon(daemon: SpokenDaemon) -> SpokenDaemon:
    daemon.answers |= {
        "info": INFO,
        "versions": {"versions": INFO["versions"]},
        "restore": [{"bytes_left": 5}, {"version": 4, "size": 5}],
        "copy": [
            {"files_left": 1, "bytes_left": 5, "deletions_left": 0, "folders_left": 0, "trouble": None},
            {"path": "b", "uuid": "ZdvTGn0mEeG34xIFOBql1A", "size": 5},
        ],
        "refresh": {"count": 3},
    }
    return daemon


def test_info_is_shown_as_facts(quick: QuickTerminal, daemon: SpokenDaemon) -> None:
    """With the digest as sha1sum prints it, to compare by."""
    shown = quick.but(**UTC).cxfs("info", "mnt/folder/a").lines

    assert [line.split(maxsplit=1) for line in shown] == [
        ["path", str(daemon.mountpoint / "folder/a")],
        ["kind", "file"],
        ["state", "synced"],
        ["size", "123456 bytes (121 KiB)"],
        ["modified", "2023-11-14 22:13:20"],
        ["created", "2020-09-13 12:26:40"],
        ["uuid", "ZdvTGn0mEeG34xIFOBql1A"],
        ["owner", "self"],
        ["version", "3"],
        ["sha1", "8cb2237d0679ca88db6464eac60da96345513964"],
        ["versions", "2"],
    ]
    assert daemon.asked == [("info", {"path": "folder/a"})]


def test_info_says_why_something_is_parked(quick: QuickTerminal, daemon: SpokenDaemon) -> None:
    """And what the server does not have has no UUID yet."""
    daemon.answers["info"] = {**INFO, "status": "parked", "reason": "full", "uuid": None}

    shown = quick.cxfs("info", "mnt/folder/a").lines

    assert "state     parked: full" in shown
    assert shown[-1] == "uuid      none yet: the server does not have it"


def test_info_says_when_it_is_old(quick: QuickTerminal, daemon: SpokenDaemon) -> None:
    """On stderr: it is no fact of the file."""
    daemon.answers["info"] = {**INFO, "versions": None, "as_last_known": True}

    said = quick.cxfs("info", "mnt/folder/a")

    assert (said.status, said.err) == (Exit.OK, "the server does not answer: this is what was last known\n")


def test_a_name_that_is_shown_otherwise_is_told_as_it_is(quick: QuickTerminal, daemon: SpokenDaemon) -> None:
    """And cannot draw on the terminal."""
    daemon.answers["info"] = {**INFO, "name": "a/\x1b[2Jb"}

    assert "name there  a/?[2Jb" in quick.cxfs("info", "mnt/folder/a").lines


def test_programs_get_info_and_versions_in_json(quick: QuickTerminal, daemon: SpokenDaemon) -> None:
    """The path whole, as a program would use it."""
    info, versions = quick.cxfs("info", "--json", "mnt/folder/a"), quick.cxfs("versions", "--json", "mnt/folder/a")

    assert json.loads(info.out) == {**INFO, "path": str(daemon.mountpoint / "folder/a")}
    assert json.loads(versions.out) == INFO["versions"]


def test_versions_are_a_table(quick: QuickTerminal, daemon: SpokenDaemon) -> None:
    """The current one first."""
    shown = quick.but(**UTC).cxfs("versions", "mnt/folder/a").lines

    assert [line.split() for line in shown] == [
        ["version", "modified", "size", "sha1"],
        ["3", "2023-11-14", "22:13:20", "121", "KiB", "-"],
        ["2", "2022-04-15", "05:20:00", "5", "B", "8cb2237d0679ca88db6464eac60da96345513964"],
    ]


def test_a_restore_says_what_has_become_of_it(quick: QuickTerminal, daemon: SpokenDaemon) -> None:
    """Unless it is to be quiet."""
    said, quiet = quick.cxfs("restore", "-n", "2", "mnt/a"), quick.cxfs("restore", "-qn", "2", "mnt/a")

    assert (said.status, said.err) == (Exit.OK, "version 2 is the current one now, as version 4\n")
    assert (quiet.status, quiet.out, quiet.err) == (Exit.OK, "", "")
    assert daemon.asked[0] == ("restore", {"path": "a", "version": 2})


def test_a_copy_succeeds_without_a_word(quick: QuickTerminal, daemon: SpokenDaemon) -> None:
    """As cp does."""
    said = quick.cxfs("cp", "-r", "mnt/a", "mnt/folder")

    assert (said.status, said.out, said.err) == (Exit.OK, "", "")
    assert daemon.asked == [("copy", {"path": "a", "to": "folder", "recursive": True})]


def test_programs_get_what_has_become_of_a_restore_and_a_copy(quick: QuickTerminal, daemon: SpokenDaemon) -> None:
    """The path whole, to go on with."""
    restored = quick.cxfs("restore", "--json", "-n", "2", "mnt/a")
    copied = quick.cxfs("cp", "--json", "mnt/a", "mnt/b")

    assert json.loads(restored.out) == {"path": str(daemon.mountpoint / "a"), "version": 4, "size": 5}
    assert json.loads(copied.out) == {
        "path": str(daemon.mountpoint / "b"), "uuid": "ZdvTGn0mEeG34xIFOBql1A", "size": 5
    }  # fmt: skip


def test_a_refresh_says_how_much_it_forgot(quick: QuickTerminal, daemon: SpokenDaemon) -> None:
    """In words, or for programs."""
    said, told = quick.cxfs("refresh", "mnt"), quick.cxfs("refresh", "--json", "mnt/a")

    assert (said.status, said.err) == (Exit.OK, "3 names forgotten\n")
    assert json.loads(told.out) == {"path": str(daemon.mountpoint / "a"), "forgotten": 3}
    assert daemon.asked == [("refresh", {"path": ""}), ("refresh", {"path": "a"})]


def test_folders_that_programs_are_in_are_found_by_their_links(tmp_path: Path) -> None:
    """Those of the place alone."""
    for number, folder in enumerate(("/mnt", "/mnt/a/b", "/mntx", "/")):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "cwd").symlink_to(folder)
    (tmp_path / "9").mkdir()
    (tmp_path / "net").mkdir()

    assert working_folders(Path("/mnt"), tmp_path) == {"/mnt", "/mnt/a/b"}


# ------------------------------------------------------------------------------------------------ errors


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
def test_what_the_daemon_refuses_is_one_line(quick: QuickTerminal, daemon: SpokenDaemon, command: list[str]) -> None:
    """As it said it."""
    for verb in ("info", "versions", "restore", "copy", "refresh"):
        daemon.answers[verb] = Failure("refused", "a: no such file or folder in the mount")

    said = quick.cxfs(*command)

    assert (said.status, said.out) == (Exit.FAILED, "")
    assert said.line == "cxfs: a: no such file or folder in the mount"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
def test_a_path_elsewhere_is_in_no_mount(quick: QuickTerminal, daemon: SpokenDaemon, command: list[str]) -> None:
    """Nobody is asked."""
    said = quick.cxfs(*(word.replace("mnt", "/tmp") for word in command))

    assert (said.status, said.line) == (Exit.NOT_MOUNTED, "cxfs: /tmp/a is in no mount of yours")
    assert daemon.asked == []


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
def test_a_daemon_that_has_ended_is_missed(quick: QuickTerminal, command: list[str]) -> None:
    """Its record says where it was."""
    with hold_lock(quick.home / ".local/state/cxfs/home", quick.home / "mnt"):
        pass

    said = quick.cxfs(*command)

    assert (said.status, said.line) == (Exit.NOT_MOUNTED, "cxfs: home is not mounted")


@pytest.mark.parametrize(
    "command",
    [
        ["info"],
        ["info", "mnt/a", "mnt/b"],
        ["versions"],
        ["restore", "mnt/a"],
        ["restore", "-n", "two", "mnt/a"],
        ["cp", "mnt/a"],
        ["refresh"],
    ],
    ids=" ".join,
)
def test_what_is_to_be_done_must_be_said(quick: QuickTerminal, daemon: SpokenDaemon, command: list[str]) -> None:
    """Nothing is guessed."""
    said = quick.cxfs(*command)

    assert said.status == Exit.USAGE
    assert said.line.endswith("--help)")


def test_a_copy_to_another_mount_is_no_matter_of_the_server(quick: QuickTerminal, daemon: SpokenDaemon) -> None:
    """cp(1) moves the content."""
    with hold_lock(quick.home / ".local/state/cxfs/work", quick.home / "work"):
        said = quick.cxfs("cp", "mnt/a", "work/a")

    assert (said.status, said.line) == (Exit.NOT_MOUNTED, "cxfs: work/a is in another mount: use cp for that")
