"""Steps 1 and 2 of the authorization, and 3 with the code they gave. Contract: docs/protocol.md, "Authorization"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlencode

import pytest

from cxfs.server import administration
from tests.server.browser import HOME, SENT_WITH_FORMS, Browser, Page, leads_to
from tests.server.conftest import PASSWORD, give_password
from tests.server.person import Person, found_in, refusal_of
from tests.server.tables import rows

if TYPE_CHECKING:
    import httpx

    from cxfs.server.store import Store

BACK = "https://photos.example.org/back?from=cx"


@dataclass(frozen=True)
class App:
    """A registered application."""

    client_id: str
    secret: str

    def address(self, redirect_uri: str = BACK, **more: str) -> str:
        """Where it sends the browser: step 1."""
        return "/mycx/oauth/authorize?" + urlencode({"client_id": self.client_id, "redirect_uri": redirect_uri} | more)

    async def exchange(self, visitor: httpx.AsyncClient, code: str, redirect_uri: str = BACK) -> httpx.Response:
        """Step 3."""
        fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        return await visitor.post("/1/oauth/token", data=fields, auth=(self.client_id, self.secret))


@pytest.fixture
def app(store: Store) -> App:
    """Photos."""
    return App(*administration.add_app(store, "Photos", [BACK]))


@pytest.fixture
def program(store: Store) -> App:
    """One that runs on the user's machine."""
    return App(*administration.add_app(store, "cxfs"))


def codes(store: Store) -> int:
    """How many there are."""
    return int(rows(store, "SELECT count(*) FROM codes")[0][0])


async def test_the_whole_way_from_the_application_to_a_token(
    store: Store, browser: Browser, visitor: httpx.AsyncClient, ann: Person, app: App
) -> None:
    """[doc] three steps; [ours] with the application's `state`, and the query that the redirect URI has."""
    give_password(store, "ann")

    consent = await browser.sign_in("ann", PASSWORD, app.address(state="s& é"))
    to, query = leads_to(await browser.send(consent, "approve"))
    code = parse_qs(query)["auth_code"][0]
    token = found_in(await app.exchange(visitor, code))["access_token"]

    assert (to, query) == (
        "https://photos.example.org/back",
        f"from=cx&auth_code={code}&state=s%26%20%C3%A9",
    )
    profile = found_in(await visitor.get(f"/1/users/self?access_token={token}"))["profile"]
    assert profile["username"] == "ann"


async def test_a_refusal_is_told_to_the_application(store: Store, at_home: Browser, app: App) -> None:
    """[doc] `deny=true`, and no code."""
    plain = await at_home.send(await at_home.open(app.address()), "deny")
    with_state = await at_home.send(await at_home.open(app.address(state="x")), "deny")

    assert leads_to(plain) == ("https://photos.example.org/back", "from=cx&deny=true")
    assert leads_to(with_state) == ("https://photos.example.org/back", "from=cx&deny=true&state=x")
    assert codes(store) == 0


async def test_the_page_says_who_asks_for_whom_and_where_the_answer_goes(
    at_home: Browser, app: App, program: App
) -> None:
    """What a person needs to know before agreeing."""
    photos = await at_home.open(app.address())
    local = await at_home.open(program.address("https://127.0.0.1:43123/"))

    assert photos.ids["application"] == "Photos"
    assert photos.ids["account"] == "ann"
    assert photos.ids["redirect-host"] == "photos.example.org"
    assert "this computer" not in photos.text
    assert "add, change, move and delete" in photos.text
    assert local.ids["redirect-host"] == "127.0.0.1:43123"
    assert "a program on this computer" in local.text


async def test_consent_is_asked_for_each_time(at_home: Browser, app: App) -> None:
    """A program cannot keep its secret from the other programs of a machine: none of them gets a code unseen."""
    await at_home.send(await at_home.open(app.address()), "approve")

    again = await at_home.client.get(app.address())

    assert again.status_code == 200
    assert "approve" in Page(again).form_with("deny").buttons


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
async def test_a_program_listens_at_any_port_of_its_machine(
    at_home: Browser, visitor: httpx.AsyncClient, program: App, host: str
) -> None:
    """And the code is good for that very port."""
    here, there = f"https://{host}:43123/", f"https://{host}:43124/"

    to, query = leads_to(await at_home.send(await at_home.open(program.address(here)), "approve"))
    _, another = leads_to(await at_home.send(await at_home.open(program.address(here)), "approve"))

    assert to == here
    assert (await program.exchange(visitor, query.removeprefix("auth_code="), here)).status_code == 200
    refused = await program.exchange(visitor, another.removeprefix("auth_code="), there)
    assert refusal_of(refused) == (400, "InvalidGrant")


@pytest.mark.parametrize("signed_in", [True, False])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"client_id": "unknown"}, "does not know the application"),
        ({"client_id": ""}, "does not know the application"),
        ({"redirect_uri": ""}, "has not registered"),
        ({"redirect_uri": "https://evil.example/"}, "has not registered"),
        ({"redirect_uri": f"{BACK}&x"}, "has not registered"),
        ({"redirect_uri": "https://127.0.0.1:1/"}, "has not registered"),
        ({"state": "x" * 9_000}, "too long"),
    ],
)
async def test_what_is_not_registered_is_shown_and_never_redirected(
    store: Store,
    at_home: Browser,
    app: App,
    change: dict[str, str],
    words: str,
    method: str,
    *,
    signed_in: bool,
) -> None:
    """Neither to the address that is in doubt nor to the sign-in page, where it would be believed."""
    form = (await at_home.open(app.address())).form_with("approve")
    if not signed_in:
        at_home.client.cookies.clear()
    asked = {"client_id": app.client_id, "redirect_uri": BACK} | change

    answer = await at_home.client.request(
        method,
        "/mycx/oauth/authorize?" + urlencode(asked),
        data=form.fields | {"decision": "approve"} if method == "POST" else None,
        headers=SENT_WITH_FORMS,
    )

    assert answer.status_code == 400
    assert words in Page(answer).ids["error"]
    assert "location" not in answer.headers
    assert "evil" not in answer.text
    assert codes(store) == 0


@pytest.mark.parametrize(
    "fields", [{"form_token": "0" * 64}, {"form_token": ""}, {"decision": ""}, {"decision": "yes"}]
)
async def test_no_code_is_made_for_a_form_that_is_not_this_pages(
    store: Store, at_home: Browser, app: App, fields: dict[str, str]
) -> None:
    """A site that sends its own form gets nothing, and neither does the application."""
    form = (await at_home.open(app.address())).form_with("approve")

    answer = await at_home.client.post(
        form.action, data={**form.fields, "decision": "approve", **fields}, headers=SENT_WITH_FORMS
    )

    assert answer.status_code in {400, 403}
    assert "location" not in answer.headers
    assert codes(store) == 0


async def test_a_form_of_another_site_gives_no_consent(store: Store, at_home: Browser, app: App) -> None:
    """Even if it had the token."""
    form = (await at_home.open(app.address())).form_with("approve")

    answer = await at_home.client.post(
        form.action, data=form.fields | {"decision": "approve"}, headers={"Origin": "https://evil.example"}
    )

    assert answer.status_code == 403
    assert codes(store) == 0


async def test_what_is_decided_is_what_the_address_says(at_home: Browser, app: App) -> None:
    """A field of the form cannot put another application or address in its place."""
    page = await at_home.open(app.address())

    answer = await at_home.send(page, "deny", redirect_uri="https://evil.example/", client_id="other", state="other")

    assert leads_to(answer) == ("https://photos.example.org/back", "from=cx&deny=true")


async def test_another_account_can_be_chosen(store: Store, at_home: Browser, ben: Person, app: App) -> None:
    """And the way leads back to the same question."""
    give_password(store, "ben")
    page = await at_home.open(app.address(state="x"))

    entrance = await at_home.press(page, "other-account")
    consent = await at_home.press(entrance, "submit", name="ben", password=PASSWORD)

    assert consent.ids["account"] == "ben"
    assert str(consent.response.url) == HOME + app.address(state="x")


@pytest.mark.parametrize(
    ("redirect_uri", "source"),
    [
        ("https://127.0.0.1:43123/", "https://127.0.0.1:43123"),
        ("https://localhost:43123/", "https://localhost:43123"),
        ("https://[::1]:43123/", "https:"),
    ],
)
async def test_the_policy_lets_the_form_lead_back_to_the_application(
    at_home: Browser, program: App, redirect_uri: str, source: str
) -> None:
    """Browsers hold the redirect after a form to `form-action` as well."""
    page = await at_home.open(program.address(redirect_uri))

    policy = page.response.headers["content-security-policy"].split("; ")
    assert f"form-action 'self' {source}" in policy


async def test_an_application_that_is_gone_is_unknown(
    store: Store, at_home: Browser, visitor: httpx.AsyncClient, ann: Person, app: App
) -> None:
    """With it all that it was granted."""
    _, query = leads_to(await at_home.send(await at_home.open(app.address()), "approve"))
    token = administration.issue_token(store, "ann", app=app.client_id)

    administration.remove_app(store, "Photos")

    assert (await at_home.open(app.address())).status == 400
    assert refusal_of(await app.exchange(visitor, query)) == (401, "InvalidClient")
    assert refusal_of(await visitor.get(f"/1/users/self?access_token={token}")) == (401, "BadAuthToken")
    assert await ann.names("/") == []
