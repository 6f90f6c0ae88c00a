"""What the cache holds after a restart, and that nothing of it is believed without proof."""

from __future__ import annotations

import random
import shutil
import tracemalloc
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from cxfs.core.ranges import ByteRange
from cxfs.local import extents
from cxfs.local.block_index import NAME, BlockIndex
from cxfs.local.blocks import BlockKey, BlockStore
from cxfs.local.extents import BLOCK_BYTES, EXTENT_BYTES, Known, Sums
from cxfs.local.sealing import seal
from tests.local.caches import Cache, content_of, digest_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cxfs.core.entries import Uuid

LARGE = 3 * EXTENT_BYTES + 5 * BLOCK_BYTES + 77
SMALL = 2 * BLOCK_BYTES + 1_000
"""Of three blocks, the last of which is short."""
ROOM_FOR_EXTENTS = 64 << 10
"""What a file may take beside its bytes: where room is short, many extents and the blocks that list them."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "blocks"


@pytest.fixture
def cache(folder: Path) -> Cache:
    return Cache(folder)


@pytest.fixture
def key(uuid: Callable[[int], Uuid]) -> Callable[[int], BlockKey]:
    return lambda number: BlockKey(uuid(number), 3)


sizes = pytest.mark.parametrize("size", [1, SMALL, EXTENT_BYTES, LARGE])


# ---------------------------------------------------------------- what is there again


@sizes
def test_content_survives_a_restart(cache: Cache, key: Callable[[int], BlockKey], size: int) -> None:
    """Nothing of it is fetched again."""
    cache.reads(key(1), size)

    cache.restarts()

    assert cache.store.holds(key(1), size)
    assert cache.store.statistics().bytes_held == size
    assert cache.reads(key(1), size) == 0


@sizes
def test_what_was_sealed_survives_a_kill(cache: Cache, key: Callable[[int], BlockKey], size: int) -> None:
    """The index is written as content comes in, not at the end."""
    cache.reads(key(1), size)
    cache.seals()

    cache.is_killed()

    assert cache.reads(key(1), size) == 0


def test_what_was_not_sealed_is_lost_by_a_kill_and_takes_no_room(
    cache: Cache, folder: Path, key: Callable[[int], BlockKey]
) -> None:
    """Nobody can say any more which of its bytes were there."""
    cache.reads(key(1), LARGE)
    cache.seals()
    cache.reads(key(2), SMALL)

    cache.is_killed()

    assert {file.name for file in folder.iterdir()} == {key(1).name, NAME}
    assert cache.store.statistics().bytes_held == LARGE
    assert cache.reads(key(2), SMALL) == SMALL


def test_a_part_that_was_not_sealed_is_freed_after_a_kill(cache: Cache, key: Callable[[int], BlockKey]) -> None:
    """It would take room that the limit does not know of."""
    cache.reads(key(1), LARGE, ByteRange(0, 1))
    cache.seals()
    cache.reads(key(1), LARGE)

    cache.is_killed()

    assert cache.path(key(1)).stat().st_blocks * 512 <= BLOCK_BYTES + 8192
    assert cache.reads(key(1), LARGE) == LARGE - BLOCK_BYTES


def test_without_holes_a_part_goes_with_what_cannot_be_freed(
    cache: Cache, folder: Path, key: Callable[[int], BlockKey]
) -> None:
    """Rather than take room that nobody counts."""
    cache.reads(key(1), LARGE, ByteRange(0, 1))
    cache.reads(key(2), SMALL)
    cache.seals()
    cache.reads(key(1), LARGE)

    store = BlockStore(folder, bytes_max=1 << 30, owner="ann", punch=lambda *_: False)

    assert store.statistics().bytes_held == SMALL
    assert not cache.path(key(1)).exists()


def test_a_part_of_a_file_survives_as_a_part(cache: Cache, key: Callable[[int], BlockKey]) -> None:
    """The blocks that were read, and no others."""
    read = [ByteRange(0, 10), ByteRange(EXTENT_BYTES, EXTENT_BYTES + 1), ByteRange(LARGE - 1, LARGE)]
    fetched = cache.reads(key(1), LARGE, *read)

    cache.restarts()

    assert fetched == 2 * BLOCK_BYTES + 77
    assert cache.reads(key(1), LARGE, *read) == 0
    assert cache.reads(key(1), LARGE) == LARGE - fetched


def test_what_was_used_last_is_known_after_a_restart(cache: Cache, key: Callable[[int], BlockKey]) -> None:
    """It is what goes last."""
    for number in (1, 2, 3, 1):
        cache.reads(key(number), SMALL)
    cache.bytes_max = 2 * SMALL

    cache.restarts()

    assert [cache.store.holds(key(number), SMALL) for number in (1, 2, 3)] == [True, False, True]


def test_what_is_read_of_a_large_file_goes_last(cache: Cache, key: Callable[[int], BlockKey]) -> None:
    """Its other parts go before."""
    cache.bytes_max = 4 * EXTENT_BYTES
    cache.restarts()
    reader = cache.store.open(key(1), LARGE)
    cache.reads(key(1), LARGE)
    cache.reads(key(1), LARGE, ByteRange(0, 1))

    cache.reads(key(2), EXTENT_BYTES)

    assert [part.start for part in reader.held.missing(ByteRange(0, LARGE))] == [EXTENT_BYTES]
    reader.close()


def test_a_smaller_limit_holds_from_the_start(cache: Cache, key: Callable[[int], BlockKey]) -> None:
    """On the disk as well."""
    cache.reads(key(1), LARGE)
    cache.bytes_max = LARGE // 2

    cache.restarts()

    assert cache.store.statistics().bytes_held <= LARGE // 2
    assert cache.path(key(1)).stat().st_blocks * 512 <= LARGE // 2 + ROOM_FOR_EXTENTS


def test_an_adopted_draft_survives_a_restart(cache: Cache, tmp_path: Path, key: Callable[[int], BlockKey]) -> None:
    """What was written here is not fetched the next day."""
    draft = tmp_path / "draft"
    draft.write_bytes(content_of(key(1), SMALL))
    cache.store.adopt(key(1), draft, SMALL, digest_of(key(1), SMALL))
    draft.unlink()

    cache.restarts()

    assert cache.reads(key(1), SMALL) == 0


def test_another_account_finds_nothing(cache: Cache, folder: Path, key: Callable[[int], BlockKey]) -> None:
    """The profile signs in as somebody else: what the former one read is none of his."""
    cache.reads(key(1), SMALL)
    cache.owner = "ben"

    cache.restarts()

    assert not cache.path(key(1)).exists()
    assert cache.reads(key(1), SMALL) == SMALL


def test_only_its_owner_can_look_into_a_cache(
    cache: Cache, folder: Path, tmp_path: Path, key: Callable[[int], BlockKey]
) -> None:
    """Also into what was a draft before, whose permissions mean something else."""
    draft = tmp_path / "draft"
    draft.write_bytes(content_of(key(2), SMALL))
    draft.chmod(0o700)
    cache.store.adopt(key(2), draft, SMALL)
    draft.unlink()
    cache.reads(key(1), SMALL)

    cache.seals()

    assert folder.stat().st_mode & 0o777 == 0o700
    assert {file.name: oct(file.stat().st_mode & 0o777) for file in folder.iterdir()} == dict.fromkeys(
        (key(1).name, key(2).name, NAME), "0o600"
    )


# ---------------------------------------------------------------- what is damaged


@pytest.mark.parametrize("place", [0, BLOCK_BYTES + 5, SMALL - 1])
@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_a_flipped_byte_costs_one_block(cache: Cache, key: Callable[[int], BlockKey], size: int, place: int) -> None:
    """It is seen before anybody is given it, and the others stay."""
    cache.reads(key(1), size)
    cache.restarts()
    with cache.path(key(1)).open("r+b") as file:
        file.seek(place)
        byte = file.read(1)
        file.seek(place)
        file.write(bytes([byte[0] ^ 1]))

    fetched = cache.reads(key(1), size)

    assert fetched == min(BLOCK_BYTES, size - place // BLOCK_BYTES * BLOCK_BYTES)
    assert cache.reads(key(1), size) == 0


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_a_file_that_was_cut_is_fetched_again(cache: Cache, key: Callable[[int], BlockKey], size: int) -> None:
    """A disk check may have done that after a power cut."""
    cache.reads(key(1), size)
    cache.restarts()
    with cache.path(key(1)).open("r+b") as file:
        file.truncate(BLOCK_BYTES)

    assert cache.reads(key(1), size) == size


def test_a_file_that_is_cut_while_it_is_read_is_fetched_again(cache: Cache, key: Callable[[int], BlockKey]) -> None:
    """A short read would be the end of the file for whoever reads."""
    cache.reads(key(1), LARGE)
    reader = cache.store.open(key(1), LARGE)
    with cache.path(key(1)).open("r+b") as file:
        file.truncate(BLOCK_BYTES)

    assert cache.reads(key(1), LARGE) > LARGE // 2

    reader.close()


def test_a_hole_where_content_was_is_fetched_again(cache: Cache, key: Callable[[int], BlockKey]) -> None:
    """After a power cut a file may have its length and not its bytes."""
    cache.reads(key(1), LARGE)
    cache.restarts()
    cache.path(key(1)).write_bytes(b"")
    with cache.path(key(1)).open("r+b") as file:
        file.truncate(LARGE)

    assert cache.reads(key(1), LARGE) == LARGE


def test_what_was_overwritten_by_the_same_number_of_bytes_is_fetched_again(
    cache: Cache, key: Callable[[int], BlockKey]
) -> None:
    """Another file under this name."""
    cache.reads(key(1), SMALL)
    cache.restarts()
    cache.path(key(1)).write_bytes(content_of(key(2), SMALL))

    assert cache.reads(key(1), SMALL) == SMALL


@pytest.mark.parametrize("damage", [b"", b"nonsense", b"cxfs block index 2 ann\n", bytes(4096)])
def test_without_its_index_a_cache_is_empty(
    cache: Cache, folder: Path, key: Callable[[int], BlockKey], damage: bytes
) -> None:
    """And takes no room either."""
    cache.reads(key(1), SMALL)
    cache.store.close()
    (folder / NAME).write_bytes(damage)

    cache.is_killed()

    assert not cache.path(key(1)).exists()
    assert cache.reads(key(1), SMALL) == SMALL


def test_a_torn_index_is_believed_as_far_as_it_goes(cache: Cache, folder: Path, key: Callable[[int], BlockKey]) -> None:
    """The last records were on their way to the disk."""
    for number in range(4):
        cache.reads(key(number), SMALL)
        cache.seals()
    index = (folder / NAME).read_bytes()
    (folder / NAME).write_bytes(index[:-10])

    cache.is_killed()

    assert [cache.reads(key(number), SMALL) for number in range(4)] == [0, 0, 0, SMALL]


def test_a_damaged_record_is_left_out(folder: Path, key: Callable[[int], BlockKey]) -> None:
    """Wherever the damage is in it; those around it count."""
    folder.mkdir()
    BlockIndex(folder, owner="ann").write(record_of(key(number), number) for number in range(3))
    whole = (folder / NAME).read_bytes()
    length = len(record_of(key(0), 0))
    start = len(whole.partition(b"\n")[0]) + 1 + (length + 6) + 6
    for place in range(start, start + length):
        (folder / NAME).write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])

        found = BlockIndex(folder, owner="ann").load().records

        assert set(found) == {key(0).name, key(2).name}


def test_an_index_that_somebody_removed_begins_anew(cache: Cache, folder: Path, key: Callable[[int], BlockKey]) -> None:
    """With the whole folder, under a running mount."""
    cache.reads(key(1), SMALL)
    cache.seals()
    shutil.rmtree(folder)
    cache.reads(key(2), SMALL)
    cache.seals()

    cache.is_killed()

    assert [cache.reads(key(number), SMALL) for number in (1, 2)] == [SMALL, 0]


def test_the_index_of_a_busy_cache_stays_small(folder: Path, key: Callable[[int], BlockKey]) -> None:
    """What later records replaced is left out now and then."""
    folder.mkdir()
    index = BlockIndex(folder, owner="ann", stale_records_max=10)
    written = {number: record_of(key(number), number) for number in range(200)}

    for number, raw in written.items():
        index.append([record_of(key(5), number), raw if number < 3 else record_of(key(5), 0)])

    assert (folder / NAME).stat().st_size < 5_000
    assert set(BlockIndex(folder, owner="ann").load().records) == {key(number).name for number in (0, 1, 2, 5)}


def record_of(key: BlockKey, checksum: int) -> bytes:
    """Of a file of one block."""
    sums = Sums.unpacked(None).having({0: checksum})
    return extents.record(key, 0, Known(1_000, b"d" * 20, is_checked=True, sums=sums))


def test_other_files_in_the_folder_are_left_alone(folder: Path, cache: Cache) -> None:
    """Nobody knows why they are there."""
    (folder / "notes.txt").write_text("mine")

    cache.restarts()

    assert (folder / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("seed", range(30))
def test_whatever_a_power_cut_leaves_no_wrong_byte_is_served(
    cache: Cache, folder: Path, key: Callable[[int], BlockKey], seed: int
) -> None:
    """Sectors of content and index that never arrived, or are of an earlier time; files that are cut or gone."""
    chance = random.Random(seed)
    for number in range(4):
        cache.reads(key(number), LARGE if number % 2 else SMALL, *_parts(chance, SMALL))
        cache.seals()
    before = {file: file.read_bytes() for file in folder.iterdir()}
    for number in range(6):
        cache.reads(key(number), LARGE if number % 2 else SMALL, *_parts(chance, SMALL))
    cache.seals()
    for file in list(folder.iterdir()):
        _damage(file, before.get(file, b""), chance)

    cache.is_killed()

    for number in range(6):
        size = LARGE if number % 2 else SMALL
        cache.reads(key(number), size, *_parts(chance, size))  # looks at each byte
        cache.reads(key(number), size)


def _parts(chance: random.Random, size: int) -> list[ByteRange]:
    starts = [chance.randrange(size) for _ in range(3)]
    return [ByteRange(start, min(size, start + chance.randrange(1, 300_000))) for start in starts]


def _damage(file: Path, earlier: bytes, chance: random.Random) -> None:
    content = bytearray(file.read_bytes())
    match chance.randrange(5):
        case 0:
            return
        case 1:
            file.unlink()
            return
        case 2:
            del content[chance.randrange(len(content)) :]
        case _:
            earlier += bytes(len(content))
            for _ in range(chance.randrange(1, 20)):
                start = chance.randrange(len(content)) // 512 * 512
                stop = min(len(content), start + 512 * chance.randrange(1, 300))
                content[start:stop] = earlier[start:stop]
    file.write_bytes(content)


# ---------------------------------------------------------------- what the server says of the whole


@sizes
def test_content_that_is_not_the_servers_is_fetched_again(
    cache: Cache, key: Callable[[int], BlockKey], size: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever spoilt it on its way: the server tells the digest of the whole, and it is compared once."""
    cache.reads(key(1), size, wrongly=True)

    cache.seals()

    assert cache.store.take_refused() == [key(1)]
    assert len(caplog.records) == 1
    assert cache.reads(key(1), size) == size


def test_content_that_is_open_and_not_the_servers_is_fetched_again(
    cache: Cache, key: Callable[[int], BlockKey]
) -> None:
    """Its readers go on with what is right."""
    reader = cache.store.open(key(1), LARGE, digest_of(key(1), LARGE))
    cache.reads(key(1), LARGE, wrongly=True)

    cache.seals()

    assert reader.held.length == 0
    assert cache.reads(key(1), LARGE) == LARGE
    reader.close()


def test_a_digest_that_is_wrong_itself_does_not_fetch_for_ever(
    cache: Cache, key: Callable[[int], BlockKey], caplog: pytest.LogCaptureFixture
) -> None:
    """A server may have stored another one than fits: it is said, and its content counts."""
    reader = cache.store.open(key(1), SMALL, digest_of(key(1), SMALL))
    for _ in range(5):
        cache.reads(key(1), SMALL, wrongly=True)
        cache.seals()

    assert cache.fetched_bytes == 2 * SMALL
    assert len(caplog.records) == 2
    reader.close()


def test_a_file_is_compared_once(cache: Cache, key: Callable[[int], BlockKey]) -> None:
    """Not at each restart: its blocks have checksums of their own."""
    cache.reads(key(1), LARGE)
    cache.seals()
    cache.restarts()
    cache.reads(key(1), LARGE)

    cache.store.unsealed.hurry()

    assert cache.store.unsealed.jobs() == []


def test_a_version_that_means_something_else_now_is_not_served(folder: Path, key: Callable[[int], BlockKey]) -> None:
    """The server was set back to an earlier state, and written to since: the number is the same, the digest is not."""
    cache = Cache(folder)
    cache.reads(key(1), SMALL)
    cache.restarts()

    file = cache.store.open(key(1), SMALL, b"another digest......")

    assert file.held.length == 0
    file.close()


def test_damage_is_not_taken_for_content_while_the_whole_is_compared(
    cache: Cache, key: Callable[[int], BlockKey]
) -> None:
    """A block of an earlier run has its checksum from then, and keeps it whatever the disk has now."""
    cache.reads(key(1), LARGE, ByteRange(0, 1))
    cache.restarts()
    with cache.path(key(1)).open("r+b") as file:
        file.write(b"damage")
    cache.reads(key(1), LARGE, ByteRange(BLOCK_BYTES, LARGE))
    cache.store.unsealed.hurry()
    [job] = cache.store.unsealed.jobs()

    cache.store.unsealed.take(replace(seal(job), digest=None))  # before it comes to its end
    cache.store.index.append(cache.store.unsealed.take_records())
    cache.is_killed()

    assert cache.reads(key(1), LARGE, ByteRange(0, EXTENT_BYTES)) == BLOCK_BYTES


def test_content_given_up_while_it_is_compared_proves_nothing(cache: Cache, key: Callable[[int], BlockKey]) -> None:
    """What was read then may have been a hole."""
    cache.bytes_max = 2 * EXTENT_BYTES
    cache.restarts()
    reader = cache.store.open(key(1), LARGE, digest_of(key(1), LARGE))
    cache.reads(key(1), LARGE, ByteRange(0, EXTENT_BYTES))
    cache.store.unsealed.hurry()
    [job] = cache.store.unsealed.jobs()
    cache.reads(key(1), LARGE)  # the first extent goes for it
    read = seal(job)

    cache.store.unsealed.take(read)
    cache.reads(key(1), LARGE, ByteRange(0, EXTENT_BYTES))
    cache.restarts()

    assert cache.reads(key(1), LARGE, ByteRange(0, EXTENT_BYTES)) == 0
    reader.close()


# ---------------------------------------------------------------- many


def test_many_small_files_take_little_memory(folder: Path, key: Callable[[int], BlockKey]) -> None:
    """A few hundred bytes each, so that a hundred thousand of them are 30 MB."""
    count = 2_000
    folder.mkdir()
    BlockIndex(folder, owner="ann").write(record_of(key(number), number) for number in range(count))
    for number in range(count):
        (folder / key(number).name).touch()

    tracemalloc.start()
    store = BlockStore(folder, bytes_max=1 << 30, owner="ann")
    taken_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert store.statistics().files == count
    assert taken_bytes / count < 330


@pytest.mark.parametrize(("size", "bits"), [(7, 0b10), (7, 0b11), (BLOCK_BYTES, 0b10), (EXTENT_BYTES + 1, 0b10)])
def test_a_record_of_blocks_that_its_file_has_not_got_is_none(
    key: Callable[[int], BlockKey], size: int, bits: int
) -> None:
    """Else more bytes would be counted than are there."""
    extent = 1 if size > EXTENT_BYTES else 0
    right = extents.record(key(1), extent, Known(size, None, False, Sums(1, (9,) * 8)))
    wrong = extents.record(key(1), extent, Known(size, None, False, Sums(bits, (9,) * 8)))

    assert extents.place_and_size(right)[1:] == (extent, size)
    with pytest.raises(ValueError, match="beyond the end"):
        extents.place_and_size(wrong)
