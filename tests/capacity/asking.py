"""A server's application, asked without a socket and as lightly as can be, so that a request's own cost is what shows.

The requests that are measured stand here, by name. Each leaves the account as large as it found it, or nearly.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from anyio import sleep_forever

from cxfs.server.app import make_app
from tests.capacity.filling import FILES_IN_A_FOLDER, FIRST, file_name, folder_name, object_id
from tests.server.person import BOUNDARY, form

if TYPE_CHECKING:
    from starlette.types import Message

    from cxfs.server.store import Store
    from tests.capacity.filling import Shape

_FORM: Final = (b"content-type", f"multipart/form-data; boundary={BOUNDARY}".encode())
_FIELDS: Final = (b"content-type", b"application/x-www-form-urlencoded")
BUNDLED: Final = 64


class Account:
    """One whose objects were filled in, seen by its token. `turn` numbers what is made: nothing is met twice."""

    def __init__(
        self, store: Store, token: str, count: int, shape: Shape = "folders", *, bundled: int = BUNDLED
    ) -> None:
        self.store = store
        self.bundled = bundled
        self._app = make_app(store)
        self._token = token
        self.count = count
        self.folders = 1 if shape == "one folder" else max(1, count // (FILES_IN_A_FOLDER + 1))
        self.turn = 0

    async def ask(
        self, method: str, address: str, body: bytes = b"", kind: tuple[bytes, bytes] = _FIELDS, query: str = ""
    ) -> Any:
        """The answer as JSON, or as bytes where it is none. AssertionError for a refusal."""
        waiting = [{"type": "http.request", "body": body, "more_body": False}]
        sent: list[Message] = []

        async def receive() -> Message:
            if not waiting:
                await sleep_forever()  # whoever asked waits for the answer
            return waiting.pop()

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {
            "type": "http", "method": method, "path": "/", "raw_path": address.encode(), "http_version": "1.1",
            "query_string": f"access_token={self._token}&{query}".encode(), "client": ("127.0.0.1", 1),
            "headers": [kind, (b"content-length", str(len(body)).encode())],
        }  # fmt: skip
        await self._app(scope, receive, send)
        content = b"".join(message.get("body", b"") for message in sent)
        assert sent[0]["status"] == 200, content
        return json.loads(content) if content.startswith(b"{") else content

    def folder(self) -> str:
        """Another one at each turn, spread over the account."""
        return "/" + folder_name(self.turn * 7_919 % self.folders)

    def file(self) -> str:
        """One of those that were filled in, each time another one."""
        return f"{self.folder()}/{file_name(self.turn * 31 % 900)}"

    @property
    def made(self) -> str:
        """The file that this turn uploads."""
        return f"{self.folder()}/new {self.turn}"


def at(path: str) -> str:
    """As it stands in an address."""
    return f"self:{quote(path, safe='')}"


async def _list(account: Account) -> None:
    page = await account.ask("GET", f"/1/files/list/{at(account.folder())}")
    assert len(page["entries"]) > 900


async def _last_page(account: Account) -> None:
    folder, offset = at(account.folder()), max(0, account.count - 1_000)
    page = await account.ask("GET", f"/1/files/list/{folder}", query=f"offset={offset}")
    assert len(page["entries"]) > 900


async def _info(account: Account) -> None:
    await account.ask("GET", f"/1/files/info/{at(account.file())}")


async def _info_by_uuid(account: Account) -> None:
    await account.ask("GET", f"/1/files/info/self:{object_id(FIRST + 1 + account.turn * 31 % 900)}")


async def _download(account: Account) -> None:
    await account.ask("GET", f"/1/data/{at(account.file())}")


async def _upload(account: Account) -> None:
    content = b"%d of %d" % (account.turn, account.count)
    await account.ask("POST", f"/1/data/{at(account.made)}", form(("file", content)), _FORM)


async def _next_version(account: Account) -> None:
    content = b"%d of %d, once more" % (account.turn, account.count)
    await account.ask("POST", f"/1/data/{at(account.made)}", form(("file", content)), _FORM)


async def _move(account: Account) -> None:
    await account.ask("POST", f"/1/files/move/{at(account.made)}", f"to={at('/moved')}".encode())


async def _feed(account: Account) -> None:
    last = await account.ask("GET", "/1/files/changes/self")
    since = max(0, int(last["cursor"]) - 100)
    assert (await account.ask("GET", "/1/files/changes/self", query=f"cursor={since}"))["changes"]


async def _delete(account: Account) -> None:
    await account.ask("POST", f"/1/files/delete/{at('/moved')}")


async def _update(account: Account) -> None:
    await account.ask("POST", f"/1/files/update/{at(account.file())}", b"description=new&mode=0644")


async def _versions(account: Account) -> None:
    await account.ask("GET", f"/1/files/versions/{at(account.file())}")


async def _folder_and_back(account: Account) -> None:
    made = f"/some folder {account.turn}"
    await account.ask("POST", f"/1/files/mkdir/{at(made)}")
    await account.ask("POST", f"/1/files/copy/{at(account.file())}", f"to={at(made + '/copy')}".encode())
    await account.ask("POST", f"/1/files/move/{at(made)}", f"to={at(made + ' moved')}".encode())
    await account.ask("POST", f"/1/files/delete/{at(made + ' moved')}")


def bundle(contents: dict[str, bytes]) -> bytes:
    """The body of a request that brings these, by their paths."""
    items = json.dumps([{"path": f"self:{path}", "size": len(content)} for path, content in contents.items()])
    return form(("items", items.encode()), *(("file", content) for content in contents.values()))


async def _bundle_put(account: Account) -> None:
    contents = {f"{account.made} of {each}": b"%d %d" % (account.turn, each) for each in range(account.bundled)}
    answer = await account.ask("POST", "/1/bundle/put", bundle(contents), _FORM)
    assert all("id" in result for result in answer["results"])


async def _bundle_get(account: Account) -> None:
    await account.ask("POST", "/1/bundle/get", _items(account))


async def _bundle_delete(account: Account) -> None:
    answer = await account.ask("POST", "/1/bundle/delete", _items(account))
    assert all(result == {"status": "ok"} for result in answer["results"])


def _items(account: Account) -> bytes:
    return json.dumps(
        {"items": [{"path": f"self:{account.made} of {each}"} for each in range(account.bundled)]}
    ).encode()


async def _sweep(account: Account) -> None:
    account.store.tend()


async def _profile(account: Account) -> None:
    await account.ask("GET", "/1/users/self")
    await account.ask("GET", "/1/users/self/groups")


Request = Callable[[Account], Awaitable[None]]

MEASURED: Final[dict[str, Request]] = {
    "list, a page of 1,000": _list,
    "info": _info,
    "upload": _upload,
    "move": _move,
    "feed, 100 changes": _feed,
    "delete": _delete,
    "download": _download,
    f"upload of a bundle of {BUNDLED}": _bundle_put,
    f"download of a bundle of {BUNDLED}": _bundle_get,
    f"deletion of a bundle of {BUNDLED}": _bundle_delete,
}
"""Those of the table, in the order in which each turn asks them."""

OTHERS: Final[dict[str, Request]] = {
    "info by UUID": _info_by_uuid,
    "upload of a file to be": _upload,
    "upload of a next version": _next_version,
    "move of it": _move,
    "deletion with its history": _delete,
    "update": _update,
    "versions": _versions,
    "mkdir, copy, move and deletion of a folder": _folder_and_back,
    "profile and groups": _profile,
    "removal of what nobody needs": _sweep,
}
"""The rest of what there is to ask of an account; together with those that are measured, all its calls."""

EVERYTHING: Final = MEASURED | OTHERS

IN_ONE_FOLDER: Final[dict[str, Request]] = {
    "list, the first page of 1,000": _list,
    "list, the last page": _last_page,
    **{name: request for name, request in MEASURED.items() if not name.startswith("list")},
}
"""For an account that has all its files in one folder."""
