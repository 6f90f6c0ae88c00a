"""One way in for foreign bytes: what reads them, what it may say of them, and what may be relied on after it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from cxfs.core.errors import CxfsError
from cxfs.server.errors import Refusal, ServerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import SearchStrategy


@dataclass(frozen=True)
class Parser:
    """`reads` is called with one input, and asserts of what comes out whatever the rest of the program relies on.

    `where` is `module: function`. `honest` inputs must get through; those that are tried are made of them, unless
    `inputs` says of what else. `refuses`: what it may raise, and nothing else.
    """

    where: str
    reads: Callable[[Any], object]
    honest: tuple[Any, ...]
    refuses: tuple[type[Exception], ...] = ()
    words: tuple[bytes, ...] = ()
    inputs: SearchStrategy[Any] | None = field(default=None, repr=False)

    @property
    def module(self) -> str:
        """Where it is in the program."""
        return self.where.partition(":")[0]

    def __str__(self) -> str:
        return self.where.replace(": ", ".")


def text_of(raw: bytes) -> str:
    """As a program gets its arguments and the names of files: what is not UTF-8 is there, as lone surrogates."""
    return os.fsdecode(raw)


def header_of(raw: bytes) -> str:
    """As both HTTP ends of ours hand on a header's value: one line of Latin-1."""
    return raw.translate(None, b"\r\n\0").decode("latin-1")


SECRET: Final = "hush-hush-0123456789"
"""In whatever holds one."""


def check_told(error: Exception) -> None:
    """What a person, a log or a client is told is one line and holds no secret."""
    assert SECRET not in str(error)
    if isinstance(error, CxfsError | ServerError | Refusal):
        assert len(str(error).splitlines()) <= 1, error
