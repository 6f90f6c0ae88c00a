"""`.versions` as people and programs use it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.mounting import Account, Mount, checksum, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

FIRST: Final = ".versions/report.txt/2012-10-14T12.00.00Z-v1.txt"
SECOND: Final = ".versions/report.txt/2012-10-14T13.00.00Z-v2.txt"
SECOND_AT_S: Final = 1_350_219_600


@pytest.fixture(scope="module")
def mount(account: Account, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mount]:
    """The module's mount, with versions."""
    with Mount(account, tmp_path_factory.mktemp("home"), "-o", "versions") as mount:
        yield mount


@pytest.fixture
def history(mount: Mount, account: Account, folder: Path) -> Path:
    """A folder with one file of three versions, an hour apart."""
    for hour, content in enumerate([b"one\n", b"one\ntwo\n", b"one\ntwo\nthree\n"], start=12):
        account.put(mount.address(folder / "report.txt"), content, modified=f"2012-10-14T{hour}:00:00.000Z")
    return folder


@pytest.mark.promise
def test_any_program_reads_what_a_file_was(mount: Mount, history: Path) -> None:
    """With `--versions` each file's former versions are files in the folder `.versions` beside it: any program reads
    them."""
    assert mount.run("ls", history / ".versions").split() == ["report.txt"]
    assert mount.run("ls", history / ".versions/report.txt").split() == [Path(FIRST).name, Path(SECOND).name]
    assert mount.run("cat", history / FIRST) == "one\n"
    assert mount.run("tail", "-n1", history / SECOND) == "two\n"
    assert mount.run("stat", "--format=%s %Y", history / SECOND) == f"8 {SECOND_AT_S}\n"
    assert mount.attempt("diff", history / FIRST, history / "report.txt").stdout == "1a2,3\n> two\n> three\n"


@pytest.mark.promise
def test_a_version_that_is_copied_out_is_restored(mount: Mount, account: Account, history: Path) -> None:
    """A former version that is copied over its file is the next version of it, which keeps its UUID."""
    address = mount.address(history)
    uuid = account.describe(f"{address}/report.txt")["id"]

    mount.run("cp", history / FIRST, history / "report.txt")
    mount.run("cp", "-p", history / SECOND, history / "copy.txt")

    restored = {"report.txt": checksum(b"one\n"), "copy.txt": checksum(b"one\ntwo\n")}
    assert eventually(lambda: account.tree(address), restored) == restored
    told = account.describe(f"{address}/report.txt")
    assert (told["id"], told["version"]) == (uuid, 4)
    assert mount.run("stat", "--format=%a %Y", history / "copy.txt") == f"644 {SECOND_AT_S}\n"
    assert len(mount.run("ls", history / ".versions/report.txt").split()) == 3


@pytest.mark.promise
def test_programs_that_walk_do_not_come_upon_versions(mount: Mount, history: Path) -> None:
    """`.versions` stands in no listing: who walks through a mount does not walk through its history."""
    assert mount.run("ls", "-A", history) == "report.txt\n"
    assert mount.run("find", history, "-type", "f") == f"{history / 'report.txt'}\n"
    assert mount.run("grep", "-rc", "one", history) == f"{history / 'report.txt'}:1\n"
    assert mount.run("du", "-a", "--apparent-size", history / ".versions").count("report.txt/") == 2


COMMANDS: Final = (
    "rm V",
    "mv V out",
    "truncate -s0 V",
    "touch V",
    "chmod 600 V",
    "cp report.txt V",
    "mkdir .versions/a",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_programs_hear_that_it_is_read_only(mount: Mount, history: Path, command: str) -> None:
    """As of a snapshot."""
    ended = mount.attempt("sh", "-c", command.replace("V", FIRST), cwd=history)

    assert ended.returncode != 0
    assert "Read-only file system" in ended.stderr
    assert mount.run("cat", history / FIRST) == "one\n"
