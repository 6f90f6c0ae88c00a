"""A command loads what it needs and no more."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from cxfs import __version__

if TYPE_CHECKING:
    from tests.cli.daemons import SpokenDaemon
    from tests.cli.terminal import Terminal

HEAVY = {"pyfuse3", "httpx", "httpcore", "granian", "trio", "starlette", "argon2", "cryptography", "rich", "PIL"}

LATE = {"keyring", "secretstorage", "tomlkit", "cachetools", "msgspec", "sqlite3", "ssl"}
"""Lighter, and still of no use to whoever only asks."""

LOADED = """
import json, sys
from cxfs.cli import run
status = run(sys.argv[1:])
print(json.dumps([status, sorted({name.partition(".")[0] for name in sys.modules})]), file=sys.stderr)
"""


def loaded_by(terminal: Terminal, *arguments: str) -> set[str]:
    """The packages that are in memory after a command that went well."""
    status, names = json.loads(terminal.python(LOADED, *arguments).err.splitlines()[-1])
    assert status == 0
    return set(names)


@pytest.mark.parametrize(
    "arguments", [["--version"], ["--help"], ["help"], ["help", "exit-codes"], ["mount", "--help"]]
)
def test_what_only_prints_loads_no_kernel_and_no_network(terminal: Terminal, arguments: list[str]) -> None:
    """It answers at once, and on a machine where nothing else works."""
    assert loaded_by(terminal, *arguments) & HEAVY == set()


@pytest.mark.parametrize("arguments", [["uploads"], ["uploads", "--json"], ["sync", "--all"]])
def test_asking_a_mount_loads_no_kernel_and_no_network(terminal: Terminal, arguments: list[str]) -> None:
    """The answer is there at once; here that nothing is mounted."""
    assert loaded_by(terminal, *arguments) & HEAVY == set()


@pytest.mark.parametrize("arguments", [["status"], ["status", "--json"]])
def test_how_a_mount_stands_is_told_without_loading_what_draws(
    terminal: Terminal, daemon: SpokenDaemon, arguments: list[str]
) -> None:
    """It answers within 150 ms, most of which is the start of Python: prompts and status bars ask for it."""
    assert loaded_by(terminal, *arguments) & (HEAVY | LATE) == set()
    assert [verb for verb, _ in daemon.asked] == ["status"]


@pytest.mark.parametrize(
    "arguments", [["refresh", "mnt"], ["cp", "mnt/a", "mnt/b"], ["log-level", "debug"], ["metrics"]]
)
def test_what_a_daemon_does_needs_nothing_here(terminal: Terminal, daemon: SpokenDaemon, arguments: list[str]) -> None:
    """The command only says it."""
    daemon.answers |= {"refresh": {"count": 1}, "copy": {}, "log-level": {"level": "debug", "before": "info"}}

    assert loaded_by(terminal, *arguments) & (HEAVY | LATE) == set()


def test_the_hosts_commands_load_no_client(terminal: Terminal) -> None:
    """A server is hosted on machines without FUSE."""
    assert loaded_by(terminal, "serve", "there", "user", "list") & {"pyfuse3", "httpx", "trio", "granian"} == set()


def test_the_version_is_said_in_one_line(terminal: Terminal) -> None:
    """For bug reports and scripts."""
    assert terminal.cxfs("--version").lines == [f"cxfs {__version__}"]
