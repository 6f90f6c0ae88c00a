"""`cxfs open`: shows a mount, or something in it, in the file manager of the desktop. Starts none of our own."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final
from urllib.parse import quote

import click

from cxfs.cli import which
from cxfs.cli.exits import Exit, Refusal
from cxfs.cli.words import PLACE

MANAGER: Final = "org.freedesktop.FileManager1"

ANSWER_S: Final = 25.0
"""What D-Bus itself gives a program to start and answer."""


@click.command("open", short_help="Show a mount in the file manager.")
@click.argument("path", required=False, type=PLACE)
def command(path: Path | None) -> None:
    """Show the mount, or PATH in it, in the file manager: a file selected in its folder.

    By D-Bus where a file manager listens there, else by xdg-open.
    """
    mount, place = which.mount_of(path) if path is not None else (which.chosen([], None)[0], "")
    if not mount.is_running or mount.record is None or mount.record.draining:
        raise which.NoSuchMount(f"{mount.profile} is not mounted")
    target = Path(mount.shown(place))
    is_folder = target.is_dir()
    if not is_folder:
        os.lstat(target)  # what is not there is said by its name
    if not (_by_the_bus(target, is_folder=is_folder) or _by_xdg(target if is_folder else target.parent)):
        raise Refusal(Exit.FAILED, "no file manager has answered: apt install xdg-utils, or open it by hand")


def _by_the_bus(target: Path, *, is_folder: bool) -> bool:
    """Whether a file manager has answered."""
    if not os.environ.get("DBUS_SESSION_BUS_ADDRESS"):
        return False
    address = f"file://{quote(os.fsencode(target))}"  # no comma is left in it, which would part the array
    method = "ShowFolders" if is_folder else "ShowItems"
    return _succeeds(
        "dbus-send", "--session", "--print-reply", f"--dest={MANAGER}", f"/{MANAGER.replace('.', '/')}",
        f"{MANAGER}.{method}", f"array:string:{address}", "string:",
    )  # fmt: skip


def _by_xdg(folder: Path) -> bool:
    return _succeeds("xdg-open", os.fspath(folder))


def _succeeds(program: str, *arguments: str) -> bool:
    found = shutil.which(program)
    if found is None:
        return False
    try:
        done = subprocess.run(  # noqa: S603 - a fixed program, and a path
            [found, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=ANSWER_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0
