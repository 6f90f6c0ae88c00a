"""Where the access token of a profile comes from, in which order, and how often it may be looked up anew.

The order is `CXFS_ACCESS_TOKEN`, systemd's credential, the profile's `token_file`, its `token_command`, and what `cxfs
login` kept. The first that is set decides, and its failure is final: falling through to another source would sign in as
somebody else unnoticed.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cxfs.credentials import private_files
from cxfs.credentials.command import COMMAND_DEADLINE_S, printed_by
from cxfs.credentials.secret import AccessToken, CredentialsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cxfs.credentials.stores import SignIn, Stores

VARIABLE: Final = "CXFS_ACCESS_TOKEN"
SYSTEMD_VARIABLE: Final = "CREDENTIALS_DIRECTORY"

LOOK_S: Final = 2.0
"""How often a running mount that was signed out looks at files and keyrings: a person has just typed `cxfs login`."""

RUN_S: Final = 60.0
"""How often it runs a command for that: it may ask for a passphrase in a window of its own."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A token and where it was found. `sign_in` is what `cxfs login` knew beside it, where that is the source."""

    token: AccessToken
    source: str
    sign_in: SignIn | None = None


class TokenSource:
    """The sources of one profile. `read` looks into them anew each time; it blocks."""

    def __init__(
        self,
        profile: str,
        *,
        api_url: str,
        stores: Stores,
        token_file: Path | None = None,
        token_command: str | None = None,
        environ: Mapping[str, str] = os.environ,
        deadline_s: float = COMMAND_DEADLINE_S,
    ) -> None:
        self._profile = profile
        self._api_url = api_url
        self._stores = stores
        self._token_file = token_file
        self._token_command = token_command
        self._environ = environ
        self._deadline_s = deadline_s

    def read(self) -> Credentials:
        """The token of the profile; raises CredentialsError, in one line."""
        if VARIABLE in self._environ:
            return Credentials(AccessToken.parse(self._environ[VARIABLE], VARIABLE), f"the environment's {VARIABLE}")
        handed = self._from_systemd()
        if handed is not None:
            text = private_files.read(handed, guarded=True)
            return Credentials(AccessToken.parse(text, str(handed)), f"systemd's credential {handed.name}")
        if self._token_file is not None:
            text = private_files.read(self._token_file)
            return Credentials(AccessToken.parse(text, str(self._token_file)), str(self._token_file))
        if self._token_command is not None:
            text = printed_by(self._token_command, self._deadline_s)
            return Credentials(AccessToken.parse(text, "token_command"), "token_command")
        return self._kept()

    @property
    def look_again_s(self) -> float:
        """How long to wait before `read` may be worth another look; infinite where nothing can change."""
        if VARIABLE in self._environ:
            return math.inf
        is_command = self._from_systemd() is None and self._token_file is None and self._token_command is not None
        return RUN_S if is_command else LOOK_S

    @property
    def before_sign_in(self) -> str | None:
        """What comes before that which `cxfs login` keeps, in words; None where nothing does."""
        if VARIABLE in self._environ:
            return f"the environment's {VARIABLE}"
        handed = self._from_systemd()
        if handed is not None:
            return f"systemd's credential {handed.name}"
        if self._token_file is not None:
            return str(self._token_file)
        return None if self._token_command is None else "its token_command"

    @property
    def remedy(self) -> str:
        """Where a token that the server refused is to be replaced, and a running mount goes on."""
        if VARIABLE in self._environ:
            return f"{VARIABLE} holds it: start again with another"
        first = self.before_sign_in
        if first is None:
            return f"cxfs login --profile {self._profile} mends it"
        return f"a new token from {first} mends it"

    def _from_systemd(self) -> Path | None:
        """The credential `cxfs.PROFILE`, or `cxfs` for whichever profile, when the service was handed one."""
        folder = self._environ.get(SYSTEMD_VARIABLE)
        if not folder:
            return None
        names = (Path(folder, f"cxfs.{self._profile}"), Path(folder, "cxfs"))
        return next((file for file in names if private_files.is_there(file)), None)

    def _kept(self) -> Credentials:
        found = self._stores.load(self._profile)
        if found is None:
            raise CredentialsError(
                f"not signed in: cxfs login --profile {self._profile} (or set {VARIABLE}, or token_file or "
                "token_command in the profile)"
            )
        sign_in, store = found
        if sign_in.api_url != self._api_url:
            raise CredentialsError(
                f"the token of {self._profile} is for {sign_in.api_url}, but its api_url is {self._api_url} now: "
                f"cxfs login --profile {self._profile}"
            )
        return Credentials(sign_in.token, store.name, sign_in)
