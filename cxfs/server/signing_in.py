"""A name and a password against what is kept, once: who is let in, who waits, who is refused. Knows no page.

Whether the account does not exist, has no password or has another one cannot be told from the answer or its time.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from cxfs.server import accounts, attempts, audit, sessions
from cxfs.server.audit import Event
from cxfs.server.errors import RateLimited, SignInRefused
from cxfs.server.limits import NAME_CHARACTERS_MAX, PASSWORD_CHARACTERS_MAX

if TYPE_CHECKING:
    from cxfs.server.accounts import Credentials
    from cxfs.server.hashes import Passwords
    from cxfs.server.store import Store


class SigningIn:
    """Blocks for as long as a password hash takes: for a thread."""

    def __init__(self, store: Store, passwords: Passwords) -> None:
        self._store = store
        self._passwords = passwords

    def sign_in(self, name: str, password: str, address: str) -> str:
        """The secret of a new session. Raises RateLimited before the password is looked at, else SignInRefused."""
        name, password = name[: NAME_CHARACTERS_MAX + 1], password[: PASSWORD_CHARACTERS_MAX + 1]
        credentials = self._begin(name, address)
        right = self._passwords.matches(credentials and credentials.password_hash, password)
        if credentials is None or not right:
            self._note(Event.SIGN_IN_FAILED, "" if credentials is None else name, address)
            raise SignInRefused("The name or the password is not right.")
        if credentials.suspended:
            self._note(Event.SIGN_IN_SUSPENDED, name, address)
            raise SignInRefused("This account is suspended. Whoever runs this server can say why.")
        return self._finish(name, password, address, credentials)

    def _begin(self, name: str, address: str) -> Credentials | None:
        with self._store.transaction() as connection:
            wait_ms = attempts.begin(connection, name, address, self._store.clock())
            found = accounts.credentials_of(connection, name)
        if wait_ms:
            wait_s = ceil(wait_ms / 1_000)
            seconds = "a second" if wait_s == 1 else f"{wait_s} seconds"
            raise RateLimited(f"Too many attempts. Try again in {seconds}.", wait_s=wait_s)
        return found

    def _finish(self, name: str, password: str, address: str, credentials: Credentials) -> str:
        kept = credentials.password_hash
        renewed = self._passwords.hash(password) if kept and self._passwords.is_outdated(kept) else None
        now = self._store.clock()
        with self._store.transaction() as connection:
            if accounts.credentials_of(connection, name) != credentials:  # changed or suspended while this ran
                raise SignInRefused("The name or the password is not right.")
            if renewed is not None:
                accounts.set_password_hash(connection, credentials.number, renewed)
            attempts.forget(connection, name, address)
            audit.note(connection, Event.SIGNED_IN, now=now, user=name, address=address)
            return sessions.open_session(connection, credentials.number, now)

    def _note(self, event: Event, user: str, address: str) -> None:
        with self._store.transaction() as connection:
            audit.note(connection, event, now=self._store.clock(), user=user, address=address)
