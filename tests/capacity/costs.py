"""What each kind of request takes: requests a second of one process, and processor time of it and of PostgreSQL."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Final

import psycopg

from tests.capacity.asking import BUNDLED, at
from tests.capacity.filling import FILE_BYTES, FIRST, file_name, folder_name, object_id
from tests.capacity.growth import filled_place
from tests.capacity.servers import Servers, Taken, running_servers
from tests.capacity.written import LARGE_BYTES, bundles, downloads_of_bundles, questions, uploads
from tests.server.engines import Postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ROUNDS: Final = 3
SECONDS: Final = 4.0
COUNTED: Final = 100_000
"""Objects in the account whose rows are weighed."""

_WEIGHED: Final = {
    "an object: its name, attributes and place": ("nodes", 0),
    "a content: its checksums": ("contents", 0),
    "a small content, beside its bytes": ("small", FILE_BYTES),
    "an entry of the log of changes (the last 100,000 of an owner)": ("feed", 0),
}


def _kinds(servers: Servers) -> Mapping[str, Callable[[], bytes]]:
    path = f"/{folder_name(0)}/{file_name(7)}"
    paths = [f"self:/{folder_name(0)}/{file_name(number)}" for number in range(BUNDLED)]
    return {
        "list, a page of 1,000": questions([servers.filled], f"/1/files/list/{at('/' + folder_name(0))}"),
        "info": questions([servers.filled], f"/1/files/info/{at(path)}"),
        "info by UUID": questions([servers.filled], f"/1/files/info/self:{object_id(FIRST + 7)}"),
        "download, small": questions([servers.filled], f"/1/data/{at(path)}"),
        f"download of a bundle of {BUNDLED}": downloads_of_bundles(servers.filled, paths),
        "upload, 4 KiB": uploads(servers.tokens),
        f"upload of a bundle of {BUNDLED}, 4 KiB each": bundles(servers.tokens),
        "upload, 8 MiB, into the bucket": uploads(servers.tokens[:2], LARGE_BYTES),
    }


def costs_table(*, seconds: float = SECONDS, rounds: int = ROUNDS) -> str:
    """One process, in turn with each kind of request; and what it holds in the end."""
    heads = ["request", "ms of the process", "ms of PostgreSQL", "a core can, a second", "did, a second"]
    found: dict[str, list[Taken]] = {}
    with running_servers(1) as servers:
        kinds = _kinds(servers)
        for requests in kinds.values():
            servers.loaded(servers.processes, requests, 0.5)
        for _ in range(rounds):
            for kind, requests in kinds.items():
                found.setdefault(kind, []).append(servers.loaded(servers.processes, requests, seconds))
        held = _held(servers)
    rows = [[kind, *_cells(taken)] for kind, taken in found.items()]
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + f"\n\n{held}"


def _cells(taken: Sequence[Taken]) -> list[str]:
    server_ms = statistics.median(each.server_ms for each in taken)
    return [
        f"{server_ms:.2g}",
        f"{statistics.median(each.postgres_ms for each in taken):.2g}",
        f"{1_000 / server_ms:,.0f}",
        f"{statistics.median(each.load.per_second for each in taken):,.0f}",
    ]


def _held(servers: Servers) -> str:
    with psycopg.connect(servers.postgres.url(servers.database)) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid != pg_backend_pid()"
            " AND backend_type = 'client backend'"
        ).fetchone()
    assert row is not None
    memory = servers.processes[0].memory_peak_bytes >> 20
    return f"After all of this the process has had {memory} MiB at most, and holds {row[0]} connections to PostgreSQL."


def bytes_table(count: int = COUNTED) -> str:
    """Bytes of PostgreSQL, indexes included, a row."""
    lines = ["| | bytes |", "|---|---:|"]
    with (
        Postgres() as postgres,
        filled_place(count, postgres=postgres) as place,
        psycopg.connect(postgres.url(place.database)) as connection,
    ):
        for what, (table, payload) in _WEIGHED.items():
            row = connection.execute(
                "SELECT pg_total_relation_size(oid) / reltuples FROM pg_class WHERE oid = %s::regclass", (table,)
            ).fetchone()
            assert row is not None
            lines.append(f"| {what} | {row[0] - payload:.0f} |")
    return "\n".join(lines)
