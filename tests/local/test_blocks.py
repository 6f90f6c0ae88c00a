"""Content on disk, least recently used out first: losing any of it costs time, never data."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cxfs.core.errors import ContentLost, DiskFull
from cxfs.core.ranges import ByteRange
from cxfs.local.blocks import FREE_BYTES_FLOOR, FREE_CHECK_BYTES, BlockFile, BlockKey, BlockStatistics, BlockStore
from cxfs.local.extents import EXTENT_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cxfs.core.entries import Uuid

SIZE = 100
BYTES_MAX = 3 * SIZE


class Disk:
    """What else is on the disk decides how much of it is free."""

    def __init__(self) -> None:
        self.free_bytes = FREE_BYTES_FLOOR * 10
        self.looks = 0

    def __call__(self, _folder: Path) -> int:
        self.looks += 1
        return self.free_bytes


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "blocks"


@pytest.fixture
def blocks(folder: Path, disk: Disk) -> Iterator[BlockStore]:
    blocks = BlockStore(folder, bytes_max=BYTES_MAX, free_bytes=disk)
    yield blocks
    blocks.close()


@pytest.fixture
def key(uuid: Callable[[int], Uuid]) -> Callable[[int], BlockKey]:
    """A version of the object with this number."""
    return lambda number: BlockKey(uuid(number), 1)


def content_of(key: BlockKey) -> bytes:
    """No zero among them, and another for each version."""
    return bytes(1 + (key.version * 31 + sum(key.object.encode())) % 200 for _ in range(SIZE))


def fetch(blocks: BlockStore, key: BlockKey) -> BlockFile:
    """Opened, and all of it brought in."""
    file = blocks.open(key, SIZE)
    file.write(0, content_of(key))
    return file


def read_once(blocks: BlockStore, *keys: BlockKey) -> None:
    """A program reads each file and closes it."""
    for key in keys:
        fetch(blocks, key).close()


def close_all(files: list[BlockFile]) -> None:
    for file in files:
        file.close()


def held(blocks: BlockStore, key: BlockKey) -> int:
    """Bytes of it that need not be fetched again."""
    file = blocks.open(key, SIZE)
    bytes_held = file.held.length
    file.close()
    return bytes_held


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


# ---------------------------------------------------------------- keeping


def test_what_was_written_is_read(blocks: BlockStore, key: Callable[[int], BlockKey]) -> None:
    """Any part of it."""
    file = fetch(blocks, key(1))

    piece = file.read(ByteRange(10, 20))

    assert piece == content_of(key(1))[10:20]
    file.close()


def test_a_file_knows_which_of_its_bytes_are_there(blocks: BlockStore, key: Callable[[int], BlockKey]) -> None:
    """The rest are holes, which would read as zeros."""
    file = blocks.open(key(1), SIZE)

    file.write(10, b"ten bytes!")
    file.write(50, b"ten bytes!")

    assert list(file.held) == [ByteRange(10, 20), ByteRange(50, 60)]
    file.close()


def test_content_is_kept_after_its_last_reader(blocks: BlockStore, key: Callable[[int], BlockKey]) -> None:
    """To be read again without the network."""
    read_once(blocks, key(1))

    again = blocks.open(key(1), SIZE)

    assert again.read(ByteRange(0, SIZE)) == content_of(key(1))
    again.close()


def test_two_versions_of_an_object_are_two_contents(blocks: BlockStore, uuid: Callable[[int], Uuid]) -> None:
    """A reader of the old one never sees a byte of the new."""
    old, new = fetch(blocks, BlockKey(uuid(1), 1)), fetch(blocks, BlockKey(uuid(1), 2))

    contents = [old.read(ByteRange(0, SIZE)), new.read(ByteRange(0, SIZE))]

    assert contents == [content_of(BlockKey(uuid(1), 1)), content_of(BlockKey(uuid(1), 2))]
    old.close()
    new.close()


def test_two_readers_of_a_version_share_it(blocks: BlockStore, key: Callable[[int], BlockKey]) -> None:
    """What one brought in the other has."""
    one, other = fetch(blocks, key(1)), blocks.open(key(1), SIZE)

    one.close()

    assert other.read(ByteRange(0, SIZE)) == content_of(key(1))
    other.close()


def test_an_empty_file_is_content_too(blocks: BlockStore, key: Callable[[int], BlockKey]) -> None:
    """With nothing to fetch."""
    file = blocks.open(key(1), 0)

    assert file.read(ByteRange(0, 0)) == b""

    file.close()


# ---------------------------------------------------------------- evicting


def test_the_least_recently_opened_goes_first(blocks: BlockStore, key: Callable[[int], BlockKey]) -> None:
    """What was read just now is most likely read again."""
    read_once(blocks, key(1), key(2), key(3), key(1))

    read_once(blocks, key(4))

    assert [held(blocks, key(number)) for number in (2, 1, 3, 4)] == [0, SIZE, SIZE, SIZE]


def test_what_a_read_waits_for_is_never_evicted(blocks: BlockStore, key: Callable[[int], BlockKey]) -> None:
    """It would wait for ever, or be answered with a hole."""
    oldest = fetch(blocks, key(1))

    with oldest.keeping(ByteRange(0, 10)):
        read_once(blocks, key(2), key(3), key(4), key(5))

        assert oldest.read(ByteRange(0, 10)) == content_of(key(1))[:10]
        assert blocks.statistics().bytes_held == BYTES_MAX
    oldest.close()


def test_what_is_open_is_evicted_like_all_else(blocks: BlockStore, key: Callable[[int], BlockKey]) -> None:
    """A program that has a file open for a year does not hold its content here for so long."""
    oldest = fetch(blocks, key(1))

    read_once(blocks, key(2), key(3), key(4))

    assert oldest.held.length == 0
    oldest.close()


def test_a_hole_is_not_served(blocks: BlockStore, key: Callable[[int], BlockKey]) -> None:
    """Whoever reads what was evicted is told so; zeros would be believed."""
    oldest = fetch(blocks, key(1))
    read_once(blocks, key(2), key(3), key(4))

    with pytest.raises(ContentLost):
        oldest.read(ByteRange(0, SIZE))

    oldest.close()


def test_the_limit_holds_with_any_number_of_open_files(blocks: BlockStore, key: Callable[[int], BlockKey]) -> None:
    """On the disk, not in the books only."""
    files = []
    for number in range(50):
        files.append(fetch(blocks, key(number)))

        assert blocks.statistics().bytes_held <= BYTES_MAX

    assert sum(os.fstat(file.descriptor).st_blocks > 0 for file in files) == BYTES_MAX // SIZE
    close_all(files)


def test_only_what_reads_wait_for_passes_the_limit(blocks: BlockStore, key: Callable[[int], BlockKey]) -> None:
    """Reading goes on rather than fail; when they are answered the limit is kept again."""
    files = [blocks.open(key(number), SIZE) for number in range(5)]
    with contextlib.ExitStack() as reads:
        for file in files:
            reads.enter_context(file.keeping(ByteRange(0, SIZE)))
            file.write(0, content_of(file.key))

        assert blocks.statistics().bytes_held == 5 * SIZE

    close_all(files)
    assert blocks.statistics().bytes_held == BYTES_MAX


def test_without_holes_what_is_open_goes_when_it_is_closed(
    folder: Path, disk: Disk, key: Callable[[int], BlockKey]
) -> None:
    """Not every file system has them: the limit is passed meanwhile, and reading goes on."""
    blocks = BlockStore(folder, bytes_max=BYTES_MAX, free_bytes=disk, punch=lambda *_: False)
    read_once(blocks, key(0))

    files = [fetch(blocks, key(number)) for number in range(1, 101)]

    assert blocks.statistics().bytes_held == 100 * SIZE
    assert [file.read(ByteRange(0, SIZE)) for file in files] == [content_of(file.key) for file in files]
    close_all(files)
    assert blocks.statistics().bytes_held == BYTES_MAX
    assert len(list(folder.iterdir())) == 3


def test_without_holes_a_large_file_goes_as_a_whole(folder: Path, disk: Disk, key: Callable[[int], BlockKey]) -> None:
    """Once nobody has it open."""
    blocks = BlockStore(folder, bytes_max=3 * EXTENT_BYTES, free_bytes=disk, punch=lambda *_: False)
    large = blocks.open(key(1), 3 * EXTENT_BYTES)
    large.write(0, b"x" * 3 * EXTENT_BYTES)
    large.close()

    read_once(blocks, key(2))

    assert [file.name for file in folder.iterdir()] == [key(2).name]
    assert blocks.statistics().bytes_held == SIZE


def test_an_evicted_file_is_gone_from_disk(blocks: BlockStore, folder: Path, key: Callable[[int], BlockKey]) -> None:
    """Else the limit would be one of our books only."""
    read_once(blocks, *(key(number) for number in range(10)))

    assert len(list(folder.iterdir())) == 3


def test_room_is_made_before_a_thread_writes(blocks: BlockStore, key: Callable[[int], BlockKey]) -> None:
    """What it has written is told afterwards; the limit holds at every moment in between."""
    read_once(blocks, key(1), key(2), key(3))
    file, whole = blocks.open(key(4), SIZE), ByteRange(0, SIZE)

    with file.coming(whole):
        before = blocks.statistics().bytes_held
        os.pwrite(file.descriptor, content_of(key(4)), 0)
        read_once(blocks, key(5))
        meanwhile = blocks.statistics().bytes_held
        file.landed(whole)

    assert (before, meanwhile, blocks.statistics().bytes_held) == (2 * SIZE, 2 * SIZE, 3 * SIZE)
    assert file.read(whole) == content_of(key(4))
    file.close()


def test_room_that_was_not_needed_is_given_back(blocks: BlockStore, key: Callable[[int], BlockKey]) -> None:
    """A fetch may break off half-way."""
    file = blocks.open(key(1), SIZE)
    with file.coming(ByteRange(0, SIZE)):
        file.write(0, content_of(key(1))[:40])

    read_once(blocks, key(2), key(3))

    assert blocks.statistics().bytes_held == 2 * SIZE + 40
    file.close()


def test_nothing_is_let_in_on_a_full_disk(blocks: BlockStore, disk: Disk, key: Callable[[int], BlockKey]) -> None:
    """It is told before the thread begins."""
    file = blocks.open(key(1), 2 * FREE_CHECK_BYTES)
    disk.free_bytes = 0

    with pytest.raises(DiskFull), file.coming(ByteRange(0, FREE_CHECK_BYTES)):
        pass

    file.close()


def test_room_is_counted_in_bytes_held(blocks: BlockStore, key: Callable[[int], BlockKey]) -> None:
    """A look at the first bytes of a huge file does not push out the rest."""
    read_once(blocks, key(1))

    huge = blocks.open(key(2), 1 << 40)
    huge.write(0, b"x" * SIZE)

    assert blocks.statistics().bytes_held == 2 * SIZE
    assert held(blocks, key(1)) == SIZE
    huge.close()


def test_bytes_written_twice_count_once(blocks: BlockStore, key: Callable[[int], BlockKey]) -> None:
    """Two requests may overlap."""
    file = fetch(blocks, key(1))

    file.write(50, content_of(key(1))[50:])

    assert blocks.statistics().bytes_held == SIZE
    file.close()


def test_a_version_that_proved_useless_is_freed(
    blocks: BlockStore, folder: Path, key: Callable[[int], BlockKey]
) -> None:
    """Its object was deleted."""
    read_once(blocks, key(1))

    blocks.forget(key(1))

    assert list(folder.iterdir()) == []
    assert blocks.statistics().bytes_held == 0


def test_a_useless_version_is_not_taken_from_its_reader(blocks: BlockStore, key: Callable[[int], BlockKey]) -> None:
    """An open file is readable after its deletion."""
    file = fetch(blocks, key(1))

    blocks.forget(key(1))

    assert file.read(ByteRange(0, SIZE)) == content_of(key(1))
    file.close()


def test_forgetting_what_was_never_there_is_no_error(blocks: BlockStore, key: Callable[[int], BlockKey]) -> None:
    """Whoever deletes does not know what was read."""
    blocks.forget(key(1))

    assert blocks.statistics().files == 0


# ---------------------------------------------------------------- drafts become versions


def test_a_sent_draft_becomes_cached_content(
    blocks: BlockStore, tmp_path: Path, key: Callable[[int], BlockKey]
) -> None:
    """What was just written is not downloaded to be read."""
    draft = tmp_path / "draft"
    draft.write_bytes(content_of(key(1)))

    blocks.adopt(key(1), draft, SIZE)
    draft.unlink()

    file = blocks.open(key(1), SIZE)
    assert file.held.covers(ByteRange(0, SIZE))
    assert file.read(ByteRange(0, SIZE)) == content_of(key(1))
    file.close()


def test_an_adopted_draft_counts(blocks: BlockStore, tmp_path: Path, key: Callable[[int], BlockKey]) -> None:
    """And makes others go."""
    read_once(blocks, key(1), key(2), key(3))
    draft = tmp_path / "draft"
    draft.write_bytes(content_of(key(4)))

    blocks.adopt(key(4), draft, SIZE)

    assert blocks.statistics().bytes_held == BYTES_MAX
    assert held(blocks, key(1)) == 0


def test_a_draft_of_another_size_than_the_version_is_not_believed(
    blocks: BlockStore, tmp_path: Path, key: Callable[[int], BlockKey]
) -> None:
    """It is fetched, and never served wrong."""
    draft = tmp_path / "draft"
    draft.write_bytes(b"short")

    blocks.adopt(key(1), draft, SIZE)

    assert held(blocks, key(1)) == 0


def test_a_draft_that_cannot_be_linked_is_not_kept(
    blocks: BlockStore, tmp_path: Path, key: Callable[[int], BlockKey]
) -> None:
    """The cache may be on another file system than the drafts: reading fetches, and that is all."""
    blocks.adopt(key(1), tmp_path / "nowhere", SIZE)

    assert blocks.statistics().files == 0


def test_a_draft_that_has_its_own_name_still_is_not_given_up_in_parts(
    blocks: BlockStore, tmp_path: Path, key: Callable[[int], BlockKey]
) -> None:
    """Until the journal says that it was sent it may be sent again, and a hole in it would be sent too."""
    draft = tmp_path / "draft"
    draft.write_bytes(content_of(key(1)))
    blocks.adopt(key(1), draft, SIZE)
    reader = blocks.open(key(1), SIZE)

    read_once(blocks, *(key(number) for number in range(2, 9)))

    assert draft.read_bytes() == content_of(key(1))
    assert blocks.statistics().bytes_held == BYTES_MAX
    reader.close()


def test_a_version_that_is_open_already_is_left_alone(
    blocks: BlockStore, tmp_path: Path, key: Callable[[int], BlockKey]
) -> None:
    """Its reader has a descriptor of the file that is there."""
    file = fetch(blocks, key(1))
    draft = tmp_path / "draft"
    draft.write_bytes(b"x" * SIZE)

    blocks.adopt(key(1), draft, SIZE)

    assert file.read(ByteRange(0, SIZE)) == content_of(key(1))
    file.close()


# ---------------------------------------------------------------- others on the same disk


def test_an_emptied_cache_is_fetched_again(blocks: BlockStore, folder: Path, key: Callable[[int], BlockKey]) -> None:
    """`rm -rf ~/.cache/*` is allowed at any moment, and never makes zeros of content."""
    read_once(blocks, key(1))
    shutil.rmtree(folder)
    folder.mkdir()

    file = blocks.open(key(1), SIZE)

    assert file.held.length == 0
    assert blocks.statistics().bytes_held == 0
    file.close()


def test_a_removed_cache_folder_comes_back(blocks: BlockStore, folder: Path, key: Callable[[int], BlockKey]) -> None:
    """Reading goes on in the running mount."""
    read_once(blocks, key(1))
    shutil.rmtree(folder)

    read_once(blocks, key(1), key(2))

    assert [held(blocks, key(1)), held(blocks, key(2))] == [SIZE, SIZE]


def test_an_open_file_outlives_its_name(blocks: BlockStore, folder: Path, key: Callable[[int], BlockKey]) -> None:
    """What its reader was told is still true."""
    file = fetch(blocks, key(1))

    shutil.rmtree(folder)

    assert file.read(ByteRange(0, SIZE)) == content_of(key(1))
    file.close()


def test_evicting_what_somebody_removed_is_no_error(
    blocks: BlockStore, folder: Path, key: Callable[[int], BlockKey]
) -> None:
    """It is gone, which was the purpose."""
    read_once(blocks, key(1), key(2), key(3))
    shutil.rmtree(folder)

    read_once(blocks, key(4))

    assert held(blocks, key(4)) == SIZE


def test_a_cache_folder_that_is_none_is_no_leak(
    blocks: BlockStore, folder: Path, key: Callable[[int], BlockKey]
) -> None:
    """Somebody put a file in its place."""
    shutil.rmtree(folder)
    folder.write_text("in the way")
    before = descriptors()

    read_once(blocks, key(1))

    assert descriptors() == before
    assert blocks.statistics().files == 0
    folder.unlink()


def test_a_full_disk_stops_nobody_from_reading(
    blocks: BlockStore, folder: Path, disk: Disk, key: Callable[[int], BlockKey]
) -> None:
    """A cache that stops the machine is worse than none, and a mount that cannot be read no better."""
    disk.free_bytes = FREE_BYTES_FLOOR

    file = fetch(blocks, key(1))

    assert file.read(ByteRange(0, SIZE)) == content_of(key(1))
    assert list(folder.iterdir()) == []
    assert blocks.statistics().bytes_held == 0
    file.close()


def test_old_content_makes_room_on_a_full_disk(folder: Path, disk: Disk, key: Callable[[int], BlockKey]) -> None:
    """Before anybody is told that it is full, and whatever the cache's own limit still allows."""
    blocks = BlockStore(folder, bytes_max=1 << 40, free_bytes=disk)
    read_once(blocks, key(1), key(2))
    disk.free_bytes = FREE_BYTES_FLOOR + FREE_CHECK_BYTES - SIZE

    blocks.make_room(FREE_CHECK_BYTES)

    assert [held(blocks, key(1)), held(blocks, key(2))] == [0, SIZE]


def test_the_disk_is_looked_at_now_and_then(blocks: BlockStore, disk: Disk, key: Callable[[int], BlockKey]) -> None:
    """Not for every block: that would cost a system call each."""
    read_once(blocks, *(key(number) for number in range(100)))

    assert disk.looks == 1


def test_a_full_disk_is_looked_at_again_at_the_next_open(
    blocks: BlockStore, folder: Path, disk: Disk, key: Callable[[int], BlockKey]
) -> None:
    """So that content is kept again as soon as somebody cleaned up."""
    disk.free_bytes = 0
    read_once(blocks, key(1))
    disk.free_bytes = FREE_BYTES_FLOOR * 2

    read_once(blocks, key(1))

    assert [file.name for file in folder.iterdir()] == [key(1).name]


def test_a_write_that_was_cut_short_is_not_taken_for_content(
    blocks: BlockStore, key: Callable[[int], BlockKey]
) -> None:
    """The rest is a hole, and would be served as zeros."""
    file = blocks.open(key(1), SIZE)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    resource.setrlimit(resource.RLIMIT_FSIZE, (SIZE // 2, before[1]))
    try:
        with pytest.raises(DiskFull):
            file.write(0, content_of(key(1)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert not file.held.covers(ByteRange(SIZE // 2, SIZE))
    file.close()


# ---------------------------------------------------------------- descriptors


def test_a_descriptor_is_held_only_while_a_file_is_in_use(blocks: BlockStore, key: Callable[[int], BlockKey]) -> None:
    """Thousands of small files may be kept, and a process has 1024 descriptors."""
    before = descriptors()

    read_once(blocks, key(1), key(2), key(3))

    assert descriptors() == before


def test_readers_of_one_version_share_a_descriptor(blocks: BlockStore, key: Callable[[int], BlockKey]) -> None:
    """However many there are."""
    first = blocks.open(key(1), SIZE)
    before = descriptors()

    second = blocks.open(key(1), SIZE)

    assert descriptors() == before
    first.close()
    second.close()


def test_the_store_tells_what_it_holds(blocks: BlockStore, key: Callable[[int], BlockKey]) -> None:
    """What `cxfs cache` prints."""
    read_once(blocks, *(key(number) for number in range(4)))
    in_use = fetch(blocks, key(5))
    with in_use.keeping(ByteRange(0, SIZE)):
        pass

    assert blocks.statistics() == BlockStatistics(
        files=3, files_in_use=1, bytes_held=3 * SIZE, bytes_max=BYTES_MAX, evicted_files=2, hits=1, misses=0
    )

    in_use.close()


def test_a_cleared_cache_holds_what_is_open_only(
    blocks: BlockStore, folder: Path, key: Callable[[int], BlockKey]
) -> None:
    """Its readers are not made to wait."""
    read_once(blocks, key(1), key(2))
    in_use = fetch(blocks, key(3))

    *_, freed = blocks.clear()

    assert freed == (2, 2 * SIZE)
    assert [file.name for file in folder.iterdir()] == [key(3).name]
    assert in_use.read(ByteRange(0, SIZE)) == content_of(key(3))
    in_use.close()
