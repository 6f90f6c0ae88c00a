"""Groups in a real mount: as a member, as a reader, and when the membership is lost."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING, Literal

import pytest

from cxfs.server import administration
from tests.mounting import Account, Mount, account_of, checksum, errno_of, eventually, tree_of, wait_until, write_tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.server_process import ServerProcess


class Band:
    """A group of somebody else's on the server; `seen` is its tree as that member sees it."""

    def __init__(self, server: ServerProcess, founder: Account) -> None:
        self.name = f"band-{secrets.token_hex(4)}"
        self._directory = server.directory
        with administration.open_store(self._directory) as store:
            owner = administration.add_group(store, self.name, owner=founder.name)
        self.seen = Account(founder.url, founder.token, ca_file=founder.ca_file, owner=owner)

    def admits(self, account: Account, role: Literal["writer", "reader"]) -> None:
        """The account is in the group, in this role."""
        with administration.open_store(self._directory) as store:
            administration.set_member(store, self.name, account.name, role)

    def dismisses(self, account: Account) -> None:
        """The account is in the group no longer."""
        with administration.open_store(self._directory) as store:
            administration.remove_member(store, self.name, account.name)


@pytest.fixture
def band(running_server: ServerProcess) -> Iterator[Band]:
    """A group that the test's account may be let into."""
    with account_of(running_server, f"ben-{secrets.token_hex(4)}") as founder:
        band = Band(running_server, founder)
        try:
            yield band
        finally:
            band.seen.close()


@pytest.fixture
def members_mount(own_account: Account, band: Band, tmp_path: Path) -> Iterator[Mount]:
    """The mount of an account that may write in the group."""
    band.admits(own_account, "writer")
    with Mount(own_account, tmp_path / "home") as mount:
        yield mount


def test_everyday_programs_work_in_a_group(members_mount: Mount, band: Band, tmp_path: Path) -> None:
    """rsync makes and dates what it copies, the second time it has nothing to do; others see all of it."""
    copied = write_tree(tmp_path / "album", {"one.txt": b"la la", "disc-2/two.txt": b"dum dum"})
    group = members_mount.path / "Groups" / band.name

    members_mount.run("rsync", "-a", f"{tmp_path}/album/", group)
    again = members_mount.run("rsync", "-a", "--itemize-changes", f"{tmp_path}/album/", group)

    assert again == ""
    assert "ERROR" not in members_mount.log()
    assert tree_of(group) == copied
    assert eventually(band.seen.tree, copied) == copied


def test_mv_moves_between_ones_own_tree_and_a_group(members_mount: Mount, own_account: Account, band: Band) -> None:
    """The object goes, with its UUID: nothing is sent once more, however large."""
    group = members_mount.path / "Groups" / band.name
    own_account.make_folder("/songs")
    uuid = own_account.put("/songs/one.txt", b"la la")["id"]
    members_mount.remount()

    members_mount.run("mv", members_mount.path / "songs", group)

    assert tree_of(group) == {"songs": "folder", "songs/one.txt": checksum(b"la la")}
    assert own_account.names() == set()
    assert band.seen.describe("/songs/one.txt")["id"] == uuid


def test_ls_shows_the_groups_beside_what_is_ones_own(members_mount: Mount, own_account: Account, band: Band) -> None:
    """Also where the account has an entry of that name."""
    own_account.make_folder("/Groups")
    uuid = own_account.describe("/Groups")["id"]
    members_mount.remount()

    shown = {entry.name: entry.stat().st_mode & 0o777 for entry in os.scandir(members_mount.path)}

    assert shown == {"Groups": 0o555, f"Groups%cx~{uuid}": 0o755}
    assert [group.name for group in (members_mount.path / "Groups").iterdir()] == [band.name]


def test_a_reader_is_kept_out_as_by_any_file_system(own_account: Account, band: Band, tmp_path: Path) -> None:
    """By the mode bits, and for root, whom they do not keep out, by the mount itself."""
    band.admits(own_account, "reader")
    band.seen.make_folder("/songs")
    band.seen.put("/songs/one.txt", b"la la")
    with Mount(own_account, tmp_path / "home") as mount:
        group = mount.path / "Groups" / band.name
        file = group / "songs/one.txt"

        refused = {
            "write": errno_of(os.open, file, os.O_WRONLY),
            "create": errno_of(os.open, group / "new", os.O_WRONLY | os.O_CREAT),
            "truncate": errno_of(os.truncate, file, 0),
            "unlink": errno_of(os.unlink, file),
            "mkdir": errno_of(os.mkdir, group / "folder"),
            "rmdir": errno_of(os.rmdir, group / "songs"),
            "rename": errno_of(os.rename, file, group / "renamed"),
            "chmod": errno_of(os.chmod, file, 0o600),
            "utime": errno_of(os.utime, file, (0, 0)),
            "mkdir in Groups": errno_of(os.mkdir, mount.path / "Groups/new"),
            "rmdir of Groups": errno_of(os.rmdir, mount.path / "Groups"),
            "rename of a group": errno_of(os.rename, group, mount.path / "mine"),
        }

        assert refused == dict.fromkeys(refused, "EACCES")
        assert mount.run("stat", "--format=%A", group, file).split() == ["dr-xr-xr-x", "-r--r--r--"]
        assert file.read_bytes() == b"la la"
        assert mount.attempt("mv", file, mount.path).returncode == 1
        assert band.seen.tree() == {"songs": "folder", "songs/one.txt": checksum(b"la la")}


def test_an_accepted_change_in_a_group_survives_a_kill(members_mount: Mount, band: Band) -> None:
    """The journal knows whose tree it goes to."""
    file = members_mount.path / "Groups" / band.name / "new.txt"
    file.write_bytes(b"precious")
    members_mount.kill()
    wait_until(lambda: not members_mount.is_served)

    members_mount.start()

    assert file.read_bytes() == b"precious"
    sent = {"new.txt": checksum(b"precious")}
    assert eventually(band.seen.tree, sent) == sent


def test_a_membership_comes_and_goes_while_mounted(own_account: Account, band: Band, tmp_path: Path) -> None:
    """No remount, and no longer than names are believed."""
    with Mount(own_account, tmp_path / "home", "--metadata-ttl", "1") as mount:
        group = mount.path / "Groups" / band.name
        before = group.exists()
        band.admits(own_account, "writer")
        wait_until(group.exists)
        (group / "note").write_bytes(b"mine")
        wait_until(lambda: band.seen.names() == {"note"})

        band.dismisses(own_account)

        wait_until(lambda: not group.exists())
        assert not before
        assert list(mount.path.iterdir()) == []


def test_a_change_that_is_too_late_is_parked_and_told(own_account: Account, band: Band, tmp_path: Path) -> None:
    """The account left before the upload: what was written stays here, and unmounting says that something is left."""
    band.admits(own_account, "writer")
    with Mount(own_account, tmp_path / "home", "--feed-ttl", "0") as mount:  # told of it, the group is gone at once
        file = mount.path / "Groups" / band.name / "note"
        with file.open("wb") as opened:
            opened.write(b"too late")
            band.dismisses(own_account)

        wait_until(lambda: os.getxattr(file, "user.cx.status") == b"parked")

        assert file.read_bytes() == b"too late"
        assert "is kept here" in mount.log()


@pytest.mark.parametrize("options", [("--no-groups",), ("-o", "nogroups")])
def test_no_groups_shows_ones_own_tree_alone(
    own_account: Account, band: Band, tmp_path: Path, options: tuple[str, ...]
) -> None:
    """As flag and as word; then the name is free."""
    band.admits(own_account, "writer")
    with Mount(own_account, tmp_path / "home", *options) as mount:
        before = list(mount.path.iterdir())

        (mount.path / "Groups").mkdir()

        assert before == []
        assert eventually(own_account.names, {"Groups"}) == {"Groups"}
