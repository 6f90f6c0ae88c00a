"""Forms that no page of ours in this browser has sent. Contract: docs/protocol.md, "Pages"."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cxfs.server.limits import SESSION_LIFE_S
from tests.server.browser import SENT_WITH_FORMS, Browser, Page, is_signed_in, leads_to, token_of
from tests.server.conftest import PASSWORD, give_password, new_browser

if TYPE_CHECKING:
    from cxfs.server.store import Store
    from tests.server.conftest import Clock
    from tests.server.person import Person

FILES = "/mycx/files/"


@pytest.mark.parametrize("token", [None, "", "0" * 64, "é", "another browser's"])
@pytest.mark.parametrize("address", ["/mycx/sign-in", "/mycx/sign-out", "/mycx/apps"])
async def test_a_form_without_this_browsers_token_is_refused(
    store: Store, at_home: Browser, address: str, token: str | None
) -> None:
    """It was not sent by a page of ours in this browser."""
    async with new_browser(store) as other:
        theirs = token_of(await other.sign_in("ann", PASSWORD))
    fields = {"name": "ann", "password": PASSWORD, "app": ""} | (
        {} if token is None else {"form_token": theirs if token.startswith("another") else token}
    )

    answer = await at_home.client.post(address, data=fields, headers=SENT_WITH_FORMS)

    assert answer.status_code == 403
    assert "Try again" in Page(answer).ids["error"]
    assert await is_signed_in(at_home)


async def test_without_cookies_there_is_no_signing_in(store: Store, browser: Browser, ann: Person) -> None:
    """And the page says why."""
    give_password(store, "ann")
    page = await browser.open(FILES)
    browser.client.cookies.clear()

    refused = await browser.press(page, "submit", name="ann", password=PASSWORD)

    assert "does not keep cookies" in refused.ids["error"]
    assert not await is_signed_in(browser)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://cx.test"}, 303),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, 303),
        ({"Sec-Fetch-Site": "same-origin"}, 303),
        ({"Origin": "https://cx.test"}, 303),
        ({}, 303),
        ({"Sec-Fetch-Site": "same-site", "Origin": "https://cx.test"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"}, 403),
        ({"Origin": "https://cx.test.evil.example"}, 403),
        ({"Origin": "http://cx.test"}, 403),
        ({"Origin": "https://cx.test:8443"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
    ],
)
async def test_a_form_of_another_site_is_refused(at_home: Browser, headers: dict[str, str], status: int) -> None:
    """The browser says where it comes from; a browser that says nothing is held to the token alone."""
    token = token_of(await at_home.open("/mycx/apps"))

    answer = await at_home.client.post("/mycx/sign-out", data={"form_token": token}, headers=headers)

    assert answer.status_code == status
    assert await is_signed_in(at_home) is (status == 403)


async def test_a_form_sent_after_the_session_ended_leads_to_the_sign_in_page(at_home: Browser, clock: Clock) -> None:
    """Nothing is done meanwhile."""
    page = await at_home.open("/mycx/apps")
    clock.now_ms += SESSION_LIFE_S * 1_000

    assert leads_to(await at_home.send(page, "sign-out"))[0] == "/mycx/sign-in"
