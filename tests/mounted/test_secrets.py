"""Where the secrets of an account are found after a life of signing in, mounting, working and failing: in the store."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx
import pytest

from cxfs.server import administration
from tests.mounting import Mount, account_of, wait_until
from tests.server_process import ServerProcess, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

REDIRECT: Final = "https://127.0.0.1/"
TIMEOUT_S: Final = 60.0

WITH_A_BUG: Final = """
import json, sys
from pathlib import Path
from cxfs.cli import main
from cxfs.fs.filesystem import FileSystem

token = json.loads(Path(sys.argv.pop(1)).read_text())["access_token"]

def broken(self, *arguments):
    raise ValueError(f"GET https://cx.example.org/1/data/x?access_token={token} as {token!r}")

FileSystem.extended_attribute = broken
main()
"""
"""cxfs with a fault in one of its handlers, which quotes what must not be quoted."""


@dataclass
class Life:
    """One person's secrets, and everything that was ever said or written about them."""

    secrets: dict[str, str]
    server: ServerProcess
    mount: Mount
    said: dict[str, str] = field(default_factory=dict)

    @property
    def store_file(self) -> Path:
        return self.mount.home / ".local/share/cxfs/credentials/life.json"

    def hears(self, what: str, *command: str, stdin: str | None = None, program: str | None = None) -> int:
        """Runs cxfs at its most talkative; keeps all it says."""
        start = ["-m", "cxfs"] if program is None else ["-c", program, str(self.store_file)]
        done = subprocess.run(
            [sys.executable, *start, *command], cwd=self.mount.home, text=True, capture_output=True, input=stdin or "",
            env={**self.mount.environment, "CXFS_DEBUG": "1", "SSH_TTY": "here"}, timeout=TIMEOUT_S, check=False,
        )  # fmt: skip
        self.said[what] = done.stdout + done.stderr
        return done.returncode

    def looks_at_processes(self, what: str) -> None:
        """What `ps` and /proc show of every process of ours."""
        for process in Path("/proc").iterdir():
            try:
                if process.name.isdigit() and int(process.name) != os.getpid():
                    self.said[f"{what}: {process.name}"] = "".join(
                        (process / file).read_text(errors="replace") for file in ("cmdline", "environ", "comm")
                    )
            except OSError:
                continue  # it has ended meanwhile

    def found(self) -> set[tuple[str, str]]:
        """Which secret, and where."""
        places = dict(self.said)
        for root in (self.mount.home, self.server.directory):
            for file in root.rglob("*"):
                if file.is_file() and file != self.store_file:
                    places[str(file)] = file.read_bytes().decode("latin-1")
        return {
            (name, place) for name, secret in self.secrets.items() for place, text in places.items() if secret in text
        }


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    """A server as `cxfs serve` starts it, its log kept; and somebody who has just signed in over SSH."""
    with logged_server(tmp_path) as server, account_of(server, "ann") as account:
        password = f"correct horse {secrets.token_hex(8)}"
        with administration.open_store(server.directory) as store:
            administration.set_password(store, "ann", password)
            client_id, client_secret = administration.add_app(store, "cxfs", [REDIRECT])
        mount = Mount(account, tmp_path / "home", profile="life")
        life = Life({"password": password, "client secret": client_secret}, server, mount)
        try:
            signs_in(life, client_id)
            yield life
        finally:
            mount.end()


@contextmanager
def logged_server(folder: Path) -> Iterator[ServerProcess]:
    """Its output goes to a file beside its directory."""
    server = ServerProcess(folder / "server", port=free_port())
    program = "from cxfs.cli import main; main()"
    log = (folder / "server.log").open("w")
    words = ["serve", str(server.directory), "--port", str(server.port)]
    with log, subprocess.Popen([sys.executable, "-c", program, *words], stdout=log, stderr=log) as process:
        try:
            wait_until(lambda: "fingerprint" in (folder / "server.log").read_text())
            yield server
        finally:
            process.send_signal(signal.SIGTERM)


def signs_in(life: Life, client_id: str) -> None:
    """`cxfs login`; the browser is the server's host here, and the code is a secret too."""
    file = life.mount.home / "client.toml"
    file.touch(mode=0o600)
    file.write_text(f'client_id = "{client_id}"\nclient_secret = "{life.secrets["client secret"]}"\n')
    with administration.open_store(life.server.directory) as store:
        code = life.secrets["code"] = administration.issue_code(store, "ann", app=client_id, redirect_uri=REDIRECT)
    life.hears("refused login", "login", "--profile", "life", "--server", life.server.url, "--client-file", str(file))
    fingerprint = re.search(r"--ca-fingerprint (\S+)", life.said["refused login"])
    assert fingerprint is not None
    words = ["login", "--profile", "life", "--server", life.server.url, "--client-file", str(file)]
    assert life.hears("login", *words, "--ca-fingerprint", fingerprint[1], stdin=f"{REDIRECT}?auth_code={code}\n") == 0
    file.unlink()
    life.secrets["token"] = json.loads(life.store_file.read_text())["access_token"]


@pytest.mark.promise
def test_no_secret_is_found_outside_its_store(life: Life) -> None:
    """Token, code, client secret and password stand in no log, traceback, process list, journal, cache or error text:
    the token is in its store and nowhere else."""
    life.hears("whoami", "whoami", "--profile", "life")
    life.hears("profiles", "profiles", "--json")
    life.mount.account.make_folder("/refused")
    words = ["mount", "--profile", "life", "--log-level", "debug", str(life.mount.path)]
    assert life.hears("mount", *words, program=WITH_A_BUG) == 0
    file = life.mount.path / "file.txt"
    file.write_text("content")
    life.looks_at_processes("mounted")
    life.mount.attempt("getfattr", "-n", "user.cx.status", life.mount.path)
    life.mount.attempt("cat", life.mount.path / "not there")
    with administration.open_store(life.server.directory) as store:
        administration.revoke_tokens(store, "ann")
    life.mount.attempt("ls", life.mount.path / "refused")
    life.hears("refused", "whoami", "--profile", "life")
    life.hears("code again", "login", "--profile", "life", stdin=f"{REDIRECT}?auth_code={life.secrets['code']}\n")
    life.hears("busy", "mount", "--profile", "life", str(life.mount.path))
    httpx.get(f"{life.server.url}/1/users/self?access_token={life.secrets['token']}", verify=False)
    os.kill(life.mount.daemon_pid, signal.SIGABRT)
    wait_until(lambda: not life.mount.is_served)
    life.hears("dead", "umount", str(life.mount.path))

    said = life.mount.log_file.read_text(encoding="utf-8")
    assert "a bug in getxattr" in said
    assert "signed out" in said
    assert life.found() == set()
