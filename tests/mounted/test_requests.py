"""How many requests the everyday programs cost, counted by the server."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import pytest

from tests.mounting import Account, CountingServer, Mount, wait_until

if TYPE_CHECKING:
    from pathlib import Path

FOLDERS = 200
FILES_EACH = 50


@pytest.fixture
def large_account(running_server: CountingServer, own_account: Account, tmp_path: Path) -> Account:
    """An account with 10,000 files in 200 folders, as someone who moved in has it."""
    for folder in range(FOLDERS):
        (tmp_path / "tree" / f"folder-{folder:03}").mkdir(parents=True)
        for file in range(FILES_EACH):
            (tmp_path / "tree" / f"folder-{folder:03}" / f"file-{file:02}").write_bytes(b"%d" % file)
    running_server.import_tree(tmp_path / "tree", own_account)
    return own_account


def downloads(server: CountingServer, since: int) -> list[str]:
    """Requests for content."""
    return [line for line in server.requests()[since:] if line.startswith(("GET /1/data/", "POST /1/bundle/get"))]


OF_A_START: Final = Counter({"GET /1/files/list": 1, "GET /1/users/self": 4})
"""A mount's own first look, at the root, the profile and the groups; the last of them may come when it is mounted."""


def calls_of(server: CountingServer, since: int) -> Counter[str]:
    """How often each call was made, by method and the first parts of its address."""
    return Counter("/".join(line.split("/")[:4]) for line in server.requests()[since:])


@pytest.mark.promise
def test_find_over_ten_thousand_files_costs_one_request_a_folder(
    large_account: Account, running_server: CountingServer, tmp_path: Path
) -> None:
    """One request lists a folder (up to 1,000 entries of it) and answers for every name in it; no name is asked for
    by itself."""
    with Mount(large_account, tmp_path / "home") as mount:
        before = len(running_server.requests())

        found = mount.run("find", mount.path, "-type", "f", "-size", "-10")

        asked = calls_of(running_server, before)
        assert len(found.splitlines()) == FOLDERS * FILES_EACH
        assert sum(asked.values()) <= 210, asked


def test_grep_over_a_thousand_small_files_costs_a_tenth_of_a_request_each(
    own_account: Account, running_server: CountingServer, tmp_path: Path
) -> None:
    """Where the server offers bundles: who reads one after the other finds the next ones here."""
    for number in range(1_000):
        folder = tmp_path / "tree" / f"folder-{number // 50:02}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"file-{number % 50:02}").write_bytes(b"needle %d\n" % number + b"hay " * 500)
    running_server.import_tree(tmp_path / "tree", own_account)
    with Mount(own_account, tmp_path / "home") as mount:
        before = len(running_server.requests())

        found = mount.run("grep", "-rhc", "needle", mount.path)

        content = [line for line in running_server.requests()[before:] if "/1/data/" in line or "/1/bundle/" in line]
        assert found.split() == ["1"] * 1_000
        assert 0 < len(content) <= 100, Counter(content)


def test_ls_l_of_a_listed_folder_costs_no_request_until_the_ttl_ends(
    own_account: Account, running_server: CountingServer, tmp_path: Path
) -> None:
    """What is known is believed for as long as it was said to be, and then asked for again."""
    for number in range(20):
        own_account.put(f"/file-{number}", b"")
    with Mount(own_account, tmp_path / "home", "--metadata-ttl", "3", "--feed-ttl", "0") as mount:
        mount.run("ls", "-l", mount.path)
        before = len(running_server.requests())

        for _ in range(3):
            mount.run("ls", "-l", mount.path)

        assert calls_of(running_server, before) == Counter()

        def asked_again() -> bool:
            mount.run("ls", "-l", mount.path)
            return calls_of(running_server, before)["GET /1/files/list"] == 1

        wait_until(asked_again)


def test_stat_of_every_name_in_a_folder_costs_one_request(
    own_account: Account, running_server: CountingServer, tmp_path: Path
) -> None:
    """A program that names its files is served by the listing that we took; absent names as well."""
    for number in range(50):
        own_account.put(f"/file-{number}", b"12345")
    start = len(running_server.requests())
    with Mount(own_account, tmp_path / "home") as mount:
        wait_until(lambda: calls_of(running_server, start) >= OF_A_START)
        before = len(running_server.requests())

        mount.attempt("stat", *(mount.path / f"file-{number}" for number in range(100)))

        asked = calls_of(running_server, before)
        assert asked["GET /1/files/list"] <= 1
        assert sum(asked.values()) <= 2, asked  # the root itself is nobody's entry


def test_a_file_is_downloaded_once_however_often_it_is_read(
    own_account: Account, running_server: CountingServer, tmp_path: Path
) -> None:
    """Content of a version does not change: it stays on disk, also over a remount."""
    own_account.put("/file", b"x" * 500_000)
    with Mount(own_account, tmp_path / "home") as mount:
        first = (mount.path / "file").read_bytes()
        mount.remount()
        before = len(running_server.requests())

        again = (mount.path / "file").read_bytes()

        assert again == first
        assert downloads(running_server, before) == []


def test_a_file_that_was_written_here_is_not_downloaded_to_be_read(
    own_mount: Mount, own_account: Account, running_server: CountingServer
) -> None:
    """What went up is known here; remounting forgets nothing of it."""
    (own_mount.path / "file").write_bytes(b"x" * 500_000)
    own_mount.remount()
    before = len(running_server.requests())

    read = (own_mount.path / "file").read_bytes()

    assert read == b"x" * 500_000
    assert downloads(running_server, before) == []


def test_writing_a_temporary_file_and_renaming_it_is_one_upload(
    own_mount: Mount, own_account: Account, running_server: CountingServer
) -> None:
    """As editors and rsync save: the temporary name is never sent."""
    before = len(running_server.requests())

    (own_mount.path / "temporary").write_bytes(b"saved")
    (own_mount.path / "temporary").rename(own_mount.path / "document")

    wait_until(lambda: own_account.names() == {"document"})
    assert own_account.content("/document") == b"saved"
    uploads = [line for line in running_server.requests()[before:] if line.startswith("POST")]
    assert len(uploads) == 1, uploads


def test_a_file_that_is_deleted_before_it_was_sent_is_never_sent(
    own_mount: Mount, own_account: Account, running_server: CountingServer
) -> None:
    """Temporary files cost nothing."""
    before = len(running_server.requests())

    (own_mount.path / "temporary").write_bytes(b"for a moment")
    (own_mount.path / "temporary").unlink()

    own_mount.unmount()
    assert [line for line in running_server.requests()[before:] if line.startswith("POST")] == []
