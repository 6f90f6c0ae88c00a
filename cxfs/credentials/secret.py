"""Secrets as types: a value that nothing shows by accident. Knows no place where one is kept."""

from __future__ import annotations

import hmac
from typing import Final, NoReturn, Self

from cxfs.core.errors import CxfsError

TOKEN_CHARACTERS_MAX: Final = 4096
"""It travels in a URL; servers refuse request lines beyond about 8 KiB."""


class CredentialsError(CxfsError):
    """No usable secret; the message names the source and the remedy, never the content."""


class Secret:
    """A text that only `reveal()` shows: no repr, no format, no pickle does. Equal by content, in constant time."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for the request or the store that needs it."""
        return self._text

    def __repr__(self) -> str:
        return f"{type(self).__name__}(hidden)"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash((type(self), self._text))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")

    @classmethod
    def parse(cls, text: str, source: str) -> Self:
        """The secret on the first line of `text`; raises CredentialsError, which names the source."""
        lines = text.splitlines()
        found = lines[0].strip() if lines else ""
        if not found:
            raise CredentialsError(f"{source}: empty; {cls.noun} is expected on the first line")
        if len(found) > TOKEN_CHARACTERS_MAX or not found.isascii() or not found.isprintable() or " " in found:
            raise CredentialsError(f"{source}: the first line is not {cls.noun} (printable ASCII without spaces)")
        return cls(found)

    noun = "a secret"
    """What it is called in a message."""


class AccessToken(Secret):
    """What is sent with every request, in its URL [doc]."""

    __slots__ = ()
    noun = "an access token"


class ClientSecret(Secret):
    """What an application proves itself with when it asks for a token [doc]."""

    __slots__ = ()
    noun = "a client secret"
