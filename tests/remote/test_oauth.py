"""The three steps, against what the documentation says of each (docs/protocol.md, "Authorization")."""

from __future__ import annotations

from base64 import b64decode
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from cxfs.core.errors import BadReply, CxfsError, RefusedByPerson, ServerTrouble, SignInFailed
from cxfs.remote import oauth
from cxfs.remote.clients import client_maker
from cxfs.remote.failures import NeverSent
from cxfs.remote.oauth import Application
from tests.remote.fake_cx import FakeCx, refusal

if TYPE_CHECKING:
    from cxfs.remote.clients import MakeClient

REDIRECT = "https://127.0.0.1:4711/"
APPLICATION = Application("photos", "53cr3t:with/colon")
STATE = "the-state"
GRANTED = {"return_type": "json", "access_token": "tok-53cr3t", "token_type": "bearer", "mapi": "photos"}


@pytest.fixture
def make_client(cx: FakeCx) -> MakeClient:
    return client_maker(connect_s=5, no_progress_s=5, user_agent="cxfs/test", by_proxy=False, transport=cx)


async def exchanged(make_client: MakeClient) -> str:
    return await oauth.exchange(make_client, "https://api.cx.test", APPLICATION, code="c0d3", redirect_uri=REDIRECT)


# ------------------------------------------------------------------------------------------------ step 1


def test_the_browser_is_sent_to_the_documented_address() -> None:
    """[doc] client_id and redirect_uri; [ours] a state beside them."""
    address = oauth.authorization_address(
        "https://www.cx.test", client_id="me & you", redirect_uri=REDIRECT, state=STATE
    )

    parts = urlsplit(address)
    assert (parts.scheme, parts.netloc, parts.path) == ("https", "www.cx.test", "/mycx/oauth/authorize")
    assert parse_qs(parts.query) == {"client_id": ["me & you"], "redirect_uri": [REDIRECT], "state": [STATE]}


def test_no_two_states_are_alike() -> None:
    """Whoever could guess one could answer in the person's place."""
    states = {oauth.new_state() for _ in range(100)}

    assert len(states) == 100
    assert min(map(len, states)) >= 32


# ------------------------------------------------------------------------------------------------ step 2


@pytest.mark.parametrize(
    "answer",
    [
        "https://127.0.0.1:4711/?auth_code=c0d3&state=the-state",
        "https://127.0.0.1:4711/?state=the-state&code=c0d3",
        "/?auth_code=c0d3&state=the-state",
        "auth_code=c0d3&state=the-state",
        "  https://127.0.0.1/?auth_code=c0d3&state=the-state\n",
        "https://127.0.0.1/?auth_code=c0d3",
        "https://127.0.0.1/?auth_code=c0d3#fragment",
        "https://[::1/?auth_code=c0d3",
        "c0d3",
        " c0d3\n",
    ],
)
def test_the_code_is_found(answer: str) -> None:
    """[doc] `auth_code`, or the usual `code`; a server without `state` drops it; a person may paste the code alone."""
    assert oauth.code_in(answer, state=STATE) == "c0d3"


@pytest.mark.parametrize(
    "answer", ["https://127.0.0.1/?deny=true&state=the-state", "/?deny=true", "?error=access_denied"]
)
def test_a_no_is_a_no(answer: str) -> None:
    """[doc] `deny=true`."""
    with pytest.raises(RefusedByPerson, match="denied in the browser"):
        oauth.code_in(answer, state=STATE)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("https://127.0.0.1/?auth_code=c0d3&state=another", "another sign-in"),
        ("https://127.0.0.1/?auth_code=c0d3&state=", "another sign-in"),
        ("https://127.0.0.1/?deny=true&state=another", "another sign-in"),
        ("https://127.0.0.1/?auth_code=c0d3&auth_code=other&state=the-state", "twice"),
        ("https://127.0.0.1/?auth_code=c0d3&state=another&state=the-state", "twice"),
        ("https://127.0.0.1/?error=server_error&state=the-state", "'server_error'"),
        ("https://127.0.0.1/?deny=false", "no code"),
        ("https://127.0.0.1/?auth_code=", "no code"),
        ("https://127.0.0.1/?", "no code"),
        ("https://127.0.0.1/", "no code"),
        ("", "no code"),
        ("two words", "no code"),
        ("cödé", "no code"),
        ("https://[127.0.0.1/?no=c0d3", "no code"),
        ("x" * 10_000, "too long"),
    ],
)
def test_a_wrong_answer_is_said(answer: str, said: str) -> None:
    """In one line."""
    with pytest.raises(SignInFailed, match=said) as refused:
        oauth.code_in(answer, state=STATE)

    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("auth_code=c0d3&state=the-state", True),
        ("code=c0d3", True),
        ("deny=true&state=the-state", True),
        ("error=server_error&state=the-state", True),
        ("auth_code=c0d3&state=another", False),
        ("auth_code=c0d3&state=the-state&state=another", False),
        ("state=the-state", False),
        ("", False),
    ],
)
def test_what_counts_as_an_answer_at_our_address(query: str, expected: bool) -> None:  # noqa: FBT001 - a column
    """Another page in the same browser must not be able to end the wait."""
    assert oauth.is_answer(query, state=STATE) is expected


# ------------------------------------------------------------------------------------------------ step 3


async def test_the_token_request_is_the_documented_one(cx: FakeCx, make_client: MakeClient) -> None:
    """[doc] Basic authorization, and in a multipart/form-data body these fields, byte for byte; no token in the URL."""
    cx.answers(httpx.Response(200, json=GRANTED))

    token = await exchanged(make_client)

    asked = cx.last
    assert token == "tok-53cr3t"
    assert (asked.method, asked.host, asked.path, asked.query) == ("POST", "api.cx.test", "/1/oauth/token", {})
    assert b64decode(asked.headers["authorization"].removeprefix("Basic ")) == b"photos:53cr3t:with/colon"
    assert asked.headers["accept"] == "application/json"
    kind, _, boundary = asked.headers["content-type"].partition("; boundary=")
    assert kind == "multipart/form-data"
    assert asked.body.decode() == "".join(
        [
            f'--{boundary}\r\nContent-Disposition: form-data; name="grant_type"\r\n\r\nauthorization_code\r\n',
            f'--{boundary}\r\nContent-Disposition: form-data; name="code"\r\n\r\nc0d3\r\n',
            f'--{boundary}\r\nContent-Disposition: form-data; name="redirect_uri"\r\n\r\n{REDIRECT}\r\n',
            f"--{boundary}--\r\n",
        ]
    )


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (refusal(401, "InvalidClient"), SignInFailed, "does not know this client id"),
        (refusal(400, "InvalidGrant"), SignInFailed, "refused the code"),
        (httpx.Response(400, json={"error": "invalid_grant"}), SignInFailed, "refused the code"),
        (refusal(500, "Internal"), ServerTrouble, "500"),
        (httpx.ConnectError("refused"), NeverSent, "refused"),
        (httpx.Response(200, text="<html>"), BadReply, "without an access token"),
        (httpx.Response(200, json=[]), BadReply, "without an access token"),
        (httpx.Response(200, json={"access_token": 7}), BadReply, "without an access token"),
        (httpx.Response(200, json={**GRANTED, "access_token": ""}), BadReply, "of a kind"),
        (httpx.Response(200, json={**GRANTED, "token_type": "mac"}), BadReply, "of a kind"),
        (httpx.Response(302, headers={"location": "https://elsewhere"}), BadReply, "302"),
    ],
)
async def test_each_wrong_turn_has_its_line(
    cx: FakeCx, make_client: MakeClient, answer: httpx.Response | Exception, kind: type[CxfsError], said: str
) -> None:
    """And is not tried again: a code is good once."""
    cx.answers(answer)

    with pytest.raises(kind, match=said) as refused:
        await exchanged(make_client)

    assert len(cx.heard) == 1
    assert "c0d3" not in str(refused.value)
    assert "53cr3t" not in str(refused.value)


async def test_a_client_id_with_a_colon_is_refused_before_it_is_sent(cx: FakeCx, make_client: MakeClient) -> None:
    """What follows the colon would become part of the secret (RFC 7617)."""
    with pytest.raises(SignInFailed, match="no colon"):
        await oauth.exchange(
            make_client, "https://api.cx.test", Application("a:b", "s"), code="c", redirect_uri=REDIRECT
        )

    assert cx.heard == []


def test_an_application_hides_its_secret() -> None:
    """A dataclass would show it."""
    assert "53cr3t" not in repr(APPLICATION)
