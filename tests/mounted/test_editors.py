"""How programs save a file that is there: each in its own way, and each is one new version of the same object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.mounting import Account, Mount, eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BEFORE: Final = b"the first line\nthe second line\n"
AFTER: Final = b"the first line, saved\nthe second line\n"

PROGRAM: Final = """
import os, sys
from pathlib import Path
folder, name, saved = Path(sys.argv[1]), sys.argv[2], bytes.fromhex(sys.argv[3])
file = folder / name

def written(path, flags=os.O_WRONLY | os.O_CREAT | os.O_EXCL):
    descriptor = os.open(path, flags, 0o644)
    os.write(descriptor, saved)
    os.fsync(descriptor)
    os.close(descriptor)
"""

VIM: Final = """
# 'backupcopy=no': a swap file, the old one aside, a new one under its name, then the old one goes
written(folder / f".{name}.swp")
os.open(folder / "4913", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
(folder / "4913").unlink()
backup = folder / f"{name}~"
os.rename(file, backup)
written(file)
os.chmod(file, 0o644)
backup.unlink()
(folder / f".{name}.swp").unlink()
"""

GEDIT: Final = """
# GIO's g_file_replace: a temporary file beside it, synced, renamed over it
temporary = folder / ".goutputstream-A1B2C3"
written(temporary)
os.chmod(temporary, 0o644)
os.rename(temporary, file)
"""

LIBREOFFICE: Final = """
# a lock file while it is open; a copy is written, read back, and takes the place of the file
lock = folder / f".~lock.{name}#"
written(lock)
temporary = folder / "lu12345abcde.tmp"
written(temporary)
assert temporary.read_bytes() == saved
os.rename(temporary, file)
lock.unlink()
"""


def by_python(program: str) -> Callable[[Mount, Path], None]:
    """The system calls that such a program makes."""

    def save(mount: Mount, file: Path) -> None:
        mount.python(PROGRAM + program, file.parent, file.name, AFTER.hex())

    return save


def by_rsync(mount: Mount, file: Path) -> None:
    """A temporary file under a name of its own, times set, renamed over."""
    source = mount.home / "source"
    source.mkdir()
    (source / file.name).write_bytes(AFTER)
    mount.run("rsync", "-a", f"{source}/{file.name}", file)


def by_sed(mount: Mount, file: Path) -> None:
    """`sed -i`."""
    mount.run("sed", "-i", "s/the first line/the first line, saved/", file)


def by_truncating(mount: Mount, file: Path) -> None:
    """`cat > FILE`, and nano."""
    mount.run("sh", "-c", 'printf %s "$1" > "$2"', "sh", AFTER.decode(), file)


@pytest.fixture
def file(own_mount: Mount) -> Path:
    """One that is at the server and that the mount has looked at."""
    own_mount.account.put("/letter.txt", BEFORE)
    file = own_mount.path / "letter.txt"
    assert file.read_bytes() == BEFORE
    return file


def versions(account: Account, path: str) -> list[int]:
    """Numbers, newest first."""
    return [found["version"] for found in account.versions(path)]


@pytest.mark.parametrize(
    "save",
    [by_python(VIM), by_python(GEDIT), by_python(LIBREOFFICE), by_rsync, by_sed, by_truncating],
    ids=["vim", "gedit", "LibreOffice", "rsync", "sed -i", "cat >"],
)
def test_a_save_is_one_new_version_of_the_same_object(
    own_mount: Mount, file: Path, save: Callable[[Mount, Path], None]
) -> None:
    """Its UUID stays, the old version can still be fetched, and nothing of the way is left behind."""
    account = own_mount.account
    uuid = account.describe("/letter.txt")["id"]

    save(own_mount, file)
    own_mount.cxfs("sync", "--all")

    assert eventually(lambda: account.content("/letter.txt"), AFTER) == AFTER
    assert account.describe("/letter.txt")["id"] == uuid
    assert versions(account, "/letter.txt") == [2, 1]
    assert account.content("/letter.txt", version=1) == BEFORE
    assert eventually(account.names, {"letter.txt"}) == {"letter.txt"}
    assert [path.name for path in own_mount.path.iterdir()] == ["letter.txt"]
