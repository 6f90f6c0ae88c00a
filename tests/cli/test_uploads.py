"""Sync and uploads where no mount runs: which mount is meant, what is refused, and what a journal shows."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cxfs.cli.exits import Exit
from cxfs.cli.exporting import ExportTrouble, export
from cxfs.core.errors import Invalid, NotFound
from cxfs.core.posix import PosixUpdate
from cxfs.local.outbox import Outbox
from cxfs.mounts import hold_lock
from tests.journals import accepts

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.terminal import Terminal


@pytest.fixture
def state(terminal: Terminal) -> Path:
    """The state folder of the only profile, which was mounted at ~/mnt before."""
    terminal.configure('[profiles.home]\napi_url = "https://127.0.0.1:1"\n')
    folder = terminal.home / ".local/state/cxfs/home"
    with hold_lock(folder, terminal.home / "mnt"):
        return folder


@pytest.mark.parametrize(
    "arguments", [["sync"], ["sync", "--all", "mnt"], ["uploads", "discard"], ["uploads", "export"]]
)
def test_what_is_to_be_done_must_be_said(terminal: Terminal, arguments: list[str]) -> None:
    """Nothing is guessed."""
    said = terminal.cxfs(*arguments)

    assert said.status == Exit.USAGE
    assert said.line.endswith("--help)")


def test_a_mount_that_does_not_run_cannot_sync(terminal: Terminal, state: Path) -> None:
    """Said with its name."""
    said = terminal.cxfs("sync", "mnt/a")

    assert (said.status, said.line) == (Exit.NOT_MOUNTED, "cxfs: home is not mounted")


def test_a_daemon_that_was_killed_is_not_asked(terminal: Terminal, state: Path) -> None:
    """Its record is there, its lock is not."""
    said = terminal.cxfs("uploads", "discard", "--yes", "mnt/a")

    assert (said.status, said.line) == (Exit.NOT_MOUNTED, "cxfs: home is not mounted: mount it first, then decide")


def test_a_journal_is_shown_without_a_daemon(terminal: Terminal, state: Path) -> None:
    """Parked with its reason; by a path or all."""
    accepts(state, "self:/folder/a", b"12345", parked="full")
    accepts(state, "self:/b", b"")

    everything = json.loads("\n".join(terminal.cxfs("uploads", "--json").lines))
    some = terminal.cxfs("uploads", "mnt/folder")

    assert [(row["path"], row["status"], row["reason"]) for row in everything] == [
        ("folder/a", "parked", "full"),
        ("b", "waiting", None),
    ]
    assert [line.split()[-1] for line in some.lines] == ["folder/a", "full"]
    assert "home is not mounted" in some.err


READ_ONLY = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && exec "$0" -m cxfs uploads'


def test_what_a_killed_daemon_left_is_seen_on_a_disk_that_is_read_only(terminal: Terminal, state: Path) -> None:
    """As one is after it failed, which is when it is wanted; SQLite would make a file beside the log."""
    outbox = Outbox(state)
    accepts(state, "self:/a", b"a")
    left = {name: (state / name).read_bytes() for name in ("journal.sqlite", "journal.sqlite-wal")}
    outbox.close()
    for name, content in left.items():
        (state / name).write_bytes(content)

    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", READ_ONLY, sys.executable, state],
        env=terminal.environment, cwd=terminal.home, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert done.stdout.splitlines()[0].endswith("  a"), done.stderr
    assert done.returncode == Exit.OK


def test_a_name_cannot_draw_on_the_terminal(terminal: Terminal, state: Path) -> None:
    """An escape sequence in a name is shown, not obeyed."""
    accepts(state, "self:/\x1b[2Jb", b"")

    assert terminal.cxfs("uploads").lines[0].endswith("?[2Jb")


def test_content_is_exported_from_a_journal(terminal: Terminal, state: Path) -> None:
    """Under its path, whatever became of the server."""
    accepts(state, "self:/folder/a", b"12345")

    said = terminal.cxfs("uploads", "export", "out")

    assert said.lines == ["out/folder/a"]
    assert (terminal.home / "out/folder/a").read_bytes() == b"12345"


# ------------------------------------------------------------------------------------------------ copies


def content(file: Path, **changed: Any) -> dict[str, Any]:
    """What a daemon says of a draft."""
    size = file.stat().st_size if file.exists() else 0
    told = {
        "path": "a",
        "file": str(file),
        "size": size,
        "missing": [],
        "generation": 1,
        "modified_ms": 1_500,
        "posix": "",
    }
    return {**told, **changed}


@pytest.fixture
def draft(tmp_path: Path) -> Path:
    file = tmp_path / "draft"
    file.write_bytes(os.urandom(3_000_000))
    return file


def test_a_copy_has_the_content_and_the_time(draft: Path, tmp_path: Path) -> None:
    """In a folder that is made."""
    target = export(lambda: content(draft, path="folder/a"), tmp_path / "out")

    assert target == tmp_path / "out/folder/a"
    assert target.read_bytes() == draft.read_bytes()
    assert target.stat().st_mtime_ns == 1_500_000_000


def test_a_copy_has_mode_attributes_and_the_nanoseconds(draft: Path, tmp_path: Path) -> None:
    """As far as the folder's file system keeps them; nobody gets another's rights by a copy."""
    posix = PosixUpdate(mode=0o4751, rest_ns=250_001, xattrs=(("user.colour", b"blue"), ("user.gone", None)))

    target = export(lambda: content(draft, posix=posix.text), tmp_path / "out")

    found = target.stat()
    assert stat.S_IMODE(found.st_mode) == 0o751
    assert found.st_mtime_ns == 1_500_250_001
    assert {name: os.getxattr(target, name) for name in os.listxattr(target)} == {"user.colour": b"blue"}


def test_a_link_is_a_link_again(draft: Path, tmp_path: Path) -> None:
    """Wherever it leads; nothing is there to be copied."""
    target = export(lambda: content(draft, posix=PosixUpdate(link="../far/away").text), tmp_path / "out")

    assert target.readlink() == Path("../far/away")
    assert target.lstat().st_mtime_ns == 1_500_000_000


def test_no_copy_goes_through_a_link(draft: Path, tmp_path: Path) -> None:
    """One that was exported before leads out of the folder."""
    (tmp_path / "far").mkdir()
    export(lambda: content(draft, posix=PosixUpdate(link=str(tmp_path / "far")).text), tmp_path / "out")

    with pytest.raises(ExportTrouble, match="is a link"):
        export(lambda: content(draft, path="a/b"), tmp_path / "out")

    assert list((tmp_path / "far").iterdir()) == []


def test_nothing_is_overwritten(draft: Path, tmp_path: Path) -> None:
    """Not even a dangling link."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out/a").symlink_to("nowhere")

    with pytest.raises(ExportTrouble, match="is there already"):
        export(lambda: content(draft), tmp_path / "out")
    with pytest.raises(ExportTrouble, match="is there already"):
        export(lambda: content(draft, posix=PosixUpdate(link="elsewhere").text), tmp_path / "out")

    assert not (tmp_path / "out/nowhere").exists()


def test_a_copy_with_holes_says_so_in_its_name(draft: Path, tmp_path: Path) -> None:
    """Under its own it would pass for the file."""
    target = export(lambda: content(draft, missing=[[0, 5]]), tmp_path / "out")

    assert target.name == "a.incomplete"


@pytest.mark.parametrize("path", ["../a", "b/../../a", "", "/", "a/."])
def test_a_path_does_not_lead_out_of_the_folder(draft: Path, tmp_path: Path, path: str) -> None:
    """It comes from a journal, which may be damaged."""
    with pytest.raises(Invalid):
        export(lambda: content(draft, path=path), tmp_path / "out")


def test_what_is_written_while_it_is_copied_is_copied_again(draft: Path, tmp_path: Path) -> None:
    """And what never rests is given up, with nothing left behind."""
    generations = iter([1, 2, 2])
    restless = iter(range(100))

    target = export(lambda: content(draft, generation=next(generations)), tmp_path / "out")
    with pytest.raises(ExportTrouble, match="is being written"):
        export(lambda: content(draft, path="b", generation=next(restless)), tmp_path / "out")

    assert target.read_bytes() == draft.read_bytes()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a"]


def test_what_is_sent_before_it_is_copied_is_not_missed(draft: Path, tmp_path: Path) -> None:
    """It is at the server: no failure, and no empty file."""
    with pytest.raises(NotFound):
        export(lambda: content(tmp_path / "gone"), tmp_path / "out")

    assert not (tmp_path / "out").exists()


def test_what_is_sent_while_it_is_copied_is_kept(draft: Path, tmp_path: Path) -> None:
    """The copy is what was sent."""
    answers: list[Callable[[], dict[str, Any]]] = [lambda: content(draft)]

    def ask() -> dict[str, Any]:
        if not answers:
            raise NotFound("sent")
        return answers.pop()()

    assert export(ask, tmp_path / "out").read_bytes() == draft.read_bytes()
