"""The everyday programs do in a mount what they do on a local disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.mounting import Account, CountingServer, Mount, checksum, eventually, tree_of, wait_until, write_tree

QUOTA_BYTES = 100 << 30


@pytest.fixture
def local(tmp_path: Path) -> Path:
    """A tree on the local disk: folders in folders, an empty file and an empty folder, text and 3 MiB of noise."""
    tree = tmp_path / "local"
    write_tree(
        tree,
        {
            "readme.txt": b"What is in here.\n",
            "empty": b"",
            "photos/2012/october.jpg": os.urandom(3 << 20),
            "photos/list.txt": b"".join(b"photo %d\n" % number for number in range(500)),
            "texts/deep/deeper/deepest.txt": "übermäßig tief\n".encode(),
        },
    )
    (tree / "texts" / "nothing").mkdir()
    return tree


def test_cp_r_into_the_mount_is_identical_in_the_mount_and_at_the_server(
    mount: Mount, account: Account, folder: Path, local: Path
) -> None:
    """What was copied in is what everybody sees, byte for byte."""
    copied = tree_of(local)

    mount.run("cp", "-r", local, folder)

    assert tree_of(folder / "local") == copied
    assert eventually(lambda: account.tree(mount.address(folder / "local")), copied) == copied


def test_cp_r_out_of_the_mount_is_identical(mount: Mount, account: Account, folder: Path, tmp_path: Path) -> None:
    """Content that this machine has never had is fetched whole and unchanged."""
    content = {f"file-{number}": os.urandom(200_000 * number) for number in range(6)}
    for name, stored in content.items():
        account.put(mount.address(folder / name), stored)

    mount.run("cp", "-r", folder, tmp_path / "out")

    assert tree_of(tmp_path / "out") == {name: checksum(stored) for name, stored in content.items()}


def test_ls_lr_shows_every_file_with_its_size(mount: Mount, folder: Path, local: Path) -> None:
    """The listing of a whole tree is complete."""
    mount.run("cp", "-r", local, folder)

    listed = mount.run("ls", "-lR", folder)

    names = ["readme.txt", "empty", "october.jpg", "list.txt", "deepest.txt", "nothing", "deeper"]
    assert [name for name in names if name not in listed] == []
    assert f" {3 << 20} " in listed


def test_mv_into_another_folder_takes_the_content_along(mount: Mount, account: Account, folder: Path) -> None:
    """A rename moves the object at the server, it does not copy it."""
    write_tree(folder, {"old/a.txt": b"moved", "new/b.txt": b"stays"})

    mount.run("mv", folder / "old/a.txt", folder / "new/c.txt")

    moved = {"old": "folder", "new": "folder", "new/b.txt": checksum(b"stays"), "new/c.txt": checksum(b"moved")}
    assert tree_of(folder) == moved
    assert eventually(lambda: account.tree(mount.address(folder)), moved) == moved


def test_mv_of_a_folder_takes_everything_below_along(mount: Mount, account: Account, folder: Path, local: Path) -> None:
    """Files that still wait for their upload go to the folder's new place."""
    copied = tree_of(local)
    mount.run("cp", "-r", local, folder / "before")

    mount.run("mv", folder / "before", folder / "after")

    assert tree_of(folder / "after") == copied
    assert eventually(lambda: account.names(mount.address(folder)), {"after"}) == {"after"}
    assert eventually(lambda: account.tree(mount.address(folder / "after")), copied) == copied


def test_mv_over_an_existing_file_replaces_its_content(mount: Mount, account: Account, folder: Path) -> None:
    """The last word wins, and only one file is left."""
    write_tree(folder, {"a": b"new", "b": b"old"})

    mount.run("mv", "-f", folder / "a", folder / "b")

    replaced = {"b": checksum(b"new")}
    assert tree_of(folder) == replaced
    assert eventually(lambda: account.tree(mount.address(folder)), replaced) == replaced


def test_rm_r_removes_the_tree_here_and_at_the_server(
    mount: Mount, account: Account, folder: Path, local: Path
) -> None:
    """Nothing is left behind, and what was never sent is not sent afterwards."""
    mount.run("cp", "-r", local, folder)

    mount.run("rm", "-r", folder / "local")

    assert list(folder.iterdir()) == []
    wait_until(lambda: not account.names(mount.address(folder)))


def test_mkdir_p_makes_every_folder_on_the_way(mount: Mount, account: Account, folder: Path) -> None:
    """Here at once, and at the server each after the one above it."""
    mount.run("mkdir", "-p", folder / "a/b/c", folder / "a/d")

    made = dict.fromkeys(["a", "a/b", "a/b/c", "a/d"], "folder")
    assert tree_of(folder) == made
    assert eventually(lambda: account.tree(mount.address(folder)), made) == made


def test_rmdir_refuses_a_folder_that_holds_something(mount: Mount, folder: Path) -> None:
    """Nothing is lost by a mistake."""
    write_tree(folder, {"full/precious": b"kept"})

    refused = mount.attempt("rmdir", folder / "full")

    assert "not empty" in refused.stderr
    assert (folder / "full/precious").read_bytes() == b"kept"


def test_touch_d_sets_a_time_to_the_nanosecond(mount: Mount, folder: Path) -> None:
    """As on a local disk."""
    mount.run("touch", "-d", "2012-10-22 21:26:47.700123456", folder / "dated")

    assert (folder / "dated").stat().st_mtime_ns == 1_350_941_207_700_123_456


def test_truncate_shrinks_a_file(mount: Mount, account: Account, folder: Path) -> None:
    """The rest is gone for good: growing it again does not bring it back."""
    account.put(mount.address(folder / "long"), b"0123456789" * 1000)

    mount.run("truncate", "-s", "4", folder / "long")

    shrunk = {"long": checksum(b"0123")}
    assert tree_of(folder) == shrunk
    assert eventually(lambda: account.tree(mount.address(folder)), shrunk) == shrunk


def test_truncate_grows_a_file_with_zeros(mount: Mount, account: Account, folder: Path) -> None:
    """What was there stays, what is new reads as zeros."""
    account.put(mount.address(folder / "short"), b"begin")

    mount.run("truncate", "-s", "100000", folder / "short")

    grown = {"short": checksum(b"begin" + bytes(99_995))}
    assert tree_of(folder) == grown
    assert eventually(lambda: account.tree(mount.address(folder)), grown) == grown


def test_the_shell_appends_to_a_file_that_is_at_the_server(mount: Mount, account: Account, folder: Path) -> None:
    """`>>` as in a log: each line behind the last."""
    account.put(mount.address(folder / "log"), b"line 0\n")

    mount.run("sh", "-c", 'for n in 1 2 3; do echo "line $n" >> log; done', cwd=folder)

    appended = {"log": checksum(b"line 0\nline 1\nline 2\nline 3\n")}
    assert tree_of(folder) == appended
    assert eventually(lambda: account.tree(mount.address(folder)), appended) == appended


def test_dd_writes_into_the_middle_of_a_file(mount: Mount, account: Account, folder: Path) -> None:
    """Only the block that was written changes."""
    before = os.urandom(1 << 20)
    account.put(mount.address(folder / "disk"), before)

    mount.run("dd", f"of={folder / 'disk'}", "bs=4096", "seek=100", "count=1", "conv=notrunc", text="x" * 4096)

    after = {"disk": checksum(before[:409_600] + b"x" * 4096 + before[413_696:])}
    assert tree_of(folder) == after
    assert eventually(lambda: account.tree(mount.address(folder)), after) == after


def test_dd_reads_from_the_middle_of_a_file(mount: Mount, account: Account, folder: Path, tmp_path: Path) -> None:
    """A range of a large file, and not the file, is what is read."""
    stored = os.urandom(5 << 20)
    account.put(mount.address(folder / "disk"), stored)

    mount.run("dd", f"if={folder / 'disk'}", f"of={tmp_path / 'out'}", "bs=1000", "skip=3000", "count=7")

    assert (tmp_path / "out").read_bytes() == stored[3_000_000:3_007_000]


@pytest.mark.promise
def test_df_shows_the_quota_of_the_account(mount: Mount) -> None:
    """`df` shows the account's quota, and never waits for the server."""
    shown = mount.run("df", "--output=fstype,size", "--block-size=1", mount.path)

    assert shown.splitlines()[1].split() == ["fuse.cxfs", str(QUOTA_BYTES)]


def test_find_and_grep_r_reach_every_file(mount: Mount, folder: Path, local: Path) -> None:
    """Programs that walk a tree see all of it."""
    mount.run("cp", "-r", local, folder)

    found = mount.run("find", folder, "-type", "f", "-name", "*.txt")
    matched = mount.run("grep", "-r", "-l", "tief", folder)

    assert {Path(line).name for line in found.splitlines()} == {"readme.txt", "list.txt", "deepest.txt"}
    assert matched.splitlines() == [str(folder / "local/texts/deep/deeper/deepest.txt")]


@pytest.mark.promise
def test_stat_says_that_a_file_is_the_mounting_users(mount: Mount, folder: Path) -> None:
    """Files belong to who mounts, with modes 0644 and folders 0755; `uid=`, `gid=` and `umask=` say otherwise."""
    (folder / "mine").write_bytes(b"12345")

    said = mount.run("stat", "--format=%F %s %a %u %g %h", folder / "mine")

    assert said.strip() == f"regular file 5 644 {os.getuid()} {os.getgid()} 1"


def test_chmod_and_chown_of_ones_own_file_are_kept_for_the_life_of_the_mount(mount: Mount, folder: Path) -> None:
    """Programs that set modes are not refused, and see what they set."""
    (folder / "program").write_bytes(b"#!/bin/sh\n")

    mount.run("chmod", "750", folder / "program")
    mount.run("chown", f"{os.getuid()}:{os.getgid()}", folder / "program")

    assert mount.run("stat", "--format=%a %u", folder / "program").split() == ["750", str(os.getuid())]


def test_head_and_tail_read_the_ends_of_a_file(mount: Mount, account: Account, folder: Path) -> None:
    """Both ends of a file of which nothing is here yet."""
    account.put(mount.address(folder / "alphabet"), b"a" * 3_000_000 + b"z" * 10)

    first = mount.run("head", "-c", "5", folder / "alphabet")
    last = mount.run("tail", "-c", "12", folder / "alphabet")

    assert (first, last) == ("aaaaa", "aazzzzzzzzzz")


def test_sort_o_sorts_a_file_in_place(mount: Mount, account: Account, folder: Path) -> None:
    """A program that reads a file and then writes over it."""
    account.put(mount.address(folder / "words"), b"pear\napple\nmelon\n")

    mount.run("sort", "-o", folder / "words", folder / "words")

    sorted_words = {"words": checksum(b"apple\nmelon\npear\n")}
    assert tree_of(folder) == sorted_words
    assert eventually(lambda: account.tree(mount.address(folder)), sorted_words) == sorted_words


def test_tee_writes_several_files_at_once(mount: Mount, folder: Path) -> None:
    """Two files open for writing side by side."""
    mount.run("tee", folder / "one", folder / "two", text="twice")

    assert tree_of(folder) == dict.fromkeys(["one", "two"], checksum(b"twice"))


def test_split_and_cat_make_the_same_file_again(mount: Mount, folder: Path) -> None:
    """Many pieces written in a row and read back in order."""
    whole = os.urandom(700_000)
    (folder / "whole").write_bytes(whole)

    mount.run("split", "--bytes=64k", "whole", "piece-", cwd=folder)
    mount.run("sh", "-c", "cat piece-* > again", cwd=folder)

    assert len(list(folder.glob("piece-*"))) == 11
    assert (folder / "again").read_bytes() == whole


def test_ls_of_five_thousand_entries_is_complete_and_without_repeats(
    mount: Mount, running_server: CountingServer, folder: Path, tmp_path: Path
) -> None:
    """A listing goes through the kernel's buffer in many pieces; none is lost and none comes twice."""
    names = [f"file-{number:04}" for number in range(5000)]
    write_tree(tmp_path / "many", dict.fromkeys(names, b""))
    running_server.import_tree(tmp_path / "many", mount.account, mount.address(folder))

    listed = mount.run("ls", folder)

    assert listed.splitlines() == names
