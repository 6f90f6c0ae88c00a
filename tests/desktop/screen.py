"""A desktop without a person: an X server, a session bus and what starts by it, for file managers on a mount."""

from __future__ import annotations

import contextlib
import os
import subprocess
from typing import TYPE_CHECKING, Final, Self

from tests.mounting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

SIZE: Final = "900x600"
END_TIMEOUT_S: Final = 15


class Screen:
    """`with Screen(home) as screen:` shows programs, each in a window, with `home` for a home."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._processes: list[subprocess.Popen[bytes]] = []
        self._display = ""
        self._bus = ""

    def __enter__(self) -> Self:
        for folder in ("runtime", "config"):
            (self.home / folder).mkdir(parents=True, mode=0o700, exist_ok=True)
        self._display = ":" + self._told("Xvfb", "-displayfd", "1", "-screen", "0", f"{SIZE}x24", "-nolisten", "tcp")
        self._bus = self._told("dbus-daemon", "--session", "--print-address", "--nofork", "--nopidfile")
        self.start("openbox")
        return self

    def __exit__(self, *_error: object) -> None:
        for process in reversed(self._processes):
            process.terminate()
            try:
                process.wait(END_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()

    @property
    def environment(self) -> dict[str, str]:
        """Of the programs on it: nothing of the person's own."""
        return {
            "PATH": os.environ["PATH"],
            "LC_ALL": "C.UTF-8",
            "HOME": str(self.home),
            "XDG_RUNTIME_DIR": str(self.home / "runtime"),
            "XDG_CONFIG_HOME": str(self.home / "config"),
            "XDG_CACHE_HOME": str(self.home / "thumbnails"),
            "XDG_DATA_HOME": str(self.home / "data"),
            "DISPLAY": self._display,
            "DBUS_SESSION_BUS_ADDRESS": self._bus,
            "NO_AT_BRIDGE": "1",
            **{name: value for name, value in os.environ.items() if name == "DBUS_SYSTEM_BUS_ADDRESS"},
        }

    def start(self, *command: str | Path) -> subprocess.Popen[bytes]:
        """A program that ends with the screen."""
        process = subprocess.Popen(
            list(map(str, command)),
            env=self.environment,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._processes.append(process)
        return process

    def run(self, *command: str | Path) -> str:
        """What a program says; it must end in time and succeed."""
        done = subprocess.run(
            list(map(str, command)),
            env=self.environment,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{command} ended with {done.returncode}: {done.stderr}"
        return done.stdout

    def window(self, title: str) -> str:
        """The number of the window with this in its title, as soon as it is shown."""
        found: list[str] = []

        def is_shown() -> bool:
            with contextlib.suppress(AssertionError):
                found[:] = self.run("xdotool", "search", "--onlyvisible", "--name", title).split()
            return bool(found)

        try:
            wait_until(is_shown)
        except AssertionError:
            self.picture(self.home / "failed.png")
            raise AssertionError(f"no window {title!r} is shown, but {self.home}/failed.png") from None
        return found[-1]

    def press(self, window: str, *keys: str) -> None:
        """Keys, one after the other, into that window."""
        self.run("xdotool", "windowactivate", "--sync", window)
        self.run("xdotool", "key", "--delay", "80", *keys)

    def type(self, text: str) -> None:
        """Into whatever has the focus."""
        self.run("xdotool", "type", "--delay", "20", text)

    def picture(self, file: Path) -> None:
        """What is to be seen now, in few colours."""
        self.run("import", "-window", "root", "-dither", "None", "-colors", "64", file)

    def _told(self, *command: str) -> str:
        """The first line of a server that goes on."""
        process = subprocess.Popen(
            command,
            env=self.environment,  # the bus hands it to what it starts
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._processes.append(process)
        assert process.stdout is not None
        line = process.stdout.readline().decode().strip()
        assert line, f"{command[0]} did not start"
        return line
