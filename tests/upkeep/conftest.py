"""A machine with a system bus, and a logind on it that a test speaks for."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from tests.upkeep.logind import Logind, system_bus

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Machine = Callable[..., AbstractAsyncContextManager[Logind]]


@pytest.fixture
def bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A system bus on which nobody is yet."""
    with system_bus(tmp_path) as address:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        yield address


@pytest.fixture
def logind(bus: str) -> Machine:
    """`async with logind() as machine:` is one on the bus; `delay_s` is how long it waits for those who hold it up."""

    @asynccontextmanager
    async def on_the_bus(*, delay_s: float = 5.0) -> AsyncIterator[Logind]:
        async with Logind.on(os.environ["DBUS_SYSTEM_BUS_ADDRESS"], delay_s=delay_s) as machine:
            yield machine

    return on_the_bus
