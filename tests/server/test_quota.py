"""Storage limits. Contract: docs/protocol.md, "Quota". Accounts here have 1,000,000 bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from cxfs.server import administration
from tests.server.conftest import QUOTA_BYTES
from tests.server.person import FORM_HEADERS, Person, form, found_in, pieces, refusal_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from cxfs.server.store import Store

HALF = b"h" * (QUOTA_BYTES // 2)
FULL = b"f" * QUOTA_BYTES


class Unreadable(httpx.AsyncByteStream):
    """A body that must not be asked for."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        raise AssertionError("the body was read")


async def quota(ann: Person) -> dict[str, int]:
    """Of the profile."""
    found: dict[str, int] = found_in(await ann.ask("GET", "/1/users/self"))["profile"]["quota"]
    return found


async def test_an_account_can_be_filled_to_the_last_byte(ann: Person) -> None:
    """And not one further."""
    await ann.put("/full", FULL)

    assert (await quota(ann))["totalConsumed"] == QUOTA_BYTES
    assert refusal_of(await ann.upload("/more", b"x")) == (507, "QuotaExceeded")
    assert (await ann.put("/empty", b""))["size"] == 0


async def test_a_file_that_cannot_fit_is_refused_before_it_travels(ann: Person) -> None:
    """By its Content-Length: the body is never asked for."""
    headers = {**FORM_HEADERS, "Content-Length": str(QUOTA_BYTES * 2)}

    refused = await ann.ask("POST", f"/1/data/{ann.path('/big')}", content=Unreadable(), headers=headers)

    assert refusal_of(refused) == (507, "QuotaExceeded")


async def test_a_file_of_unknown_length_is_refused_when_it_gets_too_long(ann: Person) -> None:
    """Enforced while it streams; nothing of it is kept."""
    body = form(("file", FULL + b"x"))

    refused = await ann.ask("POST", f"/1/data/{ann.path('/big')}", content=pieces(body, 65_536), headers=FORM_HEADERS)

    assert refusal_of(refused) == (507, "QuotaExceeded")
    assert (await quota(ann))["totalConsumedWithVersions"] == 0


async def test_former_versions_count_but_give_way(ann: Person) -> None:
    """What is current always fits if it fits alone; history is what the quota leaves room for, oldest gone first."""
    for text in (HALF, HALF[1:], b"x" * 300_000):
        await ann.put("/note", text)

    listed = found_in(await ann.ask("GET", f"/1/files/versions/{ann.path('/note')}"))["versions"]

    assert [(each["version"], each["size"]) for each in listed] == [(3, 300_000), (2, 499_999)]
    assert (await quota(ann))["totalConsumedWithVersions"] == 799_999


async def test_a_full_account_can_still_replace_its_files(ann: Person) -> None:
    """Saving a document must not fail because the old one is still kept."""
    await ann.put("/note", FULL)

    replaced = await ann.put("/note", FULL[::-1])

    assert (replaced["version"], (await quota(ann))["totalConsumedWithVersions"]) == (2, QUOTA_BYTES)


async def test_deleting_frees_what_the_file_and_its_history_took(ann: Person) -> None:
    """At once."""
    await ann.make("/folder")
    await ann.put("/folder/note", HALF)
    await ann.put("/folder/note", b"x")

    await ann.tell("delete", "/folder")

    assert (await quota(ann))["totalConsumedWithVersions"] == 0
    await ann.put("/full", FULL)


@pytest.mark.parametrize("call", ["copy", "move"])
async def test_copies_and_arrivals_count(store: Store, ann: Person, call: str) -> None:
    """Whatever way bytes come; a refused one changes nothing."""
    group = administration.add_group(store, "band", owner="ann", quota_bytes=400_000)
    await ann.put("/note", HALF)

    refused = await ann.tell(call, "/note", to=f"{group}:/note")

    assert refusal_of(refused) == (507, "QuotaExceeded")
    assert await ann.as_seen_in(group).names("/") == []
    assert await ann.names("/") == ["note"]


async def test_a_lowered_quota_takes_nothing_away(store: Store, ann: Person) -> None:
    """It only lets nothing more in; making a file smaller is allowed."""
    await ann.put("/note", FULL)
    administration.set_quota(store, "ann", 10)

    assert refusal_of(await ann.upload("/more", b"x")) == (507, "QuotaExceeded")
    assert (await ann.download("/note")).content == FULL
    assert (await ann.put("/note", HALF))["size"] == len(HALF)
