"""The checksums of a content, whether it comes in one piece or in many, and whether it gets threads or not."""

from __future__ import annotations

import hashlib
import threading
from random import Random

import pytest

from cxfs.server.digests import LARGE_AT_ONCE_MAX, LARGE_BYTES, PIECES_AHEAD_MAX, Digests, places
from tests.mounting import wait_until

PIECE_BYTES = 300_000


def taken(digests: Digests, content: bytes) -> tuple[bytes, bytes, bytes]:
    """What it says of `content`, given in pieces."""
    for start in range(0, len(content), PIECE_BYTES):
        digests.update(content[start : start + PIECE_BYTES])
    digests.settle()
    digests.close()
    return digests.sha256, digests.sha1, digests.md5


def hashing() -> int:
    """Threads of ours: other tests' may end at any moment."""
    return sum(thread.name.startswith("hashing") for thread in threading.enumerate())


def expected(content: bytes) -> tuple[bytes, bytes, bytes]:
    return hashlib.sha256(content).digest(), hashlib.sha1(content).digest(), hashlib.md5(content).digest()


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES, LARGE_BYTES - 1, LARGE_BYTES, LARGE_BYTES + 1, 5 * LARGE_BYTES])
def test_each_content_has_its_own_checksums(size: int) -> None:
    """Of every byte, once and in order."""
    content = Random(size).randbytes(size)

    assert taken(Digests(places()), content) == expected(content)


def test_only_so_many_contents_get_threads_and_all_are_right() -> None:
    """The rest is hashed where it comes in."""
    content, free = Random(1).randbytes(2 * LARGE_BYTES), places()
    several = [Digests(free) for _ in range(LARGE_AT_ONCE_MAX + 3)]

    for digests in several:
        digests.update(content)
    threads = hashing()

    assert threads == 2 * LARGE_AT_ONCE_MAX
    for digests in several:
        assert taken(digests, b"") == expected(content)
    wait_until(lambda: hashing() == 0)
    assert all(free.acquire(blocking=False) for _ in range(LARGE_AT_ONCE_MAX))


def test_what_is_given_up_leaves_no_thread() -> None:
    """A client that hangs up half-way; nobody asks for the checksums."""
    free = places()
    digests = Digests(free)
    for _ in range(PIECES_AHEAD_MAX):
        digests.update(bytes(LARGE_BYTES))

    digests.close()
    digests.close()

    wait_until(lambda: hashing() == 0)
    assert all(free.acquire(blocking=False) for _ in range(LARGE_AT_ONCE_MAX))
