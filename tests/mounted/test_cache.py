"""The cache of what was read, under a real mount: it outlives daemons, believes no disk, and keeps to its limit."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.mounting import Account, CountingServer, Mount, account_of, checksum, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MIB: Final = 1 << 20

SLACK_BYTES: Final = 4 * MIB
"""What reads wait for at one moment (two of the kernel's, of up to 1 MiB each), in whole extents."""

SIZE: Final = 5 * MIB + 77

RECORDS: Final = 6
"""Extents of 1 MiB that the file has, the last of which is short."""

RECORD_BYTES_MIN: Final = 70

CXFS: Final = (sys.executable, "-m", "cxfs")


@pytest.fixture
def content() -> bytes:
    return random.Random(5).randbytes(SIZE)


@pytest.fixture
def file(own_account: Account, own_mount: Mount, content: bytes) -> Path:
    """A file in the mount, at the server until somebody reads it."""
    own_account.put("/file", content)
    return own_mount.path / "file"


def cache_of(mount: Mount) -> Path:
    """Where the mount's cache is."""
    return mount.home / "cache" / "cxfs" / "test" / "blocks"


def cached(mount: Mount) -> list[Path]:
    """The files of content in it."""
    return [path for path in cache_of(mount).iterdir() if path.name != "index"]


def occupied(mount: Mount) -> int:
    """Bytes of the disk that it takes, though files come and go meanwhile."""
    total = 0
    for entry in os.scandir(cache_of(mount)):
        try:
            total += entry.stat().st_blocks * 512
        except FileNotFoundError:
            continue
    return total


def told(mount: Mount) -> dict[str, Any]:
    """What `cxfs cache` tells a program."""
    done = mount.cxfs("cache", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def downloads(server: CountingServer) -> int:
    """Requests for content so far, by anybody."""
    return sum("/1/data/" in request and request.startswith("GET") for request in server.requests())


def is_written_down(mount: Mount) -> bool:
    """Whether the index speaks of each extent of what was read."""
    index = cache_of(mount) / "index"
    return index.exists() and index.stat().st_size > RECORDS * RECORD_BYTES_MIN


@pytest.mark.promise
def test_content_is_read_again_after_a_remount(
    running_server: CountingServer, own_mount: Mount, file: Path, content: bytes
) -> None:
    """What was read stays on this machine, within the limit of the cache: after a remount it is read without being
    fetched.
    """
    file.read_bytes()
    own_mount.remount()
    before = downloads(running_server)

    read = file.read_bytes()

    assert checksum(read) == checksum(content)
    assert downloads(running_server) == before


def test_content_is_read_again_after_a_kill(
    running_server: CountingServer, own_mount: Mount, file: Path, content: bytes
) -> None:
    """What the daemon had read some seconds before."""
    file.read_bytes()
    wait_until(lambda: is_written_down(own_mount))
    own_mount.kill()
    wait_until(lambda: not own_mount.is_served)
    own_mount.start()
    before = downloads(running_server)

    read = file.read_bytes()

    assert checksum(read) == checksum(content)
    assert downloads(running_server) == before


def flip_a_byte(mount: Mount) -> None:
    [path] = cached(mount)
    with path.open("r+b") as opened:
        opened.seek(3 * MIB + 5)
        byte = opened.read(1)
        opened.seek(3 * MIB + 5)
        opened.write(bytes([byte[0] ^ 1]))


def cut(mount: Mount) -> None:
    [path] = cached(mount)
    os.truncate(path, 2 * MIB)


def empty(mount: Mount) -> None:
    [path] = cached(mount)
    os.truncate(path, 0)
    os.truncate(path, SIZE)


def damage_the_index(mount: Mount) -> None:
    index = cache_of(mount) / "index"
    whole = bytearray(index.read_bytes())
    for place in range(0, len(whole), 50):
        whole[place] ^= 0xFF
    index.write_bytes(whole)


def remove_the_index(mount: Mount) -> None:
    (cache_of(mount) / "index").unlink()


def remove_the_folder(mount: Mount) -> None:
    shutil.rmtree(mount.home / "cache")


DAMAGES: Final = [flip_a_byte, cut, empty, damage_the_index, remove_the_index, remove_the_folder]


@pytest.mark.promise
def test_damaged_content_is_fetched_again(own_account: Account, tmp_path: Path, content: bytes) -> None:
    """Content that was damaged on this machine's disk since it was read is found out before it is served, and fetched
    again.
    """
    own_account.put("/file", content)
    with Mount(own_account, tmp_path / "home") as mount:
        (mount.path / "file").read_bytes()
        for damage in DAMAGES:
            mount.unmount()
            damage(mount)
            mount.start()

            assert checksum((mount.path / "file").read_bytes()) == checksum(content), damage.__name__


@pytest.fixture
def large(running_server: CountingServer, tmp_path: Path) -> Iterator[tuple[Account, Path]]:
    """An account with a file of 300 MiB, and the same on this machine."""
    reference = tmp_path / "tree" / "large"
    reference.parent.mkdir()
    reference.write_bytes(random.Random(6).randbytes(MIB) * 299 + random.Random(7).randbytes(MIB))
    with account_of(running_server, f"large-{os.urandom(4).hex()}") as account:
        running_server.import_tree(reference.parent, account)
        yield account, reference


@pytest.mark.promise
def test_the_cache_keeps_to_its_limit_whatever_is_open(large: tuple[Account, Path], tmp_path: Path) -> None:
    """The cache keeps to its limit (10 GiB by default; `--cache-size`) with any number of open files: what was used
    least recently goes first, also behind a program that has it open.
    """
    account, reference = large
    with Mount(account, tmp_path / "home", "--cache-size", "64M") as mount:
        with (mount.path / "large").open("rb") as opened, reference.open("rb") as expected:
            taken = []
            while piece := opened.read(8 * MIB):
                assert checksum(piece) == checksum(expected.read(len(piece)))
                taken.append(occupied(mount))
            counters = told(mount)["counters"]["cache"]

        assert mount.run("cmp", mount.path / "large", reference) == ""
    assert max(taken) <= 64 * MIB + SLACK_BYTES
    assert counters["files_in_use"] == 1
    assert counters["bytes_held"] <= counters["bytes_max"] == 64 * MIB


def test_many_readers_at_random_places_of_a_file_larger_than_the_cache(
    large: tuple[Account, Path], tmp_path: Path
) -> None:
    """Everyone gets what is there, while parts come and go under all of them."""
    account, reference = large
    reader = """
import hashlib, os, random, sys
chance = random.Random(sys.argv[3])
ours, theirs = (os.open(path, os.O_RDONLY) for path in sys.argv[1:3])
size = os.fstat(theirs).st_size
for _ in range(60):
    offset, length = chance.randrange(size), chance.choice([1, 4096, 100_000, 700_000])
    found, expected = os.pread(ours, length, offset), os.pread(theirs, length, offset)
    assert found == expected, f"{len(found)} of {len(expected)} bytes differ at {offset}"
"""
    with Mount(account, tmp_path / "home", "--cache-size", "16M") as mount:
        readers = [mount.spawn(reader, mount.path / "large", reference, str(seed)) for seed in range(6)]

        assert [mount.ending_of(process) for process in readers] == [0] * 6
        assert told(mount)["counters"]["cache"]["bytes_held"] <= 16 * MIB


@pytest.mark.promise
def test_the_cache_may_be_deleted_under_a_running_mount(
    own_account: Account, own_mount: Mount, file: Path, content: bytes
) -> None:
    """The cache's folder may be deleted at any moment, also while the mount runs and files are open."""
    own_account.put("/other", b"other")
    with file.open("rb", buffering=0) as opened:
        begun = opened.read(MIB)
        shutil.rmtree(own_mount.home / "cache")
        other = (own_mount.path / "other").read_bytes()
        rest = b""
        while piece := opened.read(MIB):
            rest += piece

    assert (checksum(begun + rest), other) == (checksum(content), b"other")
    own_mount.remount()
    assert checksum(file.read_bytes()) == checksum(content)


def test_the_cache_is_deleted_again_and_again_while_programs_read(
    own_mount: Mount, own_account: Account, content: bytes
) -> None:
    """None of them is given a wrong byte."""
    for number in range(8):
        own_account.put(f"/file-{number}", content[number:])
    is_over = threading.Event()

    def delete() -> None:
        while not is_over.wait(0.01):
            shutil.rmtree(own_mount.home / "cache", ignore_errors=True)

    deleting = threading.Thread(target=delete)
    deleting.start()
    try:
        read = [own_mount.run("sha256sum", own_mount.path / f"file-{number}").split()[0] for number in range(8)]
    finally:
        is_over.set()
        deleting.join()

    assert [each[:16] for each in read] == [checksum(content[number:]) for number in range(8)]


def test_what_the_cache_does_is_shown(own_mount: Mount, file: Path) -> None:
    """For people, each counter by its name."""
    file.read_bytes()

    shown = dict(re.split("  +", line, maxsplit=1) for line in own_mount.run(*CXFS, "cache", file).splitlines())

    assert shown["held"] == "5.0 MiB of 10.0 GiB"
    assert shown["files"] == "1"
    assert shown["reads"].endswith("% from the cache")
    assert shown["reading: fetched"] == "5.0 MiB"
    assert shown["folder"] == str(cache_of(own_mount))


def test_a_cleared_cache_is_filled_again(own_mount: Mount, file: Path, content: bytes) -> None:
    """By whoever reads next; what a program has open is left to it."""
    with file.open("rb", buffering=0) as opened:
        opened.read(MIB)
        while_open = own_mount.cxfs("cache", "clear")
    file.read_bytes()
    closed = own_mount.cxfs("cache", "clear")

    assert (while_open.returncode, while_open.stderr) == (0, "0 files freed, 0 B\n")
    assert (closed.returncode, closed.stderr) == (0, "1 file freed, 5.0 MiB\n")
    assert cached(own_mount) == []
    own_mount.remount()
    assert checksum(file.read_bytes()) == checksum(content)
