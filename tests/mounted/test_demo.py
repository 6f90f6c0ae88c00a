"""`cxfs demo`: one command to a mounted account, and nothing left when it ends, however it ends."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import pytest
from PIL import Image

from cxfs.fuse.mounting import clear_dead, is_dead, mounted_at
from tests.mounting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

START_TIMEOUT_S: Final = 60.0
END_TIMEOUT_S: Final = 60.0
MOUNT_POINT: Final = 7
INTERRUPTED: Final = 130

NAMES: Final = {"Documents", "Large file.bin", "Names", "Pictures", "Read me.txt"}
LARGE_BYTES: Final = 200_000_000
QUOTA_BYTES: Final = 8 << 30


class Demo:
    """`cxfs demo` in a folder of its own, with its temporary files there too. Ended with the block at the latest."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        self.path = folder / "cx-demo"
        self.scratch = folder / "tmp"
        self.scratch.mkdir(exist_ok=True)
        self._arguments = arguments

    def __enter__(self) -> Self:
        with (self.folder / "said").open("wb") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "cxfs", "demo", *self._arguments],
                cwd=self.folder,
                env={
                    "PATH": os.environ["PATH"],
                    "HOME": str(self.folder),
                    "TMPDIR": str(self.scratch),
                    "LC_ALL": "C.UTF-8",
                },
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        while mounted_at(self.path) is not None:
            clear_dead(self.path)

    def is_ready(self) -> bool:
        """Whether it says that it is mounted; fails when it has ended instead."""
        assert self.process.poll() is None, self.said()
        return "Ctrl-C" in self.said()

    def said(self) -> str:
        """All that it has printed."""
        return (self.folder / "said").read_text(encoding="utf-8")

    def end(self, number: signal.Signals) -> int:
        """Its exit status after a signal."""
        self.process.send_signal(number)
        return self.process.wait(END_TIMEOUT_S)

    def processes(self) -> set[str]:
        """The command lines of its servers: of every process that was told of its temporary folder."""
        return {line for line in map(_command_line, Path("/proc").glob("[0-9]*")) if str(self.scratch) in line}

    def left(self) -> set[str]:
        """What it has not cleaned up: files and processes."""
        return {path.name for path in self.scratch.iterdir()} | self.processes()


def _command_line(process: Path) -> str:
    try:
        return (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    """A demo that is mounted."""
    with Demo(tmp_path) as demo:
        wait_until(demo.is_ready, deadline_s=START_TIMEOUT_S)
        yield demo


def test_a_demo_is_an_account_to_work_in_and_leaves_nothing(demo: Demo) -> None:
    """What a newcomer sees first: real files of many kinds, room for more, and after Ctrl-C the folder as it was."""
    pictures = {}
    for picture in (demo.path / "Pictures").iterdir():
        with Image.open(picture) as opened:
            opened.load()
            pictures[picture.name] = opened.format
    names = {path.name for path in demo.path.iterdir()}
    large = (demo.path / "Large file.bin").stat().st_size
    space = os.statvfs(demo.path)
    (demo.path / "Documents/mine.txt").write_text("written in the demo")
    read = (demo.path / "Documents/mine.txt").read_text()

    status = demo.end(signal.SIGINT)

    assert names == NAMES
    assert pictures == {"dawn.jpg": "JPEG", "meadow.png": "PNG", "dusk.webp": "WEBP", "mandelbrot.png": "PNG"}
    assert large == LARGE_BYTES
    assert space.f_blocks * space.f_frsize == QUOTA_BYTES
    assert space.f_bavail * space.f_frsize < QUOTA_BYTES - LARGE_BYTES
    assert read == "written in the demo"
    assert status == 0, demo.said()
    assert "everything is removed" in demo.said()
    assert not demo.path.exists()
    assert demo.left() == set()


def test_a_closed_terminal_ends_a_demo_in_order(demo: Demo) -> None:
    """The window is what people close first."""
    served = demo.processes()

    status = demo.end(signal.SIGHUP)

    assert served
    assert status == 0, demo.said()
    assert not demo.path.exists()
    assert demo.left() == set()


def test_the_server_of_a_killed_demo_ends_and_the_next_demo_clears_its_mount(demo: Demo, tmp_path: Path) -> None:
    """Nothing can be cleaned up by the killed process itself, but a server must not stay for ever."""
    served = demo.processes()

    demo.end(signal.SIGKILL)

    wait_until(lambda: not demo.processes())
    assert served
    assert is_dead(demo.path)
    with Demo(tmp_path) as another:
        wait_until(another.is_ready, deadline_s=START_TIMEOUT_S)
        with (another.path / "Large file.bin").open("rb") as opened:
            beginning = opened.read(1 << 20)
        assert hashlib.sha256(beginning).hexdigest().startswith("9e154d7b8a27fc52")
        assert another.end(signal.SIGINT) == 0, another.said()
        assert list(another.path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_is_stopped_while_it_begins_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    """In the middle of making its files."""
    with Demo(tmp_path) as demo:
        wait_until(lambda: any(demo.scratch.rglob("Large file.bin")), deadline_s=START_TIMEOUT_S)

        status = demo.end(number)

        assert status == INTERRUPTED
        assert demo.said().splitlines()[-1] == "cxfs: interrupted"
        assert not demo.path.exists()
        assert demo.left() == set()


def test_a_demo_over_a_file_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    """The file stays what it was."""
    (tmp_path / "cx-demo").write_text("mine")

    with Demo(tmp_path) as demo:
        status = demo.process.wait(START_TIMEOUT_S)

    assert status == MOUNT_POINT
    assert demo.said().startswith("cxfs: ")
    assert len(demo.said().splitlines()) == 1
    assert (tmp_path / "cx-demo").read_text() == "mine"
    assert demo.left() == set()


def test_a_mount_point_that_was_there_stays(tmp_path: Path) -> None:
    """It is the person's own, whatever it is called."""
    (tmp_path / "my cloud").mkdir()

    with Demo(tmp_path, "my cloud") as demo:
        demo.path = tmp_path / "my cloud"
        wait_until(demo.is_ready, deadline_s=START_TIMEOUT_S)
        names = {path.name for path in demo.path.iterdir()}
        status = demo.end(signal.SIGTERM)

    assert names == NAMES
    assert status == 0, demo.said()
    assert list((tmp_path / "my cloud").iterdir()) == []
    assert demo.left() == set()
