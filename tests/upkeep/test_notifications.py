"""Notices on a desktop: shown where there is one, each kind in one place, and nobody fails where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from cxfs.core.notices import Condition, Notices
from cxfs.upkeep.notifications import Notifications, session_bus as bus_of_this_session
from tests.upkeep.desktop import Desktop, session_bus

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOOK_S = 0.01


class Mount:
    """It stands as a test says."""

    def __init__(self) -> None:
        self.parked: dict[str, str] = {}
        self.reported: list[tuple[str, str]] = []
        self.is_signed_out = False
        self.looks = 0

    def condition(self) -> Condition:
        self.looks += 1
        reported, self.reported = self.reported, []
        return Condition(self.parked, reported, self.is_signed_out)

    async def is_looked_at(self, times: int) -> None:
        """Returns when it was looked at so many times more."""
        until = self.looks + times
        with trio.fail_after(30):
            while self.looks < until:  # noqa: ASYNC110 - another task's doing
                await trio.sleep(0.01)


@pytest.fixture
def mount() -> Mount:
    return Mount()


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[str]:
    """On which nobody shows anything yet."""
    with session_bus(tmp_path) as address:
        yield address


def notifications(mount: Mount, bus: str | None, *, quiet_s: float = 300.0) -> Notifications:
    return Notifications(Notices("home", quiet_s=quiet_s), mount.condition, lambda: bus, look_s=LOOK_S)


async def test_what_needs_a_person_is_shown(mount: Mount, bus: str) -> None:
    """By the desktop's own means, in the name of cxfs."""
    mount.parked = {"1": "a.txt"}
    async with Desktop.on(bus) as desktop, trio.open_nursery() as nursery:
        nursery.start_soon(notifications(mount, bus).run)
        await desktop.has_shown(1)
        nursery.cancel_scope.cancel()

    application, _, icon, summary, body, *_ = desktop.shown[0]
    assert (application, icon) == ("cxfs", "folder-remote")
    assert summary == "home: 1 change cannot be sent"
    assert body.startswith("a.txt\n")


async def test_a_newer_notice_takes_the_place_of_the_one_before_it(mount: Mount, bus: str) -> None:
    """Of its kind."""
    mount.is_signed_out = True
    async with Desktop.on(bus) as desktop, trio.open_nursery() as nursery:
        nursery.start_soon(notifications(mount, bus, quiet_s=0).run)
        await desktop.has_shown(1)
        mount.reported = [("self:/a", "it is elsewhere")]
        await desktop.has_shown(2)
        mount.reported = [("self:/b", "it is elsewhere")]
        await desktop.has_shown(3)
        nursery.cancel_scope.cancel()

    assert [each[1] for each in desktop.shown] == [0, 0, 2]


@pytest.mark.parametrize(
    ("abilities", "body"), [((), "<b>: gone & lost"), (("body-markup",), "&lt;b&gt;: gone &amp; lost")]
)
async def test_a_name_is_no_markup(abilities: tuple[str, ...], body: str, mount: Mount, bus: str) -> None:
    """Where the desktop reads any."""
    mount.reported = [("self:/<b>", "gone & lost")]
    async with Desktop.on(bus, *abilities) as desktop, trio.open_nursery() as nursery:
        nursery.start_soon(notifications(mount, bus).run)
        await desktop.has_shown(1)
        nursery.cancel_scope.cancel()

    assert desktop.shown[0][4] == body


@pytest.mark.parametrize("address", [None, "unix:path=/nowhere/bus", "tcp:host=127.0.0.1,port=1", "nonsense"])
async def test_without_a_session_nothing_is_shown_and_nothing_fails(address: str | None, mount: Mount) -> None:
    """A mount of the machine's, or over SSH."""
    mount.is_signed_out = True
    async with trio.open_nursery() as nursery:
        nursery.start_soon(notifications(mount, address).run)
        await mount.is_looked_at(3)
        nursery.cancel_scope.cancel()


async def test_a_bus_without_a_desktop_and_one_that_refuses_are_borne(mount: Mount, bus: str) -> None:
    """The next notice is tried again."""
    mount.is_signed_out = True
    async with trio.open_nursery() as nursery:
        nursery.start_soon(notifications(mount, bus).run)
        await mount.is_looked_at(3)
        async with Desktop.on(bus) as desktop:
            desktop.refuses = True
            mount.parked = {"1": "a"}
            await mount.is_looked_at(3)
            desktop.refuses = False
            mount.reported = [("self:/c", "it is elsewhere")]
            await desktop.has_shown(1)
        nursery.cancel_scope.cancel()

    assert desktop.refused == 1
    assert desktop.shown[0][4] == "c: it is elsewhere"


def test_the_bus_of_a_session_is_where_the_session_says_or_where_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user's service manager tells it; a login without a desktop has it in its runtime folder."""
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    without = bus_of_this_session()
    (tmp_path / "bus").touch()
    usual = bus_of_this_session()
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/told")

    assert (without, usual, bus_of_this_session()) == (None, f"unix:path={tmp_path}/bus", "unix:path=/told")
