"""Many files in one answer. Contract: docs/protocol.md, "Bundles"."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cxfs.server import administration, limits
from tests.server.bundle import parts_of, wanted
from tests.server.person import found_in, refusal_of

if TYPE_CHECKING:
    from cxfs.server.store import Store
    from tests.server.person import Person


async def test_the_files_come_in_the_order_asked(ann: Person) -> None:
    """Each with its length and its version's tag; the same one twice comes twice."""
    first, second = await ann.put("/a", b"one"), await ann.put("/b", b"two!")

    parts = parts_of(await wanted(ann, second, first, second))

    assert [part.content for part in parts] == [b"two!", b"one", b"two!"]
    assert [part.headers["etag"] for part in parts] == ['"1"', '"1"', '"1"']
    assert {part.headers["content-type"] for part in parts} == {"application/octet-stream"}


async def test_content_of_any_bytes_comes_whole(ann: Person) -> None:
    """What looks like the end of a part is content where the length says so; nothing is content too."""
    contents = [b"\r\n--", b"", bytes(range(256)) * 400, b"\r\n\r\n--\r\n"]
    files = [await ann.put(f"/{number}", content) for number, content in enumerate(contents)]

    parts = parts_of(await wanted(ann, *files))

    assert [part.content for part in parts] == contents


async def test_a_former_version_is_asked_for_by_its_number(ann: Person) -> None:
    """And without a number the current one."""
    former = await ann.put("/a", b"one")
    await ann.put("/a", b"two")

    parts = parts_of(await ask(ann, {"path": path_of(ann, former), "version": 1}, {"path": path_of(ann, former)}))

    assert [(part.content, part.headers["etag"]) for part in parts] == [(b"one", '"1"'), (b"two", '"2"')]


async def test_one_failure_is_not_the_others(ann: Person) -> None:
    """Its part holds the error that it would have got alone."""
    await ann.make("/folder")
    good = await ann.put("/good", b"good")

    parts = parts_of(
        await ask(
            ann,
            {"path": "self:/missing"},
            {"path": path_of(ann, good), "version": 7},
            {"path": "self:/folder"},
            {"path": "no path"},
            {"path": path_of(ann, good)},
        )
    )

    assert [part.refusal for part in parts[:-1]] == [
        (404, "NotFound"),
        (404, "NotFound"),
        (409, "IsADirectory"),
        (400, "InvalidPath"),
    ]
    assert parts[-1].content == b"good"


async def test_somebody_elses_file_is_not_found(ann: Person, ben: Person) -> None:
    """As it is alone."""
    secret = await ann.put("/secret", b"secret")

    parts = parts_of(await ask(ben, {"path": f"{ann.id}:{secret['id']}"}, {"path": f"self:{secret['id']}"}))

    assert [part.refusal for part in parts] == [(404, "NotFound")] * 2


async def test_a_reader_of_a_group_gets_its_files(store: Store, ann: Person, ben: Person) -> None:
    """Reading is what readers may."""
    group = administration.add_group(store, "band", owner="ann", quota_bytes=1_000)
    administration.set_member(store, "band", "ben", "reader")
    song = await ann.as_seen_in(group).put("/song", b"la la")

    parts = parts_of(await wanted(ben.as_seen_in(group), song))

    assert [part.content for part in parts] == [b"la la"]


async def test_a_large_file_is_no_part_of_a_bundle(ann: Person) -> None:
    """It is refused by itself; what stands beside it comes."""
    administered = await ann.put("/large", b"x" * 600_000)
    small = await ann.put("/small", b"y")
    limit = limits.BUNDLE_ITEM_BYTES_MAX
    assert limit < 2 * 600_000

    parts = parts_of(await wanted(ann, *[administered] * 14, small))

    assert [len(part.content) for part in parts if part.refusal is None] == [600_000] * 13 + [1]
    assert parts[13].refusal == (413, "RequestTooLarge")


async def test_what_the_page_cache_has_not_got_is_read_all_the_same(store: Store, ann: Person) -> None:
    """By a thread; here the pages are dropped first, where the file system does that."""
    files = [await ann.put(f"/{number}", bytes([number]) * 5_000) for number in range(5)]
    for path in (store.directory / "content").rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)

    parts = parts_of(await wanted(ann, *files))

    assert [part.content for part in parts] == [bytes([number]) * 5_000 for number in range(5)]


async def test_no_file_stays_open(ann: Person) -> None:
    """However the parts ended."""
    files = [await ann.put(f"/{number}", b"x") for number in range(100)]
    before = open_files()

    parts_of(await wanted(ann, *files))

    assert open_files() == before


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"items": {}}',
        b'{"items": [{}]}',
        b'{"items": [{"path": 5}]}',
        b'{"items": [{"path": "self:/a", "version": -1}]}',
        b'{"items": [{"path": "self:/a", "version": 9223372036854775808}]}',
        b'{"items": [{"path": "\\ud800"}]}',
        b'{"items": ' + b"[" * 10_000,
        b'{"items": [' + b",".join([b'{"path": "self:/a"}'] * 257) + b"]}",
        b"\xff\xfe",
    ],
)
async def test_what_is_no_list_of_items_is_refused_whole(ann: Person, body: bytes) -> None:
    """Before anything is looked for."""
    assert refusal_of(await ann.ask("POST", "/1/bundle/get", content=body)) == (400, "InvalidRequest")


async def test_an_empty_bundle_is_empty(ann: Person) -> None:
    """Nobody asks for it, and it is no error."""
    assert parts_of(await ask(ann)) == []


async def test_a_list_over_its_limit_is_refused(ann: Person) -> None:
    """Unread."""
    body = b" " * (limits.BUNDLE_LIST_BYTES_MAX + 1)

    assert refusal_of(await ann.ask("POST", "/1/bundle/get", content=body)) == (413, "RequestTooLarge")


async def test_the_server_tells_that_it_has_bundles(ann: Person) -> None:
    """By its capability."""
    assert "bundle" in found_in(await ann.ask("GET", "/1/capabilities"))["capabilities"]


def open_files() -> int:
    """Of this process, the server's."""
    return len(list(Path("/proc/self/fd").iterdir()))


def path_of(person: Person, file: dict[str, Any]) -> str:
    return f"{person.owner}:{file['id']}"


async def ask(person: Person, *items: dict[str, Any]) -> Any:
    return await person.ask("POST", "/1/bundle/get", json={"items": items})
