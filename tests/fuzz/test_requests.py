"""Spoilt requests through the whole server: whatever arrives has an answer, and none is that of a bug."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest
import trio
from hypothesis import HealthCheck, given, settings, strategies as st

from cxfs.server import administration
from cxfs.server.app import make_app
from cxfs.server.calls import InPlace
from cxfs.server.store import Store, open_store
from tests.fuzz.edits import spoilt
from tests.fuzz.server_parsers import BUNDLE, FORM
from tests.server.conftest import CHEAP, PASSWORD, give_password

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.applications import Starlette

EXAMPLES: Final = 120
MORE_EXAMPLES: Final = 5_000

MULTIPART: Final = b"multipart/form-data; boundary=b"
URL_ENCODED: Final = b"application/x-www-form-urlencoded"
COOKIE: Final = b"__Host-cx=" + b"A" * 43


class Asked(NamedTuple):
    """A request as it comes over the wire; in its query TOKEN and CLIENT stand for those of the account."""

    method: str
    path: bytes
    query: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""


def by_form(kind: bytes, *more: tuple[bytes, bytes]) -> tuple[tuple[bytes, bytes], ...]:
    return (b"content-type", kind), *more


TOKEN: Final = b"access_token=TOKEN"
PAGES: Final = ((b"host", b"cx.test"), (b"cookie", COOKIE))
HONEST: Final = (
    Asked("GET", b"/1/files/list/self:/", TOKEN + b"&offset=0&limit=5&sort=name"),
    Asked("GET", b"/1/files/info/self:%2Fa.txt", TOKEN),
    Asked("GET", b"/1/files/versions/self:%2Fa.txt", TOKEN),
    Asked("GET", b"/1/users/self", TOKEN),
    Asked("GET", b"/1/capabilities"),
    Asked("GET", b"/1/data/self:%2Fa.txt", TOKEN + b"&version=1", ((b"range", b"bytes=0-4"), (b"if-match", b'"1"'))),
    Asked("HEAD", b"/1/data/self:%2Fa.txt", TOKEN, ((b"range", b"bytes=-2"), (b"if-range", b'"1"'))),
    Asked("POST", b"/1/data/self:%2Fb.txt", TOKEN, by_form(MULTIPART, (b"content-length", b"256")), FORM),
    Asked("POST", b"/1/files/mkdir/self:%2Fd", TOKEN),
    Asked("POST", b"/1/files/move/self:%2Fd", TOKEN, by_form(URL_ENCODED), b"to=self:%2Fe&overwrite=true"),
    Asked("POST", b"/1/files/copy/self:%2Fa.txt", TOKEN, by_form(URL_ENCODED), b"to=self:%2Fc"),
    Asked("POST", b"/1/files/update/self:%2Fa.txt", TOKEN, by_form(URL_ENCODED), b"modified=2012-10-22T21:26:47Z"),
    Asked("POST", b"/1/files/delete/self:%2Fc", TOKEN, by_form(URL_ENCODED), b"recursive=false"),
    Asked("POST", b"/1/bundle/get", TOKEN, (), b'{"items": [{"path": "self:/a.txt", "version": 1}]}'),
    Asked("POST", b"/1/bundle/put", TOKEN, by_form(MULTIPART), BUNDLE),
    Asked("POST", b"/1/bundle/delete", TOKEN, (), b'{"items": [{"path": "self:/x", "ifVersion": 1}]}'),
    Asked(
        "POST",
        b"/1/oauth/token",
        b"",
        by_form(URL_ENCODED, (b"authorization", b"Basic " + base64.b64encode(b"id:secret"))),
        b"grant_type=authorization_code&code=c&redirect_uri=https://127.0.0.1/",
    ),
    Asked("GET", b"/mycx/oauth/authorize", b"client_id=CLIENT&redirect_uri=https://127.0.0.1/&state=s", PAGES),
    Asked("GET", b"/mycx/sign-in", b"next=/mycx/files/", PAGES),
    Asked("POST", b"/mycx/sign-in", b"", (*PAGES, *by_form(URL_ENCODED)), b"username=ann&password=x&form_token=t"),
    Asked("GET", b"/mycx/files/a/b", b"page=2", PAGES),
    Asked("POST", b"/mycx/apps", b"", (*PAGES, *by_form(URL_ENCODED, (b"origin", b"null"))), b"grant=1"),
)

WORDS: Final = (b"self:", b"%2F", b"access_token=TOKEN", b"limit=", b"/1/", b"/mycx/", b"bytes=", b"--b", b'"items"')


@st.composite
def requests(draw: st.DrawFn) -> Asked:
    """An honest one, of which some parts are spoilt."""
    asked = draw(st.sampled_from(HONEST))
    parts = draw(st.sets(st.sampled_from(["path", "query", "headers", "body", "method"]), min_size=1, max_size=3))
    if "path" in parts:
        asked = asked._replace(path=b"/" + draw(spoilt([asked.path], WORDS)).lstrip(b"/"))
    if "query" in parts:
        asked = asked._replace(query=draw(spoilt([asked.query], WORDS)))
    if "body" in parts:
        asked = asked._replace(body=draw(spoilt([asked.body], WORDS)))
    if "method" in parts:
        asked = asked._replace(method=draw(st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "X"])))
    if "headers" in parts:
        headers = ((name, _on_a_line(draw(spoilt([value], WORDS)))) for name, value in asked.headers)
        more = draw(st.lists(st.tuples(st.sampled_from(HEADERS), spoilt([b"1"], WORDS).map(_on_a_line)), max_size=3))
        asked = asked._replace(headers=(*headers, *more))
    return asked


HEADERS: Final = tuple(
    b"content-length content-type cookie range if-match if-range authorization host origin sec-fetch-site".split()
)


def _on_a_line(value: bytes) -> bytes:
    """What an HTTP parser hands on."""
    return value.translate(None, b"\r\n\0")


class Served:
    """A server with an account and a file in it. `asks` returns the status and all of the answer, head and body."""

    def __init__(self, store: Store) -> None:
        administration.add_user(store, "ann", quota_bytes=1 << 20, email="ann@example.org")
        give_password(store, "ann", PASSWORD)
        self.token = administration.issue_token(store, "ann")
        self._client, _ = administration.add_app(store, "a program")
        self.app: Starlette = make_app(store, offload=InPlace(), passwords=CHEAP)
        assert self.asks(HONEST[7]._replace(path=b"/1/data/self:%2Fa.txt"))[0] == 200

    def asks(self, asked: Asked) -> tuple[int, bytes]:
        sent: list[Any] = []
        query = asked.query.replace(b"TOKEN", self.token.encode()).replace(b"CLIENT", self._client.encode())
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "https",
            "method": asked.method, "path": asked.path.decode("latin-1"), "raw_path": asked.path, "root_path": "",
            "query_string": query, "headers": [*asked.headers],
            "client": ("192.0.2.1", 5), "server": ("cx.test", 443),
        }  # fmt: skip
        arriving = [asked.body[at : at + 1_000] for at in range(0, len(asked.body), 1_000)] or [b""]

        async def receive() -> dict[str, Any]:
            if not arriving:
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": arriving.pop(0), "more_body": bool(arriving)}

        async def send(message: Any) -> None:
            sent.append(message)

        trio.run(self.app, scope, receive, send)
        head = b"".join(name + value for message in sent for name, value in message.get("headers", []))
        return int(sent[0]["status"]), head + b"".join(message.get("body", b"") for message in sent)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with open_store(tmp_path) as store:
        yield Served(store)


def ask_spoilt(served: Served, count: int) -> None:
    """No answer tells of a bug, or the token."""

    @settings(max_examples=count, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(requests())
    def asked(request: Asked) -> None:
        status, answer = served.asks(request)
        assert 200 <= status < 500
        assert served.token.encode() not in answer

    asked()


def test_a_spoilt_request_has_an_answer(served: Served) -> None:
    """A refusal, mostly."""
    ask_spoilt(served, EXAMPLES)


@pytest.mark.long
def test_a_flood_of_spoilt_requests_has_answers(served: Served) -> None:
    """The same, for longer."""
    ask_spoilt(served, MORE_EXAMPLES)


@pytest.mark.parametrize("request_", HONEST, ids=lambda asked: f"{asked.method} {asked.path.decode()}")
def test_an_honest_request_comes_to_its_call(served: Served, request_: Asked) -> None:
    """Else what is spoilt would be refused for another reason."""
    assert served.asks(request_)[0] not in {400, 405, 431}, served.asks(request_)
