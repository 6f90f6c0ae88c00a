"""The trees of one's own and of one's groups, to look at and to download from. Changes nothing."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlencode

from cxfs.server.accounts import account_of, memberships
from cxfs.server.calls import Call, Parameters
from cxfs.server.forms import url_encoded
from cxfs.server.limits import PAGE_ROWS
from cxfs.server.pages.rendering import PREFIX, page
from cxfs.server.trees import SORT_KEYS, Node, Page, ancestors, find, page_of
from cxfs.server.wire import TreePath, UuidPath, parse_path_in_url

if TYPE_CHECKING:
    from starlette.responses import Response

    from cxfs.server.accounts import Account, Caller, Membership
    from cxfs.server.database import Connection
    from cxfs.server.pages.visits import Visit
    from cxfs.server.sessions import Session
    from cxfs.server.store import Store
    from cxfs.server.transport import Transport

_ORDERS: Final = frozenset({"asc", "desc"})
_COLUMNS: Final = (("name", "Name"), ("size", "Size"), ("modified", "Modified"))


class Tree(NamedTuple):
    """A tree that the person may see. `owner` is as in a path."""

    owner: str
    name: str
    role: str

    def address(self, node: Node) -> str:
        """By UUID: a path of many long names would not fit into an address."""
        return f"{PREFIX}{'files' if node.is_folder else 'download'}/{self.owner}:{node.id}"


class Column(NamedTuple):
    """A heading that sorts. `order` is how the rows are sorted by it now; empty: they are not."""

    title: str
    order: str
    href: str


class Order(NamedTuple):
    """Which entries are on the page."""

    sort_by: str
    direction: str
    offset: int

    def query(self, **other: object) -> str:
        """As the end of an address."""
        order = self._replace(**other)  # type: ignore[arg-type]
        return "?" + urlencode({"sortby": order.sort_by, "sortOrder": order.direction, "offset": order.offset})

    def columns(self) -> list[Column]:
        """A click on the heading by which the rows are sorted turns them round."""
        return [
            Column(
                title,
                self.direction if key == self.sort_by else "",
                self.query(
                    sort_by=key, direction="desc" if (key, "asc") == (self.sort_by, self.direction) else "asc", offset=0
                ),
            )
            for key, title in _COLUMNS
        ]


class Browsing:
    """The pages `/mycx/files/PATH` and `/mycx/download/PATH`; without a path it is the root of one's own tree."""

    def __init__(self, store: Store, transport: Transport) -> None:
        self._store = store
        self._transport = transport

    async def folder(self, visit: Visit, session: Session) -> Response:
        """One page of a folder."""
        order = _order(visit)
        path = parse_path_in_url(visit.rest) if visit.rest else TreePath("self", ())
        found, above, account, groups = await self._store.ask(
            partial(_looked_at, caller=session.caller, path=path, order=order), at_one_moment=True
        )
        folder = found.folder
        own = Tree("self", "My files", "owner")
        trees = [own, *(Tree(group.id, group.name, group.role) for group in groups)]
        here = (
            own if folder.owner == session.caller.number else next(tree for tree in trees if tree.owner == path.owner)
        )
        before, after = max(0, order.offset - PAGE_ROWS), order.offset + PAGE_ROWS
        return page(
            "files.html",
            session=session,
            form_token=visit.form_token,
            here=here,
            trees=trees,
            account=account,
            folder=folder,
            above=above,
            columns=order.columns(),
            entries=found.entries,
            total=found.total,
            first=order.offset + 1,
            previous=order.query(offset=before) if order.offset else None,
            following=order.query(offset=after) if after < found.total else None,
        )

    async def download(self, visit: Visit, session: Session) -> Response:
        """A file, to be kept and not to be shown: it is whatever somebody uploaded."""
        query = url_encoded(visit.request.scope["query_string"])
        return await self._transport.attachment(Call(visit.request, visit.body, session.caller, query, visit.rest))


def _looked_at(
    connection: Connection, caller: Caller, path: TreePath | UuidPath, order: Order
) -> tuple[Page, list[Node], Account, list[Membership]]:
    """The page of a folder, the folders above it, and whose trees there are."""
    folder = find(connection, caller, path)
    found = page_of(
        connection,
        folder,
        offset=order.offset,
        limit=PAGE_ROWS,
        sort_by=order.sort_by,
        descending=order.direction == "desc",
    )
    return (
        found,
        ancestors(connection, folder),
        account_of(connection, caller),
        memberships(connection, caller.number),
    )


def _order(visit: Visit) -> Order:
    asked = Parameters(url_encoded(visit.request.scope["query_string"]))
    return Order(
        asked.choice("sortby", SORT_KEYS, "name"),
        asked.choice("sortOrder", _ORDERS, "asc"),
        asked.number("offset", 0) or 0,
    )
