"""Where a mount may go, and what is said about where it may not; nothing is asked of any server before."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cxfs.cli.exits import Exit
from cxfs.fuse.mounting import is_dead, mounted_at
from tests.mounting import Account, Mount, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def unmounted(own_account: Account, tmp_path: Path) -> Iterator[Mount]:
    """A profile and a mount point, not mounted yet."""
    mount = Mount(own_account, tmp_path / "home")
    try:
        yield mount
    finally:
        mount.end()


def test_a_folder_with_something_in_it_is_mounted_on_with_a_warning(unmounted: Mount) -> None:
    """What it holds is hidden, not lost; people forget that."""
    (unmounted.path / "mine").write_text("mine")

    said = unmounted.cxfs("mount", str(unmounted.path))

    assert said.returncode == 0
    assert said.stderr == f"cxfs: {unmounted.path} is not empty: what it holds is hidden while mounted\n"
    assert list(unmounted.path.iterdir()) == []
    unmounted.unmount()
    assert (unmounted.path / "mine").read_text() == "mine"


def test_a_mount_is_not_mounted_over(unmounted: Mount) -> None:
    """Of others neither."""
    said = unmounted.cxfs("mount", "/proc")

    assert said.returncode == Exit.MOUNT_POINT
    assert said.stderr == "cxfs: /proc is a mount already (proc): choose another folder\n"


def test_a_mount_point_is_known_by_any_of_its_names(own_mount: Mount) -> None:
    """Relative, through a symbolic link, with a slash at the end."""
    (own_mount.home / "link").symlink_to(own_mount.home)

    said = own_mount.cxfs("umount", "link/./mnt/")

    assert (said.returncode, said.stderr) == (0, "")
    assert not own_mount.is_mounted


def test_a_dead_mount_is_unmounted_as_a_living_one_is(own_mount: Mount) -> None:
    """`cxfs umount` clears what a crash left, so that nobody needs to know `umount -l`."""
    own_mount.kill()
    wait_until(lambda: not own_mount.is_served)

    said = own_mount.cxfs("umount", str(own_mount.path))

    assert said.returncode == 0, said.stderr
    assert not own_mount.is_mounted


@pytest.mark.promise
@pytest.mark.parametrize("option", [[], ["--dead"]])
def test_a_dead_mount_is_cleared_though_programs_use_it(own_mount: Mount, option: list[str]) -> None:
    """A mount whose daemon died is cleared by the next `cxfs mount`, by `cxfs umount`, and by `cxfs umount --dead`
    (for ExecStopPost=), which leaves any other mount alone and succeeds."""
    with own_mount.spawn(
        "import os, sys; os.chdir(sys.argv[1]); print(flush=True); sys.stdin.read()", own_mount.path
    ) as user:
        assert user.stdout is not None
        user.stdout.readline()
        own_mount.kill()
        wait_until(lambda: not own_mount.is_served)

        said = own_mount.cxfs("umount", *option, str(own_mount.path))

        assert (said.returncode, said.stderr) == (0, "")
        assert mounted_at(own_mount.path) is None
        own_mount.start()  # and nothing is in its way
        assert own_mount.ending_of(user) == 0


def test_only_what_is_dead_is_cleared_where_that_is_asked_for(own_mount: Mount) -> None:
    """Not a mount that lives, not one that hangs, which would hang whoever looks; and none is no failure."""
    os.kill(own_mount.daemon_pid, signal.SIGSTOP)
    hanging = own_mount.cxfs("umount", "--dead", str(own_mount.path))
    is_left = own_mount.is_mounted
    os.kill(own_mount.daemon_pid, signal.SIGCONT)
    (own_mount.path / "file").write_bytes(b"x")
    own_mount.unmount()
    unmounted = own_mount.cxfs("umount", "--dead", str(own_mount.path))

    assert is_left
    assert [(said.returncode, said.stderr) for said in (hanging, unmounted)] == [(0, "")] * 2


def test_a_closed_terminal_unmounts_what_is_in_the_foreground(own_account: Account, unmounted: Mount) -> None:
    """As Ctrl-C does: what was written is sent, and no dead mount is left."""
    with subprocess.Popen(
        [sys.executable, "-m", "cxfs", "mount", "--foreground", unmounted.path],
        env=unmounted.environment,
        cwd=unmounted.home,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        wait_until(lambda: mounted_at(unmounted.path) is not None and not is_dead(unmounted.path))
        (unmounted.path / "file").write_bytes(b"written")

        process.send_signal(signal.SIGHUP)
        try:
            _, said = process.communicate(timeout=60)
        finally:
            process.kill()  # so that a failure is one, and not a test that never ends

    assert process.returncode == 0, said
    assert not unmounted.is_mounted
    assert own_account.content("/file") == b"written"


def test_the_daemon_keeps_to_its_folders(own_mount: Mount) -> None:
    """Journal, lock and log below the state folder, for the person alone; the cache apart from it."""
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in (own_mount.state_folder, own_mount.log_file)}

    assert modes == {"test": "0o700", "cxfs.log": "0o600"}
    assert (own_mount.home / "cache/cxfs/test").is_dir()
    assert {path.name for path in own_mount.home.iterdir()} == {"cache", "state", "mnt", "token", "config.toml"}
    assert Path(f"/proc/{own_mount.daemon_pid}/cwd").readlink() == Path("/")
    assert own_mount.account.token not in own_mount.log_file.read_text(encoding="utf-8")
