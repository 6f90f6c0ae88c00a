"""What an earlier run left in the cache's folder: taken on as far as the index speaks of it, removed otherwise."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from cxfs.core.ranges import ByteRange
from cxfs.local import block_index, extents
from cxfs.local.block_file import BlockFile

if TYPE_CHECKING:
    from pathlib import Path

    from cxfs.local.block_file import Keeper
    from cxfs.local.block_index import Loaded
    from cxfs.local.shelf import Shelf


def take_on(folder: Path, loaded: Loaded, shelf: Shelf, keeper: Keeper) -> None:
    """Fills the shelf, in the order of the index."""
    names = _names_in(folder)
    for place, known in loaded.records.items():
        name, extent = extents.parted(place)
        if name not in names:
            continue
        size = loaded.large.get(name)
        if size is None:
            shelf.put_resting(place, known)
            continue
        file = shelf.files.get(name)
        if file is None:
            whole = extents.known_of(known)
            file = BlockFile(keeper, extents.key_of(name), folder / name, size, whole.sha1)
            shelf.put(file)
        before = file.held.length
        file.take_on(extent, extents.known_of(known))
        shelf.landed(file, extents.stretch_of(extent, size), file.held.length - before)
    for name in names:
        if not shelf.has(name):
            _remove(folder / name)
        elif not loaded.is_whole:
            _free_the_unspoken(folder / name, shelf, keeper)


def _names_in(folder: Path) -> set[str]:
    with os.scandir(folder) as entries:
        return {entry.name for entry in entries if extents.name_is_ours(entry.name)}


def remove_all(folder: Path) -> int:
    """Empties the folder of what a cache has put there, and of nothing else; how many files of content that were.

    Raises OSError where that cannot be done.
    """
    names = _names_in(folder)
    for name in names:
        (folder / name).unlink(missing_ok=True)
    for name in (block_index.NAME, block_index.NEW_NAME):
        (folder / name).unlink(missing_ok=True)
    return len(names)


def occupied(folder: Path) -> tuple[int, int]:
    """How many files of content there are, and how many bytes of the disk they take."""
    names = _names_in(folder)
    return len(names), sum((folder / name).lstat().st_blocks * 512 for name in names)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


def _free_the_unspoken(path: Path, shelf: Shelf, keeper: Keeper) -> None:
    """A daemon that was killed had brought in more than it had written down: that counts for nothing and takes room."""
    size, held = shelf.held_of(path.name)
    gaps = held.missing(ByteRange(0, size))
    if not gaps:
        return
    is_freed = False
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            is_freed = all([keeper.punch(descriptor, gap) for gap in gaps])  # noqa: C419  # each of them
        finally:
            os.close(descriptor)
    if not is_freed:
        shelf.drop_named(path.name)
