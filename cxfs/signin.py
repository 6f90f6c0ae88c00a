"""Signing in: from a profile to a token, by way of a browser. Prints nothing; whoever calls shows and asks.

The steps themselves are `remote/oauth`, the address that a browser comes back to is `loopback`; here they are joined.
"""

from __future__ import annotations

import os
import time
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit, urlunsplit

import trio

from cxfs.core.errors import SignInFailed, cause_of
from cxfs.credentials import AccessToken, ClientSecret, SignIn
from cxfs.loopback import ADDRESSES, Listener, listen
from cxfs.remote import greeting, oauth
from cxfs.remote.clients import MakeClient, client_maker, trust
from cxfs.remote.oauth import Application
from cxfs.service import USER_AGENT, account_of, urls_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cxfs.config import Profile

__all__ = ["Application", "Authority", "Invitation", "Redirect", "greet", "offered_authority", "sign_in"]

REDIRECT_URI: Final = "https://127.0.0.1/"
"""Where a browser is sent unless the profile says otherwise; the port is whichever is free (RFC 8252, 7.3)."""

ANSWER_S: Final = 300.0
"""How long the person has for it."""

CONNECT_S: Final = 10.0
NO_PROGRESS_S: Final = 30.0
PASTED_BYTES_MAX: Final = 8_192


@dataclass(frozen=True, slots=True)
class Redirect:
    """Where the browser is sent with the answer: an https address that the application has registered [doc]."""

    host: str
    port: int | None
    path: str
    uri: str

    @classmethod
    def parse(cls, uri: str) -> Redirect:
        """Raises SignInFailed."""
        try:
            parts = urlsplit(uri)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise SignInFailed(f"the redirect address is no URL: {error}") from error
        if (
            parts.scheme != "https"
            or not host
            or parts.query
            or parts.fragment
            or not (uri.isascii() and uri.isprintable())
        ):
            raise SignInFailed("the redirect address has to look like https://127.0.0.1/, as it was registered")
        return cls(host, port, parts.path or "/", uri)

    @property
    def is_here(self) -> bool:
        """Whether this machine can listen there."""
        return self.host in ADDRESSES

    def at(self, port: int) -> str:
        """The URI with the port that is listened at."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return urlunsplit(("https", f"{host}:{port}", self.path, "", ""))


@dataclass(frozen=True, slots=True)
class Invitation:
    """What the person is shown. `fingerprint` is that of the certificate behind the redirect, where we listen."""

    address: str
    redirect_uri: str
    fingerprint: str | None


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority that a server offers, and its SHA-256 fingerprint."""

    pem: str
    fingerprint: str


def greet(profile: Profile) -> None:
    """Returns when the server answers behind a certificate that the profile trusts; raises CxfsError."""

    async def ask() -> None:
        await greeting.greet(_client_maker(profile), urls_of(profile).api)

    trio.run(ask)


def offered_authority(profile: Profile) -> Authority:
    """What the server hands out as its authority, for a person to compare and agree to. Raises CxfsError."""

    async def ask() -> str:
        urls = urls_of(profile)
        return await greeting.offered_authority(urls.auth, user_agent=USER_AGENT, by_proxy=not urls.on_this_machine)

    pem = trio.run(ask)
    return Authority(pem, greeting.fingerprint(pem))


def sign_in(
    profile: Profile,
    application: Application,
    redirect: Redirect,
    *,
    listening: bool,
    paste_from: int | None,
    show: Callable[[Invitation], None],
) -> SignIn:
    """Invites the person, waits for the answer (at the redirect address, or pasted into a descriptor), gets the token.

    Raises RefusedByPerson, SignInFailed, PortTaken, or what a request raises.
    """

    async def go() -> SignIn:
        state = oauth.new_state()
        async with AsyncExitStack() as stack:
            listener = await _listener(stack, redirect, state) if listening else None
            uri = redirect.uri if listener is None else redirect.at(listener.port)
            address = oauth.authorization_address(
                urls_of(profile).auth, client_id=application.client_id, redirect_uri=uri, state=state
            )
            show(Invitation(address, uri, None if listener is None else listener.fingerprint))
            answer = await _answer(listener, paste_from)
        code = oauth.code_in(answer, state=state)
        token = await oauth.exchange(
            _client_maker(profile), urls_of(profile).api, application, code=code, redirect_uri=uri
        )
        return await _signed_in(profile, application, AccessToken.parse(token, "the server's answer"))

    try:
        return trio.run(go)
    except BaseExceptionGroup as group:  # Ctrl-C among them, in whichever task it struck
        raise cause_of(group) from None


async def _signed_in(profile: Profile, application: Application, token: AccessToken) -> SignIn:
    account = await account_of(profile, token.reveal())
    return SignIn(
        token=token,
        api_url=profile.api_url,
        account_id=account.id,
        account_name=account.username,
        at_ms=time.time_ns() // 1_000_000,
        client_id=application.client_id,
        client_secret=ClientSecret.parse(application.secret, "the client secret"),
    )


async def _listener(stack: AsyncExitStack, redirect: Redirect, state: str) -> Listener:
    def accept(target: str) -> bool:
        path, _, query = target.partition("?")
        return path == redirect.path and oauth.is_answer(query, state=state)

    return await stack.enter_async_context(listen(redirect.host, redirect.port or 0, accept=accept))


async def _answer(listener: Listener | None, paste_from: int | None) -> str:
    """Whichever comes first. Raises SignInFailed when nothing has come in time."""
    given, answers = trio.open_memory_channel[str](2)
    with trio.move_on_after(ANSWER_S):
        async with trio.open_nursery() as nursery:
            if listener is not None:
                nursery.start_soon(_forward, listener.answer, given)
            if paste_from is not None:
                nursery.start_soon(_forward, lambda: _pasted(paste_from), given)
            answer = await answers.receive()
            nursery.cancel_scope.cancel()
            return answer
    raise SignInFailed(f"no answer came within {ANSWER_S / 60:.0f} minutes: start again")


async def _forward(ask: Callable[[], Awaitable[str]], given: trio.MemorySendChannel[str]) -> None:
    await given.send(await ask())


async def _pasted(descriptor: int) -> str:
    """A line that the person types or pastes; a pipe's end counts as one."""
    line = b""
    while not line.endswith(b"\n") and len(line) < PASTED_BYTES_MAX:
        with suppress(PermissionError):  # of a file, or /dev/null: there is nothing to wait for
            await trio.lowlevel.wait_readable(descriptor)
        piece = os.read(descriptor, PASTED_BYTES_MAX)
        if not piece:
            break
        line += piece
    return line.decode(errors="replace")


def _client_maker(profile: Profile) -> MakeClient:
    return client_maker(
        connect_s=CONNECT_S,
        no_progress_s=NO_PROGRESS_S,
        user_agent=USER_AGENT,
        by_proxy=not urls_of(profile).on_this_machine,
        verify=trust(profile.ca_file),
    )
