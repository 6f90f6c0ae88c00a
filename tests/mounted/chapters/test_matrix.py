"""The whole matrix of open(2): every set of flags on a target in every state, in the mount as on a local disk."""

from __future__ import annotations

import errno
import os
import subprocess
from typing import TYPE_CHECKING, Final

import pytest

from tests.conformance.recording import record
from tests.conformance.report import Row
from tests.mounted.chapters.explained import NO_UNNAMED_FILES
from tests.mounted.chapters.matrix import NAMED, OF_OTHERS, STATES, Ground, every_way, outcome, some_ways
from tests.mounting import Mount

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from tests.mounted.chapters.matrix import Flags, State
    from tests.mounted.chapters.person import Person

CHAPTER: Final = "open, flags by target"

Grounds = tuple[Ground, Ground]


@pytest.fixture
def grounds(ground: Path, shared_mount: Mount, tmp_path: Path) -> Grounds:
    """A folder on a local disk, and one in the mount."""
    found = []
    for base in (ground, shared_mount.path):
        folder = base / tmp_path.name
        folder.mkdir()
        links = base / f"links-{tmp_path.name}"
        links.mkdir()
        found.append(Ground(folder, links))
    return found[0], found[1]


@pytest.fixture
def read_only_grounds(grounds: Grounds, ground: Path, shared_mount: Mount, tmp_path: Path) -> Iterator[Grounds]:
    """The same folders, on a local disk that is mounted read-only, and in a mount that is."""
    local, home, links = (ground / f"{name}-{tmp_path.name}" for name in ("read-only", "home", "links-to"))
    for folder in (local, links, links / "local", links / "mount"):
        folder.mkdir()
    os.setxattr(shared_mount.path / tmp_path.name, "user.cx.sync", b"")
    subprocess.run(["mount", "--bind", ground / tmp_path.name, local], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", local], check=True)
        with Mount(shared_mount.account, home, "-o", "ro") as mount:
            yield Ground(local, links / "local"), Ground(mount.path / tmp_path.name, links / "mount")
    finally:
        subprocess.run(["umount", local], check=True)


def differences(
    grounds: Grounds,
    state: State,
    ways: Iterable[Flags],
    outcome_of: Callable[[str, int], tuple[object, ...]] = outcome,
) -> tuple[Row, dict[str, str]]:
    """What the ways to open come to, and those that differ and are not explained."""
    local, mount = grounds
    cases = alike = 0
    unexplained: dict[str, str] = {}
    for flags in ways:
        expected, found = (place.open(state, flags, outcome_of) for place in (local, mount))
        cases += 1
        if found == expected:
            alike += 1
        elif not _is_explained(flags, found):
            unexplained[str(flags)] = f"{expected} locally, {found} in the mount"
    return Row(CHAPTER, cases, alike, NO_UNNAMED_FILES.args[1:] if alike < cases else ()), unexplained


def _is_explained(flags: Flags, found: tuple[object, ...]) -> bool:
    """There are no files without a name."""
    return "O_TMPFILE" in flags.names and found[0] == errno.errorcode[errno.EOPNOTSUPP]


@pytest.mark.parametrize("state", STATES.values(), ids=STATES)
def test_flags_by_themselves_and_in_pairs_do_what_they_do_on_a_local_disk(
    grounds: Grounds, state: State, record_property: Callable[[str, object], None]
) -> None:
    """Result, errno, what is read and written then, and what is in the folder afterwards."""
    row, unexplained = differences(grounds, state, some_ways())

    assert unexplained == {}
    record(record_property, row)


@pytest.mark.parametrize("state", OF_OTHERS.values(), ids=OF_OTHERS)
def test_flags_by_themselves_and_in_pairs_do_what_they_do_on_a_local_disk_for_whom_modes_keep_out(
    grounds: Grounds, state: State, nobody: Person, record_property: Callable[[str, object], None]
) -> None:
    """The mode bits of file and folder count as there."""
    row, unexplained = differences(grounds, state, some_ways(), lambda path, bits: nobody(outcome, path, bits))

    assert unexplained == {}
    record(record_property, row)


@pytest.mark.long
@pytest.mark.parametrize("state", STATES.values(), ids=STATES)
def test_every_set_of_flags_does_what_it_does_on_a_local_disk(grounds: Grounds, state: State) -> None:
    """All of them together, too."""
    _, unexplained = differences(grounds, state, every_way())

    assert unexplained == {}


@pytest.mark.long
@pytest.mark.parametrize("state", OF_OTHERS.values(), ids=OF_OTHERS)
def test_every_set_of_flags_does_what_it_does_on_a_local_disk_for_whom_modes_keep_out(
    grounds: Grounds, state: State, nobody: Person
) -> None:
    """An ordinary user is kept out of as much."""
    _, unexplained = differences(grounds, state, every_way(), lambda path, bits: nobody(outcome, path, bits))

    assert unexplained == {}


@pytest.mark.long
@pytest.mark.parametrize("state", NAMED.values(), ids=NAMED)
def test_every_set_of_flags_does_what_it_does_on_a_local_disk_where_both_are_read_only(
    read_only_grounds: Grounds, state: State
) -> None:
    """EROFS for all that would change something, and for nothing else."""
    _, unexplained = differences(read_only_grounds, state, every_way())

    assert unexplained == {}
