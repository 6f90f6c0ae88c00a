"""Someone with an access token, for the server's tests: plain HTTP by the contract, never the client's code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    import httpx

BOUNDARY = "between-the-parts"


@dataclass(frozen=True)
class Person:
    """A signed-in user of the server that `client` reaches. Paths are given readably: `/photos/a b.jpg`."""

    client: httpx.AsyncClient
    id: str
    token: str
    owner: str = "self"

    def as_seen_in(self, owner: str) -> Person:
        """The same person, whose paths now are in another owner's tree."""
        return Person(self.client, self.id, self.token, owner)

    def path(self, path: str) -> str:
        """A readable path or a UUID, as it stands in an address."""
        return f"{self.owner}:{quote(path, safe='')}"

    async def ask(self, method: str, address: str, **rest: Any) -> httpx.Response:
        """A request to this very address, with the token added to its query."""
        mark = "&" if "?" in address else "?"
        return await self.client.request(method, f"{address}{mark}access_token={self.token}", **rest)

    async def page(self, path: str, query: str = "") -> httpx.Response:
        """One page."""
        return await self.ask("GET", f"/1/files/list/{self.path(path)}{query}")

    async def names(self, path: str, query: str = "") -> list[str]:
        """Of the entries, in the order they came."""
        return [entry["name"] for entry in (await self.page(path, query)).json()["entries"]]

    async def describe(self, path: str) -> dict[str, Any]:
        """The call `info`."""
        return found_in(await self.ask("GET", f"/1/files/info/{self.path(path)}"))

    async def tell(self, call: str, path: str, **fields: str) -> httpx.Response:
        """One of the calls that change something."""
        return await self.ask("POST", f"/1/files/{call}/{self.path(path)}", data=fields)

    async def make(self, *paths: str) -> None:
        """Folders."""
        for path in paths:
            (await self.tell("mkdir", path)).raise_for_status()

    async def put(self, path: str, content: bytes, **fields: str) -> dict[str, Any]:
        """An upload that must succeed."""
        return found_in(await self.upload(path, content, **fields))

    async def upload(self, path: str, content: bytes, **fields: str) -> httpx.Response:
        """As the documentation shows it: fields first."""
        return await self.ask("POST", f"/1/data/{self.path(path)}", data=fields, files={"file": content})

    async def news(self, cursor: str | None = None, **more: str) -> dict[str, Any]:
        """The call `changes`, which must be answered."""
        return found_in(await self.follow(cursor, **more))

    async def follow(self, cursor: str | None = None, **more: str) -> httpx.Response:
        """The call `changes`."""
        asked = more if cursor is None else {"cursor": cursor, **more}
        return await self.ask("GET", f"/1/files/changes/{self.owner}", params={"access_token": self.token, **asked})

    async def download(self, path: str, query: str = "", headers: Mapping[str, str] | None = None) -> httpx.Response:
        """Bytes."""
        return await self.ask("GET", f"/1/data/{self.path(path)}{query}", headers=headers)


def found_in(response: httpx.Response) -> dict[str, Any]:
    """The JSON object of an answer that must be a success."""
    assert response.status_code == 200, response.text
    found = response.json()
    assert isinstance(found, dict)
    return found


def refusal_of(response: httpx.Response) -> tuple[int, str]:
    """Status and error type of an error as the contract wants it: a JSON object with a message for a person."""
    assert response.headers["content-type"] == "application/json"
    error = response.json()
    assert isinstance(error["message"], str)
    assert error["message"]
    return response.status_code, error["errorType"]


def form(*parts: tuple[str, bytes]) -> bytes:
    """A multipart body with these fields in this order; its boundary is BOUNDARY."""
    body = b""
    for name, value in parts:
        body += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + value + b"\r\n"
    return body + f"--{BOUNDARY}--\r\n".encode()


FORM_HEADERS = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


async def pieces(body: bytes, size: int) -> AsyncIterator[bytes]:
    """A body that arrives bit by bit."""
    for start in range(0, len(body), size):
        yield body[start : start + size]
