"""Which new files stay on this machine: by their names alone. Keeps no file and sends none."""

from __future__ import annotations

import fnmatch
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

LOCK_AND_SWAP_FILES: Final = (".~lock.*#", ".*.sw[k-p]", ".*.swpx")
"""LibreOffice's, and vim's: worth nothing elsewhere, and rewritten every few seconds."""

DESKTOP_FILES: Final = (".DS_Store", "Thumbs.db", ".directory", ".xdg-volume-info")
"""How a folder was last looked at, and under which name and icon this machine's desktop shows a mount."""

DEFAULT_PATTERNS: Final = (*LOCK_AND_SWAP_FILES, *DESKTOP_FILES)
"""Nothing that somebody could want to find elsewhere: backups (`*~`) and autosaved files are not among them."""


class LocalNames:
    """Names that fit any of the patterns, as a shell's, of a whole name and with its case."""

    def __init__(self, patterns: Sequence[str] = DEFAULT_PATTERNS) -> None:
        self._fits = re.compile("|".join(map(fnmatch.translate, patterns))).match if patterns else None

    def __contains__(self, name: object) -> bool:
        return self._fits is not None and isinstance(name, str) and self._fits(name) is not None


def parse_patterns(text: str) -> tuple[str, ...]:
    """Patterns with colons between them; none for an empty text. Raises ValueError for what fits no name, or all."""
    patterns = tuple(pattern for pattern in text.split(":") if pattern)
    for pattern in patterns:
        if "/" in pattern:
            raise ValueError(f"{pattern}: expected patterns of names, without a /")
        if not pattern.strip("*"):
            raise ValueError(f"{pattern}: this would keep every file off the server")
    return patterns
