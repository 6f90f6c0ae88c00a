"""What holds for every page: the headers, the markup, and what people with a screen reader need."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import httpx
import pytest

from cxfs.server import administration
from cxfs.server.pages import rendering
from tests.server.browser import SENT_WITH_FORMS, Browser, Page
from tests.server.conftest import new_browser

if TYPE_CHECKING:
    from pathlib import Path

    from cxfs.server.store import Store
    from tests.server.person import Person

BACK: Final = "https://photos.example.org/back"
POLICY: Final = {
    "default-src": "'none'",
    "style-src": "'self'",
    "img-src": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
}
PAGES: Final = ["sign-in", "wrong", "waiting", "consent", "error", "missing", "files", "folder", "apps", "no apps"]


@pytest.fixture
async def pages(store: Store, at_home: Browser, ann: Person, ben: Person) -> dict[str, Page]:
    """One of each kind."""
    await ann.make("/folder")
    await ann.put("/folder/note", b"x")
    administration.add_group(store, "band", owner="ann")
    client_id, _ = administration.add_app(store, "Photos", [BACK])
    administration.issue_token(store, "ann", app=client_id)
    authorize = f"/mycx/oauth/authorize?client_id={client_id}&redirect_uri="
    async with new_browser(store) as other:
        entrance = await other.open("/mycx/files/")
        tries = [await other.press(entrance, "submit", name="ann", password="wrong") for _ in range(6)]
    files = await at_home.open("/mycx/files/")
    found = {
        "sign-in": entrance,
        "wrong": tries[0],
        "waiting": tries[5],
        "consent": await at_home.open(authorize + BACK),
        "error": await at_home.open(authorize + "https://evil.example/"),
        "missing": await at_home.open("/mycx/nothing"),
        "files": files,
        "folder": await at_home.open(files.links["Folder folder"]),
        "apps": await at_home.open("/mycx/apps"),
    }
    page = found["apps"]
    while "revoke-1" in {button for form in page.forms for button in form.buttons}:
        page = await at_home.press(page, "revoke-1")
    return found | {"no apps": page}


@pytest.mark.parametrize("name", PAGES)
async def test_every_page_is_guarded_by_its_headers(pages: dict[str, Page], name: str) -> None:
    """No script, no frame, no foreign address, nothing kept, no address told to others."""
    headers = pages[name].response.headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))

    assert policy == (POLICY | {"form-action": "'self' https://photos.example.org"} if name == "consent" else POLICY)
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cross-origin-resource-policy"] == "same-origin"


async def test_a_redirect_is_guarded_too(store: Store, at_home: Browser, ann: Person) -> None:
    """Its address may hold a code."""
    client_id, _ = administration.add_app(store, "Photos", [BACK])
    page = await at_home.open(f"/mycx/oauth/authorize?client_id={client_id}&redirect_uri={BACK}")

    headers = (await at_home.send(page, "approve")).headers

    assert "auth_code=" in headers["location"]
    assert (headers["cache-control"], headers["referrer-policy"]) == ("no-store", "no-referrer")


@pytest.mark.parametrize("name", PAGES)
async def test_every_page_can_be_heard(pages: dict[str, Page], name: str) -> None:
    """Language, title, one main heading, a way past the navigation, a label or name for all that can be used."""
    page = pages[name]
    given = [(tag, attributes) for tag, attributes in page.tags]
    ids = [attributes["id"] for _, attributes in given if "id" in attributes]
    labels = {attributes["for"] for tag, attributes in given if tag == "label"}

    assert ("html", {"lang": "en"}) in given
    assert [tag for tag, _ in given].count("h1") == 1
    assert [tag for tag, _ in given].count("main") == 1
    assert page.links["Skip to the content"] == "#main"
    assert len(ids) == len(set(ids))
    fields = {attributes["id"] for tag, attributes in given if tag == "input" and attributes.get("type") != "hidden"}
    assert fields == labels
    assert all("alt" in attributes for tag, attributes in given if tag == "img")
    described = {attributes["aria-describedby"] for _, attributes in given if "aria-describedby" in attributes}
    assert described <= set(ids)
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in given


@pytest.mark.parametrize("name", ["wrong", "waiting"])
async def test_an_error_is_tied_to_its_fields(pages: dict[str, Page], name: str) -> None:
    """It is announced, both fields refer to it, and the cursor is where one goes on typing."""
    fields = {given["id"]: given for tag, given in pages[name].tags if tag == "input" and "id" in given}

    assert {key: (given["aria-invalid"], given["aria-describedby"]) for key, given in fields.items()} == {
        "name": ("true", "error"),
        "password": ("true", "error"),
    }
    assert [key for key, given in fields.items() if "autofocus" in given] == ["password"]
    assert ("p", {"class": "error", "id": "error", "role": "alert"}) in pages[name].tags


@pytest.mark.parametrize("name", PAGES)
async def test_no_page_has_a_script_or_a_style_of_its_own(pages: dict[str, Page], name: str) -> None:
    """So that the policy can forbid them all."""
    tags = pages[name].tags

    assert {tag for tag, _ in tags} & {"script", "style", "iframe", "object", "embed", "base"} == set()
    assert [key for _, given in tags for key in given if key == "style" or key.startswith("on")] == []
    assert [
        given["href"] for tag, given in tags if tag in {"a", "link"} and not re.match(r"[/?#]", given["href"])
    ] == []


@pytest.mark.parametrize("name", ["wrong", "waiting", "consent", "files", "apps"])
async def test_no_page_holds_a_secret(pages: dict[str, Page], at_home: Browser, name: str) -> None:
    """Neither the session nor the password that was typed."""
    cookie = at_home.cookie
    assert cookie is not None
    assert cookie not in pages[name].response.text
    assert 'value="wrong"' not in pages[name].response.text


@pytest.mark.parametrize("static", [rendering.STYLE, rendering.ICON])
async def test_what_is_the_same_for_everyone_is_kept_by_browsers(browser: Browser, static: rendering.Static) -> None:
    """Under an address that changes with it."""
    answer = await browser.client.get(static.address)

    assert answer.content == static.content
    assert answer.headers["content-type"].partition(";")[0] == static.media_type
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_style_sheet_loads_nothing_and_knows_the_dark() -> None:
    """No foreign address, no font to fetch."""
    text = rendering.STYLE.content.decode()

    assert "url(" not in text
    assert "@import" not in text
    assert "prefers-color-scheme: dark" in text


@pytest.mark.storage("sqlite+folder", "sqlite+bucket")
async def test_a_bug_is_a_page_too(store: Store, at_home: Browser) -> None:
    """Of status 500, without a word of what went wrong."""
    with store.transaction() as connection:
        connection.execute("DROP VIEW objects")
    at_home.client._transport.raise_app_exceptions = False  # type: ignore[attr-defined]

    page = await at_home.open("/mycx/files/")

    assert page.status == 500
    assert page.ids["error"] == "the server failed; the fault is on its side"


@pytest.mark.parametrize(
    ("method", "address"), [("PUT", "/mycx/apps"), ("GET", "/mycx/sign-out"), ("DELETE", "/mycx/files/")]
)
async def test_another_method_is_refused_with_a_page(at_home: Browser, method: str, address: str) -> None:
    """Signing out by a link would let any site do it."""
    answer = await at_home.client.request(method, address)

    assert answer.status_code == 405
    assert answer.headers["allow"]
    assert Page(answer).ids["error"]


@pytest.mark.parametrize("body", [b"x" * 70_000, b"form_token=%FF", b"&".join(b"a%d=1" % n for n in range(40))])
async def test_a_form_that_is_none_is_refused_with_a_page(at_home: Browser, body: bytes) -> None:
    """As in the API, for people."""
    headers = SENT_WITH_FORMS | {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await at_home.client.post("/mycx/apps", content=body, headers=headers)

    assert answer.status_code in {400, 413}
    assert Page(answer).ids["error"]


async def test_the_authority_is_for_everyone(store: Store, tmp_path: Path) -> None:
    """[ours] so that a client can pin it; where the server has none of its own there is nothing."""
    from cxfs.server.app import make_app

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(make_app(store, authority=b"-----BEGIN CERTIFICATE-----")),
        base_url="http://cx.test",
    ) as client:
        answer = await client.get("/mycx/ca.pem")
    async with new_browser(store) as other:
        none = await other.open("/mycx/ca.pem")

    assert (answer.content, answer.headers["content-type"]) == (
        b"-----BEGIN CERTIFICATE-----",
        "application/x-pem-file",
    )
    assert none.status == 404
