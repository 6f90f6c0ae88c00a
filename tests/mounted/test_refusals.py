"""A mount that cannot be: one line that says what to do, an exit status that scripts know, and nothing left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.mounting import Account, Mount
from tests.server_process import free_port

if TYPE_CHECKING:
    from pathlib import Path

CONFIG, SIGNED_OUT, UNREACHABLE, MOUNT_POINT, FAILED = 3, 4, 5, 7, 1


@pytest.fixture
def unmounted(own_account: Account, tmp_path: Path) -> Mount:
    """A profile and a mount point, not mounted yet."""
    return Mount(own_account, tmp_path / "home")


def refused(mount: Mount, *options: str) -> tuple[int, str]:
    """The exit status of `cxfs mount` and the line it says; whatever happens, nothing stays behind."""
    try:
        done = mount.cxfs("mount", *options, str(mount.path))
        assert not mount.is_mounted
        assert not mount.is_served
        assert len(done.stderr.splitlines()) == 1, done.stderr
        return done.returncode, done.stderr
    finally:
        mount.end()


def test_a_token_that_the_server_refuses(unmounted: Mount) -> None:
    """The person has to get another one."""
    (unmounted.home / "token").write_text("not-a-token", encoding="ascii")

    status, said = refused(unmounted)

    assert status == SIGNED_OUT
    assert "token" in said
    assert "not-a-token" not in said


def test_a_server_that_is_not_there(own_account: Account, tmp_path: Path) -> None:
    """Nothing is mounted that could only answer with errors."""
    nowhere = Account(f"https://127.0.0.1:{free_port()}", own_account.token, ca_file=own_account.ca_file)

    status, said = refused(Mount(nowhere, tmp_path / "home"))

    nowhere.close()
    assert status == UNREACHABLE
    assert "127.0.0.1" in said


def test_a_server_whose_certificate_is_not_trusted(own_account: Account, tmp_path: Path) -> None:
    """The token is not shown to a stranger."""
    mount = Mount(own_account, tmp_path / "home")
    config = (mount.home / "config.toml").read_text(encoding="utf-8").splitlines()
    (mount.home / "config.toml").write_text(
        "\n".join(line for line in config if not line.startswith("ca_file")), encoding="utf-8"
    )

    status, said = refused(mount)

    assert status == UNREACHABLE
    assert "certificate" in said


def test_a_root_that_is_a_file(unmounted: Mount, own_account: Account) -> None:
    """`root=` takes a folder."""
    own_account.put("/file", b"")

    status, said = refused(unmounted, "-o", "root=/file")

    assert status == FAILED
    assert "/file" in said


def test_a_root_that_is_not_there(unmounted: Mount) -> None:
    """It is not made by mistake."""
    status, said = refused(unmounted, "-o", "root=/nowhere")

    assert status == FAILED
    assert "nowhere" in said


def test_a_mount_point_that_is_missing(unmounted: Mount) -> None:
    """Nor is this."""
    unmounted.path.rmdir()

    status, said = refused(unmounted)

    assert status == MOUNT_POINT
    assert "mkdir" in said
