"""A second CX server, tiny and in memory, that offers only the core: what the client must be content with.

Its own code throughout, sharing nothing with cxfs. Beside cxfs.server it has no capabilities (404), no `parent`, no
groups call, no versions, no ETag, no error types but the documented ones; it ignores Range (200 and the whole), the
fields `modified` and `ifVersion`, and `recursive=`. By hand: `CX_TOKEN=secret python tests/minimal_server.py --port N`.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.parser import BytesParser
from email.policy import HTTP
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Refused(Exception):
    """An answer that is no 200."""

    def __init__(self, status: int, error_type: str = "Error") -> None:
        super().__init__(error_type)
        self.status = status
        self.error_type = error_type


def _short(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _now() -> str:
    return datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


@dataclass(eq=False)
class Object:
    """A file, or with `entries` a folder."""

    name: str
    content: bytes = b""
    entries: dict[str, Object] | None = None
    id: str = field(default_factory=lambda: _short(uuid.uuid4().bytes))
    version: int = 1
    created: str = field(default_factory=_now)
    modified: str = field(default_factory=_now)

    def described(self) -> dict[str, object]:
        """As JSON."""
        return {
            "id": self.id,
            "version": self.version,
            "name": self.name,
            "description": "",
            "size": len(self.content),
            "created": self.created,
            "modified": self.modified,
            "isDir": self.entries is not None,
            "checksum": _short(hashlib.sha1(self.content).digest()),
            "checksumMethod": "SHA1",
            "md5checksum": _short(hashlib.md5(self.content).digest()),
            "shares": [],
            "stats": {"comments": 0},
            "suspended": False,
        }

    def copied(self, name: str) -> Object:
        """Another object with the same content."""
        entries = (
            None if self.entries is None else {each.name: each.copied(each.name) for each in self.entries.values()}
        )
        return Object(name, self.content, entries)


class MinimalServer:
    """An ASGI application with one account, which may be in one group, by its UUID. It moves nothing between the two.

    `requests` are its calls so far, without their parameters.
    """

    def __init__(self, token: str, *, group: str | None = None) -> None:
        self.requests: list[str] = []
        self._token = token
        self._user = _short(uuid.uuid4().bytes)
        self._root = Object("", entries={})
        self._group = group
        self._group_root = Object("", entries={})

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One request; bodies are held whole."""
        if scope["type"] != "http":
            return
        body, more = bytearray(), True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        try:
            status, kind, answer = 200, "application/json", self._answer(scope, bytes(body))
        except Refused as refused:
            status, kind = refused.status, "application/json"
            answer = {"errorType": refused.error_type, "message": "no"}
        if isinstance(answer, bytes):
            kind = "application/octet-stream"
        else:
            answer = json.dumps(answer).encode()
        headers = [(b"content-type", kind.encode()), (b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    def _answer(self, scope: Message, body: bytes) -> bytes | dict[str, object]:
        query = {name: values[0] for name, values in parse_qs(scope["query_string"].decode()).items()}
        address = scope["raw_path"].decode()
        self.requests.append(f"{scope['method']} {address}")
        if query.get("access_token") != self._token:
            raise Refused(401, "BadAuthToken")
        parts = address.split("/", 4)
        if address == "/1/users/self":
            return self._profile()
        if parts[:3] == ["", "1", "data"] and len(parts) > 3:
            path = unquote("/".join(parts[3:]))
            return self._download(path) if scope["method"] == "GET" else self._upload(path, scope, body)
        if parts[:3] != ["", "1", "files"] or len(parts) < 5:
            raise Refused(404)
        calls = {("GET", "list"): self._list, ("GET", "info"): self._describe, ("POST", "mkdir"): self._mkdir}
        calls |= {("POST", "delete"): self._delete, ("POST", "move"): self._move, ("POST", "copy"): self._copy}
        call = calls.get((scope["method"], parts[3]))
        if call is None:
            raise Refused(404)
        return call(unquote(parts[4]), query | _fields(scope, body))

    def _profile(self) -> dict[str, object]:
        used = sum(len(each.content) for each in self._everything(self._root))
        groups = {} if self._group is None else {self._group: {"groupId": self._group, "consumed": 0}}
        quota = {"totalCapacity": 10 << 30, "totalConsumed": used, "consumedByGroupFiles": groups}
        return {"profile": {"id": self._user, "username": "minimal", "avatar": "", "contact": {}, "quota": quota}}

    def _list(self, path: str, asked: dict[str, str]) -> dict[str, object]:
        folder = self._find(path)
        if folder.entries is None:
            raise Refused(409)
        entries = sorted(folder.entries.values(), key=lambda each: each.name)
        offset, limit = int(asked.get("offset", "0")), min(int(asked.get("limit", "500")), 500)
        page = [each.described() for each in entries[offset : offset + limit]]
        return {"directory": folder.described(), "entries": page, "offset": offset, "total": len(entries)}

    def _describe(self, path: str, _: dict[str, str]) -> dict[str, object]:
        return self._find(path).described()

    def _mkdir(self, path: str, _: dict[str, str]) -> dict[str, object]:
        folder, name, found = self._place(path)
        if found is not None:
            raise Refused(409)
        folder[name] = Object(name, entries={})
        return folder[name].described()

    def _delete(self, path: str, _: dict[str, str]) -> dict[str, object]:
        folder, name, found = self._place(path)
        if found is None:
            raise Refused(404)
        del folder[name]
        return {"status": "ok"}

    def _move(self, path: str, asked: dict[str, str]) -> dict[str, object]:
        if self._root_of(path) is not self._root_of(asked["to"]):
            raise Refused(400)
        source, old, moved = self._place(path)
        if moved is None:
            raise Refused(404)
        target, name = self._cleared(asked, moved)
        del source[old]
        moved.name = name
        target[name] = moved
        return moved.described()

    def _copy(self, path: str, asked: dict[str, str]) -> dict[str, object]:
        original = self._find(path)
        target, name = self._cleared(asked, original)
        target[name] = original.copied(name)
        return target[name].described()

    def _cleared(self, asked: dict[str, str], coming: Object) -> tuple[dict[str, Object], str]:
        folder, name, found = self._place(asked["to"])
        if found is not None and found is not coming:
            replaceable = (found.entries is None) == (coming.entries is None) and not found.entries
            if asked.get("overwrite") != "true" or not replaceable:
                raise Refused(409)
        if any(folder is each.entries for each in self._everything(coming)):
            raise Refused(400)
        return folder, name

    def _download(self, path: str) -> bytes:
        found = self._find(path)
        if found.entries is not None:
            raise Refused(409)
        return found.content

    def _upload(self, path: str, scope: Message, body: bytes) -> dict[str, object]:
        folder, name, found = self._place(path)
        if found is not None and found.entries is not None:
            raise Refused(409)
        content = _parts(scope, body)["file"]
        if found is None:
            found = folder[name] = Object(name)
        else:
            found.version += 1
        found.content, found.modified = content, _now()
        return found.described()

    def _place(self, path: str) -> tuple[dict[str, Object], str, Object | None]:
        """The entries of the folder, the name in it, and what has that name."""
        root, rest = self._root_of(path), path.partition(":")[2]
        if not rest.startswith("/"):
            for folder in self._everything(root):
                for each in (folder.entries or {}).values():
                    if each.id == rest:
                        return folder.entries or {}, each.name, each
            raise Refused(404)
        *above, name = rest[1:].split("/")
        if name in {"", ".", ".."} or len(name) > 255 or "\0" in name:
            raise Refused(400)
        entries = root.entries
        for step in above:
            found = (entries or {}).get(step)
            if found is None:
                raise Refused(404)
            entries = found.entries
            if entries is None:
                raise Refused(409)
        assert entries is not None
        return entries, name, entries.get(name)

    def _find(self, path: str) -> Object:
        root = self._root_of(path)
        if path.partition(":")[2] in {"/", root.id}:
            return root
        found = self._place(path)[2]
        if found is None:
            raise Refused(404)
        return found

    def _root_of(self, path: str) -> Object:
        owner = path.partition(":")[0]
        if owner in {"self", self._user}:
            return self._root
        if owner == self._group:
            return self._group_root
        raise Refused(400)  # as CX did: "Group or Share not found"

    def _everything(self, top: Object) -> list[Object]:
        found = [top]
        for each in found:
            found.extend((each.entries or {}).values())
        return found


def _parts(scope: Message, body: bytes) -> dict[str, bytes]:
    kind = dict(scope["headers"]).get(b"content-type", b"")
    if not kind.startswith(b"multipart/form-data"):
        raise Refused(400)
    boundary = b"--" + kind.partition(b"boundary=")[2].strip(b'"')
    parts = {}
    for part in body.split(boundary)[1:-1] if body.startswith(boundary) else []:
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        headers = BytesParser(policy=HTTP).parsebytes(head, headersonly=True)
        parts[str(headers["content-disposition"].params["name"])] = content.removesuffix(b"\r\n")
    return parts


def _fields(scope: Message, body: bytes) -> dict[str, str]:
    if dict(scope["headers"]).get(b"content-type", b"").startswith(b"multipart/"):
        return {name: value.decode() for name, value in _parts(scope, body).items()}
    return {name: values[0] for name, values in parse_qs(body.decode()).items()}


def _loaded() -> MinimalServer:
    return MinimalServer(os.environ["CX_TOKEN"], group=os.environ.get("CX_GROUP"))


def main() -> None:
    """Serves until a signal; plain HTTP unless both TLS files are given."""
    from granian import Granian
    from granian.constants import HTTPModes, Interfaces

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--tls-cert", type=Path)
    parser.add_argument("--tls-key", type=Path)
    chosen = parser.parse_args()
    server = Granian(
        "minimal_server",
        address="127.0.0.1",
        port=chosen.port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        websockets=False,
        log_enabled=False,
        ssl_cert=chosen.tls_cert,
        ssl_key=chosen.tls_key,
        workers_kill_timeout=2,
    )
    server.serve(target_loader=_loaded, wrap_loader=False)


if __name__ == "__main__":
    main()
