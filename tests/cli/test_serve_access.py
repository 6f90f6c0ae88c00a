"""`cxfs serve DIR`: applications, passwords, grants and the audit log, as their host sees them."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from functools import partial
from typing import TYPE_CHECKING

import pytest

from cxfs.server import administration
from cxfs.server.accounts import credentials_of
from cxfs.server.hashes import Passwords

if TYPE_CHECKING:
    from tests.cli.terminal import Terminal

UUID = r"[A-Za-z0-9_-]{22}"
SECRET = r"[A-Za-z0-9_-]{43}"
PASSWORD = "correct horse battery"


@pytest.fixture
def host(terminal: Terminal) -> Terminal:
    """A terminal where `there` is a server's folder with the account ann."""
    assert terminal.cxfs("serve", "there", "user", "add", "ann").status == 0
    return terminal


def columns(line: str) -> list[str]:
    """A row of a table."""
    return re.split(r"\s{2,}", line.strip())


def password_is(host: Terminal, name: str, password: str) -> bool:
    """Whether this account would be let in with it."""
    with administration.open_store(host.home / "there") as store:
        kept = store.look(partial(credentials_of, name=name))
    return Passwords().matches(kept and kept.password_hash, password)


# ---------------------------------------------------------------- applications


def test_an_application_without_an_address_is_a_program_on_the_users_machine(host: Terminal) -> None:
    """Such as cxfs itself: it listens on the loopback address, at any port."""
    (client_id,) = host.cxfs("serve", "there", "app", "add", "cxfs", "--to", "app.toml").lines

    _, *rows = [columns(line) for line in host.cxfs("serve", "there", "app", "list").lines]

    assert rows == [["cxfs", client_id, f"https://{name}/"] for name in ("127.0.0.1", "localhost", "[::1]")]


def test_the_secret_goes_into_a_file_of_its_own(host: Terminal) -> None:
    """Readable by its owner only, and not shown."""
    said = host.cxfs("serve", "there", "app", "add", "cxfs", "--to", "app.toml")

    file = host.home / "app.toml"
    written = tomllib.loads(file.read_text(encoding="utf-8"))
    assert file.stat().st_mode & 0o777 == 0o600
    assert said.lines == [written["client_id"]]
    assert re.fullmatch(UUID, written["client_id"])
    assert re.fullmatch(SECRET, written["client_secret"])
    assert set(written) == {"client_id", "client_secret"}


def test_a_file_that_is_there_is_not_overwritten(host: Terminal) -> None:
    """And no application is made whose secret nobody has."""
    (host.home / "app.toml").write_text("mine", encoding="utf-8")

    said = host.cxfs("serve", "there", "app", "add", "cxfs", "--to", "app.toml")

    assert said.status == 1
    assert said.line == "cxfs: app.toml exists already, and nothing is overwritten"
    assert (host.home / "app.toml").read_text(encoding="utf-8") == "mine"
    assert len(host.cxfs("serve", "there", "app", "list").lines) == 1


def test_a_refused_application_leaves_no_file(host: Terminal) -> None:
    """Here because its name is taken."""
    host.cxfs("serve", "there", "app", "add", "cxfs")

    said = host.cxfs("serve", "there", "app", "add", "cxfs", "--to", "app.toml")

    assert said.line == "cxfs: there is already an application 'cxfs'"
    assert not (host.home / "app.toml").exists()


def test_an_application_is_removed(host: Terminal) -> None:
    """By its name."""
    host.cxfs("serve", "there", "app", "add", "notes", "https://notes.example.org/back")

    assert host.cxfs("serve", "there", "app", "remove", "notes").lines == []

    assert len(host.cxfs("serve", "there", "app", "list").lines) == 1
    assert host.cxfs("serve", "there", "app", "remove", "notes").line == "cxfs: there is no application 'notes'"


# ---------------------------------------------------------------- passwords


def test_a_password_comes_from_a_file(host: Terminal) -> None:
    """Its first line, without the line's end."""
    (host.home / "first").write_text("the first one\n", encoding="utf-8")
    (host.home / "second").write_text(f"{PASSWORD}\r\nmore\n", encoding="utf-8")

    host.cxfs("serve", "there", "user", "add", "ben", "--password-file", "first")
    before = password_is(host, "ben", "the first one")
    host.cxfs("serve", "there", "user", "password", "ben", "--password-file", "second")

    assert before
    assert password_is(host, "ben", PASSWORD)


def test_a_password_comes_from_another_program(host: Terminal) -> None:
    """By standard input."""
    subprocess.run(
        [sys.executable, "-m", "cxfs", "serve", "there", "user", "password", "ann", "--password-file", "-"],
        cwd=host.home, env=host.environment, input=f"{PASSWORD}\n".encode(), check=True, timeout=60,
    )  # fmt: skip

    assert password_is(host, "ann", PASSWORD)


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"short", "a password has 8 to 1024 characters"), (b"", "8 to 1024"), (b"\xff" * 20, "text in UTF-8")],
)
def test_a_password_that_nobody_should_have_is_refused(host: Terminal, content: bytes, words: str) -> None:
    """In one line, and nothing is changed."""
    (host.home / "file").write_bytes(content)

    said = host.cxfs("serve", "there", "user", "password", "ann", "--password-file", "file")

    assert said.status == 1
    assert words in said.line


def test_nobody_is_asked_for_the_password_of_nobody(host: Terminal) -> None:
    """The name is looked at first."""
    assert host.cxfs("serve", "there", "user", "password", "ben").line == "cxfs: there is no user 'ben'"


# ---------------------------------------------------------------- grants and the log


def test_access_is_shown_and_taken_back(host: Terminal) -> None:
    """Of one application, then of everything."""
    (client_id, _) = host.cxfs("serve", "there", "app", "add", "notes", "https://notes.example.org/back").lines
    with administration.open_store(host.home / "there") as store:
        administration.issue_token(store, "ann", app=columns(client_id)[1])
    for _ in range(2):
        host.cxfs("serve", "there", "token", "ann")

    shown = [columns(line) for line in host.cxfs("serve", "there", "grants", "ann").lines]
    of_notes = host.cxfs("serve", "there", "revoke", "ann", "notes").lines
    of_all = host.cxfs("serve", "there", "revoke", "ann").lines

    assert [row[0] for row in shown] == ["application", "notes", "(made by the host)"]
    assert [row[-1] for row in shown] == ["last used", "never", "never"]
    assert (of_notes, of_all) == (["1 token revoked"], ["2 tokens revoked"])
    assert len(host.cxfs("serve", "there", "grants", "ann").lines) == 1


def test_the_log_is_shown(host: Terminal) -> None:
    """Of all, of one account, and no more than asked for."""
    host.cxfs("serve", "there", "user", "suspend", "ann")
    host.cxfs("serve", "there", "app", "add", "cxfs")

    everything = [columns(line)[1:] for line in host.cxfs("serve", "there", "audit").lines]
    of_ann = host.cxfs("serve", "there", "audit", "ann").lines
    last = host.cxfs("serve", "there", "audit", "--limit", "1").lines

    assert everything == [
        ["what", "account", "application", "from"],
        ["suspended", "ann", "the host"],
        ["application added", "cxfs", "the host"],
    ]
    assert len(of_ann) == 2
    assert columns(last[1])[1] == "application added"
    assert host.cxfs("serve", "there", "audit", "ben").line == "cxfs: there is no user 'ben'"
