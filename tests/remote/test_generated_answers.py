"""A thousand generated answers to every call that the client makes: whatever it is, it ends in one of our own errors.

They are near what the wire defines, since what is far from it is refused at once: an honest answer of which parts are
missing, of another type, out of range or absurd, and sometimes broken off.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from contextlib import asynccontextmanager
from functools import partial
from hashlib import sha1
from typing import TYPE_CHECKING, Any, Final, cast

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from cxfs.core.entries import SELF, Entry, Uuid, UuidPath
from cxfs.core.errors import CxfsError, SignInFailed
from cxfs.core.ranges import ByteRange
from cxfs.remote import bundles, failures, oauth, replies, user
from cxfs.remote.bundle_parts import BundleItem, BundleParts
from cxfs.remote.bundles import BundleUpload
from cxfs.remote.lanes import Answer
from cxfs.remote.redaction import HIDDEN, redact
from cxfs.remote.transport import Transport
from tests.remote.fake_cx import OTHER_UUID, TOKEN, UUID, file, folder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Mapping

    from hypothesis.strategies import SearchStrategy

    from cxfs.remote.session import Session

THOUSAND: Final = settings(
    max_examples=1_000, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)

CONTENT: Final = b"hello"
PATH: Final = UuidPath(SELF, Uuid(UUID))
GROUP: Final = OTHER_UUID
SECRET: Final = f"access_token={TOKEN}"

ABSURD: Final[list[Any]] = [
    None, True, False, 0, -1, 1 << 63, (1 << 63) - 1, 1 << 80, -(1 << 80), 0.5, 1e308, "", "0", "-1", ".", "..", "/",
    "a/b", "\0", "\x1b[31m", "\n", "\u202e", "\ud800", "x" * 300, "é" * 255, UUID, OTHER_UUID, UUID[:-1], SECRET,
    "../../etc/passwd", "2012-10-22T21:26:47.700Z", "9999-99-99", "NaN", [], {}, [[]], [{}], {"": None},
]  # fmt: skip


def near(example: Any) -> SearchStrategy[Any]:
    """Values like this one, and unlike it in places."""
    absurd = st.sampled_from(ABSURD)
    if isinstance(example, dict):
        whole = st.fixed_dictionaries({name: near(value) for name, value in example.items()})
        gaps = st.sets(st.sampled_from(sorted(example)), max_size=2)
        holed = st.tuples(whole, gaps).map(lambda both: {name: both[0][name] for name in both[0].keys() - both[1]})
        return st.one_of(whole, holed, st.just(example), absurd)
    if isinstance(example, list) and example:
        return st.one_of(st.lists(near(example[0]), max_size=3), st.just(example), absurd)
    return st.one_of(st.just(example), st.just(example), st.just(example), absurd)


def bodies(example: Any) -> SearchStrategy[bytes]:
    """As they come over the wire: whole, broken off, or no JSON at all."""
    whole = near(example).map(lambda value: json.dumps(value).encode())
    broken = st.tuples(whole, st.integers(min_value=0, max_value=200)).map(lambda both: both[0][: both[1]])
    return st.one_of(whole, whole, whole, broken, st.binary(max_size=30))


ERROR: Final = {"errorType": "NotFound", "message": f"no {SECRET}", "status": 404}
FILE: Final = file(parent=OTHER_UUID)
PROFILE: Final = {
    "profile": {
        "id": UUID,
        "username": "ann",
        "contact": {"email": "ann@example.org"},
        "quota": {
            "totalCapacity": 10,
            "totalConsumed": 5,
            "consumedByGroupFiles": {GROUP: {"groupId": GROUP, "consumed": 1, "capacity": 2}},
        },
        "account": {"active": True, "plan": {"id": "p", "name": "Free"}},
    }
}
UPLOAD: Final = BundleUpload(PATH, CONTENT, 0, 0, "name", lambda _: None)


ENDPOINTS: Final[dict[str, tuple[Any, Callable[[bytes], object]]]] = {
    "files/list": (
        {"directory": folder(), "entries": [FILE], "offset": 0, "total": 1},
        partial(replies.listing_page, owner=SELF),
    ),
    "files/info, mkdir, move, copy, update, and data": (FILE, partial(replies.entry, owner=SELF)),
    "files/delete": ({"status": "ok"}, replies.nothing),
    "files/versions": ({"versions": [FILE]}, partial(replies.versions, owner=SELF)),
    "users/self": (PROFILE, user._profile),
    "users/self/groups": ({"groups": [{"id": GROUP, "name": "band", "role": "reader"}]}, user._groups),
    "capabilities": ({"capabilities": ["versions"]}, replies.capabilities),
    "bundle/put": ({"results": [FILE]}, partial(bundles._receipts, [UPLOAD])),
    "bundle/put, refused": ({"results": [ERROR]}, partial(bundles._receipts, [UPLOAD])),
    "bundle/delete": ({"results": [{"status": "ok"}, ERROR]}, partial(bundles._outcomes, 2)),
    "oauth/token": ({"access_token": "abcdef", "token_type": "bearer"}, oauth._token_in),
}


def check_error(error: CxfsError) -> None:
    """One line for a person, without a secret."""
    text = str(error)
    assert "\n" not in text
    assert len(text) < 500
    assert redact(text) == text or HIDDEN in text
    assert TOKEN not in text


def check_entries(found: object) -> None:
    """What got through is what the rest of the program may rely on."""
    if isinstance(found, replies.ListingPage):
        check_entries((found.folder, *found.entries))
    elif isinstance(found, tuple | list):
        for each in found:
            check_entries(each)
    elif isinstance(found, Entry):
        assert Uuid.parse(found.id)
        assert found.parent is None or Uuid.parse(found.parent)
        assert isinstance(found.name, str)
        assert 0 <= found.size < 1 << 63
        assert 0 <= found.version < 1 << 63
        assert isinstance(found.created_ms, int)
        assert isinstance(found.modified_ms, int)
    elif isinstance(found, CxfsError):
        check_error(found)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_thousand_answers_to(endpoint: str) -> None:
    """Whatever comes is understood, or is one of our errors."""
    example, parse = ENDPOINTS[endpoint]

    @THOUSAND
    @given(bodies(example))
    def answered(body: bytes) -> None:
        try:
            check_entries(parse(body))
        except CxfsError as error:
            check_error(error)

    answered()
    check_entries(parse(json.dumps(example).encode()))


class Said(Answer):
    """An answer that comes in these pieces, at once."""

    def __init__(self, status: int, headers: Mapping[str, str], pieces: list[bytes]) -> None:
        super().__init__(status, headers, waited_s=0.0)
        self._pieces = [piece for piece in pieces if piece]

    async def piece(self) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""


def driven(work: Coroutine[Any, Any, Any]) -> Any:
    """What a coroutine returns that never has to wait."""
    try:
        work.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waits")


class SessionSaying:
    """A session whose only answer this is; whatever else it is asked, the file is as it was."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    @asynccontextmanager
    async def download(self, *_: object, **__: object) -> AsyncIterator[Answer]:
        yield self._answer

    async def ask(self, _: object, parse: Callable[[bytes], Any]) -> Any:
        return parse(json.dumps(file()).encode())


numbers = st.sampled_from(["0", "1", "4", "5", "9", "-1", "", "*", "99999999999999999999", "x", "٣", "1e9"])
ranges = st.one_of(
    st.just("bytes 0-4/5"),
    st.tuples(numbers, numbers, numbers).map(lambda parts: f"bytes {parts[0]}-{parts[1]}/{parts[2]}"),
    st.sampled_from(["", "bytes */5", "items 0-4/5", "bytes 0-4", "bytes=0-4/5"]),
)
tags = st.sampled_from(['"3"', '"4"', 'W/"3"', '"abc"', "", '"', '"99999999999999999999"', "3"])
contents = st.lists(st.one_of(st.just(CONTENT), st.binary(max_size=6), st.just(b"x" * 70_000)), max_size=3)


def headers(**choices: SearchStrategy[str]) -> SearchStrategy[dict[str, str]]:
    """Any of them, or none."""
    named = {name.replace("_", "-"): choice for name, choice in choices.items()}
    return st.fixed_dictionaries({}, optional=named)


@THOUSAND
@given(
    st.sampled_from([200, 206]),
    headers(content_range=ranges, etag=tags, content_length=numbers),
    contents,
    st.sampled_from([None, '"3"', '"abc"']),
)
def test_a_thousand_answers_to_a_download(
    status: int, said: dict[str, str], pieces: list[bytes], pinned: str | None
) -> None:
    """Never a byte beyond what was asked for, and success only with all of them, in their place."""
    kept = bytearray()

    def keep(at: int, piece: memoryview) -> None:
        assert at == len(kept)
        kept.extend(piece)
        assert len(kept) <= len(CONTENT)

    async def download() -> None:
        transport = Transport(cast("Session", SessionSaying(Said(status, said, pieces))))
        options: dict[str, Any] = {"version": 3, "size": 5, "pin_version": False, "etag": pinned}
        async with transport.download(PATH, ByteRange(0, 5), **options) as content:
            await content.pour(keep, lambda _: None)

    try:
        driven(download())
    except CxfsError as error:
        check_error(error)
    else:
        assert len(kept) == len(CONTENT)
        assert said.get("etag") in {None, pinned, '"3"'} or pinned is None


def part(tag: str, length: str, content: bytes, kind: str) -> bytes:
    """One of a bundle, as it may be."""
    said = {"content-length": length, "etag": tag, "content-type": kind}
    lines = [f"{name}: {text}" for name, text in said.items() if text]
    return b"--b\r\n" + "\r\n".join(lines).encode() + b"\r\n\r\n" + content + b"\r\n"


parts = st.one_of(
    st.just(part('"3"', "5", CONTENT, "")),
    st.builds(
        part,
        tags,
        numbers,
        st.one_of(st.just(CONTENT), st.just(b"HELLO"), st.binary(max_size=6), st.just(json.dumps(ERROR).encode())),
        st.sampled_from(["", "application/json", "text/html"]),
    ),
    st.binary(max_size=20),
    st.just(b"--b\r\n" + b"x: y\r\n" * 2_000),
)
kinds = st.sampled_from(
    ["multipart/mixed; boundary=b", 'multipart/mixed; boundary="b"', "text/html", "", "multipart/mixed"]
)


@THOUSAND
@given(kinds, st.lists(parts, max_size=4), st.sampled_from([b"--b--\r\n", b"", b"--b--", b"more"]), st.integers(1, 64))
def test_a_thousand_answers_to_a_bundle(kind: str, bundle: list[bytes], end: bytes, at_a_time: int) -> None:
    """What is delivered has the checksum of what was asked for, whatever stands around it and however it is cut."""
    body = b"".join([*bundle, end])
    pieces = [body[at : at + at_a_time] for at in range(0, len(body), at_a_time)]
    item = BundleItem(PATH, 3, 5, sha1(CONTENT, usedforsecurity=False).digest())

    async def read() -> None:
        async for delivered in BundleParts(Said(200, {"content-type": kind}, pieces), [item, item]):
            assert delivered.content == CONTENT or isinstance(delivered.content, CxfsError)
            check_entries(delivered.content)

    try:
        driven(read())
    except CxfsError as error:
        check_error(error)


pauses = st.sampled_from(["", "0", "1", "-1", "99999999999", "1e9", "٣", "soon", "Wed, 21 Oct 2015 07:28:00 GMT"])
elsewhere = st.just(f"https://evil.test/?{SECRET}")


@THOUSAND
@given(st.integers(100, 999), headers(retry_after=pauses, date=pauses, location=elsewhere), bodies(ERROR))
def test_a_thousand_refusals(status: int, said: dict[str, str], body: bytes) -> None:
    """Each is an error of ours; a pause is a number of seconds, and none is below zero."""
    error = failures.failure_of(status, said, body)

    check_error(error)
    pause_s = failures.retry_after_s(said)
    assert pause_s is None or pause_s >= 0


names = st.sampled_from(["auth_code", "code", "deny", "error", "state", "x"])
values = st.sampled_from(["", "true", "s", "é", "a b", "\0", "x" * 300])
queries = st.lists(st.tuples(names, values), max_size=4).map(
    lambda fields: "&".join(f"{name}={value}" for name, value in fields)
)


@THOUSAND
@given(st.one_of(queries, queries.map(lambda query: f"https://127.0.0.1/?{query}"), st.text(max_size=30)))
def test_a_thousand_answers_of_a_browser(answer: str) -> None:
    """A code that may go into a request, or a failure that says what to do."""
    oauth.is_answer(answer, state="s")
    try:
        found = oauth.code_in(answer, state="s")
        assert found.isascii()
    except SignInFailed as error:
        found = str(error)

    assert found.isprintable()


def test_what_gets_through_unharmed_is_not_refused() -> None:
    """The generators' own honest example, or the rest would prove nothing."""
    names = [urlsafe_b64encode(number.to_bytes(16)).decode()[:22] for number in range(3)]
    page = {"directory": folder(), "entries": [file(id=each, name="..") for each in names], "total": 3}

    assert len(replies.listing_page(json.dumps(page).encode(), SELF).entries) == 3
