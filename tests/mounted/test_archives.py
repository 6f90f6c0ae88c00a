"""tar packs what was never here, and what is still on its way to the server."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.mounting import Account, Mount, checksum, tree_of, wait_until, write_tree

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def local(tmp_path: Path) -> Path:
    """A tree on the local disk."""
    tree = tmp_path / "local"
    write_tree(
        tree,
        {f"part-{part}/file-{number}": os.urandom(1000 * number) for part in range(4) for number in range(12)}
        | {"large": os.urandom(4 << 20), "names/a b": b"space", "names/ü": "ü".encode()},
    )
    return tree


def unpack(mount: Mount, tmp_path: Path) -> dict[str, str]:
    """What packed.tar holds."""
    (tmp_path / "unpacked").mkdir()
    mount.run("tar", "--extract", "--file", tmp_path / "packed.tar", cwd=tmp_path / "unpacked")
    return tree_of(tmp_path / "unpacked")


def test_tar_packs_from_the_mount_what_the_server_holds(own_account: Account, tmp_path: Path) -> None:
    """Size and content agree in every header, though nothing was here before."""
    content = {f"file-{number}": os.urandom(50_000 * number) for number in range(8)}
    for name, stored in content.items():
        own_account.put(f"/{name}", stored)

    with Mount(own_account, tmp_path / "home") as mount:
        mount.run("tar", "--create", "--file", tmp_path / "packed.tar", "--directory", mount.path, ".")
        unpacked = unpack(mount, tmp_path)

    assert unpacked == {name: checksum(stored) for name, stored in content.items()}


def test_tar_packs_a_tree_that_is_still_being_uploaded(
    mount: Mount, account: Account, folder: Path, local: Path, tmp_path: Path
) -> None:
    """No file or folder changes under its hands, as tar would complain, because uploads end meanwhile."""
    mount.run("cp", "-r", local, folder)
    wait_until(lambda: len(account.names(mount.address(folder / "local"))) > 0)

    mount.run("tar", "--create", "--file", tmp_path / "packed.tar", "--directory", folder / "local", ".")

    assert unpack(mount, tmp_path) == tree_of(local)
