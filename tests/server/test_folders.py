"""Browsing: list, info, mkdir. Contract: docs/protocol.md, "File API"."""

from __future__ import annotations

import re

import pytest

from tests.server.person import Person, found_in, refusal_of


async def test_a_new_account_is_an_empty_folder(ann: Person) -> None:
    """The root is there from the start, and has neither a parent nor a name."""
    listed = found_in(await ann.page("/"))

    assert listed["entries"] == []
    assert (listed["offset"], listed["total"]) == (0, 0)
    assert listed["directory"]["isDir"] is True
    assert "parent" not in listed["directory"]


async def test_a_file_is_described_with_every_field_that_cx_showed(ann: Person) -> None:
    """Clients of the real service read these fields; `hello` has these checksums."""
    put = await ann.put("/a.txt", b"hello", modified="2001-02-03T04:05:06.789Z")

    root = found_in(await ann.page("/"))["directory"]
    assert {**put, "id": "?", "created": "?"} == {
        "id": "?",
        "version": 1,
        "name": "a.txt",
        "description": "",
        "size": 5,
        "created": "?",
        "modified": "2001-02-03T04:05:06.789Z",
        "isDir": False,
        "checksum": "qvTGHdzF6KLavt4PO0gs2a6pQ00",
        "checksumMethod": "SHA1",
        "md5checksum": "XUFAKrxLKna5cZ2REBfFkg",
        "shares": [],
        "stats": {"comments": 0},
        "suspended": False,
        "parent": root["id"],
    }
    assert re.fullmatch(r"[A-Za-z0-9_-]{22}", put["id"])
    assert re.fullmatch(r"2012-10-22T21:26:47\.7\d\dZ", put["created"])


async def test_info_list_and_upload_describe_a_file_alike(ann: Person) -> None:
    """A client may take a File from wherever it got it."""
    put = await ann.put("/a.txt", b"hello")

    described = await ann.describe("/a.txt")
    (entry,) = found_in(await ann.page("/"))["entries"]

    assert put == described == entry


async def test_mkdir_answers_with_the_new_folder(ann: Person) -> None:
    """[seen] the File of the new folder."""
    made = found_in(await ann.tell("mkdir", "/photos"))

    assert (made["name"], made["isDir"], made["size"]) == ("photos", True, 0)
    assert await ann.names("/") == ["photos"]


@pytest.mark.parametrize(
    ("path", "refusal"),
    [
        ("/photos", (409, "AlreadyExists")),
        ("/note.txt", (409, "AlreadyExists")),
        ("/", (409, "AlreadyExists")),
        ("/missing/new", (404, "NotFound")),
        ("/note.txt/new", (409, "NotADirectory")),
        ("/note.txt/deep/new", (409, "NotADirectory")),
    ],
)
async def test_mkdir_needs_a_free_name_in_a_folder_that_is_there(
    ann: Person, path: str, refusal: tuple[int, str]
) -> None:
    """A client that sent it twice must be able to tell."""
    await ann.make("/photos")
    await ann.put("/note.txt", b"")

    assert refusal_of(await ann.tell("mkdir", path)) == refusal


@pytest.mark.parametrize(
    ("path", "refusal"),
    [("/missing", (404, "NotFound")), ("/note.txt", (409, "NotADirectory")), ("/note.txt/x", (409, "NotADirectory"))],
)
async def test_only_a_folder_can_be_listed(ann: Person, path: str, refusal: tuple[int, str]) -> None:
    """A file and nothing are told apart."""
    await ann.put("/note.txt", b"")

    assert refusal_of(await ann.page(path)) == refusal


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["A", "a", "b", "é", "😀"]),
        ("?sortby=name&sortOrder=desc", ["😀", "é", "b", "a", "A"]),
        ("?sortby=size", ["b", "A", "a", "é", "😀"]),
        ("?sortby=size&sortOrder=desc", ["😀", "é", "a", "A", "b"]),
        ("?sortby=modified&sortOrder=asc", ["é", "A", "a", "b", "😀"]),
        ("?sortby=created", ["b", "😀", "a", "é", "A"]),
        ("?limit=2", ["A", "a"]),
        ("?offset=2&limit=2", ["b", "é"]),
        ("?offset=4&limit=2", ["😀"]),
        ("?offset=5", []),
        ("?offset=99&sortOrder=desc", []),
        ("?limit=100000", ["A", "a", "b", "é", "😀"]),
        ("?colour=blue", ["A", "a", "b", "é", "😀"]),
    ],
)
async def test_a_listing_is_sorted_and_cut_as_asked(ann: Person, query: str, names: list[str]) -> None:
    """Names compare byte by byte; what the server does not know is ignored."""
    for name, size, year in (("b", 0, 2003), ("😀", 9, 2004), ("a", 2, 2002), ("é", 3, 2000), ("A", 1, 2001)):
        await ann.put(f"/{name}", b"x" * size, modified=f"{year}-01-01T00:00:00.000Z")

    assert await ann.names("/", query) == names


async def test_pages_make_up_the_whole(ann: Person) -> None:
    """A client asks on until `total`; nothing is missed and nothing comes twice."""
    await ann.make(*(f"/{number:04}" for number in range(25)))

    pages = [found_in(await ann.page("/", f"?offset={offset}&limit=10")) for offset in (0, 10, 20)]

    assert [page["offset"] for page in pages] == [0, 10, 20]
    assert {page["total"] for page in pages} == {25}
    assert [entry["name"] for page in pages for entry in page["entries"]] == [f"{number:04}" for number in range(25)]


async def test_a_page_has_at_most_a_thousand_entries(ann: Person) -> None:
    """The limit, and the default; a larger `limit` is no error."""
    await ann.make("/source")
    await ann.make(*(f"/source/{number}" for number in range(32)))
    for number in range(32):
        await ann.tell("copy", "/source", to=f"self:/copy{number}")
    await ann.make("/all")
    for number in range(32):
        for name in await ann.names(f"/copy{number}"):
            await ann.tell("move", f"/copy{number}/{name}", to=f"self:/all/{number}-{name}")

    pages = [found_in(await ann.page("/all", query)) for query in ("", "?limit=5000", "?offset=1000")]

    assert [(len(page["entries"]), page["total"]) for page in pages] == [(1000, 1024), (1000, 1024), (24, 1024)]


@pytest.mark.parametrize(
    "query",
    [
        "?offset=-1",
        "?offset=x",
        "?offset=",
        "?limit=0",
        "?limit=1.5",
        "?limit=%D9%A1",
        "?sortby=colour",
        "?sortOrder=up",
        "?offset=9223372036854775808",
        "?offset=" + "9" * 5000,
    ],
)
async def test_a_page_that_cannot_be_meant_is_refused(ann: Person, query: str) -> None:
    """`limit=0` too: a client that asks on until `total` would never end."""
    assert refusal_of(await ann.page("/", query)) == (400, "InvalidRequest")


async def test_a_folders_version_tells_whether_its_listing_would_differ(ann: Person) -> None:
    """Added, filled anew, given a time, renamed, gone: five changes. What happens deeper does not count."""
    await ann.make("/folder")
    versions = [(await ann.describe("/folder"))["version"]]

    await ann.put("/folder/a", b"1")
    versions.append((await ann.describe("/folder"))["version"])
    await ann.put("/folder/a", b"2")
    versions.append((await ann.describe("/folder"))["version"])
    await ann.tell("update", "/folder/a", modified="2001-01-01T00:00:00Z")
    versions.append((await ann.describe("/folder"))["version"])
    await ann.tell("move", "/folder/a", to="self:/folder/b")
    versions.append((await ann.describe("/folder"))["version"])
    await ann.tell("delete", "/folder/b")
    versions.append((await ann.describe("/folder"))["version"])

    assert versions == [1, 2, 3, 4, 5, 6]


async def test_a_folders_time_moves_when_its_set_of_names_does(ann: Person) -> None:
    """As on a local disk: new content of an entry is not the folder's business."""
    await ann.make("/folder")
    made = (await ann.describe("/folder"))["modified"]

    await ann.put("/folder/a", b"1")
    entered = (await ann.describe("/folder"))["modified"]
    await ann.put("/folder/a", b"2")
    filled = (await ann.describe("/folder"))["modified"]

    assert made < entered == filled
