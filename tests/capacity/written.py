"""Requests as they go over a connection, written before they are sent: what the light client has to say."""

from __future__ import annotations

import itertools
import json
import os
from typing import TYPE_CHECKING, Final

from tests.capacity.asking import BUNDLED, bundle
from tests.server.person import BOUNDARY, form

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SMALL_BYTES: Final = 4 << 10
LARGE_BYTES: Final = 8 << 20
_RUNS: Final = itertools.count()


def request(method: str, address: str, token: str, body: bytes = b"", kind: str = "") -> bytes:
    """One, whole."""
    head = f"{method} {address}?access_token={token} HTTP/1.1\r\nHost: cx\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Content-Type: {kind or f'multipart/form-data; boundary={BOUNDARY}'}\r\n\r\n".encode() + body


def uploads(tokens: Sequence[str], size: int = SMALL_BYTES) -> Callable[[], bytes]:
    """New files of that size, no two alike, from one account after the other."""
    run, numbers = next(_RUNS), itertools.count()

    def following() -> bytes:
        number = next(numbers)
        address = f"/1/data/self:%2Fnew%20{run}-{number}"
        return request("POST", address, tokens[number % len(tokens)], form(("file", _content(run, number, size))))

    return following


def bundles(tokens: Sequence[str]) -> Callable[[], bytes]:
    """The same, by 64."""
    run, numbers = next(_RUNS), itertools.count()

    def following() -> bytes:
        number = next(numbers)
        contents = {
            f"/bundled {run}-{number}-{each}": _content(run, number * BUNDLED + each, SMALL_BYTES)
            for each in range(BUNDLED)
        }
        return request("POST", "/1/bundle/put", tokens[number % len(tokens)], bundle(contents))

    return following


def questions(tokens: Sequence[str], *addresses: str) -> Callable[[], bytes]:
    """These, again and again, from one account after the other."""
    all_of_them = itertools.cycle([request("GET", address, token) for address in addresses for token in tokens])
    return lambda: next(all_of_them)


def downloads_of_bundles(token: str, paths: Sequence[str]) -> Callable[[], bytes]:
    """These files, again and again."""
    body = json.dumps({"items": [{"path": path} for path in paths]}).encode()
    return lambda: request("POST", "/1/bundle/get", token, body, "application/json")


def _content(run: int, number: int, size: int) -> bytes:
    return b"%016d%016d%016d" % (os.getpid(), run, number) + bytes(size - 48)
