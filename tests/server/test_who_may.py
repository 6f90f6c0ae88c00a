"""What the table of rights (test_rights.py) cannot say of them. Contract: docs/protocol.md, "Accounts and rights"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cxfs.server import administration
from tests.server.conftest import new_person
from tests.server.person import Person, found_in, refusal_of

if TYPE_CHECKING:
    import httpx

    from cxfs.server.store import Store

READ = ["GET list /", "GET list /folder", "GET info /note", "GET versions /note", "GET data /note"]
WRITE = [
    "POST mkdir /new",
    "POST mkdir /folder",
    "POST delete /note",
    "POST delete /missing",
    "POST move /note",
    "POST copy /note",
    "POST update /note",
    "POST data /note",
    "POST data /new",
]


async def attempt(person: Person, line: str) -> httpx.Response:
    """One line of the tables above, in the tree that the person's paths are in."""
    method, call, path = line.split()
    address = f"/1/data/{person.path(path)}" if call == "data" else f"/1/files/{call}/{person.path(path)}"
    body: dict[str, Any] = {"data": {"to": f"{person.owner}:/folder/there"}} if method == "POST" else {}
    if (method, call) == ("POST", "data"):
        body = {"files": {"file": b"theirs"}}
    return await person.ask(method, address, **body)


@pytest.fixture
async def group(store: Store, ann: Person) -> str:
    """Ann's group's UUID; in it are /folder and /note."""
    uuid = administration.add_group(store, "band", owner="ann", quota_bytes=1_000)
    await ann.as_seen_in(uuid).make("/folder")
    await ann.as_seen_in(uuid).put("/note", b"x")
    return uuid


async def test_a_reader_may_copy_out_but_not_in(store: Store, ben: Person, group: str) -> None:
    """Copying reads the source and writes the target."""
    administration.set_member(store, "band", "ben", "reader")
    await ben.put("/mine", b"x")

    assert found_in(await ben.as_seen_in(group).tell("copy", "/note", to="self:/taken"))["name"] == "taken"
    assert refusal_of(await ben.tell("copy", "/mine", to=f"{group}:/given")) == (403, "AccessDenied")
    assert refusal_of(await ben.as_seen_in(group).tell("move", "/note", to="self:/stolen")) == (403, "AccessDenied")


@pytest.mark.parametrize("line", [*READ, *WRITE, "GET info /missing", "GET list /note"])
@pytest.mark.parametrize("whose", ["a user's", "a group's", "nobody's"])
async def test_a_strangers_tree_cannot_be_told_from_none(
    ann: Person, ben: Person, group: str, whose: str, line: str
) -> None:
    """Existence itself is private: the same answer, to the letter, for what is there and what is not."""
    owner = {"a user's": ann.id, "a group's": group, "nobody's": "A" * 22}[whose]
    await ann.put("/note", b"x")

    answer = await attempt(ben.as_seen_in(owner), line)

    assert answer.json() == {"errorType": "NotFound", "message": "Group or Share not found"}
    assert answer.status_code == 404


async def test_nothing_can_be_put_into_a_strangers_tree(ann: Person, ben: Person) -> None:
    """By a move or a copy either."""
    await ben.put("/note", b"x")

    for call in ("move", "copy"):
        assert refusal_of(await ben.tell(call, "/note", to=f"{ann.id}:/gift")) == (404, "NotFound")
    assert await ann.names("/") == []


async def test_who_leaves_a_group_no_longer_sees_it(store: Store, ben: Person, group: str) -> None:
    """At once: a running server asks each time."""
    administration.set_member(store, "band", "ben", "writer")
    administration.remove_member(store, "band", "ben")

    assert refusal_of(await ben.as_seen_in(group).page("/")) == (404, "NotFound")
    assert found_in(await ben.ask("GET", "/1/users/self/groups")) == {"groups": []}


@pytest.mark.parametrize("line", [*READ, *WRITE])
@pytest.mark.parametrize(
    "token", ["", "?access_token=", "?access_token=unknown", "?access_token=%FF", "?access_token=" + "x" * 3000]
)
async def test_without_a_good_token_there_is_nothing(visitor: httpx.AsyncClient, line: str, token: str) -> None:
    """[doc] BadAuthToken, before anything else is looked at."""
    method, call, path = line.split()

    answer = await visitor.request(method, f"/1/{'data' if call == 'data' else f'files/{call}'}/self:{path}{token}")

    expected = (400, "InvalidRequest") if "%FF" in token else (401, "BadAuthToken")
    assert refusal_of(answer) == expected


async def test_revoked_tokens_are_worth_nothing(store: Store, ann: Person, ben: Person) -> None:
    """All of that user's, and nobody else's."""
    also = administration.issue_token(store, "ann")

    assert administration.revoke_tokens(store, "ann") == 2

    for token in (ann.token, also):
        assert refusal_of(await ann.client.get(f"/1/users/self?access_token={token}")) == (401, "BadAuthToken")
    assert await ben.names("/") == []


async def test_the_client_id_beside_the_token_is_allowed(ann: Person) -> None:
    """[seen] clients send it."""
    assert (await ann.ask("GET", "/1/users/self?client_id=anything")).status_code == 200


async def test_the_profile_names_user_quota_and_plan(ann: Person, group: str) -> None:
    """[seen] the shape; [ours] what the numbers count."""
    await ann.put("/note", b"12345")
    await ann.put("/note", b"123")

    profile = found_in(await ann.ask("GET", "/1/users/self"))["profile"]

    assert (profile["id"], profile["username"], profile["contact"]) == (ann.id, "ann", {"email": "ann@example.org"})
    assert profile["quota"] == {
        "totalCapacity": 1_000_000,
        "totalConsumed": 3,
        "totalConsumedWithVersions": 8,
        "consumedByUserFiles": 3,
        "consumedByUserFilesWithVersions": 8,
        "consumedByGroupFiles": {
            group: {"groupId": group, "name": "band", "capacity": 1_000, "consumed": 1, "consumedWithVersions": 1}
        },
    }
    assert profile["account"] == {
        "active": True,
        "plan": {"id": "self-hosted", "name": "Self-hosted", "oneOff": False, "quota": 1_000_000},
        "graceLength": 0,
    }


async def test_groups_are_listed_with_ones_role(store: Store, ann: Person, ben: Person, group: str) -> None:
    """The capability `groups`."""
    administration.set_member(store, "band", "ben", "reader")

    assert found_in(await ann.ask("GET", "/1/users/self/groups"))["groups"] == [
        {"id": group, "name": "band", "role": "owner"}
    ]
    assert found_in(await ben.ask("GET", "/1/users/self/groups"))["groups"] == [
        {"id": group, "name": "band", "role": "reader"}
    ]


async def test_two_accounts_know_nothing_of_each_other(store: Store, visitor: httpx.AsyncClient) -> None:
    """The same paths, different files."""
    first, second = new_person(store, visitor, "first"), new_person(store, visitor, "second")

    await first.put("/note", b"mine")

    assert await second.names("/") == []
