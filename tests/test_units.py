"""The unit files: that systemd reads them, how far they are locked up, and how the program gets into them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from cxfs import units
from cxfs.cli.exits import Exit

PROJECT: Final = Path(__file__).parent.parent
UNITS: Final = sorted(path.name for path in (PROJECT / "systemd").glob("*.*") if path.suffix != ".conf")

EXPOSURE_MAX: Final = 15
"""In tenths, by `systemd-analyze security`: it listens to the network, and writes its own folder."""


def analyzed(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """`systemd-analyze`, which wants a runtime folder even to read a file."""
    return subprocess.run(
        ["systemd-analyze", *words],
        env={"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(folder), "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def placed(name: str, folder: Path) -> Path:
    """The file as it would be installed."""
    file = folder / name
    file.write_text(units.text_of(name, program=Path(sys.executable).with_name("cxfs")))
    return file


@pytest.mark.parametrize("name", UNITS)
def test_systemd_reads_every_unit_without_a_complaint(tmp_path: Path, name: str) -> None:
    """Misspelt settings are only warned of, and then do not hold."""
    person = ["--user"] if name == units.FOR_A_PERSON else []
    for other in UNITS:
        placed(other, tmp_path)

    done = analyzed(tmp_path, "verify", "--man=no", *person, str(tmp_path / name))

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["cxfs-server.service", "cxfs-server@.service"])
def test_the_server_can_do_little_but_serve(tmp_path: Path, name: str) -> None:
    """What a fault in it could be used for."""
    file = placed(name, tmp_path)

    done = analyzed(tmp_path, "security", "--offline=yes", f"--threshold={EXPOSURE_MAX}", str(file))

    assert done.returncode == 0, done.stdout.splitlines()[-1]


def test_the_package_holds_what_the_project_shows() -> None:
    """One text: the folder of the package is that of the project."""
    assert units.text_of("cxfs@.service") == (PROJECT / "systemd/cxfs@.service").read_text()


@pytest.mark.parametrize(
    ("path", "written"),
    [
        ("/usr/bin/cxfs", "/usr/bin/cxfs"),
        ("/home/ann/my tools/cxfs", '"/home/ann/my tools/cxfs"'),
        ("/opt/100%/cxfs", "/opt/100%%/cxfs"),
        ('/a "b"/cxfs', r'"/a \"b\"/cxfs"'),
    ],
)
def test_the_program_is_called_by_its_path(path: str, written: str) -> None:
    """In every line that starts it, however odd the path is."""
    text = units.text_of(units.FOR_A_PERSON, program=Path(path))

    calls = re.findall(r"^Exec\w+=-?(.*?) (?:mount|umount) --", text, re.MULTILINE)

    assert calls == [written, written]


def test_the_statuses_of_the_unit_are_those_of_the_program() -> None:
    """A refused token, a wrong configuration and the like end it; everything else is tried again."""
    text = units.text_of(units.FOR_A_PERSON)
    prevented = re.search(r"^RestartPreventExitStatus=(.*)$", text, re.MULTILINE)
    good = re.search(r"^SuccessExitStatus=(.*)$", text, re.MULTILINE)

    assert prevented is not None
    assert {Exit(int(number)) for number in prevented[1].split()} == {
        Exit.USAGE,
        Exit.CONFIG,
        Exit.SIGNED_OUT,
        Exit.NO_FUSE,
        Exit.MOUNT_POINT,
        Exit.ALREADY_MOUNTED,
    }
    assert good is not None
    assert Exit(int(good[1])) == Exit.UPLOADS_LEFT


def test_the_enabled_profiles_are_those_with_a_link(tmp_path: Path) -> None:
    """As systemctl makes it."""
    wants = tmp_path / "default.target.wants"
    wants.mkdir()
    (wants / "cxfs@work.service").symlink_to("../cxfs@.service")
    (wants / "other.service").symlink_to("../other.service")

    assert units.enabled(tmp_path) == {"work"}


def test_a_file_of_somebody_else_is_not_replaced_by_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another package may bring a mount.cxfs."""
    monkeypatch.setattr(units, "HELPERS_FOLDER", tmp_path)
    (tmp_path / "mount.cxfs").write_text("theirs")

    with pytest.raises(units.ServiceTrouble, match="is not a link"):
        units.link("mount.cxfs", Path("/usr/bin/mount.cxfs"))

    assert (tmp_path / "mount.cxfs").read_text() == "theirs"
