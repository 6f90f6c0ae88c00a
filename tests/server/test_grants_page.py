"""Which applications have access, as a page. Contract: docs/protocol.md, "Pages"."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from cxfs.server import administration
from cxfs.server.sqlite import SqliteDatabase
from tests.server.browser import SENT_WITH_FORMS, Browser
from tests.server.person import Person, found_in, refusal_of
from tests.server.tables import rows

if TYPE_CHECKING:
    import httpx

    from cxfs.server.store import Store
    from tests.server.conftest import Clock

APPS = "/mycx/apps"
BACK = "https://photos.example.org/back"
DAY_MS = 86_400_000


@pytest.fixture
def photos(store: Store) -> str:
    """An application's client id."""
    return administration.add_app(store, "Photos", [BACK])[0]


async def test_revoking_shuts_an_application_out_at_once(
    store: Store, at_home: Browser, visitor: httpx.AsyncClient, ann: Person, photos: str
) -> None:
    """The next request with its token gets BadAuthToken. The host's own tokens are not touched."""
    token = administration.issue_token(store, "ann", app=photos)
    found_in(await visitor.get(f"/1/users/self?access_token={token}"))

    page = await at_home.press(await at_home.open(APPS), "revoke-1")

    assert refusal_of(await visitor.get(f"/1/users/self?access_token={token}")) == (401, "BadAuthToken")
    assert page.ids["revoked"] == "The access was revoked."
    assert "Photos" not in page.text
    assert await ann.names("/") == []


async def test_revoking_takes_back_a_code_that_was_not_used_yet(
    store: Store, at_home: Browser, visitor: httpx.AsyncClient, ann: Person
) -> None:
    """Or the application would be back in a moment later."""
    client_id, secret = administration.add_app(store, "Notes", [BACK])
    administration.issue_token(store, "ann", app=client_id)
    code = administration.issue_code(store, "ann", app=client_id, redirect_uri=BACK)

    await at_home.press(await at_home.open(APPS), "revoke-1")
    answer = await visitor.post(
        "/1/oauth/token",
        data={"grant_type": "authorization_code", "code": code, "redirect_uri": BACK},
        auth=(client_id, secret),
    )

    assert refusal_of(answer) == (400, "InvalidGrant")


async def test_only_ones_own_grants_are_shown(
    store: Store, at_home: Browser, visitor: httpx.AsyncClient, ben: Person, photos: str
) -> None:
    """And what is not shown cannot be revoked."""
    theirs = administration.issue_token(store, "ben", app=photos)
    page = await at_home.open(APPS)

    answer = await at_home.client.post(
        APPS, data={"form_token": page.forms[0].fields["form_token"], "app": photos}, headers=SENT_WITH_FORMS
    )

    assert "Photos" not in page.text
    assert answer.status_code == 404
    assert found_in(await visitor.get(f"/1/users/self?access_token={theirs}"))


async def test_revoking_ones_own_grant_leaves_anothers(
    store: Store, at_home: Browser, visitor: httpx.AsyncClient, ben: Person, photos: str
) -> None:
    """To the same application, and codes as well as tokens."""
    administration.issue_token(store, "ann", app=photos)
    theirs = administration.issue_token(store, "ben", app=photos)
    administration.issue_code(store, "ben", app=photos, redirect_uri=BACK)

    page = await at_home.press(await at_home.open(APPS), "revoke-1")

    assert page.ids["revoked"]
    assert found_in(await visitor.get(f"/1/users/self?access_token={theirs}"))
    assert rows(store, "SELECT count(*) FROM codes")[0] == (1,)


async def test_what_the_host_has_made_can_be_revoked_too(at_home: Browser, ann: Person) -> None:
    """It is access all the same."""
    page = await at_home.open(APPS)

    after = await at_home.press(page, "revoke-1")

    assert "Tokens made by your host" in page.text
    assert after.ids["none"] == "No application has access to your account."
    assert refusal_of(await ann.ask("GET", "/1/users/self")) == (401, "BadAuthToken")


async def test_it_is_told_since_when_and_when_last(
    store: Store, at_home: Browser, visitor: httpx.AsyncClient, ann: Person, photos: str, clock: Clock
) -> None:
    """By the day: nobody's habits are kept, and it costs one write a day."""
    token = administration.issue_token(store, "ann", app=photos)
    administration.issue_token(store, "ann", app=photos)

    unused = await at_home.open(APPS)
    clock.now_ms += DAY_MS // 24
    await visitor.get(f"/1/users/self?access_token={token}")
    used = await at_home.open(APPS)
    with store.transaction() as connection:
        connection.execute("UPDATE tokens SET used_ms = used_ms + 1 WHERE used_ms > 0")
    await visitor.get(f"/1/users/self?access_token={token}")

    assert "Since 2012-10-22,\nnot used yet, 2 sign-ins" in unused.text
    assert "Since 2012-10-22,\nlast used on 2012-10-22, 2 sign-ins" in used.text
    assert rows(store, "SELECT max(used_ms) % ? FROM tokens", (DAY_MS,))[0] == (1,)  # as the day began, and no more


@pytest.mark.storage("sqlite+folder", "sqlite+bucket")
async def test_a_use_is_left_unnoted_rather_than_waited_for(
    store: Store, visitor: httpx.AsyncClient, ann: Person
) -> None:
    """The answer does not depend on it."""
    with store.transaction() as connection:
        connection.execute("CREATE TRIGGER busy BEFORE UPDATE ON tokens BEGIN SELECT raise(ABORT, 'busy'); END")
    assert isinstance(store.database, SqliteDatabase)
    store.database._writer.execute("PRAGMA busy_timeout = 0")
    other = sqlite3.connect(store.directory / "cx.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    answer = await ann.ask("GET", "/1/users/self")
    other.execute("ROLLBACK")
    other.close()

    assert answer.status_code == 200


async def test_an_applications_name_is_text(store: Store, at_home: Browser, ann: Person) -> None:
    """Wherever it stands."""
    name = "<b onclick=alert(1)>&amp;{{ 7*7 }}"
    client_id, _ = administration.add_app(store, name, [BACK])
    administration.issue_token(store, "ann", app=client_id)

    for address in (
        APPS,
        f"/mycx/oauth/authorize?client_id={client_id}&redirect_uri={BACK}",
        f"/mycx/oauth/authorize?client_id={client_id}",
    ):
        page = await at_home.open(address)
        assert name in page.text
        assert "b" not in {tag for tag, _ in page.tags}
