"""Reads what has come in, for its checksums: in a thread beside the readers. Does not know who reads or what is kept.

Whoever hands out a job must look at the end whether anything was given up meanwhile: then the result proves nothing.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from zlib import crc32

from cxfs.local.extents import BLOCK_BYTES, BlockKey

if TYPE_CHECKING:
    from pathlib import Path

    from cxfs.core.ranges import ByteRange


@dataclass(frozen=True, slots=True)
class SealJob:
    """A stretch of whole blocks of a file to read. `digest`: of all that comes before it; None when none is wanted."""

    key: BlockKey
    path: Path
    stretch: ByteRange
    digest: Any = None


@dataclass(frozen=True, slots=True)
class Sealed:
    """What a job found: checksums by the offset of their block, and the digest of all up to its end.

    `is_readable` is False where the file is not there any more, or is shorter.
    """

    job: SealJob
    sums: dict[int, int] = field(default_factory=dict)
    digest: Any = None
    is_readable: bool = True


def seal(job: SealJob) -> Sealed:
    """Does it; blocks for as long as the disk takes."""
    sums: dict[int, int] = {}
    digest = None if job.digest is None else job.digest.copy()
    try:
        descriptor = os.open(job.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return Sealed(job, is_readable=False)
    try:
        _make_private(descriptor)
        for block in job.stretch.pieces(BLOCK_BYTES):
            content = os.pread(descriptor, block.length, block.start)
            if len(content) < block.length:
                return Sealed(job, is_readable=False)
            sums[block.start] = crc32(content)
            if digest is not None:
                digest.update(content)
    except OSError:
        return Sealed(job, is_readable=False)
    finally:
        os.close(descriptor)
    return Sealed(job, sums, digest)


def _make_private(descriptor: int) -> None:
    """A draft that became this version has the permissions that mark one, until it has no other name any more."""
    found = os.fstat(descriptor)
    if found.st_nlink == 1 and found.st_mode & 0o777 != 0o600:
        os.fchmod(descriptor, 0o600)
