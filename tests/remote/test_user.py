"""Who we are, and what the server can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from cxfs.core.entries import Owner, Uuid
from cxfs.core.errors import BadReply, CxfsError, ServerTrouble, SignedOut, Unreachable
from cxfs.remote.user import Group, GroupQuota, Profile
from tests.remote.fake_cx import OTHER_UUID, UUID, FakeCx, Heard, refusal

if TYPE_CHECKING:
    from cxfs.remote.user import User


def profile(**changes: Any) -> httpx.Response:
    """As the public record shows it."""
    whole = {
        "id": UUID,
        "username": "anna",
        "avatar": "",
        "contact": {"email": "anna@example.com", "phone": ""},
        "quota": {
            "totalCapacity": 10_000,
            "totalConsumed": 1_000,
            "totalConsumedWithVersions": 1_500,
            "consumedByUserFiles": 900,
            "consumedByGroupFiles": {OTHER_UUID: {"groupId": OTHER_UUID, "consumed": 100, "capacity": 500}},
        },
        "account": {
            "active": True,
            "plan": {"id": "1", "name": "Free", "oneOff": False, "quota": 10_000},
            "graceLength": 0,
        },
        **changes,
    }
    return httpx.Response(200, json={"profile": whole})


async def test_the_profile_is_understood_as_the_record_shows_it(user: User, cx: FakeCx) -> None:
    """`GET /1/users/self`."""
    cx.answers(profile())

    assert await user.profile() == Profile(
        id=Uuid(UUID),
        username="anna",
        email="anna@example.com",
        plan="Free",
        is_active=True,
        capacity_bytes=10_000,
        consumed_bytes=1_000,
        group_quotas=(GroupQuota(Owner(OTHER_UUID), 100, 500),),
    )
    assert (cx.last.method, cx.last.path) == ("GET", "/1/users/self")


async def test_a_profile_of_an_id_alone_is_a_profile(user: User, cx: FakeCx) -> None:
    """What a server does not say is unknown, not zero."""
    cx.answers(httpx.Response(200, json={"profile": {"id": UUID}}))

    assert await user.profile() == Profile(Uuid(UUID), "", "", "", True, None, None, ())


@pytest.mark.parametrize("field", ["username", "contact", "quota", "account"])
@pytest.mark.parametrize("odd", [None, 5, "x", [], {}, {"plan": 5, "totalCapacity": "5", "email": 5}], ids=repr)
async def test_an_odd_field_does_not_hide_the_profile(user: User, cx: FakeCx, field: str, odd: object) -> None:
    """`df` and `whoami` then show less."""
    cx.answers(profile(**{field: odd}))

    assert (await user.profile()).id == UUID


async def test_an_unlimited_quota_is_no_number(user: User, cx: FakeCx) -> None:
    """-1 bytes would make the disk look full."""
    cx.answers(profile(quota={"totalCapacity": -1, "totalConsumed": 5}))

    found = await user.profile()

    assert (found.capacity_bytes, found.consumed_bytes) == (None, 5)


@pytest.mark.parametrize("body", [{}, {"profile": None}, {"profile": {}}, {"profile": {"id": "anna"}}], ids=str)
async def test_a_profile_without_an_id_is_invalid(user: User, cx: FakeCx, body: dict[str, Any]) -> None:
    """Nobody could say whose account it is."""
    cx.answers(httpx.Response(200, json=body))

    with pytest.raises(BadReply):
        await user.profile()


async def test_groups_have_names_where_the_server_tells_them(user: User, cx: FakeCx) -> None:
    """`GET /1/users/self/groups`."""
    cx.answers(httpx.Response(200, json={"groups": [{"id": OTHER_UUID, "name": "Band", "role": "editor"}]}))

    assert await user.groups() == (Group(Owner(OTHER_UUID), "Band", "editor"),)
    assert cx.paths == ["/1/users/self/groups"]


@pytest.mark.parametrize(
    "answer",
    [refusal(404, "NotFound"), refusal(400), refusal(501), refusal(405), httpx.Response(200, text="<html>")],
    ids=str,
)
async def test_without_the_groups_call_the_quota_names_them(
    user: User, cx: FakeCx, answer: httpx.Response, autojump_clock: object
) -> None:
    """The call is ours; the profile has been seen. Then a group is shown under its UUID."""

    def either(heard: Heard) -> httpx.Response:
        return answer if heard.path.endswith("/groups") else profile()

    cx.answers(lambda heard: answer_again(either(heard)))

    assert await user.groups() == (Group(Owner(OTHER_UUID), OTHER_UUID, ""),)


def answer_again(answer: httpx.Response) -> httpx.Response:
    return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


@pytest.mark.parametrize("trouble", [refusal(500), refusal(429), httpx.ConnectError("")], ids=str)
async def test_groups_do_not_change_their_names_because_a_server_is_unwell(
    user: User, cx: FakeCx, trouble: httpx.Response | Exception, autojump_clock: object
) -> None:
    """Folders named after them would come and go."""
    cx.answers(trouble)

    with pytest.raises(CxfsError):
        await user.groups()


async def test_capabilities_are_what_the_server_names(user: User, cx: FakeCx) -> None:
    """`GET /1/capabilities`."""
    cx.answers(httpx.Response(200, json={"capabilities": ["versions", "attributes"]}))

    assert await user.capabilities() == {"versions", "attributes"}
    assert cx.paths == ["/1/capabilities"]


@pytest.mark.parametrize(
    "answer",
    [
        refusal(404),
        refusal(403),
        refusal(400),
        refusal(500),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json={}),
        httpx.Response(200, json={"capabilities": "versions"}),
        httpx.Response(302, headers={"Location": "/"}),
    ],
    ids=str,
)
async def test_any_error_means_no_capabilities(
    user: User, cx: FakeCx, answer: httpx.Response, autojump_clock: object
) -> None:
    """A server of the documented core has never heard of them."""
    cx.answers(answer)

    assert await user.capabilities() == frozenset()


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [(refusal(401, "BadAuthToken"), SignedOut), (httpx.ConnectError(""), Unreachable)],
    ids=["signed out", "unreachable"],
)
async def test_not_being_heard_does_not_mean_no_capabilities(
    user: User, cx: FakeCx, trouble: httpx.Response | Exception, kind: type[CxfsError], autojump_clock: object
) -> None:
    """The question has to be asked again."""
    cx.answers(trouble)

    with pytest.raises(kind):
        await user.capabilities()


async def test_a_signed_out_account_has_no_groups_to_show(user: User, cx: FakeCx) -> None:
    """It has to sign in first."""
    cx.answers(refusal(401, "BadAuthToken"))

    with pytest.raises(SignedOut):
        await user.groups()

    assert not issubclass(SignedOut, ServerTrouble)


async def test_what_a_server_says_of_an_account_cannot_move_the_cursor(user: User, cx: FakeCx) -> None:
    """It is printed on a terminal; the name of a group becomes a folder's, which has escapes of its own."""
    hostile = "ann\x1b[2J\x07\nroot"
    cx.answers(httpx.Response(200, json={"profile": {"id": UUID, "username": hostile}}))

    profile = await user.profile()

    assert profile.username == "ann\ufffd[2J\ufffd root"
