"""What no client should send; each answer is a JSON error. Contract: docs/protocol.md, "Errors" and "Limits"."""

from __future__ import annotations

import httpx
import pytest

from tests.server.person import FORM_HEADERS, Person, form, found_in, refusal_of

URL_ENCODED = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    ("method", "address", "refusal"),
    [
        ("GET", "/", (404, "NotFound")),
        ("GET", "/1/", (404, "NotFound")),
        ("GET", "/2/users/self", (404, "NotFound")),
        ("GET", "/1/users/self/", (404, "NotFound")),
        ("GET", "/1/users/other", (404, "NotFound")),
        ("GET", "/1/files/list", (404, "NotFound")),
        ("GET", "/1/files/colour/self:/", (404, "NotFound")),
        ("GET", "/1/files%2Flist%2Fself:/", (404, "NotFound")),
        ("GET", "/1/files/%2E%2E/users/self", (404, "NotFound")),
        ("GET", "/1/files/mkdir/self:/a", (405, "MethodNotAllowed")),
        ("POST", "/1/files/list/self:/", (405, "MethodNotAllowed")),
        ("DELETE", "/1/data/self:/a", (405, "MethodNotAllowed")),
        ("PUT", "/1/data/self:/a", (405, "MethodNotAllowed")),
        ("OPTIONS", "/1/users/self", (405, "MethodNotAllowed")),
        ("GET", "/1/oauth/token", (405, "MethodNotAllowed")),
        ("POST", "/1/capabilities", (405, "MethodNotAllowed")),
    ],
)
async def test_an_address_that_is_no_call_is_refused(
    visitor: httpx.AsyncClient, ann: Person, method: str, address: str, refusal: tuple[int, str]
) -> None:
    """Also where a framework would answer with a page or a redirect, which would repeat the token."""
    raw = f"{address}?access_token={ann.token}".encode()

    answer = await visitor.request(method, httpx.URL("http://cx.test").copy_with(raw_path=raw))

    assert refusal_of(answer) == refusal
    assert ("allow" in answer.headers) is (refusal[0] == 405)


@pytest.mark.parametrize(
    ("headers", "body", "refusal"),
    [
        ({}, b"", (400, "InvalidRequest")),
        (URL_ENCODED, b"file=x", (400, "InvalidRequest")),
        ({"Content-Type": "multipart/form-data"}, form(("file", b"x")), (400, "InvalidRequest")),
        ({"Content-Type": "multipart/form-data; boundary="}, form(("file", b"x")), (400, "InvalidRequest")),
        ({"Content-Type": "multipart/form-data; boundary=" + "x" * 300}, b"", (400, "InvalidRequest")),
        ({"Content-Type": "multipart/mixed; boundary=x"}, b"--x--", (400, "InvalidRequest")),
        (FORM_HEADERS, b"", (400, "InvalidRequest")),
        (FORM_HEADERS, b"no form at all", (400, "InvalidRequest")),
        (FORM_HEADERS, form(), (400, "InvalidRequest")),
        (FORM_HEADERS, form(("document", b"x")), (400, "InvalidRequest")),
        (FORM_HEADERS, form(("file", b"x"), ("file", b"y")), (400, "InvalidRequest")),
        (FORM_HEADERS, form(("file", b"x"))[:-5], (400, "InvalidRequest")),
        (FORM_HEADERS, form(("file", b"x"))[5:], (400, "InvalidRequest")),
        (FORM_HEADERS, form(("file", b"x")).replace(b"form-data", b"attachment"), (400, "InvalidRequest")),
        (FORM_HEADERS, form(("ifVersion", b"one"), ("file", b"x")), (400, "InvalidRequest")),
        (FORM_HEADERS, form(("file", b"x"), ("ifVersion", b"-1")), (400, "InvalidRequest")),
        (FORM_HEADERS, form(("modified", b"now"), ("file", b"x")), (400, "InvalidRequest")),
        (FORM_HEADERS, form(("modified", b"\xff"), ("file", b"x")), (400, "InvalidRequest")),
        (FORM_HEADERS, form(("modified", b"0" * 40_000), ("file", b"x")), (413, "RequestTooLarge")),
        (FORM_HEADERS, form(*((f"field{n}", b"") for n in range(40)), ("file", b"x")), (413, "RequestTooLarge")),
        (FORM_HEADERS, form(("x" * 9_000, b""), ("file", b"x")), (413, "RequestTooLarge")),
    ],
)
async def test_an_upload_that_is_no_form_with_a_file_is_refused(
    ann: Person, headers: dict[str, str], body: bytes, refusal: tuple[int, str]
) -> None:
    """And leaves nothing."""
    answer = await ann.ask("POST", f"/1/data/{ann.path('/a')}", headers=headers, content=body)

    assert refusal_of(answer) == refusal
    assert await ann.names("/") == []


@pytest.mark.parametrize(
    ("headers", "body", "refusal"),
    [
        (URL_ENCODED, b"", (400, "InvalidRequest")),
        (URL_ENCODED, b"overwrite=true", (400, "InvalidRequest")),
        (URL_ENCODED, b"to=self:/b&overwrite=perhaps", (400, "InvalidRequest")),
        (URL_ENCODED, b"to=self:/%FF", (400, "InvalidRequest")),
        (URL_ENCODED, b"to=\xff", (400, "InvalidRequest")),
        (URL_ENCODED, b"to=", (400, "InvalidPath")),
        (URL_ENCODED, b"to=/b", (400, "InvalidPath")),
        (URL_ENCODED, b"to=self:/" + b"x" * 70_000, (413, "RequestTooLarge")),
        ({"Content-Type": "application/json"}, b'{"to": "self:/b"}', (400, "InvalidRequest")),
        ({"Content-Type": "text/plain"}, b"to=self:/b", (400, "InvalidRequest")),
        ({}, b"to=self:/b", (400, "InvalidRequest")),
        (FORM_HEADERS, b"nothing", (400, "InvalidRequest")),
    ],
)
async def test_a_move_must_say_where_to(
    ann: Person, headers: dict[str, str], body: bytes, refusal: tuple[int, str]
) -> None:
    """Nothing is guessed."""
    await ann.put("/a", b"x")

    answer = await ann.ask("POST", f"/1/files/move/{ann.path('/a')}", headers=headers, content=body)

    assert refusal_of(answer) == refusal
    assert await ann.names("/") == ["a"]


@pytest.mark.parametrize("where", ["query", "header", "path"])
async def test_a_head_of_a_request_has_a_limit(ann: Person, where: str) -> None:
    """64 KiB for request line and headers together: more than any path of the contract needs in practice."""
    long = "x" * 60_000
    address, headers = {
        "query": (f"/1/users/self?more={long}", {"X-More": long[:6_000]}),
        "header": ("/1/users/self", {"X-More": long, "X-Still-More": long[:6_000]}),
        "path": (f"/1/files/info/self:%2F{long}", {"X-More": long[:6_000]}),
    }[where]

    assert refusal_of(await ann.ask("GET", address, headers=headers)) == (431, "HeadersTooLarge")


@pytest.mark.parametrize("length", ["9" * 5_000, "-1", "1e3", "one", "٣".encode().decode("latin-1")])
async def test_a_length_that_makes_no_sense_is_none(ann: Person, length: str) -> None:
    """What counts is what arrives."""
    answer = await ann.ask(
        "POST", f"/1/files/mkdir/{ann.path('/a')}", headers={"Content-Length": length.encode("latin-1")}
    )

    assert found_in(answer)["name"] == "a"


async def test_what_the_server_does_not_know_is_ignored(ann: Person) -> None:
    """Parameters and fields of other servers and other times."""
    made = await ann.ask("POST", f"/1/files/mkdir/{ann.path('/a')}?future=1", data={"colour": "blue"})

    assert found_in(made)["name"] == "a"


async def test_the_capabilities_are_public(visitor: httpx.AsyncClient) -> None:
    """A client may look before it has a token; it hears what is really there."""
    assert found_in(await visitor.get("/1/capabilities")) == {
        "capabilities": ["attributes", "versions", "conditional-upload", "groups", "bundle", "changes", "posix"]
    }
