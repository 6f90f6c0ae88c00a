"""An account of pictures at a round trip of 100 ms, mounted, and a screen to look at it."""

from __future__ import annotations

import random
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import httpx
import pytest
from PIL import Image

from tests.desktop.screen import Screen
from tests.mounting import Account, CountingServer, Mount, wait_until
from tests.server_process import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RTT_MS: Final = 100
PICTURES: Final = 500
SIDES: Final = (1600, 1200)
KINDS: Final = 25
"""Pictures that are drawn; the others are these with some bytes more, so that no two are the same."""


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of photographs of 1 MB each."""
    folder, chance = tmp_path_factory.mktemp("pictures"), random.Random(1)
    grain = Image.frombytes("RGB", SIDES, chance.randbytes(3 * SIDES[0] * SIDES[1]))
    for kind in range(KINDS):
        colour = tuple(chance.randrange(256) for _ in range(3))
        Image.blend(Image.new("RGB", SIDES, colour), grain, 0.5).save(folder / "drawn.jpg", quality=85)
        drawn = (folder / "drawn.jpg").read_bytes()
        for number in range(kind, PICTURES, KINDS):
            (folder / f"DSC_{number:04}.JPG").write_bytes(drawn + b"%d" % number)
    (folder / "drawn.jpg").unlink()
    return folder


@pytest.fixture
def far_mount(running_server: CountingServer, own_account: Account, pictures: Path, tmp_path: Path) -> Iterator[Mount]:
    """The account, with the pictures in it, mounted over a line of that round trip."""
    running_server.import_tree(pictures, own_account, "/Pictures")
    own_account.put("/to ann.txt", b"Dear Ann\n")
    port = free_port()
    line = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.relay", str(port), str(running_server.port), str(RTT_MS)]
    )
    far = Account(f"https://127.0.0.1:{port}", own_account.token, ca_file=own_account.ca_file, name=own_account.name)

    def answers() -> bool:
        try:
            return "Pictures" in far.names()
        except httpx.TransportError:
            return False

    try:
        wait_until(answers)
        with Mount(far, tmp_path / "ann") as mount:
            yield mount
    finally:
        far.close()
        line.terminate()
        line.wait()


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Screen]:
    """Nothing is on it yet."""
    with Screen(tmp_path / "ann") as screen:
        yield screen
