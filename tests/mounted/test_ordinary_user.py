"""An ordinary user mounts by fusermount3, and gets by without root."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.mounting import Account, Mount, checksum, eventually, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = 65534

AS_NOBODY = (
    "setpriv",
    f"--reuid={NOBODY}",
    f"--regid={NOBODY}",
    "--clear-groups",
    # So that the interpreter and the project can be read wherever they stand. It does not help to mount, and
    # fusermount3 does not inherit it.
    "--inh-caps=-all,+dac_read_search",
    "--ambient-caps=-all,+dac_read_search",
)

OPEN_DEVICE = """
mount -t tmpfs tmpfs "$0" && mknod -m 666 "$0/fuse" c 10 229 && mount --bind "$0/fuse" /dev/fuse && echo ready && cat
"""
"""In a container the device is often root's alone; elsewhere everybody may open it, as here."""

WORK = """cd "$0" && mkdir new && cat theirs > new/copy && cat new/copy && stat --format=' %u %a' new/copy"""


@pytest.fixture
def namespace(tmp_path: Path) -> Iterator[int]:
    """A process with mounts of its own, among them a FUSE device for everybody; they are gone with it."""
    (tmp_path / "dev").mkdir()
    command = ["unshare", "--mount", "--propagation=private", "sh", "-c", OPEN_DEVICE, str(tmp_path / "dev")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process.pid


@pytest.fixture
def home() -> Iterator[Path]:
    """A home of the user's own, on a way that the user may go."""
    with tempfile.TemporaryDirectory(prefix="cxfs-test-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "home"


@pytest.fixture
def users_mount(own_account: Account, home: Path, namespace: int) -> Iterator[Mount]:
    """The mount of the user who is called nobody."""
    mount = Mount(own_account, home, prefix=("nsenter", f"--mount=/proc/{namespace}/ns/mnt", *AS_NOBODY))
    for path in [home, *home.rglob("*")]:
        os.chown(path, NOBODY, NOBODY)
    with mount:
        yield mount


def is_mounted(mount: Mount) -> bool:
    """Whether the user has it there; the table of mounts that the test itself sees is another."""
    return mount.attempt("findmnt", "--mountpoint", mount.path).returncode == 0


def test_an_ordinary_user_mounts_works_and_unmounts(users_mount: Mount, own_account: Account) -> None:
    """All of it without being root: what is there is the user's own, and `cxfs umount` needs nobody's help."""
    own_account.put("/theirs", b"from elsewhere")

    said = users_mount.run("sh", "-c", WORK, users_mount.path)
    users_mount.unmount()

    assert said == f"from elsewhere {NOBODY} 644\n"
    assert own_account.tree()["new/copy"] == checksum(b"from elsewhere")
    assert not is_mounted(users_mount)


@pytest.mark.parametrize("dead", [False, True], ids=["after an unmount", "after a kill"])
def test_an_ordinary_user_mounts_again(users_mount: Mount, own_account: Account, *, dead: bool) -> None:
    """A dead mount point is cleared by fusermount3 as well, and what was accepted is sent."""
    users_mount.run("sh", "-c", 'echo accepted > "$0/file"', users_mount.path)
    if dead:
        users_mount.kill()
        wait_until(lambda: not users_mount.is_served)
    else:
        users_mount.unmount()

    users_mount.start()

    sent = {"file": checksum(b"accepted\n")}
    assert eventually(own_account.tree, sent) == sent
    assert users_mount.run("cat", users_mount.path / "file") == "accepted\n"


def test_the_mount_of_an_ordinary_user_is_closed_to_others(users_mount: Mount, namespace: int) -> None:
    """Without allow_other nobody else looks into it."""
    others = ["nsenter", f"--mount=/proc/{namespace}/ns/mnt", "setpriv", "--reuid=65533", "--clear-groups"]

    refused = subprocess.run([*others, "ls", users_mount.path], capture_output=True, text=True, timeout=30, check=False)

    assert is_mounted(users_mount)
    assert "Permission denied" in refused.stderr
