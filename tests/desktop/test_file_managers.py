"""Real file managers on a mount, at a round trip of 100 ms: `make desktop`; `PICTURES=FOLDER` keeps what they show.

What they were seen to do is replayed by tests that need no desktop: mounted/test_trash.py, fs/test_ahead.py.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.desktop.screen import Screen
from tests.mounting import eventually, wait_until
from tests.upkeep.logind import system_bus

if TYPE_CHECKING:
    from tests.mounting import Account, CountingServer, Mount

pytestmark = pytest.mark.desktop

MANAGERS: Final = ("thunar", "pcmanfm")

SNIFFER: Final = """
import os, sys
for entry in sorted(os.scandir(sys.argv[1]), key=lambda entry: entry.name)[:100]:
    descriptor = os.open(entry.path, os.O_RDONLY)  # GIO reads without a buffer of its own
    os.read(descriptor, 4096)
    os.close(descriptor)
"""


def keep(screen: Screen, name: str) -> None:
    """What is shown, for whoever asked for it."""
    if "PICTURES" in os.environ:
        screen.picture(Path(os.environ["PICTURES"], f"{name}.png"))


def test_looking_at_500_pictures_brings_a_block_of_each(far_mount: Mount, running_server: CountingServer) -> None:
    """And the folder is listed long before."""
    folder = far_mount.path / "Pictures"
    begun = time.monotonic()
    listed = far_mount.run("ls", "-l", folder).splitlines()
    took_s = time.monotonic() - begun
    before = running_server.content_bytes()

    far_mount.python(SNIFFER, folder)

    each = (running_server.content_bytes() - before) / 100
    print(f"\nls -l of {len(listed) - 1} pictures took {took_s:.2f} s; a look at each brought {each / 1024:.0f} KiB")  # noqa: T201
    assert each <= 128 << 10


@pytest.mark.parametrize("manager", MANAGERS)
def test_a_folder_of_500_pictures_is_opened_and_left_while_thumbnails_are_made(
    manager: str, far_mount: Mount, screen: Screen, running_server: CountingServer
) -> None:
    """Only what is in view is read."""
    before, bytes_before = len(running_server.requests()), running_server.content_bytes()
    screen.start(manager, far_mount.path / "Pictures")
    window = screen.window("Pictures")

    def files_read() -> int:
        return len({line for line in running_server.requests()[before:] if line.startswith("GET /1/data/")})

    wait_until(lambda: files_read() >= 12, deadline_s=60)
    keep(screen, manager)
    screen.press(window, "alt+Up")
    screen.window("mnt")

    listings = [line for line in running_server.requests()[before:] if line.startswith("GET /1/files/list/")]
    read = files_read()
    print(f"\n{manager}: {read} pictures read, {(running_server.content_bytes() - bytes_before) >> 10} KiB")  # noqa: T201
    assert len(listings) <= 6
    assert read < 100


@pytest.mark.parametrize("manager", MANAGERS)
def test_a_file_is_copied_in_renamed_and_put_into_the_trash(
    manager: str, far_mount: Mount, own_account: Account, screen: Screen
) -> None:
    """By the keys that people use."""
    (screen.home / "inbox").mkdir()
    (screen.home / "inbox" / "from bob.txt").write_text("Dear Ann\n")
    (far_mount.path / "Letters").mkdir()
    screen.start(manager, screen.home / "inbox")
    screen.press(screen.window("inbox"), "ctrl+a", "ctrl+c")
    screen.start(manager, far_mount.path / "Letters")
    window = screen.window("Letters")

    screen.press(window, "ctrl+v")
    wait_until((far_mount.path / "Letters" / "from bob.txt").exists)
    screen.press(window, "ctrl+a", "F2")
    dialog = screen.window("Rename")
    screen.press(dialog, "ctrl+a")
    screen.type("bob.txt")
    screen.press(dialog, "Return")
    wait_until((far_mount.path / "Letters" / "bob.txt").exists)
    renamed = eventually(lambda: own_account.names("/Letters"), {"bob.txt"})
    screen.press(window, "ctrl+a", "Delete")
    if manager == "pcmanfm":
        screen.press(screen.window("Confirm"), "Return")
    trash = f"/.Trash-{far_mount.path.stat().st_uid}"
    in_trash = eventually(lambda: own_account.names(f"{trash}/files"), {"bob.txt"})

    assert renamed == {"bob.txt"}
    assert in_trash == {"bob.txt"}
    wait_until(lambda: not own_account.names("/Letters"))
    assert eventually(lambda: own_account.names(f"{trash}/info"), {"bob.txt.trashinfo"}) == {"bob.txt.trashinfo"}


def test_a_desktop_shows_the_name_and_icon_that_the_top_of_the_mount_tells(
    far_mount: Mount, own_account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GVfs reads them, which needs a system bus; the file stays on this machine."""
    (far_mount.path / ".xdg-volume-info").write_text("[Volume Info]\nName=My cloud\nIcon=folder-remote\n")
    with system_bus(tmp_path) as bus:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus)
        with Screen(tmp_path / "ann") as screen:
            shown = screen.run("gio", "mount", "-l", "-i")
    far_mount.unmount()

    assert "My cloud ->" in shown
    assert "[folder-remote]" in shown
    assert ".xdg-volume-info" not in own_account.names()
