"""The unit files of systemd: their texts, where each one belongs, and how systemd is told. Decides not what they say.

The texts are those of the folder systemd/ of the project, which the package holds as `cxfs.unit_files`. In them the
program has its bare name; what is put in place has its path, since a service is started with a PATH of its own.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Final

from cxfs.core.errors import CxfsError

FOR_A_PERSON: Final = "cxfs@.service"

FOR_THE_MACHINE: Final = {
    "cxfs-server.service": Path("/etc/systemd/system/cxfs-server.service"),
    "cxfs-server@.service": Path("/etc/systemd/system/cxfs-server@.service"),
    "cxfs-server.sysusers.conf": Path("/etc/sysusers.d/cxfs-server.conf"),
    "cxfs.tmpfiles.conf": Path("/etc/tmpfiles.d/cxfs.conf"),
}
"""What goes where for accounts in fstab, and for a server that is one process or several."""

HELPERS: Final = ("mount.cxfs", "mount.fuse.cxfs", "umount.fuse.cxfs")
HELPERS_FOLDER: Final = Path("/sbin")
"""mount(8) looks for its helpers here and nowhere else."""

DEADLINE_S: Final = 150.0
"""Enabling waits for the start, which has a time-out of its own in the unit."""


class ServiceTrouble(CxfsError):
    """systemd, or a file of its, is not as it has to be; the message says what to do."""


def program(name: str = "cxfs") -> Path:
    """The absolute path of a program of this installation; raises ServiceTrouble where it has none."""
    beside = Path(sys.executable).with_name(name)
    found = beside if os.access(beside, os.X_OK) else shutil.which(name)
    if found is None:
        raise ServiceTrouble(f"the program {name} is not installed: pip install cxfs, and call it by that")
    return Path(found).absolute()


def text_of(name: str, *, program: Path | None = None) -> str:
    """A unit file as it is in the project, or with the path of the program in it."""
    text = resources.files("cxfs").joinpath("unit_files", name).read_text(encoding="utf-8")
    if program is None:
        return text
    quoted = _quoted(os.fspath(program))
    return re.sub(r"^(Exec\w+=-?)cxfs ", lambda found: f"{found[1]}{quoted} ", text, flags=re.MULTILINE)


def _quoted(path: str) -> str:
    """As systemd reads a program's path: specifiers begin with %, and only quotes keep spaces."""
    plain = path.replace("%", "%%")
    return plain if re.fullmatch(r"[\w@%+=:,./-]+", plain) else '"{}"'.format(re.sub(r'(["\\])', r"\\\1", plain))


def folder_of_a_person() -> Path:
    """Where a person's own units are, by the XDG specification."""
    configured = os.environ.get("XDG_CONFIG_HOME", "")
    home = Path(configured) if configured.startswith("/") else Path("~/.config").expanduser()
    return home / "systemd" / "user"


def enabled(folder: Path) -> set[str]:
    """The profiles whose units are enabled, by the links that systemctl makes."""
    links = (link.name for link in folder.glob("*.wants/cxfs@*.service"))
    return {name.removeprefix("cxfs@").removesuffix(".service") for name in links} - {""}


def write(file: Path, text: str) -> bool:
    """Puts a file in place, readable for all; True when it was another or none before. Raises ServiceTrouble."""
    try:
        if file.exists() and file.read_text(encoding="utf-8") == text:
            return False
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        file.chmod(0o644)
    except OSError as error:
        raise ServiceTrouble(f"{file} cannot be written: {error.strerror}") from error
    return True


def link(name: str, target: Path) -> None:
    """Makes HELPERS_FOLDER/NAME lead to the program; raises ServiceTrouble where something else has the name."""
    place = HELPERS_FOLDER / name
    try:
        if place.is_symlink():
            place.unlink()
        place.symlink_to(target)
    except FileExistsError:
        raise ServiceTrouble(f"{place} is not a link: another package's? Remove that first") from None
    except OSError as error:
        raise ServiceTrouble(f"{place} cannot be made: {error.strerror}") from error


def remove(file: Path) -> bool:
    """Takes a file or link away; True when it was there. Raises ServiceTrouble."""
    try:
        file.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise ServiceTrouble(f"{file} cannot be removed: {error.strerror}") from error
    return True


def run(*command: str) -> None:
    """A program of systemd; raises ServiceTrouble with its last line."""
    try:
        done = subprocess.run(  # noqa: S603  # programs that are fixed; names of profiles begin with no dash
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
    except FileNotFoundError:
        raise ServiceTrouble(f"{command[0]} is missing: something else than systemd starts services here") from None
    except subprocess.TimeoutExpired:
        raise ServiceTrouble(f"{' '.join(command)} did not end within {DEADLINE_S:g} s") from None
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise ServiceTrouble(f"{' '.join(command)}: {said[-1] if said else f'status {done.returncode}'}")
