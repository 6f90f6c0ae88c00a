"""Where a sign-in is kept on this machine: the Secret Service, else a private file. Signs nobody in.

Both may hold something of one profile (the keyring was locked when the file was written): the newer counts, so that a
sign-in is never undone by one that was forgotten elsewhere.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from cxfs.credentials import private_files
from cxfs.credentials.secret import AccessToken, ClientSecret, CredentialsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from keyring.backend import KeyringBackend

SERVICE: Final = "cxfs"
"""Under which the keyring keeps ours; the user name is the profile's."""

_DEFAULT_COLLECTION: Final = "/org/freedesktop/secrets/aliases/default"
_UNLOCK: Final = "unlock it, or keep the token in a file (cxfs login --store file)"


class KeyringState(Enum):
    """What can be done with the Secret Service."""

    ABSENT = auto()
    LOCKED = auto()
    UNLOCKED = auto()


@dataclass(frozen=True, slots=True)
class SignIn:
    """What one signing-in left: the token, the server and account it is for, the application that got it.

    `at_ms` is when, in milliseconds since the epoch.
    """

    token: AccessToken
    api_url: str
    account_id: str
    account_name: str
    at_ms: int
    client_id: str | None = None
    client_secret: ClientSecret | None = None

    def to_json(self) -> str:
        """All of it, secrets included: for a store and nothing else."""
        return json.dumps(
            {
                "access_token": self.token.reveal(),
                "api_url": self.api_url,
                "account_id": self.account_id,
                "account_name": self.account_name,
                "at_ms": self.at_ms,
                "client_id": self.client_id,
                "client_secret": None if self.client_secret is None else self.client_secret.reveal(),
            }
        )

    @classmethod
    def from_json(cls, text: str, source: str) -> SignIn:
        """The reverse; raises CredentialsError, which quotes nothing of the text."""
        try:
            words: dict[str, Any] = json.loads(text)
            secret = words["client_secret"]
            return cls(
                token=AccessToken.parse(words["access_token"], source),
                api_url=str(words["api_url"]),
                account_id=str(words["account_id"]),
                account_name=str(words["account_name"]),
                at_ms=int(words["at_ms"]),
                client_id=None if words["client_id"] is None else str(words["client_id"]),
                client_secret=None if secret is None else ClientSecret.parse(secret, source),
            )
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
            raise CredentialsError(f"{source}: holds no sign-in of cxfs: cxfs login again") from None


class Store(Protocol):
    """A place for sign-ins. `label` is the word that chooses it."""

    @property
    def label(self) -> str:
        """`keyring` or `file`."""
        ...

    @property
    def name(self) -> str:
        """For messages and `cxfs whoami`."""
        ...

    def load(self, profile: str) -> SignIn | None:
        """What is kept of the profile. Raises CredentialsError when that cannot be known."""
        ...

    def save(self, profile: str, sign_in: SignIn) -> None:
        """Keeps it instead of what was kept. Raises CredentialsError."""
        ...

    def remove(self, profile: str) -> bool:
        """Whether something was there to remove. Raises CredentialsError when that cannot be known."""
        ...


class FileStore:
    """One file a profile (0600) in a folder of their own (0700)."""

    label = "file"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def name(self) -> str:
        """With the folder."""
        return f"a private file in {_from_home(self._folder)}"

    def _file(self, profile: str) -> Path:
        return self._folder / f"{profile}.json"

    def load(self, profile: str) -> SignIn | None:
        """Refuses what others can read or replace."""
        file = self._file(profile)
        if not private_files.is_there(file):
            return None
        private_files.check_folder(self._folder)
        return SignIn.from_json(private_files.read(file), str(file))

    def save(self, profile: str, sign_in: SignIn) -> None:
        """Atomically, and on stable storage."""
        private_files.write(self._file(profile), sign_in.to_json())

    def remove(self, profile: str) -> bool:
        """The file is gone."""
        return private_files.remove(self._file(profile))


def _from_home(path: Path) -> str:
    """As people write it."""
    return f"~/{path.relative_to(Path.home())}" if path.is_relative_to(Path.home()) else str(path)


class KeyringStore:
    """The Secret Service (GNOME Keyring, KWallet, KeePassXC…), by keyring. Only while it is there and unlocked.

    It is never made to ask for a passphrase: a mount that starts with the session, or over SSH, has no window for that.
    """

    label = "keyring"
    name = "the Secret Service"

    def load(self, profile: str) -> SignIn | None:
        """None where there is no Secret Service. Raises CredentialsError while it is locked."""
        state = self.state()
        if state is KeyringState.ABSENT:
            return None
        if state is KeyringState.LOCKED:
            raise CredentialsError(f"{self.name} is locked: {_UNLOCK}")
        with _unquoted(self.name):
            text = _backend().get_password(SERVICE, profile)
        return None if text is None else SignIn.from_json(text, self.name)

    def save(self, profile: str, sign_in: SignIn) -> None:
        """In the default collection. Raises CredentialsError when it is absent or locked."""
        state = self.state()
        if state is KeyringState.ABSENT:
            raise CredentialsError("there is no Secret Service on this session's bus: use --store file")
        if state is KeyringState.LOCKED:
            raise CredentialsError(f"{self.name} is locked: {_UNLOCK}")
        with _unquoted(self.name):
            _backend().set_password(SERVICE, profile, sign_in.to_json())

    def remove(self, profile: str) -> bool:
        """Raises CredentialsError while it is locked."""
        state = self.state()
        if state is KeyringState.ABSENT:
            return False
        if state is KeyringState.LOCKED:
            raise CredentialsError(f"{self.name} is locked and may hold the token: unlock it, then cxfs logout again")
        with _unquoted(self.name):
            if _backend().get_password(SERVICE, profile) is None:
                return False
            _backend().delete_password(SERVICE, profile)
        return True

    def state(self) -> KeyringState:
        """Asked anew each time, and without a prompt."""
        if not _has_session_bus(os.environ):
            return KeyringState.ABSENT
        import secretstorage  # noqa: PLC0415 - see `_has_session_bus`

        try:
            with contextlib.closing(secretstorage.dbus_init()) as bus:
                if not secretstorage.check_service_availability(bus):
                    return KeyringState.ABSENT
                # Not get_default_collection(): that one makes a missing collection, and asks for a passphrase to it.
                locked = secretstorage.Collection(bus, _DEFAULT_COLLECTION).is_locked()
        except Exception:  # noqa: BLE001 - as in `_unquoted`; a bus that cannot be spoken to has no keyring for us
            return KeyringState.ABSENT
        return KeyringState.LOCKED if locked else KeyringState.UNLOCKED


def _has_session_bus(environ: Mapping[str, str]) -> bool:
    """Looked for first, since the libraries that would find none take a tenth of a second to load."""
    runtime = environ.get("XDG_RUNTIME_DIR")
    return bool(environ.get("DBUS_SESSION_BUS_ADDRESS") or (runtime and Path(runtime, "bus").exists()))


def _backend() -> KeyringBackend:
    from keyring.backends import SecretService  # noqa: PLC0415 - as above

    return SecretService.Keyring()  # type: ignore[no-untyped-call]  # its base class has no annotations


@contextlib.contextmanager
def _unquoted(name: str) -> Iterator[None]:
    """What a foreign service complains of may quote what it was given: only the kind of the failure is told."""
    try:
        yield
    except CredentialsError:
        raise
    except Exception as error:  # noqa: BLE001 - any of three libraries' own, and of D-Bus
        raise CredentialsError(f"{name} failed ({type(error).__name__}): {_UNLOCK}") from None


class Stores:
    """The places of this machine, the preferred one first."""

    def __init__(self, *places: Store) -> None:
        self._places = places

    def load(self, profile: str) -> tuple[SignIn, Store] | None:
        """The newest sign-in of the profile and where it is kept.

        Raises CredentialsError when a place cannot tell and no other holds one.
        """
        found: list[tuple[SignIn, Store]] = []
        trouble: CredentialsError | None = None
        for place in self._places:
            try:
                sign_in = place.load(profile)
            except CredentialsError as error:
                trouble = trouble or error
            else:
                found += [] if sign_in is None else [(sign_in, place)]
        if not found and trouble is not None:
            raise trouble
        return max(found, key=lambda each: each[0].at_ms, default=None)

    def save(self, profile: str, sign_in: SignIn, *, label: str | None = None) -> Store:
        """Keeps it in the place of that label, or in the first that takes it, and nowhere else; tells where.

        Raises CredentialsError.
        """
        place = self._keep(profile, sign_in, label)
        for other in self._places:
            if other is not place:
                with contextlib.suppress(CredentialsError):  # what stays there is the older one
                    other.remove(profile)
        return place

    def _keep(self, profile: str, sign_in: SignIn, label: str | None) -> Store:
        *willing, last = [place for place in self._places if label in {None, place.label}]
        for place in willing:
            try:
                place.save(profile, sign_in)
            except CredentialsError:
                continue
            return place
        last.save(profile, sign_in)
        return last

    def remove(self, profile: str) -> list[Store]:
        """Removes whatever is kept of the profile; the places that held something.

        Raises CredentialsError, the others done, for a place that cannot tell.
        """
        held: list[Store] = []
        trouble: CredentialsError | None = None
        for place in self._places:
            try:
                held += [place] if place.remove(profile) else []
            except CredentialsError as error:
                trouble = trouble or error
        if trouble is not None:
            raise trouble
        return held
