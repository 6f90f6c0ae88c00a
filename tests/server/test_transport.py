"""Upload and download, versions. Contract: docs/protocol.md, "Transport API"."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from cxfs.server.limits import SMALL_BYTES_MAX
from tests.server.person import FORM_HEADERS, Person, form, found_in, pieces, refusal_of
from tests.server.tables import rows

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from cxfs.server.store import Store

TEN = b"0123456789"


async def test_the_documented_upload_to_the_byte(visitor: httpx.AsyncClient, ann: Person) -> None:
    """[doc, seen] multipart/form-data with `file_content_type` and `file`."""
    body = (
        b"--AaB03x\r\n"
        b'Content-Disposition: form-data; name="file_content_type"\r\n'
        b"\r\n"
        b"image/jpeg\r\n"
        b"--AaB03x\r\n"
        b'Content-Disposition: form-data; name="file"; filename="2353.jpg"\r\n'
        b"Content-Type: image/jpeg\r\n"
        b"\r\n"
        b"\xff\xd8\r\n--AaB03\r\n--\xff\xd9\r\n"
        b"--AaB03x--\r\n"
    )

    answer = await visitor.post(
        f"/1/data/self:%2F2353.jpg?access_token={ann.token}&client_id=anything",
        content=body,
        headers={"Content-Type": "multipart/form-data; boundary=AaB03x"},
    )

    assert found_in(answer)["size"] == 17
    downloaded = await ann.download("/2353.jpg")
    assert downloaded.content == b"\xff\xd8\r\n--AaB03\r\n--\xff\xd9"
    assert downloaded.headers["content-type"] == "image/jpeg"


FIELDS = [("modified", b"2001-02-03T04:05:06.789Z"), ("ifVersion", b"0"), ("file", TEN), ("unheard-of", b"ignored")]


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
async def test_the_fields_of_an_upload_come_in_any_order(ann: Person, order: tuple[int, ...]) -> None:
    """Also behind the file; what the server does not know is ignored."""
    body = form(*(FIELDS[index] for index in order))

    answer = await ann.ask("POST", f"/1/data/{ann.path('/ten')}", content=body, headers=FORM_HEADERS)

    assert found_in(answer)["modified"] == "2001-02-03T04:05:06.789Z"
    assert (await ann.download("/ten")).content == TEN


@pytest.mark.parametrize("size", [1, 2, 7, 64, 10_000])
async def test_an_upload_may_arrive_in_any_pieces(ann: Person, size: int) -> None:
    """Without a Content-Length too."""
    content = b"\r\n--between-the-part\r\n-" * 20
    body = form(("file_content_type", b"text/plain"), ("file", content))

    answer = await ann.ask("POST", f"/1/data/{ann.path('/a')}", content=pieces(body, size), headers=FORM_HEADERS)

    assert found_in(answer)["size"] == len(content)
    assert (await ann.download("/a")).content == content


async def test_an_upload_over_an_existing_file_is_its_next_version(ann: Person) -> None:
    """[seen] it keeps its UUID; [ours] and its time of creation."""
    first = await ann.put("/note", b"one")

    second = await ann.put("/note", b"second")

    assert (second["id"], second["created"], second["version"]) == (first["id"], first["created"], 2)
    assert second["modified"] > first["modified"]
    assert (await ann.download("/note")).content == b"second"


@pytest.mark.parametrize(
    ("path", "refusal"),
    [
        ("/missing/new", (404, "NotFound")),
        ("/folder", (409, "IsADirectory")),
        ("/", (409, "IsADirectory")),
        ("/note/new", (409, "NotADirectory")),
        ("/..", (400, "InvalidPath")),
        ("AAAAAAAAAAAAAAAAAAAAAA", (404, "NotFound")),
    ],
)
async def test_an_upload_needs_a_folder_to_go_into(ann: Person, path: str, refusal: tuple[int, str]) -> None:
    """A missing parent is not made; a folder is not replaced."""
    await ann.make("/folder")
    await ann.put("/note", b"x")

    assert refusal_of(await ann.upload(path, b"x")) == refusal


@pytest.mark.parametrize(
    ("path", "if_version", "wins"),
    [
        ("/note", "2", True),
        ("/note", "1", False),
        ("/note", "3", False),
        ("/note", "0", False),
        ("/new", "0", True),
        ("/new", "1", False),
    ],
)
@pytest.mark.parametrize("last", ["file", "ifVersion"])
async def test_an_upload_can_be_for_one_version_only(
    ann: Person, path: str, if_version: str, *, wins: bool, last: str
) -> None:
    """The capability `conditional-upload`: 0 means that the name must be free. Also when it is said after the bytes."""
    await ann.put("/note", b"one")
    await ann.put("/note", b"two")
    fields = sorted([("ifVersion", if_version.encode()), ("file", b"mine")], key=lambda named: named[0] == last)

    answer = await ann.ask("POST", f"/1/data/{ann.path(path)}", content=form(*fields), headers=FORM_HEADERS)

    assert (answer.status_code, answer.json().get("errorType")) == ((200, None) if wins else (412, "VersionConflict"))
    assert (await ann.download("/note")).content == (b"mine" if wins and path == "/note" else b"two")


@pytest.mark.parametrize("size", [4, 300_000])
@pytest.mark.parametrize("last", ["file", "ifParent"])
async def test_an_upload_can_be_for_one_folder_only(ann: Person, *, last: str, size: int) -> None:
    """The capability `conditional-upload`: what comes late does not go into the folder that has got the name."""
    await ann.make("/folder")
    meant = await ann.describe("/folder")

    async def upload() -> httpx.Response:
        fields = [("ifParent", meant["id"].encode()), ("file", b"x" * size)]
        body = form(*sorted(fields, key=lambda named: named[0] == last))
        return await ann.ask("POST", f"/1/data/{ann.path('/folder/note')}", content=body, headers=FORM_HEADERS)

    kept = await upload()
    await ann.tell("move", "/folder", to=f"{ann.owner}:/elsewhere")
    await ann.make("/folder")
    late = await upload()

    assert kept.status_code == 200
    assert refusal_of(late) == (404, "NotFound")
    assert await ann.names("/folder") == []


async def test_a_refused_or_broken_upload_leaves_no_trace(store: Store, ann: Person) -> None:
    """Neither a version, nor bytes on the disk, nor a half-written file."""
    await ann.put("/note", b"old")
    kept = contents_of(store)
    whole = form(("file", b"new" * 1_000_000))

    broken = await ann.ask("POST", f"/1/data/{ann.path('/note')}", content=whole[:-100], headers=FORM_HEADERS)
    late = await ann.ask(
        "POST",
        f"/1/data/{ann.path('/note')}",
        content=form(("file", b"new"), ("ifVersion", b"7")),
        headers=FORM_HEADERS,
    )

    assert refusal_of(broken) == (507, "QuotaExceeded")
    assert refusal_of(late) == (412, "VersionConflict")
    assert (await ann.download("/note")).content == b"old"
    assert contents_of(store) == kept
    assert _files(store.directory / "incoming") <= {"lock"}


def _files(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


def contents_of(store: Store) -> set[str]:
    """Where each is kept: the number of a row, the name of a file."""
    return {str(content) for (content,) in rows(store, "SELECT content FROM small")} | large_contents_of(store)


def large_contents_of(store: Store) -> set[str]:
    """The names of files, or of objects in a bucket."""
    objects = rows(store, "SELECT stored_as FROM contents WHERE stored_as != ''")
    return {name for (name,) in objects} | _files(store.directory / "content")


@pytest.mark.parametrize("same", [b"same", b"same" * SMALL_BYTES_MAX], ids=["a row", "a file"])
async def test_equal_contents_are_kept_once(store: Store, ann: Person, ben: Person, same: bytes) -> None:
    """Whoever uploads them, and as long as one of them is there."""
    for person in (ann, ben):
        await person.put("/a", same)
        await person.put("/b", same)
    assert len(contents_of(store)) == 1

    await ann.tell("delete", "/a")
    await ben.tell("delete", "/b")
    store.sweep()

    assert (await ann.download("/b")).content == same
    await ann.tell("delete", "/b")
    await ben.tell("delete", "/a")
    store.sweep()
    assert contents_of(store) == set()


@pytest.mark.parametrize("size", [SMALL_BYTES_MAX - 1, SMALL_BYTES_MAX, SMALL_BYTES_MAX + 1])
async def test_a_content_is_the_same_whether_it_is_a_row_or_a_file(store: Store, ann: Person, size: int) -> None:
    """To the byte, and in any part; only the larger ones are files."""
    content = (b"0123456789" * SMALL_BYTES_MAX)[:size]
    await ann.put("/note", content)

    whole, part = await ann.download("/note"), await ann.download("/note", headers={"Range": "bytes=65530-"})

    assert (whole.content, part.content) == (content, content[65_530:])
    assert bool(large_contents_of(store)) == (size > SMALL_BYTES_MAX)


@pytest.mark.parametrize(
    ("asked", "status", "content", "content_range"),
    [
        (None, 200, TEN, None),
        ("bytes=0-9", 206, TEN, "bytes 0-9/10"),
        ("bytes=0-0", 206, b"0", "bytes 0-0/10"),
        ("bytes=2-5", 206, b"2345", "bytes 2-5/10"),
        ("bytes=9-", 206, b"9", "bytes 9-9/10"),
        ("bytes=5-99999", 206, b"56789", "bytes 5-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=-99", 206, TEN, "bytes 0-9/10"),
        ("Bytes= 1 - 2 ", 206, b"12", "bytes 1-2/10"),
        ("bytes=10-", 416, None, "bytes */10"),
        ("bytes=10-10", 416, None, "bytes */10"),
        ("bytes=99-100", 416, None, "bytes */10"),
        ("bytes=-0", 416, None, "bytes */10"),
        ("bytes=5-2", 200, TEN, None),
        ("bytes=-", 200, TEN, None),
        ("bytes=1-2,4-5", 200, TEN, None),
        ("bytes=a-b", 200, TEN, None),
        ("bytes 1-2", 200, TEN, None),
        ("lines=1-2", 200, TEN, None),
        ("bytes=1-" + "9" * 30, 200, TEN, None),
    ],
)
async def test_a_range_is_answered_with_the_range(
    ann: Person, asked: str | None, status: int, content: bytes | None, content_range: str | None
) -> None:
    """[doc]; RFC 9110, 14: what is not understood is the whole, what holds no byte is 416."""
    await ann.put("/ten", TEN)

    answer = await ann.download("/ten", headers={} if asked is None else {"Range": asked})

    assert (answer.status_code, answer.headers.get("content-range")) == (status, content_range)
    assert answer.headers["accept-ranges"] == "bytes"
    assert content is None or answer.content == content
    assert content is None or answer.headers["content-length"] == str(len(content))
    assert content is not None or refusal_of(answer) == (416, "RangeNotSatisfiable")


@pytest.mark.parametrize("asked", ["bytes=0-", "bytes=0-0", "bytes=-1"])
async def test_an_empty_file_has_no_range(ann: Person, asked: str) -> None:
    """There is no first byte."""
    await ann.put("/empty", b"")

    assert (await ann.download("/empty")).content == b""
    assert refusal_of(await ann.download("/empty", headers={"Range": asked})) == (416, "RangeNotSatisfiable")


@pytest.mark.parametrize(
    ("condition", "answer"),
    [
        ({"If-Range": '"2"'}, (206, b"12")),
        ({"If-Range": '"1"'}, (200, TEN)),
        ({"If-Range": 'W/"2"'}, (200, TEN)),
        ({"If-Range": "2"}, (200, TEN)),
        ({"If-Range": "Sat, 03 Feb 2001 04:05:06 GMT"}, (206, b"12")),
        ({"If-Range": "Sat, 03 Feb 2001 04:05:07 GMT"}, (200, TEN)),
        ({"If-Match": '"2"'}, (206, b"12")),
        ({"If-Match": '"1", "2"'}, (206, b"12")),
        ({"If-Match": "*"}, (206, b"12")),
        ({"If-Match": '"1"'}, (412, None)),
        ({"If-Match": 'W/"2"'}, (412, None)),
        ({"If-Match": '"1"', "If-Range": '"2"'}, (412, None)),
        ({"If-Match": '"2"', "If-Range": '"1"'}, (200, TEN)),
    ],
)
async def test_a_range_can_be_guarded_against_a_change_in_between(
    ann: Person, condition: dict[str, str], answer: tuple[int, bytes | None]
) -> None:
    """The ETag is the version number in quotes, a strong one. If-Match refuses, If-Range gives the whole."""
    await ann.put("/ten", b"before")
    await ann.put("/ten", TEN, modified="2001-02-03T04:05:06.789Z")

    got = await ann.download("/ten", headers={"Range": "bytes=1-2", **condition})

    assert (got.status_code, got.headers.get("etag")) == (answer[0], '"2"' if answer[1] else None)
    assert got.content == answer[1] or refusal_of(got) == (412, "VersionConflict")


async def test_a_download_says_what_it_is(ann: Person) -> None:
    """And a browser that is shown it runs nothing of it."""
    await ann.put("/page", b"<script>", file_content_type="text/html", modified="2001-02-03T04:05:06.789Z")

    headers = (await ann.download("/page")).headers

    assert headers["etag"] == '"1"'
    assert headers["last-modified"] == "Sat, 03 Feb 2001 04:05:06 GMT"
    assert headers["content-type"].startswith("text/html")
    assert headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in headers["content-security-policy"]


@pytest.mark.parametrize("kind", ["", "x" * 128, "text/§", "text/plain\r\nX-Evil: 1"])
async def test_a_content_type_that_is_none_becomes_octet_stream(ann: Person, kind: str) -> None:
    """It ends up in a header of every download."""
    await ann.put("/a", b"x", file_content_type=kind)

    headers = (await ann.download("/a")).headers

    assert headers["content-type"] == "application/octet-stream"
    assert "x-evil" not in headers


async def test_every_version_can_be_read_and_described(ann: Person) -> None:
    """The capability `versions`: newest first, each as it was."""
    put = [await ann.put("/note", text, modified=f"200{len(text)}-01-01T00:00:00Z") for text in (b"1", b"22", b"333")]

    listed = found_in(await ann.ask("GET", f"/1/files/versions/{ann.path('/note')}"))["versions"]

    assert listed == put[::-1]
    second = await ann.download("/note", "?version=2", {"Range": "bytes=1-"})
    assert (second.status_code, second.content, second.headers["etag"]) == (206, b"2", '"2"')
    assert refusal_of(await ann.download("/note", "?version=4")) == (404, "NotFound")
    assert refusal_of(await ann.download("/note", "?version=x")) == (400, "InvalidRequest")


async def test_sixty_four_former_versions_are_kept(ann: Person) -> None:
    """A limit: a database saved every second must not fill the account with its past."""
    for number in range(67):
        await ann.put("/note", str(number).encode())

    listed = found_in(await ann.ask("GET", f"/1/files/versions/{ann.path('/note')}"))["versions"]

    assert [each["version"] for each in listed] == list(range(67, 2, -1))


async def test_folders_have_neither_bytes_nor_versions(ann: Person) -> None:
    """A folder is told from a missing file."""
    await ann.make("/folder")

    assert refusal_of(await ann.download("/folder")) == (409, "IsADirectory")
    assert refusal_of(await ann.ask("GET", f"/1/files/versions/{ann.path('/folder')}")) == (409, "IsADirectory")


async def test_head_tells_what_get_would_send(ann: Person) -> None:
    """Without the bytes."""
    await ann.put("/ten", TEN)

    answer = await ann.ask("HEAD", f"/1/data/{ann.path('/ten')}")

    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", "10")
