"""Many small files in one answer: each is what was asked for, or has an error of its own."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import httpx
import pytest
import trio

from cxfs.core.entries import SELF, Uuid, UuidPath
from cxfs.core.errors import (
    BadReply,
    CxfsError,
    Denied,
    ServerTrouble,
    SignedOut,
    Stale,
    TimedOut,
    TooLarge,
    Unreachable,
)
from cxfs.remote.bundles import BYTES_MAX, ITEMS_MAX, BundleItem, Bundles
from tests.remote.fake_cx import OTHER_UUID, TOKEN, UUID, FakeCx, Pieces, refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxfs.remote.session import Session
    from tests.remote.account import Account

CONTENTS = [b"one", b"", b"\r\n--x--\r\n", bytes(range(256)) * 30]
PATHS = [UuidPath(SELF, Uuid(UUID)), UuidPath(SELF, Uuid(OTHER_UUID))] * 2
ITEMS = [
    BundleItem(path, version, len(content), hashlib.sha1(content).digest())
    for version, (path, content) in enumerate(zip(PATHS, CONTENTS, strict=True), start=3)
]


def part(content: bytes, *headers: str, boundary: str = "x", length: int | None = None) -> bytes:
    """One part, with these headers and its length."""
    lines = [f"--{boundary}", *headers, f"Content-Length: {len(content) if length is None else length}", "", ""]
    return "\r\n".join(lines).encode() + content + b"\r\n"


def content_part(content: bytes, version: int) -> bytes:
    return part(content, "Content-Type: application/octet-stream", f'ETag: "{version}"')


def error_part(status: int, kind: str) -> bytes:
    said = json.dumps({"errorType": kind, "message": "no", "status": status}).encode()
    return part(said, "Content-Type: application/json")


GOOD = [content_part(content, item.version) for content, item in zip(CONTENTS, ITEMS, strict=True)]
END = b"--x--\r\n"


def bundle(*pieces: bytes | float | Exception, kind: str = "multipart/mixed; boundary=x") -> httpx.Response:
    return httpx.Response(200, headers={"content-type": kind}, stream=Pieces(*pieces))


async def fetch(
    session: Session, items: Sequence[BundleItem] = ITEMS, found: list[bytes | CxfsError] | None = None
) -> list[bytes | CxfsError]:
    """What became of each item, which comes under its own number; in `found` also when there is no end."""
    found = [] if found is None else found
    async with Bundles(session).get(items) as parts:
        async for each in parts:
            assert each.index == len(found)
            found.append(each.content)
    return found


async def test_files_are_asked_for_together(session: Session, cx: FakeCx) -> None:
    """`POST /1/bundle/get` on the data host, each file under its UUID and at its version."""
    cx.answers(bundle(*GOOD, END))

    assert await fetch(session) == CONTENTS

    assert (cx.last.method, cx.last.host, cx.last.path) == ("POST", "data.cx.test", "/1/bundle/get")
    assert cx.last.headers["accept-encoding"] == "identity"
    assert json.loads(cx.last.body) == {"items": [{"path": str(item.path), "version": item.version} for item in ITEMS]}


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100, 5_000])
async def test_parts_are_found_however_the_answer_arrives(session: Session, cx: FakeCx, size: int) -> None:
    """A piece may end anywhere."""
    body = b"".join([*GOOD, END])
    cx.answers(bundle(*(body[at : at + size] for at in range(0, len(body), size))))

    assert await fetch(session) == CONTENTS


async def test_a_part_is_there_before_the_next_has_arrived(
    session: Session, cx: FakeCx, autojump_clock: object
) -> None:
    """Whoever waits for the first file does not wait for all."""
    cx.answers(bundle(GOOD[0], 30.0, *GOOD[1:], END))

    async with Bundles(session).get(ITEMS) as parts:
        first = await anext(aiter(parts))
        assert (first.content, trio.current_time()) == (CONTENTS[0], 0.0)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (error_part(404, "NotFound"), Stale),
        (error_part(403, "AccessDenied"), Denied),
        (error_part(413, "SomethingNew"), TooLarge),
        (error_part(500, "Internal"), ServerTrouble),
        (part(b"{}", "Content-Type: application/json"), BadReply),
        (part(b"<html>", "Content-Type: application/json"), BadReply),
        (part(b'{"status": []}', "Content-Type: application/json"), BadReply),
        (content_part(CONTENTS[0], 9), Stale),
        (content_part(b"other", 3), Stale),
        (content_part(b"ONE", 3), BadReply),
        (part(b"ONE", "Content-Type: text/plain", 'ETag: "of another kind"'), BadReply),
    ],
)
async def test_one_failure_is_not_the_others(
    session: Session, cx: FakeCx, said: bytes, expected: type[CxfsError]
) -> None:
    """It stands in the place of the content."""
    cx.answers(bundle(said, *GOOD[1:], END))

    first, *others = await fetch(session)

    assert type(first) is expected
    assert others == CONTENTS[1:]


async def test_an_items_error_holds_no_token(session: Session, cx: FakeCx) -> None:
    """Whatever the server repeats of our address."""
    said = json.dumps({"errorType": "Internal", "message": f"at /1/bundle/get?access_token={TOKEN}\nno"}).encode()
    cx.answers(bundle(part(said, "Content-Type: application/json"), END))

    (error,) = await fetch(session, ITEMS[:1])

    assert isinstance(error, ServerTrouble)
    assert TOKEN not in str(error)
    assert "\n" not in str(error)


async def test_a_tag_of_another_form_says_nothing(session: Session, cx: FakeCx) -> None:
    """The checksum does."""
    cx.answers(bundle(part(CONTENTS[0], 'ETag: "abc"'), *GOOD[1:], END))

    assert await fetch(session) == CONTENTS


async def test_files_in_another_order_are_not_taken_for_each_other(session: Session, cx: FakeCx) -> None:
    """Not even where length and version agree: there is the checksum."""
    contents = [b"one", b"two"]
    items = [BundleItem(PATHS[0], 3, 3, hashlib.sha1(content).digest()) for content in contents]
    cx.answers(bundle(content_part(b"two", 3), content_part(b"one", 3), END))

    assert [type(each) for each in await fetch(session, items)] == [BadReply, BadReply]


BROKEN: dict[str, tuple[httpx.Response, type[CxfsError]]] = {
    "no end": (bundle(*GOOD), Unreachable),
    "half a part": (bundle(*GOOD[:3], GOOD[3][:-100]), Unreachable),
    "half a head": (bundle(GOOD[0], b"--x\r\nContent-Type"), Unreachable),
    "nothing": (bundle(), Unreachable),
    "one too few": (bundle(*GOOD[:3], END), Unreachable),
    "one too many": (bundle(*GOOD, GOOD[0], END), BadReply),
    "something behind": (bundle(*GOOD, END, b"x"), BadReply),
    "something before": (bundle(b"hello\r\n", *GOOD, END), BadReply),
    "another boundary": (bundle(*GOOD, END, kind="multipart/mixed; boundary=y"), BadReply),
    "no boundary": (bundle(*GOOD, END, kind="multipart/mixed"), BadReply),
    "a page": (bundle(b"<html>", kind="text/html"), BadReply),
    "JSON": (bundle(b"{}", kind="application/json"), BadReply),
    "a length too small": (bundle(part(b"one", 'ETag: "3"', length=2), *GOOD[1:], END), BadReply),
    "a length too large": (bundle(part(b"one", 'ETag: "3"', length=4), *GOOD[1:], END), BadReply),
    "an endless length": (bundle(part(b"one", 'ETag: "3"', length=999_999_999)), BadReply),
    "a length over all numbers": (bundle(part(b"one", 'ETag: "3"', length=10**30)), BadReply),
    "a length below zero": (bundle(part(b"one", 'ETag: "3"', length=-3)), BadReply),
    "no length": (bundle(b'--x\r\nETag: "3"\r\n\r\none\r\n', *GOOD[1:], END), BadReply),
    "no kind": (bundle(part(b"one"), *GOOD[1:], END), BadReply),
    "an endless head": (bundle(b"--x\r\n" + b"X: y\r\n" * 10_000), BadReply),
    "an endless tail": (bundle(*GOOD, END, *[b" " * 65_536] * 64), BadReply),
    "a flood": (bundle(*[b" " * 65_536] * 64), BadReply),
    "a break": (bundle(GOOD[0], httpx.ReadError("reset")), Unreachable),
    "silence": (bundle(GOOD[0], 10_000.0), TimedOut),
    "packed": (httpx.Response(200, headers={"content-encoding": "gzip"}, stream=Pieces(*GOOD)), BadReply),
    "a refusal": (refusal(413, "RequestTooLarge"), TooLarge),
    "no such call": (refusal(404, "NotFound"), CxfsError),
    "a redirect": (httpx.Response(302, headers={"location": "https://evil.test/"}), BadReply),
    "trouble": (refusal(500), ServerTrouble),
    "no token": (refusal(401, "BadAuthToken", f"bad access_token={TOKEN}"), SignedOut),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_an_answer_that_is_no_bundle_is_an_error(
    session: Session, cx: FakeCx, name: str, autojump_clock: object
) -> None:
    """In one line that holds no token; what came before it was whole; the next bundle comes."""
    answer, expected = BROKEN[name]
    cx.answers(answer)
    found: list[bytes | CxfsError] = []

    with pytest.raises(expected) as failed:
        await fetch(session, found=found)

    assert "\n" not in str(failed.value)
    assert len(str(failed.value)) < 500
    assert TOKEN not in str(failed.value)
    assert found == CONTENTS[: len(found)]
    assert session.statistics().download.in_flight == 0
    cx.answers(bundle(*GOOD, END))
    assert await fetch(session) == CONTENTS


async def test_a_bundle_that_is_not_read_to_its_end_gives_its_place_back(session: Session, cx: FakeCx) -> None:
    """A reader may go away between two files."""
    cx.answers(bundle(*GOOD, END))

    for _ in range(20):
        async with Bundles(session).get(ITEMS) as parts:
            await anext(aiter(parts))

    assert session.statistics().download.in_flight == 0


async def test_what_nobody_waits_for_goes_in_the_background(session: Session, cx: FakeCx) -> None:
    """It takes no place of those that somebody waits for."""
    cx.answers(bundle(GOOD[0], END))

    async with Bundles(session, in_background=True).get(ITEMS[:1]) as parts:
        assert session.statistics().background.in_flight == 1
        assert [each.content async for each in parts] == [CONTENTS[0]]

    assert (session.statistics().download.requests, session.statistics().background.requests) == (0, 1)


@pytest.mark.parametrize("items", [[], ITEMS[:1] * (ITEMS_MAX + 1), [BundleItem(PATHS[0], 1, BYTES_MAX // 2 + 1)] * 2])
async def test_more_than_a_bundle_holds_is_never_asked_for(session: Session, items: list[BundleItem]) -> None:
    """The caller's mistake, not the server's."""
    with pytest.raises(ValueError, match="no bundle"):
        await fetch(session, items)


async def test_files_on_our_own_server_come_in_a_bundle(ours: Account) -> None:
    """Whole, and each at the version asked for."""
    entries = [await ours.puts(f"self:/{number}", content) for number, content in enumerate(CONTENTS)]
    await ours.puts("self:/0", b"newer")
    items = [BundleItem(entry.path, entry.version, entry.size, entry.sha1) for entry in entries]

    assert await fetch(ours.session, items) == CONTENTS


async def test_a_file_that_is_gone_from_our_own_server_is_stale(ours: Account) -> None:
    """As it is alone."""
    entries = [await ours.puts(f"self:/{number}", content) for number, content in enumerate(CONTENTS)]
    await ours.files.delete(entries[1].path, recursive=False)
    items = [BundleItem(entry.path, entry.version, entry.size, entry.sha1) for entry in entries]

    found = await fetch(ours.session, items)

    assert type(found[1]) is Stale
    assert [found[0], *found[2:]] == [CONTENTS[0], *CONTENTS[2:]]
