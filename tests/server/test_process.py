"""A real server process over TLS: what an application in memory cannot show."""

from __future__ import annotations

import os
import select
import signal
import socket
import ssl
from contextlib import ExitStack
from typing import TYPE_CHECKING

import httpx
import pytest

from cxfs.server import administration
from cxfs.server.administration import ServerError
from cxfs.server.hashes import form_token
from cxfs.server.limits import WAITS_OF_AN_ACCOUNT_MAX
from cxfs.server.serving import serve
from cxfs.server.store import open_store
from tests.server.person import BOUNDARY, FORM_HEADERS, form, refusal_of
from tests.server_process import ServerProcess, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOLDERS = pytest.mark.storage("sqlite+folder", "postgresql+folder")  # they look at what is arriving there
MEBIBYTE = 1 << 20
LARGE = 512
"""Mebibytes: two and a half times what the process may use."""
MEMORY_BYTES_MAX = 200 << 20


@pytest.fixture
def client(server: ServerProcess) -> Iterator[httpx.Client]:
    """Trusts the server's authority and is signed in."""
    with signed_in(server, server.add_user("ann")) as client:
        yield client


def signed_in(server: ServerProcess, token: str) -> httpx.Client:
    """Good for one process at that address, or the next."""
    verify = ssl.create_default_context(cafile=server.ca_file)
    return httpx.Client(base_url=server.url, verify=verify, params={"access_token": token}, timeout=60)


def test_the_server_speaks_tls_that_its_authority_vouches_for(server: ServerProcess, client: httpx.Client) -> None:
    """And nobody who does not trust it is served."""
    assert client.get("/1/users/self").json()["profile"]["username"] == "ann"
    with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
        httpx.get(server.url)


def test_names_survive_the_way_through_a_real_server(client: httpx.Client) -> None:
    """The HTTP server hands on the bytes of the request line, decoded by nobody."""
    made = client.post("/1/files/mkdir/self:%2F%252F%0A%E2%80%AE%3F%23")

    assert made.json()["name"] == "%2F\n\u202e?#"


def test_large_files_pass_in_flat_memory(server: ServerProcess, client: httpx.Client) -> None:
    """Both ways, larger than the memory that the process may use."""
    piece = os.urandom(MEBIBYTE)
    head, tail = form(("file", b"|")).split(b"|")

    def body() -> Iterator[bytes]:
        yield head
        for _ in range(LARGE):
            yield piece
        yield tail

    put = client.post("/1/data/self:%2Flarge", content=body(), headers=FORM_HEADERS)
    with client.stream("GET", "/1/data/self:%2Flarge") as answer:
        received = sum(len(part) for part in answer.iter_raw())

    assert (put.json()["size"], received) == (LARGE * MEBIBYTE, LARGE * MEBIBYTE)
    assert server.memory_peak_bytes < MEMORY_BYTES_MAX


def test_a_slow_reader_costs_no_memory(server: ServerProcess, client: httpx.Client) -> None:
    """What it does not take is not read from the disk either."""
    piece = b"x" * MEBIBYTE
    client.post("/1/data/self:%2Fa", content=form(("file", piece * 256)), headers=FORM_HEADERS).raise_for_status()
    before = server.memory_peak_bytes

    with client.stream("GET", "/1/data/self:%2Fa") as answer:
        next(answer.iter_raw())
        for _ in range(50):
            client.get("/1/users/self").raise_for_status()

        assert server.memory_peak_bytes - before < 32 * MEBIBYTE


@FOLDERS
def test_killed_during_an_upload_the_old_version_is_there(server: ServerProcess, client: httpx.Client) -> None:
    """By `kill -9` while the bytes of the new one are arriving; the next start leaves none of them."""
    client.post("/1/data/self:%2Fnote", content=form(("file", b"old")), headers=FORM_HEADERS).raise_for_status()
    token = server.issue_token("ann")
    incoming = server.directory / "incoming"

    def body() -> Iterator[bytes]:
        yield form(("file", b"|")).split(b"|")[0]
        while largest(incoming) < 3 * MEBIBYTE:
            yield b"x" * MEBIBYTE
        server.kill()
        yield b"x" * MEBIBYTE

    with pytest.raises(httpx.TransportError):
        client.post("/1/data/self:%2Fnote", content=body(), headers=FORM_HEADERS)
    left = largest(incoming)
    server.start()

    with signed_in(server, token) as again:
        assert again.get("/1/data/self:%2Fnote").content == b"old"
        assert again.get("/1/files/info/self:%2Fnote").json()["version"] == 1
    assert left >= 3 * MEBIBYTE  # it did have something to clean up
    assert largest(incoming) == 0


def largest(folder: Path) -> int:
    """Bytes in the largest file below it."""
    return max((path.stat().st_size for path in folder.rglob("*") if path.is_file()), default=0)


def test_killed_after_an_answer_the_new_version_is_there(server: ServerProcess, client: httpx.Client) -> None:
    """What was acknowledged stays."""
    token = server.issue_token("ann")
    client.post("/1/data/self:%2Fnote", content=form(("file", b"new")), headers=FORM_HEADERS).raise_for_status()
    server.kill()
    server.start()

    with signed_in(server, token) as again:
        assert again.get("/1/data/self:%2Fnote").content == b"new"


@FOLDERS
def test_a_signal_ends_it_cleanly(server: ServerProcess, client: httpx.Client) -> None:
    """Status 0, nothing left that looks like a crash, the port free again."""
    client.get("/1/users/self").raise_for_status()

    assert server.stop() == 0

    assert list((server.directory / "incoming").iterdir()) == []
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port))


def test_a_signal_ends_the_wait_for_changes(tmp_path: Path) -> None:
    """With an answer; a connection that breaks is what a client gets of a server that has to be killed in the end."""
    with ServerProcess(tmp_path / "served", insecure=True) as server, ExitStack() as connections:
        token = server.add_user("ann")
        address = f"/1/files/changes/self?access_token={token}&timeout=60&cursor="
        cursor = httpx.get(server.url + address).json()["cursor"]
        waiting = [
            connections.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            for _ in range(WAITS_OF_AN_ACCOUNT_MAX + 1)
        ]
        for connection in waiting:
            connection.sendall(f"GET {address}{cursor} HTTP/1.1\r\nHost: cx\r\nConnection: close\r\n\r\n".encode())
        refused, _, _ = select.select(waiting, [], [], 20)  # the one that is too many: so all the others wait

        status = server.stop()

        answers = [connection.makefile("rb").read().split()[1] for connection in waiting if connection not in refused]
    assert answers == [b"200"] * WAITS_OF_AN_ACCOUNT_MAX
    assert status == 0


def test_workers_end_with_the_process_that_watches_them(server: ServerProcess) -> None:
    """Otherwise they would hold the port, and serve on unseen."""
    worker = os.pidfd_open(server.worker_pid)

    os.kill(server.pid, signal.SIGKILL)

    try:
        assert ended(worker)
    finally:
        os.close(worker)


def ended(pidfd: int) -> bool:
    """Whether the process ends within a few seconds."""
    return bool(select.select([pidfd], [], [], 10)[0])


def test_a_request_line_that_is_too_long_is_refused(server: ServerProcess) -> None:
    """By the HTTP server itself, before the application."""
    context = ssl.create_default_context(cafile=server.ca_file)
    with (
        socket.create_connection(("127.0.0.1", server.port)) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
    ):
        secure.sendall(b"GET /1/users/self HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 1000 + b"\r\n")

        assert secure.recv(12) == b"HTTP/1.1 431"


@FOLDERS
def test_a_client_that_hangs_up_leaves_nothing(server: ServerProcess, client: httpx.Client) -> None:
    """In the middle of an upload: no version, no bytes."""
    incoming = server.directory / "incoming"

    def body() -> Iterator[bytes]:
        yield form(("file", b"|")).split(b"|")[0]
        while largest(incoming) < MEBIBYTE:
            yield b"x" * MEBIBYTE
        raise KeyError(BOUNDARY)

    with pytest.raises(KeyError):
        client.post("/1/data/self:%2Fnote", content=body(), headers=FORM_HEADERS)

    while largest(incoming):
        client.get("/1/users/self")
    assert client.get("/1/files/info/self:%2Fnote").status_code == 404


def test_the_authority_can_be_fetched_and_is_the_one_of_the_directory(server: ServerProcess) -> None:
    """[ours] By whoever does not trust it yet; its host has been shown its fingerprint."""
    unverified = httpx.get(f"{server.url}/mycx/ca.pem", verify=ssl._create_unverified_context())

    assert unverified.content == server.ca_file.read_bytes()
    with httpx.Client(verify=ssl.create_default_context(cadata=unverified.text)) as client:
        assert client.get(f"{server.url}/mycx/sign-in").status_code == 200


def test_who_signs_in_is_a_line_of_the_log(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """With the address that the connection comes from. Neither the password nor the session is in it."""
    with ServerProcess(tmp_path / "served", insecure=True) as server:
        with open_store(server.directory) as store:
            administration.add_user(store, "ann", password="correct horse battery")
        with httpx.Client(base_url=server.url) as client:
            page = client.get("/mycx/sign-in")
            cookie = page.cookies["__Host-cx"]
            entered = client.post(
                "/mycx/sign-in",
                data={"form_token": form_token(cookie), "name": "ann", "password": "correct horse battery"},
                headers={"Cookie": f"__Host-cx={cookie}", "X-Forwarded-For": "203.0.113.9"},
            )
            no_authority = client.get("/mycx/ca.pem")

    said = "".join(capfd.readouterr())
    assert entered.status_code == 303
    assert "INFO cxfs.server.audit: signed in: user='ann' application='' address=127.0.0.1" in said
    for secret in (cookie, entered.cookies["__Host-cx"], "correct horse", form_token(cookie)):
        assert secret not in said
    assert no_authority.status_code == 404


@pytest.mark.storage("sqlite+folder", "sqlite+bucket")
def test_a_token_is_in_no_output(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """[doc] it stands in every address, so no address is logged, not even when the server itself fails."""
    with ServerProcess(tmp_path / "served", insecure=True) as server:
        token = server.add_user("ann")
        for address in ("/1/users/self", "/nothing", "/1/data/self:%2F", "/1/files/list/self:%FF"):
            httpx.get(f"{server.url}{address}", params={"access_token": token})
        with open_store(server.directory) as store, store.transaction() as connection:
            connection.execute("DROP VIEW objects")
        failed = httpx.get(f"{server.url}/1/files/list/self:%2F", params={"access_token": token})

    said = "".join(capfd.readouterr())
    assert refusal_of(failed) == (500, "Internal")
    assert "no such table: objects" in said
    assert token not in said


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"insecure": True, "host": "0.0.0.0"}, "loopback"),
        ({"port": 0}, "1 to 65535"),
        ({"port": 70_000}, "1 to 65535"),
        ({"host": "no such host"}, "no address"),
        ({"host": "192.0.2.1"}, "cannot listen"),
    ],
)
def test_a_server_that_cannot_be_says_why(tmp_path: Path, asked: dict[str, object], words: str) -> None:
    """In one line, before anything runs."""
    with pytest.raises(ServerError, match=words):
        serve(tmp_path / "served", **{"port": free_port(), **asked})  # type: ignore[arg-type]


def test_one_port_has_one_server(server: ServerProcess, tmp_path: Path) -> None:
    """The HTTP server would share it silently."""
    with pytest.raises(ServerError, match="cannot listen"):
        serve(tmp_path / "other", port=server.port)


def test_one_directory_has_one_server(server: ServerProcess) -> None:
    """Commands beside it are welcome, another server is a mistake."""
    with pytest.raises(ServerError, match="another server"):
        serve(server.directory, port=free_port())
