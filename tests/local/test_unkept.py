"""Content that no disk takes: it can be read all the same, within a limit of memory."""

from __future__ import annotations

import os
import resource
from typing import TYPE_CHECKING

import pytest

from cxfs.core.entries import Uuid
from cxfs.core.errors import ContentLost, DiskFull, Stale
from cxfs.core.ranges import ByteRange
from cxfs.local.blocks import BlockKey, BlockStore
from cxfs.local.extents import EXTENT_BYTES
from cxfs.local.unkept import Unkept

if TYPE_CHECKING:
    from pathlib import Path

KEY = BlockKey(Uuid("AAAAAAAAAAAAAAAAAAAAAA"), 1)
OTHER = BlockKey(Uuid("BBBBBBBBBBBBBBBBBBBBBB"), 1)
CONTENT = bytes(range(1, 101))


def read_through(blocks: BlockStore) -> bytes:
    """What a program gets that opens the file and reads it."""
    file = blocks.open(KEY, len(CONTENT))
    try:
        with file.coming(ByteRange(0, len(CONTENT))):
            os.pwrite(file.descriptor, CONTENT, 0)
            file.landed(ByteRange(0, len(CONTENT)))
        return file.read(ByteRange(0, len(CONTENT)))
    finally:
        file.close()


@pytest.mark.promise
@pytest.mark.parametrize("kind", ["a file", "below a file", "a long name"])
def test_a_cache_folder_that_cannot_be_used_stops_nobody_from_reading(tmp_path: Path, kind: str) -> None:
    """Where the cache's folder is read-only, full, or no folder at all, files are read all the same: their content is
    kept in memory while they are open, 256 MiB of it at the most."""
    (tmp_path / "taken").write_bytes(b"")
    folder = tmp_path / {"a file": "taken", "below a file": "taken/below", "a long name": "x" * 300}[kind]
    blocks = BlockStore(folder, bytes_max=1 << 30)

    assert [read_through(blocks) for _ in range(2)] == [CONTENT] * 2
    assert blocks.statistics().bytes_held == 0
    blocks.close()


def test_a_name_that_is_taken_in_the_folder_stops_nobody_from_reading(tmp_path: Path) -> None:
    """By a folder, say: whoever damaged the cache so."""
    blocks = BlockStore(tmp_path / "cache", bytes_max=1 << 30)
    (tmp_path / "cache" / KEY.name).mkdir()

    assert read_through(blocks) == CONTENT
    blocks.close()


def test_readers_of_one_version_share_it(tmp_path: Path) -> None:
    """Until the last has closed it; then it is gone, and the memory with it."""
    unkept = Unkept()
    first, second = unkept.open(KEY, 100, None), unkept.open(KEY, 100, None)
    first.write(0, CONTENT)
    first.close()

    assert second.read(ByteRange(0, 100)) == CONTENT
    assert unkept.bytes_held == 100
    second.close()
    assert (unkept.bytes_held, KEY in unkept, len(unkept._extents)) == (0, False, 0)


def test_the_limit_holds_with_any_number_of_open_files() -> None:
    """What was used longest ago goes first, and is known to be gone."""
    unkept = Unkept(bytes_max=2 * EXTENT_BYTES)
    first, second = unkept.open(KEY, 2 * EXTENT_BYTES, None), unkept.open(OTHER, EXTENT_BYTES, None)
    first.write(0, b"1" * 2 * EXTENT_BYTES)
    with first.keeping(ByteRange(0, 100)):
        pass  # its first extent was read last

    second.write(0, b"2" * EXTENT_BYTES)

    assert unkept.bytes_held == 2 * EXTENT_BYTES
    assert first.read(ByteRange(0, 100)) == b"1" * 100
    assert second.read(ByteRange(0, 100)) == b"2" * 100
    with pytest.raises(ContentLost):
        first.read(ByteRange(EXTENT_BYTES, EXTENT_BYTES + 1))
    first.close()
    second.close()


def test_what_a_read_waits_for_is_spared() -> None:
    """However much others bring."""
    unkept = Unkept(bytes_max=EXTENT_BYTES)
    first, second = unkept.open(KEY, EXTENT_BYTES, None), unkept.open(OTHER, EXTENT_BYTES, None)
    first.write(0, b"1" * EXTENT_BYTES)

    with first.keeping(ByteRange(0, 100)):
        second.write(0, b"2" * EXTENT_BYTES)
        assert first.read(ByteRange(0, 100)) == b"1" * 100

    first.close()
    second.close()
    assert unkept.bytes_held == 0


def test_other_content_under_a_version_that_is_open_is_refused() -> None:
    """A server that was set back gives a version's number away twice."""
    unkept = Unkept()
    file = unkept.open(KEY, 100, b"1" * 20)

    with pytest.raises(Stale):
        unkept.open(KEY, 100, b"2" * 20)
    with pytest.raises(Stale):
        unkept.open(KEY, 99, None)
    file.close()


def test_where_there_is_no_descriptor_either_that_is_said_and_nothing_stays(tmp_path: Path) -> None:
    """Too many open files: the next open may have one."""
    blocks = BlockStore(tmp_path / "cache", bytes_max=1 << 30)
    former = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, former[1]))
    try:
        with pytest.raises(DiskFull) as refused:
            blocks.open(KEY, 100)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, former)

    assert isinstance(refused.value.__cause__, OSError)
    assert read_through(blocks) == CONTENT
    blocks.close()
