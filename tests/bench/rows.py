"""The rows of the tables, in their order, with a title for people. Knows neither how they are measured nor figures."""

from __future__ import annotations

from typing import Final

TITLES: Final = {
    "find cold": "find: 10,000 files in 200 folders",
    "find warm": "the same again",
    "ls -lR cold": "ls -lR of them",
    "ls -lR warm": "the same again",
    "cat 1GiB cold": "read 1 GiB",
    "cat 1GiB warm": "read it again",
    "rand 4k": "random reads of 4 KiB for 10 s",
    "rand 128k": "random reads of 128 KiB for 10 s",
    "64 random 4k": "first 64 random reads of 4 KiB",
    "first byte": "first byte of 1 GiB",
    "last byte": "last byte of 1 GiB",
    "1000 small x8": "1,000 small files, 8 readers",
    "grep -r": "grep -r: 10,000 small files",
    "status cold": "git status of 2,000 files",
    "status warm": "the same again",
    "cp 1GiB ret": "cp of 1 GiB: returned",
    "cp 1GiB dur": "cp of 1 GiB: on the server",
    "tar 2000 ret": "tar x of 2,000 files: returned",
    "tar 2000 dur": "tar x of 2,000 files: on the server",
    "rm 2000 ret": "rm -r of 2,000 files: returned",
    "rm 2000 dur": "rm -r of 2,000 files: on the server",
    "git clone": "git clone of 2,000 files: returned",
    "git clone dur": "git clone: on the server",
    "clone+status 1": "git status after it",
    "clone+status 2": "git status once more",
    "GET 1GiB": "curl: GET of 1 GiB",
    "GET 1GiB x8": "curl: the same in 8 ranges",
    "GET 1000 x8": "curl: GET of 1,000 small files, 8 at a time",
    "PUT 1GiB": "curl: PUT of 1 GiB",
    "PUT 2000 x8": "curl: PUT of 2,000 files, 8 at a time",
    "yardstick": "fixed work without any file system",
}
"""In the order of the tables."""

COUNTED: Final = frozenset({"rand 4k", "rand 128k"})
"""Operations per second, where more is better; every other row is in seconds."""

YARDSTICK: Final = "yardstick"

ON_THE_WIRE: Final = {
    "cat 1GiB cold": "GET 1GiB",
    "1000 small x8": "GET 1000 x8",
    "cp 1GiB dur": "PUT 1GiB",
    "tar 2000 dur": "PUT 2000 x8",
}
"""What a mount does, and curl with the same bytes against the same kind of server."""


def in_order(found: set[str]) -> list[str]:
    """Those rows as the tables have them; unknown ones at the end."""
    return [row for row in TITLES if row in found] + sorted(found - set(TITLES))
