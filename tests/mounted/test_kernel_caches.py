"""What the kernel answers by itself: a call that does not reach the daemon is as fast as on a local disk."""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.mounted.watched import CALLS
from tests.mounting import Account, CountingServer, Mount, errno_of

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

HERE: Final = Path(__file__).parent
FILES: Final = 40


class WatchedMount(Mount):
    """A mount whose daemon notes what the kernel asks."""

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | {CALLS: str(self.home / "calls")}

    def cxfs(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        if arguments[0] != "mount":
            return super().cxfs(*arguments)
        return self.attempt(sys.executable, HERE / "watched.py", *arguments)

    def calls(self) -> Counter[str]:
        """How often each handler was called so far."""
        return Counter((self.home / "calls").read_text(encoding="ascii").split())


@pytest.fixture
def watched(own_account: Account, tmp_path: Path) -> Iterator[WatchedMount]:
    """The mount of an account with a folder of some files."""
    for number in range(FILES):
        own_account.put(f"/file-{number:02}", b"content")
    with WatchedMount(own_account, tmp_path / "home") as mount:
        yield mount


def test_ls_l_asks_for_no_attribute_of_each_file(watched: WatchedMount) -> None:
    """It looks for access lists and labels: the first answer is that there are none, on no file."""
    before = watched.calls()

    watched.run("ls", "-l", watched.path)

    asked = watched.calls() - before
    assert asked["readdir"] > 0
    assert asked["getxattr"] + asked["lookup"] + asked["getattr"] < 8, asked


def test_what_was_listed_is_known_to_the_kernel_for_the_ttl(watched: WatchedMount) -> None:
    """Its attributes and its name: `stat` of every file asks nobody."""
    watched.run("ls", watched.path)
    before = watched.calls()

    for number in range(FILES):
        (watched.path / f"file-{number:02}").stat()

    assert watched.calls() - before == Counter()


def test_a_name_that_is_absent_is_asked_for_once(watched: WatchedMount) -> None:
    """Programs look for the same missing file again and again: `.git`, `.hidden`, a library on a path."""
    before = watched.calls()

    for _ in range(20):
        assert errno_of(os.stat, watched.path / "absent") == "ENOENT"

    assert (watched.calls() - before)["lookup"] == 1


def test_a_file_that_is_opened_again_is_read_from_the_kernels_pages(watched: WatchedMount) -> None:
    """The daemon is asked whether it is still the same version, and no more."""
    file = watched.path / "file-00"
    first = file.read_bytes()
    before = watched.calls()
    again = [file.read_bytes() for _ in range(5)]
    asked = watched.calls() - before

    assert (first, again) == (b"content", [b"content"] * 5)
    assert (asked["open"], asked["read"]) == (5, 0)


def test_df_does_not_ask_the_server(watched: WatchedMount, running_server: CountingServer) -> None:
    """A file manager asks all the time."""
    before = len(running_server.requests())

    for _ in range(20):
        os.statvfs(watched.path)

    assert [line for line in running_server.requests()[before:] if "users" in line] == []
