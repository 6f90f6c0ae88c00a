"""What the host can look up afterwards."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from cxfs.server import administration, audit
from cxfs.server.audit import Event
from cxfs.server.limits import EVENTS_KEPT
from tests.server.browser import Browser, leads_to
from tests.server.conftest import PASSWORD, give_password

if TYPE_CHECKING:
    import httpx

    from cxfs.server.store import Store
    from tests.server.person import Person

BACK = "https://photos.example.org/back"


def told(store: Store, user: str | None = None) -> list[tuple[str, str, str, str]]:
    """Event, user, application, address of each entry."""
    return [tuple(entry[1:]) for entry in administration.list_events(store, user, 100)]  # type: ignore[misc]


async def live_through(
    store: Store, browser: Browser, visitor: httpx.AsyncClient, client_id: str, secret: str
) -> list[str]:
    """Everything that can happen to a grant, and the secrets that occurred in it."""
    authorize = f"/mycx/oauth/authorize?client_id={client_id}&redirect_uri={BACK}"
    await browser.sign_in("nobody-with-a-password-for-a-name", "x")
    await browser.sign_in("ann", "wrong password")
    consent = await browser.sign_in("ann", PASSWORD, authorize)
    session = browser.cookie
    await browser.send(consent, "deny")
    code = leads_to(await browser.send(consent, "approve"))[1].removeprefix("auth_code=")
    fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK}
    token = (await visitor.post("/1/oauth/token", data=fields, auth=(client_id, secret))).json()["access_token"]
    await visitor.post("/1/oauth/token", data=fields | {"code": "guessed"}, auth=(client_id, secret))
    page = await browser.press(await browser.open("/mycx/apps"), "revoke-1")
    await browser.press(page, "sign-out")
    assert session is not None
    return [session, code, token, secret, PASSWORD, "wrong password", "nobody-with-a-password-for-a-name"]


async def test_who_signed_in_and_who_was_let_in_is_written_down(
    store: Store, browser: Browser, visitor: httpx.AsyncClient, ann: Person
) -> None:
    """With the address of the other end; what the host did has none."""
    give_password(store, "ann")
    client_id, secret = administration.add_app(store, "Photos", [BACK])

    await live_through(store, browser, visitor, client_id, secret)
    administration.set_password(store, "ann", "another password")
    administration.suspend_user(store, "ann")
    administration.unsuspend_user(store, "ann")
    administration.remove_app(store, "Photos")

    assert told(store) == [
        ("application added", "", "Photos", ""),
        ("sign-in failed", "", "", "192.0.2.1"),
        ("sign-in failed", "ann", "", "192.0.2.1"),
        ("signed in", "ann", "", "192.0.2.1"),
        ("denied", "ann", "Photos", "192.0.2.1"),
        ("granted", "ann", "Photos", "192.0.2.1"),
        ("token issued", "ann", "Photos", "127.0.0.1"),
        ("code refused", "", "Photos", "127.0.0.1"),
        ("revoked", "ann", "Photos", "192.0.2.1"),
        ("signed out", "ann", "", "192.0.2.1"),
        ("password set", "ann", "", ""),
        ("suspended", "ann", "", ""),
        ("unsuspended", "ann", "", ""),
        ("application removed", "", "Photos", ""),
    ]
    assert [event for event, *_ in told(store, "ann")][:2] == ["sign-in failed", "signed in"]


@pytest.mark.storage("sqlite+folder", "sqlite+bucket")  # it reads the file of the tables
async def test_no_secret_is_in_the_log(
    store: Store, browser: Browser, visitor: httpx.AsyncClient, ann: Person, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither in its lines nor in its table; what was typed for a name may be a password."""
    caplog.set_level(logging.DEBUG)
    give_password(store, "ann")
    client_id, secret = administration.add_app(store, "Photos", [BACK])

    secrets = await live_through(store, browser, visitor, client_id, secret)

    ours = [record.getMessage() for record in caplog.records if record.name.startswith("cxfs")]
    assert "signed in: user='ann' application='' address=192.0.2.1" in ours
    assert len(ours) == len(told(store))
    store.close()
    kept = b"".join(path.read_bytes() for path in store.directory.glob("cx.sqlite3*"))
    for each in secrets:
        assert each not in "\n".join(ours)
        assert each.encode() not in kept


def test_the_log_has_a_bound_that_noise_does_not_use_up(store: Store) -> None:
    """Whoever floods it with failures pushes out failures."""
    with store.transaction() as connection:
        audit.note(connection, Event.GRANTED, now=1, user="ann", app="Photos")
        connection.executemany(
            'INSERT INTO events (at_ms, event, is_noise, "user", app, address)'
            " VALUES (2, 'sign-in failed', ?, ?, '', '')",
            [(True, str(number)) for number in range(EVENTS_KEPT + 500)],
        )
        audit.note(connection, Event.SIGN_IN_FAILED, now=3, user="last")

        counts = connection.execute("SELECT is_noise, count(*) FROM events GROUP BY is_noise ORDER BY 2").fetchall()
        assert counts == [(0, 1), (1, EVENTS_KEPT)]
        assert audit.entries(connection, None, 1)[0].user == "last"
        assert audit.entries(connection, "ann", 10)[0].event == "granted"
