"""The trash of a mount, as desktops keep one at the top of each file system: `.Trash-UID` with `files` and `info`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from tests.mounting import Account, Mount

PROGRAM: Final = """
# The calls that GIO makes for `gio trash`, and what file managers do to restore and to empty.
import os, sys
from pathlib import Path
from urllib.parse import quote, unquote

top, task, *names = Path(sys.argv[1]), *sys.argv[2:]
trash = top / f".Trash-{os.getuid()}"
files, infos = trash / "files", trash / "info"

def put(path):
    assert os.lstat(path).st_dev == os.lstat(top).st_dev
    for part in (trash, files, infos):
        part.mkdir(mode=0o700, exist_ok=True)
    about = os.lstat(trash)
    assert (about.st_uid, about.st_mode & 0o777) == (os.getuid(), 0o700)
    number, name = 1, path.name
    while True:
        try:
            os.close(os.open(infos / f"{name}.trashinfo", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
            break
        except FileExistsError:
            number += 1
            name = f"{path.stem}.{number}{path.suffix}"
    written = infos / f"{name}.trashinfo.A1B2C3"
    said = f"[Trash Info]\\nPath={quote(str(path.relative_to(top)))}\\nDeletionDate=2026-05-04T03:02:01\\n"
    written.write_text(said)
    written.rename(infos / f"{name}.trashinfo")
    path.rename(files / name)

def restore(name):
    info = infos / f"{name}.trashinfo"
    path = top / unquote(info.read_text().split("Path=")[1].splitlines()[0])
    (files / name).rename(path)
    info.unlink()

def delete(name):
    (files / name).unlink()
    (infos / f"{name}.trashinfo").unlink()

for name in names:
    {"put": lambda: put(top / name), "restore": lambda: restore(name), "delete": lambda: delete(name)}[task]()
"""


@pytest.fixture
def trash(own_mount: Mount) -> str:
    """Its name at the top of the mount."""
    return f".Trash-{own_mount.path.stat().st_uid}"


@pytest.mark.promise
def test_what_is_put_into_the_trash_can_be_restored(own_mount: Mount, own_account: Account, trash: str) -> None:
    """The trash that desktops keep at the top of a file system, `.Trash-UID`, works: what is put there and restored is
    the same object."""
    before = own_account.put("/the plan.txt", b"the plan")

    own_mount.python(PROGRAM, own_mount.path, "put", "the plan.txt")

    assert not (own_mount.path / "the plan.txt").exists()
    assert own_account.describe(f"/{trash}/files/the plan.txt")["id"] == before["id"]
    told = own_mount.path / trash / "info" / "the plan.txt.trashinfo"
    assert told.read_text(encoding="ascii").splitlines()[1] == "Path=the%20plan.txt"

    own_mount.python(PROGRAM, own_mount.path, "restore", "the plan.txt")
    own_mount.unmount()

    assert own_account.describe("/the plan.txt")["id"] == before["id"]
    assert own_account.tree(f"/{trash}") == {"files": "folder", "info": "folder"}


def test_two_files_of_one_name_are_both_kept_in_the_trash(own_mount: Mount, own_account: Account, trash: str) -> None:
    """The second gets another name there, and each goes back to where it was."""
    for content in (b"one", b"two"):
        (own_mount.path / "note.txt").write_bytes(content)
        own_mount.python(PROGRAM, own_mount.path, "put", "note.txt")

    own_mount.python(PROGRAM, own_mount.path, "restore", "note.2.txt")

    assert (own_mount.path / "note.txt").read_bytes() == b"two"
    assert (own_mount.path / trash / "files" / "note.txt").read_bytes() == b"one"


def test_what_is_deleted_from_the_trash_is_gone_from_the_server(
    own_mount: Mount, own_account: Account, trash: str
) -> None:
    """Both the file and what told of it."""
    names = [f"file-{number}" for number in range(20)]
    for name in names:
        (own_mount.path / name).write_text(name)
    own_mount.python(PROGRAM, own_mount.path, "put", *names)

    own_mount.python(PROGRAM, own_mount.path, "delete", *names)
    own_mount.unmount()

    assert own_account.tree("/") == dict.fromkeys((trash, f"{trash}/files", f"{trash}/info"), "folder")


def test_a_folder_is_put_into_the_trash_whole(own_mount: Mount, own_account: Account, trash: str) -> None:
    """By one rename, whatever is in it."""
    (own_mount.path / "album" / "days").mkdir(parents=True)
    (own_mount.path / "album" / "days" / "one").write_bytes(b"1")

    own_mount.python(PROGRAM, own_mount.path, "put", "album")
    own_mount.unmount()

    assert "one" in own_account.names(f"/{trash}/files/album/days")
    assert "album" not in own_account.names("/")
