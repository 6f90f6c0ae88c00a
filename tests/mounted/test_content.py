"""Reading and writing through every door that the kernel has: descriptors, appends, maps, holes, several programs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.mounting import Account, Mount, checksum, eventually, tree_of, wait_until

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20


def test_a_file_is_written_and_read_through_one_descriptor(mount: Mount, account: Account, folder: Path) -> None:
    """What was written is there at once, also before it is closed."""
    with (folder / "both").open("w+b", buffering=0) as file:
        file.write(b"0123456789")
        file.seek(4)
        file.write(b"xx")
        file.seek(0)
        read = file.read()

    assert read == b"0123xx6789"
    written = {"both": checksum(read)}
    assert eventually(lambda: account.tree(mount.address(folder)), written) == written


def test_random_reads_of_a_large_file_are_right(mount: Mount, account: Account, folder: Path) -> None:
    """Pieces across every boundary, near the end and beyond it."""
    stored = os.urandom(9 * MIB + 12_345)
    account.put(mount.address(folder / "large"), stored)
    places = [(0, 1), (MIB - 1, 2), (8 * MIB - 100, 200), (4 * MIB, MIB), (len(stored) - 10, 100), (len(stored), 10)]

    with (folder / "large").open("rb", buffering=0) as file:
        read = [os.pread(file.fileno(), size, offset) for offset, size in places]

    assert [checksum(piece) for piece in read] == [checksum(stored[offset : offset + size]) for offset, size in places]


def test_a_file_that_is_too_large_for_one_block_comes_back_whole(mount: Mount, account: Account, folder: Path) -> None:
    """Up and down again in many pieces."""
    written = os.urandom(20 * MIB + 1)

    (folder / "large").write_bytes(written)

    uploaded = {"large": checksum(written)}
    assert eventually(lambda: account.tree(mount.address(folder)), uploaded) == uploaded
    assert tree_of(folder) == uploaded


def test_o_trunc_empties_a_file_at_once(mount: Mount, account: Account, folder: Path) -> None:
    """Nothing of the old content shines through, and nobody fetches it."""
    account.put(mount.address(folder / "old"), b"x" * 300_000)

    with (folder / "old").open("wb", buffering=0) as file:
        emptied = (folder / "old").stat().st_size
        file.write(b"new")

    assert emptied == 0
    replaced = {"old": checksum(b"new")}
    assert tree_of(folder) == replaced
    assert eventually(lambda: account.tree(mount.address(folder)), replaced) == replaced


@pytest.mark.promise
def test_o_excl_lets_one_of_many_programs_make_a_file(mount: Mount, folder: Path) -> None:
    """O_EXCL works: of several programs exactly one makes the file."""
    maker = """
import os, sys
try:
    os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_EXCL)
except FileExistsError:
    sys.exit(3)
"""

    makers = [mount.spawn(maker, folder / "lock") for _ in range(6)]
    statuses = sorted(mount.ending_of(process) for process in makers)

    assert statuses == [0, 3, 3, 3, 3, 3]


def test_two_programs_write_their_halves_of_one_file(mount: Mount, account: Account, folder: Path) -> None:
    """Both drafts are one: neither's bytes are lost."""
    account.put(mount.address(folder / "shared"), bytes(4 * MIB))
    writer = """
import os, sys
place, byte = int(sys.argv[2]), sys.argv[3].encode()
with open(sys.argv[1], "r+b", buffering=0) as file:
    for step in range(32):
        os.pwrite(file.fileno(), byte * 65536, place + step * 65536)
"""

    writers = [
        mount.spawn(writer, folder / "shared", "0", "a"),
        mount.spawn(writer, folder / "shared", str(2 * MIB), "b"),
    ]
    statuses = [mount.ending_of(process) for process in writers]

    assert statuses == [0, 0]
    written = {"shared": checksum(b"a" * (2 * MIB) + b"b" * (2 * MIB))}
    assert tree_of(folder) == written
    assert eventually(lambda: account.tree(mount.address(folder)), written) == written


@pytest.mark.promise
def test_o_append_writers_lose_no_line(mount: Mount, account: Account, folder: Path) -> None:
    """Programs that append to one file at the same time lose nothing."""
    account.put(mount.address(folder / "log"), b"first\n")
    writer = r"""
import os, sys
log = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND)
for number in range(100):
    os.write(log, f"{sys.argv[2]} {number}\n".encode())
"""

    writers = [mount.spawn(writer, folder / "log", name) for name in ("ann", "ben")]
    statuses = [mount.ending_of(process) for process in writers]

    assert statuses == [0, 0]
    lines = (folder / "log").read_text().splitlines()
    assert sorted(lines) == sorted(["first", *(f"{name} {number}" for name in ("ann", "ben") for number in range(100))])


def test_a_hole_reads_as_zeros(mount: Mount, account: Account, folder: Path) -> None:
    """A sparse file is as long as its last byte says, and empty in between."""
    with (folder / "sparse").open("wb", buffering=0) as file:
        file.write(b"begin")
        file.seek(3 * MIB)
        file.write(b"end")

    sparse = {"sparse": checksum(b"begin" + bytes(3 * MIB - 5) + b"end")}
    assert tree_of(folder) == sparse
    assert eventually(lambda: account.tree(mount.address(folder)), sparse) == sparse


@pytest.mark.promise
def test_no_hole_is_told_of(folder: Path) -> None:
    """SEEK_DATA and SEEK_HOLE say of every file that it is data up to its end, its holes included."""
    with (folder / "sparse").open("w+b", buffering=0) as file:
        file.truncate(3 * MIB)
        found = [os.lseek(file.fileno(), MIB, whence) for whence in (os.SEEK_DATA, os.SEEK_HOLE)]

    assert found == [MIB, 3 * MIB]


def test_writing_past_the_end_of_a_file_at_the_server_leaves_zeros_between(
    mount: Mount, account: Account, folder: Path
) -> None:
    """Neither rubbish nor the old content fills the gap."""
    account.put(mount.address(folder / "old"), b"x" * 1000)

    with (folder / "old").open("r+b", buffering=0) as file:
        os.pwrite(file.fileno(), b"far", 200_000)

    written = {"old": checksum(b"x" * 1000 + bytes(199_000) + b"far")}
    assert tree_of(folder) == written
    assert eventually(lambda: account.tree(mount.address(folder)), written) == written


def test_a_file_that_was_cut_and_grown_again_has_zeros_where_it_was_cut(
    mount: Mount, account: Account, folder: Path
) -> None:
    """What was cut off stays cut off."""
    account.put(mount.address(folder / "old"), b"x" * 500_000)

    with (folder / "old").open("r+b", buffering=0) as file:
        file.truncate(100)
        file.truncate(400_000)
        os.pwrite(file.fileno(), b"tail", 399_996)

    written = {"old": checksum(b"x" * 100 + bytes(399_896) + b"tail")}
    assert tree_of(folder) == written
    assert eventually(lambda: account.tree(mount.address(folder)), written) == written


def test_fsync_and_fdatasync_return(mount: Mount, folder: Path) -> None:
    """What they promise is on this machine's disk; the program goes on."""
    with (folder / "precious").open("wb", buffering=0) as file:
        file.write(b"first")
        os.fsync(file.fileno())
        file.write(b"second")
        os.fdatasync(file.fileno())

    directory = os.open(folder, os.O_RDONLY)
    os.fsync(directory)
    os.close(directory)
    assert (folder / "precious").read_bytes() == b"firstsecond"


def test_an_unlinked_file_stays_readable_and_writable_while_open(mount: Mount, account: Account, folder: Path) -> None:
    """A handle belongs to the file, not to its name; with the last one the file is gone."""
    account.put(mount.address(folder / "old"), b"before")

    with (folder / "old").open("r+b", buffering=0) as file:
        (folder / "old").unlink()
        os.pwrite(file.fileno(), b" and after", 6)
        read = os.pread(file.fileno(), 100, 0)
        listed = list(folder.iterdir())

    assert (read, listed) == (b"before and after", [])
    wait_until(lambda: account.names(mount.address(folder)) == set())


def test_an_open_file_goes_on_under_its_new_name(mount: Mount, account: Account, folder: Path) -> None:
    """A rename does not disturb whoever writes."""
    with (folder / "before").open("wb", buffering=0) as file:
        file.write(b"first")
        (folder / "before").rename(folder / "after")
        file.write(b"second")

    written = {"after": checksum(b"firstsecond")}
    assert tree_of(folder) == written
    assert eventually(lambda: account.tree(mount.address(folder)), written) == written


def test_a_file_replaced_by_a_rename_stays_readable_while_open(mount: Mount, account: Account, folder: Path) -> None:
    """The reader goes on with what it opened; the next one gets the new content."""
    account.put(mount.address(folder / "config"), b"old" * 100_000)
    with (folder / "config").open("rb", buffering=0) as reader:
        (folder / "temporary").write_bytes(b"new")

        (folder / "temporary").rename(folder / "config")

        assert checksum(os.pread(reader.fileno(), 300_000, 0)) == checksum(b"old" * 100_000)
    assert tree_of(folder) == {"config": checksum(b"new")}


@pytest.mark.parametrize("size", [1, 4096, 4097, 3 * MIB + 17])
def test_mmap_reads_what_the_server_holds(mount: Mount, account: Account, folder: Path, size: int) -> None:
    """Page faults instead of reads, the last page partly filled."""
    stored = os.urandom(size)
    account.put(mount.address(folder / "mapped"), stored)
    program = """
import hashlib, mmap, sys
with open(sys.argv[1], "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as pages:
    print(hashlib.sha256(pages).hexdigest()[:16])
"""

    read = mount.python(program, folder / "mapped")

    assert read.strip() == checksum(stored)


@pytest.mark.promise
def test_a_shared_map_that_is_written_reaches_the_server(mount: Mount, account: Account, folder: Path) -> None:
    """A file that is mapped shared and writable works: what is written into the map reaches the server."""
    account.put(mount.address(folder / "mapped"), b"." * (2 * MIB))
    program = """
import mmap, sys
with open(sys.argv[1], "r+b") as file, mmap.mmap(file.fileno(), 0) as pages:
    pages[100:106] = b"synced"
    pages.flush()
    pages[1_500_000:1_500_008] = b"unsynced"
"""

    mount.python(program, folder / "mapped")

    expected = bytearray(b"." * (2 * MIB))
    expected[100:106], expected[1_500_000:1_500_008] = b"synced", b"unsynced"
    written = {"mapped": checksum(bytes(expected))}
    assert tree_of(folder) == written
    assert eventually(lambda: account.tree(mount.address(folder)), written) == written


def test_a_map_and_a_descriptor_see_each_others_writes(mount: Mount, folder: Path) -> None:
    """Both go through the same pages."""
    program = """
import mmap, os, sys
with open(sys.argv[1], "w+b", buffering=0) as file:
    file.write(bytes(8192))
    with mmap.mmap(file.fileno(), 0) as pages:
        pages[0:3] = b"map"
        os.pwrite(file.fileno(), b"descriptor", 5000)
        print(os.pread(file.fileno(), 3, 0).decode(), pages[5000:5010].decode())
"""

    seen = mount.python(program, folder / "both")

    assert seen.split() == ["map", "descriptor"]
