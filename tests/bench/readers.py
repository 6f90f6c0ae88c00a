"""Eight processes that read small files of a mount at once and compare every byte with the data set."""

from __future__ import annotations

import hashlib
import multiprocessing
import time
from multiprocessing import connection
from typing import TYPE_CHECKING, Final

from tests.bench.measuring import extrapolated
from tests.bench.results import Measure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from ctypes import Array, c_int
    from pathlib import Path

    from tests.bench.dataset import Expected

READERS: Final = 8

_FORKING: Final = multiprocessing.get_context("fork")
"""So that the clock does not time the start of an interpreter."""


def read_by_eight(folder: Path, expected: Expected, paths: Sequence[str], cap_s: float) -> Measure:
    """The row for opening, reading and closing those files."""
    done, bad = _FORKING.RawArray("i", READERS), _FORKING.RawArray("i", READERS)
    readers = [
        _FORKING.Process(target=_read, args=(folder, expected, paths[number::READERS], number, done, bad), daemon=True)
        for number in range(READERS)
    ]
    started = time.monotonic()
    for reader in readers:
        reader.start()
    try:
        capped = not _all_ended(readers, started + cap_s)
        seconds = time.monotonic() - started
    finally:
        for reader in readers:
            reader.kill()
            reader.join()
    total = len(paths)
    return Measure(
        extrapolated(seconds, sum(done), total) if capped else seconds,
        capped=capped, done=sum(done), total=total, right=not any(bad) and (capped or sum(done) == total),
    )  # fmt: skip


def _all_ended(readers: Sequence[multiprocessing.process.BaseProcess], until: float) -> bool:
    left = {reader.sentinel for reader in readers}
    while left and (patience_s := until - time.monotonic()) > 0:
        left -= set(connection.wait(list(left), patience_s))
    return not left


def _read(
    folder: Path, expected: Expected, paths: Sequence[str], number: int, done: Array[c_int], bad: Array[c_int]
) -> None:
    for path in paths:
        try:
            content = (folder / path).read_bytes()
        except OSError:
            bad[number] += 1
        else:
            bad[number] += hashlib.sha256(content).hexdigest() != expected[path][1]
        done[number] += 1
