"""How large editors save a file that is there, by the calls they make: one new version of the same object."""

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
    [by_python(GEDIT), by_python(LIBREOFFICE)],
    ids=["gedit", "LibreOffice"],
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
