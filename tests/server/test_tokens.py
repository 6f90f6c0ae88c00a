"""The token endpoint, by the documented requests to the byte. Contract: docs/protocol.md, "Authorization"."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
import pytest

from cxfs.server import administration
from cxfs.server.limits import CODE_LIFE_S
from tests.server.person import Person, found_in, refusal_of
from tests.server.tables import rows

if TYPE_CHECKING:
    from cxfs.server.store import Store
    from tests.server.conftest import Clock

REDIRECT = "https://photos.example.org/back"
URL_ENCODED = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class App:
    """A registered application with a code that Ann has given it."""

    client_id: str
    secret: str
    code: str

    @property
    def basic(self) -> str:
        """The Authorization header."""
        return "Basic " + b64encode(f"{self.client_id}:{self.secret}".encode()).decode()

    @property
    def body(self) -> bytes:
        """As the documentation's example sends it."""
        return (
            f"grant_type=authorization_code&code={self.code}&redirect_uri=https%3A%2F%2Fphotos.example.org%2Fback"
        ).encode()


@pytest.fixture
def app(store: Store, ann: Person) -> App:
    """See App."""
    client_id, secret = administration.add_app(store, "Photos", [REDIRECT, "https://photos.example.org/other"])
    return App(client_id, secret, administration.issue_code(store, "ann", app=client_id, redirect_uri=REDIRECT))


async def exchange(
    visitor: httpx.AsyncClient, app: App, body: bytes, content_type: str = URL_ENCODED
) -> httpx.Response:
    """The third step."""
    headers = {"Authorization": app.basic, "Content-Type": content_type}
    return await visitor.post("/1/oauth/token", content=body, headers=headers)


async def test_a_code_is_exchanged_url_encoded(visitor: httpx.AsyncClient, ann: Person, app: App) -> None:
    """[doc] as its examples send it; the answer has its fields, and [seen] the client id as `mapi`."""
    answer = found_in(await exchange(visitor, app, app.body))

    token = answer.pop("access_token")
    assert answer == {"return_type": "json", "token_type": "bearer", "mapi": app.client_id}
    profile = found_in(await visitor.get(f"/1/users/self?access_token={token}&client_id={app.client_id}"))
    assert profile["profile"]["id"] == ann.id


async def test_a_code_is_exchanged_with_the_encoding_named(visitor: httpx.AsyncClient, app: App) -> None:
    """As some libraries do, and with further fields, as others."""
    answer = await exchange(visitor, app, app.body + b"&scope=all", f"{URL_ENCODED}; charset=UTF-8")

    assert found_in(answer)["token_type"] == "bearer"


async def test_a_code_is_exchanged_as_multipart(visitor: httpx.AsyncClient, app: App) -> None:
    """[doc] as its text says."""
    fields = {"grant_type": "authorization_code", "code": app.code, "redirect_uri": REDIRECT}
    body = "".join(
        f'--AaB03x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )

    answer = await exchange(visitor, app, f"{body}--AaB03x--\r\n".encode(), "multipart/form-data; boundary=AaB03x")

    assert found_in(answer)["token_type"] == "bearer"
    assert answer.headers["cache-control"] == "no-store"


async def test_a_code_is_good_once(visitor: httpx.AsyncClient, app: App) -> None:
    """A stolen one is worth nothing after its use."""
    await exchange(visitor, app, app.body)

    assert refusal_of(await exchange(visitor, app, app.body)) == (400, "InvalidGrant")


async def test_a_second_use_of_a_code_revokes_the_token_of_the_first(
    store: Store, visitor: httpx.AsyncClient, ann: Person, app: App
) -> None:
    """One of the two is a thief's, and nobody knows which (RFC 6749, 4.1.2). Her other tokens are none of it."""
    token = found_in(await exchange(visitor, app, app.body))["access_token"]
    other = administration.issue_token(store, "ann", app=app.client_id)

    await exchange(visitor, app, app.body)

    assert refusal_of(await visitor.get(f"/1/users/self?access_token={token}")) == (401, "BadAuthToken")
    assert found_in(await visitor.get(f"/1/users/self?access_token={other}"))
    last = administration.list_events(store, "ann", 1)[0]
    assert (last.event, last.user, last.app) == ("revoked", "ann", "Photos")


async def test_a_used_code_is_nothing_to_another_application(
    store: Store, visitor: httpx.AsyncClient, app: App
) -> None:
    """It cannot take away what was given to this one."""
    token = found_in(await exchange(visitor, app, app.body))["access_token"]
    other = App(*administration.add_app(store, "Other", [REDIRECT]), app.code)

    assert refusal_of(await exchange(visitor, other, app.body)) == (400, "InvalidGrant")
    assert found_in(await visitor.get(f"/1/users/self?access_token={token}"))


async def test_a_used_code_is_forgotten_when_it_would_have_expired(
    store: Store, visitor: httpx.AsyncClient, app: App, clock: Clock
) -> None:
    """At the next one that is given: nothing grows for ever."""
    await exchange(visitor, app, app.body)
    clock.now_ms += CODE_LIFE_S * 1_000

    administration.issue_code(store, "ann", app=app.client_id, redirect_uri=REDIRECT)

    assert rows(store, "SELECT count(*) FROM used_codes")[0] == (0,)


@pytest.mark.parametrize(("after_s", "status"), [(599, 200), (601, 400)])
async def test_a_code_lives_ten_minutes(
    visitor: httpx.AsyncClient, app: App, clock: Clock, after_s: int, status: int
) -> None:
    """The longest that RFC 6749 recommends."""
    clock.now_ms += after_s * 1_000

    assert (await exchange(visitor, app, app.body)).status_code == status


async def test_a_code_is_good_for_its_redirect_uri_only(visitor: httpx.AsyncClient, app: App) -> None:
    """[doc] the same as in step 1. A wrong try uses the code up."""
    wrong = app.body.replace(b"back", b"other")

    assert refusal_of(await exchange(visitor, app, wrong)) == (400, "InvalidGrant")
    assert refusal_of(await exchange(visitor, app, app.body)) == (400, "InvalidGrant")


async def test_a_code_is_good_for_its_application_only(store: Store, visitor: httpx.AsyncClient, app: App) -> None:
    """Another application's secret does not help."""
    other = App(*administration.add_app(store, "Other", [REDIRECT]), app.code)

    assert refusal_of(await exchange(visitor, other, app.body)) == (400, "InvalidGrant")


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic !!!",
        "Basic " + b64encode(b"no colon").decode(),
        "Basic " + b64encode(b"\xff:\xff").decode(),
        "Basic " + b64encode(b"unknown:secret").decode(),
        "Basic " + b64encode(b"CLIENT:wrong").decode(),
        "Basic " + b64encode(b"CLIENT:").decode(),
        "Bearer " + b64encode(b"CLIENT:SECRET").decode(),
        "Basic h\u00e9llo",
    ],
)
async def test_an_application_must_name_itself_rightly(visitor: httpx.AsyncClient, app: App, header: str) -> None:
    """401 with a challenge, and the code is still good afterwards."""
    answer = await visitor.post(
        "/1/oauth/token",
        content=app.body,
        headers=httpx.Headers({"Authorization": header, "Content-Type": URL_ENCODED}, encoding="latin-1"),
    )

    assert refusal_of(answer) == (401, "InvalidClient")
    assert answer.headers["www-authenticate"].startswith("Basic")
    assert found_in(await exchange(visitor, app, app.body))


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        (b"", (400, "InvalidRequest")),
        (b"grant_type=authorization_code", (400, "InvalidRequest")),
        (b"grant_type=password&code=x&redirect_uri=y", (400, "InvalidRequest")),
        (b"grant_type=authorization_code&code=x&redirect_uri=y", (400, "InvalidGrant")),
        (b"code=%FF", (400, "InvalidRequest")),
        (b"code=\xff", (400, "InvalidRequest")),
        (b"&".join(b"a%d=1" % number for number in range(40)), (400, "InvalidRequest")),
        (b"code=" + b"x" * 70_000, (413, "RequestTooLarge")),
    ],
)
async def test_a_token_request_must_make_sense(
    visitor: httpx.AsyncClient, app: App, body: bytes, refusal: tuple[int, str]
) -> None:
    """Each in JSON, as everywhere."""
    assert refusal_of(await exchange(visitor, app, body)) == refusal


@pytest.mark.storage("sqlite+folder", "sqlite+bucket")  # it reads the file of the tables
async def test_no_secret_is_kept_readable(store: Store, ann: Person, app: App) -> None:
    """Who reads the directory gets neither tokens nor codes nor secrets nor passwords."""
    administration.add_user(store, "carl", password="correct horse battery")
    store.close()

    kept = b"".join(path.read_bytes() for path in store.directory.glob("cx.sqlite3*"))

    for secret in (ann.token, app.code, app.secret, "correct horse battery"):
        assert secret.encode() not in kept
    assert b"$argon2id$" in kept
