"""A cache over several runs of a daemon: what is brought in, sealed, closed in order or killed, and found again."""

from __future__ import annotations

import random
from functools import cache
from hashlib import sha1
from typing import TYPE_CHECKING, Final

from cxfs.core.errors import ContentLost
from cxfs.core.ranges import ByteRange
from cxfs.local.blocks import BlockFile, BlockKey, BlockStore
from cxfs.local.extents import BLOCK_BYTES
from cxfs.local.sealing import seal
from cxfs.local.unsealed import OPEN_LOOKS

if TYPE_CHECKING:
    from pathlib import Path

PIECE_BYTES: Final = 100_000
"""What arrives at a time: no multiple of anything."""


@cache
def content_of(key: BlockKey, size: int) -> bytes:
    """Of this version: another one for each."""
    return random.Random(f"{key.object}.{key.version}").randbytes(size)


@cache
def digest_of(key: BlockKey, size: int) -> bytes:
    """What the server tells of it."""
    return sha1(content_of(key, size), usedforsecurity=False).digest()


class Cache:
    """One folder and the runs over it. `store` is the present one."""

    def __init__(self, folder: Path, *, bytes_max: int = 1 << 30, owner: str = "ann") -> None:
        self.folder = folder
        self.bytes_max = bytes_max
        self.owner = owner
        self.store = self._run()
        self.fetched_bytes = 0

    def _run(self) -> BlockStore:
        return BlockStore(self.folder, bytes_max=self.bytes_max, owner=self.owner, free_bytes=lambda _: 1 << 40)

    def restarts(self) -> None:
        """The mount ends in order, and there is a next one."""
        self.store.close()
        self.store = self._run()

    def is_killed(self) -> None:
        """The daemon ends as it is, and there is a next one."""
        for file in list(self.store._shelf.files.values()):
            file.close_descriptor()
        self.store = self._run()

    def seals(self) -> None:
        """What the daemon does every few seconds, until there is no more to do."""
        for _ in range(OPEN_LOOKS):
            self.store.unsealed.look()
        while jobs := self.store.unsealed.jobs():
            for job in jobs:
                self.store.unsealed.take(seal(job))
        self.store.index.append(self.store.unsealed.take_records())

    def path(self, key: BlockKey) -> Path:
        """Where the content is."""
        return self.folder / key.name

    def reads(self, key: BlockKey, size: int, *parts: ByteRange, wrongly: bool = False) -> int:
        """A program reads the parts (all, without any), and what is not here is fetched; how many bytes that were.

        What is read must be right. `wrongly`: what comes over the network is not.
        """
        whole, before = content_of(key, size), self.fetched_bytes
        sent = bytes(size) if wrongly else whole
        file = self.store.open(key, size, digest_of(key, size))
        try:
            for part in parts or [ByteRange(0, size)]:
                for wanted in part.pieces(1 << 20):
                    read = self._read(file, wanted, sent)
                    assert wrongly or read == whole[wanted.start : wanted.stop], f"wrong bytes at {wanted}"
        finally:
            file.close()
        return self.fetched_bytes - before

    def _read(self, file: BlockFile, wanted: ByteRange, sent: bytes) -> bytes:
        with file.keeping(wanted):
            while True:
                for gap in file.held.missing(wanted.aligned(BLOCK_BYTES, file.size)):
                    for piece in gap.pieces(PIECE_BYTES):
                        file.write(piece.start, sent[piece.start : piece.stop])
                        self.fetched_bytes += piece.length
                try:
                    return file.read(wanted)
                except ContentLost:
                    continue
