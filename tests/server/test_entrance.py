"""Signing in and out, and what a session is worth. Contract: docs/protocol.md, "Pages"."""

from __future__ import annotations

from http.cookies import SimpleCookie
from typing import TYPE_CHECKING, Literal

import pytest
from argon2 import PasswordHasher

from cxfs.server import administration
from cxfs.server.hashes import Passwords
from cxfs.server.limits import SESSION_IDLE_S, SESSION_LIFE_S, SESSIONS_MAX
from tests.server.browser import HOME, Browser, is_signed_in, leads_to, token_of
from tests.server.conftest import CHEAP, PASSWORD, give_password, new_browser
from tests.server.tables import rows

if TYPE_CHECKING:
    import httpx

    from cxfs.server.store import Store
    from tests.server.conftest import Clock
    from tests.server.person import Person

FILES = "/mycx/files/"


@pytest.mark.parametrize(
    "address", ["/mycx/files/", "/mycx/apps", "/mycx/files/self:%2F?sortby=size&sortOrder=desc&offset=0"]
)
async def test_one_signs_in_and_arrives_where_one_wanted_to_be(
    store: Store, browser: Browser, ann: Person, address: str
) -> None:
    """Whatever page of one's own was asked for."""
    give_password(store, "ann")

    asked = await browser.open(address)
    page = await browser.press(asked, "submit", name="ann", password=PASSWORD)

    assert asked.response.url.path == "/mycx/sign-in"
    assert str(page.response.url) == f"{HOME}{address}"
    assert page.ids["signed-in-as"].endswith("ann")


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "/mycx",
        "/mycx/a b",
        "/mycx/\r\nX: y",
        "/1/users/self",
        "",
        "/mycx/" + "x" * 20_000,
    ],
)
async def test_signing_in_leads_to_no_other_place(store: Store, browser: Browser, ann: Person, elsewhere: str) -> None:
    """A link to the sign-in page must not be a link to somewhere else."""
    give_password(store, "ann")
    page = await browser.open("/mycx/sign-in", params={"next": elsewhere})

    answer = await browser.send(page, "submit", name="ann", password=PASSWORD)

    assert page.form_with("submit").action == "/mycx/sign-in?next=%2Fmycx%2Ffiles%2F"
    assert leads_to(answer) == (FILES, "")


async def test_who_mistypes_arrives_all_the_same(store: Store, browser: Browser, ann: Person) -> None:
    """A refused form leads on to where the first one did."""
    give_password(store, "ann")
    first = await browser.open("/mycx/apps")
    browser.client.cookies.clear()
    too_old = await browser.press(first, "submit", name="ann", password=PASSWORD)
    wrong = await browser.press(too_old, "submit", name="ann", password="wrong")

    page = await browser.press(wrong, "submit", name="ann", password=PASSWORD)

    assert (too_old.status, wrong.status) == (403, 403)
    assert page.response.url.path == "/mycx/apps"


async def test_who_is_signed_in_is_not_asked_again(at_home: Browser) -> None:
    """The sign-in page sends on."""
    answer = await at_home.client.get("/mycx/sign-in?next=%2Fmycx%2Fapps")

    assert leads_to(answer) == ("/mycx/apps", "")


async def test_the_cookie_is_kept_from_scripts_other_sites_and_other_hosts(at_home: Browser) -> None:
    """`__Host-` ties it to this host and path; Lax lets a link of an application's come in, and no form."""
    await at_home.client.get("/mycx/sign-in")
    answer = await at_home.press(await at_home.open(FILES), "sign-out")

    (cookie,) = SimpleCookie(answer.response.headers["set-cookie"]).items()
    assert cookie[0] == "__Host-cx"
    assert {key: cookie[1][key] for key in ("secure", "httponly", "samesite", "path", "domain", "expires")} == {
        "secure": True,
        "httponly": True,
        "samesite": "lax",
        "path": "/",
        "domain": "",
        "expires": "",
    }


async def test_signing_in_changes_the_cookie(store: Store, browser: Browser, ann: Person) -> None:
    """A value that somebody planted before is worth nothing after."""
    give_password(store, "ann")
    await browser.open(FILES)
    planted = browser.cookie

    await browser.sign_in("ann", PASSWORD)

    assert await is_signed_in(browser)
    async with new_browser(store) as other:
        assert not await is_signed_in_with(other, planted)


async def is_signed_in_with(browser: Browser, cookie: str | None) -> bool:
    """The same for a cookie that was taken from elsewhere."""
    assert cookie is not None
    answer = await browser.client.get(FILES, headers={"Cookie": f"__Host-cx={cookie}"})
    return answer.status_code == 200


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("ann", "wrong"),
        ("nobody", PASSWORD),
        ("ben", ""),
        ("ben", PASSWORD),
        ("", ""),
        ("ann", "x" * 5_000),
        ("a" * 5_000, "x"),
        ("band", ""),
    ],
)
async def test_what_was_wrong_is_not_told(
    store: Store, browser: Browser, ann: Person, ben: Person, name: str, password: str
) -> None:
    """The same words for a wrong password, an unknown name, a group's name and an account that has no password."""
    give_password(store, "ann")
    administration.add_group(store, "band", owner="ann")

    page = await browser.sign_in(name, password)

    assert page.status == 403
    assert page.ids["error"] == "The name or the password is not right."
    assert page.form_with("submit").fields["name"] == name
    assert "password" not in {tag.get("id") for _, tag in page.tags if tag.get("value")}
    assert not await is_signed_in(browser)


class CountingHasher(PasswordHasher):
    """Notes what it was asked to compare with."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.compared: list[str] = []

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 - argon2's name for it
        """Also when it does not match."""
        self.compared.append(str(hash).rpartition("$m=8,t=1,p=1$")[1])
        return super().verify(hash, password)


async def test_an_unknown_name_takes_as_long_as_a_wrong_password(store: Store, ann: Person, ben: Person) -> None:
    """One comparison with a hash of the same cost, whoever it is; once more at the most to make the stand-in."""
    give_password(store, "ann")
    hasher = CountingHasher()
    passwords = Passwords(hasher)
    passwords.matches(None, "the first makes the stand-in")
    hasher.compared.clear()
    async with new_browser(store, passwords=passwords) as browser:
        for name in ("ann", "ben", "nobody"):
            await browser.sign_in(name, "wrong password")

    assert hasher.compared == ["$m=8,t=1,p=1$"] * 3


async def test_a_suspended_account_is_told_so_only_with_its_password(
    store: Store, browser: Browser, ann: Person
) -> None:
    """Others do not learn that it exists."""
    give_password(store, "ann")
    administration.suspend_user(store, "ann")

    wrong = await browser.sign_in("ann", "wrong")
    right = await browser.sign_in("ann", PASSWORD)

    assert wrong.ids["error"] == "The name or the password is not right."
    assert "suspended" in right.ids["error"]
    assert not await is_signed_in(browser)


async def test_signing_out_ends_the_session_and_not_only_the_cookie(store: Store, at_home: Browser) -> None:
    """Who has copied the cookie is out as well."""
    copied = at_home.cookie

    page = await at_home.press(await at_home.open("/mycx/apps"), "sign-out")

    assert page.response.url.path == "/mycx/sign-in"
    assert not await is_signed_in(at_home)
    assert not await is_signed_in_with(at_home, copied)


@pytest.mark.parametrize(("after_s", "still"), [(SESSION_IDLE_S - 10, True), (SESSION_IDLE_S + 10, False)])
async def test_an_unused_session_ends(at_home: Browser, clock: Clock, after_s: int, *, still: bool) -> None:
    """Two hours after the last page."""
    clock.now_ms += after_s * 1_000

    assert await is_signed_in(at_home) is still


async def test_a_session_in_use_ends_after_half_a_day(at_home: Browser, clock: Clock) -> None:
    """Each page puts the end off, but not for ever."""
    steps = SESSION_LIFE_S // (SESSION_IDLE_S // 2)

    seen = []
    for _ in range(steps + 1):
        clock.now_ms += SESSION_IDLE_S // 2 * 1_000
        seen.append(await is_signed_in(at_home))

    assert seen == [True] * (steps - 1) + [False] * 2


async def test_a_new_password_ends_all_sessions(store: Store, at_home: Browser, ann: Person) -> None:
    """Whoever knew the old one is out; applications stay in."""
    administration.set_password(store, "ann", "another horse battery")

    assert not await is_signed_in(at_home)
    assert (await at_home.sign_in("ann", PASSWORD)).status == 403
    assert (await at_home.sign_in("ann", "another horse battery")).status == 200
    assert await ann.names("/") == []


async def test_a_suspension_ends_all_sessions(store: Store, at_home: Browser) -> None:
    """For good: they are not back when it is lifted."""
    administration.suspend_user(store, "ann")
    meanwhile = await is_signed_in(at_home)
    administration.unsuspend_user(store, "ann")

    assert not meanwhile
    assert not await is_signed_in(at_home)


async def test_a_session_of_a_suspended_account_is_worth_nothing(store: Store, at_home: Browser) -> None:
    """Even if one were left over."""
    with store.transaction() as connection:
        connection.execute("UPDATE users SET suspended = ?", (True,))

    assert not await is_signed_in(at_home)


async def test_one_account_has_so_many_sessions(store: Store, at_home: Browser) -> None:
    """The one that was opened first ends for the next."""
    for _ in range(SESSIONS_MAX - 1):
        async with new_browser(store) as other:
            await other.sign_in("ann", PASSWORD)
    before = await is_signed_in(at_home)
    async with new_browser(store) as one_more:
        await one_more.sign_in("ann", PASSWORD)

        assert before
        assert not await is_signed_in(at_home)
        assert await is_signed_in(one_more)


async def test_signing_in_as_another_ends_the_first_session(store: Store, at_home: Browser, ben: Person) -> None:
    """One browser, one account."""
    give_password(store, "ben")
    copied = at_home.cookie
    form = await at_home.press(await at_home.open(FILES), "sign-out")

    page = await at_home.press(form, "submit", name="ben", password=PASSWORD)

    assert page.ids["signed-in-as"].endswith("ben")
    assert not await is_signed_in_with(at_home, copied)


@pytest.mark.storage("sqlite+folder", "sqlite+bucket")  # it reads the file of the tables
async def test_a_session_is_kept_as_a_hash(store: Store, at_home: Browser) -> None:
    """Who reads the directory signs in nowhere."""
    secret, page = at_home.cookie, await at_home.open("/mycx/apps")
    assert secret is not None
    store.close()

    kept = b"".join(path.read_bytes() for path in store.directory.glob("cx.sqlite3*"))

    assert secret.encode() not in kept
    assert PASSWORD.encode() not in kept
    assert token_of(page).encode() not in kept
    assert secret not in page.response.text


async def test_an_old_hash_is_renewed_when_its_owner_signs_in(store: Store, ann: Person) -> None:
    """Parameters that were enough when it was made need not be today."""
    give_password(store, "ann")
    stronger = Passwords(PasswordHasher(time_cost=2, memory_cost=16, parallelism=1))
    async with new_browser(store, passwords=stronger) as browser:
        await browser.sign_in("ann", PASSWORD)

    (kept,) = rows(store, "SELECT password FROM users")[0]
    assert "$m=16,t=2,p=1$" in kept
    assert stronger.matches(kept, PASSWORD)
    assert not CHEAP.matches(kept, "another")


async def test_names_are_compared_to_the_letter(store: Store, browser: Browser, ann: Person) -> None:
    """As everywhere here."""
    give_password(store, "ann")

    assert (await browser.sign_in("Ann", PASSWORD)).status == 403


def cookie_in(response: httpx.Response) -> str:
    """Set by this answer."""
    return SimpleCookie(response.headers["set-cookie"])["__Host-cx"].value


@pytest.mark.parametrize("planted", ["", "short", "x" * 44, "x" * 42 + "!", "é" * 43])
async def test_a_cookie_that_is_none_of_ours_is_replaced(browser: Browser, planted: str) -> None:
    """It is no secret of anybody's."""
    answer = await browser.client.get("/mycx/sign-in", headers={b"Cookie": f"__Host-cx={planted}".encode()})

    assert len(cookie_in(answer)) == 43
    assert cookie_in(answer) != planted
