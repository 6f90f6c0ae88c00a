"""What came in and has no checksum yet: hands out what to read, takes what was found. Reads nothing itself."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from cxfs.local.block_file import BlockFile
    from cxfs.local.sealing import Sealed, SealJob
    from cxfs.local.shelf import Shelf

log = logging.getLogger(__name__)

JOB_BYTES_MAX: Final = 32 << 20
"""What one job reads: some 50 ms of a processor, for which the end of a mount may have to wait."""

JOBS_MAX: Final = 50
"""Files at a time: a few milliseconds of the loop, before others have their turn."""

OPEN_LOOKS: Final = 5
"""A file that is open is most likely still coming in, and its reader has better use for the machine: it is passed over
so many times."""

REFUSALS_MAX: Final = 1
"""Content without the digest that the server tells is fetched again so often; then it is the digest that is wrong."""


class Unsealed:
    """The files in question, the longest waiting first. `on_refusal` hears of one whose content is wrong."""

    def __init__(self, shelf: Shelf, on_refusal: Callable[[BlockFile], None]) -> None:
        self._shelf = shelf
        self._on_refusal = on_refusal
        self._looks: dict[str, int] = {}
        self._changed: set[tuple[str, int]] = set()

    def add(self, file: BlockFile) -> None:
        """Something of it came in."""
        self._looks.setdefault(file.key.name, 0)

    def waits(self, file: BlockFile) -> bool:
        """Whether something of it may have no checksum yet."""
        return file.key.name in self._looks

    def look(self) -> None:
        """Begins a round; a file that has been open for some of them has its turn like the others."""
        for name in self._looks:
            self._looks[name] += 1

    def hurry(self) -> None:
        """There is no later round."""
        for name in self._looks:
            self._looks[name] = OPEN_LOOKS

    def jobs(self) -> list[SealJob]:
        """What to read next of this round, of each file one job; none at its end."""
        jobs: list[SealJob] = []
        while not jobs:
            jobs, over = self._jobs_and_sealed()
            for name in over:
                self._over(name)
            if not over:
                break
        return jobs

    def _jobs_and_sealed(self) -> tuple[list[SealJob], list[str]]:
        """Of the next few files: what to read, and which of them have nothing to read."""
        jobs: list[SealJob] = []
        over: list[str] = []
        bytes_left = JOB_BYTES_MAX
        for name, looks in self._looks.items():
            file = self._shelf.files.get(name)
            if file is not None and file.users and looks < OPEN_LOOKS:
                continue
            job = file.next_job(bytes_left) if file is not None else None
            if job is None:
                over.append(name)
            else:
                jobs.append(job)
                bytes_left -= job.stretch.length
            if bytes_left <= 0 or len(jobs) + len(over) >= JOBS_MAX:
                break
        return jobs, over

    def take(self, sealed: Sealed) -> None:
        """What a job found; nothing, where anything of its file was given up meanwhile."""
        file = self._shelf.files.get(sealed.job.key.name)
        if file is None or file.outstanding is not sealed.job:
            self._looks[sealed.job.key.name] = 0
            return
        if not sealed.is_readable:  # somebody emptied the folder: an open file goes on without a name, and is not kept
            self._over(sealed.job.key.name)
            return
        changed = file.seal(sealed)
        if sealed.digest is not None and sealed.job.stretch.stop == file.size:
            if not file.has_sha1(sealed.digest.digest()):
                self._refuse(file)
                return
            changed.add(0)
        self._changed |= {(file.key.name, extent) for extent in changed}
        if file.next_job(JOB_BYTES_MAX) is None:
            self._over(file.key.name)

    def _refuse(self, file: BlockFile) -> None:
        file.refusals += 1
        if file.refusals > REFUSALS_MAX:
            log.error("the server sends %s with another checksum than it tells, time after time", file.key.name)
            file.sha1 = None
            return
        log.error("the content of %s has not the checksum that the server tells: it is fetched again", file.key.name)
        self._on_refusal(file)

    def _over(self, name: str) -> None:
        del self._looks[name]
        file = self._shelf.files.get(name)
        if file is not None:
            self._shelf.rest(file)

    def take_records(self) -> list[bytes]:
        """For the index, what has changed since the last time. What is gone with its file needs no record."""
        changed, self._changed = self._changed | self._shelf.given_up, set()
        self._shelf.given_up = set()
        return [raw for name, extent in changed if (raw := self._shelf.record_of(name, extent)) is not None]
