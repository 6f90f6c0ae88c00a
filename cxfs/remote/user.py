"""The User API: who we are, our quota and groups, and what the server can do. Changes nothing there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from cxfs.core.entries import Owner, Uuid
from cxfs.core.errors import BadReply, CxfsError, SignedOut, Unreachable
from cxfs.remote import endpoints, replies
from cxfs.remote.calls import Call
from cxfs.remote.redaction import printable

if TYPE_CHECKING:
    from cxfs.remote.session import Session


@dataclass(frozen=True, slots=True)
class GroupQuota:
    """What a group's tree takes, in bytes; the capacity is None where it has none of its own."""

    group: Owner
    consumed_bytes: int
    capacity_bytes: int | None


@dataclass(frozen=True, slots=True)
class Profile:
    """The account. Texts are empty and numbers None where the server does not say."""

    id: Uuid
    username: str
    email: str
    plan: str
    is_active: bool
    capacity_bytes: int | None
    consumed_bytes: int | None
    group_quotas: tuple[GroupQuota, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """A group that the account belongs to. Without the groups call it is known by its UUID alone."""

    id: Owner
    name: str
    role: str


class _Profile(msgspec.Struct):
    id: str
    username: Any = ""
    contact: Any = None
    quota: Any = None
    account: Any = None


class _ProfileReply(msgspec.Struct):
    profile: _Profile


class _Group(msgspec.Struct):
    id: str
    name: Any = ""
    role: Any = ""


class _GroupsReply(msgspec.Struct):
    groups: list[_Group]


_PROFILE: Final = msgspec.json.Decoder(_ProfileReply)
_GROUPS: Final = msgspec.json.Decoder(_GroupsReply)


class User:
    """The User API over a session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def profile(self) -> Profile:
        """The account that the token belongs to."""
        return await self._session.ask(Call("GET", endpoints.SELF), account_in)

    async def groups(self) -> tuple[Group, ...]:
        """The groups of the account, by name. A server without the call shows them by its quota, under their UUIDs."""
        try:
            return await self._session.ask(Call("GET", endpoints.GROUPS), _groups)
        except SignedOut:
            raise
        except CxfsError as error:
            if error.transient and not isinstance(error, BadReply):
                raise  # names that come and go with the server's health would be worse than an error
        return await self.groups_by_quota()

    async def groups_by_quota(self) -> tuple[Group, ...]:
        """The groups of the account as its profile tells them: under their UUIDs, without a role."""
        quotas = (await self.profile()).group_quotas
        return tuple(Group(id=each.group, name=str(each.group), role="") for each in quotas)

    async def capabilities(self) -> frozenset[str]:
        """What the server offers beyond the core; any refusal means nothing. Raises SignedOut and Unreachable."""
        try:
            return await self._session.ask(Call("GET", endpoints.CAPABILITIES), replies.capabilities)
        except (SignedOut, Unreachable):
            raise
        except CxfsError:
            return frozenset()


def account_in(body: bytes) -> Profile:
    """What an answer says of the account; raises BadReply."""
    wire = replies.decoded(_PROFILE, body).profile
    quota, account = _fields(wire.quota), _fields(wire.account)
    groups = _fields(quota.get("consumedByGroupFiles"))
    return Profile(
        id=replies.uuid(wire.id),
        username=_text(wire.username),
        email=_text(_fields(wire.contact).get("email")),
        plan=_text(_fields(account.get("plan")).get("name")),
        is_active=account.get("active") is not False,
        capacity_bytes=_bytes(quota.get("totalCapacity")),
        consumed_bytes=_bytes(quota.get("totalConsumed")),
        group_quotas=tuple(map(_group_quota, groups, map(_fields, groups.values()))),
    )


def _group_quota(group: str, quota: dict[str, Any]) -> GroupQuota:
    return GroupQuota(
        group=Owner(replies.uuid(group)),
        consumed_bytes=_bytes(quota.get("consumed")) or 0,
        capacity_bytes=_bytes(quota.get("capacity")),
    )


def _groups(body: bytes) -> tuple[Group, ...]:
    return tuple(
        Group(id=Owner(replies.uuid(each.id)), name=_name(each.name) or each.id, role=_text(each.role))
        for each in replies.decoded(_GROUPS, body).groups
    )


def _fields(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    """For people: what a server says of itself goes to their terminals."""
    return printable(value) if isinstance(value, str) else ""


def _name(value: Any) -> str:
    """As it is: it becomes the name of a folder, which has its own escapes."""
    return value if isinstance(value, str) else ""


def _bytes(value: Any) -> int | None:
    """A count of bytes; None for what is not one, such as the -1 of an unlimited quota."""
    return value if type(value) is int and value >= 0 else None
