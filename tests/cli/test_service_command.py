"""`cxfs service`: what it puts where, and what it refuses. A real systemd is in tests/mounted/test_service.py."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from cxfs.cli.exits import Exit

if TYPE_CHECKING:
    from tests.cli.terminal import Terminal

SYSTEMCTL = """#!/bin/sh
echo "$@" >> "$HOME/told"
"""


@pytest.fixture
def person(terminal: Terminal) -> Terminal:
    """With a profile, and a systemctl that only notes what it is told."""
    terminal.configure('[profiles.work]\napi_url = "https://cx.example.org"\n')
    programs = terminal.home / "bin"
    programs.mkdir()
    (programs / "systemctl").write_text(SYSTEMCTL)
    (programs / "systemctl").chmod(0o755)
    return terminal.but(PATH=f"{programs}:{os.environ['PATH']}")


def told(person: Terminal) -> list[str]:
    """What systemctl was told, line by line."""
    file = person.home / "told"
    return file.read_text().splitlines() if file.exists() else []


def test_install_notes_the_mount_point_and_enables_the_unit(person: Terminal) -> None:
    """The rest is systemd's."""
    said = person.cxfs("service", "install", "CX")

    assert said.lines == [f"work is mounted at {person.home}/CX now and at every login"]
    assert (person.home / ".config/systemd/user/cxfs@.service").is_file()
    assert told(person) == ["--user daemon-reload", "--user enable --now cxfs@work.service"]
    assert f'mountpoint = "{person.home}/CX"' in (person.home / ".config/cxfs/config.toml").read_text()


def test_install_can_wait_for_the_next_login(person: Terminal) -> None:
    """With --no-start."""
    said = person.cxfs("service", "install", "--no-start", "CX")

    assert said.lines == [f"work is mounted at {person.home}/CX at every login"]
    assert told(person)[-1] == "--user enable cxfs@work.service"


def test_install_without_a_mount_point_asks_for_one(person: Terminal) -> None:
    """Nothing is put anywhere."""
    said = person.cxfs("service", "install")

    assert said.status == Exit.USAGE
    assert "where is work to be mounted?" in said.line
    assert told(person) == []


def test_install_without_systemd_says_so(person: Terminal) -> None:
    """On such a machine something else starts services."""
    empty = person.home / "empty"
    empty.mkdir()

    said = person.but(PATH=str(empty)).cxfs("service", "install", "CX")

    assert said.status == Exit.FAILED
    assert "systemctl is missing" in said.line


def test_what_systemd_refuses_is_told_in_its_words(person: Terminal) -> None:
    """Its last line."""
    (person.home / "bin/systemctl").write_text("#!/bin/sh\necho Failed to connect to bus >&2\nexit 1\n")

    said = person.cxfs("service", "install", "CX")

    assert said.status == Exit.FAILED
    assert said.line == "cxfs: systemctl --user daemon-reload: Failed to connect to bus"


def test_uninstall_of_what_is_no_service_is_refused(person: Terminal) -> None:
    """With how it becomes one."""
    said = person.cxfs("service", "uninstall")

    assert said.status == Exit.FAILED
    assert "work is no service: cxfs service install makes it one" in said.line


def test_the_unit_stays_while_another_profile_uses_it(person: Terminal) -> None:
    """It is one file for all."""
    person.cxfs("service", "install", "CX")
    wants = person.home / ".config/systemd/user/default.target.wants"
    wants.mkdir()
    for profile in ("work", "home"):
        (wants / f"cxfs@{profile}.service").symlink_to("../cxfs@.service")

    said = person.cxfs("service", "uninstall")

    assert said.lines == ["work is unmounted and no service any more"]
    assert told(person)[-2:] == ["--user disable --now cxfs@work.service", "--user daemon-reload"]
    assert (person.home / ".config/systemd/user/cxfs@.service").is_file()
