"""The second server: that it offers the core and really nothing more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from tests.minimal_server import MinimalServer
from tests.server.person import Person, found_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def someone() -> AsyncIterator[Person]:
    """Its only user."""
    transport = httpx.ASGITransport(MinimalServer("secret"))
    async with httpx.AsyncClient(transport=transport, base_url="http://minimal.test") as client:
        yield Person(client, "unknown", "secret")


async def test_it_keeps_files_and_folders(someone: Person) -> None:
    """List, info, mkdir, delete, move, copy, data; UUID paths too."""
    await someone.make("/folder")
    put = await someone.put("/folder/a %2F", b"content")
    await someone.tell("move", put["id"], to="self:/b")
    await someone.tell("copy", "/b", to="self:/c")
    await someone.tell("delete", "/folder")

    assert await someone.names("/") == ["b", "c"]
    assert await someone.names("/", "?offset=1&limit=1") == ["c"]
    assert (await someone.describe("/b"))["id"] == put["id"]
    assert (await someone.download("/c")).content == b"content"


async def test_it_has_nothing_beyond_the_core(someone: Person) -> None:
    """No capabilities, groups, versions or updates; no parent; no range; no kept time; no conditions."""
    put = await someone.put("/a", b"content", modified="2001-02-03T04:05:06.789Z", ifVersion="7")
    answers = [
        await someone.ask("GET", "/1/capabilities"),
        await someone.ask("GET", "/1/users/self/groups"),
        await someone.ask("GET", "/1/files/versions/self:%2Fa"),
        await someone.tell("update", "/a", modified="2001-02-03T04:05:06.789Z"),
    ]
    whole = await someone.download("/a", headers={"Range": "bytes=0-1"})

    assert {answer.status_code for answer in answers} == {404}
    assert "parent" not in put
    assert not put["modified"].startswith("2001")
    assert (whole.status_code, whole.content, whole.headers.get("etag")) == (200, b"content", None)


async def test_its_errors_have_the_documented_types_only(someone: Person) -> None:
    """A client has the status to go by."""
    await someone.make("/folder")
    errors = [await someone.tell("mkdir", "/folder"), await someone.page("/missing")]

    assert [(error.status_code, error.json()["errorType"]) for error in errors] == [(409, "Error"), (404, "Error")]
    assert found_in(await someone.ask("GET", "/1/users/self"))["profile"]["username"] == "minimal"
