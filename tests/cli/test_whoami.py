"""`cxfs whoami`, for people and for programs."""

from __future__ import annotations

import json
import os
import pty
import secrets
import select
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

import pytest

from cxfs.server import administration
from tests.cli.terminal import Terminal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server_process import ServerProcess

BOLD = "\x1b[1m"


class Person(NamedTuple):
    """Somebody with an account and their terminal."""

    name: str
    uuid: str
    token: str
    terminal: Terminal


@pytest.fixture
def person(running_server: ServerProcess, terminal: Terminal) -> Person:
    """A member of a group, with a profile for the running server and a token in the environment."""
    name = f"person-{secrets.token_hex(4)}"
    with administration.open_store(running_server.directory) as store:
        uuid = administration.add_user(store, name, password=None, quota_bytes=3 << 30, email="me@example.org")
        administration.add_group(store, f"team of {name}", owner=name)
        token = administration.issue_token(store, name)
    terminal.configure(f'[profiles.home]\napi_url = "{running_server.url}"\nca_file = "{running_server.ca_file}"\n')
    return Person(name, uuid, token, terminal.but(CXFS_ACCESS_TOKEN=token))


def test_it_says_whose_account_it_is(person: Person, running_server: ServerProcess) -> None:
    """One fact a line, in columns."""
    facts = dict(line.split(maxsplit=1) for line in person.terminal.cxfs("whoami").lines)

    assert facts | {"plan": ""} == {
        "user": person.name,
        "uuid": person.uuid,
        "e-mail": "me@example.org",
        "plan": "",
        "quota": "0 B of 3.0 GiB used",
        "groups": f"team of {person.name} (owner)",
        "token": "the environment's CXFS_ACCESS_TOKEN",
        "ca": str(running_server.ca_file),
        "server": running_server.url,
        "profile": "home",
    }


def test_programs_get_json(person: Person) -> None:
    """Sizes in bytes, nothing but JSON on stdout."""
    said = person.terminal.cxfs("whoami", "--json")

    found = json.loads("\n".join(said.lines))
    assert found["id"] == person.uuid
    assert (found["consumed_bytes"], found["capacity_bytes"]) == (0, 3 << 30)
    assert [group["name"] for group in found["groups"]] == [f"team of {person.name}"]
    assert said.err == ""


@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_the_token_is_not_shown(person: Person, arguments: list[str]) -> None:
    """Not by any form of it."""
    said = person.terminal.but(CXFS_DEBUG="1").cxfs("whoami", *arguments)

    assert person.token not in said.out + said.err


def test_a_token_that_is_refused(person: Person) -> None:
    """It has been taken back, or is another server's."""
    said = person.terminal.but(CXFS_ACCESS_TOKEN="not-a-token").cxfs("whoami")

    assert said.status == 4
    assert "not-a-token" not in said.line
    assert said.line.endswith("; CXFS_ACCESS_TOKEN holds it: start again with another")


def test_a_suspended_account(person: Person, running_server: ServerProcess) -> None:
    """No other token would help, and the line does not ask for one."""
    with administration.open_store(running_server.directory) as store:
        administration.suspend_user(store, person.name)

    said = person.terminal.cxfs("whoami")

    assert said.status == 4
    assert "suspended" in said.line


def shown_on_a_screen(terminal: Terminal) -> str:
    """What `cxfs whoami` writes to a terminal, colours and all."""
    leader, follower = pty.openpty()
    try:
        subprocess.run(
            [sys.executable, "-m", "cxfs", "whoami"],
            cwd=terminal.home,
            env={**terminal.environment, "TERM": "xterm-256color"},
            stdin=subprocess.DEVNULL,
            stdout=follower,
            check=True,
            timeout=60,
        )
        shown = b""
        while select.select([leader], [], [], 0)[0]:
            shown += os.read(leader, 4096)
        return shown.decode()
    finally:
        os.close(leader)
        os.close(follower)


def test_a_screen_gets_bold_names_and_a_pipe_does_not(person: Person) -> None:
    """Escape codes in a file or a script are noise."""
    assert BOLD in shown_on_a_screen(person.terminal)
    assert "\x1b" not in person.terminal.cxfs("whoami").out


def test_a_screen_gets_the_quota_as_a_bar(person: Person, running_server: ServerProcess) -> None:
    """How full it is, at a glance; a script gets the figures alone."""
    with administration.open_store(running_server.directory) as store:
        administration.set_quota(store, person.name, 0)

    assert f"{'█' * 20} 0 B of 0 B used" in shown_on_a_screen(person.terminal)
    assert "█" not in person.terminal.cxfs("whoami").out


def test_no_color_is_heeded(person: Person) -> None:
    """As no-color.org asks; bold is no colour."""
    shown = shown_on_a_screen(person.terminal.but(NO_COLOR="1"))

    assert person.name in shown
    assert "\x1b[3" not in shown


def test_a_token_file_and_the_folder_of_the_profile(person: Person, tmp_path: Path) -> None:
    """Relative to the configuration file, and refused while others can read it."""
    file = person.terminal.home / ".config/cxfs/token"
    file.write_text(f"{person.token}\n")
    file.chmod(0o644)
    configuration = (person.terminal.home / ".config/cxfs/config.toml").read_text()
    person.terminal.configure(configuration + 'token_file = "token"\n')
    plain = Terminal(person.terminal.home)

    open_to_all = plain.cxfs("whoami")
    file.chmod(0o600)
    private = plain.cxfs("whoami")

    assert open_to_all.status == 4
    assert "chmod 600" in open_to_all.line
    assert private.status == 0
