"""Keeps secrets out of every log line and error text. Knows their shapes, not the secrets themselves.

On the CX wire a URL is a secret: the access token stands in it [doc]. So nothing with a query is logged on purpose, and
what slips through (a library's debug line, a traceback) passes `RedactingFilter` before any handler writes it.
"""

from __future__ import annotations

import logging
import re
import traceback
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

HIDDEN: Final = "***"

_NAMED: Final = re.compile(
    # access_token=…, "client_secret": "…", ('auth_code', b'…'): in a URL, a form, JSON or a Python repr
    r"""(\b(?:access_token|refresh_token|client_secret|auth_code|password)\\?["']?\s*[=:,]\s*(?:b(?=["']))?\\?["']?)"""
    r"""[^\s"'&<>\\)}\]]+""",
    re.IGNORECASE,
)
_CODE: Final = re.compile(
    # The bare word is too common to hide after every "code:", so only as a parameter or a quoted key.
    r"""((?:[?&]code=|^code=|\bcode\\?["']\s*[:,]\s*b?\\?["']))[^\s"'&<>\\)}\]]+"""
)
_AUTHORIZATION: Final = re.compile(
    r"""(\bauthorization\\?["']?\s*[=:,]\s*(?:b(?=["']))?\\?["']?\s*(?:(?:basic|bearer)\s+)?)[^\s"'&<>\\)}\],]+""",
    re.IGNORECASE,
)
_SCHEME: Final = re.compile(r"\b(basic|bearer)(\s+)[A-Za-z0-9+/_.~-]{12,}=*", re.IGNORECASE)


def redact(text: str) -> str:
    """`text` with every value that looks like a credential replaced by `***`."""
    text = _NAMED.sub(rf"\1{HIDDEN}", text)
    text = _CODE.sub(rf"\1{HIDDEN}", text)
    text = _AUTHORIZATION.sub(rf"\1{HIDDEN}", text)
    return _SCHEME.sub(rf"\1\2{HIDDEN}", text)


def printable(text: str) -> str:
    """`text` in one line, for a terminal: a server's words must not move the cursor or colour what stands around."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in " ".join(text.split()))


class KnownSecrets:
    """The secrets of this process by their text, for what has no shape to be known by. More may come while it runs."""

    def __init__(self, *secrets: str) -> None:
        self._secrets = set(secrets)

    def add(self, secret: str) -> None:
        """From now on it is hidden too."""
        self._secrets.add(secret)

    def hide(self, text: str) -> str:
        """`text` without them, and without what has the shape of one."""
        text = redact(text)
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return text


class RedactingFilter(logging.Filter):
    """For handlers: lets every record pass, without its secrets.

    The record is finished here: message and arguments become one text, an exception becomes its printed form. A handler
    that would draw the exception itself (and its local variables) therefore finds none.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Always True; the record is changed in place, for all handlers after this one too."""
        record.msg, record.args = redact(_message_of(record)), None
        if record.exc_info and record.exc_info[1] is not None:
            record.exc_text = "".join(traceback.format_exception(record.exc_info[1])).rstrip("\n")
        record.exc_info = None
        if record.exc_text:
            record.exc_text = redact(record.exc_text)
        if record.stack_info:
            record.stack_info = redact(record.stack_info)
        return True


def _message_of(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError):  # arguments that do not fit their format must not hide the event
        return f"{record.msg} {record.args}"


def guard(handlers: Iterable[logging.Handler]) -> None:
    """Puts one filter on each of the handlers (the root's, for a program), and silences the HTTP libraries."""
    for handler in handlers:
        if not any(isinstance(each, RedactingFilter) for each in handler.filters):
            handler.addFilter(RedactingFilter())
    silence_http_libraries()


def silence_http_libraries() -> None:
    """Keeps httpx (URLs at INFO) and httpcore (headers at DEBUG) at WARNING, even when we debug."""
    for name in ("httpx", "httpcore"):
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.level, logging.WARNING))
