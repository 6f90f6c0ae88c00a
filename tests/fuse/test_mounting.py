"""What stands around a mount, as far as it needs no kernel; tests/cli/test_mount_points.py has the rest."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cxfs.fuse import mounting
from cxfs.fuse.mounting import FuseMissing, Mounted, MountPointTrouble

TABLE = r"""22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
41 22 0:45 / /mnt/my\040cx rw,nosuid,nodev,relatime shared:5 - fuse.cxfs home rw,user_id=0,group_id=0
42 22 0:46 / /mnt/tower rw - ext4 /dev/sdb1 rw
43 42 0:47 / /mnt/tower rw - fuse.sshfs nas:/ rw
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    file = tmp_path / "mountinfo"
    file.write_text(TABLE)
    return file


def test_a_mount_of_ours_is_found_in_the_table(table: Path) -> None:
    """Spaces in it are written in octal there."""
    there = mounting.mounted_at(Path("/mnt/my cx"), table)

    assert there == Mounted(Path("/mnt/my cx"), "fuse.cxfs", "home", "0:45")
    assert there.is_ours


def test_of_several_mounts_at_one_place_the_last_counts(table: Path) -> None:
    """It is the one that is seen."""
    there = mounting.mounted_at(Path("/mnt/tower"), table)

    assert there == Mounted(Path("/mnt/tower"), "fuse.sshfs", "nas:/", "0:47")
    assert not there.is_ours


def test_a_folder_inside_a_mount_is_no_mount(table: Path) -> None:
    """Unmounting it would unmount what it lies in."""
    assert mounting.mounted_at(Path("/mnt/tower/inside"), table) is None


@pytest.mark.parametrize("end", ["\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028"])
def test_a_name_that_ends_a_line_elsewhere_hides_no_mount(table: Path, end: str) -> None:
    """Anybody may mount something under such a name, and the kernel writes it as it is."""
    table.write_text(f"40 22 0:44 / /mnt/odd{end}name rw - fuse.other a{end}b rw\n{TABLE}", newline="")

    there = mounting.mounted_at(Path(f"/mnt/odd{end}name"), table)

    assert there == Mounted(Path(f"/mnt/odd{end}name"), "fuse.other", f"a{end}b", "0:44")
    assert mounting.mounted_at(Path("/mnt/my cx"), table) is not None


def test_a_missing_device_says_how_to_get_it(tmp_path: Path) -> None:
    """On a machine of one's own, and in a container."""
    with pytest.raises(FuseMissing, match="modprobe fuse, as root; in a container start it with --device"):
        mounting.check_machine(allow_other=False, device=tmp_path / "fuse")


def test_a_file_in_place_of_the_device_is_named(tmp_path: Path) -> None:
    """Some container set-ups leave one there."""
    (tmp_path / "fuse").touch()

    with pytest.raises(FuseMissing, match="is no device"):
        mounting.check_machine(allow_other=False, device=tmp_path / "fuse")


def test_an_ordinary_user_needs_fusermount3(monkeypatch: pytest.MonkeyPatch) -> None:
    """Root mounts by itself; the others go through the helper."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(FuseMissing, match="apt install fuse3"):
        mounting.check_machine(allow_other=False, device=Path("/dev/null"))


@pytest.fixture
def as_ordinary_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An ordinary user on a machine with fusermount3; its fuse.conf."""
    program = tmp_path / "fusermount3"
    program.touch(0o755)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path / "fuse.conf"


@pytest.mark.parametrize("line", ["", "#user_allow_other", "# user_allow_other", "user_allow_others", "mount_max = 5"])
def test_allow_other_needs_a_line_in_fuse_conf(as_ordinary_user: Path, line: str) -> None:
    """Else libfuse refuses it with a message that few understand."""
    as_ordinary_user.write_text(f"{line}\n")

    with pytest.raises(FuseMissing, match="add it, as root"):
        mounting.check_machine(allow_other=True, device=Path("/dev/null"), fuse_conf=as_ordinary_user)


@pytest.mark.parametrize("line", ["user_allow_other", "  user_allow_other  # for the media server"])
def test_allow_other_is_fine_with_that_line(as_ordinary_user: Path, line: str) -> None:
    """As the comments in that file describe it."""
    as_ordinary_user.write_text(f"mount_max = 5\n{line}\n")

    mounting.check_machine(allow_other=True, device=Path("/dev/null"), fuse_conf=as_ordinary_user)


def test_a_mount_point_must_be_there(tmp_path: Path) -> None:
    """It is not made: a misspelt one would be a new folder somewhere."""
    with pytest.raises(MountPointTrouble, match="mkdir it first"):
        mounting.prepare_mount_point(tmp_path / "none")


def test_a_mount_point_must_be_a_folder(tmp_path: Path) -> None:
    """The root of an account is one."""
    (tmp_path / "file").touch()

    with pytest.raises(MountPointTrouble, match="is not a folder"):
        mounting.prepare_mount_point(tmp_path / "file")


def test_an_empty_folder_hides_nothing(tmp_path: Path) -> None:
    """So nothing has to be said."""
    assert mounting.prepare_mount_point(tmp_path) is False


def test_a_folder_that_holds_something_is_told_apart(tmp_path: Path) -> None:
    """It can be mounted on, but its content is out of sight meanwhile."""
    (tmp_path / "hidden").touch()

    assert mounting.prepare_mount_point(tmp_path) is True


def test_a_mount_of_another_kind_is_not_mounted_over() -> None:
    """/proc is one on every Linux."""
    with pytest.raises(MountPointTrouble, match=r"is a mount already \(proc\)"):
        mounting.prepare_mount_point(Path("/proc"))


def test_a_mount_of_another_kind_is_not_unmounted() -> None:
    """`cxfs umount` is no way to unmount a disk by a slip of the hand."""
    with pytest.raises(MountPointTrouble, match="not a cxfs mount but proc"):
        mounting.unmount(Path("/proc"))


def test_what_is_not_mounted_cannot_be_unmounted(tmp_path: Path) -> None:
    """And that is said plainly."""
    with pytest.raises(MountPointTrouble, match="is not mounted"):
        mounting.unmount(tmp_path)


def test_a_symbolic_link_to_a_mount_point_is_followed(tmp_path: Path) -> None:
    """The kernel's table has the folder itself."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")

    assert mounting.resolved(tmp_path / "link") == (tmp_path / "real").resolve()


def test_programs_that_use_a_mount_are_named(tmp_path: Path) -> None:
    """By folder or open file; one that only has a similar name is left out."""
    for number, name, link, target in (
        ("7", "bash", "cwd", "/mnt/cx"),
        ("12", "less", "fd/3", "/mnt/cx/notes.txt"),
        ("13", "other", "cwd", "/mnt/cxx"),
    ):
        process = tmp_path / number
        (process / "fd").mkdir(parents=True)
        (process / "comm").write_text(f"{name}\n")
        (process / link).symlink_to(target)

    assert mounting.users_of(Path("/mnt/cx"), tmp_path) == ["bash (7)", "less (12)"]
