"""Many uploads or deletions in one request. Contract: docs/protocol.md, "Bundles"."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from cxfs.server import administration, limits
from tests.server.bundle import parts_of, wanted
from tests.server.person import BOUNDARY, FORM_HEADERS, found_in, refusal_of
from tests.server.tables import rows

if TYPE_CHECKING:
    from cxfs.server.store import Store
    from tests.server.person import Person

Item = dict[str, Any]


def new(path: str, **rest: Any) -> Item:
    """An item for a readable path of one's own tree."""
    return {"path": f"self:{path}", **rest}


async def put(person: Person, *brought: tuple[Item, bytes]) -> httpx.Response:
    """All of them, as the contract has it: first the list, then the files in its order."""
    items = json.dumps([item for item, _ in brought]).encode()
    return await send(person, form(("items", items), *(("file", content) for _, content in brought)))


async def send(person: Person, body: bytes) -> httpx.Response:
    """This very body."""
    return await announce(person, body, len(body))


async def announce(person: Person, body: bytes, length: int) -> httpx.Response:
    """This very body, with that length told before it."""
    url = person.client.base_url.join(f"/1/bundle/put?access_token={person.token}")
    headers = {**FORM_HEADERS, "Content-Length": str(length)}
    return await person.client.send(httpx.Request("POST", url, headers=headers, stream=Whole(body)))


class Whole(httpx.AsyncByteStream):
    """A body in one piece, which a server need not take."""

    def __init__(self, body: bytes) -> None:
        self._left = [body]

    def __aiter__(self) -> Whole:
        return self

    async def __anext__(self) -> bytes:
        if not self._left:
            raise StopAsyncIteration
        return self._left.pop()


def form(*parts: tuple[str, bytes]) -> bytes:
    """A multipart body whose files have names, as files do."""
    body = b""
    for name, value in parts:
        file_name = '; filename="x"' if name == "file" else ""
        body += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file_name}\r\n\r\n'.encode()
        body += value + b"\r\n"
    return body + f"--{BOUNDARY}--\r\n".encode()


async def delete(person: Person, *items: Item) -> httpx.Response:
    """All of them."""
    return await person.ask("POST", "/1/bundle/delete", json={"items": items})


def results(response: httpx.Response) -> list[Any]:
    """One for each item: an error as status and type, else what was answered."""
    found = found_in(response)["results"]
    return [(each["status"], each["errorType"]) if "errorType" in each else each for each in found]


async def tree(person: Person) -> dict[str, bytes]:
    """The names in the root with their contents."""
    return {name: (await person.download(f"/{name}")).content for name in await person.names("/")}


# ------------------------------------------------------------ uploads


async def test_many_files_come_in_one_request(ann: Person) -> None:
    """Each is answered as alone, in the order of the items."""
    contents = {
        "a": b"one",
        "b": b"",
        "c": b"\r\n--" + BOUNDARY[:-1].encode() + b"\r\n",
        "d": bytes(range(256)) * 1_000,
    }

    found = results(
        await put(ann, *((new(f"/{name}", size=len(content)), content) for name, content in contents.items()))
    )

    assert [(file["name"], file["size"], file["version"]) for file in found] == [
        (name, len(content), 1) for name, content in contents.items()
    ]
    assert found == [await ann.describe(f"/{name}") for name in contents]
    assert await tree(ann) == contents


async def test_a_bundle_is_one_change_of_its_folder(ann: Person) -> None:
    """Whoever follows hears of each file, and of the folder once."""
    await ann.tell("mkdir", "/folder")
    folder, cursor = await ann.describe("/folder"), (await ann.news())["cursor"]

    await put(ann, *((new(f"/folder/{name}"), name.encode()) for name in "abc"))

    assert (await ann.describe("/folder"))["version"] == folder["version"] + 1
    assert [(change["kind"], change["path"].partition(":")[2]) for change in (await ann.news(cursor))["changes"]] == [
        ("created", "/folder/a"),
        ("created", "/folder/b"),
        ("created", "/folder/c"),
        ("updated", "/folder"),
    ]


async def test_what_is_refused_in_a_bundle_leaves_no_trace_in_the_log(store: Store, ann: Person) -> None:
    """The others are told of once, though all were tried a second time."""
    await ann.upload("/there", b"old")
    cursor = (await ann.news())["cursor"]

    await put(ann, (new("/a"), b"new"), (new("/there", ifVersion=7), b"newer"), (new("/b"), b"new"))

    told = [(change["kind"], change["path"].partition(":")[2]) for change in (await ann.news(cursor))["changes"]]
    assert told == [("created", "/a"), ("created", "/b"), ("updated", "/")]
    assert rows(store, "SELECT object FROM feed WHERE object NOT IN (SELECT id FROM nodes)") == []


async def test_what_stands_beside_a_file_is_kept(ann: Person) -> None:
    """Its time and its type."""
    item = new("/a", modified="2001-02-03T04:05:06.789Z", file_content_type="image/jpeg")

    (file,) = results(await put(ann, (item, b"one")))

    assert file["modified"] == "2001-02-03T04:05:06.789Z"
    assert (await ann.download("/a")).headers["content-type"] == "image/jpeg"


async def test_an_existing_file_gets_its_next_version(ann: Person) -> None:
    """By its UUID, wherever it is; the same file twice gets two."""
    file = await ann.put("/a", b"one")

    found = results(await put(ann, (new(file["id"], ifVersion=1), b"two"), (new("/a", ifVersion=2), b"three")))

    assert [(each["id"], each["version"]) for each in found] == [(file["id"], 2), (file["id"], 3)]
    assert await tree(ann) == {"a": b"three"}


async def test_one_refusal_is_not_the_others(ann: Person, ben: Person) -> None:
    """Whatever the reason: the others are there, and nothing of what was refused is."""
    await ann.make("/folder")
    other = await ann.put("/old", b"old")
    refused = [
        (new("/missing/a"), b"x", (404, "NotFound")),
        (new("/folder"), b"x", (409, "IsADirectory")),
        (new("/old/a"), b"x", (409, "NotADirectory")),
        (new("/"), b"x", (409, "IsADirectory")),
        (new("/" + "x" * 256), b"x", (400, "NameTooLong")),
        ({"path": "/a"}, b"x", (400, "InvalidPath")),
        ({"path": f"{ben.id}:/a"}, b"x", (404, "NotFound")),
        (new("/old", ifVersion=0), b"x", (412, "VersionConflict")),
        (new("/old", ifVersion=7), b"x", (412, "VersionConflict")),
        (new("/new", ifVersion=1), b"x", (412, "VersionConflict")),
        (new("/folder/a", ifParent=other["id"]), b"x", (404, "NotFound")),
        (new("/a", modified="yesterday"), b"x", (400, "InvalidRequest")),
        (new("/a", size=5), b"x", (400, "InvalidRequest")),
        (new("/a"), b"x" * (limits.BUNDLE_ITEM_BYTES_MAX + 1), (413, "RequestTooLarge")),
    ]
    bundle = [(new("/first"), b"1"), *((item, content) for item, content, _ in refused), (new("/last"), b"2")]

    first, *found, last = results(await put(ann, *bundle))

    assert found == [expected for _, _, expected in refused]
    assert (first["name"], last["name"]) == ("first", "last")
    assert await ann.names("/") == ["first", "folder", "last", "old"]
    assert (await ann.download("/old")).content == b"old"


async def test_what_does_not_fit_is_refused_and_what_fits_is_kept(ann: Person) -> None:
    """The quota is counted item by item."""
    large, small = b"x" * 600_000, b"y" * 300_000

    found = results(await put(ann, (new("/a"), large), (new("/b"), large), (new("/c"), small)))

    assert [found[0]["name"], found[1], found[2]["name"]] == ["a", (507, "QuotaExceeded"), "c"]
    quota = found_in(await ann.ask("GET", "/1/users/self"))["profile"]["quota"]
    assert quota["totalConsumedWithVersions"] == len(large) + len(small)


async def test_a_refused_file_leaves_no_bytes(store: Store, ann: Person) -> None:
    """Neither as a row nor as a file, whole or half."""
    large = b"x" * (limits.SMALL_BYTES_MAX + 1)
    await put(ann, (new("/missing/a"), b"small"), (new("/missing/b"), large))

    assert rows(store, "SELECT count(*) FROM contents")[0] == (0,)
    assert rows(store, "SELECT count(*) FROM small")[0] == (0,)
    folders = (store.directory / "content", store.directory / "incoming")
    assert {path.name for folder in folders for path in folder.rglob("*") if path.is_file()} <= {"lock"}


async def test_what_was_put_together_is_got_together(ann: Person) -> None:
    """Rows and files alike."""
    sizes = [0, 1, limits.SMALL_BYTES_MAX, limits.SMALL_BYTES_MAX + 1, 300_000]
    contents = [bytes([number]) * size for number, size in enumerate(sizes)]

    files = results(await put(ann, *((new(f"/{number}"), content) for number, content in enumerate(contents))))

    assert [part.content for part in parts_of(await wanted(ann, *files))] == contents


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no form",
        form(),
        form(("items", b"[]"), ("file", b"x")),
        form(("items", b'[{"path": "self:/a"}]')),
        form(("items", b'[{"path": "self:/a"}]'), ("file", b"x"), ("file", b"y")),
        form(("file", b"x")),
        form(("items", b"{}"), ("file", b"x")),
        form(("items", b'[{"path": 5}]'), ("file", b"x")),
        form(("items", b'[{"path": "self:/a", "ifVersion": -1}]'), ("file", b"x")),
        form(("items", b'[{"path": "self:/a", "size": 1.5}]'), ("file", b"x")),
        form(("items", b"\xff"), ("file", b"x")),
        form(("items", b'[{"path": "self:/a"}]'), ("file", b"x"))[:-6],
        form(("items", b"[" + b",".join([b'{"path": "self:/a"}'] * 257) + b"]"), *[("file", b"x")] * 257),
    ],
)
async def test_what_is_no_bundle_is_refused_whole(ann: Person, body: bytes) -> None:
    """Nothing of it is there."""
    assert refusal_of(await send(ann, body)) == (400, "InvalidRequest")
    assert await ann.names("/") == []


async def test_more_bytes_than_a_bundle_holds_are_refused_whole(ann: Person) -> None:
    """By what was announced, or when they have come."""
    items = [(new(f"/{number}"), b"x" * 1_000_000) for number in range(9)]

    assert refusal_of(await put(ann, *items)) == (413, "RequestTooLarge")
    refused = await announce(ann, form(("items", b"[]")), limits.BUNDLE_BODY_BYTES_MAX + 1)
    assert refusal_of(refused) == (413, "RequestTooLarge")
    assert await ann.names("/") == []


async def test_a_list_over_its_limit_is_refused_whole(ann: Person) -> None:
    """However little comes behind it."""
    items = b" " * (limits.BUNDLE_LIST_BYTES_MAX + 1)

    assert refusal_of(await send(ann, form(("items", items)))) == (413, "RequestTooLarge")


async def test_unknown_fields_are_ignored(ann: Person) -> None:
    """Of other servers and other times, in the form as in its items."""
    items = json.dumps([new("/a", colour="blue")]).encode()

    found = results(await send(ann, form(("future", b"1"), ("items", items), ("file", b"x"), ("more", b""))))

    assert [file["name"] for file in found] == ["a"]


# ------------------------------------------------------------ deletions


async def test_many_objects_go_in_one_request(ann: Person) -> None:
    """By path or UUID; a folder when what is before it in the list has left it empty."""
    await ann.make("/folder")
    inside, other = await ann.put("/folder/a", b"one"), await ann.put("/b", b"two")
    await ann.put("/c", b"three")

    found = results(
        await delete(ann, new(inside["id"], ifVersion=1), new("/folder"), new(other["id"]), new("/c", ifVersion=1))
    )

    assert found == [{"status": "ok"}] * 4
    assert await ann.names("/") == []
    quota = found_in(await ann.ask("GET", "/1/users/self"))["profile"]["quota"]
    assert quota["totalConsumedWithVersions"] == 0


async def test_what_cannot_go_stays_and_the_rest_goes(ann: Person, ben: Person) -> None:
    """A newer version, a folder with something in it, somebody else's, what is not there."""
    await ann.make("/folder")
    await ann.put("/folder/a", b"one")
    await ann.put("/newer", b"one")
    await ann.put("/newer", b"two")
    await ann.put("/last", b"three")
    other = await ben.put("/his", b"four")

    found = results(
        await delete(
            ann,
            new("/newer", ifVersion=1),
            new("/folder"),
            {"path": f"{ben.id}:{other['id']}"},
            new("/missing"),
            new("/"),
            new("/last", ifVersion=1),
        )
    )

    assert found == [
        (412, "VersionConflict"),
        (409, "NotEmpty"),
        (404, "NotFound"),
        (404, "NotFound"),
        (400, "InvalidPath"),
        {"status": "ok"},
    ]
    assert await ann.names("/") == ["folder", "newer"]
    assert await ben.names("/") == ["his"]


async def test_contents_that_nobody_has_any_more_are_swept(store: Store, ann: Person) -> None:
    """When there are enough of them."""
    for start in range(0, 600, 200):
        await put(ann, *((new(f"/{number}"), b"%d" % number) for number in range(start, start + 200)))
    for start in range(0, 600, 200):
        found = results(await delete(ann, *(new(f"/{number}") for number in range(start, start + 200))))
        assert found == [{"status": "ok"}] * 200

    assert rows(store, "SELECT count(*) FROM small")[0][0] < 500


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"items": [5]}', b'{"items": [{"path": "self:/a", "ifVersion": "1"}]}']
)
async def test_what_is_no_list_of_objects_is_refused_whole(ann: Person, body: bytes) -> None:
    """Nothing goes."""
    await ann.put("/a", b"x")

    assert refusal_of(await ann.ask("POST", "/1/bundle/delete", content=body)) == (400, "InvalidRequest")
    assert await ann.names("/") == ["a"]


async def test_a_reader_changes_nothing_by_bundle(store: Store, ann: Person, ben: Person) -> None:
    """Item by item AccessDenied."""
    group = administration.add_group(store, "band", owner="ann", quota_bytes=1_000)
    administration.set_member(store, "band", "ben", "reader")
    await ann.as_seen_in(group).put("/song", b"la la")
    song = {"path": f"{group}:/song"}

    assert results(await put(ben, (song, b"no"))) == [(403, "AccessDenied")]
    assert results(await delete(ben, song)) == [(403, "AccessDenied")]
    assert (await ann.as_seen_in(group).download("/song")).content == b"la la"


async def test_only_what_was_taken_is_kept(ann: Person, store: Store) -> None:
    """Those of the others are, and those that were there before."""
    await put(ann, (new("/taken"), b"taken"), (new("/refused", ifVersion=7), b"refused"))
    await put(ann, (new("/refused", ifVersion=7), b"taken"))

    assert rows(store, "SELECT size FROM contents") == [(len(b"taken"),)]
