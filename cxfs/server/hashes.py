"""Secrets that this server makes, and what it keeps of those and of others'. Looks nothing up.

A token, code, client secret or session is 256 random bits, so SHA-256 is enough; a password is what a person can
remember, so argon2id.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from functools import cached_property
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from cxfs.server.errors import ServerError
from cxfs.server.limits import PASSWORD_CHARACTERS_MAX, PASSWORD_CHARACTERS_MIN

SECRET_CHARACTERS: Final = 43
_FORM: Final = b"a form on a page of ours"


def new_secret() -> str:
    """SECRET_CHARACTERS characters of URL-safe base64."""
    return secrets.token_urlsafe(32)


def hash_of(secret: str) -> bytes:
    """What is kept of a secret. Of any text: a lone surrogate is somebody's wrong guess, not an error."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def equal(one: bytes, other: bytes) -> bool:
    """In a time that does not tell where they differ."""
    return hmac.compare_digest(one, other)


def form_token(secret: str) -> str:
    """What the forms of the browser with this session carry; who knows the token does not know the session."""
    return hmac.digest(secret.encode("ascii"), _FORM, "sha256").hex()


def check_password(password: str) -> None:
    """Raises ServerError for one that nobody should have."""
    if not PASSWORD_CHARACTERS_MIN <= len(password) <= PASSWORD_CHARACTERS_MAX:
        raise ServerError(f"a password has {PASSWORD_CHARACTERS_MIN} to {PASSWORD_CHARACTERS_MAX} characters")
    try:
        password.encode()
    except UnicodeEncodeError as error:
        raise ServerError("a password is text in UTF-8") from error


class Passwords:
    """Makes and compares hashes of passwords. Slow on purpose: for a thread, and few at once."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()

    def hash(self, password: str) -> str:
        """With its salt and parameters."""
        return self._hasher.hash(password)

    def matches(self, kept: str | None, password: str) -> bool:
        """Whether this is the password. Without one, or for an account that does not exist, it takes as long."""
        try:
            self._hasher.verify(kept or self._nobodys, password)
        except (VerificationError, InvalidHashError, UnicodeEncodeError):
            return False
        return kept is not None

    def is_outdated(self, kept: str) -> bool:
        """Whether the hash was made with other parameters than those of today."""
        return self._hasher.check_needs_rehash(kept)

    @cached_property
    def _nobodys(self) -> str:
        return self._hasher.hash(new_secret())
