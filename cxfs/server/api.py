"""The calls about users and files, one method each: take parameters, ask or change, answer. No rule lives here."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from cxfs.server import changes
from cxfs.server.accounts import Account, Membership, account_of, memberships
from cxfs.server.attributes import attributes_of
from cxfs.server.calls import Body, Call, Offload, Parameters, answer
from cxfs.server.errors import InvalidRequest
from cxfs.server.limits import ATTRIBUTES_BYTES_MAX, DESCRIPTION_CHARACTERS_MAX, PAGE_ENTRIES_MAX
from cxfs.server.trees import SORT_KEYS, Node, Page, find, page_of, versions_of

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from cxfs.server.accounts import Caller
    from cxfs.server.attributes import Attributes
    from cxfs.server.database import Connection
    from cxfs.server.store import Store

CAPABILITIES: Final = ("attributes", "versions", "conditional-upload", "groups", "bundle", "changes", "posix")
_ORDERS: Final = frozenset({"asc", "desc"})

T = TypeVar("T")


class Api:
    """The api host. Questions are answered on the event loop (microseconds of SQLite); changes go to a thread."""

    def __init__(self, store: Store, offload: Offload) -> None:
        self._store = store
        self._offload = offload

    async def capabilities(self, request: Request, body: Body) -> Response:
        """What this server can beyond the core; for anyone who asks."""
        return answer({"capabilities": CAPABILITIES})

    async def profile(self, call: Call) -> Response:
        """Who the token stands for, and how full the account is."""
        return answer({"profile": await self._store.ask(partial(_profile_of, caller=call.caller), at_one_moment=True)})

    async def groups(self, call: Call) -> Response:
        """The groups whose trees the caller may see."""
        found = await self._store.ask(partial(memberships, user=call.caller.number))
        return answer({"groups": [{"id": group.id, "name": group.name, "role": group.role} for group in found]})

    async def list(self, call: Call) -> Response:
        """One page of a folder."""
        asked = await call.parameters()
        offset, limit = asked.number("offset", 0), asked.number("limit", PAGE_ENTRIES_MAX)
        assert offset is not None
        assert limit is not None
        if limit == 0:
            raise InvalidRequest("'limit' is 1 or more")
        sort_by = asked.choice("sortby", SORT_KEYS, "name")
        descending = asked.choice("sortOrder", _ORDERS, "asc") == "desc"
        path = call.path

        def question(connection: Connection) -> Page:
            return page_of(
                connection,
                find(connection, call.caller, path),
                offset=offset,
                limit=min(limit, PAGE_ENTRIES_MAX),
                sort_by=sort_by,
                descending=descending,
            )

        page = await self._store.ask(question, at_one_moment=True)
        return answer(
            {
                "directory": page.folder.file,
                "entries": [node.file for node in page.entries],
                "offset": offset,
                "total": page.total,
            }
        )

    async def about(self, call: Call) -> Response:
        """One object (the call `info`)."""
        path = call.path
        return answer((await self._store.ask(lambda connection: find(connection, call.caller, path))).file)

    async def versions(self, call: Call) -> Response:
        """A file's history."""
        path = call.path

        def question(connection: Connection) -> list[Node]:
            return versions_of(connection, find(connection, call.caller, path))

        found = await self._store.ask(question, at_one_moment=True)
        return answer({"versions": [node.file for node in found]})

    async def mkdir(self, call: Call) -> Response:
        """A new folder."""
        path = call.path
        attributes = _attributes(await call.parameters(ATTRIBUTES_BYTES_MAX))

        def change() -> Node:
            with self._store.transaction(call.owners(path)) as connection:
                return changes.make_folder(
                    connection, call.caller, path, now=self._store.clock(), attributes=attributes
                )

        return answer((await self._offload.change(change)).file)

    async def delete(self, call: Call) -> Response:
        """An object and all it holds."""
        path = call.path
        asked = await call.parameters()
        recursive, if_version = asked.flag("recursive", default=True), asked.number("ifVersion")

        def change() -> None:
            with self._store.transaction(call.owners(path)) as connection:
                changes.remove(
                    connection, call.caller, path, recursive=recursive, if_version=if_version, now=self._store.clock()
                )
            self._store.sweep_if_due()

        await self._offload.change(change)
        return answer({"status": "ok"})

    async def move(self, call: Call) -> Response:
        """Another place for an object."""
        path, asked = call.path, await call.parameters()
        to, overwrite = asked.path("to"), asked.flag("overwrite", default=False)
        move = partial(changes.move, if_target=asked.text("ifTarget"), if_version=asked.number("ifVersion"))

        def change() -> Node:
            with self._store.transaction(call.owners(path, to)) as connection:
                return move(connection, call.caller, path, to, overwrite=overwrite, now=self._store.clock())

        return answer((await self._offload.change(change)).file)

    async def copy(self, call: Call) -> Response:
        """An object once more."""
        path, asked = call.path, await call.parameters()
        to, overwrite = asked.path("to"), asked.flag("overwrite", default=False)

        def change() -> Node:
            with self._store.transaction(call.owners(path, to)) as connection:
                return changes.copy(connection, call.caller, path, to, overwrite=overwrite, now=self._store.clock())

        return answer((await self._offload.change(change)).file)

    async def update(self, call: Call) -> Response:
        """An object's attributes."""
        path, asked = call.path, await call.parameters(ATTRIBUTES_BYTES_MAX)
        description, attributes = asked.text("description"), _attributes(asked)
        if description is not None and len(description) > DESCRIPTION_CHARACTERS_MAX:
            raise InvalidRequest(f"a description has at most {DESCRIPTION_CHARACTERS_MAX} characters")

        def change() -> Node:
            with self._store.transaction(call.owners(path)) as connection:
                return changes.update(connection, call.caller, path, attributes=attributes, description=description)

        return answer((await self._offload.change(change)).file)


def _profile_of(connection: Connection, caller: Caller) -> dict[str, Any]:
    return _profile(account_of(connection, caller), memberships(connection, caller.number))


def _attributes(asked: Parameters) -> Attributes:
    return attributes_of(asked.text("modified"), asked.text("mode"), asked.text("xattrs"))


def _profile(account: Account, groups: list[Membership]) -> dict[str, Any]:
    return {
        "id": account.id,
        "username": account.name,
        "avatar": "",
        "contact": {"email": account.email},
        "quota": {
            "totalCapacity": account.capacity,
            "totalConsumed": account.consumed,
            "totalConsumedWithVersions": account.consumed + account.consumed_before,
            "consumedByUserFiles": account.consumed,
            "consumedByUserFilesWithVersions": account.consumed + account.consumed_before,
            "consumedByGroupFiles": {
                group.id: {
                    "groupId": group.id,
                    "name": group.name,
                    "capacity": group.capacity,
                    "consumed": group.consumed,
                    "consumedWithVersions": group.consumed + group.consumed_before,
                }
                for group in groups
            },
        },
        "account": {
            "active": not account.suspended,
            "plan": {"id": "self-hosted", "name": "Self-hosted", "oneOff": False, "quota": account.capacity},
            "graceLength": 0,
        },
    }
