"""Every address of the server, and everyone who may ask: one table. Contract: docs/protocol.md, "Accounts and rights".

The columns are people, the rows what they ask for: in their own tree (`owner`, and the last three), or in the tree of a
group that they are members of, or are not (`stranger`). What stands in a cell:

    200 …    the status; with it go the words below it (WORDS), so that 403 is not taken for another 403
    on       a redirect onward: what was asked for is done
    in       a redirect to the sign-in page
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import httpx
import pytest

from cxfs.server import accounts, administration, sessions
from cxfs.server.app import CallRoute, make_app
from cxfs.server.hashes import form_token
from tests.server.browser import HOME, SENT_WITH_FORMS
from tests.server.bundle import parts_of
from tests.server.conftest import CHEAP, new_person
from tests.server.person import Person, refusal_of
from tests.server.tables import rows

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.applications import Starlette

    from cxfs.server.store import Store

TABLE: Final = """
                               owner  chief  writer  reader  stranger  revoked  suspended  nobody
GET  /1/data/ note             200    200    200     200     404       401      403        401
POST /1/data/ note             200    200    200     403     404       401      403        401
POST /1/data/ new              200    200    200     403     404       401      403        401
GET  /1/files/list/ root       200    200    200     200     404       401      403        401
GET  /1/files/list/ folder     200    200    200     200     404       401      403        401
GET  /1/files/info/ note       200    200    200     200     404       401      403        401
GET  /1/files/versions/ note   200    200    200     200     404       401      403        401
POST /1/files/mkdir/ new       200    200    200     403     404       401      403        401
POST /1/files/delete/ note     200    200    200     403     404       401      403        401
POST /1/files/delete/ folder   200    200    200     403     404       401      403        401
POST /1/files/move/ note       200    200    200     403     404       401      403        401
POST /1/files/copy/ note       200    200    200     403     404       401      403        401
POST /1/files/update/ note     200    200    200     403     404       401      403        401
POST /1/bundle/get note        200    200    200     200     404       401      403        401
POST /1/bundle/put note        200    200    200     403     404       401      403        401
POST /1/bundle/put new         200    200    200     403     404       401      403        401
POST /1/bundle/delete note     200    200    200     403     404       401      403        401
GET  /1/files/changes/ -       200    200    200     200     404       401      403        401
GET  /1/users/self             200    200    200     200     200       401      403        401
GET  /1/users/self/groups      200    200    200     200     200       401      403        401
GET  /1/capabilities           200    200    200     200     200       200      200        200
POST /1/oauth/token            401    401    401     401     401       401      401        401
GET  /mycx/ca.pem              200    200    200     200     200       200      200        200
GET  /mycx/oauth/authorize     200    200    200     200     200       in       in         in
POST /mycx/oauth/authorize     on     on     on      on      on        in       in         in
GET  /mycx/sign-in             on     on     on      on      on        200      200        200
POST /mycx/sign-in             403    403    403     403     403       403      403        403
POST /mycx/sign-out            on     on     on      on      on        in       in         in
GET  /mycx/apps                200    200    200     200     200       in       in         in
POST /mycx/apps                on     on     on      on      on        in       in         in
GET  /mycx/files/ folder       200    200    200     200     404       in       in         in
GET  /mycx/files/ root         200    200    200     200     404       in       in         in
GET  /mycx/download/ note      200    200    200     200     404       in       in         in
GET  /mycx/style.css           200    200    200     200     200       200      200        200
GET  /mycx/icon.svg            200    200    200     200     200       200      200        200
GET  /mycx/                    on     on     on      on      on        on       on         on
"""

WORDS: Final = {
    ("revoked", "401"): "BadAuthToken",
    ("nobody", "401"): "BadAuthToken",
    ("suspended", "403"): "SuspendedAccount",
    ("reader", "403"): "AccessDenied",
    ("stranger", "404"): "NotFound",
}

REFUSED: Final = {"in", "401", "403", "404"}

_HEADS, *_LINES = [line for line in TABLE.splitlines() if line]
PEOPLE: Final = _HEADS.split()
ROWS: Final = [line.split()[: -len(PEOPLE)] for line in _LINES]
CELLS: Final = [
    pytest.param(who, row, expected, id=f"{who} {' '.join(row)}")
    for row, line in zip(ROWS, _LINES, strict=True)
    for who, expected in zip(PEOPLE, line.split()[-len(PEOPLE) :], strict=True)
]

BACK: Final = "https://photos.example.org/back"
PATHS: Final = {"root": "/", "folder": "/folder", "note": "/note", "new": "/new"}


@dataclass(frozen=True)
class Asker:
    """Someone with a token, and a browser with a cookie; the paths are in the tree that the column speaks of."""

    person: Person
    cookie: str

    async def ask(self, method: str, address: str, body: dict[str, Any]) -> httpx.Response:
        """With token and cookie both, as no client would: each address looks at its own."""
        headers = {"Cookie": f"__Host-cx={self.cookie}"} | (SENT_WITH_FORMS if method == "POST" else {})
        return await self.person.ask(method, address, headers=headers, **body)


@pytest.fixture
def app(store: Store) -> Starlette:
    """With all addresses that it can have."""
    return make_app(store, passwords=CHEAP, authority=b"a certificate")


@pytest.fixture
async def client(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    """Reaches it."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=HOME) as client:
        yield client


@pytest.fixture
async def askers(store: Store, client: httpx.AsyncClient) -> dict[str, Asker]:
    """All of them; what has to happen to the last three has not happened yet."""
    people = {name: new_person(store, client, name) for name in ("ann", "ben", "carl", "dora", "eve")}
    group = administration.add_group(store, "band", owner="ben", quota_bytes=1_000)
    administration.set_member(store, "band", "carl", "writer")
    administration.set_member(store, "band", "dora", "reader")
    for tree in (people["ann"], people["ben"].as_seen_in(group)):
        await tree.make("/folder")
        await tree.put("/note", b"x")
    seen = {name: person.as_seen_in(group) for name, person in people.items()}
    own = Asker(people["ann"], open_session(store, "ann"))
    return {
        "owner": own,
        "chief": Asker(seen["ben"], open_session(store, "ben")),
        "writer": Asker(seen["carl"], open_session(store, "carl")),
        "reader": Asker(seen["dora"], open_session(store, "dora")),
        "stranger": Asker(seen["eve"], open_session(store, "eve")),
        "revoked": own,
        "suspended": own,
        "nobody": Asker(replace(people["ann"], token=""), "x" * 43),
    }


def open_session(store: Store, name: str) -> str:
    """As signing in would."""
    with store.transaction() as connection:
        return sessions.open_session(connection, accounts.account_named(connection, name).number, store.clock())


def befall(store: Store, who: str) -> None:
    """What has happened to Ann."""
    if who == "revoked":
        administration.revoke_tokens(store, "ann")
        administration.set_password(store, "ann", "a password that is new")
    elif who == "suspended":
        administration.suspend_user(store, "ann")


def request_of(store: Store, asker: Asker, row: list[str]) -> tuple[str, str, dict[str, Any]]:
    """Method, address and body for a row, such that nothing but a missing right can be in the way."""
    method, address, *path = row
    body: dict[str, Any] = {"form_token": form_token(asker.cookie)}
    if address == "/mycx/oauth/authorize":
        client_id, _ = administration.add_app(store, "Photos", [BACK])
        address += "?" + urlencode({"client_id": client_id, "redirect_uri": BACK})
        body["decision"] = "approve"
    elif address == "/mycx/apps":
        body["app"] = ""
    elif address.startswith("/1/bundle/"):
        return method, address, bundle_of(address, asker.person, PATHS[path[0]])
    elif address == "/1/files/changes/":
        address += asker.person.owner
    elif path:
        address += asker.person.path(PATHS[path[0]])
        body = {"to": f"{asker.person.owner}:/folder/there"}
    if method == "GET":
        return method, address, {}
    return method, address, {"files": {"file": b"new"}} if address.startswith("/1/data") else {"data": body}


def bundle_of(address: str, person: Person, path: str) -> dict[str, Any]:
    """A bundle of one."""
    items = [{"path": f"{person.owner}:{path}"}]
    if address.endswith("put"):
        return {"data": {"items": json.dumps(items)}, "files": {"file": b"new"}}
    return {"json": {"items": items}}


def refusal_in(response: httpx.Response) -> tuple[int, str] | None:
    """Of the one item of a bundle."""
    if response.headers.get("content-type", "").startswith("multipart/mixed"):
        return parts_of(response)[0].refusal
    found = response.json().get("results", [{}]) if response.status_code == 200 and response.text[:1] == "{" else [{}]
    return (found[0]["status"], found[0]["errorType"]) if "errorType" in found[0] else None


def outcome(response: httpx.Response) -> str:
    """As the table writes it. Who signs out is sent to the sign-in page as well, but with another cookie."""
    if (refused := refusal_in(response)) is not None:
        return str(refused[0])
    if response.status_code != 303:
        return str(response.status_code)
    to_sign_in = response.headers["location"].startswith("/mycx/sign-in?next=%2Fmycx%2F")
    return "in" if to_sign_in and "set-cookie" not in response.headers else "on"


def kept(store: Store) -> list[object]:
    """All that a request could change."""
    tables = ("nodes", "versions", "tokens", "codes", "sessions", "apps")
    return [rows(store, f"SELECT * FROM {table}") for table in tables]


@pytest.mark.parametrize(("who", "row", "expected"), CELLS)
async def test_who_may_do_what(store: Store, askers: dict[str, Asker], who: str, row: list[str], expected: str) -> None:
    """Each cell. Whoever is refused has changed nothing, and HEAD is answered as GET is."""
    befall(store, who)
    method, address, body = request_of(store, askers[who], row)
    with store.transaction() as connection:
        connection.execute("UPDATE tokens SET used_ms = ?", (store.clock(),))  # the day's use is noted already
    before = kept(store)

    answers = [await askers[who].ask(each, address, body) for each in methods_like(method, row[1])]

    assert [outcome(answer) for answer in answers] == [expected] * len(answers)
    if address.startswith("/1/") and (who, expected) in WORDS and row[1] != "/1/oauth/token":
        assert (refusal_in(answers[0]) or refusal_of(answers[0])) == (int(expected), WORDS[who, expected])
    if method == "GET" or expected in REFUSED:
        assert kept(store) == before


def methods_like(method: str, address: str) -> list[str]:
    """HEAD goes with GET."""
    return ["GET", "HEAD"] if method == "GET" and takes_head(address) else [method]


def takes_head(address: str) -> bool:
    """All that is asked does, but for two public facts."""
    return address not in {"/1/capabilities", "/mycx/ca.pem"}


def test_the_table_has_a_row_for_every_address(app: Starlette) -> None:
    """An address that nobody has thought about is a hole."""
    routes = [route for route in app.routes if isinstance(route, CallRoute)]
    there = {(method, route.address) for route in routes for method in route.methods - {"HEAD"}}

    assert len(routes) == len(app.routes)
    assert {(method, address) for method, address, *_ in ROWS} == there
    assert {route.address for route in routes if "GET" in route.methods and takes_head(route.address)} == {
        route.address for route in routes if "HEAD" in route.methods
    }
