"""From `cxfs login` through the browser to a mount that works, and the wrong turns on the way."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.mounting import eventually, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.browser.person import Login, Person


def kept(person: Person) -> dict[str, str]:
    """What the terminal's side has stored."""
    file = person.mount.home / ".local/share/cxfs/credentials/default.json"
    found = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    assert isinstance(found, dict)
    return found


def agrees(person: Person, login: Login) -> None:
    """In the browser, from the first page to the last."""
    person.goes_to(login.address)
    if person.chrome.title.startswith("Sign in"):
        person.signs_in()
    person.presses("approve")
    person.goes_past_the_warning()
    person.waits_for(lambda: "The answer has arrived" in person.chrome.page_source)


def test_from_login_to_a_mount_that_works(person: Person) -> None:
    """Once, with the browser; cxfs never sees the password."""
    with person.login() as login:
        agrees(person, login)
        status, out, err = login.ended()

    assert (status, out) == (
        0,
        f"default is signed in as {person.name}; the token is in a private file in ~/.local/share/cxfs/credentials\n",
    ), err
    assert person.password not in json.dumps(kept(person)) + out + err
    person.mount.start()
    (person.mount.path / "hello.txt").write_text("hello\n")
    person.mount.unmount()
    assert person.mount.account.content("/hello.txt") == b"hello\n"


def test_the_consent_page_says_who_asks_for_what(person: Person) -> None:
    """The application by its name, the account, where the answer goes, and what it may do."""
    with person.login() as login:
        person.goes_to(login.address)
        person.signs_in()

    assert person.reads("application") == f"cxfs of {person.name}"
    assert person.reads("account") == person.name
    assert person.reads("redirect-host").startswith("127.0.0.1")
    assert "all your files" in person.reads()


def test_saying_no_in_the_browser(person: Person) -> None:
    """[doc] `deny=true`: cxfs says so, and keeps nothing."""
    with person.login() as login:
        person.goes_to(login.address)
        person.signs_in()
        person.presses("deny")
        person.goes_past_the_warning()
        status, _, err = login.ended()

    assert status == 4
    assert err.splitlines()[-1] == "cxfs: access was denied in the browser: nothing was changed"
    assert kept(person) == {}


def test_a_wrong_password_stays_at_the_page(person: Person) -> None:
    """It says that something was wrong and not what; the right one leads on to where one was going."""
    with person.login() as login:
        person.goes_to(login.address)
        person.signs_in("wrong")
        said = person.reads("error")
        person.signs_in()

    assert "not" in said
    assert "wrong" not in person.chrome.current_url
    assert person.reads("application") == f"cxfs of {person.name}"


def test_an_expired_code_is_said(person: Person) -> None:
    """The person took longer over the browser's warning than a code lives."""
    with person.login() as login:
        person.goes_to(login.address)
        person.signs_in()
        person.presses("approve")
        with closing(sqlite3.connect(person.server.directory / "cx.sqlite3", isolation_level=None)) as database:
            database.execute("UPDATE codes SET expires_ms = 1")
        person.goes_past_the_warning()
        status, _, err = login.ended()

    assert status == 4
    assert "refused the code: it has expired" in err.splitlines()[-1]
    assert kept(person) == {}


def test_a_code_that_was_stolen_is_worth_nothing_after_its_use(person: Person) -> None:
    """It stands in the browser's history."""
    with person.login() as login:
        agrees(person, login)
        answered = person.chrome.current_url
        login.ended()

    parts = urlsplit(answered)
    replayed = httpx.post(
        f"{person.server.url}/1/oauth/token",
        auth=person.client,
        data={
            "grant_type": "authorization_code",
            "code": parse_qs(parts.query)["auth_code"][0],
            "redirect_uri": parts._replace(query="").geturl(),
        },
        verify=False,  # the loopback server of this very test
    )

    assert (replayed.status_code, replayed.json()["errorType"]) == (400, "InvalidGrant")


@pytest.mark.parametrize("page", ["/mycx/oauth/authorize", "/mycx/apps", "/mycx/sign-out"])
def test_another_sites_page_cannot_press_our_buttons(person: Person, page: str, tmp_path: Path) -> None:
    """It can make the browser send a form, cookies and all if it may; nothing comes of it."""
    with person.login() as login:
        agrees(person, login)
        login.ended()
    query = f"?{urlsplit(login.address).query}" if "authorize" in page else ""
    foreign = tmp_path / "foreign.html"
    foreign.write_text(
        f'<form method="post" action="{person.server.url}{page}{query}"><input name="decision" value="approve">'
        f'<input name="app" value="{person.client[0]}"><button id="lure">win</button></form>'
    )

    person.goes_to(foreign.as_uri())
    person.presses("lure")

    assert person.chrome.current_url.startswith(person.server.url)
    person.goes_to("/mycx/apps")
    assert person.reads("grants").count(f"cxfs of {person.name}") == 1
    with closing(sqlite3.connect(person.server.directory / "cx.sqlite3")) as database:
        assert database.execute("SELECT count(*) FROM codes").fetchone() == (0,)


@pytest.mark.promise
def test_revoking_the_grant_signs_a_running_mount_out_and_signing_in_again_mends_it(person: Person) -> None:
    """When the access token is refused, calls that need the server fail with EACCES and uploads wait; `cxfs login`
    mends the running mount without a remount."""
    with person.login() as login:
        agrees(person, login)
        login.ended()
    person.mount.account.make_folder("/unseen")
    person.mount.start()
    file = person.mount.path / "note.txt"
    file.write_text("before\n")
    eventually(person.mount.account.names, {"note.txt", "unseen"})
    with file.open("a") as opened:
        person.goes_to("/mycx/apps")
        person.presses("revoke-1")
        refused = person.mount.attempt("ls", person.mount.path / "unseen")
        opened.write("after\n")

    assert "Permission denied" in refused.stderr
    assert person.mount.log().count("signed out: the server refuses the access token") == 1
    with person.login() as login:
        agrees(person, login)
        login.ended()
    wait_until(lambda: person.mount.attempt("ls", person.mount.path / "unseen").returncode == 0)
    assert eventually(lambda: person.mount.account.content("/note.txt"), b"before\nafter\n") == b"before\nafter\n"


@pytest.mark.parametrize("width", [1280, 390])
def test_each_page_fits_its_window(person: Person, width: int, tmp_path: Path) -> None:
    """On a desk and on a phone: nothing sticks out to the side, and what is pressed is large enough for a finger."""
    person.chrome.set_window_size(width, 844)
    person.mount.account.put("/a file with a name that is long enough to need more than one line on a phone.txt", b"x")
    seen: dict[str, tuple[int, int]] = {}

    def look(name: str) -> None:
        person.chrome.save_screenshot(str(tmp_path / f"{name}-{width}.png"))
        sizes = person.chrome.execute_script(
            "return [document.documentElement.scrollWidth - window.innerWidth,"
            " Math.min(...[...document.querySelectorAll('button.primary, button.danger, .choice button')]"
            ".map(each => each.getBoundingClientRect().height), 1000)]"
        )
        seen[name] = (sizes[0], sizes[1])

    with person.login() as login:
        person.goes_to(login.address)
        look("sign-in")
        person.signs_in("wrong")
        look("wrong-password")
        person.signs_in()
        look("consent")
        person.presses("approve")
        person.goes_past_the_warning()
        look("arrived")
        login.ended()
    for name, address in (("files", "/mycx/files/"), ("apps", "/mycx/apps"), ("error", "/mycx/oauth/authorize")):
        person.goes_to(address)
        look(name)

    assert {name for name, (overflow, _) in seen.items() if overflow > 0} == set()
    assert {name for name, (_, height) in seen.items() if height < 40} == set()
