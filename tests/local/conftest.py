"""What this machine remembers, on a folder of its own and under a clock that a test moves."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING

import pytest

from cxfs.core.entries import SELF, Entry, EntryName, Uuid
from cxfs.local.outbox import Outbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s

    def passes(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def uuid() -> Callable[[int], Uuid]:
    """The UUID of the object with this number."""
    return lambda number: Uuid(urlsafe_b64encode(number.to_bytes(16)).decode()[:22])


@pytest.fixture
def file(uuid: Callable[[int], Uuid]) -> Callable[..., Entry]:
    """A file of CX: its number and name, the older the smaller its number."""

    def made(number: int, name: str, *, version: int = 1) -> Entry:
        return Entry(
            owner=SELF,
            id=uuid(number),
            name=EntryName(name),
            is_folder=False,
            size=10,
            version=version,
            created_ms=number,
            modified_ms=number,
        )

    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of the outbox, unless a module has another one in mind."""
    return tmp_path / "outbox"


@pytest.fixture
def restarted(folder: Path, request: pytest.FixtureRequest) -> Callable[[], Outbox]:
    """The daemon died without a word, and runs again on the same folder."""

    def again() -> Outbox:
        outbox = Outbox(folder)
        request.addfinalizer(outbox.close)
        return outbox

    return again


@pytest.fixture
def outbox(folder: Path) -> Iterator[Outbox]:
    outbox = Outbox(folder)
    yield outbox
    outbox.close()
