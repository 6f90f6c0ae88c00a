"""The parts of `make capacity` that decide: its tables, and what its light client counts."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest

from tests.bench.publishing import tables_in
from tests.capacity.__main__ import DOCS
from tests.capacity.growth import Growth
from tests.capacity.load import load

if TYPE_CHECKING:
    from collections.abc import Iterator

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
pytestmark = pytest.mark.storage("sqlite+folder")  # there is no storage in it


@pytest.fixture
def port() -> Iterator[int]:
    """Of a server that answers each request in two pieces, and the third with an error."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with connection:
                for answer in (ANSWER, ANSWER, ANSWER.replace(b"200 OK", b"503 No")):
                    connection.recv(1_000)
                    connection.sendall(answer[:20])
                    connection.sendall(answer[20:])

        thread = threading.Thread(target=serve)
        thread.start()
        yield int(listening.getsockname()[1])
        thread.join()


def test_every_table_has_its_place_in_a_document() -> None:
    """Where `make capacity ARGS=--publish` puts it, and where it was put."""
    scale, server = (tables_in((DOCS / f"{name}.md").read_text(encoding="utf-8")) for name in ("scale", "server"))

    assert set(scale) == {"growth-postgresql", "growth-sqlite", "one-folder-postgresql", "bytes"}
    assert set(server) == {"costs", "processes"}
    assert all(table.startswith("| ") for table in (*scale.values(), *server.values()))


def test_a_table_compares_with_the_smallest_account() -> None:
    """By the medians; in brackets the work, which does not depend on the machine."""
    growth = Growth()
    growth.seconds["info"] = {10: [0.001, 0.002, 0.1], 100: [0.003, 0.003, 0.004]}  # type: ignore[assignment]
    growth.statements["info"], growth.work["info"] = {10: 4, 100: 4}, {10: 20, 100: 30}

    assert growth.table([10, 100]).splitlines()[-1] == "| info | 4 | 2.00 | 1.50 (1.50) |"


def test_the_light_client_takes_no_refusal_for_an_answer(port: int) -> None:
    """A server that refuses fast would look like one that is fast."""
    with pytest.raises(AssertionError, match="503"):
        load([port], 1, lambda: b"GET / HTTP/1.1\r\n\r\n", 60)
