"""Renames in all their forms, what CX has not (links, pipes), and locks between programs."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import stat
from base64 import b64encode
from typing import TYPE_CHECKING

import pytest

from tests.mounting import Account, Mount, checksum, errno_of, eventually, tree_of, wait_until, write_tree

if TYPE_CHECKING:
    from pathlib import Path

AT_FDCWD = -100
RENAME_NOREPLACE = 1
RENAME_EXCHANGE = 2


def renameat2(old: Path, new: Path, flags: int) -> None:
    """A rename with flags, which Python does not offer."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.renameat2(AT_FDCWD, os.fsencode(old), AT_FDCWD, os.fsencode(new), flags):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def test_a_rename_over_an_existing_file_keeps_its_uuid(mount: Mount, account: Account, folder: Path) -> None:
    """Write beside and rename over is how programs save: at the server it is a new version of the same file."""
    uuid = account.put(mount.address(folder / "document"), b"first draft")["id"]
    (folder / "document.tmp").write_bytes(b"second draft")

    (folder / "document.tmp").rename(folder / "document")

    saved = {"document": checksum(b"second draft")}
    assert tree_of(folder) == saved
    assert eventually(lambda: account.tree(mount.address(folder)), saved) == saved
    assert account.describe(mount.address(folder / "document"))["id"] == uuid


def test_a_rename_of_a_file_at_the_server_replaces_another(mount: Mount, account: Account, folder: Path) -> None:
    """Both are known there: one goes, the other has its name and keeps its own UUID."""
    uuid = account.put(mount.address(folder / "new"), b"new")["id"]
    account.put(mount.address(folder / "old"), b"old")

    (folder / "new").rename(folder / "old")

    assert tree_of(folder) == account.tree(mount.address(folder)) == {"old": checksum(b"new")}
    assert account.describe(mount.address(folder / "old"))["id"] == uuid


def test_a_folder_replaces_an_empty_folder_only(mount: Mount, account: Account, folder: Path) -> None:
    """As rename(2) says: ENOTEMPTY, and nothing is lost."""
    write_tree(folder, {"new/file": b"new", "full/file": b"kept"})
    (folder / "empty").mkdir()

    with pytest.raises(OSError, match="not empty") as refused:
        (folder / "new").rename(folder / "full")
    (folder / "new").rename(folder / "empty")

    assert refused.value.errno == errno.ENOTEMPTY
    left = {"full": "folder", "full/file": checksum(b"kept"), "empty": "folder", "empty/file": checksum(b"new")}
    assert tree_of(folder) == left
    assert eventually(lambda: account.tree(mount.address(folder)), left) == left


def test_a_folder_cannot_be_moved_below_itself(mount: Mount, folder: Path) -> None:
    """That would cut it off from the tree."""
    (folder / "above/below").mkdir(parents=True)

    with pytest.raises(OSError, match="Invalid argument") as refused:
        (folder / "above").rename(folder / "above/below/above")

    assert refused.value.errno == errno.EINVAL
    assert tree_of(folder) == {"above": "folder", "above/below": "folder"}


@pytest.mark.promise
def test_rename_noreplace_refuses_a_name_that_is_taken(mount: Mount, folder: Path) -> None:
    """RENAME_NOREPLACE refuses a name that is taken."""
    write_tree(folder, {"new": b"new", "old": b"old"})

    with pytest.raises(FileExistsError):
        renameat2(folder / "new", folder / "old", RENAME_NOREPLACE)

    renameat2(folder / "new", folder / "free", RENAME_NOREPLACE)
    assert tree_of(folder) == {"free": checksum(b"new"), "old": checksum(b"old")}


@pytest.mark.promise
@pytest.mark.parametrize("where", ["at the server", "not sent yet"])
def test_rename_exchange_swaps_two_files(mount: Mount, account: Account, folder: Path, where: str) -> None:
    """RENAME_EXCHANGE swaps two names."""
    if where == "at the server":
        account.put(mount.address(folder / "a"), b"was a")
        account.put(mount.address(folder / "b"), b"was b")
    else:
        write_tree(folder, {"a": b"was a", "b": b"was b"})

    renameat2(folder / "a", folder / "b", RENAME_EXCHANGE)

    swapped = {"a": checksum(b"was b"), "b": checksum(b"was a")}
    assert tree_of(folder) == swapped
    assert eventually(lambda: account.tree(mount.address(folder)), swapped) == swapped


def test_rename_exchange_swaps_a_file_and_a_folder(mount: Mount, account: Account, folder: Path) -> None:
    """Also across folders, each with what is in it."""
    write_tree(folder, {"one/thing": b"a file", "two/thing/inside": b"in a folder"})

    renameat2(folder / "one/thing", folder / "two/thing", RENAME_EXCHANGE)

    swapped = {
        "one": "folder",
        "one/thing": "folder",
        "one/thing/inside": checksum(b"in a folder"),
        "two": "folder",
        "two/thing": checksum(b"a file"),
    }
    assert tree_of(folder) == swapped
    assert eventually(lambda: account.tree(mount.address(folder)), swapped) == swapped


@pytest.mark.promise
def test_a_hard_link_is_refused(mount: Mount, folder: Path) -> None:
    """Hard links fail with EPERM: CX has one name for an object."""
    (folder / "file").write_bytes(b"one name")

    with pytest.raises(PermissionError) as refused:
        os.link(folder / "file", folder / "other")

    assert refused.value.errno == errno.EPERM


def test_a_symbolic_link_is_followed(mount: Mount, account: Account, folder: Path) -> None:
    """By the kernel; what is written through it goes into the file that it leads to."""
    (folder / "target").write_bytes(b"before")
    (folder / "link").symlink_to("target")

    (folder / "link").write_bytes(b"through the link")

    assert (folder / "target").read_bytes() == b"through the link"
    assert os.readlink(folder / "link") == "target"  # noqa: PTH115 - a Path would tidy it
    wait_until(lambda: "link" in account.names(mount.address(folder)))
    assert account.content(mount.address(folder / "link")).startswith(b"XSym\n0006\n")


def test_mknod_makes_a_regular_file(mount: Mount, account: Account, folder: Path) -> None:
    """Made and closed in one call, and at the server like any other."""
    os.mknod(folder / "made", stat.S_IFREG | 0o640)

    made = {"made": checksum(b"")}
    assert stat.S_IMODE((folder / "made").stat().st_mode) == 0o640
    assert eventually(lambda: account.tree(mount.address(folder)), made) == made


def test_a_pipe_is_refused(mount: Mount, folder: Path) -> None:
    """There is nothing like it in the cloud."""
    with pytest.raises(PermissionError):
        os.mkfifo(folder / "pipe")

    assert list(folder.iterdir()) == []


def test_the_everyday_mistakes_get_their_errno(mount: Mount, folder: Path) -> None:
    """Programs decide by these numbers what to do next."""
    write_tree(folder, {"file": b"", "full/file": b""})

    assert {
        "unlink of nothing": errno_of(os.unlink, folder / "nothing"),
        "unlink of a folder": errno_of(os.unlink, folder / "full"),
        "rmdir of a file": errno_of(os.rmdir, folder / "file"),
        "rmdir of a full folder": errno_of(os.rmdir, folder / "full"),
        "mkdir of a name taken": errno_of(os.mkdir, folder / "file"),
        "mkdir in nothing": errno_of(os.mkdir, folder / "nothing/new"),
        "open below a file": errno_of(os.open, folder / "file/below", os.O_RDONLY),
        "writing to a folder": errno_of(os.open, folder / "full", os.O_WRONLY),
        "listing a file": errno_of(os.listdir, folder / "file"),
        "an attribute that is not there": errno_of(os.getxattr, folder / "file", "user.colour"),
    } == {
        "unlink of nothing": "ENOENT",
        "unlink of a folder": "EISDIR",
        "rmdir of a file": "ENOTDIR",
        "rmdir of a full folder": "ENOTEMPTY",
        "mkdir of a name taken": "EEXIST",
        "mkdir in nothing": "ENOENT",
        "open below a file": "ENOTDIR",
        "writing to a folder": "EISDIR",
        "listing a file": "ENOTDIR",
        "an attribute that is not there": "ENODATA",
    }


@pytest.mark.promise
@pytest.mark.parametrize("kind", ["flock", "lockf"])
def test_a_lock_holds_between_two_programs(mount: Mount, folder: Path, kind: str) -> None:
    """flock and fcntl locks hold between the programs of this machine."""
    holder = """
import fcntl, sys
with open(sys.argv[1], "wb") as file:
    getattr(fcntl, sys.argv[2])(file, fcntl.LOCK_EX)
    print("held", flush=True)
    sys.stdin.read()
"""
    taker = """
import fcntl, sys
with open(sys.argv[1], "r+b") as file:
    try:
        getattr(fcntl, sys.argv[2])(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("refused")
    else:
        print("taken")
"""
    first = mount.spawn(holder, folder / "file", kind)
    assert first.stdout is not None
    assert first.stdout.readline() == "held\n"

    while_held = mount.python(taker, folder / "file", kind)
    mount.ending_of(first)
    afterwards = mount.python(taker, folder / "file", kind)

    assert (while_held.strip(), afterwards.strip()) == ("refused", "taken")


@pytest.mark.promise
def test_extended_attributes_tell_what_an_object_is(mount: Mount, account: Account, folder: Path) -> None:
    """The extended attributes `user.cx.*` tell the UUID, version, owner, checksum and status (`synced`, `pending`,
    `uploading`, `parked`, `conflict`) of each object to whoever asks for one by its name."""
    described = account.put(mount.address(folder / "file"), b"known")

    told = {
        name: os.getxattr(folder / "file", f"user.cx.{name}").decode()
        for name in ("uuid", "version", "status", "checksum", "owner", "name")
    }

    assert told["uuid"] == described["id"]
    assert told["version"] == str(described["version"])
    assert told["status"] == "synced"
    assert told["checksum"] == "SHA1:" + b64encode(hashlib.sha1(b"known").digest()).decode().rstrip("=")
    assert told["owner"] != ""
    assert told["name"] == "file"


@pytest.mark.promise
def test_no_extended_attribute_costs_ls_a_request_for_each_file(folder: Path) -> None:
    """Attributes of other families than `user.*` fail with ENOTSUP: `ls -l`, which looks for them at every file, then
    stops asking. Of `user.*` those of programs are listed, and not `user.cx.*`."""
    (folder / "file").write_bytes(b"")
    os.setxattr(folder / "file", "user.colour", b"blue")

    assert os.listxattr(folder / "file") == ["user.colour"]
    assert {
        "its access list": errno_of(os.getxattr, folder / "file", "system.posix_acl_access"),
        "its label": errno_of(os.getxattr, folder / "file", "security.selinux"),
    } == {"its access list": "ENOTSUP", "its label": "ENOTSUP"}


def test_extended_attributes_tell_that_an_upload_waits(mount: Mount, folder: Path) -> None:
    """Whoever must know whether a file is safe at the server can ask."""
    (folder / "file").write_bytes(b"just written")
    before = os.getxattr(folder / "file", "user.cx.status")

    after = eventually(lambda: os.getxattr(folder / "file", "user.cx.status"), b"synced")

    assert before in {b"pending", b"uploading"}
    assert after == b"synced"


def test_setting_an_attribute_syncs_from_any_program(mount: Mount, account: Account, folder: Path) -> None:
    """`setfattr -n user.cx.sync` is all that it takes; what tells of the object is not to be set."""
    (folder / "below").mkdir()
    (folder / "below/file").write_bytes(b"just written")

    mount.run("setfattr", "-n", "user.cx.sync", folder)

    assert account.content(mount.address(folder / "below/file")) == b"just written"
    assert errno_of(os.setxattr, folder / "below/file", "user.cx.status", b"synced") == "EPERM"


def test_extended_attributes_of_other_families_cannot_be_set(mount: Mount, folder: Path) -> None:
    """CX has no place for them: an error, not a promise that is not kept."""
    (folder / "file").write_bytes(b"")

    assert {
        "another's": errno_of(os.setxattr, folder / "file", "trusted.colour", b"blue"),
        "one too many": errno_of(os.setxattr, folder / "file", "user.colour", bytes(65_536)),
        "what is not there": errno_of(os.removexattr, folder / "file", "user.colour"),
    } == {"another's": "ENOTSUP", "one too many": "ENOSPC", "what is not there": "ENODATA"}
