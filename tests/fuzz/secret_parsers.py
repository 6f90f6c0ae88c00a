"""Where secrets come from and where they go: sign-ins as they are kept, addresses, and what a browser brings."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import h11

from cxfs.cli import login
from cxfs.cli.exits import Refusal
from cxfs.core.errors import SignInFailed
from cxfs.credentials import AccessToken, CredentialsError, SignIn
from cxfs.loopback import _request
from cxfs.remote import oauth
from cxfs.remote.urls import BadServiceUrl, ServiceUrls
from cxfs.signin import Redirect
from tests.fuzz.parser import SECRET, Parser, text_of

if TYPE_CHECKING:
    import trio

SIGN_IN: Final = json.dumps(
    {
        "access_token": SECRET,
        "api_url": "https://a",
        "account_id": "i",
        "account_name": "n",
        "at_ms": 5,
        "client_id": "c",
        "client_secret": SECRET,
    }
).encode()


def token(raw: bytes) -> None:
    """It stands in a URL afterwards: nothing in it may end one."""
    found = AccessToken.parse(raw.decode(errors="replace"), "the file").reveal()
    assert found.isascii()
    assert found.isprintable()
    assert not set(found) & set(" \t\r\n")


def kept_sign_in(raw: bytes) -> None:
    """No message quotes it."""
    found = SignIn.from_json(raw.decode(errors="replace"), "the keyring")
    assert SignIn.from_json(found.to_json(), "the keyring") == found


def redirect(raw: bytes) -> None:
    """A browser is sent back there."""
    found = Redirect.parse(text_of(raw))
    assert found.uri.lower().startswith("https://")
    assert found.at(80).isascii()


def service_url(raw: bytes) -> None:
    """The token goes there."""
    url = text_of(raw)
    found = ServiceUrls.parse(api_url=url, data_url=url, auth_url=url, allow_http=True)
    assert found.api.lower().startswith("https://") or found.on_this_machine


class _Arriving:
    """A connection on which these bytes come, some at a time, and then no more."""

    def __init__(self, raw: bytes) -> None:
        self._pieces = [raw[at : at + 100] for at in range(0, len(raw), 100)]

    async def receive_some(self) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""


def browser_request(raw: bytes) -> None:
    """Whatever comes to the address that waits for a browser."""
    http = h11.Connection(h11.SERVER, max_incomplete_event_size=1_000)
    work = _request(http, cast("trio.SSLStream[trio.SocketStream]", _Arriving(raw)))
    try:
        work.send(None)
    except StopIteration as end:
        if end.value is not None:
            target = end.value.target.decode("ascii", errors="replace")
            oauth.is_answer(target.partition("?")[2], state="s")


def registered_application(content: bytes) -> None:
    """Of `--client-file`."""
    with tempfile.TemporaryDirectory(prefix="cxfs-test-") as folder:
        file = Path(folder, "client.toml")
        file.write_bytes(content)
        file.chmod(0o600)
        found = login._application_in(file)
        assert found.client_id
        assert found.secret.isprintable()


PARSERS: Final = (
    Parser(
        "cxfs.cli.login: _application_in",
        registered_application,
        (b'client_id = "c"\nclient_secret = "s"\n',),
        (Refusal, CredentialsError),
    ),
    Parser(
        "cxfs.credentials.secret: AccessToken.parse",
        token,
        (f"{SECRET}\n# and a remark".encode(),),
        (CredentialsError,),
    ),
    Parser(
        "cxfs.credentials.stores: SignIn.from_json",
        kept_sign_in,
        (SIGN_IN,),
        (CredentialsError,),
        (b'"at_ms": ', b'"client_secret": {}'),
    ),
    Parser("cxfs.signin: Redirect.parse", redirect, (b"https://127.0.0.1/", b"https://[::1]:8080/a"), (SignInFailed,)),
    Parser(
        "cxfs.remote.urls: ServiceUrls.parse",
        service_url,
        (b"https://cx.example.org:8443/a", b"http://[::1]:80"),
        (BadServiceUrl,),
        (b"user:pass@", b"http://", b"[::1%25eth0]", b"127.1"),
    ),
    Parser(
        "cxfs.loopback: _request",
        browser_request,
        (b"GET /?code=abc&state=s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",),
        (h11.ProtocolError,),
        (b"Content-Length: ", b"Transfer-Encoding: chunked\r\n", b"HTTP/1.0"),
    ),
)
