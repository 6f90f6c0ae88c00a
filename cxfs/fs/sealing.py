"""Has what came into the cache read once more, for its checksums and the server's digest, beside all readers.

What the cache learns by it is written down for the next mount; content that proves wrong as a whole is forgotten by the
kernel too. Decides nothing: `local/blocks` does.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import trio

from cxfs.local.sealing import seal

if TYPE_CHECKING:
    from cxfs.fs.kernel import KernelCache
    from cxfs.fs.offload import Offload
    from cxfs.fs.tree import Tree
    from cxfs.local.blocks import BlockStore
    from cxfs.local.sealing import Sealed, SealJob

log = logging.getLogger(__name__)

ROUND_S: Final = 2.0
"""Between two rounds. What came in within it is fetched again after a crash, and that is all."""


class Sealing:
    """Of one mount's cache. `thread` calls elsewhere, one call after the other."""

    def __init__(self, blocks: BlockStore, tree: Tree, kernel: KernelCache, thread: Offload) -> None:
        self._blocks = blocks
        self._tree = tree
        self._kernel = kernel
        self._thread = thread

    async def run(self) -> None:
        """Goes on until cancelled."""
        while True:
            await trio.sleep(ROUND_S)
            try:
                await self.round()
            except Exception:
                log.exception("a bug while sealing the cache")  # which reads as well without it

    async def round(self) -> None:
        """All that waits for it now, and what came in before is in the index."""
        unsealed = self._blocks.unsealed
        unsealed.look()
        while jobs := unsealed.jobs():
            for sealed in await self._thread(_seal_all, jobs):
                unsealed.take(sealed)
        self._forget_pages()
        records = unsealed.take_records()
        if records:
            await self._thread(self._blocks.index.append, records)

    def _forget_pages(self) -> None:
        wrong = {key.object for key in self._blocks.take_refused()}
        for node in self._tree.nodes.all() if wrong else ():
            if node.entry is not None and node.entry.id in wrong:
                node.pages_of = None
                self._kernel.drop_pages(node.inode)


def _seal_all(jobs: list[SealJob]) -> list[Sealed]:
    return [seal(job) for job in jobs]
