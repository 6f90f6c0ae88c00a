"""The CX service of a profile: a session with it, and who we are there. Knows no mount and keeps no token."""

from __future__ import annotations

import logging
import math
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import trio

from cxfs import __version__
from cxfs.core.entries import SELF, TreePath
from cxfs.core.errors import CxfsError, SignedOut
from cxfs.core.ranges import ByteRange
from cxfs.remote.files import Files
from cxfs.remote.renewal import RenewingToken
from cxfs.remote.session import OnRefused, Session, open_session
from cxfs.remote.transport import Transport
from cxfs.remote.urls import ServiceUrls
from cxfs.remote.user import Group, Profile as Account, User, account_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from cxfs.config import Profile
    from cxfs.credentials import AccessToken, TokenSource
    from cxfs.remote.lane_set import SessionLimits
    from cxfs.remote.session import TokenSource as TokenOfTheMoment
    from cxfs.remote.watch import ConnectionWatch

log = logging.getLogger(__name__)

USER_AGENT: Final = f"cxfs/{__version__}"

SAMPLE_BYTES_MIN: Final = 1 << 20
SAMPLE_BYTES_MAX: Final = 16 << 20
SAMPLE_S_MAX: Final = 3.0
"""A throughput is measured by no less and no more, and given up after so long."""


@dataclass(frozen=True, slots=True)
class WhoAmI:
    """An account and its groups."""

    account: Account
    groups: tuple[Group, ...]


@dataclass(frozen=True, slots=True)
class Throughput:
    """Content that came, and in which time."""

    bytes: int
    seconds: float


def urls_of(profile: Profile) -> ServiceUrls:
    """Its hosts; raises BadServiceUrl."""
    return ServiceUrls.parse(
        api_url=profile.api_url, data_url=profile.data_url, auth_url=profile.auth_url, allow_http=profile.allow_http
    )


@asynccontextmanager
async def connected(
    profile: Profile,
    tokens: TokenOfTheMoment,
    *,
    limits: SessionLimits | None = None,
    client_id: str | None = None,
    on_refused: OnRefused | None = None,
    watch: ConnectionWatch | None = None,
) -> AsyncIterator[Session]:
    """A session for the length of the block. `client_id` is that of the sign-in, where the profile names none."""
    async with open_session(
        urls_of(profile),
        tokens,
        client_id=profile.client_id or client_id,
        ca_file=profile.ca_file,
        limits=limits,
        user_agent=USER_AGENT,
        on_refused=on_refused,
        watch=watch,
    ) as session:
        yield session


async def account_of(profile: Profile, token: str) -> Account:
    """The account that a token belongs to. Raises CxfsError."""
    async with connected(profile, lambda: token) as session:
        return await User(session).profile()


class MountedAccount:
    """The account that a mount is of, for as long as it lives, whatever token speaks for it."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._id: str | None = None
        self._told_of: str | None = None

    def is_that(self, account: str) -> None:
        """From now on it is this one."""
        self._id = account

    def require(self, body: bytes) -> None:
        """Raises SignedOut where the server's answer about the account tells of another one."""
        account = account_in(body)
        if account.id != self._id:
            raise SignedOut(f"the token is of {account.username}, another account than is mounted")

    async def has(self, token: str) -> bool:
        """Whether the server takes the token, and for this account: what waits here must not go to another one."""
        try:
            account = await account_of(self._profile, token)
        except CxfsError as error:
            log.debug("not signed in: %s", error)
            return False
        if account.id not in {self._id, self._told_of}:  # it lies there for as long as nobody replaces it
            self._told_of = account.id
            log.error("the new token is of %s, another account than is mounted: unmount first", account.username)
        return account.id == self._id


def renewing(
    profile: Profile,
    token: AccessToken,
    source: TokenSource | None,
    account: MountedAccount,
    *,
    learnt: Callable[[str], None],
    watch: ConnectionWatch,
) -> RenewingToken:
    """The token of a mount, which a new sign-in of the same account replaces.

    `source` is where that would be found (None: nowhere); `learnt` hears of each token that is found there, `watch` of
    each sign-out and its end.
    """

    async def look() -> str | None:
        if source is None:
            return None
        try:  # in a thread: files, keyrings and programs may keep us waiting
            found = await trio.to_thread.run_sync(source.read, abandon_on_cancel=True)
        except CxfsError as error:
            log.debug("no token to go on with: %s", error)
            return None
        learnt(found.token.reveal())
        return found.token.reveal()

    return RenewingToken(
        token.reveal(),
        look=look,
        is_ours=account.has,
        look_again_s=math.inf if source is None else source.look_again_s,
        remedy=f"cxfs login --profile {profile.name} mends it" if source is None else source.remedy,
        on_signed_out=watch.signed_out,
        on_signed_in=watch.signed_in,
    )


def whoami(profile: Profile, token: AccessToken, client_id: str | None = None) -> WhoAmI:
    """Asks the server who the token belongs to. Raises CxfsError."""

    async def ask() -> WhoAmI:
        async with connected(profile, token.reveal, client_id=client_id) as session:
            user = User(session)
            return WhoAmI(await user.profile(), await user.groups())

    return trio.run(ask)


async def throughput_of(profile: Profile, token: AccessToken, client_id: str | None) -> Throughput | None:
    """Loads a piece of the largest file at the top of the account; None where none is worth it. Raises CxfsError."""
    async with connected(profile, token.reveal, client_id=client_id) as session:
        entries = (await Files(session).listing(TreePath(SELF, ()))).entries
        largest = max((each for each in entries if not each.is_folder), key=lambda each: each.size, default=None)
        if largest is None or largest.size < SAMPLE_BYTES_MIN:
            return None
        wanted = ByteRange(0, min(largest.size, SAMPLE_BYTES_MAX))
        began, count = trio.current_time(), 0
        async with Transport(session).download(
            largest.path, wanted, version=largest.version, size=largest.size, pin_version=False
        ) as download:
            async for piece in download.pieces():
                count += len(piece)
                if trio.current_time() - began > SAMPLE_S_MAX:
                    break
        return Throughput(count, max(trio.current_time() - began, 0.001))


def throughput(profile: Profile, token: AccessToken, client_id: str | None = None) -> Throughput | None:
    """The same, for a caller without a loop."""
    return trio.run(throughput_of, profile, token, client_id)
