"""Which tests docs/conformance.md is made of. To add to the page, add a suite here and let its tests `record` rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Suite:
    """Tests that tell rows: those below the path `tests`, which record these `chapters` between them.

    `is_long`: the figures on the page are those of the tests marked `long`; `make test` runs the others.
    """

    tests: str
    chapters: tuple[str, ...]
    is_long: bool = False


SUITES: Final = (
    Suite(
        "tests/mounted/chapters",
        chapters=(
            "names",
            "open",
            "open, flags by target",
            "read_write",
            "truncate",
            "unlink",
            "rename",
            "link",
            "symlink",
            "mkdir",
            "rmdir",
            "readdir",
            "chmod",
            "chown",
            "utimens",
            "xattr",
            "mknod",
            "mkfifo",
        ),
    ),
    Suite(
        "tests/differential",
        chapters=("calls by chance", "calls by chance, several programs at a time"),
        is_long=True,
    ),
    Suite("tests/exerciser", chapters=("a file written and read in every way",), is_long=True),
)
"""In the order of the page."""
