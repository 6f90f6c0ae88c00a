"""What the log of changes says. Contract: docs/protocol.md, "Changes"."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from cxfs.server import administration, changes
from cxfs.server.accounts import Caller
from cxfs.server.feed import note
from cxfs.server.limits import CHANGES_KEPT, CHANGES_PER_ANSWER_MAX
from cxfs.server.store import make_store
from cxfs.server.wire import parse_path
from tests.server.person import FORM_HEADERS, Person, form, found_in, refusal_of
from tests.server.tables import rows

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from cxfs.server.store import Store
    from tests.server_process import Storage

Told = list[tuple[str, str]]


async def grown(ann: Person) -> str:
    """A small tree, /full/inner/deep.txt and /one.txt; the cursor behind it."""
    await ann.make("/full", "/full/inner", "/other")
    for path in ("/full/inner/deep.txt", "/one.txt"):
        await ann.put(path, path.encode())
    return str((await ann.news())["cursor"])


def told(news: dict[str, Any]) -> Told:
    """Kind and readable path of each change, in order."""
    return [(change["kind"], change["path"].split(":")[1]) for change in news["changes"]]


async def test_the_first_call_says_where_the_log_ends(ann: Person) -> None:
    """Whoever begins to follow asks for the tree itself after that, and misses nothing."""
    cursor = await grown(ann)

    first = await ann.news()
    nothing = await ann.news(cursor)

    assert first == nothing == {"cursor": cursor, "changes": [], "reset": False, "groups": 0}


async def overwrite(ann: Person) -> None:
    await ann.put("/one.txt", b"two")


async def create(ann: Person) -> None:
    await ann.put("/full/new.txt", b"new")


async def replace_by_a_move(ann: Person) -> None:
    await ann.tell("move", "/full/inner/deep.txt", to="self:/one.txt", overwrite="true")


CHANGES: list[tuple[Callable[[Person], Awaitable[Any]], Told]] = [
    (lambda ann: ann.make("/full/new"), [("created", "/full/new"), ("updated", "/full")]),
    (create, [("created", "/full/new.txt"), ("updated", "/full")]),
    (overwrite, [("updated", "/one.txt"), ("updated", "/")]),
    (lambda ann: ann.tell("update", "/one.txt", description="x"), [("updated", "/one.txt"), ("updated", "/")]),
    (lambda ann: ann.tell("move", "/one.txt", to="self:/two.txt"), [("moved", "/two.txt"), ("updated", "/")]),
    (lambda ann: ann.tell("copy", "/full", to="self:/more"), [("created", "/more"), ("updated", "/")]),
    (lambda ann: ann.tell("delete", "/full"), [("deleted", "/full"), ("updated", "/")]),
    (
        replace_by_a_move,
        [("deleted", "/one.txt"), ("moved", "/one.txt"), ("updated", "/"), ("updated", "/full/inner")],
    ),
]


@pytest.mark.parametrize(("change", "expected"), CHANGES)
async def test_each_change_is_told(ann: Person, change: Callable[[Person], Awaitable[Any]], expected: Told) -> None:
    """The object's and that of the listing it stands in: a folder's version counts those."""
    cursor = await grown(ann)

    await change(ann)

    heard = told(await ann.news(cursor))
    assert sorted(heard) == sorted(expected)
    assert heard[: len(heard) - 2] == expected[: len(heard) - 2]  # objects first, then the folders touched


async def test_a_change_shows_the_object_as_it_is(ann: Person) -> None:
    """So that whoever follows need not ask."""
    cursor = await grown(ann)
    put = await ann.put("/full/new.txt", b"new")

    change = (await ann.news(cursor))["changes"][0]

    assert change["file"] == put == await ann.describe("/full/new.txt")
    assert (change["id"], change["version"]) == (put["id"], 1)
    assert change["path"] == f"{ann.id}:/full/new.txt"


async def test_what_is_deleted_is_named_by_its_last_place_and_version(ann: Person) -> None:
    """There is no object to show."""
    cursor = await grown(ann)
    found = await ann.describe("/one.txt")

    await ann.tell("delete", "/one.txt")

    change = (await ann.news(cursor))["changes"][0]
    assert change == {"id": found["id"], "version": 1, "path": f"{ann.id}:/one.txt", "kind": "deleted"}


async def test_a_move_says_from_where(ann: Person) -> None:
    """A subtree is one change, however much is in it."""
    cursor = await grown(ann)

    await ann.tell("move", "/full", to="self:/other/full")

    news = await ann.news(cursor)
    assert (news["changes"][0]["path"], news["changes"][0]["previousPath"]) == (
        f"{ann.id}:/other/full",
        f"{ann.id}:/full",
    )
    assert [change["id"] for change in news["changes"]].count(news["changes"][0]["id"]) == 1
    assert len(news["changes"]) == 3


async def test_a_later_change_takes_the_place_of_the_earlier_ones(ann: Person) -> None:
    """Who was away for a week hears what has come about, not each step of it."""
    cursor = await grown(ann)
    for content in (b"1", b"2", b"3"):
        await ann.put("/new.txt", content)
    await ann.tell("move", "/new.txt", to="self:/full/newer.txt")
    await ann.tell("move", "/one.txt", to="self:/two.txt")
    await ann.tell("move", "/two.txt", to="self:/three.txt")
    await ann.put("/three.txt", b"3")
    await ann.put("/passing", b"x")
    await ann.tell("delete", "/passing")

    news = await ann.news(cursor)

    assert told(news) == [
        ("created", "/full/newer.txt"),
        ("updated", "/full"),
        ("moved", "/three.txt"),
        ("deleted", "/passing"),
        ("updated", "/"),
    ]
    assert news["changes"][2]["previousPath"] == f"{ann.id}:/two.txt"


async def test_changes_below_a_folder_that_is_gone_are_left_out(ann: Person) -> None:
    """Its own change says it all."""
    cursor = await grown(ann)
    await ann.put("/full/inner/deep.txt", b"changed")
    await ann.tell("delete", "/full")

    assert told(await ann.news(cursor)) == [("deleted", "/full"), ("updated", "/")]


async def test_paths_are_those_of_now(ann: Person) -> None:
    """Whatever became of the folders above since the change."""
    cursor = await grown(ann)
    await ann.put("/full/inner/deep.txt", b"changed")
    await ann.tell("move", "/full", to="self:/other/full")

    assert told(await ann.news(cursor))[0] == ("updated", "/other/full/inner/deep.txt")


async def test_a_cursor_goes_on_where_it_was(ann: Person) -> None:
    """Nothing is told twice to who asks with the latest, and nothing is lost to who asks with an older one."""
    before = await grown(ann)
    await ann.make("/a")
    between = (await ann.news(before))["cursor"]
    await ann.make("/b")

    assert told(await ann.news(between)) == [("created", "/b"), ("updated", "/")]
    assert told(await ann.news(before)) == [("created", "/a"), ("created", "/b"), ("updated", "/")]


async def test_much_news_comes_in_parts(store: Store, ann: Person) -> None:
    """In order, and each once."""
    cursor = await grown(ann)
    number = administration.account_named(store, "ann").number
    names = [f"{each:04}" for each in range(CHANGES_PER_ANSWER_MAX + 10)]
    with store.transaction() as connection:
        for name in names:
            changes.make_folder(connection, Caller(number, ann.id), parse_path(f"self:/other/{name}"), now=1)

    first = await ann.news(cursor)
    second = await ann.news(first["cursor"])
    third = await ann.news(second["cursor"])

    assert len(first["changes"]) == CHANGES_PER_ANSWER_MAX
    assert [path for _, path in told(first) + told(second)] == [*(f"/other/{name}" for name in names), "/other"]
    assert third["changes"] == []


@pytest.mark.parametrize("cursor", ["", "soon", "-1", "1000000", "9" * 30, "٣"])
async def test_a_cursor_that_is_not_known_is_answered_with_a_reset(ann: Person, cursor: str) -> None:
    """A follower begins anew, whatever went wrong: a server that was restored from a backup knows no later ones."""
    now = await grown(ann)

    assert await ann.news(cursor) == {"cursor": now, "changes": [], "reset": True, "groups": 0}


async def test_a_cursor_that_is_too_old_is_answered_with_a_reset(store: Store, ann: Person) -> None:
    """The log keeps so many changes of an owner, and no more rows than that."""
    cursor = await grown(ann)
    number = administration.account_named(store, "ann").number
    (before,) = rows(store, "SELECT count(*) FROM feed")[0]
    with store.transaction() as connection:
        connection.execute("UPDATE owners SET changes = ?", (CHANGES_KEPT + 500 - 1,))
        note(connection, number, "A" * 22, "deleted", path="/x")

    assert (await ann.news(cursor))["reset"]
    assert not (await ann.news("500"))["reset"]
    assert (before, rows(store, "SELECT count(*) FROM feed")) == (6, [(1,)])


async def test_what_is_refused_is_not_told(ann: Person) -> None:
    """Of a bundle, what was refused leaves no trace of itself; the others do."""
    cursor = await grown(ann)
    items = [{"path": "self:/one.txt", "ifVersion": 7}, {"path": "self:/three.txt"}]
    body = form(("items", json.dumps(items).encode()), ("file", b"1"), ("file", b"3"))

    await ann.tell("mkdir", "/full")
    await ann.tell("delete", "/missing")
    await ann.ask("POST", "/1/bundle/put", content=body, headers=FORM_HEADERS)

    assert told(await ann.news(cursor)) == [("created", "/three.txt"), ("updated", "/")]


async def test_what_a_bundle_deletes_is_told(ann: Person) -> None:
    """As if each had come alone."""
    cursor = await grown(ann)

    await ann.ask("POST", "/1/bundle/delete", json={"items": [{"path": "self:/one.txt"}, {"path": "self:/other"}]})

    assert told(await ann.news(cursor)) == [("deleted", "/one.txt"), ("deleted", "/other"), ("updated", "/")]


async def test_what_the_host_imports_is_told(store: Store, ann: Person, tmp_path: Path) -> None:
    """By a command beside the running server, times of folders included."""
    cursor = await grown(ann)
    (tmp_path / "moved in/fresh").mkdir(parents=True)
    (tmp_path / "moved in/fresh/file").write_bytes(b"x")

    administration.import_tree(store, "ann", tmp_path / "moved in", "/full", progress=lambda *_: None)

    news = await ann.news(cursor)
    assert sorted(told(news)) == sorted(
        [("updated", "/full"), ("created", "/full/fresh"), ("created", "/full/fresh/file")]
    )
    assert [change["file"] for change in news["changes"]] == [
        await ann.describe(change["path"].split(":")[1]) for change in news["changes"]
    ]


async def test_each_owner_has_a_log_of_its_own(store: Store, ann: Person, ben: Person) -> None:
    """A group's members hear of its tree, readers too; nobody else does."""
    team = administration.add_group(store, "band", owner="ann", quota_bytes=1_000)
    administration.set_member(store, "band", "ben", "reader")
    mine, theirs = (await ann.news())["cursor"], (await ben.as_seen_in(team).news())["cursor"]

    await ann.as_seen_in(team).make("/songs")

    assert told(await ben.as_seen_in(team).news(theirs)) == [("created", "/songs"), ("updated", "/")]
    assert told(await ann.news(mine)) == []
    assert refusal_of(await ben.as_seen_in(ann.id).follow(mine)) == (404, "NotFound")


async def test_a_user_hears_of_other_groups(store: Store, ann: Person, ben: Person) -> None:
    """A new one, another role, one that was left: the number beside the changes is another one."""
    told: list[dict[str, Any]] = []

    async def listen() -> None:
        news = await ben.news(told[-1]["cursor"] if told else None)
        told.append(news)

    team = administration.add_group(store, "band", owner="ann", quota_bytes=1_000)
    await listen()
    administration.set_member(store, "band", "ben", "reader")
    await listen()
    administration.set_member(store, "band", "ben", "writer")
    await listen()
    assert "groups" not in await ben.as_seen_in(team).news()
    administration.remove_member(store, "band", "ben")
    await listen()
    await ben.make("/unrelated")
    await listen()

    groups = [news["groups"] for news in told]
    assert len({*groups[:4]}) == 4
    assert groups[4] == groups[3]
    assert all(not news["changes"] for news in told[:4])


async def test_between_owners_a_move_is_an_end_and_a_beginning(store: Store, ann: Person) -> None:
    """Each log tells what its own readers may know."""
    team = administration.add_group(store, "band", owner="ann", quota_bytes=1_000)
    mine, theirs = await grown(ann), (await ann.as_seen_in(team).news())["cursor"]

    await ann.tell("move", "/full", to=f"{team}:/taken")

    assert told(await ann.news(mine)) == [("deleted", "/full"), ("updated", "/")]
    arrived = await ann.as_seen_in(team).news(theirs)
    assert told(arrived) == [("created", "/taken"), ("updated", "/")]
    assert "previousPath" not in arrived["changes"][0]


async def test_what_comes_back_from_another_owner_is_a_reset(store: Store, ann: Person) -> None:
    """What happened below it there stands in no log that is read here."""
    team = administration.add_group(store, "band", owner="ann", quota_bytes=1_000)
    cursor = await grown(ann)
    await ann.tell("move", "/full", to=f"{team}:/full")
    away = (await ann.news())["cursor"]
    await ann.as_seen_in(team).tell("delete", "/full/inner/deep.txt")

    await ann.as_seen_in(team).tell("move", "/full", to="self:/full")

    assert (await ann.news(cursor))["reset"]
    assert (await ann.news(away))["reset"]
    back = (await ann.news())["cursor"]
    await ann.make("/after")
    assert not (await ann.news(back))["reset"]


@pytest.mark.parametrize("owner", ["", "self:", "self:%2F", "ann", "A" * 21, "%FF"])
async def test_an_owner_is_a_uuid_or_self(ann: Person, owner: str) -> None:
    """No path: whoever follows follows a whole tree."""
    assert refusal_of(await ann.ask("GET", f"/1/files/changes/{owner}")) == (400, "InvalidPath")


async def test_the_log_of_a_restarted_server_goes_on(store: Store, storage: Storage, ann: Person) -> None:
    """It is in the same tables as what it tells of."""
    cursor = await grown(ann)
    again = make_store(store.directory, clock=store.clock, **storage)
    with again.transaction() as connection:
        number = administration.account_named(again, "ann").number
        changes.make_folder(connection, Caller(number, ann.id), parse_path("self:/later"), now=1)
    again.close()

    assert found_in(await ann.follow(cursor))["changes"][0]["path"] == f"{ann.id}:/later"


@pytest.mark.parametrize("ahead", [1, 1_000_000])
async def test_after_a_restore_whoever_was_told_more_begins_anew(ann: Person, store: Store, ahead: int) -> None:
    """A backup knows nothing of what was told after it, and what is told then gets the same numbers."""
    told_before = str(int(await grown(ann)) + ahead)

    administration.note_restored(store)
    first, groups = await ann.news(told_before), (await ann.news())["groups"]
    for number in range(3):
        await ann.put(f"/after {number}", b"")

    assert (await ann.news(told_before))["reset"] is first["reset"] is True
    assert groups != 0
    assert ("created", "/after 2") in told(await ann.news(first["cursor"]))
