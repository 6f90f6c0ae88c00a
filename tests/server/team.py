"""Two real server processes over one PostgreSQL and one bucket, and who calls them by the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from tests.server.person import FORM_HEADERS, form
from tests.server_process import ServerProcess, Storage

if TYPE_CHECKING:
    from contextlib import ExitStack
    from pathlib import Path

    from tests.server.engines import ObjectServer, Postgres


class Team:
    """Two servers of the same accounts, and a client of each with Ann's token."""

    def __init__(self, folder: Path, postgres: Postgres, objects: ObjectServer, storage: Storage) -> None:
        self.postgres = postgres
        self.objects = objects
        self.servers = [ServerProcess(folder / name, insecure=True, storage=storage) for name in ("one", "two")]
        self.clients: list[httpx.Client] = []

    def begin(self, stack: ExitStack) -> None:
        """Until the stack is left."""
        for server in self.servers:
            stack.enter_context(server)
        token = self.servers[0].add_user("ann")
        for server in self.servers:
            client = httpx.Client(base_url=server.url, params={"access_token": token}, timeout=60)
            self.clients.append(stack.enter_context(client))


def put(client: httpx.Client, address: str, content: bytes) -> httpx.Response:
    """An upload."""
    return client.post(address, content=form(("file", content)), headers=FORM_HEADERS)
