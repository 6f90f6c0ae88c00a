"""The cache of a mount that does not run: what it holds, and that clearing it takes nothing else along."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from cxfs.cli.exits import Exit
from cxfs.mounts import hold_lock

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.terminal import Terminal

NAME = "3P5HJmoUQmiQiiSN_6E7OQ.1"


@pytest.fixture
def state(terminal: Terminal) -> Path:
    """The state folder of the only profile, which was mounted at ~/mnt before."""
    terminal.configure('[profiles.home]\napi_url = "https://127.0.0.1:1"\n')
    folder = terminal.home / ".local/state/cxfs/home"
    with hold_lock(folder, terminal.home / "mnt"):
        return folder


@pytest.fixture
def cache(terminal: Terminal) -> Path:
    """Its cache, with one file in it."""
    folder = terminal.home / ".cache/cxfs/home/blocks"
    folder.mkdir(parents=True)
    (folder / NAME).write_bytes(b"x" * 100_000)
    (folder / "index").write_bytes(b"cxfs block index 1 ann\n")
    return folder


@pytest.mark.parametrize("arguments", [[], ["mnt/folder"], ["--profile", "home"]])
def test_the_cache_of_a_stopped_mount_is_shown(
    terminal: Terminal, state: Path, cache: Path, arguments: list[str]
) -> None:
    """By a path in it, by the profile, or as the only one."""
    shown = terminal.cxfs("cache", *arguments).lines

    assert [line.split(maxsplit=1) for line in shown] == [
        ["held", "100 KiB"],
        ["files", "1"],
        ["folder", str(cache)],
        ["profile", "home, not mounted"],
    ]


def test_programs_get_the_same_in_json(terminal: Terminal, state: Path, cache: Path) -> None:
    """Sizes in bytes."""
    told = json.loads(terminal.cxfs("cache", "--json").out)

    assert told == {
        "profile": "home",
        "mounted": False,
        "folder": str(cache),
        "counters": {"cache": {"files": 1, "bytes_held": (cache / NAME).stat().st_blocks * 512}},
    }


def test_a_profile_that_was_never_mounted_has_an_empty_cache(terminal: Terminal) -> None:
    """And is told so, and cleared of nothing."""
    terminal.configure('[profiles.home]\napi_url = "https://127.0.0.1:1"\n')

    shown, cleared = terminal.cxfs("cache"), terminal.cxfs("cache", "clear")

    assert shown.lines[:2] == ["held     0 B", "files    0"]
    assert (cleared.status, cleared.err) == (Exit.OK, "0 files freed, 0 B\n")


def test_clearing_removes_what_the_cache_has_put_there_and_nothing_else(
    terminal: Terminal, state: Path, cache: Path
) -> None:
    """Somebody's note in the folder, and the drafts beside the journal, are not the cache's."""
    (cache / "note").write_text("mine")
    (state / "drafts").mkdir()
    (state / "drafts" / "draft").write_text("precious")

    said = terminal.cxfs("cache", "clear")

    assert (said.status, said.err) == (Exit.OK, "1 file freed, 100 KiB\n")
    assert [file.name for file in cache.iterdir()] == ["note"]
    assert (state / "drafts" / "draft").read_text() == "precious"


def test_clearing_follows_no_link_out_of_the_folder(terminal: Terminal, state: Path, cache: Path) -> None:
    """A link under the name of content is removed itself."""
    (terminal.home / "elsewhere").write_text("mine")
    (cache / NAME).unlink()
    (cache / NAME).symlink_to(terminal.home / "elsewhere")

    terminal.cxfs("cache", "clear")

    assert list(cache.iterdir()) == []
    assert (terminal.home / "elsewhere").read_text() == "mine"


def test_the_record_of_the_last_mount_outlives_clearing(terminal: Terminal, state: Path, cache: Path) -> None:
    """It says where the mount was and what it left: `cxfs uploads` needs it."""
    before = (state / "daemon.lock").read_bytes()

    terminal.cxfs("cache", "clear")

    assert (state / "daemon.lock").read_bytes() == before


def test_the_folder_of_a_mount_that_begins_is_not_cleared_under_it(
    terminal: Terminal, state: Path, cache: Path
) -> None:
    """The lock is held by a daemon that cannot be asked yet."""
    with hold_lock(state, terminal.home / "mnt"):
        said = terminal.cxfs("cache", "clear")

    assert (said.status, said.line) == (Exit.NOT_MOUNTED, "cxfs: home is not mounted")
    assert (cache / NAME).exists()


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["cache", "/tmp"], Exit.NOT_MOUNTED),
        (["cache", "clear", "--profile", "nobody"], Exit.CONFIG),
        (["cache", "mnt", "mnt"], Exit.USAGE),
        (["cache", "--limit"], Exit.USAGE),
    ],
)
def test_what_is_meant_must_be_clear(terminal: Terminal, state: Path, arguments: list[str], status: Exit) -> None:
    """One line, and a status that tells what kind of mistake it is."""
    said = terminal.cxfs(*arguments)

    assert said.status == status
    assert said.line
