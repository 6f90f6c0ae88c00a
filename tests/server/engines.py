"""Real engines for the server's storage: PostgreSQL in a folder of its own, and an S3 server over a folder.

Each listens where nobody else does, ends with its block, and can be stopped and started again under a running server.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sysconfig
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import psycopg

from tests.server_process import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

STOP_TIMEOUT_S: Final = 30
_ENOUGH: Final = 300
"""Looks, a tenth of a second apart."""


class Postgres:
    """A cluster without a password, reached through a socket in its folder; nothing of it is synced to the disk."""

    def __init__(self) -> None:
        self._user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        self.folder = Path(tempfile.mkdtemp(prefix="cxfs-postgres-"))
        if os.geteuid() == 0:  # PostgreSQL refuses to be root
            shutil.chown(self.folder, self._user)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._run("initdb", "-D", str(self.folder / "data"), "-A", "trust", "-U", "cx", "-N", "-E", "UTF8")
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    def url(self, name: str = "postgres") -> str:
        """Of one database in it."""
        return f"postgresql://cx@/{name}?host={self.folder}"

    @property
    def pid(self) -> int:
        """Of the process above all others."""
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> Path:
        """What it says, an object of JSON a line."""
        return self.folder / "data/log/log.json"

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.folder / ".s.PGSQL.5432"

    def new_database(self, name: str) -> str:
        """Its URL."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def start(self) -> None:
        """Returns when it answers."""
        settings = [
            *("fsync=off", "full_page_writes=off", "listen_addresses=", f"unix_socket_directories={self.folder}"),
            *("logging_collector=on", "log_destination=jsonlog", "log_filename=log", "log_rotation_age=0"),
        ]
        self._process = subprocess.Popen(
            [_program("postgres"), "-D", str(self.folder / "data"), *(f"--{setting}" for setting in settings)],
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
            user=self._user,
        )
        for _ in range(_ENOUGH):
            with contextlib.suppress(psycopg.OperationalError), psycopg.connect(self.url()):
                return
            assert self._process.poll() is None, "PostgreSQL ended by itself"
            threading.Event().wait(0.1)
        raise RuntimeError("PostgreSQL does not answer")

    def stop(self) -> None:
        """At once: open connections are cut."""
        _end(self._process, signal.SIGINT)
        self._process = None

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [_program(program), *arguments], check=True, capture_output=True, cwd=self.folder, user=self._user
        )


def empty(connection: psycopg.Connection) -> None:
    """All tables of the server's."""
    tables = connection.execute(
        "SELECT string_agg(quote_ident(tablename), ', ') FROM pg_tables"
        " WHERE schemaname = 'public' AND tablename != 'alembic_version'"
    ).fetchone()
    assert tables is not None
    connection.execute(f"TRUNCATE {tables[0]} RESTART IDENTITY CASCADE")


class ObjectServer:
    """rclone's S3 server over a folder. `url` is a bucket that is there; `environment` is how a client finds it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="cxfs-bucket-"))
        (self.folder / "bucket").mkdir()
        self.url = "s3://bucket/some/prefix"
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._door = _Door(self._port)
        self.environment = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._door.port}",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
        }

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._door.close()
        shutil.rmtree(self.folder)

    @property
    def objects(self) -> set[str]:
        """Names of all that are complete."""
        return {path.name for path in self.folder.rglob("*") if path.is_file() and not path.name.startswith(".")}

    def empty(self) -> None:
        """Without a bucket's own words, which would take as long again."""
        for path in self.folder.rglob("*"):
            if path.is_file():
                path.unlink()

    def start(self) -> None:
        """Returns when it answers."""
        self._process = subprocess.Popen(
            [
                Path(sysconfig.get_path("scripts")) / "rclone", "serve", "s3", "--addr", f"127.0.0.1:{self._port}",
                "--auth-key", "key,secret", "--config", "/dev/null", "--vfs-cache-mode", "off",
                "--vfs-read-wait", "0", self.folder,
            ],
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        for _ in range(_ENOUGH):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._port), timeout=1):
                return
            threading.Event().wait(0.1)
        raise RuntimeError("the S3 server does not answer")

    def stop(self) -> None:
        """At once."""
        _end(self._process, signal.SIGKILL)
        self._process = None


class _Door:
    """In front of rclone, which answers a range with 200 where S3 says 206: this says 206. One thread a direction."""

    def __init__(self, to: int) -> None:
        self._to = to
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._socket.accept()
                threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with near, contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._to)) as far:
            for end in (near, far):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            asked = threading.Event()
            threading.Thread(target=self._ask, args=(near, far, asked), daemon=True).start()
            for piece in self._answers(far, asked):
                near.sendall(piece)
            near.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _ask(near: socket.socket, far: socket.socket, asked: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while piece := near.recv(1 << 18):
                asked.set()
                far.sendall(piece)
            far.shutdown(socket.SHUT_WR)

    @staticmethod
    def _answers(far: socket.socket, asked: threading.Event) -> Iterator[bytes]:
        """What comes first after something was asked is the head of an answer: nobody asks before the last is whole."""
        while piece := far.recv(1 << 18):
            if asked.is_set():
                asked.clear()
                while b"\r\n\r\n" not in piece:
                    if not (more := far.recv(1 << 18)):
                        return
                    piece += more
                head, end, rest = piece.partition(b"\r\n\r\n")
                if b"\r\ncontent-range:" in head.lower():
                    head = head.replace(b" 200 OK\r\n", b" 206 Partial Content\r\n", 1)
                piece = head + end + rest
            yield piece

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


def _program(name: str) -> str:
    """Debian keeps PostgreSQL's programs out of the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else str(shutil.which(name) or name)


def _end(process: subprocess.Popen[bytes] | None, number: signal.Signals) -> None:
    if process is not None:
        process.send_signal(number)
        process.wait(STOP_TIMEOUT_S)
