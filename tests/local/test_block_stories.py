"""Random stories of a cache: whatever happens to it, its bytes are right, and its books say what is on the disk."""

from __future__ import annotations

import os
import random
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from cxfs.core.ranges import ByteRange
from cxfs.local.blocks import BlockKey
from cxfs.local.extents import BLOCK_BYTES, EXTENT_BYTES, extents_in
from tests.local.caches import Cache, content_of, digest_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cxfs.core.entries import Uuid
    from cxfs.local.blocks import BlockFile

SIZES: Final = (1, 5_000, BLOCK_BYTES, 3 * BLOCK_BYTES + 9, EXTENT_BYTES, EXTENT_BYTES + 1, 2 * EXTENT_BYTES + 70_000)
LIMIT: Final = 3 * EXTENT_BYTES


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """In memory where the machine has such a place: it is read and written a great deal."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path / "blocks"
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="cxfs-test-") as path:
        yield Path(path) / "blocks"


class Story:
    """What happens to one cache. Each file's number chooses its size."""

    def __init__(self, folder: Path, uuid: Callable[[int], Uuid], seed: int) -> None:
        self.chance = random.Random(seed)
        self.cache = Cache(folder, bytes_max=LIMIT)
        self.uuid = uuid
        self.readers: list[BlockFile] = []

    def goes_on(self) -> None:
        """One thing more."""
        number = self.chance.randrange(2 * len(SIZES))
        key, size = BlockKey(self.uuid(number), 1), SIZES[number % len(SIZES)]
        match self.chance.randrange(12):
            case 0:
                self.readers.append(self.cache.store.open(key, size, digest_of(key, size)))
            case 1 if self.readers:
                self.readers.pop(self.chance.randrange(len(self.readers))).close()
            case 2:
                self.cache.seals()
            case 3 if self.chance.random() < 0.5:
                self._ends()
                self.cache.restarts()
            case 4 if self.chance.random() < 0.3:
                self._ends()
                self.cache.is_killed()
            case 5:
                self.cache.store.forget(key)
            case 6:
                self._adopts(key, size)
            case 7:
                self.cache.store.give_way(self.chance.randrange(LIMIT))
            case 8:
                self._is_damaged()
            case _:
                start = self.chance.randrange(size)
                self.cache.reads(key, size, ByteRange(start, self.chance.randint(start + 1, size)))

    def _ends(self) -> None:
        while self.readers:
            self.readers.pop().close()

    def _adopts(self, key: BlockKey, size: int) -> None:
        draft = self.cache.folder.parent / "draft"
        draft.write_bytes(content_of(key, size))
        self.cache.store.adopt(key, draft, size, digest_of(key, size))
        draft.unlink()

    def _is_damaged(self) -> None:
        """While no daemon runs: a disk does not change what a program has just read of it."""
        self._ends()
        self.cache.store.close()
        files = sorted(self.cache.folder.iterdir())
        with self.chance.choice(files).open("r+b") as file:
            content = file.read()
            place = self.chance.choice([place for place in range(0, len(content), 997) if content[place]] or [0])
            file.seek(place)
            file.write(bytes([content[place] ^ 0x10]))
        self.cache.is_killed()

    def check_books(self) -> None:
        """The limit holds, and what is counted is what is held."""
        shelf = self.cache.store._shelf
        names = {file.name for file in self.cache.folder.iterdir()} | set(shelf.files)
        held = {name: shelf.held_of(name)[1] for name in names if shelf.has(name)}
        assert shelf.bytes_held == sum(ranges.length for ranges in held.values()) <= LIMIT
        assert len(shelf) == sum(len({n for part in ranges for n in extents_in(part)}) for ranges in held.values())
        on_disk = sum(file.stat().st_blocks * 512 for file in self.cache.folder.iterdir() if "." in file.name)
        assert on_disk <= shelf.bytes_held + 8_192 * (len(shelf) + len(self.readers) + 1)


@pytest.mark.parametrize("seed", range(12))
def test_a_story_of_a_cache_ends_well(folder: Path, uuid: Callable[[int], Uuid], seed: int) -> None:
    """Opens, reads, evictions, drafts, restarts, kills and damage in any order."""
    story = Story(folder, uuid, seed)

    for _ in range(120):
        story.goes_on()

        story.check_books()


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 200))
def test_many_stories_of_a_cache_end_well(folder: Path, uuid: Callable[[int], Uuid], seed: int) -> None:
    """As above, for longer."""
    story = Story(folder, uuid, seed)

    for _ in range(600):
        story.goes_on()

        story.check_books()
