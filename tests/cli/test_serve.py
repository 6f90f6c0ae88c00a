"""`cxfs serve DIR`: what its host can do, from the first account to the last file carried out."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import ssl
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.mounting import tree_of, write_tree
from tests.server_process import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.terminal import Terminal

UUID = r"[A-Za-z0-9_-]{22}"

FILES = {
    "a folder/text.txt": b"text\n",
    "a folder/empty": b"",
    "a folder/deeper/日本語 🐈.bin": bytes(range(256)) * 2000,
    "100% #1 ?": b"nothing special",
}


@pytest.fixture
def host(terminal: Terminal) -> Terminal:
    """A terminal where `there` is a server's folder with the account ann."""
    assert terminal.cxfs("serve", "there", "user", "add", "ann", "--quota", "50M").status == 0
    return terminal


def test_an_account_is_made_and_listed(host: Terminal) -> None:
    """With a UUID, which `user add` prints for scripts."""
    (uuid,) = host.cxfs("serve", "there", "user", "add", "bob", "--quota", "1.5G", "--email", "bob@example.org").lines

    heads, *rows = [line.split("  ") for line in host.cxfs("serve", "there", "user", "list").lines]

    assert re.fullmatch(UUID, uuid)
    assert [head.strip() for head in heads if head] == ["name", "uuid", "used", "quota", "state"]
    assert [[cell.strip() for cell in row if cell] for row in rows][1] == ["bob", uuid, "0 B", "1.5 GiB", "active"]


def test_an_account_is_made_once(host: Terminal) -> None:
    """The second is refused by its name."""
    said = host.cxfs("serve", "there", "user", "add", "ann")

    assert said.status == 1
    assert "'ann'" in said.line


def test_an_account_is_suspended_and_taken_back(host: Terminal) -> None:
    """The list says so."""
    host.cxfs("serve", "there", "user", "suspend", "ann")
    suspended = host.cxfs("serve", "there", "user", "list").lines[1]
    host.cxfs("serve", "there", "user", "unsuspend", "ann")
    active = host.cxfs("serve", "there", "user", "list").lines[1]

    assert suspended.split()[-1] == "suspended"
    assert active.split()[-1] == "active"


def test_a_quota_is_changed(host: Terminal) -> None:
    """In the words of people."""
    host.cxfs("serve", "there", "user", "quota", "ann", "2T")

    assert "2.0 TiB" in host.cxfs("serve", "there", "user", "list").lines[1]


def test_a_group_has_members(host: Terminal) -> None:
    """Given a role, given another, taken out."""
    host.cxfs("serve", "there", "user", "add", "bob")

    steps = [
        host.cxfs("serve", "there", "group", "add", "team", "ann"),
        host.cxfs("serve", "there", "group", "member", "team", "bob"),
        host.cxfs("serve", "there", "group", "member", "team", "bob", "reader"),
        host.cxfs("serve", "there", "group", "member", "team", "bob", "--remove"),
    ]

    assert [(step.status, step.err) for step in steps] == [(0, "")] * 4
    assert re.fullmatch(UUID, steps[0].out.strip())
    assert host.cxfs("serve", "there", "group", "member", "crew", "bob").line == "cxfs: there is no group 'crew'"


def test_an_application_gets_its_id_and_secret(host: Terminal) -> None:
    """Shown this once, as `name  value`."""
    lines = host.cxfs("serve", "there", "app", "add", "notes", "https://notes.example.org/back").lines

    assert [line.split()[0] for line in lines] == ["client_id", "client_secret"]
    assert len({line.split()[1] for line in lines}) == 2


def test_each_token_is_another(host: Terminal) -> None:
    """One a machine; none is kept readable."""
    (first,) = host.cxfs("serve", "there", "token", "ann").lines
    (second,) = host.cxfs("serve", "there", "token", "ann").lines

    kept = b"".join(path.read_bytes() for path in (host.home / "there").rglob("*") if path.is_file())
    assert first != second
    assert first.encode() not in kept


def test_a_tree_comes_out_as_it_went_in(host: Terminal, tmp_path: Path) -> None:
    """Names, content, times and links, without the network; what is neither file, folder nor link is named."""
    write_tree(tmp_path / "in", FILES)
    (tmp_path / "in/link").symlink_to("100% #1 ?")
    tree = tree_of(tmp_path / "in")
    os.mkfifo(tmp_path / "in/pipe")

    imported = host.cxfs("serve", "there", "import", "ann", tmp_path / "in", "/moved in")
    exported = host.cxfs("serve", "there", "export", "ann", "/moved in", tmp_path / "out")

    assert imported.lines == ["5 files, 2 folders, 501 KiB"]
    assert imported.err.startswith("left out: ")
    assert "pipe" in imported.err
    assert str((tmp_path / "out/link").readlink()) == "100% #1 ?"
    assert exported.lines == imported.lines
    assert tree_of(tmp_path / "out") == tree
    assert int((tmp_path / "out/100% #1 ?").stat().st_mtime) == int((tmp_path / "in/100% #1 ?").stat().st_mtime)


def test_a_folder_that_is_full_is_not_exported_into(host: Terminal, tmp_path: Path) -> None:
    """Nothing is overwritten."""
    write_tree(tmp_path / "out", {"mine": b"mine"})

    said = host.cxfs("serve", "there", "export", "ann", "/", tmp_path / "out")

    assert said.status == 1
    assert said.line.endswith("is not empty")


def test_a_served_folder_says_where_and_with_which_authority(host: Terminal) -> None:
    """All that a profile needs, and `cxfs whoami` with it works; Ctrl-C ends it without a word."""
    port = str(free_port())
    (token,) = host.cxfs("serve", "there", "token", "ann").lines
    with subprocess.Popen(
        [sys.executable, "-m", "cxfs", "serve", "there", "--port", port],
        cwd=host.home,
        env=host.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        said = [process.stdout.readline().rstrip() for _ in range(3)]
        ca_file = said[1].partition(": ")[2]
        host.configure(f'[profiles.home]\napi_url = "https://127.0.0.1:{port}"\nca_file = "{ca_file}"\n')

        found = host.but(CXFS_ACCESS_TOKEN=token).cxfs("whoami", "--json")

        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)

    certificate = ssl.PEM_cert_to_DER_cert((host.home / "there/tls/ca.pem").read_text(encoding="ascii"))
    assert said[0] == f"there is served at https://127.0.0.1:{port}"
    assert said[2] == f"its SHA-256 fingerprint: {hashlib.sha256(certificate).digest().hex(':').upper()}"
    assert json.loads("\n".join(found.lines))["username"] == "ann"
    assert (process.returncode, out, err) == (0, "", "")
    assert token not in "".join(said)
