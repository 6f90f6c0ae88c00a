"""Where a daemon's log goes, and that no secret goes with it. Decides nothing about what is worth a line.

The access token stands in every URL we send [doc], so it is taken out of the finished text of each record, traceback
included, and the HTTP libraries, which log whole URLs, stay quiet at every level.
"""

from __future__ import annotations

import logging
import logging.handlers
import os
from typing import TYPE_CHECKING, Final

from cxfs.remote.redaction import KnownSecrets, silence_http_libraries

if TYPE_CHECKING:
    from pathlib import Path

LEVELS: Final = ("debug", "info", "warning", "error")

LOG_BYTES_MAX: Final = 16 << 20
"""The log and the one before it: days of ordinary work, an hour of debugging, never a full disk."""


class Redacting(logging.Formatter):
    """Formats a record, then takes out the secrets that are known and whatever has the shape of one."""

    def __init__(self, known: KnownSecrets) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self._known = known

    def format(self, record: logging.LogRecord) -> str:
        """One record as text, without secrets."""
        return self._known.hide(super().format(record))


def configure(level: str, file: Path | None, known: KnownSecrets) -> None:
    """Sends all logging to the file (0600, of bounded size), or to stderr without one."""
    handler: logging.Handler = logging.StreamHandler()
    if file is not None:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600))
        handler = logging.handlers.RotatingFileHandler(file, maxBytes=LOG_BYTES_MAX, backupCount=1, encoding="utf-8")
    handler.setFormatter(Redacting(known))
    root = logging.getLogger()
    for former in list(root.handlers):
        root.removeHandler(former)
    root.addHandler(handler)
    root.setLevel(level.upper())
    silence_http_libraries()
