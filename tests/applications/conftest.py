"""One account for the whole matrix, mounted twice: where applications work, and on a machine that only looks."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

import pytest

from tests.applications.registry import APPLICATIONS
from tests.mounting import Account, CountingServer, Mount, account_of

if TYPE_CHECKING:
    from collections.abc import Iterator

LIFE_S: Final = 3600.0
PROGRAM_S: Final = 180.0
"""The longest that one may take in full, also where others keep the machine busy."""


@pytest.fixture(scope="module")
def account(running_server: CountingServer) -> Iterator[Account]:
    """The account, with an empty folder for each application."""
    with account_of(running_server, f"matrix-{secrets.token_hex(4)}") as account:
        for application in APPLICATIONS:
            account.make_folder(f"/{folder_of(application.name)}")
        yield account


@pytest.fixture(scope="module")
def mount_for_all(account: Account, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mount]:
    """Where they work."""
    with Mount(account, tmp_path_factory.mktemp("home"), life_s=LIFE_S, program_s=PROGRAM_S) as mount:
        yield mount


@pytest.fixture
def mount(mount_for_all: Mount) -> Mount:
    """The same, alive again if the one before took it along."""
    if not mount_for_all.is_served:
        mount_for_all.start()
    return mount_for_all


@pytest.fixture(scope="module")
def elsewhere(account: Account, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mount]:
    """Another machine's mount of it, which knows only what the server tells, and believes it for a second."""
    home = tmp_path_factory.mktemp("elsewhere")
    with Mount(account, home, "--metadata-ttl", "1", life_s=LIFE_S, program_s=PROGRAM_S) as mount:
        yield mount


def folder_of(name: str) -> str:
    """Counted down: nobody walks from one to the next, and so finds it before its time."""
    (at,) = (at for at, each in enumerate(APPLICATIONS) if each.name == name)
    return f"folder-{999 - at}"
