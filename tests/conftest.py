"""Nouns that many tests share: a server that runs, an account on it, its mount, and a folder there for one test."""

from __future__ import annotations

import secrets
import signal
from typing import TYPE_CHECKING, Final

import pytest

from tests.mounting import Account, CountingServer, Mount, account_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

STORAGES: Final = ("sqlite+folder", "sqlite+bucket", "postgresql+folder", "postgresql+bucket")
"""Database and place of large contents."""

FOLDERS: Final = 50
"""More than any module has tests."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--storage`: where the servers of tests/server keep what they have; `make test-storage` goes through all."""
    parser.addoption("--storage", choices=STORAGES, default=STORAGES[0])


def pytest_configure() -> None:
    """Programs under test start as in a terminal: nohup, or a script's background, would have them ignore signals."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A report travels from one process to another, as UTF-8; what was logged of names that are none does not."""
    report = yield
    report.sections = [(name, text.encode(errors="backslashreplace").decode()) for name, text in report.sections]
    return report


@pytest.fixture(scope="session")
def running_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CountingServer]:
    """A real server process over TLS, for all tests together; each module has an account of its own there."""
    with CountingServer(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="module")
def account(running_server: CountingServer) -> Iterator[Account]:
    """The account of a module's tests, seen from outside, with a folder for each of them."""
    with account_of(running_server, f"module-{secrets.token_hex(4)}") as account:
        for number in range(FOLDERS):
            account.make_folder(f"/folder-{number}")
        yield account


@pytest.fixture(scope="module")
def mount(account: Account, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mount]:
    """The account, mounted as it comes for all tests of a module."""
    with Mount(account, tmp_path_factory.mktemp("home")) as mount:
        yield mount


@pytest.fixture(scope="module")
def unused_folders(mount: Mount) -> Iterator[Path]:
    """Those of the module's mount that no test has yet, against their order: nobody walks from one to the next."""
    return (mount.path / f"folder-{number}" for number in reversed(range(FOLDERS)))


@pytest.fixture
def folder(mount: Mount, unused_folders: Iterator[Path]) -> Path:
    """An empty folder in the module's mount, for one test alone.

    The mount believes nothing of it yet, so what the test first puts there by the API is seen without waiting.
    """
    folder = next(unused_folders)
    mount.forgets(folder)
    return folder


@pytest.fixture
def own_account(running_server: CountingServer) -> Iterator[Account]:
    """An account for one test alone."""
    with account_of(running_server, f"test-{secrets.token_hex(4)}") as account:
        yield account


@pytest.fixture
def own_mount(own_account: Account, tmp_path: Path) -> Iterator[Mount]:
    """The mount of the test's own account, to be ended and started as the test likes."""
    with Mount(own_account, tmp_path / "home") as mount:
        yield mount
