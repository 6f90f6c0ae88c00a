"""Many small uploads or deletions in one request: each is confirmed, or has an error of its own."""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from cxfs.core.entries import SELF, Entry, TreePath, Uuid, UuidPath
from cxfs.core.errors import (
    BadReply,
    CxfsError,
    Denied,
    NoSpace,
    NotEmpty,
    NotFound,
    ServerTrouble,
    SignedOut,
    TooLarge,
    Unreachable,
    VersionConflict,
)
from cxfs.remote.bundles import BYTES_MAX, ITEMS_MAX, PIECE_BYTES, BundleRemoval, Bundles, BundleUpload
from cxfs.remote.session import open_session
from tests.remote.fake_cx import OTHER_UUID, TOKEN, UUID, FakeCx, Heard, Pieces, file, refusal
from tests.remote.test_uploads import parts_of

if TYPE_CHECKING:
    from cxfs.core.entries import Path
    from cxfs.remote.session import Session
    from cxfs.remote.urls import ServiceUrls
    from tests.remote.account import Account

CONTENTS = [b"hello", b"", bytes(range(256)) * 30]
PATHS: list[Path] = [
    TreePath.parse("self:/photos/2353.jpg"),
    TreePath.parse("self:/größe %2F"),
    UuidPath(SELF, Uuid(UUID)),
]
GONE = [BundleRemoval(UuidPath(SELF, Uuid(UUID)), 3), BundleRemoval(UuidPath(SELF, Uuid(OTHER_UUID)), None)]


def uploads(sent: list[int] | None = None) -> list[BundleUpload]:
    """One of each kind; what was handed over of them is noted in `sent`."""
    on_sent = (sent if sent is not None else []).append
    return [
        BundleUpload(path, content, 1_350_941_207_700, version, "2353.jpg", on_sent)
        for version, (path, content) in enumerate(zip(PATHS, CONTENTS, strict=True))
    ]


def confirmed(content: bytes, **changes: Any) -> dict[str, Any]:
    """What a server that took the content says of it."""
    sha1, md5 = hashlib.sha1(content).digest(), hashlib.md5(content).digest()
    told = {"checksum": in_base64(sha1), "md5checksum": in_base64(md5), "size": len(content), **changes}
    return file(**told)


def in_base64(digest: bytes) -> str:
    return urlsafe_b64encode(digest).decode().rstrip("=")


def error(status: int, kind: str, message: str = "no") -> dict[str, Any]:
    return {"errorType": kind, "message": message, "status": status}


def results(*found: Any) -> httpx.Response:
    return httpx.Response(200, json={"results": found})


GOOD = [confirmed(content) for content in CONTENTS]


async def test_files_are_sent_together(session: Session, cx: FakeCx) -> None:
    """`POST /1/bundle/put` on the data host: first the list, then the contents in its order."""
    cx.answers(results(*GOOD))

    entries = await Bundles(session).put(uploads())

    assert [entry.sha1 for entry in entries if isinstance(entry, Entry)] == [hashlib.sha1(c).digest() for c in CONTENTS]
    assert (cx.last.method, cx.last.host, cx.last.path) == ("POST", "data.cx.test", "/1/bundle/put")
    assert int(cx.last.headers["content-length"]) == len(cx.last.body)
    (_, first), *files = parts_of(cx.last)
    listed = first.get_payload(decode=True)
    assert isinstance(listed, bytes)
    assert json.loads(listed) == [
        {
            "path": str(path),
            "modified": "2012-10-22T21:26:47.700Z",
            "ifVersion": version,
            "size": len(content),
            "file_content_type": "image/jpeg",
        }
        for version, (path, content) in enumerate(zip(PATHS, CONTENTS, strict=True))
    ]
    assert [name for name, _ in files] == ["file"] * len(CONTENTS)
    assert all(b"\r\n\r\n" + content + b"\r\n--" in cx.last.body for content in CONTENTS)


async def test_it_is_told_what_was_handed_over(session: Session, cx: FakeCx) -> None:
    """Once for each file, when its last byte went out."""
    cx.answers(results(*GOOD))
    sent: list[int] = []

    await Bundles(session).put(uploads(sent))

    assert sent == [len(content) for content in CONTENTS]


async def test_a_large_bundle_goes_out_in_pieces(session: Session, cx: FakeCx) -> None:
    """What the connection takes at a time."""
    content = b"x" * (PIECE_BYTES // 2 + 1)
    many = [BundleUpload(PATHS[0], content, 0, None, "a", lambda _: None)] * 5
    cx.answers(results(*[confirmed(content)] * 5))

    entries = await Bundles(session).put(many)

    assert all(isinstance(entry, Entry) for entry in entries)
    assert cx.last.body.count(content) == 5
    assert "ifVersion" not in cx.last.body.decode()


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (error(412, "VersionConflict"), VersionConflict),
        (error(507, "QuotaExceeded"), NoSpace),
        (error(404, "NotFound"), NotFound),
        (error(413, "SomethingNew"), TooLarge),
        ({"errorType": "AccessDenied"}, Denied),
        (error(500, "Internal", f"at ?access_token={TOKEN}\nno"), ServerTrouble),
        (confirmed(b"HELLO"), BadReply),
        (confirmed(b"HELLO", checksum=None), BadReply),
        (confirmed(b"hello", size=4), BadReply),
        (confirmed(b"hello", isDir=True), BadReply),
        (confirmed(b"hello", id="no UUID"), BadReply),
        ({}, BadReply),
        ([], BadReply),
        (None, BadReply),
        ("ok", BadReply),
    ],
)
async def test_one_refusal_is_not_the_others(
    session: Session, cx: FakeCx, said: Any, expected: type[CxfsError]
) -> None:
    """In one line that holds no token."""
    cx.answers(results(said, *GOOD[1:]))

    first, *others = await Bundles(session).put(uploads())

    assert isinstance(first, expected)
    assert TOKEN not in str(first)
    assert "\n" not in str(first)
    assert [isinstance(each, Entry) for each in others] == [True, True]


@pytest.mark.parametrize("changes", [{"checksum": None}, {"checksum": None, "md5checksum": None}])
async def test_a_server_without_checksums_is_believed_by_the_size(
    session: Session, cx: FakeCx, changes: dict[str, Any]
) -> None:
    """As a single upload is."""
    cx.answers(results(*(confirmed(content, **changes) for content in CONTENTS)))

    assert [isinstance(each, Entry) for each in await Bundles(session).put(uploads())] == [True] * 3


BROKEN: dict[str, tuple[httpx.Response | Exception, type[CxfsError]]] = {
    "one too few": (results(*GOOD[:2]), BadReply),
    "one too many": (results(*GOOD, GOOD[0]), BadReply),
    "none": (results(), BadReply),
    "no list": (httpx.Response(200, json={"results": {}}), BadReply),
    "another object": (httpx.Response(200, json={"status": "ok"}), BadReply),
    "half an object": (httpx.Response(200, stream=Pieces(b'{"results": [{')), BadReply),
    "nothing": (httpx.Response(200, stream=Pieces(b"")), BadReply),
    "a nest": (httpx.Response(200, stream=Pieces(b'{"results": ' + b"[" * 50_000)), BadReply),
    "a success that is none": (httpx.Response(201, json={"results": GOOD}), CxfsError),
    "a redirect": (httpx.Response(302, headers={"location": "https://evil.test/"}), CxfsError),
    "a refusal": (refusal(413, "RequestTooLarge"), TooLarge),
    "trouble": (refusal(500), ServerTrouble),
    "a break": (httpx.ReadError(f"reset at ?access_token={TOKEN}"), Unreachable),
    "no token": (refusal(401, "BadAuthToken", f"bad access_token={TOKEN}"), SignedOut),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_no_broken_answer_counts_as_success(
    session: Session, cx: FakeCx, name: str, autojump_clock: object
) -> None:
    """For none of them, uploads or deletions."""
    answer, expected = BROKEN[name]
    cx.answers(answer)
    bundles = Bundles(session)

    with pytest.raises(expected) as failed:
        await bundles.put(uploads())
    with pytest.raises(expected) as failed_too:
        await bundles.delete([GONE[0]] * 3)

    for said in (str(failed.value), str(failed_too.value)):
        assert TOKEN not in said
        assert "\n" not in said
    statistics = session.statistics()
    assert (statistics.upload.in_flight, statistics.background.in_flight) == (0, 0)


async def test_more_than_a_bundle_holds_is_never_sent(session: Session, cx: FakeCx) -> None:
    """The caller's mistake, not the server's."""
    large = BundleUpload(PATHS[0], b"x" * (BYTES_MAX // 2 + 1), 0, None, "a", lambda _: None)
    bundles = Bundles(session)

    for too_much in ([], uploads()[:1] * (ITEMS_MAX + 1), [large] * 2):
        with pytest.raises(ValueError, match="no bundle"):
            await bundles.put(too_much)
    with pytest.raises(ValueError, match="no bundle"):
        await bundles.delete(GONE[:1] * (ITEMS_MAX + 1))

    assert cx.heard == []


# ------------------------------------------------------------ deletions


async def test_objects_are_deleted_together(session: Session, cx: FakeCx) -> None:
    """`POST /1/bundle/delete` on the api host: a file at its version, a folder if it is empty."""
    cx.answers(results({"status": "ok"}, error(409, "NotEmpty")))

    gone, kept = await Bundles(session).delete(GONE)

    assert gone is None
    assert isinstance(kept, NotEmpty)
    assert (cx.last.method, cx.last.host, cx.last.path) == ("POST", "api.cx.test", "/1/bundle/delete")
    assert json.loads(cx.last.body) == {
        "items": [{"path": f"self:{UUID}", "ifVersion": 3}, {"path": f"self:{OTHER_UUID}"}]
    }


@pytest.mark.parametrize("said", [None, 1, "ok", []])
async def test_only_an_object_says_that_something_is_gone(session: Session, cx: FakeCx, said: Any) -> None:
    """What cannot be understood is no success."""
    cx.answers(results(said, {"status": "ok"}))

    first, second = await Bundles(session).delete(GONE)

    assert isinstance(first, BadReply)
    assert second is None


async def test_what_a_lost_answer_had_deleted_is_gone(session: Session, cx: FakeCx, autojump_clock: object) -> None:
    """The repeated request finds nothing, because the first one did what it should; else nothing there is an error."""
    missing = results(error(404, "NotFound"), error(412, "VersionConflict"))
    cx.answers(httpx.ReadError("reset"), missing)

    repeated = await Bundles(session).delete(GONE)
    at_once = await Bundles(session).delete(GONE)

    assert repeated[0] is None
    assert isinstance(repeated[1], VersionConflict)
    assert isinstance(at_once[0], NotFound)


# ------------------------------------------------------------ our own server


async def test_files_go_to_our_own_server_in_a_bundle_and_from_it(ours: Account) -> None:
    """One is refused; the others are there, and then not any more."""
    paths = [TreePath.parse(path) for path in ("self:/a", "self:/missing/b", "self:/c größe")]
    bundles = Bundles(ours.session)

    first, refused, last = await bundles.put(
        [BundleUpload(path, content, 0, 0, "x", lambda _: None) for path, content in zip(paths, CONTENTS, strict=True)]
    )

    assert isinstance(first, Entry)
    assert isinstance(refused, NotFound)
    assert isinstance(last, Entry)
    assert await ours.names() == ["a", "c größe"]
    assert await ours.reads(last) == CONTENTS[2]
    gone = await bundles.delete([BundleRemoval(first.path, 7), BundleRemoval(last.path, last.version)])
    assert [type(each) for each in gone] == [VersionConflict, type(None)]
    assert await ours.names() == ["a"]


async def test_answers_come_from_the_request_as_it_was_heard(session: Session, cx: FakeCx) -> None:
    """A server that confirms before it has heard all has confirmed something else."""

    def early(heard: Heard) -> httpx.Response:
        return results(*GOOD)

    cx.answers(early)
    cx.hears_all = False

    with pytest.raises(BadReply, match="before it had all"):
        await Bundles(session).put(uploads())


async def test_an_answer_to_the_last_byte_is_one_to_the_whole(urls: ServiceUrls) -> None:
    """A server that counts them need not wait for the end of the stream, and nobody may ask the stream again."""
    sent: list[int] = []

    class Prompt(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            assert isinstance(request.stream, httpx.AsyncByteStream)
            left, pieces = int(request.headers["content-length"]), aiter(request.stream)
            while left:
                left -= len(await anext(pieces))
            return httpx.Response(200, stream=Pieces(results(*GOOD).content))

    async with open_session(urls, lambda: "token", transport=Prompt()) as session:
        entries = await Bundles(session).put(uploads(sent))

    assert [type(each) for each in entries] == [Entry] * 3
    assert sent == [len(content) for content in CONTENTS]
