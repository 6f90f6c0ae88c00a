"""How far the kernel reads ahead in a mount, without a kernel; tests/mounted/test_reading.py has the rest."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from cxfs.fuse.kernel_readahead import READ_AHEAD_KIB, read_further

HERE = Path("/mnt/cx")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    file = tmp_path / "mountinfo"
    file.write_text(
        "41 22 0:45 / /mnt/cx rw,nosuid,nodev,relatime shared:5 - fuse.cxfs home rw,user_id=0,group_id=0\n"
        "42 22 0:46 / /mnt/tower rw - fuse.sshfs nas:/ rw\n"
    )
    return file


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    for device in ("0:45", "0:46"):
        (tmp_path / device).mkdir()
        (tmp_path / device / "read_ahead_kb").write_text("128\n")
    return tmp_path


def setting(settings: Path, device: str = "0:45") -> int:
    return int((settings / device / "read_ahead_kb").read_text())


def test_the_kernel_reads_further_ahead_in_a_mount(table: Path, settings: Path) -> None:
    """Each of its requests costs the same, whatever it asks for."""
    read_further(HERE, table=table, settings=settings, agreed=lambda _: None)

    assert setting(settings) == READ_AHEAD_KIB


def test_it_is_set_after_the_kernel_has_set_it(table: Path, settings: Path) -> None:
    """When the mount answers its first question, at which the kernel goes back to what it takes by itself."""

    def agrees(_: Path) -> None:
        (settings / "0:45" / "read_ahead_kb").write_text("128\n")

    read_further(HERE, table=table, settings=settings, agreed=agrees)

    assert setting(settings) == READ_AHEAD_KIB


def test_who_has_set_more_keeps_it(table: Path, settings: Path) -> None:
    """A rule of the machine's, for all mounts."""
    (settings / "0:45" / "read_ahead_kb").write_text("4096\n")

    read_further(HERE, table=table, settings=settings, agreed=lambda _: None)

    assert setting(settings) == 4096


def test_a_mount_of_somebody_else_is_left_alone(table: Path, settings: Path) -> None:
    """One that was laid over ours."""
    read_further(Path("/mnt/tower"), table=table, settings=settings, agreed=lambda _: None)

    assert setting(settings, "0:46") == 128


def test_who_may_not_stays_with_what_there_is(table: Path, settings: Path) -> None:
    """Only root may; a kernel may have no such setting; the mount may have ended."""

    def ended(_: Path) -> None:
        raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")

    read_further(HERE, table=table, settings=settings / "nowhere", agreed=lambda _: None)
    read_further(HERE, table=table, settings=settings, agreed=ended)

    assert setting(settings) == 128
