"""The three steps from a person's consent to an access token (docs/protocol.md, "Authorization"). Keeps nothing.

Step 1 is an address for a browser, step 2 what that browser brings back, step 3 a request of ours. The person's own CX
credentials are never seen here.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlencode

import msgspec

from cxfs.core.errors import BadReply, BadRequest, CxfsError, RefusedByPerson, SignedOut, SignInFailed
from cxfs.remote.endpoints import API_VERSION, AUTHORIZE, TOKEN
from cxfs.remote.failures import failure_of
from cxfs.remote.lanes import Lane, OnePiece

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cxfs.remote.clients import MakeClient

ANSWER_BYTES_MAX: Final = 64 << 10
"""Of the token answer, which has some two hundred bytes."""

EXCHANGE_S: Final = 30.0
"""Without a byte in either direction: the person waits at a terminal."""

ANSWER_CHARACTERS_MAX: Final = 8_192
"""Of what a browser brings back, or a person pastes."""


@dataclass(frozen=True, slots=True)
class Application:
    """How this program is registered at the service. `secret` is one."""

    client_id: str
    secret: str

    def __repr__(self) -> str:
        return f"Application({self.client_id!r}, hidden)"


def new_state() -> str:
    """Ties an answer to the question: nobody else can guess it."""
    return secrets.token_urlsafe(24)


def authorization_address(auth_url: str, *, client_id: str, redirect_uri: str, state: str) -> str:
    """Step 1: where the person's browser goes [doc]; `state` is [ours], and a server without it drops it."""
    query = urlencode({"client_id": client_id, "redirect_uri": redirect_uri, "state": state})
    return f"{auth_url}/{AUTHORIZE}?{query}"


def code_in(answer: str, *, state: str) -> str:
    """Step 2: the code in an address that the browser arrived at, in its query alone, or (pasted) by itself.

    `auth_code` is [doc], `code` what others call it. Raises RefusedByPerson for `deny=true` [doc], else SignInFailed.
    """
    answer = answer.strip()
    if len(answer) > ANSWER_CHARACTERS_MAX:
        raise SignInFailed("that is no answer of a sign-in page: it is far too long")
    if not set(answer) & set("?=/"):
        return _checked_code(answer)
    query = answer.partition("?")[2].partition("#")[0] if "?" in answer else answer
    found: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name in found:
            raise SignInFailed(f"the answer of the sign-in page says {name!r} twice: start again")
        found[name] = value
    if "state" in found and not hmac.compare_digest(found["state"].encode(), state.encode()):
        raise SignInFailed("this is the answer to another sign-in: use the one that was opened last")
    if found.get("deny") == "true" or found.get("error") == "access_denied":
        raise RefusedByPerson("access was denied in the browser: nothing was changed")
    if "error" in found:
        raise SignInFailed(f"the sign-in page answered {found['error'][:80]!r}: start again")
    return _checked_code(found.get("auth_code") or found.get("code") or "")


def is_answer(query: str, *, state: str) -> bool:
    """Whether a browser's query answers this very question: whatever else comes to our address is none of it."""
    found = parse_qsl(query, keep_blank_values=True)
    names = [name for name, _ in found]
    states = [value for name, value in found if name == "state"]
    answered = {"auth_code", "code", "deny", "error"} & set(names)
    return bool(answered) and all(hmac.compare_digest(each.encode(), state.encode()) for each in states)


def _checked_code(code: str) -> str:
    if not code or not code.isascii() or not code.isprintable() or " " in code:
        raise SignInFailed("there is no code in that: give the whole address that the browser arrived at")
    return code


class _TokenReply(msgspec.Struct):
    access_token: str
    token_type: Any = "bearer"  # noqa: S105 - a kind, not a token


_REPLY: Final = msgspec.json.Decoder(_TokenReply)


async def exchange(
    make_client: MakeClient, api_url: str, application: Application, *, code: str, redirect_uri: str
) -> str:
    """Step 3: the access token for the code, asked for once, since a code is good once.

    Raises SignInFailed when the server refuses the code or the application, else what a request raises.
    """
    body, content_type = token_request({"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri})
    headers = {
        "Accept": "application/json",
        "Authorization": _basic(application),
        "Content-Type": content_type,
        "Content-Length": str(len(body)),
    }
    lane = Lane(lambda: make_client(1), requests_max=1, no_progress_s=EXCHANGE_S)
    try:
        async with lane.exchange(
            "POST", f"{api_url}/{API_VERSION}/{TOKEN}", headers=headers, body=OnePiece(body)
        ) as it:
            if it.status != 200:
                raise _refused(failure_of(it.status, it.headers, await it.beginning(ANSWER_BYTES_MAX)))
            return _token_in(await it.whole(ANSWER_BYTES_MAX))
    finally:
        await lane.aclose()


def token_request(fields: Mapping[str, str]) -> tuple[bytes, str]:
    """The body and its content type: multipart/form-data, as the documentation's text has it [doc]."""
    boundary = secrets.token_hex(16)
    parts = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    return f"{parts}--{boundary}--\r\n".encode("ascii"), f"multipart/form-data; boundary={boundary}"


def _basic(application: Application) -> str:
    """RFC 7617; a colon in the id would end it, so it is refused here."""
    if ":" in application.client_id:
        raise SignInFailed("a client id has no colon in it: see what the service registered")
    return "Basic " + b64encode(f"{application.client_id}:{application.secret}".encode()).decode("ascii")


def _refused(error: CxfsError) -> CxfsError:
    """A refusal in terms of what the person can do about it."""
    if isinstance(error, SignedOut):
        return SignInFailed("the server does not know this client id with this client secret: check both")
    if isinstance(error, BadRequest):
        return SignInFailed(
            "the server refused the code: it has expired, was used already, or is for another redirect address: "
            "start again"
        )
    return error


def _token_in(body: bytes) -> str:
    try:
        reply = _REPLY.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadReply("the server answered the sign-in without an access token") from None
    if not isinstance(reply.token_type, str) or reply.token_type.lower() != "bearer" or not reply.access_token:
        raise BadReply("the server gave an access token of a kind that cxfs does not know")
    return reply.access_token
