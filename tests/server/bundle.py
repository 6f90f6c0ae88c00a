"""Bundles as the contract has them, written and read by hand: never the client's code."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx

    from tests.server.person import Person


@dataclass(frozen=True)
class Part:
    """One part of a multipart answer; header names in small letters."""

    headers: dict[str, str]
    content: bytes

    @property
    def refusal(self) -> tuple[int, str] | None:
        """Status and error type of an item that failed; None for content, which has a tag."""
        if "etag" in self.headers:
            return None
        assert self.headers["content-type"] == "application/json"
        error = json.loads(self.content)
        assert error["message"]
        return error["status"], error["errorType"]


async def wanted(person: Person, *files: dict[str, Any]) -> httpx.Response:
    """A `get` of these files at the versions that they are described at."""
    items = [{"path": f"{person.owner}:{file['id']}", "version": file["version"]} for file in files]
    return await person.ask("POST", "/1/bundle/get", json={"items": items})


def parts_of(response: httpx.Response) -> list[Part]:
    """By their lengths, to the byte; nothing before, between or behind them."""
    assert response.status_code == 200, response.text
    kind, _, boundary = response.headers["content-type"].partition("; boundary=")
    assert kind == "multipart/mixed"
    delimiter, rest, parts = f"--{boundary}".encode(), response.content, []
    while not rest.startswith(delimiter + b"--"):
        assert rest.startswith(delimiter + b"\r\n")
        head, _, rest = rest[len(delimiter) + 2 :].partition(b"\r\n\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head.decode().split("\r\n"))
        length = int(headers["content-length"])
        parts.append(Part(headers, rest[:length]))
        assert rest[length : length + 2] == b"\r\n"
        rest = rest[length + 2 :]
    assert rest == delimiter + b"--\r\n"
    return parts
