"""Profiles as the person wrote them, in one TOML file, and the folders of each. Asks no server, and changes nothing.

A mistake in the file is a ConfigError that names the file, the key and what to write instead. Nothing is guessed from a
misspelt key, since the next best guess might send an access token to the wrong host.
"""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from platformdirs import PlatformDirs

from cxfs.core.errors import Misconfigured
from cxfs.remote.urls import BadServiceUrl, checked, is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

API_URL: Final = "https://api.cx.com"
DATA_URL: Final = "https://data.cx.com"
AUTH_URL: Final = "https://www.cx.com"
"""The documented hosts [doc]. The service behind them is gone, so a profile without `api_url` reaches nobody."""

CONFIG_BYTES_MAX: Final = 1 << 20
"""A configuration is a page of text; whatever is larger was named by mistake."""

DEFAULT_PROFILE: Final = "default"

PROFILE_KEYS: Final = (
    "api_url",
    "data_url",
    "auth_url",
    "client_id",
    "redirect_uri",
    "ca_file",
    "allow_http",
    "token_file",
    "token_command",
    "mountpoint",
    "options",
)

SYSTEM_STATE: Final = Path("/var/lib/cxfs")
"""Holds the state folders of mounts that are in fstab: those belong to the machine, not to a person."""

_PROFILE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_FOLDERS: Final = PlatformDirs("cxfs", appauthor=False)


class ConfigError(Misconfigured):
    """The configuration cannot be used as it stands; the message names the file, the key and the remedy."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One account on one server. URLs have no trailing slash, no query and no user in them; paths are absolute.

    `mountpoint` and `options` (the words after `-o`) are for a mount that is not told otherwise.
    """

    name: str
    api_url: str = API_URL
    data_url: str = DATA_URL
    auth_url: str = AUTH_URL
    client_id: str | None = None
    redirect_uri: str | None = None
    ca_file: Path | None = None
    allow_http: bool = False
    token_file: Path | None = None
    token_command: str | None = None
    mountpoint: Path | None = None
    options: str | None = None

    @property
    def is_of_the_documented_service(self) -> bool:
        """Whether it points at cx.com, which no longer answers."""
        return self.api_url == API_URL


@dataclass(frozen=True, slots=True)
class Config:
    """The whole file. `file` is where it was read from, or where it would be."""

    file: Path
    default_profile: str | None = None
    profiles: Mapping[str, Profile] = field(default_factory=dict)

    def profile(self, name: str | None = None) -> Profile:
        """The profile of that name; without a name the default one, the only one, or that of the documented service."""
        name = self.name_of(name)
        if name in self.profiles:
            return self.profiles[name]
        if name == DEFAULT_PROFILE and not self.profiles:
            return Profile(name)
        known = ", ".join(sorted(self.profiles)) or "none"
        raise ConfigError(f"no profile {name!r}: add [profiles.{name}] to {self.file} (there: {known})")

    def name_of(self, name: str | None) -> str:
        """The name that `profile` goes by, whether or not there is such a profile."""
        return _checked_name(name or self.default_profile or self._only_profile(), self.file)

    def _only_profile(self) -> str:
        if len(self.profiles) > 1 and DEFAULT_PROFILE not in self.profiles:
            known = ", ".join(sorted(self.profiles))
            raise ConfigError(f"which of the profiles {known}? Say --profile, or set default_profile in {self.file}")
        return next(iter(self.profiles)) if len(self.profiles) == 1 else DEFAULT_PROFILE


def config_file(environ: Mapping[str, str] = os.environ) -> Path:
    """`CXFS_CONFIG`, else `$XDG_CONFIG_HOME/cxfs/config.toml`. Raises ConfigError for one that names no path."""
    named = environ.get("CXFS_CONFIG")
    if not named:
        return _FOLDERS.user_config_path / "config.toml"
    try:
        return Path(named).expanduser().absolute()
    except RuntimeError as error:  # ~USER, and no such user
        raise ConfigError(f"CXFS_CONFIG={named}: no path: {error}") from error


def cache_folder(profile: Profile) -> Path:
    """Where what can be fetched again is kept: losing it costs time, never data. Not made here."""
    return _FOLDERS.user_cache_path / profile.name


def state_folder(profile: Profile) -> Path:
    """Where drafts, journal, lock and log are kept: precious, so not in the cache. Not made here."""
    return state_home() / profile.name


def credentials_folder() -> Path:
    """Where sign-ins are kept on a machine without a keyring: data, not configuration, which people copy about."""
    return _FOLDERS.user_data_path / "credentials"


def state_home() -> Path:
    """The folder that holds the state folder of every profile."""
    return _FOLDERS.user_state_path


def state_homes() -> tuple[Path, ...]:
    """Where running mounts are looked for: the person's own state home, and that of the machine, which root sees."""
    own = state_home()
    return (own,) if own == SYSTEM_STATE else (own, SYSTEM_STATE)


def load(environ: Mapping[str, str] = os.environ) -> Config:
    """Reads the file; a missing one is an empty configuration unless `CXFS_CONFIG` named it."""
    file = config_file(environ)
    try:
        with file.open("rb") as opened:
            content = opened.read(CONFIG_BYTES_MAX + 1)
    except FileNotFoundError:
        if environ.get("CXFS_CONFIG"):
            raise ConfigError(f"{file}: no such file (CXFS_CONFIG names it)") from None
        return Config(file)
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from error
    if len(content) > CONFIG_BYTES_MAX:
        raise ConfigError(f"{file}: larger than {CONFIG_BYTES_MAX} bytes, so not a cxfs configuration")
    return parse(content, file)


def parse(content: bytes, file: Path) -> Config:
    """The configuration in these bytes; relative paths in it are taken from the folder of `file`."""
    try:
        document = tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:  # not UTF-8, not TOML, a number without end, or a nest
        raise ConfigError(f"{file}: not TOML: {error}") from error
    top = _Table(document, "", file)
    top.knows("default_profile", "profiles")
    default = top.text("default_profile")
    tables = top.table("profiles")
    profiles = {name: _profile(name, tables.table(name)) for name in tables.keys}
    if default is not None and default not in profiles:
        raise ConfigError(f"{file}: default_profile is {default!r}, but there is no [profiles.{default}]")
    return Config(file, default, profiles)


class _Table:
    """One table of the file: its values by type, its mistakes by name."""

    def __init__(self, values: Mapping[str, object], name: str, file: Path) -> None:
        self._values = values
        self._name = name
        self.file = file

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(self._values)

    def knows(self, *keys: str) -> None:
        for key in self._values:
            if key not in keys:
                raise ConfigError(f"{self.place(key)}: unknown key (known here: {', '.join(keys)})")

    def place(self, key: str) -> str:
        """`FILE: profiles.work.api_url`, to begin an error with."""
        return f"{self.file}: {self._name}{key}"

    def text(self, key: str) -> str | None:
        value = self._values.get(key)
        if value is None or (isinstance(value, str) and value):
            return value
        raise ConfigError(f"{self.place(key)}: expected a non-empty string, got {_kind(value)}")

    def flag(self, key: str) -> bool:
        value = self._values.get(key, False)
        if isinstance(value, bool):
            return value
        raise ConfigError(f"{self.place(key)}: expected true or false, got {_kind(value)}")

    def path(self, key: str) -> Path | None:
        text = self.text(key)
        if text is None:
            return None
        if "\0" in text:
            raise ConfigError(f"{self.place(key)}: no path: it holds a NUL")
        try:
            return (self.file.parent / Path(text).expanduser()).absolute()
        except RuntimeError as error:  # ~USER, and no such user
            raise ConfigError(f"{self.place(key)}: no path: {error}") from error

    def table(self, key: str) -> _Table:
        value = self._values.get(key, {})
        if isinstance(value, dict):
            return _Table(value, f"{self._name}{key}.", self.file)
        raise ConfigError(f"{self.place(key)}: expected a table [{self._name}{key}], got {_kind(value)}")


def _kind(value: object) -> str:
    return "an empty string" if value == "" else f"{type(value).__name__} {str(value)[:40]!r}"


def _profile(name: str, table: _Table) -> Profile:
    _checked_name(name, table.file)
    table.knows(*PROFILE_KEYS)
    allow_http = table.flag("allow_http")
    api_url = _url(table, "api_url", allow_http=allow_http)
    data_url = _url(table, "data_url", allow_http=allow_http)
    auth_url = _url(table, "auth_url", allow_http=allow_http)
    return Profile(
        name=name,
        api_url=api_url or API_URL,
        # A server of one's own is one host; only the documented service had three. The token goes to both, so nothing
        # cleverer than "the same host" is derived.
        data_url=data_url or api_url or DATA_URL,
        auth_url=auth_url or api_url or AUTH_URL,
        client_id=table.text("client_id"),
        redirect_uri=table.text("redirect_uri"),
        ca_file=table.path("ca_file"),
        allow_http=allow_http,
        token_file=table.path("token_file"),
        token_command=table.text("token_command"),
        mountpoint=table.path("mountpoint"),
        options=table.text("options"),
    )


def _checked_name(name: str, file: Path) -> str:
    """Profile names become folder names and, later, names of services."""
    if _PROFILE_NAME.fullmatch(name) is None:
        raise ConfigError(f"{file}: {name!r} is no profile name: letters, digits, dot, dash, underscore, at most 64")
    return name


def _url(table: _Table, key: str, *, allow_http: bool) -> str | None:
    text = table.text(key)
    if text is None:
        return None
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigError(f"{table.place(key)}: not a URL: {error}") from error
    if parts.scheme not in {"https", "http"} or not host:
        raise ConfigError(f"{table.place(key)}: expected a URL like https://cx.example.org:8443, got {text!r}")
    if parts.username is not None or parts.query or parts.fragment:
        raise ConfigError(f"{table.place(key)}: a URL without user, query or fragment is wanted here")
    if parts.scheme == "http" and not (allow_http and is_loopback(host)):
        raise ConfigError(
            f"{table.place(key)}: the access token would travel in the clear: use https "
            "(http only for a loopback address, with allow_http = true)"
        )
    try:
        return checked(table.place(key), text, allow_http=allow_http)
    except BadServiceUrl as error:
        raise ConfigError(str(error)) from error
