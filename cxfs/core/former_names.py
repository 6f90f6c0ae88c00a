"""What a former version of a file is called among its kind: by time and number, and of the file's own type."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

EXTENSION_CHARACTERS_MAX: Final = 20
"""What stands behind a dot and is longer is no type of file."""

_BEFORE_AN_EXTENSION: Final = ".tar"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def former_name(shown: str, version: int, modified_ms: int) -> str:
    """`2012-10-14T09.30.00Z-v3.odt` for version 3 of a file that is shown as `shown`: in the order of time when sorted.

    The number alone makes it the only one of its name. `modified_ms`: milliseconds since the epoch; left out where no
    calendar has it.
    """
    try:
        moment = f"{_EPOCH + timedelta(milliseconds=modified_ms):%Y-%m-%dT%H.%M.%SZ}-"
    except OverflowError:
        moment = ""
    return f"{moment}v{version}{_extension(shown)}"


def _extension(shown: str) -> str:
    stem, dot, last = shown.rpartition(".")
    if not dot or not stem.strip(".") or not last or len(last) > EXTENSION_CHARACTERS_MAX:
        return ""
    return (_BEFORE_AN_EXTENSION if stem.endswith(_BEFORE_AN_EXTENSION) else "") + dot + last
